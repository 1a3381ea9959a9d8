"""What a study file may say, checked before anything runs."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simdyn.model.records import InvalidInput, unknown

Name = Annotated[str, Field(min_length=1)]
Table = dict[str, Any]
Positive = Annotated[int, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Bins(_Strict):
    """Equal bins of one coordinate, for densities."""

    low: float
    high: float
    bins: Positive
    coordinate: Annotated[int, Field(ge=0)] = 0


class Ensemble(_Strict):
    """How many particles, from where, until when."""

    particles: Positive = 4096
    #: of the study; every cell draws its own from it
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 1
    max_steps: Positive = 10**10
    #: a number, one per coordinate, or "minimum" or "saddle" of the landscape
    start: float | list[float] | Literal["minimum", "saddle"] = "minimum"
    start_momentum: float | list[float] | Literal["stationary"] | Table | None = None
    #: how far beyond the saddle the exit is, in units of the way from minimum to saddle: 0 at the top, 1 as far again
    exit: float | None = None
    boundary: Table | None = None
    bridge: bool | None = None
    record_at: list[Annotated[int, Field(ge=0)]] | None = None
    bins: Bins | None = None


class Series(_Strict):
    """One line of a figure: a method, what is swept, and what differs from the study's defaults.

    `sweep` maps the path of a field ("landscape.sharpness") to its values; several paths advance together.
    """

    name: Name
    dynamics: Table
    landscape: Table = {}
    noise: Table = {}
    ensemble: Table = {}
    sweep: dict[Name, Annotated[list[Any], Field(min_length=1)]] = {}


class Claim(_Strict):
    """A sentence to be tried, the test that tries it, and the rule of the verdict, written before the run."""

    name: Name
    says: Name
    test: Name
    series: Name
    #: the same claim at a second step size, barrier or noise: the verdict must hold there too
    again: Name | None = None
    rule: Name
    tolerance: Annotated[float, Field(gt=0)] = 0.10
    options: Table = {}
    #: what "once corrected" means for this claim
    correction: str = ""


class StudyFile(_Strict):
    """One study: a claim put to the test."""

    title: Name
    claim: Name
    standing: Name
    measure: Literal["escape", "displacement", "density"]
    landscape: Table
    noise: Table
    ensemble: Table = {}
    series: Annotated[list[Series], Field(min_length=1)]
    claims: Annotated[list[Claim], Field(min_length=1)]
    figure: Table


def read_study(path: Path) -> StudyFile:
    """Read and check a study file; raises InvalidInput in one line that names the file and the field."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise InvalidInput(f"{path}: cannot be read: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as failure:
        raise InvalidInput(f"{path}: is not TOML: {failure}") from None
    study = checked(StudyFile, table, str(path))
    names = [series.name for series in study.series]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{path}: series: the name '{name}' is used twice")
    for claim in study.claims:
        for wanted in filter(None, (claim.series, claim.again)):
            if wanted not in names:
                raise InvalidInput(f"{path}: claims: {unknown('series', wanted, names)}")
    return study


def checked(model: type[BaseModel], table: Table, where: str) -> Any:
    """`table` as a `model`, or InvalidInput naming the first field that is wrong and what it may be."""
    try:
        return model.model_validate(table)
    except ValidationError as failure:
        error = failure.errors()[0]
        place = [str(part) for part in error["loc"]]
        if error["type"] == "extra_forbidden":
            owner = _model_at(model, error["loc"][:-1])
            what = ".".join([*place[:-1], "field"])
            raise InvalidInput(f"{where}: {unknown(what, place[-1], list(owner.model_fields))}") from None
        if error["type"] == "missing":
            raise InvalidInput(f"{where}: {'.'.join(place)} is missing") from None
        words = error["msg"].removeprefix("Input ")
        raise InvalidInput(f"{where}: {'.'.join(place)} {words}, not {error['input']!r}") from None


def _model_at(model: Any, place: tuple) -> Any:
    """The model that a validation error's location leads to."""
    for part in place:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = model.model_fields[part].annotation
            while not hasattr(model, "model_fields") and getattr(model, "__args__", None):
                model = next((arg for arg in model.__args__ if hasattr(arg, "model_fields")), model.__args__[0])
    return model
