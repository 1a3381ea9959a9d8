"""Particles that wait for a lane: how they are given out to the workers, each of which asks when its own queue is dry."""

import threading

import numpy as np

from simdyn.simulate.engine import ALIVE, END, HUNGRY, NEXT, PAIRS


class Portions:
    """Given out in shrinking portions, so that all workers end together."""

    def __init__(self, particles: int, workers: int, width: int) -> None:
        self._next, self._end = 0, particles
        self._workers, self._width = workers, width
        self._lock = threading.Lock()

    def refill(self, numbers: np.ndarray) -> None:
        """Give a worker whose queue (see `engine.Queue`) is dry its next particles, and say whether there will be more."""
        with self._lock:
            if numbers[NEXT] == numbers[END] and self._next < self._end:
                left = self._end - self._next
                share = min(left, max(self._width // 2, -(-left // (2 * self._workers))))
                numbers[NEXT], numbers[END] = self._next, self._next + share
                self._next += share
            numbers[HUNGRY] = self._next < self._end


class Cohorts:
    """Particles of a method whose coefficients change with their own step: given out by lanefuls of about the same size, each
    when the last of the one before has left, so that all lanes of a worker are of one age."""

    def __init__(self, particles: int, workers: int, width: int) -> None:
        count = -(-particles // (width * workers)) * workers
        self._left = [(n * particles // count, (n + 1) * particles // count) for n in reversed(range(count))]
        self._lock = threading.Lock()

    def refill(self, numbers: np.ndarray) -> None:
        """Give a worker whose lanes are empty its next particles, at the pair 0."""
        with self._lock:
            if numbers[ALIVE] == 0 and numbers[NEXT] == numbers[END] and self._left:
                numbers[NEXT], numbers[END] = self._left.pop()
                numbers[PAIRS] = 0
