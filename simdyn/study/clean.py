"""What runs have left behind: files that a kill kept from being finished, and cells that no study knows any more."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simdyn.study.cells import expand
from simdyn.study.run import Places, cell_key, reference_key
from simdyn.study.schema import StudyFile
from simdyn.study.store import UNFINISHED

_STILL_WRITTEN = 600.0  # seconds: what is younger may be of a run under way


class Leftover(NamedTuple):
    """A file that nothing needs, its bytes, and what it is."""

    path: Path
    size: int
    what: str


def leftovers(studies: dict[str, StudyFile], places: Places) -> list[Leftover]:
    """The unfinished files in the places, and the stored cells of none of these studies, as they are now: an edited study or
    another version of simdyn has cells of its own. What is younger than ten minutes is left alone."""
    known = {
        key(cell)
        for name, study in studies.items()
        for cell in expand(name, study)
        for key in (cell_key, reference_key)
    }
    found = [
        Leftover(path, size, "unfinished, of a run that was killed")
        for place in dict.fromkeys((places.results, places.figures))
        for path, size in _old_files(place, f"{UNFINISHED}*")
    ]
    orphans = ((path, size) for path, size in _old_files(places.results / "cells", "*.json") if path.stem not in known)
    return found + [Leftover(path, size, "a cell of none of the studies") for path, size in orphans]


def _old_files(place: Path, pattern: str) -> Iterator[tuple[Path, int]]:
    for path in sorted(place.rglob(pattern)):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if path.is_file() and time.time() - status.st_mtime > _STILL_WRITTEN:
                yield path, status.st_size


def free(found: list[Leftover]) -> None:
    """Delete them, and folders of cells that are empty then."""
    for leftover in found:
        leftover.path.unlink(missing_ok=True)
        if leftover.path.parent.parent.name == "cells":
            with contextlib.suppress(OSError):  # not empty
                leftover.path.parent.rmdir()
