"""From a study file to cells: one simulation each, with everything that determines it."""

import contextlib
import copy
import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import simdyn as sd
from simdyn.model.geometry import NotFound
from simdyn.model.records import REGISTRY, InvalidInput, unknown
from simdyn.study.modules import unmarked
from simdyn.study.paths import check_path, paths_in, put
from simdyn.study.schema import Ensemble, Series, StudyFile, checked
from simdyn.study.users import looking_in, users_record, users_sources


@dataclass(frozen=True)
class Cell:
    """One simulation: a point of a series' sweep."""

    study: str
    series: str
    point: dict[str, Any]
    measure: str
    dynamics: Any
    landscape: Any
    noise: Any
    ensemble: Ensemble
    start: Any
    boundary: Any
    #: hashes of what records that are not this package's depend on, as it was loaded
    users: dict[str, str]
    simulate: bool = True
    exact: bool | tuple[float, float] = True

    @property
    def seed(self) -> int:
        """The cell's own seed, from the study's and its records: cells are independent of each other.

        Cells that differ in their start alone share it, so that their difference is the start's doing.
        """
        records = [plain(part) for part in (self.dynamics, self.landscape, self.noise, self.boundary)]
        return int(digest([self.ensemble.seed, *records])[:16], 16)

    @property
    def where(self) -> str:
        """The cell's place in its study, in words."""
        point = ", ".join(f"{path} = {value}" for path, value in self.point.items())
        return f"series '{self.series}'{' at ' + point if point else ''}"

    def identity(self) -> dict[str, Any]:
        """Everything that determines the result, apart from the source code, as plain JSON."""
        return {
            "measure": self.measure,
            "dynamics": plain(self.dynamics),
            "landscape": plain(self.landscape),
            "noise": plain(self.noise),
            "boundary": plain(self.boundary),
            "start": plain(self.start),
            "seed": self.seed,
            **({"users": self.users} if self.users else {}),
            "ensemble": self.ensemble.model_dump(
                mode="json",
                include={"particles", "max_steps", "start_momentum", "bridge", "noise_precision", "record_at", "bins"},
            ),
        }


def plain(value: Any) -> Any:
    """A record, array or number as JSON: records keep their class and field names."""
    if hasattr(value, "_fields"):
        fields = {name: plain(getattr(value, name)) for name in value._fields}
        return {"kind": f"{unmarked(type(value).__module__)}.{type(value).__qualname__}", **fields}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(entry) for entry in value] if isinstance(value, (tuple, list)) else value


def digest(content: Any) -> str:
    """A key for JSON content: 32 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def expand(name: str, study: StudyFile) -> list[Cell]:
    """All cells of a study, in the order of its series; raises InvalidInput with a line for all that is wrong with them."""
    cells, lines = expand_all(name, study)
    if lines:
        raise InvalidInput(*lines)
    return cells


def expand_all(name: str, study: StudyFile) -> tuple[list[Cell], list[str]]:
    """The cells that can be made, and what is wrong with the others: what several series share is said once."""
    cells: list[Cell] = []
    wrong: dict[str, list[str]] = {}
    with looking_in(study.folder, Path.cwd()):
        for series in study.series:
            try:
                cells += _expand_series(name, study, series)
            except InvalidInput as failure:
                for line in failure.lines:
                    wrong.setdefault(line, []).append(series.name)
    more = {line: f" and {len(series) - 1} more" if len(series) > 1 else "" for line, series in wrong.items()}
    return cells, [f"{name}: series '{series[0]}'{more[line]}: {line}" for line, series in wrong.items()]


def count_cells(name: str, study: StudyFile) -> int:
    """How many cells a study has, by its sweeps alone: no record is made."""
    count = 0
    for series in study.series:
        axes, wrong = _axes(series)
        if wrong:
            raise InvalidInput(*(f"{name}: series '{series.name}': {line}" for line in wrong))
        count += math.prod(map(len, axes))
    return count


def _expand_series(name: str, study: StudyFile, series: Series) -> list[Cell]:
    """The cells of one series: all of `across` at every step of `sweep`, all of `product` at every step of both."""
    base = {
        "dynamics": dict(series.dynamics),
        "landscape": series.landscape or dict(study.landscape),
        "noise": series.noise or dict(study.noise),
        "ensemble": {**study.ensemble, **series.ensemble},
    }
    points = _points(base, series)
    given = series.exact
    answers: list[Any] = [given] * len(points) if isinstance(given, bool) else [tuple(pair) for pair in given]
    if len(answers) != len(points):
        raise InvalidInput(f"exact lists {len(answers)} answers, and there are {len(points)} cells")
    simulate = study.simulate if series.simulate is None else series.simulate
    cells: list[Cell] = []
    wrong: list[str] = []
    for values, answer in zip(points, answers, strict=True):
        tables = copy.deepcopy(base)
        try:
            for path in sorted(values, key=lambda path: path.count(".")):  # a whole record before its fields
                _put(tables, path, values[path], series)
            point = {path: told(value) for path, value in values.items()}
            cell = make_cell(name, series.name, study.measure, tables, point)
            cells.append(dataclasses.replace(cell, simulate=simulate, exact=answer))
        except InvalidInput as failure:
            wrong += failure.lines
            if len(wrong) > _ENOUGH:
                break
    if wrong:
        raise InvalidInput(*dict.fromkeys(wrong))
    return cells


def _put(tables: dict[str, Any], path: str, value: Any, series: Series) -> None:
    try:
        put(tables, path, copy.deepcopy(value))
    except InvalidInput as failure:
        what = next(what for what in _SWEEPS if path in getattr(series, what))
        raise InvalidInput(f"{what}: {failure}") from None


_SWEEPS = ("sweep", "across", "product")
_ENOUGH = 100  # complaints about one series


def _points(base: dict[str, Any], series: Series) -> list[dict[str, Any]]:
    """The values of every cell by path, in the order of the cells."""
    axes, wrong = _axes(series)
    registered("dynamics")  # what there is, before paths are looked up in it
    known = list(paths_in(base))
    where = {path: what for what in _SWEEPS for path in getattr(series, what)}
    for path, what in where.items():
        try:
            check_path(path, known, where)
        except InvalidInput as failure:
            wrong.append(f"{what}: {failure}")
    if wrong:
        raise InvalidInput(*wrong)
    return [{path: value for part in parts for path, value in part.items()} for parts in itertools.product(*axes)]


def _axes(series: Series) -> tuple[list[list[dict[str, Any]]], list[str]]:
    """What advances together, step by step, for everything of which all combinations are cells; and what is wrong with it."""
    where: dict[str, str] = {}
    wrong: list[str] = []
    axes: list[list[dict[str, Any]]] = []
    for what in _SWEEPS:
        paths: dict[str, list[Any]] = getattr(series, what)
        for path in paths:
            if path in where:
                wrong.append(f"'{path}' is swept in {where[path]} and in {what}")
            where[path] = what
        if what == "product":
            axes += [[{path: value} for value in values] for path, values in paths.items()]
            continue
        lengths = {path: len(values) for path, values in paths.items()}
        if len(set(lengths.values())) > 1:
            wrong.append(f"{what}: its lists must be equally long, not {lengths}; product takes every combination")
        count = min(lengths.values(), default=1)  # without any path one point
        axes.append([{path: values[n] for path, values in paths.items()} for n in range(count)])
    if (count := math.prod(map(len, axes))) > _MOST_CELLS:
        wrong.append(f"it would have {count} cells, and may have {_MOST_CELLS}")
    return axes, wrong


_MOST_CELLS = 1_000_000


def told(value: Any) -> Any:
    """A swept value as tables show it: a record by its name and fields, anything else as it is."""
    if not isinstance(value, dict):
        return value
    fields = ", ".join(f"{field}={told(inner)}" for field, inner in value.items() if field != "kind")
    return f"{value.get('kind', '')}({fields})"


def make_cell(study: str, series: str, measure: str, tables: dict, point: dict) -> Cell:
    """Build the records of one cell and settle its start and boundary."""
    made: dict[str, Any] = {}
    wrong: list[str] = []
    for kind in ("dynamics", "landscape", "noise", "ensemble"):
        try:
            table = tables[kind]
            made[kind] = checked(Ensemble, table, kind) if kind == "ensemble" else build(kind, table)
        except InvalidInput as failure:
            wrong += failure.lines
    if wrong:
        raise InvalidInput(*wrong)
    dynamics, landscape, noise, ensemble = made.values()
    if measure != "escape" and not ensemble.record_at:
        wrong.append("ensemble.record_at is missing")
    if measure == "density" and ensemble.bins is None:
        wrong.append("ensemble.bins is missing")
    if wrong:
        raise InvalidInput(*wrong)
    start = _start(ensemble, landscape)
    boundary = _boundary(ensemble, landscape) if measure == "escape" else None
    users = users_sources(dynamics, landscape, noise, boundary)
    return Cell(study, series, point, measure, dynamics, landscape, noise, ensemble, start, boundary, users)


def build(kind: str, table: dict[str, Any]) -> Any:
    """A record from its table: `kind` names the class, the rest are its fields; tables inside are records too."""
    known = registered(kind)
    if "kind" not in table:
        raise InvalidInput(f"{kind}.kind is missing; it may be {', '.join(known)}, or module:Name for one of your own")
    name = table["kind"]
    if isinstance(name, str) and ":" in name:
        made = users_record(kind, name)
        if not isinstance(made, type) and len(table) > 1:
            raise InvalidInput(f"{kind}.kind '{name}' is a finished record and takes no fields")
    elif not isinstance(name, str) or name not in known:
        raise InvalidInput(unknown(f"{kind}.kind", name, list(known)))
    else:
        made = known[name]
    fields = {}
    for field, value in table.items():
        if field == "kind":
            continue
        inner = field if field in REGISTRY else kind
        fields[field] = build(inner, value) if isinstance(value, dict) else value
    return made(**fields) if callable(made) else made


def registered(kind: str) -> dict[str, Callable]:
    """What makes the package's records of a kind, by name; loads the modules that register them."""
    for name in sd.__all__:
        getattr(sd, name)
    ours = {name: made for name, made in REGISTRY[kind].items() if ":" not in name}
    return {**ours, **({"Expression": sd.Expression} if kind == "landscape" else {})}


@contextlib.contextmanager
def unless_found(advice: str) -> Iterator[None]:
    """Of a minimum or saddle that is not found, say what can be written in a study instead."""
    try:
        yield
    except NotFound as failure:
        raise InvalidInput(f"{failure.looked}; {advice}") from None


def _start(ensemble: Ensemble, landscape: Any) -> Any:
    with unless_found("give ensemble.start, one number per coordinate"):
        if ensemble.start == "minimum":
            return sd.minimum(landscape).tolist()
        if ensemble.start == "saddle":
            return sd.saddle(landscape).tolist()
    return ensemble.start


def _boundary(ensemble: Ensemble, landscape: Any) -> Any:
    if (ensemble.boundary is None) == (ensemble.exit is None):
        raise InvalidInput("ensemble needs either exit, a share of the way beyond the saddle, or a boundary")
    if ensemble.boundary is not None:
        return build("boundary", ensemble.boundary)
    assert ensemble.exit is not None
    with unless_found('give ensemble.boundary instead of exit, such as boundary = { kind = "Beyond", position = 1.0 }'):
        bottom, top = sd.minimum(landscape), sd.saddle(landscape)
    way = top - bottom
    if np.all(way[1:] == 0.0) and way[0] > 0.0:
        return sd.Beyond(float(top[0] + ensemble.exit * way[0]))
    return sd.plane_through_saddle(landscape, ensemble.exit * float(np.linalg.norm(way)))
