"""What a run says while it is under way: a bar on a terminal, elsewhere a line every so often and one per study."""

import sys
import threading
from collections.abc import Callable
from typing import Any

from simdyn.simulate.pace import Pace

TICK = 1.0  # seconds


class Progress:
    """Told by a run what happens (`report`), it says so on standard error; nothing when `quiet`."""

    def __init__(self, quiet: bool, say: Callable[[str], None]) -> None:
        self._quiet = quiet
        self._say = (lambda text: None) if quiet else say
        self._bar: Any = None
        self._total = 0
        self._simulated: Callable[[], float] = lambda: 0.0
        self._found = self._told = 0
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *failure: Any) -> None:
        self._ended.set()
        if self._ticker.is_alive():
            self._ticker.join()
        if self._bar is not None:
            self._bar.stop()

    def report(self, event: str, detail: Any) -> None:
        """What happens: see `run`."""
        if event == "cells":
            self._total, self._simulated = detail
            self._start()
        elif event == "done":
            self._told += 1
            self._found += not detail[0].simulate
            if self._bar is not None:
                self._bar.update(
                    self._bar.task_ids[0], completed=self._done(), description=f"{detail[0].study}: {detail[0].series}"
                )
        elif event == "finished":
            failures = detail.failures()
            line = ", ".join(f"{verdict.claim}: {verdict.verdict}" for verdict in detail.verdicts) or "no claims"
            line += f" ({len(failures)} failed)" if failures else ""
            text = f"[{self._told}/{self._total} cells] {detail.name} — {line}"
            if self._bar is not None:
                self._bar.console.print(text, highlight=False)
            else:
                self._say(text)
        elif event == "damaged":
            self._say(f"cell {detail} was damaged and has been computed again")
        elif event == "slow":
            self._say(f"simdyn: {detail}")

    def _start(self) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._bar.add_task("cells", total=self._total)
        self._ticker.start()

    def _done(self) -> float:
        return self._simulated() + self._found

    def _tick(self) -> None:
        pace = Pace()
        first = True
        while not self._ended.wait(TICK):
            done = self._done()
            if first:  # what was remembered is there by now
                pace.start_from(done / self._total)
                first = False
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=done)
            elif pace.due():
                self._say(self._line(done, pace))

    def _line(self, done: float, pace: Pace) -> str:
        if done >= self._total:
            return f"simdyn: {self._total} of {self._total} cells, formulas, exact answers and figures are left"
        return f"simdyn: {int(done)} of {self._total} cells{pace.left(done / self._total)}"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells, left"),
        TimeRemainingColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
