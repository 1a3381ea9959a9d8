"""Where a landscape or a noise that does not say so is not smooth: found by halving what no polynomial follows."""

from collections.abc import Callable

import numpy as np

from simdyn.exact.line import GAUSS_POINTS, GAUSS_WEIGHTS, FloatArray, Line

FOLLOWED = 1e-12  # of the function: what a polynomial may be off by, a little more than rounding
SMOOTH = 10  # halvings after which a smooth function is followed
MOST = 55  # halvings, to the last digit of a jump's place
MANY = 40  # pieces that are not followed: fine structure, or rounding, and no bend
SHIFT, SHARE = 0.381966, 0.4567  # where pieces begin and are cut: nobody's bend is an edge, behind which it would hide

_TO_SERIES = (GAUSS_WEIGHTS[:, None] * np.polynomial.legendre.legvander(GAUSS_POINTS, 15)) * (np.arange(16) + 0.5)
_TO_ENDS = _TO_SERIES @ np.polynomial.legendre.legvander(np.array([-1.0, 1.0]), 15).T
_PLACES = np.concatenate([GAUSS_POINTS, [-1.0, 1.0]])


def found_bends(line: Line, mesh: FloatArray) -> list[float]:
    """Places between the ends of the mesh, (n,), where slope or variance jump or have a kink."""
    inner = mesh[:-1] + SHIFT * np.diff(mesh)
    edges = np.concatenate([mesh[:1], inner, mesh[-1:]])
    return [*_bends_of(line.slope, edges), *_bends_of(line.variance, edges)]


def _bends_of(function: Callable[[FloatArray], FloatArray], edges: FloatArray) -> list[float]:
    low, high = edges[:-1], edges[1:]
    off, scale = _unfollowed(function, low, high)
    # Where the function passes 0 it is measured by what it is nearby.
    scale = np.maximum(scale, 1e-3 * np.maximum(np.append(scale[1:], 0.0), np.append(0.0, scale[:-1])))
    # Places are rounded too, and the function by its slope times that.
    steepness = np.abs(np.diff(function(edges))) / (high - low)
    scale = scale + 1e-3 * steepness * np.maximum(np.abs(low), np.abs(high))
    off = off > FOLLOWED * scale
    low, high, scale = low[off], high[off], scale[off]
    bends: list[float] = []
    for halving in range(MOST):
        if len(low) == 0:
            return bends
        if len(low) > (MANY if halving >= SMOOTH else 10 * MANY):
            return []
        middle = low + SHARE * (high - low)
        lows, highs = np.append(low, middle), np.append(middle, high)
        still = _unfollowed(function, lows, highs)[0].reshape(2, -1) > FOLLOWED * scale
        if halving >= SMOOTH:
            bends += list(middle[~still.any(axis=0)])
        low, high, scale = lows[still.ravel()], highs[still.ravel()], np.append(scale, scale)[still.ravel()]
    return [*bends, *((low + high) / 2.0)]


def _unfollowed(
    function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """By how much each piece's polynomial is unsure, or misses at the ends; and how large the function is there."""
    values = function(low[:, None] + (high - low)[:, None] / 2.0 * (1.0 + _PLACES))
    inner, ends = values[:, :-2], values[:, -2:]
    with np.errstate(invalid="ignore"):
        doubts = np.hstack([inner @ _TO_SERIES[:, 12:], inner @ _TO_ENDS - ends])
        return np.max(np.abs(doubts), axis=1), np.max(np.abs(values), axis=1)
