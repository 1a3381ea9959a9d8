"""A second process that works ahead of a run: it compiles the kernels and finds the references while the first simulates.

The two share nothing but what is kept on disk, the cells' store and the compiled kernels. Either may fill them and takes
what it finds there, so that the second process can fail or be killed at any moment and costs the run nothing but time.
"""

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from simdyn.study.cells import Cell, expand
from simdyn.study.files import find_studies
from simdyn.study.measure import measure
from simdyn.study.references import refer
from simdyn.study.run import Places, cell_key, keep, open_store, reference_key
from simdyn.study.schema import StudyFile
from simdyn.study.store import Store

_WORTH_IT = 5  # series: with fewer, the run is over before the second process is of use


@contextlib.contextmanager
def working_ahead(
    paths: Iterable[Path], studies: dict[str, StudyFile], places: Places, workers: int | None
) -> Iterator[None]:
    """Let a second process work ahead of a run of the studies at `paths`; not where the run is to keep to one processor."""
    series = sum(len(study.series) for study in studies.values())
    if series < _WORTH_IT or workers == 1 or (os.cpu_count() or 1) == 1 or not sys.executable:
        yield
        return
    command = [sys.executable, "-P", "-m", "simdyn.study.ahead", str(places.results), *map(str, paths)]
    unheard: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    second = subprocess.Popen(command, **unheard)
    try:
        yield
    finally:
        second.kill()
        second.communicate()


def work_ahead(cells: list[Cell], store: Store) -> None:
    """Compile the kernels of these cells, then find their references, leaving out what is there already."""
    series: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        series.setdefault((cell.study, cell.series), []).append(cell)
    # The first series is where the run itself begins.
    for found in list(series.values())[1:]:
        if found[0].simulate and any(store.get(cell_key(cell)) is None for cell in found):
            with _unless_refused():
                compile_for(found[0])
    for cell in cells:
        if store.get(key := reference_key(cell)) is None:
            with _unless_refused():
                keep(store, key, refer(cell))


def compile_for(cell: Cell) -> None:
    """Compile what a cell's simulation needs, by a simulation of one particle and one step; nothing if it cannot be kept."""
    if cell.users:
        return
    shortest = {"particles": 1, "max_steps": 1} | ({"record_at": [1]} if cell.ensemble.record_at else {})
    measure(dataclasses.replace(cell, ensemble=cell.ensemble.model_copy(update=shortest)), workers=1)


def _unless_refused() -> contextlib.AbstractContextManager:
    """What cannot be done here the run itself will meet, and say."""
    return contextlib.suppress(Exception)


def _end_with_the_run() -> None:
    sys.stdin.read()  # returns when the run has ended, however it ended
    os._exit(0)


def main() -> None:
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    results, *paths = map(Path, sys.argv[1:])
    studies = find_studies(paths)
    work_ahead([cell for name, study in studies.items() for cell in expand(name, study)], open_store(results))


if __name__ == "__main__":
    main()
