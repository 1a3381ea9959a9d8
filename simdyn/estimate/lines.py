"""Straight lines through points with known errors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simdyn.estimate._arguments import FloatArray, vector
from simdyn.estimate.intervals import Estimate, normal_interval


class LineFit(NamedTuple):
    """y = slope x + intercept.

    residuals: (n,), y less the line. covariance: (2, 2) of (slope, intercept), from the given errors and not
    widened.
    """

    slope: Estimate
    intercept: Estimate
    residuals: FloatArray
    chi_square: float
    degrees_of_freedom: int
    covariance: FloatArray


def fit_line(x: ArrayLike, y: ArrayLike, stderr: ArrayLike, level: float = 0.95) -> LineFit:
    """Weighted least squares with standard errors that are known, not fitted.

        minimise chi2 = sum ((y - slope x - intercept) / stderr)^2

    The intervals are normal, from the given standard errors; where chi2 / degrees of freedom exceeds 1 they
    are widened by its root, because then either the errors are too small or the line is not straight. They
    are never narrowed. So with right errors they cover a little more than the level, 96.2 % for 95 % at 1 to
    10 degrees of freedom.

    x, y, stderr: (n,), n >= 2, at least two distinct x, stderr > 0 and in the unit of y. With n = 2 there are
    no degrees of freedom and nothing is widened.

    Validity: independent normal errors in y, none in x.

    Raises ValueError: lengths that differ, entries not finite, stderr not positive, fewer than two distinct
    x.

    Source: Bevington and Robinson, Data Reduction and Error Analysis, 3rd ed., chapter 6; the widening is the
    scale factor of the Particle Data Group's Review of Particle Physics (Introduction, averages and fits).

    >>> fit = fit_line([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], [0.1, 0.1, 0.1])
    >>> print(fit.slope, fit.degrees_of_freedom)
    2.000 [1.861, 2.139] (95 %) 1
    """
    abscissa = vector("x", x)
    ordinate = vector("y", y, length=len(abscissa))
    errors = vector("stderr", stderr, length=len(abscissa), positive=True)
    if np.ptp(abscissa) == 0.0:
        raise ValueError("x must hold at least two distinct values")
    weights = errors**-2
    total = float(weights.sum())
    # About the weighted mean slope and height are uncorrelated, and no digits cancel.
    centre = float(weights @ abscissa) / total
    offset = abscissa - centre
    spread = float(weights @ offset**2)
    slope = float(weights @ (offset * ordinate)) / spread
    height = float(weights @ ordinate) / total
    intercept = height - slope * centre
    residuals = ordinate - height - slope * offset
    chi_square = float(weights @ residuals**2)
    freedom = len(abscissa) - 2
    covariance = np.array([[1.0, -centre], [-centre, centre**2]]) / spread
    covariance[1, 1] += 1.0 / total
    widening = math.sqrt(variance_inflation(chi_square, freedom))
    slope_error, intercept_error = widening * np.sqrt(np.diag(covariance))
    return LineFit(
        normal_interval(slope, slope_error, level),
        normal_interval(intercept, intercept_error, level),
        residuals,
        chi_square,
        freedom,
        covariance,
    )


def log_log_slope(x: ArrayLike, value: ArrayLike, stderr: ArrayLike, level: float = 0.95) -> LineFit:
    """The power s of value ~ x^s: a line through log value against log x (natural logarithms).

        log value = slope log x + intercept,      error of log value = stderr / value

    x, value, stderr: (n,), all greater than zero; stderr in the unit of value. Residuals are of log value.

    Validity: relative errors small (delta method; at 20 % the logarithm is low by 2 %, the same for all points, and the
    slope's 95 % interval from ten of them covers 95 to 96 %, as at 2 %); otherwise `fit_line`.

    Raises ValueError: as `fit_line`, and where x or value is not positive.

    >>> print(log_log_slope([1.0, 2.0, 4.0], [3.0, 12.0, 48.0], [0.03, 0.12, 0.48]).slope)
    2.0000 [1.9800, 2.0200] (95 %)
    """
    abscissa = vector("x", x, positive=True)
    values = vector("value", value, length=len(abscissa), positive=True)
    errors = vector("stderr", stderr, length=len(abscissa), positive=True)
    return fit_line(np.log(abscissa), np.log(values), errors / values, level)


def variance_inflation(chi_square: float, degrees_of_freedom: int) -> float:
    """chi2 / degrees of freedom where that exceeds 1, else 1: what variances are multiplied by."""
    return max(1.0, chi_square / degrees_of_freedom) if degrees_of_freedom > 0 else 1.0
