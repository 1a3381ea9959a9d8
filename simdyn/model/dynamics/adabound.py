"""AdaBound: Adam whose step sizes are squeezed between two bounds that meet."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import bias_corrected, by_a_root, forget_both, running_averages, weight_of_all
from simdyn.model.dynamics.protocol import begin, begin_running, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, record


@record(
    "dynamics",
    learning_rate=POSITIVE,
    final_rate=POSITIVE,
    gamma=POSITIVE,
    beta1=FRACTION,
    beta2=FRACTION,
    eps=NON_NEGATIVE,
)
class AdaBound(NamedTuple):
    """m, v as Adam; s = clip(eta c_t/(sqrt(v) + eps), low_t, high_t); theta -= s m, with

        c_t = sqrt(1 - beta2^t)/(1 - beta1^t), low_t, high_t = final (1 - 1/(gamma t + 1)), final (1 + 1/(gamma t)).

    Source: Luo et al., ICLR 2019; the rule is that of their package. Algorithm 2 of the paper has neither c_t (`corrected`
    false) nor eps, lets beta1 depend on t, and divides the clipped rate by sqrt(t); their package does neither of the last
    two, and no field here does. The paper's experiments have gamma = 1 - beta2. For t >> 1/gamma it is EMA momentum,
    Momentum(final_rate, beta1, 1 - beta1). The bounds approach their limit like 1/t, so each particle keeps its own number
    of steps in its memory and the schedule matures early.
    """

    learning_rate: float
    final_rate: float = 0.1
    gamma: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    corrected: bool = True


@step.on(AdaBound)
def adabound_step(adabound, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, age = memory
    g = gradient + kick
    m = momentum[j, i] + (1.0 - adabound.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - adabound.beta2) * (g * g - square[j, i])
    t = age[j, i] + 1.0
    momentum[j, i] = m
    square[j, i] = v
    age[j, i] = t
    low = adabound.final_rate * (1.0 - 1.0 / (adabound.gamma * t + 1.0))
    high = adabound.final_rate * (1.0 + 1.0 / (adabound.gamma * t))
    return x - min(max(clock[0] / (math.sqrt(v) + adabound.eps), low), high) * m


divides.on(AdaBound)(by_a_root)


@bias_corrected(AdaBound)
def _corrections(adabound: AdaBound, number: np.ndarray, met: np.ndarray) -> tuple:
    if not adabound.corrected:
        return (np.full(len(number), adabound.learning_rate),)
    second = weight_of_all(adabound.beta2, number)
    return (adabound.learning_rate * np.sqrt(second) / weight_of_all(adabound.beta1, met),)


maturity.on(AdaBound)(forget_both)


@begin.on(AdaBound)
def _begin_adabound(adabound: AdaBound, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return np.stack([momentum, np.zeros(len(momentum)), np.zeros(len(momentum))])


@begin_running.on(AdaBound)
def _begin_stationary(adabound: AdaBound, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = running_averages(adabound, gradient, variance)
    return np.stack([*mean, np.full(len(variance), np.inf)]), deviation  # after endless steps the bounds have met
