"""Mean first passage of a discrete stochastic scheme on a line, as the Markov chain it is.

One step from x is Gaussian with mean m(x) and deviation sigma(x). The mean number of steps solves

    tau(x) = 1 + Int_{alive} p(x -> y) tau(y) dy

which Gauss-Legendre panels turn into a linear system (Nystrom). Its matrix is nearly singular, and a plain solve loses
all digits near tau ~ 1e15: the elimination here, of Grassmann, Taksar and Heyman, only adds, multiplies and divides
positive numbers, and takes each state's chance of leaving from the normal tail instead of from a difference.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from simdyn.exact.line import GAUSS_POINTS, GAUSS_WEIGHTS, FloatArray, Line
from simdyn.exact.result import Exact, scaled
from simdyn.exact.stretches import reach_of, stretches
from simdyn.model.records import InvalidInput

LONGEST_REACH = 37.0  # deviations: beyond it a chance is no longer a normal double
LONGEST_REACHES = (33.0, 35.0, 37.0, 36.0)  # level by level, where more would be kept
HEAVIEST = 1e-6  # share of the law beyond the nodes, on the left
ROUNDING = 2e-16  # of a logarithm, per node that it is carried over
HEIGHTS = (40.0, 50.0, 60.0, 60.0)  # e^-height is what a cut may cost, level by level
PANEL_DEVIATIONS = (3.0, 2.0, 1.2, 0.7)  # length of a panel in deviations, level by level
TOLERANCE = 1e-10
LARGEST_SIZE = 50_000  # states
LARGEST_BAND = 5e7  # numbers held
LARGEST_WORK = 3e9  # multiplications


class TooLarge(Exception):
    """The linear system would not fit."""


class Scheme(NamedTuple):
    """One step on a line: mean x - step L'(x), variance spread C(x).

    bridge: a step also leaves if the Brownian bridge between its two ends touches the end of the line.
    """

    line: Line
    step: float
    spread: float
    bridge: bool = False

    def mean(self, points: FloatArray) -> FloatArray:
        return points - self.step * self.line.slope(points)

    def deviation(self, points: FloatArray) -> FloatArray:
        return np.sqrt(self.spread * self.line.variance(points))

    def jumps(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.mean(points), self.deviation(points)

    def potential_slope(self, points: FloatArray) -> FloatArray:
        """Phi' of the stationary law e^-Phi: exact for a quadratic well, which a step of h widens by 1/(1 - h H/2)."""
        curbed = np.maximum(1.0 - 0.5 * self.step * self.line.curvature(points), 0.05)
        return 2.0 * self.step * self.line.slope(points) / (self.spread * self.line.variance(points)) * curbed


def chain(scheme: Scheme) -> Exact:
    """Mean number of steps from the line's start until a step ends at or beyond its end.

    The error is three times the change on the last refinement, which also moves the cut on the left, three times what
    lies beyond where that cannot be moved, and rounding. Raises InvalidInput where a step is so small that the system
    would not fit, the limit of small steps being the overdamped equation; and as `stretches`.
    """
    previous = logarithm = math.nan
    error = math.inf
    for level in range(len(HEIGHTS)):
        try:
            grid = grid_of(scheme, level)
            with np.errstate(over="ignore", invalid="ignore"):  # of times that no double holds, which are scaled then
                tau, lift = _mean_steps(scheme, grid.nodes, grid.weights, grid.reach)
        except TooLarge:
            if math.isnan(logarithm):
                raise InvalidInput("the step is too small to solve its chain: use Overdamped, its limit") from None
            break
        previous, logarithm = logarithm, math.log(tau) + lift
        change = abs(math.expm1(previous - logarithm))
        rounding = 1e-13 + ROUNDING * lift * len(grid.nodes)
        error = (3.0 * change if math.isfinite(change) else 1.0) + 3.0 * grid.tail + rounding
        if change <= TOLERANCE:
            break
    return scaled(tau, lift, error)


class Grid(NamedTuple):
    """Nodes, weights, the longest jump kept, in deviations, and the share of the law that lies beyond the nodes."""

    nodes: FloatArray
    weights: FloatArray
    reach: float
    tail: float


def grid_of(scheme: Scheme, level: int) -> Grid:
    """The grid of a level of refinement."""
    looked = stretches(scheme.line, scheme.potential_slope, HEIGHTS[level], scheme.jumps, heaviest=HEAVIEST)
    nodes, weights = _nodes(scheme, looked.meshes, PANEL_DEVIATIONS[level])
    reach = reach_of(looked.climb, HEIGHTS[level])
    # Where longer jumps would be kept, what they change is seen by refining.
    return Grid(nodes, weights, reach if reach <= LONGEST_REACH else LONGEST_REACHES[level], looked.tail.share)


def _nodes(scheme: Scheme, meshes: list[FloatArray], deviations: float) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on panels of `deviations` times the finest scale there, none across a bend."""
    scan = np.concatenate([just_inside(mesh) for mesh in meshes])
    landing, width = scheme.jumps(scan)
    # Where x lands, p(x -> .) varies on the scale sigma(x); and tau varies with x as p(x -> .) does if any stays.
    reached = np.abs(landing[:, None] - scan) <= 9.0 * width[:, None]
    arriving = np.min(np.where(reached, width[:, None], np.inf), axis=0)
    stays = landing < scheme.line.end + 9.0 * width
    stretch = np.where(stays, np.maximum(1.0, np.abs(1.0 - scheme.step * scheme.line.curvature(scan))), 1.0)
    return panelled(meshes, 1.0 / (deviations * np.minimum(arriving, width / stretch)), scheme.line.end)


def panelled(meshes: list[FloatArray], density: FloatArray, end: float) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on panels of which there are `density` per length at the meshes' points."""
    edges, first = [], 0
    for mesh in meshes:
        dense = density[first : first + len(mesh)]
        first += len(mesh)
        panels = np.concatenate([[0.0], np.cumsum(np.diff(mesh) * np.maximum(dense[:-1], dense[1:]))])
        if not panels[-1] * len(GAUSS_POINTS) <= LARGEST_SIZE:
            raise TooLarge
        share = np.linspace(0.0, panels[-1], math.ceil(panels[-1]) + 1)
        edges.append(np.interp(share, panels, mesh)[:-1])
    ends = np.append(np.concatenate(edges), end)
    half = np.diff(ends)[:, None] / 2.0
    return (ends[:-1, None] + half * (1.0 + GAUSS_POINTS)).ravel(), (half * GAUSS_WEIGHTS).ravel()


def just_inside(mesh: FloatArray) -> FloatArray:
    """A bend belongs to two stretches, with two values of whatever jumps there: each takes its own."""
    points = mesh.copy()
    points[0] += 1e-9 * (mesh[1] - mesh[0])
    points[-1] -= 1e-9 * (mesh[-1] - mesh[-2])
    return points


class Banded(NamedTuple):
    """Chances of moving between nodes (n, n), of which only the band may be touched, and of leaving (n,).

    Row k reaches to columns < last[k], column k to rows < below[k]; eliminating states from the left keeps to that.
    """

    moves: FloatArray
    leaves: FloatArray
    first: NDArray[np.int_]
    last: NDArray[np.int_]
    below: NDArray[np.int_]


def _mean_steps(scheme: Scheme, nodes: FloatArray, weights: FloatArray, reach: float) -> tuple[float, float]:
    """tau(start) e^-lift, and lift, on given nodes, jumps of up to `reach` deviations kept."""
    banded = assemble(scheme, nodes, weights, reach)
    times, lift = _solve(banded.moves, banded.leaves, banded.last, banded.below)
    return math.exp(-lift) + float(from_start(scheme, nodes, weights) @ times), lift


def from_start(scheme: Scheme, nodes: FloatArray, weights: FloatArray) -> FloatArray:
    """The chances of the first step, to each node."""
    start = scheme.line.start
    (landed,), (deviation,) = scheme.jumps(np.array([start]))
    return weights * _density(scheme, start, landed, deviation, nodes)


def assemble(scheme: Scheme, nodes: FloatArray, weights: FloatArray, reach: float) -> Banded:
    """The chain on given nodes."""
    size = len(nodes)
    if size > LARGEST_SIZE:
        raise TooLarge
    landing, width = scheme.jumps(nodes)
    first = np.minimum(np.searchsorted(nodes, landing - reach * width), np.arange(size))
    last = np.maximum(np.searchsorted(nodes, landing + reach * width, side="right"), np.arange(size) + 1)
    # Elimination from the left fills a row up to where the rows above it reach, and never to its left.
    last = np.maximum.accumulate(last)
    lower = int(np.max(np.arange(size) - first))
    upper = int(np.max(last - 1 - np.arange(size)))
    band = lower + upper + 1
    if size * band > LARGEST_BAND or size * lower * upper > LARGEST_WORK:
        raise TooLarge
    storage = np.zeros(size * band + lower)
    # Element (i, j) of the band, addressed as in the full matrix; outside of the band it must not be touched.
    moves = as_strided(storage[lower:], shape=(size, size), strides=((band - 1) * 8, 8))
    for i in range(size):
        here = slice(first[i], last[i])
        moves[i, here] = weights[here] * _density(scheme, nodes[i], landing[i], width[i], nodes[here])
    leaves = _leaving(scheme, nodes, landing, width)
    below = np.searchsorted(np.minimum.accumulate(first[::-1])[::-1], np.arange(size), side="right")
    return Banded(moves, leaves, first, last, below)


def _density(scheme: Scheme, start: float, landing: float, width: float, points: FloatArray) -> FloatArray:
    """p(start -> points), of those steps that stay."""
    density = np.exp(-0.5 * ((points - landing) / width) ** 2) / (width * math.sqrt(2.0 * math.pi))
    if scheme.bridge:
        end = scheme.line.end
        density *= -np.expm1(-2.0 * (end - start) * (end - points) / width**2)
    return density


def _leaving(scheme: Scheme, points: FloatArray, landing: FloatArray, width: FloatArray) -> FloatArray:
    """The chance that one step from a point leaves."""
    end = scheme.line.end
    chance = ndtr((landing - end) / width)
    if scheme.bridge:  # reflection principle, for a Brownian motion that drifts from point to landing
        drift, way = landing - points, end - points
        chance = chance + np.exp(2.0 * drift * way / width**2 + log_ndtr(-(way + drift) / width))
    return chance


def _solve(
    moves: FloatArray, leaves: FloatArray, last: NDArray[np.int_], below: NDArray[np.int_]
) -> tuple[FloatArray, float]:
    """Mean steps to leave from each state, over e^lift, and lift, which is 0 where doubles hold them.

    By elimination of the states from the left; overwrites its arguments.

    moves: chances p_ij; leaves: chances of leaving; row k reaches to columns < last[k], column k to rows < below[k].
    The chance of not moving is what the others leave of 1: it is never needed.
    """
    size = len(leaves)
    waits, outflow = np.ones(size), np.empty(size)
    for k in range(size):
        onward, back = slice(k + 1, last[k]), slice(k + 1, below[k])
        row = moves[k, onward]
        outflow[k] = leaves[k] + np.sum(row)
        share = moves[back, k] / outflow[k]
        moves[back, onward] += np.multiply.outer(share, row)
        leaves[back] += share * leaves[k]
        waits[back] += share * waits[k]
    times = np.empty(size)
    for k in range(size - 1, -1, -1):
        onward = slice(k + 1, last[k])
        times[k] = (waits[k] + moves[k, onward] @ times[onward]) / outflow[k]
    if np.all(np.isfinite(times)):
        return times, 0.0
    logarithms = _log_times(moves, outflow, last, below)
    lift = float(np.max(logarithms))
    return np.exp(logarithms - lift), lift


def _log_times(moves: FloatArray, outflow: FloatArray, last: NDArray[np.int_], below: NDArray[np.int_]) -> FloatArray:
    """The logarithms of what `_solve` finds, of the chances as its elimination leaves them: where no double holds them."""
    size = len(outflow)
    waits, times = np.zeros(size), np.empty(size)
    with np.errstate(divide="ignore"):
        outward = np.log(outflow)
        for k in range(size):
            back = slice(k + 1, below[k])
            waits[back] = np.logaddexp(waits[back], np.log(moves[back, k]) + (waits[k] - outward[k]))
        for k in range(size - 1, -1, -1):
            onward = slice(k + 1, last[k])
            onwards = np.logaddexp.reduce(np.log(moves[k, onward]) + times[onward], initial=waits[k])
            times[k] = onwards - outward[k]
    return times
