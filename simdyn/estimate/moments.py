"""Mean squared displacements and their errors, from running sums."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simdyn.estimate._arguments import FloatArray, array
from simdyn.estimate.intervals import normal_quantile


class MeanSquare(NamedTuple):
    """Mean squares with standard errors and limits: arrays of one shape, such as (records, d)."""

    value: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    level: float


def msd_from_moments(count: ArrayLike, sum_square: ArrayLike, sum_fourth: ArrayLike, level: float = 0.95) -> MeanSquare:
    """Mean squared displacement from sums over particles of the second and fourth powers.

        value = S2 / n,      standard_error^2 = (S4 / n - value^2) / (n - 1)

    sum_square, sum_fourth: sums of x^2 and x^4, any shape, such as (records, d); count: the number n >= 2 of
    particles in each sum, a number or an array that broadcasts against them. The results keep that shape;
    squares of the displacement's unit. low and high: value -+ z standard_error, not cut at zero.

    Validity: independent particles, finite eighth moments and n large enough for a normal interval. Shares of 95 %
    intervals that covered:

    ======================  ======  =======  ========
    law of x                n = 20  n = 100  n = 1000
    ======================  ======  =======  ========
    normal                  .87     .935     .95
    Laplace                 .80     .90      .945
    Student, 5 degrees      .79     .865     .92
    Student, 3 degrees      .61     .70      .77
    ======================  ======  =======  ========

    The last has no fourth moment: no number of particles gives its mean square an error.

    Raises ValueError: shapes that differ, count < 2, a sum negative or not finite, or n S4 < S2^2, which no
    numbers have.

    >>> print(msd_from_moments(4, [[10.0]], [[34.0]]).value)
    [[2.5]]
    """
    quantile = normal_quantile(level)
    number = array("count", count)
    square, fourth = array("sum_square", sum_square), array("sum_fourth", sum_fourth)
    if square.shape != fourth.shape:
        raise ValueError(f"sum_fourth must have the shape of sum_square, {square.shape}, not {fourth.shape}")
    if (number < 2).any():
        raise ValueError("count must be at least 2")
    if (square < 0.0).any() or (fourth < 0.0).any():
        raise ValueError("sum_square and sum_fourth must not be negative")
    try:
        number = np.broadcast_to(number, square.shape)
    except ValueError as error:
        raise ValueError(f"count of shape {number.shape} does not fit shape {square.shape}") from error
    value = square / number
    variance = fourth / number - value**2
    if (variance < -1e-9 * value**2).any():
        raise ValueError("sum_fourth is too small for sum_square: sums of different numbers of particles?")
    error_of_mean = np.sqrt(np.maximum(variance, 0.0) / (number - 1))
    return MeanSquare(value, error_of_mean, value - quantile * error_of_mean, value + quantile * error_of_mean, level)


def mean_square(displacements: ArrayLike, level: float = 0.95) -> MeanSquare:
    """Mean square over the first axis (particles); see `msd_from_moments`.

    displacements: (particles, ...), at least two particles; the result has the remaining shape.

    >>> mean_square([[1.0], [-1.0], [2.0], [-2.0]]).value
    array([2.5])
    """
    moved = array("displacements", displacements)
    if moved.ndim == 0:
        raise ValueError("displacements must have an axis of particles")
    return msd_from_moments(len(moved), np.sum(moved**2, axis=0), np.sum(moved**4, axis=0), level)
