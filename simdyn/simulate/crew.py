"""Threads, progress and interruption, apart from what is simulated."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from simdyn.simulate.pace import Pace

_SHOW_AFTER = 1.5  # seconds
_SLICE = 0.05  # seconds a kernel should run before Python gets a look in


class Budget:
    """How much work to give a kernel so that it returns about every twentieth of a second.

    It grows after calls that used it up alone: others say nothing of how long it would have taken.
    """

    def __init__(self, size: int = 64) -> None:
        self.size, self.used_up = size, True
        self._began = 0.0
        self._warm = False

    def __enter__(self) -> int:
        self._began = time.perf_counter()
        return self.size

    def __exit__(self, *failure: Any) -> None:
        took = time.perf_counter() - self._began
        if self._warm:  # the first call may have compiled
            factor = 2.0 if took < _SLICE / 2.0 else _SLICE / took
            if self.used_up or factor < 1.0:
                self.size = max(1, min(int(self.size * factor), 2**40))
        self._warm = True


def run_crew(
    work: Callable[[Callable[[], bool]], None],
    workers: int,
    done: Callable[[], int],
    total: int,
    progress: Any,
) -> None:
    """Run `work(stopped)` in `workers` threads until all return, reporting `done()` of `total`.

    A failure or Ctrl-C in one place stops them all: each looks at `stopped()` whenever its kernel returns. One worker is the
    caller itself, since a thread takes a quarter of the time of a small ensemble.
    """
    stop = threading.Event()
    report = _reporter(progress, total)

    def look() -> bool:
        report(done())
        return False

    try:
        if workers == 1:
            work(look)
            report(done())
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="simdyn") as pool:
            try:
                running = {pool.submit(work, stop.is_set) for _ in range(workers)}
                while running:
                    finished, running = wait(running, timeout=0.1, return_when="FIRST_EXCEPTION")
                    for future in finished:
                        future.result()
                    report(done())
            finally:
                stop.set()
    finally:
        report(None)


def _reporter(progress: Any, total: int) -> Callable[[int | None], None]:
    """None: a bar on the terminal once it takes long, off a terminal a line every so often; False: nothing; a function: called
    with (done, total)."""
    if callable(progress):
        return lambda done: None if done is None else progress(done, total)
    if progress is False or sys.stderr is None:
        return lambda done: None
    if not sys.stderr.isatty():
        return _lines(total)
    began = time.perf_counter()
    bars: list[Any] = []

    def report(done: int | None) -> None:
        if done is None:
            for bar in bars:
                bar.stop()
            return
        if not bars and time.perf_counter() - began > _SHOW_AFTER:
            from rich.console import Console
            from rich.progress import Progress

            bars.append(Progress(console=Console(stderr=True), transient=True))
            bars[0].start()
            bars[0].add_task("particles", total=total)
        if bars:
            bars[0].update(bars[0].task_ids[0], completed=done)

    return report


def _lines(total: int) -> Callable[[int | None], None]:
    pace = Pace()

    def report(done: int | None) -> None:
        if done is not None and pace.due():
            sys.stderr.write(f"simdyn: {done} of {total} particles{pace.left(done / total)}\n")
            sys.stderr.flush()

    return report
