"""A number and how far it can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import ndtri

from simdyn.estimate._arguments import check_level, finite_number


class Estimate(NamedTuple):
    """A value with the interval [low, high] that covers the truth with probability `level`.

    The interval need not be symmetric, and `high` may be infinite (no event was seen).

    >>> print(Estimate(2750.52, 2720.14, 2781.21, 0.95))
    2750.5 [2720.1, 2781.2] (95 %)
    """

    value: float
    low: float
    high: float
    level: float

    @property
    def half_width(self) -> float:
        """Half the length of the interval, in the unit of the value."""
        return 0.5 * (self.high - self.low)

    @property
    def standard_error(self) -> float:
        """Half width over the normal quantile of the level; an effective one if not normal."""
        return self.half_width / normal_quantile(self.level)

    def contains(self, number: float) -> bool:
        """Whether `number` lies in the interval, its ends included."""
        return self.low <= number <= self.high

    def relative_to(self, reference: float) -> Estimate:
        """This estimate in units of `reference`, a positive number (ValueError otherwise)."""
        unit = finite_number("reference", reference, positive=True)
        return Estimate(self.value / unit, self.low / unit, self.high / unit, self.level)

    def log(self) -> Estimate:
        """The estimate of the logarithm: a monotone change of variable keeps the coverage.

        ValueError unless the whole interval is positive.

        >>> print(Estimate(1.0, 0.5, 2.0, 0.95).log())
        0.000 [-0.693, 0.693] (95 %)
        """
        if not self.low > 0.0:
            raise ValueError(f"the logarithm needs an interval above zero, not one from {self.low!r}")
        return Estimate(math.log(self.value), math.log(self.low), math.log(self.high), self.level)

    def __str__(self) -> str:
        value, low, high = (_digits(number, self) for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}] ({100.0 * self.level:g} %)"


def _digits(number: float, estimate: Estimate) -> str:
    """`number` to three significant digits of the interval's half width."""
    half_width = estimate.half_width
    if not (math.isfinite(half_width) and half_width > 0.0 and math.isfinite(number)):
        return f"{number:.6g}"
    decimals = 2 - math.floor(math.log10(half_width))
    size = max(abs(estimate.value), half_width)
    if 1e-4 <= size < 1e7:
        return f"{number:.{max(decimals, 0)}f}"
    return f"{number:.{max(decimals + math.floor(math.log10(size)), 0)}e}"


def normal_quantile(level: float) -> float:
    """z with P(|Z| <= z) = level for a standard normal Z.

    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    check_level(level)
    return float(ndtri(0.5 * (1.0 + level)))


def normal_interval(value: float, standard_error: float, level: float) -> Estimate:
    """value +- z standard_error, z the normal quantile of `level`."""
    reach = normal_quantile(level) * float(standard_error)
    return Estimate(float(value), float(value) - reach, float(value) + reach, level)


def relative_deviation(estimate: Estimate, reference: float) -> Estimate:
    """How far an estimate lies from a reference, as a share of the reference: value/reference - 1.

    `reference` is taken as exact; it may be negative (a slope) but not zero (ValueError).

    >>> print(relative_deviation(Estimate(11.0, 10.5, 11.5, 0.95), 10.0))
    0.1000 [0.0500, 0.1500] (95 %)
    """
    unit = finite_number("reference", reference)
    if unit == 0.0:
        raise ValueError("reference must not be zero")
    ends = sorted((estimate.low / unit - 1.0, estimate.high / unit - 1.0))
    return Estimate(estimate.value / unit - 1.0, ends[0], ends[1], estimate.level)
