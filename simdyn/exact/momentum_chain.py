"""Mean first passage of one-dimensional Momentum, as the Markov chain it is: of the last two positions.

With r = eta beta3 the recursion m' = beta1 m + beta3 g, x' = x - eta m' is one of positions alone,

    x'' = x' + beta1 (x' - x) - r L'(x') + r C(x')^{1/2} z,

so the law of the pairs (x, x') of those who have not left is marched from step to step on Gauss-Legendre panels. Every
number in it is positive, and each pair's chance of leaving is the normal tail: nothing is a difference, so the share
that leaves per step keeps its digits however small it is. Once the law has settled the rest of the time is geometric.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simdyn.exact.chain import just_inside, panelled
from simdyn.exact.line import FloatArray, Line, stretches
from simdyn.exact.marching import count_steps, fill_steps, march
from simdyn.exact.result import Exact
from simdyn.model.records import InvalidInput

LEVELS = ((14.0, 9.5, 5.5), (18.0, 8.0, 6.5))  # height of the cut, deviations a panel, deviations of a tail
SETTLED = 1e-8  # relative change of the share leaving over the last quarter of the march
LARGEST_CHAIN = 60_000_000  # chances held
LARGEST_WORK = 4e10  # multiplications


class Positions(NamedTuple):
    """x'' = x' + beta1 (x' - x) - rate L'(x') + rate C^{1/2} z on a line."""

    line: Line
    beta1: float
    rate: float

    def landing(self, points: FloatArray) -> FloatArray:
        """The mean of x'' plus beta1 x."""
        return (1.0 + self.beta1) * points - self.rate * self.line.slope(points)

    def deviation(self, points: FloatArray) -> FloatArray:
        return self.rate * np.sqrt(self.line.variance(points))

    def potential_slope(self, points: FloatArray) -> FloatArray:
        """Phi' of the positions' stationary law e^-Phi, exact for a quadratic well: T = r C/(2 (1 - beta1)), curbed."""
        curbed = np.maximum(1.0 - 0.5 * self.rate * self.line.curvature(points) / (1.0 + self.beta1), 0.05)
        force = 2.0 * (1.0 - self.beta1) * self.line.slope(points)
        return force / (self.rate * self.line.variance(points)) * curbed


class Marched(NamedTuple):
    """survival (n,): P(T > 0), P(T > 1), ...; share: what of the rest leaves in each step from there on.

    nodes, density: the law of positions it has settled in.
    """

    survival: FloatArray
    share: float
    nodes: FloatArray
    density: FloatArray

    def mean(self) -> float:
        return float(np.sum(self.survival[:-1]) + self.survival[-1] / self.share)


def momentum_chain(chain: Positions) -> Exact:
    """Mean number of steps from rest at the line's start until a step ends at or beyond its end."""
    coarse, fine = (marched(chain, *level).mean() for level in LEVELS)
    return Exact(fine, abs(fine - coarse) + 3.0 * SETTLED * fine)


def marched(chain: Positions, height: float, panel: float, tail: float) -> Marched:
    line = chain.line
    looked = stretches(line, chain.potential_slope, height)
    nodes, weights = _nodes(chain, looked.meshes, panel)
    width, landing = chain.deviation(nodes), chain.landing(nodes)
    farthest, kick = _extremes(chain, nodes)
    distance = farthest + tail * np.max(width) / math.sqrt(1.0 - chain.beta1**2)
    low = np.searchsorted(nodes, nodes - distance)
    high = np.searchsorted(nodes, nodes + distance, side="right")
    begin = np.concatenate([[0], np.cumsum(high - low)])
    states = int(begin[-1])
    first, last, offset = (np.empty(states, dtype=np.int64) for _ in range(3))
    total = count_steps(nodes, landing, width, chain.beta1, kick + tail, low, high, first, last, offset)
    if total > LARGEST_CHAIN:
        raise InvalidInput(f"too large {total}")
    chances, leaves = np.empty(total), np.empty(states)
    fill_steps(
        nodes, weights, landing, width, chain.beta1, line.end, low, high, first, last, offset, chances, leaves
    )
    law, survival = _two_steps(chain, nodes, weights, low, high, begin)
    other = np.empty(states)
    shares = np.empty(0)
    while True:
        lost = np.empty(max(20, len(shares) // 4))
        march(law, other, low, high, begin, first, last, offset, chances, leaves, lost)
        shares = np.concatenate([shares, lost])
        window = shares[-max(20, len(shares) // 4) :]
        if window[-1] > 0.0 and np.max(np.abs(window / window[-1] - 1.0)) < SETTLED:
            break
        if len(shares) * total > LARGEST_WORK:
            raise InvalidInput("too long")
    alive = survival[-1] * np.exp(np.cumsum(np.log1p(-shares)))
    marginal = np.zeros(len(nodes))
    np.add.at(marginal, _second(low, high), law)
    return Marched(np.concatenate([survival, alive]), float(shares[-1]), nodes, marginal / weights)


def _second(low, high):
    return np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)])


def _two_steps(chain, nodes, weights, low, high, begin):
    """The law after two steps from rest, and P(T > 0, 1, 2)."""
    from scipy.special import ndtr

    line, start = chain.line, np.array([chain.line.start])

    def law_of(mean, width, points, point_weights):
        shape = point_weights * np.exp(-0.5 * ((points - mean) / width) ** 2)
        total = np.sum(shape)
        stays = ndtr((line.end - mean) / width)
        return shape * (stays / total if total > 0.0 else 0.0)

    first = law_of(chain.landing(start)[0] - chain.beta1 * line.start, chain.deviation(start)[0], nodes, weights)
    law = np.zeros(begin[-1])
    landing, width = chain.landing(nodes), chain.deviation(nodes)
    for j in np.flatnonzero(first > 0.0):
        here = slice(low[j], high[j])
        law[begin[j] : begin[j + 1]] = first[j] * law_of(
            landing[j] - chain.beta1 * line.start, width[j], nodes[here], weights[here]
        )
    return law, np.array([1.0, np.sum(first), np.sum(law)])


def _nodes(chain: Positions, meshes: list[FloatArray], panel: float) -> tuple[FloatArray, FloatArray]:
    scan = np.concatenate([just_inside(mesh) for mesh in meshes])
    width = chain.deviation(scan)
    distance = 4.0 * width / math.sqrt(1.0 - chain.beta1**2)
    near = np.abs(scan[:, None] - scan) <= distance[:, None]
    scale = np.min(np.where(near, width[:, None], np.inf), axis=0)
    return panelled(meshes, 1.0 / (panel * scale), chain.line.end)


def _extremes(chain: Positions, nodes: FloatArray) -> tuple[float, float]:
    """The longest step of a fall from the highest point, and the strongest kick, in deviations, of a likely climb."""
    slope = chain.line.slope(nodes)
    rise = np.concatenate([[0.0], np.cumsum(np.diff(nodes) * 0.5 * (chain.potential_slope(nodes)[1:] + chain.potential_slope(nodes)[:-1]))])
    right = nodes >= chain.line.start
    top = np.max(rise[right])
    inside = rise <= top + 1e-9
    kick = float(np.max(2.0 * np.abs(slope[inside]) / np.sqrt(chain.line.variance(nodes[inside]))))
    farthest = 0.0
    for at in (nodes[inside][0], nodes[right][np.argmax(rise[right])]):
        x, d = at, -1e-3 * (chain.line.end - chain.line.start) if at > chain.line.start else 0.0
        for _ in range(20000):
            d = chain.beta1 * d - chain.rate * float(chain.line.slope(np.array([x]))[0])
            x += d
            farthest = max(farthest, abs(d))
            if abs(d) < 0.05 * farthest and x < chain.line.start + 0.5 * (chain.line.end - chain.line.start):
                break
    return farthest, kick
