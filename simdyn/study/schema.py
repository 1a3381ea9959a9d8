"""What a study file may say, checked before anything runs."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from simdyn.model.records import InvalidInput, unknown

Name = Annotated[str, Field(min_length=1)]
Table = dict[str, Any]
Positive = Annotated[int, Field(gt=0, lt=2**62)]


class Strict(BaseModel):
    """Tables whose every key is known and of the right type; numbers are finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Bins(Strict):
    """Equal bins of one coordinate, for densities."""

    low: float
    high: float
    bins: Positive
    coordinate: Annotated[int, Field(ge=0)] = 0


class Running(Strict):
    """The momentum of a method that has been running for ever, times `scale`."""

    kind: Literal["Stationary"]
    scale: float


class Ensemble(Strict):
    """How many particles, from where, until when."""

    particles: Annotated[int, Field(gt=0, le=10**12)] = 4096
    #: of the study; every cell draws its own from it
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 1
    max_steps: Positive = 10**10
    start: float | list[float] | Literal["minimum", "saddle"] = Field(
        "minimum", description='a number, one per coordinate, or "minimum" or "saddle" of the landscape'
    )
    start_momentum: float | list[float] | Literal["stationary"] | Running | None = Field(
        None, description='a number, one per coordinate, "stationary" or { kind = "Stationary", scale = a number }'
    )
    #: how far beyond the saddle the exit is, in units of the way from minimum to saddle: 0 at the top, 1 as far again
    exit: float | None = None
    boundary: Table | None = None
    bridge: bool | None = None
    noise_precision: Literal["double", "single"] = "double"
    record_at: list[Annotated[int, Field(ge=0, lt=2**62)]] | None = None
    bins: Bins | None = None


class Series(Strict):
    """One line of a figure: a method, what is swept, and what differs from the study's defaults.

    `sweep` maps the path of a field ("landscape.sharpness") to its values; several paths advance together. `across` is
    a second sweep, taken anew at every value of the first: a map.
    """

    name: Name
    dynamics: Table
    landscape: Table = {}
    noise: Table = {}
    ensemble: Table = {}
    sweep: dict[Name, Annotated[list[Any], Field(min_length=1)]] = {}
    across: dict[Name, Annotated[list[Any], Field(min_length=1)]] = {}
    #: whether the exact answer is asked for; where that takes too long for a run, value and error for every cell, found before
    exact: bool | list[Annotated[list[float], Field(min_length=2, max_length=2)]] = True
    #: whether its cells are simulated, where that is not as the study says
    simulate: bool | None = None


class Claim(Strict):
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


class StudyFile(Strict):
    """One study: a claim put to the test."""

    title: Name
    claim: Name
    standing: Name
    measure: Literal["escape", "displacement", "density"]
    #: false: nothing is simulated but series that say so, formulas are held against exact answers
    simulate: bool = True
    landscape: Table
    noise: Table
    ensemble: Table = {}
    series: Annotated[list[Series], Field(min_length=1)]
    claims: Annotated[list[Claim], Field(min_length=1)]
    figure: Table
    # Where modules that it names are looked for: the folder that the file is in.
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """The folder that the study was read from."""
        return self._folder


def read_study(path: Path) -> StudyFile:
    """Read and check a study file; raises InvalidInput in one line that names the file and the field."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as failure:
        raise InvalidInput(f"{path}: cannot be read: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        raise InvalidInput(f"{path}: is not TOML: {failure}") from None
    study: StudyFile = checked(StudyFile, table, str(path))
    study._folder = path.parent
    names = [series.name for series in study.series]
    for what, given in (("series", names), ("claims", [claim.name for claim in study.claims])):
        for name in given:
            if given.count(name) > 1:
                raise InvalidInput(f"{path}: {what}: the name '{name}' is used twice")
    for claim in study.claims:
        for wanted in filter(None, (claim.series, claim.again)):
            if wanted not in names:
                raise InvalidInput(f"{path}: claim '{claim.name}': {unknown('series', wanted, names)}")
        if claim.again == claim.series:
            raise InvalidInput(f"{path}: claim '{claim.name}': again must be another series than '{claim.series}'")
    return study


def checked(model: type[BaseModel], table: Table, where: str) -> Any:
    """`table` as a `model`, or InvalidInput naming the first field that is wrong and what it may be."""
    try:
        return model.model_validate(table)
    except ValidationError as failure:
        errors = failure.errors()  # an unknown key comes before the one it leaves missing
        error = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
        place = [str(part) for part in error["loc"] if part != "[key]"]
        field = model.model_fields.get(place[0])
        if field is not None and field.description:
            raise InvalidInput(f"{where}: {place[0]} should be {field.description}, not {table[place[0]]!r}") from None
        if error["type"] == "extra_forbidden":
            owner = _model_at(model, error["loc"][:-1])
            what = ".".join([*place[:-1], "field"])
            raise InvalidInput(f"{where}: {unknown(what, place[-1], list(owner.model_fields))}") from None
        if error["type"] == "missing":
            raise InvalidInput(f"{where}: {'.'.join(place)} is missing") from None
        words = _WORDS.get(error["type"]) or error["msg"].removeprefix("Input ").removeprefix("String ").removeprefix(
            "Value error, "
        )
        raise InvalidInput(f"{where}: {'.'.join(place)} {words}, not {error['input']!r}") from None


_WORDS = {
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "too_short": "should have at least one entry",
}


def _model_at(model: Any, place: tuple) -> Any:
    """The model that a validation error's location leads to."""
    for part in place:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = model.model_fields[part].annotation
            while not hasattr(model, "model_fields") and getattr(model, "__args__", None):
                model = next((arg for arg in model.__args__ if hasattr(arg, "model_fields")), model.__args__[0])
    return model
