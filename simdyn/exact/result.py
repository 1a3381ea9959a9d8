"""What an exact method answers: a number and how far off it may be."""

from typing import NamedTuple


class Exact(NamedTuple):
    """value, and error: an estimate of its absolute numerical error, from refining the computation.

    >>> float(Exact(2.0, 1e-12))
    2.0
    """

    value: float
    error: float

    def __float__(self) -> float:
        return float(self.value)
