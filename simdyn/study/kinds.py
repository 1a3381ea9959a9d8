"""The kinds of figures there are, by the names that study files use, and what each needs."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from simdyn.model.records import InvalidInput, unknown
from simdyn.study.results import StudyResult
from simdyn.study.schema import Name, Strict
from simdyn.study.verdicts import NoOptions

Draw = Callable[[StudyResult, dict[str, Any]], Any]


class Kind(NamedTuple):
    """A figure and what it needs: its options, claims tried by one of these tests, cells that do not sweep."""

    draw: Draw
    options: type[Strict]
    tests: tuple[str, ...]
    single: bool


FIGURES: dict[str, Kind] = {}


def kind(name: str, *tests: str, options: type[Strict] = NoOptions, single: bool = False) -> Callable[[Draw], Draw]:
    """Register a figure under the name that study files use."""

    def register(draw: Draw) -> Draw:
        FIGURES[name] = Kind(draw, options, tests, single)
        return draw

    return register


def find_figure(options: dict[str, Any]) -> Kind:
    """The kind of figure that a study asks for; raises InvalidInput with the nearest right one."""
    from simdyn.study import figures  # noqa: F401  they register themselves

    name = options.get("kind")
    if not isinstance(name, str) or name not in FIGURES:
        raise InvalidInput(unknown("kind", str(name), list(FIGURES)))
    return FIGURES[name]


class Growth(Strict):
    """The coordinate shown, and the range of the ratio."""

    coordinate: Annotated[int, Field(ge=0)] = 0
    ratio: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.5, 1.5]


class Maps(Strict):
    """Columns of panels; labels and factors of axes by field."""

    columns: Annotated[int, Field(gt=0)] = 3
    labels: dict[Name, str] = {}
    scale: dict[Name, Annotated[float, Field(gt=0)]] = {}


class Scalings(Strict):
    """Columns, and axis labels by claim."""

    columns: Annotated[int, Field(gt=0)] = 3
    labels: dict[Name, str] = {}


class Exponents(Strict):
    """Series also shown against the rival's power, columns, and axis labels by field^power."""

    rival: list[Name] = []
    columns: Annotated[int, Field(gt=0)] = 5
    labels: dict[Name, str] = {}


class Closing(Strict):
    """Each method's claims, one on minima and one on saddles."""

    methods: Annotated[dict[Name, Annotated[list[Name], Field(min_length=2, max_length=2)]], Field(min_length=1)]
