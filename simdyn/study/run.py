"""Running studies: cells computed or remembered, then references, verdicts, tables and figures."""

import functools
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
from simdyn.estimate import NotExponentialWarning
from simdyn.model.records import InvalidInput
from simdyn.simulate.results import DivergenceWarning
from simdyn.study.cells import Cell, digest, expand
from simdyn.study.forecast import forecast
from simdyn.study.measure import measure
from simdyn.study.origin import origin
from simdyn.study.references import formula_alone, refer
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import StudyFile
from simdyn.study.side_by_side import SideBySide, Stopped
from simdyn.study.store import Store, write_whole
from simdyn.study.users import code_of
from simdyn.study.verdicts import judge


@dataclass(frozen=True)
class Places:
    """Where results and figures go."""

    results: Path
    figures: Path


class CellFailed(Exception):
    """A cell that gives no numbers, with the reason; its cause is what was raised."""


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
    fail_fast: bool = False,
) -> list[StudyResult]:
    """Run studies, remembering every finished cell, and write their tables, verdicts and figures.

    `report(event, detail)` is told of: slow (a line of warning about a study that may not end), cells (how many in all, and a
    function that tells how many are simulated, shares of cells included), done (a cell, whether it is made now and was not
    remembered), finished (a result), damaged (the key of a cell that was computed again).

    A cell that a kill interrupted is computed again; the others are not.

    A cell that fails is marked and left out, a claim that needs it is undecided, and the rest goes on
    (`StudyResult.failures`); with `fail_fast` the first failure ends the run, as InvalidInput.
    """
    cells = plan(studies)
    store = open_store(places.results)
    for found in cells.values():
        missing = [cell for cell in found if cell.simulate and cell_key(cell) not in store]
        if line := forecast(missing, workers):
            report("slow", line)
    results = []
    with warnings.catch_warnings(), SideBySide(workers) as pool:
        warnings.simplefilter("ignore", DivergenceWarning)  # `measure` refuses what diverged
        warnings.simplefilter("ignore", NotExponentialWarning)  # `measure` keeps it, and verdicts note it
        report("cells", (sum(len(found) for found in cells.values()), pool.done))
        # All at once, so that no thread waits for a study's end.
        measured = {name: [_measured(cell, store, pool) for cell in found] for name, found in cells.items()}
        for name, study in studies.items():
            result = StudyResult(name, study, _finish(cells[name], measured[name], store, report, fail_fast))
            result.verdicts = judge(result)
            if not (fail_fast and result.failures()):
                write_results(result, places)
            if fail_fast and (failures := result.failures()):
                raise InvalidInput(failures[0])
            report("finished", result)
            results.append(result)
    return results


def refuse_code(studies: dict[str, StudyFile], why: str) -> None:
    """Refuse studies that name code of a user's own, in one line that says which and `why`."""
    for name, study in studies.items():
        if code := code_of(study):
            raise InvalidInput(f"{name}: it names code of its own, {', '.join(map(str, code.values()))}: {why}")


def recall(studies: dict[str, StudyFile], places: Places) -> list[StudyResult]:
    """Studies from what is stored, without computing: those of which a cell is there, the missing ones marked.

    Runs the code of a user's own that a study names. Raises InvalidInput when there is no such study.
    """
    store = open_store(places.results)
    results = []
    for name, cells in plan(studies).items():
        found = [_recall(cell, store) for cell in cells]
        if all(done.failed == NOT_RUN for done in found):
            continue
        result = StudyResult(name, studies[name], found)
        result.verdicts = judge(result)
        results.append(result)
    if not results:
        raise InvalidInput(f"{', '.join(studies)}: nothing of it has run yet; use simdyn run first")
    return results


NOT_RUN = "it has not run yet, or failed; simdyn run says"


def open_store(results: Path) -> Store:
    """The cells kept in a folder of results."""
    return Store(results / "cells")


def _measured(cell: Cell, store: Store, pool: SideBySide) -> Future | None:
    """A cell's measurement, stored or to come, and whether it was made now; None for a cell that is not simulated."""

    def work(threads: int, look: Callable[[int, int], None]) -> tuple[Any, bool]:
        return _kept(cell, store, cell_key(cell), lambda cell: measure(cell, threads, look))

    return pool.submit(work) if cell.simulate else None


def _finish(
    cells: list[Cell],
    measured: list[Future | None],
    store: Store,
    report: Callable[[str, Any], None],
    fail_fast: bool,
) -> list[Finished]:
    """The cells of a study with what was measured and their references, found or remembered."""
    found: list[tuple[dict[str, Any], str]] = []
    # In their order, so that of several cells that fail it is always the first that is told.
    for cell, future in zip(cells, measured, strict=True):
        content, fresh, failed = _unless_failed(cell, fail_fast, future.result) if future else ({}, False, "")
        found.append((content, failed))
        if future is not None:
            report("done", (cell, fresh))
    finished = []
    # From the end: a process that works ahead comes from the beginning.
    for cell, (content, failed) in reversed(list(zip(cells, found, strict=True))):
        known, fresh = dict[str, Any](), False
        if not failed:
            known, fresh, failed = _unless_failed(cell, fail_fast, functools.partial(_refer, cell, store))
        finished.append(Finished(cell, _key(cell), content if cell.simulate else known, known, failed))
        if not cell.simulate:
            report("done", (cell, fresh))
    while store.damaged:
        report("damaged", store.damaged.pop())
    return finished[::-1]


def _refer(cell: Cell, store: Store) -> tuple[dict[str, Any], bool]:
    return _kept(cell, store, reference_key(cell), refer)


def _unless_failed(
    cell: Cell, fail_fast: bool, find: Callable[[], tuple[dict[str, Any], bool]]
) -> tuple[dict[str, Any], bool, str]:
    """What is found, whether just now, and an empty reason; or nothing and why it failed."""
    try:
        return (*find(), "")
    except CellFailed as failure:
        if not fail_fast:
            return {}, True, str(failure)
        if isinstance(failure.__cause__, _TOLD):
            raise InvalidInput(f"{cell.study}: {cell.where}: {failure}") from None
        raise failure.__cause__ or failure from None


def _recall(cell: Cell, store: Store) -> Finished:
    key, before = _key(cell), len(store.damaged)
    known = store.get(reference_key(cell))
    measured = store.get(key) if cell.simulate else known
    if known is None and measured is not None and len(store.damaged) == before:
        known = formula_alone(cell)  # of a run that was ended before it came to exact answers
    failed = "" if None not in (measured, known) else NOT_RUN if len(store.damaged) == before else DAMAGED
    return Finished(cell, key, measured or {}, known or {}, failed)


DAMAGED = "what is stored of it is damaged; simdyn run computes it again"


def _key(cell: Cell) -> str:
    return cell_key(cell) if cell.simulate else reference_key(cell)


def _kept(cell: Cell, store: Store, key: str, find: Callable[[Cell], Any]) -> tuple[Any, bool]:
    """What is stored under `key`, or found now and stored; and whether it was found now."""
    if (known := store.get(key)) is not None:
        return known, False
    try:
        found = find(cell)
    except Stopped:
        raise
    except Exception as failure:
        raise CellFailed(_reason(cell, failure)) from failure
    try:
        return keep(store, key, found), True
    except InvalidInput as failure:  # nothing else can be kept either
        raise InvalidInput(f"{cell.study}: {cell.where}: {failure}") from None


def keep(store: Store, key: str, found: dict[str, Any]) -> dict[str, Any]:
    """Store what was found, with who made it."""
    found = {**found, "made": origin()}
    store.put(key, found)
    return found


_TOLD = (InvalidInput, MemoryError, ArithmeticError)  # failures that are the request's, not the program's


def _reason(cell: Cell, failure: Exception) -> str:
    """Why a cell failed, in one line."""
    if isinstance(failure, MemoryError):
        ensemble = cell.ensemble
        sizes = {"particles": ensemble.particles, "bins": ensemble.bins.bins if ensemble.bins else 0}
        sizes["records"] = len(ensemble.record_at or ())
        return f"not enough memory: take fewer {max(sizes, key=lambda name: sizes[name])}"
    if isinstance(failure, ArithmeticError):
        return f"too large or too small to compute with: {cell.dynamics}, {cell.landscape} or {cell.noise}"
    told = isinstance(failure, InvalidInput)
    return " ".join(f"{'' if told else f'internal error: {type(failure).__name__}: '}{failure}".split())


def write_results(result: StudyResult, places: Places) -> None:
    """The study's CSV and its figure, and last its provenance, which tells what has become of them."""
    from simdyn.study import figures

    write_whole(places.results / f"{result.name}.csv", result.csv())
    try:
        figures.draw_study(result, places.figures)
    except figures.NotDrawn as failure:
        result.troubles.append(str(failure))
    write_whole(places.results / f"{result.name}.json", result.provenance())


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
