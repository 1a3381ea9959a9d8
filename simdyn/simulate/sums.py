"""Sums over particles whose rounding does not depend on who is done first, nor on how many are summed at once."""

import threading

import numpy as np


def sum_of_tree(sums: np.ndarray) -> np.ndarray:
    """Over the first axis, a power of two long, by pairs of neighbours."""
    with np.errstate(all="ignore"):
        while len(sums) > 1:
            sums = sums[0::2] + sums[1::2]
    return sums[0]


class TreeSum:
    """Adds the batches' sums in pairs of neighbours, so that the result does not depend on who finishes first or on the
    width of a batch, and only a few are held at a time."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], np.ndarray] = {}
        self._lock = threading.Lock()

    def add(self, batch: int, sums: np.ndarray) -> None:
        with self._lock:
            level = 0
            with np.errstate(all="ignore"):
                while (level, batch ^ 1) in self._held:
                    sums = sums + self._held.pop((level, batch ^ 1))
                    level, batch = level + 1, batch >> 1
            self._held[level, batch] = sums

    def value(self) -> np.ndarray:
        # What is left has no neighbour; lower levels are further right.
        total = None
        with np.errstate(all="ignore"):
            for key in sorted(self._held):
                total = self._held[key] if total is None else self._held[key] + total
        assert total is not None
        return total
