"""Running studies: cells computed or remembered, then references, verdicts, tables and figures."""

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import simdyn
from simdyn._sources import physics_fingerprint
from simdyn.model.records import InvalidInput
from simdyn.simulate.results import DivergenceWarning
from simdyn.study.cells import Cell, digest, expand
from simdyn.study.measure import measure
from simdyn.study.references import refer
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import StudyFile
from simdyn.study.side_by_side import SideBySide
from simdyn.study.store import Store, write_whole
from simdyn.study.verdicts import judge


@dataclass(frozen=True)
class Places:
    """Where results and figures go."""

    results: Path
    figures: Path


def plan(studies: dict[str, StudyFile]) -> dict[str, list[Cell]]:
    """The cells of every study, and a check of all that can be checked before anything runs."""
    from simdyn.study.rehearsal import check_study, check_tables

    cells = {}
    for name, study in studies.items():
        try:
            check_tables(study)
            cells[name] = expand(name, study)
            check_study(study, cells[name])
        except InvalidInput as failure:
            lines = (line.removeprefix(f"{name}: ") for line in failure.lines)
            raise InvalidInput(*(f"{name}: {line}" for line in lines)) from None
    return cells


def cell_key(cell: Cell) -> str:
    """The key of a cell's measurement: its records, seed, particles and so on, and the source that computes them."""
    return digest(
        {"physics": physics_fingerprint(), "estimate": _sources("estimate", "study/measure.py"), **cell.identity()}
    )


def reference_key(cell: Cell) -> str:
    """The key of what is known about a cell."""
    identity = cell.identity() | {
        "exit": cell.ensemble.exit,
        "exact": cell.exact,
        "physics": physics_fingerprint(),
        "theory": _sources("theory", "exact", "study/references.py"),
    }
    return digest({"reference": identity})


@cache
def _sources(*places: str) -> str:
    """Hash of source files and folders of the package."""
    digested = hashlib.sha256()
    for place in (Path(simdyn.__file__).parent / name for name in places):
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digested.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digested.hexdigest()[:16]


def run(
    studies: dict[str, StudyFile],
    places: Places,
    workers: int | None,
    report: Callable[[str, Any], None],
) -> list[StudyResult]:
    """Run studies, remembering every finished cell, and write their tables, verdicts and figures.

    `report(event, detail)` is told of: cells (how many in all), done (a cell, whether it was remembered), finished (a
    result). A cell that a kill interrupted is computed again; the others are not.
    """
    cells = plan(studies)
    store = open_store(places.results)
    report("cells", sum(len(found) for found in cells.values()))
    results = []
    with warnings.catch_warnings(), SideBySide(workers) as pool:
        warnings.simplefilter("ignore", DivergenceWarning)  # `measure` refuses what diverged
        # All at once, so that no thread waits for a study's end.
        measured = {name: [_measured(cell, store, pool) for cell in found] for name, found in cells.items()}
        for name, study in studies.items():
            result = StudyResult(name, study, _finish(cells[name], measured[name], store, report))
            result.verdicts = judge(result)
            write_results(result, places)
            report("finished", result)
            results.append(result)
    return results


def recall(studies: dict[str, StudyFile], places: Places) -> list[StudyResult]:
    """Studies from what is stored, without computing; raises InvalidInput when a cell is missing."""
    store = open_store(places.results)
    results = []
    for name, cells in plan(studies).items():
        result = StudyResult(name, studies[name], [_recall(cell, store) for cell in cells])
        result.verdicts = judge(result)
        results.append(result)
    return results


def open_store(results: Path) -> Store:
    """The cells kept in a folder of results."""
    return Store(results / "cells")


def _measured(cell: Cell, store: Store, pool: SideBySide) -> Future | None:
    """A cell's measurement, stored or to come, and whether it was made now; None for a cell that is not simulated."""

    def work(threads: int, look: Callable[[int, int], None]) -> tuple[Any, bool]:
        return _kept(cell, store, cell_key(cell), lambda cell: measure(cell, threads, look))

    return pool.submit(work) if cell.simulate else None


def _finish(
    cells: list[Cell], measured: list[Future | None], store: Store, report: Callable[[str, Any], None]
) -> list[Finished]:
    """The cells of a study with what was measured and their references, found or remembered."""
    # In their order, so that of several cells that fail it is always the first that is told.
    for cell, future in zip(cells, measured, strict=True):
        if future is not None:
            report("done", (cell, future.result()[1]))
    finished = []
    # From the end: a process that works ahead comes from the beginning.
    for cell, future in reversed(list(zip(cells, measured, strict=True))):
        found, fresh = _kept(cell, store, reference_key(cell), refer)
        finished.append(Finished(cell, _key(cell), future.result()[0] if future else found, found))
        if not cell.simulate:
            report("done", (cell, fresh))
    while store.damaged:
        report("damaged", store.damaged.pop())
    return finished[::-1]


def _recall(cell: Cell, store: Store) -> Finished:
    found = store.get(reference_key(cell))
    key = _key(cell)
    measured = store.get(key) if cell.simulate else found
    if measured is None or found is None:
        reason = "a stored cell is damaged" if store.damaged else "not all of it has run yet"
        raise InvalidInput(f"{cell.study}: {reason}; use simdyn run first")
    return Finished(cell, key, measured, found)


def _key(cell: Cell) -> str:
    return cell_key(cell) if cell.simulate else reference_key(cell)


def _kept(cell: Cell, store: Store, key: str, find: Callable[[Cell], Any]) -> tuple[Any, bool]:
    """What is stored under `key`, or found now and stored; and whether it was found now."""
    if (known := store.get(key)) is not None:
        return known, False
    try:
        found = find(cell)
        store.put(key, found)
    except (InvalidInput, MemoryError, ArithmeticError) as failure:
        point = ", ".join(f"{path} = {value}" for path, value in cell.point.items())
        reason = str(failure)
        if isinstance(failure, MemoryError):
            ensemble = cell.ensemble
            sizes = {"particles": ensemble.particles, "bins": ensemble.bins.bins if ensemble.bins else 0}
            reason = f"not enough memory: take fewer {max(sizes, key=lambda name: sizes[name])}"
        elif isinstance(failure, ArithmeticError):
            reason = f"too large or too small to compute with: {cell.dynamics}, {cell.landscape} or {cell.noise}"
        raise InvalidInput(f"{cell.study}: series '{cell.series}'{' at ' + point if point else ''}: {reason}") from None
    return found, True


def write_results(result: StudyResult, places: Places) -> None:
    """The study's CSV, its provenance and its figure."""
    from simdyn.study.figures import draw_study

    write_whole(places.results / f"{result.name}.csv", result.csv())
    write_whole(places.results / f"{result.name}.json", result.provenance())
    draw_study(result, places.figures)


def verdict_table(results: list[StudyResult]) -> str:
    """All verdicts as a Markdown table."""
    lines = ["| study | claim | verdict | numbers |", "|---|---|---|---|"]
    for result in results:
        for verdict in result.verdicts:
            said = "; ".join([verdict.numbers, *verdict.notes])
            row = (text.replace("|", r"\|") for text in (result.name, verdict.says, f"**{verdict.verdict}**", said))
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def room_on_disk(directory: Path) -> None:
    """Refuse to start where there is less than 20 MB left: nothing should stop half-way for want of it."""
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise InvalidInput(f"{directory}: {place} is a file, not a folder")
    free = shutil.disk_usage(place).free
    if free < 20e6:
        raise InvalidInput(f"{directory}: only {free / 1e6:.0f} MB are free on this disk, 20 MB are needed")
    if not os.access(place, os.W_OK):
        raise InvalidInput(f"{directory}: cannot be written")
