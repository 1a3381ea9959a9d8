"""What is said of work under way where there is no terminal to draw a bar on: a line every so often, with the time left."""

import time
from collections.abc import Callable

FIRST = 10.0  # seconds until the first line
_RARER = 1.5  # each wait is so many times the one before
_LONGEST = 600.0


class Pace:
    """When the next line is due, and how long the rest takes at the speed so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._wait = FIRST
        self._next = self._began + FIRST
        self._had = 0.0

    def start_from(self, share: float) -> None:
        """Count from now, with this share of the work done without work: it was remembered."""
        self._began, self._had = self._clock(), share

    def due(self) -> bool:
        """Whether a line is due now; then the next one is later, by more than this one was."""
        now = self._clock()
        if now < self._next:
            return False
        self._wait = min(_RARER * self._wait, _LONGEST)
        self._next = now + self._wait
        return True

    def left(self, share: float) -> str:
        """The time left in words, by the share of the work that is done; empty where nothing is done or left."""
        took, done = self._clock() - self._began, share - self._had
        if done <= 0.0 or share >= 1.0:
            return ""
        return f", about {duration(took * (1.0 - share) / done)} left"


def duration(seconds: float) -> str:
    """A time in the unit that fits it: 40 s, 12 min, 3.4 h, 2.1 days."""
    for unit, size, digits in (("s", 1.0, 0), ("min", 60.0, 0), ("h", 3600.0, 1)):
        if seconds < 100.0 * size and seconds < 172_800.0:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86_400.0:.3g} days"
