"""How the logarithm of the escape time depends on sharpness: which power, and how surely.

The model throughout, with k the factor by which the curvature was multiplied at a fixed barrier:

    log tau = A k^(-p) + log_prefactor(k) + c

The theory gives p (1 for SGD, Momentum and Adai, 1/2 for Adam) and the known part of the prefactor (in
iterations -p log k + log f(k), f the inertial bracket). At the barriers one can simulate, the prefactor bends
log tau as much as the power does: without it the slope of log log tau (`raw_slope`) is far from -p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar

from simdyn.estimate._arguments import FloatArray, finite_number, vector
from simdyn.estimate.intervals import Estimate, normal_interval, normal_quantile
from simdyn.estimate.lines import LineFit, fit_line, log_log_slope, variance_inflation

# Powers tried before the best is refined, and the reach of the search unless told otherwise.
SCANNED_POWERS = 101
BRACKET = (-1.0, 4.0)
# A k^0 is a constant: nearer to zero than this A and c are no longer told apart in double precision.
SMALLEST_POWER = 1e-7


class SharpnessFit(NamedTuple):
    """log tau = coefficient k^(-exponent) + log_prefactor + constant.

    residuals: (n,), log tau less the fit; rms: their root mean square, unweighted.
    """

    exponent: float
    coefficient: Estimate
    constant: Estimate
    residuals: FloatArray
    chi_square: float
    degrees_of_freedom: int
    rms: float


class FreeExponent(NamedTuple):
    """As `SharpnessFit`, the exponent fitted too. at_bracket: its interval reaches an end of the bracket."""

    exponent: Estimate
    coefficient: Estimate
    constant: Estimate
    residuals: FloatArray
    chi_square: float
    degrees_of_freedom: int
    rms: float
    at_bracket: bool


def fit_sharpness(
    sharpness: ArrayLike,
    log_tau: ArrayLike,
    stderr: ArrayLike,
    exponent: float,
    log_prefactor: ArrayLike | None = None,
    level: float = 0.95,
) -> SharpnessFit:
    """Fit A and c at a given power p of the sharpness.

        log tau - log_prefactor = A k^(-p) + c

    sharpness: k (n,), > 0, two distinct values at least; log_tau: (n,) natural logarithms; stderr: (n,) > 0,
    their standard errors; exponent: p, not 0 (k^0 is not told from c); log_prefactor: (n,), known, or None.
    Weighted least squares, intervals widened by sqrt(chi2 / degrees of freedom) where that exceeds 1, as in
    `fit_line`.

    Validity: independent normal errors of log tau; A means what the theory says only if log_prefactor is
    complete.

    Raises ValueError: lengths that differ, entries not finite, k or stderr not positive, exponent 0 or not
    finite.

    >>> k = np.array([0.5, 1.0, 2.0])
    >>> fit = fit_sharpness(k, 6.0 / k - np.log(k) + 1.0, [0.01] * 3, exponent=1.0, log_prefactor=-np.log(k))
    >>> print(fit.coefficient)
    6.0000 [5.9819, 6.0181] (95 %)
    """
    factor, target, errors = _data(sharpness, log_tau, stderr, log_prefactor)
    power = finite_number("exponent", exponent)
    if power == 0.0:
        raise ValueError("exponent must not be 0: k^0 cannot be told from the constant")
    line = fit_line(factor**-power, target, errors, level)
    return SharpnessFit(
        power,
        line.slope,
        line.intercept,
        line.residuals,
        line.chi_square,
        line.degrees_of_freedom,
        _root_mean_square(line.residuals),
    )


def fit_free_exponent(
    sharpness: ArrayLike,
    log_tau: ArrayLike,
    stderr: ArrayLike,
    log_prefactor: ArrayLike | None = None,
    level: float = 0.95,
    bracket: tuple[float, float] = BRACKET,
) -> FreeExponent:
    """Fit the power p of the sharpness together with A and c; what the data say of p when left alone.

        chi2(p) = min over A, c of sum ((log tau - log_prefactor - A k^(-p) - c) / stderr)^2
        interval of p: all p with  chi2(p) - chi2_min <= z^2 max(1, chi2_min / degrees of freedom)

    A and c enter linearly and are profiled out. Inside, k^(-p) is written (1 - k^(-p)) / p, which passes
    smoothly through p = 0, where the model becomes log tau = s log k + c. The interval is the hull of the
    accepted p within `bracket`; `at_bracket` tells that it reaches an end, and so is not closed there: then
    the data do not determine p. The intervals of A and c are linearised at the best p, jointly with p: good
    when the interval of p is short and far from 0.

    Arguments as in `fit_sharpness`, at least three distinct k; with n = 3 there are no degrees of freedom and
    nothing is widened. One log_prefactor, which does not depend on p.

    Validity: as `fit_sharpness`; a wrong or missing prefactor moves p far outside its interval.

    Raises ValueError: as `fit_sharpness`; fewer than three distinct k; bracket not low < high.

    Source: profile likelihood, Cox and Hinkley, Theoretical Statistics, section 9.3.

    >>> k = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    >>> prefactor = -0.5 * np.log(k)
    >>> fit = fit_free_exponent(k, 6.0 / np.sqrt(k) + prefactor, [0.001] * 5, log_prefactor=prefactor)
    >>> round(fit.exponent.value, 6), fit.at_bracket
    (0.5, False)
    """
    factor, target, errors = _data(sharpness, log_tau, stderr, log_prefactor)
    if len(np.unique(factor)) < 3:
        raise ValueError("sharpness must hold at least three distinct values to fit an exponent")
    lowest, highest = (finite_number("bracket", end) for end in bracket)
    if not lowest < highest:
        raise ValueError(f"bracket must be (low, high) with low < high, not {bracket!r}")
    log_factor, weights = np.log(factor), errors**-2
    freedom = len(factor) - 3

    def profile(power: float) -> float:
        return _profiled_chi_square(power, log_factor, target, weights)

    grid = np.linspace(lowest, highest, SCANNED_POWERS)
    scan = np.array([profile(power) for power in grid])
    near = int(np.argmin(scan))
    around = float(grid[max(near - 1, 0)]), float(grid[min(near + 1, len(grid) - 1)])
    found = minimize_scalar(profile, bounds=around, method="bounded", options={"xatol": 1e-10})
    best, smallest = float(grid[near]), float(scan[near])
    if found.fun < smallest:
        best, smallest = float(found.x), float(found.fun)

    inflation = variance_inflation(smallest, freedom)
    threshold = smallest + inflation * normal_quantile(level) ** 2
    low, low_cut = _accepted_end(profile, threshold, best, grid, scan, side=-1.0)
    high, high_cut = _accepted_end(profile, threshold, best, grid, scan, side=1.0)

    power = math.copysign(max(abs(best), SMALLEST_POWER), best)
    line = fit_line(factor**-power, target, errors, level)
    slope = line.slope.value
    jacobian = np.stack((factor**-power, np.ones_like(factor), -slope * log_factor * factor**-power), axis=1)
    inverse = np.linalg.pinv(jacobian / errors[:, None])
    coefficient_error, constant_error = np.sqrt(inflation * np.sum(inverse**2, axis=1))[:2]
    return FreeExponent(
        Estimate(best, low, high, level),
        normal_interval(slope, coefficient_error, level),
        normal_interval(line.intercept.value, constant_error, level),
        line.residuals,
        smallest,
        freedom,
        _root_mean_square(line.residuals),
        low_cut or high_cut,
    )


def raw_slope(sharpness: ArrayLike, log_tau: ArrayLike, stderr: ArrayLike, level: float = 0.95) -> LineFit:
    """Slope of log(log tau) against log k: the reading that ignores the prefactor.

        log(log tau) = slope log k + intercept

    -p only where A k^(-p) outweighs prefactor and constant many times over; reported beside the corrected fit
    to show what the prefactor hides. It also depends on the unit of tau. Arguments as in `fit_sharpness`.

    Raises ValueError: as `fit_sharpness`; any log_tau <= 0, whose logarithm does not exist.

    >>> k = np.array([1.0, 2.0, 4.0])
    >>> print(raw_slope(k, 8.0 / k, [0.008] * 3).slope)
    -1.00000 [-1.00451, -0.99549] (95 %)
    """
    factor, target, errors = _data(sharpness, log_tau, stderr, None)
    if (target <= 0.0).any():
        raise ValueError("log_tau must be greater than zero to take its logarithm")
    return log_log_slope(factor, target, errors, level)


def _data(
    sharpness: ArrayLike, log_tau: ArrayLike, stderr: ArrayLike, log_prefactor: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """k, log tau less its known prefactor, and the standard errors, checked."""
    factor = vector("sharpness", sharpness, positive=True)
    if np.ptp(factor) == 0.0:
        raise ValueError("sharpness must hold at least two distinct values")
    target = vector("log_tau", log_tau, length=len(factor))
    errors = vector("stderr", stderr, length=len(factor), positive=True)
    if log_prefactor is not None:
        target = target - vector("log_prefactor", log_prefactor, length=len(factor))
    return factor, target, errors


def _profiled_chi_square(power: float, log_factor: FloatArray, target: FloatArray, weights: FloatArray) -> float:
    """Least chi2 over A and c at this power, smooth through power 0."""
    basis = log_factor if power == 0.0 else -np.expm1(-power * log_factor) / power
    total = weights.sum()
    basis = basis - weights @ basis / total
    height = target - weights @ target / total
    residuals = height - basis * (weights @ (basis * height) / (weights @ basis**2))
    return float(weights @ residuals**2)


def _accepted_end(
    profile: Callable[[float], float],
    threshold: float,
    best: float,
    grid: FloatArray,
    scan: FloatArray,
    side: float,
) -> tuple[float, bool]:
    """Outermost accepted power on one side (+1 up, -1 down), and whether it is the bracket's own end."""
    accepted = np.append(grid[scan <= threshold], best)
    inside = float(side * np.max(side * accepted))
    beyond = grid[side * grid > side * inside]
    if beyond.size == 0:
        return inside, True
    outside = float(side * np.min(side * beyond))
    return float(brentq(lambda power: profile(power) - threshold, inside, outside, xtol=1e-12)), False


def _root_mean_square(residuals: FloatArray) -> float:
    return float(np.sqrt(np.mean(residuals**2)))
