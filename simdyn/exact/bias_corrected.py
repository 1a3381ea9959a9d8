"""The first steps of a momentum whose average is bias-corrected, one by one: the start of Adai in one dimension.

With m^_t = m_t/(1 - beta1^t), beta3 = 1 - beta1, the recursion of positions has coefficients that change,

    x_{t+1} = x_t + b_t (x_t - x_{t-1}) - r_t (L'(x_t) + C^{1/2} z),
    b_t = beta1 (1 - beta1^t)/(1 - beta1^{t+1}),    r_t = eta (1 - beta1)/(1 - beta1^{t+1}):

the first step is one of SGD, of length eta, and the momentum starts hot. The law of all pairs of positions is taken
through these steps until beta1^t is negligible, and marched on by `momentum_chain`.
"""

import math

import numpy as np
from scipy.special import ndtr

from simdyn.exact.line import FloatArray
from simdyn.exact.marching import FARTHEST, corrected_step
from simdyn.exact.momentum_chain import Chain, Positions
from simdyn.model.records import InvalidInput

COSTS = 10.0  # multiplications that a chance takes which is not kept: it has an exponential
NEGLIGIBLE = 1e-4  # beta1^t, from which on the correction changes times by less than that share of its whole effect


def from_bias_corrected_rest(
    positions: Positions, chain: Chain, most_work: float
) -> tuple[FloatArray, FloatArray, float]:
    """The law of a pair of positions once the correction has died, P(T > 0), P(T > 1) and on until then, and the work.

    Raises InvalidInput, beforehand, where that takes too much work.
    """
    last = max(2, math.ceil(math.log(NEGLIGIBLE) / math.log(positions.beta1)))
    if expected_work(positions, chain, last - 2) > most_work:
        raise InvalidInput(
            "Adai: its bias correction dies too slowly to be solved exactly; take a larger beta0 or learning rate, or "
            "simulate it"
        )
    first, second = positions_at(positions, 0), positions_at(positions, 1)
    nodes, weights, start = chain.nodes, chain.weights, positions.line.start
    once = _reached(first, np.array([start]), start, chain)[0]
    law = once[:, None] * _reached(second, nodes, start, chain)
    after, chances, survival = np.empty_like(law), np.empty(len(nodes)), [1.0, float(np.sum(once)), float(np.sum(law))]
    work = 0.0
    for t in range(2, last):
        now = positions_at(positions, t)
        steps = now.landing(nodes), now.deviation(nodes), now.beta1, positions.line.end
        work += COSTS * corrected_step(law, after, chances, nodes, weights, *steps)
        law, after = after, law
        survival.append(float(np.sum(law)))
    return _banded(law, chain) / survival[-1], np.array(survival), work


def expected_work(positions: Positions, chain: Chain, steps: int) -> float:
    """Multiplications that so many steps take: each of all the pairs of the chain, to wherever a kick may lead."""
    nodes, far = chain.nodes, FARTHEST * positions.deviation(chain.nodes)
    reached = np.searchsorted(nodes, nodes + far) - np.searchsorted(nodes, nodes - far)
    return COSTS * steps * float((chain.high - chain.low) @ reached)


def positions_at(positions: Positions, t: int) -> Positions:
    """The recursion of step t + 1, from x_{t-1} and x_t."""
    known, met = -math.expm1(t * math.log(positions.beta1)), -math.expm1((t + 1) * math.log(positions.beta1))
    return positions._replace(beta1=positions.beta1 * known / met, rate=positions.rate / met)


def _reached(now: Positions, points: FloatArray, before: float, chain: Chain) -> FloatArray:
    """Chances (points, nodes) of a step from each point, where the particle was at `before` one step earlier."""
    mean, width = now.landing(points) - now.beta1 * before, now.deviation(points)
    shape = chain.weights * np.exp(-0.5 * ((chain.nodes - mean[:, None]) / width[:, None]) ** 2)
    total = np.sum(shape, axis=1)
    stays = ndtr((now.line.end - mean) / width)
    return shape * np.where(total > 0.0, stays / np.maximum(total, 1e-300), 0.0)[:, None]


def _banded(law: FloatArray, chain: Chain) -> FloatArray:
    """The pairs that the chain holds; what is on others goes to the nearest."""
    found = np.empty(chain.begin[-1])
    for i, (low, high) in enumerate(zip(chain.low, chain.high, strict=True)):
        row = found[chain.begin[i] : chain.begin[i + 1]]
        row[:] = law[i, low:high]
        row[0] += np.sum(law[i, :low])
        row[-1] += np.sum(law[i, high:])
    return found
