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
    """Options of a figure of displacements against steps."""

    coordinate: int = Field(0, ge=0, description="The coordinate that is shown, from 0.")
    ratio: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        [0.5, 1.5], description="The range of the lower panels, over the formula: [low, high]."
    )


class Maps(Strict):
    """Options of a figure of maps."""

    columns: int = Field(3, gt=0, description="How many panels stand beside each other.")
    labels: dict[Name, str] = Field({}, description="Labels of axes by the path of the swept field.")
    scale: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        {}, description="What the values along an axis are multiplied by, by the path of the swept field."
    )


class Scalings(Strict):
    """Options of a figure of straight lines."""

    columns: int = Field(3, gt=0, description="How many panels stand beside each other.")
    labels: dict[Name, str] = Field({}, description="Labels of the horizontal axis by the name of the claim.")


class Exponents(Strict):
    """Options of a figure of powers."""

    rival: list[Name] = Field([], description="Series that are also shown against the rival's power.")
    columns: int = Field(5, gt=0, description="How many panels stand beside each other.")
    labels: dict[Name, str] = Field({}, description="Labels of the horizontal axis by field^power.")


class Closing(Strict):
    """Options of a figure of the closing table."""

    methods: dict[Name, Annotated[list[Name], Field(min_length=2, max_length=2)]] = Field(
        min_length=1, description="By the name of a method its two claims: one on minima and one on saddles."
    )
