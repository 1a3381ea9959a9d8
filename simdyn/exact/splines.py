"""B-splines of degree 3 on one coordinate with a weight: the integrals a Galerkin method on products of them is made of."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline

from simdyn.exact.line import GAUSS_POINTS, GAUSS_WEIGHTS, FloatArray

DEGREE = 3


class Splines(NamedTuple):
    """Integrals of pairs of splines over one coordinate, (n, n) each: mass b_i b_j, turn b_i b_j', stiffness b_i' b_j'."""

    knots: FloatArray
    mass: sparse.csr_array
    turn: sparse.csr_array
    stiffness: sparse.csr_array

    @property
    def centres(self) -> FloatArray:
        """Where each spline sits, (n,): the mean of its inner knots."""
        return np.convolve(self.knots, np.ones(DEGREE) / DEGREE, "valid")[1:-1]

    def at(self, point: float) -> FloatArray:
        """Every spline at a point, (n,)."""
        return _curves(self.knots)(point)


def splines(breaks: FloatArray, log_weight: Callable[[FloatArray], FloatArray]) -> Splines:
    """Splines between `breaks` (increasing), and their integrals with the weight e^{log_weight}, by Gauss-Legendre."""
    knots = np.concatenate([[breaks[0]] * DEGREE, breaks, [breaks[-1]] * DEGREE])
    points, weights = _rule(breaks)
    curves = _curves(knots)
    values, slopes = sparse.csr_array(curves(points)), sparse.csr_array(curves(points, nu=1))
    weigh = sparse.diags_array(weights * np.exp(log_weight(points)))
    return Splines(knots, values.T @ weigh @ values, values.T @ weigh @ slopes, slopes.T @ weigh @ slopes)


def positive_half(given: Splines, weight: Callable[[FloatArray], FloatArray]) -> sparse.csr_array:
    """Int_0^inf weight b_i b_j, (n, n), of splines with a knot at 0."""
    points, weights = _rule(np.unique(given.knots[given.knots >= 0.0]))
    values = sparse.csr_array(_curves(given.knots)(points))
    return values.T @ sparse.diags_array(weights * weight(points)) @ values


def _curves(knots: FloatArray) -> BSpline:
    return BSpline(knots, np.eye(len(knots) - DEGREE - 1), DEGREE)


def _rule(breaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    half = np.diff(breaks)[:, None] / 2.0
    return (breaks[:-1, None] + half * (1.0 + GAUSS_POINTS)).ravel(), (half * GAUSS_WEIGHTS).ravel()
