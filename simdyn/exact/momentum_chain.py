"""First passage of one-dimensional Momentum, as the Markov chain it is: of the last two positions.

With r = eta beta3 the recursion m' = beta1 m + beta3 g, x' = x - eta m' is one of positions alone,

    x'' = x' + beta1 (x' - x) - r L'(x') + r C(x')^{1/2} z,

so the law of the pairs (x, x') of those who have not left yet is marched from step to step on Gauss-Legendre panels.
All its numbers are positive and each pair's chance of leaving is the normal tail, never a difference: the share that
leaves in a step keeps its digits however small it is. Once that share is the same in every step, the rest of the time
is geometric.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simdyn.exact.chain import just_inside, panelled
from simdyn.exact.line import GAUSS_POINTS, FloatArray, Line
from simdyn.exact.marching import advance, count_steps, fill_steps
from simdyn.exact.result import Exact
from simdyn.exact.settled import SETTLED, Settled, is_constant
from simdyn.exact.stretches import stretches
from simdyn.model.records import InvalidInput

TOLERANCE = 1e-6
COARSEST = 1e-3  # relative error beyond which there is no answer
PROMISED = 1e-4  # relative error that is good enough where better would take long
HIGHEST_CLIMB = 600.0  # of Phi: e^-600 is still a double, whatever it is multiplied with
MOST_NODES = 30_000
LARGEST_CHAIN = 1.2e8  # chances held, 8 bytes each
LARGEST_WORK = 4e10  # multiplications of a march: about a minute on one core
LONG_WORK = 5e9
GROWTH = 2.5  # of the work from one grid to the next
PARTS = 16  # in which the work of a step is handed to threads, where it is worth it
WORTH_THREADS = 2e6  # multiplications a step


class Positions(NamedTuple):
    """x'' = x' + beta1 (x' - x) - rate L'(x') + rate C(x')^{1/2} z on a line; rate = eta beta3."""

    line: Line
    beta1: float
    rate: float

    def landing(self, points: FloatArray) -> FloatArray:
        """beta1 x more than the mean of x''."""
        return (1.0 + self.beta1) * points - self.rate * self.line.slope(points)

    def deviation(self, points: FloatArray) -> FloatArray:
        return self.rate * np.sqrt(self.line.variance(points))

    def stretch(self) -> float:
        """Deviation of the free momentum over that of one kick."""
        return 1.0 / math.sqrt((1.0 - self.beta1) * (1.0 + self.beta1))

    def potential_slope(self, points: FloatArray) -> FloatArray:
        """Phi' of the positions' stationary law e^-Phi: exact for a quadratic well, which a step widens."""
        curbed = np.maximum(1.0 - 0.5 * self.rate * self.line.curvature(points) / (1.0 + self.beta1), 0.05)
        force = 2.0 * (1.0 - self.beta1) * self.line.slope(points)
        return force / (self.rate * self.line.variance(points)) * curbed


class Grid(NamedTuple):
    """How finely to look: e^-height is what the cut on the left may cost; a panel and a tail are in deviations."""

    height: float
    panel: float
    tail: float


GRIDS = (Grid(9.0, 14.0, 4.3), Grid(11.0, 11.5, 4.8), Grid(15.0, 9.0, 5.7), Grid(20.0, 7.5, 6.7))


class Chain(NamedTuple):
    """Nodes, bands of pairs and what each pair does next, laid out as in `marching`."""

    nodes: FloatArray
    weights: FloatArray
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    begin: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    offset: NDArray[np.int64]
    chances: FloatArray
    leaves: FloatArray


#: The law of some pair of positions soon after the start, P(T > 0), P(T > 1) and on until that pair, and the work it took;
#: the last argument is the most that it may take.
Begin = Callable[[Positions, Chain, float], tuple[FloatArray, FloatArray, float]]


def momentum_chain(positions: Positions, begin: Begin | None = None) -> Exact:
    """Mean number of steps from the line's start until a step ends at or beyond its end; from rest unless `begin` differs.

    The error is the change on the last refinement, of the panels, of the tails and of the cut on the left together, and
    what the march leaves unsettled. Raises InvalidInput where the chain is too large, and as `stretches`.
    """
    coarse, fine = refined(positions, begin or from_rest)
    return error_between(coarse.mean(), fine.mean())


def error_between(coarse: float, fine: float) -> Exact:
    return Exact(fine, abs(fine - coarse) + 3.0 * SETTLED * abs(fine))


def refined(positions: Positions, begin: Begin) -> tuple[Settled, Settled]:
    """The last two refinements: until the mean changes by less than the tolerance, or than promised where it takes long.

    Or by less than the coarsest that is answered, where the next would take too long.
    """
    coarse = settle_chain(positions, GRIDS[0], begin)
    if GROWTH * coarse.work > LARGEST_WORK:
        raise _too_slow()
    fine = settle_chain(positions, GRIDS[1], begin)
    spent = coarse.work + fine.work
    for grid in GRIDS[2:]:
        change = _change(coarse, fine)
        if change <= (TOLERANCE if fine.work < LONG_WORK else PROMISED):
            break
        if spent + GROWTH * fine.work > LARGEST_WORK:
            if change > COARSEST:
                raise _too_slow()
            break
        coarse, fine = fine, settle_chain(positions, grid, begin)
        spent += fine.work
    if not _change(coarse, fine) <= COARSEST:
        raise InvalidInput(
            "Momentum: refining does not settle its chain; take a larger learning rate, a smaller beta1, or simulate it"
        )
    return coarse, fine


def _change(coarse: Settled, fine: Settled) -> float:
    return abs(fine.mean() / coarse.mean() - 1.0)


def settle_chain(positions: Positions, grid: Grid, begin: Begin) -> Settled:
    """March from the line's start until the law of those who stay has settled.

    Raises InvalidInput where that takes too many numbers or too many steps, and where the escape is too rare for
    doubles to see.
    """
    chain = _assemble(positions, grid)
    law, survival, begun = begin(positions, chain, LARGEST_WORK / (1.0 + GROWTH if grid == GRIDS[0] else 1.0))
    after, shares = np.empty_like(law), np.empty(0)
    most = int(LARGEST_WORK / max(1, len(chain.chances)))
    parts = PARTS if len(chain.chances) > WORTH_THREADS else 1
    with ThreadPoolExecutor(min(parts, os.cpu_count() or 1)) as pool:
        while not is_constant(shares):
            if len(shares) > most:
                raise _too_slow()
            lost, law, after = _march(chain, law, after, max(20, len(shares) // 4), parts, pool)
            shares = np.concatenate([shares, lost])
    alive = survival[-1] * np.exp(np.cumsum(np.log1p(-shares)))
    second = np.concatenate([np.arange(*band) for band in zip(chain.low, chain.high, strict=True)])
    position = np.bincount(second, law, len(chain.nodes)) / chain.weights
    density = position / (position @ chain.weights)
    work = begun + float(len(chain.chances)) * len(shares)
    return Settled(np.concatenate([survival, alive]), float(shares[-1]), chain.nodes, chain.weights, density, work)


def _march(
    chain: Chain, law: FloatArray, after: FloatArray, steps: int, parts: int, pool: ThreadPoolExecutor
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The share that leaves in each of so many steps, and the law after them, up to a factor."""
    work = np.cumsum(np.append(chain.offset, len(chain.chances))[chain.begin[1:]] - chain.offset[chain.begin[:-1]])
    bounds = np.searchsorted(work, np.linspace(0.0, work[-1], parts + 1)[1:-1])
    bounds = np.concatenate([[0], bounds, [len(chain.nodes)]]).astype(np.int64)
    lost, sums, scale = np.empty(steps), np.empty((parts, 2)), 1.0
    for step in range(steps):
        rest = (sums, bounds, *chain[2:])
        if parts == 1:
            advance(law, scale, after, 0, *rest)
        else:
            list(pool.map(lambda part: advance(law, scale, after, part, *rest), range(parts)))  # noqa: B023
        total, gone = sums.sum(axis=0)
        lost[step], scale = gone / total, 1.0 / (total - gone)
        law, after = after, law
    law *= scale
    return lost, law, after


def _assemble(positions: Positions, grid: Grid) -> Chain:
    nodes, weights, around = _nodes(positions, grid)
    width, landing = positions.deviation(nodes), positions.landing(nodes)
    reached = _within_reach(positions, nodes)
    distance = _longest_step(positions, nodes, reached) + grid.tail * positions.stretch() * around
    low = np.searchsorted(nodes, nodes - distance)
    high = np.searchsorted(nodes, nodes + distance, side="right")
    low, high = _symmetric(low, high)
    begin = np.concatenate([[0], np.cumsum(high - low)])
    down, up = _kicks(positions, nodes, reached)
    down, up = (grid.tail + down) * width, (grid.tail + up) * width
    likely = np.searchsorted(nodes, nodes + down + up) - np.arange(len(nodes))
    estimate = float((high - low) @ np.minimum(likely, high - low))
    if estimate > 1.5 * LARGEST_CHAIN:
        raise _too_large()
    # The coarsest grid answers for the next one too, without which there is no estimate of the error.
    _refuse_long_march(positions, nodes, GROWTH * estimate if grid == GRIDS[0] else estimate)
    first, last, offset = (np.empty(begin[-1], dtype=np.int64) for _ in range(3))
    total = count_steps(nodes, landing, positions.beta1, down, up, low, high, first, last, offset)
    if total > LARGEST_CHAIN:
        raise _too_large()
    chain = Chain(nodes, weights, low, high, begin, first, last, offset, np.empty(total), np.empty(begin[-1]))
    fill_steps(nodes, weights, landing, width, positions.beta1, positions.line.end, *chain[2:4], *chain[5:])
    return chain


def _refuse_long_march(positions: Positions, nodes: FloatArray, work: float) -> None:
    """At the bottom (x, x') relaxes by the larger root of its recursion, and eight digits take some 25 such times."""
    bottom = nodes[[np.argmin(_potential(positions, nodes))]]
    pull = positions.rate * float(positions.line.curvature(bottom)[0])
    slowest = float(np.max(np.abs(np.roots([1.0, pull - 1.0 - positions.beta1, positions.beta1]))))
    if slowest < 1.0 and 25.0 * work > LARGEST_WORK * (1.0 - slowest):
        raise _too_slow()


def _too_slow() -> InvalidInput:
    return InvalidInput(
        "Momentum: its law settles too slowly to be solved exactly; take a larger learning rate, a smaller beta1, or "
        "simulate it instead"
    )


def _too_large() -> InvalidInput:
    return InvalidInput(
        "Momentum: one kick is too small a part of the way to solve the chain; take a larger learning rate, a smaller "
        "beta1, a lower barrier, or simulate it instead"
    )


def _symmetric(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bands at least as wide, with ends in order, in which (i, j) is a pair where (j, i) is one."""
    low, high = np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high)
    index = np.arange(len(low))
    earliest = np.searchsorted(high, index, side="right")  # the first i that has j in its band
    latest = np.searchsorted(low, index, side="right")
    return np.minimum(low, earliest), np.maximum(high, latest)


def _nodes(positions: Positions, grid: Grid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights, and the strongest kick's deviation near each node.

    Panels are so many deviations long of the weakest kick near them.
    """
    meshes = stretches(positions.line, positions.potential_slope, grid.height).meshes
    start = positions.line.start
    if start - meshes[0][0] < 3.0 * float(positions.deviation(np.array([start]))[0]):
        raise InvalidInput(
            "Momentum: one kick is larger than the whole well, and steps overshoot; take a smaller learning rate, or simulate it"
        )
    scan = np.concatenate([just_inside(mesh) for mesh in meshes])
    near, width = _near(positions, scan), positions.deviation(scan)
    weakest, strongest = (np.min(np.where(near, width, np.inf), axis=1), np.max(np.where(near, width, 0.0), axis=1))
    panels = 1.0 / (grid.panel * weakest)
    if np.sum(np.diff(scan) * panels[1:]) * len(GAUSS_POINTS) > MOST_NODES:
        raise _too_large()
    nodes, weights = panelled(meshes, panels, positions.line.end)
    right = np.clip(np.searchsorted(scan, nodes), 1, len(scan) - 1)
    return nodes, weights, np.maximum(strongest[right - 1], strongest[right])


def _near(positions: Positions, points: FloatArray) -> NDArray[np.bool_]:
    """Whether point j (second) is one from which steps lead to point i (first)."""
    return np.abs(points[:, None] - points) <= 4.0 * positions.stretch() * positions.deviation(points)


def _kicks(positions: Positions, nodes: FloatArray, reached: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """2 L'/C^{1/2}, the mean kick of the likeliest climb in deviations, to the left and to the right.

    And more to both sides, since a climb may gather momentum before it needs it.
    """
    line = positions.line
    needed = 2.0 * line.slope(nodes) / np.sqrt(line.variance(nodes))
    most = np.max(np.abs(needed[reached]))
    spare = 1.0 + max(1.0, 0.5 * float(most))
    return spare + np.clip(-needed, 0.0, most), spare + np.clip(needed, 0.0, most)


def _longest_step(positions: Positions, nodes: FloatArray, reached: NDArray[np.bool_]) -> float:
    """The longest step of a fall without noise into the well, from either side of as high as the way out."""
    line, longest = positions.line, 0.0
    potential, right = _potential(positions, nodes), nodes >= line.start
    for place in (nodes[reached][0], nodes[right][np.argmax(potential[right])]):
        x, step, since, mine = place, 0.0, 0, 0.0
        if place >= line.start:
            step = -1e-3 * (line.end - line.start)
        while since < 2000 and line.end >= x:
            step = positions.beta1 * step - positions.rate * float(line.slope(np.array([x]))[0])
            x += step
            since, mine = (0, abs(step)) if abs(step) > 1.0001 * mine else (since + 1, mine)
            if not mine < 10.0 * (line.end - nodes[0]):
                raise InvalidInput("Momentum: its steps overshoot without end; take a smaller learning rate")
        longest = max(longest, mine)
    return longest


def _within_reach(positions: Positions, nodes: FloatArray) -> NDArray[np.bool_]:
    potential, right = _potential(positions, nodes), nodes >= positions.line.start
    top = np.max(potential[right])
    if top - np.min(potential) > HIGHEST_CLIMB:
        raise InvalidInput("Momentum: the escape is too rare for doubles to see; lower the barrier")
    return potential <= top


def _potential(positions: Positions, nodes: FloatArray) -> FloatArray:
    slope = positions.potential_slope(nodes)
    return np.concatenate([[0.0], np.cumsum(np.diff(nodes) * 0.5 * (slope[1:] + slope[:-1]))])


def from_rest(positions: Positions, chain: Chain, most_work: float) -> tuple[FloatArray, FloatArray, float]:
    """The law of the first two positions after the start, at rest; P(T > 0), P(T > 1), P(T > 2); no work."""
    start, end = positions.line.start, positions.line.end

    def step(last: FloatArray, mean: float, width: float, here: slice) -> FloatArray:
        shape = chain.weights[here] * np.exp(-0.5 * ((last[here] - mean) / width) ** 2)
        total = np.sum(shape)
        return shape * (ndtr((end - mean) / width) / total) if total > 0.0 else shape

    at = np.array([start])
    mean, width = float(positions.landing(at)[0]) - positions.beta1 * start, float(positions.deviation(at)[0])
    once = step(chain.nodes, mean, width, slice(None))
    law, means, widths = np.zeros(chain.begin[-1]), positions.landing(chain.nodes), positions.deviation(chain.nodes)
    for j in np.flatnonzero(once > 0.0):
        here = slice(chain.low[j], chain.high[j])
        twice = step(chain.nodes, means[j] - positions.beta1 * start, widths[j], here)
        law[chain.begin[j] : chain.begin[j + 1]] = once[j] * twice
    survival = np.array([1.0, np.sum(once), np.sum(law)])
    return law / survival[-1], survival, 0.0
