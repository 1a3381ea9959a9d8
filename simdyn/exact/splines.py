"""B-splines of degree 3 on one coordinate, at the quadrature points of its pieces: what a Galerkin method is made of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import BSpline

from simdyn.exact.line import FloatArray

DEGREE = 3
LIVING = DEGREE + 1  # splines that live on a piece: those of its own number and the next three


class Splines(NamedTuple):
    """Splines between breaks, (n,), on `pieces` with g Gauss-Legendre points each.

    points, weights: (pieces, g); values, slopes: of the four splines that live on a piece, (pieces, g, 4).
    """

    knots: FloatArray
    points: FloatArray
    weights: FloatArray
    values: FloatArray
    slopes: FloatArray

    @property
    def size(self) -> int:
        return len(self.knots) - LIVING

    @property
    def centres(self) -> FloatArray:
        """Where each spline sits, (n,): the mean of its inner knots."""
        return np.convolve(self.knots, np.ones(DEGREE) / DEGREE, "valid")[1:-1]

    def at(self, point: float) -> FloatArray:
        """Every spline at a point, (n,)."""
        return _curves(self.knots)(point)

    def products(self, one: FloatArray, other: FloatArray) -> FloatArray:
        """Pairs one_a other_b times the weights, (pieces, g, 16): their sums over g are integrals over pieces."""
        pairs = self.weights[:, :, None, None] * one[:, :, :, None] * other[:, :, None, :]
        return pairs.reshape(*self.points.shape, LIVING * LIVING)

    def living(self) -> NDArray[np.int64]:
        """Numbers of the splines that live on each piece, (pieces, 4)."""
        return np.arange(len(self.points))[:, None] + np.arange(LIVING)

    def gathered(self, blocks: FloatArray) -> sparse.csr_array:
        """The matrix (n, n) whose share from each piece is a block, (pieces, 16)."""
        living = self.living()
        rows, columns = np.repeat(living, LIVING, axis=1), np.tile(living, (1, LIVING))
        whole = sparse.coo_array((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(self.size, self.size))
        return sparse.csr_array(whole)


def splines(breaks: FloatArray, points_each: int) -> Splines:
    """Splines between `breaks` (increasing)."""
    knots = np.concatenate([[breaks[0]] * DEGREE, breaks, [breaks[-1]] * DEGREE])
    gauss, shares = np.polynomial.legendre.leggauss(points_each)
    half = np.diff(breaks)[:, None] / 2.0
    points, weights = breaks[:-1, None] + half * (1.0 + gauss), half * shares
    living = np.arange(len(half))[:, None, None] + np.arange(LIVING)
    curves = _curves(knots)
    values, slopes = (np.take_along_axis(curves(points, nu=order), living, axis=2) for order in (0, 1))
    return Splines(knots, points, weights, values, slopes)


def _curves(knots: FloatArray) -> BSpline:
    return BSpline(knots, np.eye(len(knots) - LIVING), DEGREE)
