"""From a study file to cells: one simulation each, with everything that determines it."""

import contextlib
import copy
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import simdyn as sd
from simdyn.model.geometry import NotFound
from simdyn.model.records import REGISTRY, InvalidInput, unknown
from simdyn.study.modules import unmarked
from simdyn.study.schema import Ensemble, StudyFile, checked
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
    """All cells of a study, in the order of its series; raises InvalidInput naming what is wrong where."""
    with looking_in(study.folder, Path.cwd()):
        return [cell for series in study.series for cell in _expand_series(name, study, series)]


def count_cells(name: str, study: StudyFile) -> int:
    """How many cells a study has, by its sweeps alone: no record is made."""
    return sum(len(_points(f"{name}: series '{series.name}'", series)) for series in study.series)


def _expand_series(name: str, study: StudyFile, series: Any) -> Iterator[Cell]:
    where = f"{name}: series '{series.name}'"
    points = _points(where, series)
    base = {
        "dynamics": dict(series.dynamics),
        "landscape": series.landscape or dict(study.landscape),
        "noise": series.noise or dict(study.noise),
        "ensemble": {**study.ensemble, **series.ensemble},
    }
    given = series.exact
    answers: list[Any] = [given] * len(points) if isinstance(given, bool) else [tuple(pair) for pair in given]
    if len(answers) != len(points):
        raise InvalidInput(f"{where}: exact lists {len(answers)} answers, and there are {len(points)} cells")
    for (first, second), answer in zip(points, answers, strict=True):
        tables, point = copy.deepcopy(base), {**first, **second}
        for path, value in point.items():
            put(tables, path, value, f"{where}: {'sweep' if path in first else 'across'}")
        cell = make_cell(name, series.name, study.measure, tables, point, where)
        simulate = study.simulate if series.simulate is None else series.simulate
        yield dataclasses.replace(cell, simulate=simulate, exact=answer)


def _points(where: str, series: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What every cell of a series takes from its sweep, and what from across."""
    if twice := set(series.sweep) & set(series.across):
        raise InvalidInput(f"{where}: '{min(twice)}' is swept in sweep and in across")
    swept = (_advance(where, "sweep", series.sweep), _advance(where, "across", series.across))
    return list(itertools.product(*swept))


def _advance(where: str, what: str, paths: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The values of several paths that advance together, point by point; one point without any where nothing is swept."""
    lengths = {path: len(values) for path, values in paths.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInput(f"{where}: {what}: its lists must be equally long, not {lengths}")
    count = next(iter(lengths.values()), 1)
    return [{path: values[n] for path, values in paths.items()} for n in range(count)]


def put(tables: dict[str, Any], path: str, value: Any, where: str) -> None:
    """Set the field at a dotted path, the entry of a list by its number; the tables on the way must exist."""
    *parents, field = path.split(".")
    table: Any = tables
    for parent in parents:
        entries = table.get(parent)
        if not isinstance(entries, dict) and not (isinstance(entries, list) and parent == parents[-1]):
            raise InvalidInput(f"{where}: {unknown('path', path, [f'{key}.…' for key in tables])}")
        table = entries
    if not parents:
        raise InvalidInput(f"{where}: path '{path}' must name a field, such as {path}.learning_rate")
    if not isinstance(table, list):
        table[field] = value
    elif field.isdecimal() and int(field) < len(table):
        table[int(field)] = value
    else:
        raise InvalidInput(f"{where}: path '{path}' must end in the number of an entry, 0 to {len(table) - 1}")


def make_cell(study: str, series: str, measure: str, tables: dict, point: dict, where: str) -> Cell:
    """Build the records of one cell and settle its start and boundary."""
    try:
        dynamics, landscape, noise = (build(kind, tables[kind]) for kind in ("dynamics", "landscape", "noise"))
        ensemble: Ensemble = checked(Ensemble, tables["ensemble"], "ensemble")
        start = _start(ensemble, landscape)
        boundary = _boundary(ensemble, landscape) if measure == "escape" else None
        if measure != "escape" and not ensemble.record_at:
            raise InvalidInput("ensemble.record_at is missing")
        if measure == "density" and ensemble.bins is None:
            raise InvalidInput("ensemble.bins is missing")
        users = users_sources(dynamics, landscape, noise, boundary)
    except InvalidInput as failure:
        raise InvalidInput(f"{where}: {failure}") from None
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
