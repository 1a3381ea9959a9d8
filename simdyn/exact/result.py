"""What an exact method answers: a number and how far off it may be."""

import math
from typing import Any, NamedTuple


class _ValueAndError(NamedTuple):
    value: float
    error: float


class Exact(_ValueAndError):
    """value, and error: an estimate of its absolute numerical error, from refining the computation.

    log10: of the value; relative_error: error over value. Where the value exceeds the largest double, value and error are
    inf, and log10 and relative_error say what is known: log10 is off by relative_error/ln 10. As a tuple (value, error).

    >>> float(Exact(2.0, 1e-12))
    2.0
    >>> Exact(math.inf, math.inf, 868.59, 1e-9)
    Exact(log10=868.59, relative_error=1e-09)
    """

    log10: float
    relative_error: float

    def __new__(
        cls, value: float, error: float, log10: float | None = None, relative_error: float | None = None
    ) -> "Exact":
        found = super().__new__(cls, value, error)
        if log10 is None:
            log10 = math.log10(value) if value > 0.0 else math.nan
        if relative_error is None:
            relative_error = error / abs(value) if value else math.inf
        found.log10, found.relative_error = float(log10), float(relative_error)
        return found

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        if math.isinf(self.value):
            return f"Exact(log10={self.log10!r}, relative_error={self.relative_error:.3g})"
        return f"Exact(value={float(self.value)!r}, error={float(self.error):.3g})"

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, other) and (not isinstance(other, Exact) or self.log10 == other.log10)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def _replace(self, **changes: Any) -> "Exact":
        return Exact(**{**self._asdict(), **changes})


def scaled(value: float, lift: float, relative_error: float) -> Exact:
    """value e^lift to a relative error, as a double where there is one."""
    log10 = (math.log(value) + lift) / math.log(10.0)
    whole = value * math.exp(lift) if lift < 700.0 else math.inf
    if math.isinf(whole):
        return Exact(math.inf, math.inf, log10, relative_error)
    return Exact(whole, relative_error * whole)
