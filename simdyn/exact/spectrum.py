"""Overdamped motion in one or two dimensions in time, on the grid of its generator: densities, the stationary law, the gap."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigs, eigsh, splu

from simdyn.exact.generator import Generator, Wall, generator, point_law
from simdyn.exact.line import FloatArray
from simdyn.exact.result import Exact
from simdyn.model.arrays import numbers, point_of
from simdyn.model.landscapes import dimension, frame
from simdyn.model.records import InvalidInput

MOST_PRODUCTS = 400_000  # of the matrix with a vector
TAIL = 1e-14  # of the Poisson law, left away


class Density(NamedTuple):
    """probabilities of the bins, (T, *bins): positive, each time's sum 1 but for what was absorbed; error, (T, *bins)."""

    probabilities: FloatArray
    error: FloatArray


def density(
    landscape: Any,
    noise: Any,
    start: ArrayLike,
    times: ArrayLike,
    edges: Any,
    per_bin: int = 4,
    convention: float = 0.0,
    wall: Wall | None = None,
) -> Density:
    """Probability of each bin at each of `times`, from a point start, of overdamped motion in one or two dimensions.

        dP/dt = sum_j d_j (P d_j L + D_j^alpha d_j (D_j^{1-alpha} P))

    edges: equally spaced ones, for one dimension, or one such sequence per dimension; the walls at their ends reflect, so
    they should contain the particle. In two dimensions landscape, noise and edges are those of the landscape's own frame,
    and Rotated is refused. wall: one that absorbs, beyond which nothing is; what is missing of a time's sum has left by
    then. per_bin: cells in a bin, along each axis. By uniformization (Jensen, Skand. Aktuarietidskr. 36, 87,
    1953): P(t) = sum_n Poisson(n; q t) P (1 + rates/q)^n, sums of positive numbers with no step in time. Second order in
    the cell; the error is estimated from a grid half as fine. Standing: [P] eq. 2 for alpha = 0. Raises InvalidInput
    where q t exceeds 400,000: ask for the stationary law and the spectral gap then.

    >>> from simdyn.model.landscapes import Quadratic
    >>> from simdyn.model.noise import ConstantNoise
    >>> found = density(Quadratic((1.0,)), ConstantNoise(2.0), 0.0, [1.0], [-6.0, 0.0, 6.0], per_bin=60)
    >>> found.probabilities.round(6)
    array([[0.5, 0.5]])
    """
    sides = _sides(landscape, edges)
    if not (isinstance(per_bin, int) and per_bin >= 2 and per_bin % 2 == 0):
        raise InvalidInput("per_bin must be an even whole number from 2")
    at = np.atleast_1d(numbers("times", times, "finite numbers from 0"))
    if at.ndim != 1 or np.any(at < 0.0):
        raise InvalidInput("times must be finite numbers from 0")
    place = point_of("start", start, len(sides))
    if any(not side[0] < spot < side[-1] for side, spot in zip(sides, place, strict=True)):
        raise InvalidInput("start must lie between the edges")
    if wall is not None and not wall.gap(place) > 0.0:
        raise InvalidInput("start lies beyond the absorbing wall")
    fine, coarse = (
        _binned(landscape, noise, place, at, sides, cells, convention, wall) for cells in (per_bin, per_bin // 2)
    )
    return Density(fine, np.abs(fine - coarse) / 3.0 + 1e-12)


def stationary_density(landscape: Any, noise: Any, edges: Any, per_bin: int = 4, convention: float = 0.0) -> FloatArray:
    """Probability of each bin after all time, (*bins); arguments as `density`.

    With detailed balance e^-Phi on the cells, Phi = Int dL/D + (1 - alpha) log D; without it the left null vector of the
    rates. Standing: [D]. Raises InvalidInput as `density`.
    """
    sides = _sides(landscape, edges)
    found = generator(landscape, noise, _axes(sides, per_bin), None, convention)
    return _gathered(found, _stationary(found)[None], per_bin)[0]


def spectral_gap(landscape: Any, noise: Any, edges: Any, cells: int = 100, convention: float = 0.0) -> Exact:
    """The smallest rate at which anything relaxes but the stationary law: the smallest eigenvalue that is not zero.

    edges: the ends of the grid along each axis, reflecting; cells: along each axis, and half as many for the error.
    At a high barrier it tends to the sum of the rates of escape of the two wells, each out of its own for good: in a
    symmetric double well 2/tau, tau the mean first passage from one minimum to the other. The error takes the grid's for
    one of second order: a kink in the noise makes it first order, and three times as large. Standing: [D]. Raises
    InvalidInput where the gap drowns in rounding, as a fine grid's does sooner: in a double well above 18 D with 1000
    cells, 19 D with 400, 21 D with 200 and fewer; and as `density`.
    """
    sides = _sides(landscape, edges)
    if not (isinstance(cells, int) and cells >= 12):
        raise InvalidInput("cells must be a whole number from 12")
    ends = tuple(np.array([side[0], side[-1]]) for side in sides)
    fine, coarse = (_gap(generator(landscape, noise, _axes(ends, n), None, convention)) for n in (cells, cells // 2))
    square = (cells // 2) ** 2 / (cells**2 - (cells // 2) ** 2)
    return Exact(fine + (fine - coarse) * square, abs(fine - coarse) * square)


def _gap(found: Generator) -> float:
    fastest = float(np.max(-found.rates.diagonal()))
    shift = 1e-13 * fastest  # a pole just right of 0: the null vector itself is singular
    try:
        if found.potential is None:
            values = eigs(sparse.csc_array(found.rates), k=2, sigma=shift, return_eigenvectors=False)
            rates = np.sort(-values.real)
        else:
            root = np.exp(-0.5 * np.minimum(found.potential - found.potential.min(), 600.0))
            similar = sparse.diags_array(root) @ found.rates @ sparse.diags_array(1.0 / root)
            symmetric = sparse.csc_array((similar + similar.T) / 2.0)
            rates = np.sort(-eigsh(symmetric, k=2, sigma=shift, return_eigenvectors=False))
    except ArpackNoConvergence:
        raise InvalidInput("the spectral gap was not found: the grid is too coarse, or the barrier too high") from None
    if not rates[1] > 1e4 * max(abs(rates[0]), 2e-16 * fastest):
        raise InvalidInput(
            "the spectral gap drowns in rounding: the barrier is too high; ask for the mean first passage"
        )
    return float(rates[1])


def _stationary(found: Generator) -> FloatArray:
    if found.potential is not None:
        weight = np.exp(-(found.potential - found.potential.min()))
        return weight / weight.sum()
    # The equation of one cell is that of all others together: the sum of probabilities takes its place.
    size = len(found.absorbed)
    matrix = sparse.lil_array(found.rates.T)
    matrix[0] = 1.0
    right = np.zeros(size)
    right[0] = 1.0
    law = np.maximum(splu(sparse.csc_array(matrix)).solve(right), 0.0)
    return law / law.sum()


def _binned(
    landscape: Any,
    noise: Any,
    place: FloatArray,
    times: FloatArray,
    sides: Any,
    per_bin: int,
    convention: float,
    wall: Wall | None,
) -> FloatArray:
    found = generator(landscape, noise, _axes(sides, per_bin), wall, convention)
    begin = np.ones(1)
    for axis, spot in zip(found.axes, place, strict=True):
        begin = np.multiply.outer(begin, point_law(axis, float(spot)))
    alive = found.alive.ravel()
    everywhere = np.zeros((len(times), alive.size))
    everywhere[:, alive] = uniformized(found.rates, begin.ravel()[alive], times)
    return _gathered(found, everywhere, per_bin)


def uniformized(rates: sparse.csr_array, begin: FloatArray, times: FloatArray) -> FloatArray:
    """P(t) = P e^{rates t} at each of `times`, (T, N), as a sum of positive terms."""
    fastest = float(np.max(-rates.diagonal(), initial=1e-300))
    order = np.argsort(times)
    current = begin
    spans = fastest * np.diff(np.concatenate([[0.0], times[order]]))
    if np.sum(spans) > MOST_PRODUCTS:
        raise InvalidInput(
            f"this takes {np.sum(spans):.2g} products of the generator, at most {MOST_PRODUCTS}: a coarser grid, or shorter times"
        )
    jump = sparse.csr_array((rates / fastest + sparse.eye_array(len(begin))).T)
    jump.data = np.maximum(jump.data, 0.0)
    found = np.empty((len(times), len(begin)))
    for number, span in zip(order, spans, strict=True):
        while span > 0.0:  # in pieces whose Poisson weights do not underflow
            piece = min(span, 500.0)
            span -= piece
            weight, term = math.exp(-piece), current
            current, gathered, n = weight * term, weight, 0
            while 1.0 - gathered > TAIL and n < piece + 12.0 * math.sqrt(piece) + 40.0:
                n += 1
                term = jump @ term
                weight *= piece / n
                current = current + weight * term
                gathered += weight
            current = current / gathered
        found[number] = current
    return found


def _sides(landscape: Any, edges: Any) -> tuple[FloatArray, ...]:
    """Edges per dimension. Raises InvalidInput for more than two dimensions, rotations, and unequal bins."""
    inner, turned = frame(landscape)
    if turned is not None or dimension(inner) > 2:
        raise InvalidInput(
            "densities are for landscapes of one or two dimensions in their own frame: take the rotation off"
        )
    given = [edges] if dimension(inner) == 1 and np.ndim(edges[0]) == 0 else list(edges)
    sides = tuple(numbers("edges", side, "at least two increasing numbers, equally spaced") for side in given)
    if len(sides) != dimension(inner):
        raise InvalidInput(f"edges must be given for each of {dimension(inner)} dimensions")
    for side in sides:
        widths = np.diff(side) if side.ndim == 1 else np.zeros(0)
        if widths.size == 0 or not widths[0] > 0.0 or not np.allclose(widths, widths[0]):
            raise InvalidInput("edges must be at least two increasing numbers, equally spaced")
    return sides


def _axes(sides: tuple[FloatArray, ...], per_bin: int) -> tuple[FloatArray, ...]:
    counts = [per_bin * (len(side) - 1) for side in sides]
    return tuple(
        side[0] + (side[-1] - side[0]) * (np.arange(n) + 0.5) / n for side, n in zip(sides, counts, strict=True)
    )


def _gathered(found: Generator, laws: FloatArray, per_bin: int) -> FloatArray:
    """Cells summed into bins, (T, *bins)."""
    shape = [len(laws)]
    for axis in found.axes:
        shape += [len(axis) // per_bin, per_bin]
    return laws.reshape(shape).sum(axis=tuple(range(2, len(shape), 2)))
