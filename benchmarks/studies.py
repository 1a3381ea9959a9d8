"""Whole studies through the command line, and where their time goes.

`python -m benchmarks.studies FILE FOLDER` is the child: it runs a study with clocks on its stages and prints them.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import fresh
from benchmarks.rounds import summary

STUDIES = {
    "forty cells, twelve optimizers": "benchmarks/optimizers.toml",
    "experiments/msd_growth": "experiments/msd_growth.toml",
}
STAGES = ("total", "compiling", "simulating", "theory and exact answers", "figure", "the rest")


def measure(repeats: int, say: Callable[[str], None]) -> dict:
    """Per study, with no kernel compiled and with all: seconds of `simdyn run` with an empty results folder, from the
    process's start to its end, and of its stages, (median, least, greatest)."""
    found: dict = {}
    for name, file in STUDIES.items():
        found[name] = {}
        with TemporaryDirectory(prefix="simdyn-study-") as cache:
            for case, times in (("cold", 1), ("warm", repeats)):
                runs = [_run(file, Path(cache)) for _ in range(times)]
                found[name][case] = {stage: summary([run[stage] for run in runs]) for stage in STAGES}
                say(f"  {name}, {case}: {found[name][case]['total'][0]:.1f} s")
    return found


def _run(file: str, cache: Path) -> dict[str, float]:
    with TemporaryDirectory(prefix="simdyn-results-") as folder:
        began = time.perf_counter()
        stages = fresh.answer(["-m", "benchmarks.studies", file, folder], cache)
        total = time.perf_counter() - began
    return {"total": total, **stages, "the rest": total - sum(stages.values())}


class Clock:
    """When functions were running."""

    def __init__(self) -> None:
        self.intervals: list[tuple[float, float]] = []

    def on(self, module: Any, name: str) -> None:
        """Put the clock on a module's function."""
        function = getattr(module, name)

        def clocked(*arguments: Any, **options: Any) -> Any:
            began = time.time()  # as Numba's events have it
            try:
                return function(*arguments, **options)
            finally:
                self.intervals.append((began, time.time()))

        setattr(module, name, clocked)


def overlap(these: list[tuple[float, float]], those: list[tuple[float, float]]) -> float:
    """Seconds in which both happen; the intervals of each list do not overlap each other."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in these for b in those)


def outermost(events: list[tuple[float, Any]]) -> list[tuple[float, float]]:
    """When Numba was compiling, from its events, which are nested."""
    intervals, depth, began = [], 0, 0.0
    for at, event in events:
        began = at if event.is_start and depth == 0 else began
        depth += 1 if event.is_start else -1
        if depth == 0:
            intervals.append((began, at))
    return intervals


def child(file: str, folder: str) -> dict[str, float]:
    from numba.core import event

    import simdyn.study.figures
    import simdyn.study.run
    from simdyn.cli import main

    simulating, answering, drawing = Clock(), Clock(), Clock()
    simulating.on(simdyn.study.run, "measure")
    answering.on(simdyn.study.run, "refer")
    drawing.on(simdyn.study.figures, "draw_study")
    with event.install_recorder("numba:compile") as recorder:
        options = ["--quiet", "--results", f"{folder}/results", "--figures", f"{folder}/figures"]
        main(["run", file, *options], standalone_mode=False)
    compiling = outermost(recorder.buffer)
    busy = {
        "simulating": simulating.intervals,
        "theory and exact answers": answering.intervals,
        "figure": drawing.intervals,
    }
    stages = {stage: overlap(when, [(0.0, float("inf"))]) - overlap(when, compiling) for stage, when in busy.items()}
    return {"compiling": overlap(compiling, [(0.0, float("inf"))]), **stages}


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))  # noqa: T201
