"""Cells simulated side by side, each by one thread while there are enough of them.

An ensemble that is not split keeps its lanes busy for longer, a kernel that is compiled or a cell that ends leaves the other
threads at work, and tables and figures are made beside the simulations. What is simulated does not depend on any of it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from simdyn.simulate.setup import choose_workers

Found = TypeVar("Found")
Work = Callable[[int, Callable[[int, int], None]], Found]


class Stopped(Exception):
    """The run has ended, by failure or interruption, before this cell was done."""


class SideBySide:
    """A pool of `workers` threads, by default one per processor, for work that is told how many threads it may take itself
    and is to call what it is given now and then, as a simulation does its progress: that ends it when the pool is left.
    """

    def __init__(self, workers: int | None) -> None:
        self._count = choose_workers(workers, 2**31)
        self._waiting = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._finished = 0
        self._shares: dict[int, float] = {}
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="cells")

    def __enter__(self) -> "SideBySide":
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, work: Work) -> Future:
        """Do `work(threads, look)` when its turn comes, in the order of submission."""
        with self._lock:
            self._waiting += 1
        return self._pool.submit(self._do, work)

    def done(self) -> float:
        """How much of the work is done, in units of what was submitted, what is under way by its share."""
        with self._lock:
            return self._finished + sum(self._shares.values())

    def _do(self, work: Work) -> Any:
        with self._lock:
            threads = self._count // min(self._count, self._waiting)  # the last few share what there is
            self._waiting -= 1
        me = threading.get_ident()

        def look(done: int = 0, total: int = 1) -> None:
            with self._lock:
                self._shares[me] = done / total
            if self._stop.is_set():
                raise Stopped

        try:
            look()
            return work(threads, look)
        finally:
            with self._lock:
                self._finished += 1
                self._shares.pop(me, None)
