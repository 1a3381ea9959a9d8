"""What a study file may say, checked before anything runs. The descriptions here are docs/study-format.md."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, PrivateAttr

from simdyn.model.records import InvalidInput, unknown
from simdyn.study.complaints import Strict as Strict
from simdyn.study.complaints import Table, Words, complaints
from simdyn.study.complaints import checked as checked
from simdyn.study.spread import Values

Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[int, Field(gt=0, lt=2**62)]
Measure = Literal["escape", "displacement", "density"]
MEASURES = get_args(Measure)
Step = Annotated[int, Field(ge=0, lt=2**62)]


class Bins(Strict):
    """Equal bins of one coordinate, for densities."""

    low: float = Field(description="Where the first bin begins.")
    high: float = Field(description="Where the last bin ends.")
    bins: Positive = Field(description="How many bins there are.")
    coordinate: int = Field(0, ge=0, description="The coordinate that is counted, from 0.")


class Running(Strict):
    """The momentum of a method that has been running for ever, times `scale`."""

    kind: Literal["Stationary"] = Field(description="Its name.")
    scale: float = Field(description="What the stationary momentum is multiplied by; 0 leaves settled averages alone.")


class Ensemble(Strict):
    """How many particles, from where, until when."""

    particles: int = Field(4096, gt=0, le=10**12, description="How many particles each cell has.")
    seed: int = Field(1, ge=0, lt=2**64, description="Of the study; every cell draws its own from it and its records.")
    max_steps: Positive = Field(
        10**10, description="Escapes: the step after which a particle is given up, as censored."
    )
    start: Annotated[
        float | list[float] | Literal["minimum", "saddle"],
        Words('a number, one per coordinate, or "minimum" or "saddle" of the landscape'),
    ] = Field("minimum", description="Where all particles begin.")
    start_momentum: Annotated[
        float | list[float] | Literal["stationary"] | Running | None,
        Words('a number, one per coordinate, "stationary" or { kind = "Stationary", scale = a number }'),
    ] = Field(None, description="The momentum they begin with; at rest where it is left out.")
    exit: float | None = Field(
        None,
        description=(
            "Escapes: how far beyond the saddle the exit is, in units of the way from minimum to saddle: 0 at the top, 1 as"
            " far again. Either this or `boundary`."
        ),
    )
    boundary: Table | None = Field(
        None, description="Escapes: the boundary beyond which a particle has left, a record."
    )
    bridge: bool | None = Field(
        None,
        description=(
            "Escapes of Overdamped over Beyond: whether crossings between steps are drawn too. They are where it is left"
            " out and possible."
        ),
    )
    noise_precision: Literal["double", "single"] = Field("double", description="Of normal random numbers.")
    record_at: list[Step] | None = Field(
        None, description="Displacements and densities: the steps that are recorded, increasing."
    )
    bins: Bins | None = Field(None, description="Densities: the bins that particles are counted in.")


class Series(Strict):
    """One line of a figure: a method, what is swept, and what differs from the study's defaults.

    `sweep`, `across` and `product` map the path of a field (`"landscape.sharpness"`, `"ensemble.particles"`,
    `"landscape.curvatures.0"` for an entry of a list, `"noise"` for a whole record) to its values: a list, or a range
    `{ from = 0.1, to = 10.0, count = 5, spacing = "log" }`. All of `across` is taken at every step of `sweep`, all of
    `product` at every step of both. A path may stand in one of the three.
    """

    name: Name = Field(description="What claims call it; no two series of a study share one.")
    dynamics: Table = Field(description="The method, a record.")
    landscape: Table = Field({}, description="The landscape, a record, where it is not the study's.")
    noise: Table = Field({}, description="The noise, a record, where it is not the study's.")
    ensemble: Table = Field({}, description="Fields of the ensemble that differ from the study's.")
    sweep: dict[Name, Values] = Field({}, description="Values by path; several paths advance together, step by step.")
    across: dict[Name, Values] = Field(
        {}, description="A second sweep of the same kind, taken anew at every step of the first: a map."
    )
    product: dict[Name, Values] = Field({}, description="Values by path; every combination of all of them is taken.")
    exact: Annotated[
        bool | list[Annotated[list[float], Field(min_length=2, max_length=2)]],
        Words("true, false or a list of pairs [value, error]"),
    ] = Field(
        True,
        description=(
            "Whether the exact answer is asked for; where that takes too long for a run, value and error for every cell,"
            " found before."
        ),
    )
    simulate: bool | None = Field(
        None, description="Whether its cells are simulated, where that is not as the study says."
    )


class Claim(Strict):
    """A sentence to be tried, the test that tries it, and the rule of the verdict, written before the run."""

    name: Name = Field(description="What the figure and the table of verdicts call it.")
    says: Name = Field(description="The sentence.")
    test: Name = Field(description="The test that tries it, one of those below.")
    series: Name = Field(description="The series it is tried on.")
    again: Name | None = Field(
        None,
        description=(
            "A series with the same claim at a second step size, barrier or noise: the verdict must hold there too, or it"
            " is undecided."
        ),
    )
    rule: Name = Field(description="The rule of the verdict, in words.")
    tolerance: float = Field(
        0.10, gt=0, description="What the test holds deviations against; a share where it says so."
    )
    options: Table = Field({}, description="Options of the test.")
    correction: str = Field("", description='What "once corrected" means for this claim.')


class StudyFile(Strict):
    """One study: a claim put to the test, or, without `claims`, a plain sweep with a table."""

    title: Name = Field(description="Above the figure and in lists.")
    claim: str = Field("", description="What is put to the test, in a sentence or two.")
    standing: str = Field("", description="Whether the claim is published, derived or ours.")
    measure: Measure = Field(
        description=(
            "What is measured: mean first passage times, mean squared displacements from the start, or histograms of one"
            " coordinate."
        )
    )
    simulate: bool = Field(
        True,
        description=(
            "False: nothing is simulated but series that say so, and formulas are held against exact answers."
        ),
    )
    landscape: Table = Field(description="The landscape, a record.")
    noise: Table = Field(description="The noise, a record.")
    ensemble: Table = Field({}, description="The ensemble, for all series.")
    series: list[Series] = Field(min_length=1, description="The series, `[[series]]`.")
    claims: list[Claim] = Field([], description="The claims, `[[claims]]`; none makes the study a plain sweep.")
    figure: Table | None = Field(
        None, description="The figure: its `kind` and options; none is drawn where it is left out."
    )
    # Where modules that it names are looked for: the folder that the file is in.
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """The folder that the study was read from."""
        return self._folder


def read_study(path: Path) -> StudyFile:
    """Read and check a study file; raises InvalidInput with a line for all that is wrong, which names file and field."""
    table = read_table(path)
    if lines := [*complaints(StudyFile, table, str(path)), *(f"{path}: {line}" for line in confused_names(table))]:
        from simdyn.study.rehearsal import wrong_tables  # what is right is checked there anyhow, by those who run it

        raise InvalidInput(*lines, *(f"{path}: {line}" for line in wrong_tables(table)))
    return study_from(table, path)


def study_from(table: Table, path: Path) -> StudyFile:
    """The study that a table is, which was read from the file at `path` and has nothing wrong with it."""
    study = StudyFile.model_validate(table)
    study._folder = path.parent
    return study


def read_table(path: Path) -> Table:
    """The table that a file holds; raises InvalidInput in one line where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as failure:
        raise InvalidInput(f"{path}: cannot be read: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        raise InvalidInput(f"{path}: is not TOML: {failure}") from None


def tables_in(table: Table, field: str) -> list[Table]:
    """The tables that a field lists, as far as it lists any: of a file that may be wrong in every way."""
    given = table.get(field)
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def confused_names(table: Table) -> list[str]:
    """Names that are used twice, and series that claims name and that are not there, in a table that may be wrong."""
    series, claims = (tables_in(table, field) for field in ("series", "claims"))
    lines = []
    for what, tables in (("series", series), ("claims", claims)):
        named = [each["name"] for each in tables if isinstance(each.get("name"), str)]
        lines += [f"{what}: the name '{name}' is used twice" for name in dict.fromkeys(named) if named.count(name) > 1]
    names = [each["name"] for each in series if isinstance(each.get("name"), str)]
    for claim in claims:
        where = f"claim '{claim.get('name')}'"
        asked = [name for field in ("series", "again") if isinstance(name := claim.get(field), str) and name]
        lines += [f"{where}: {unknown('series', name, names)}" for name in asked if names and name not in names]
        if len(set(asked)) < len(asked):
            lines.append(f"{where}: again must be another series than '{asked[0]}'")
    return lines
