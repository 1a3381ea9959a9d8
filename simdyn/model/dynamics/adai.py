"""Adai: the inertia adapts, the learning rate does not; with weight decay, AdaiW, and generalised, AdaiV2."""

from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.power import power
from simdyn.model.dynamics.protocol import begin, begin_running, from_the_first_step, maturity, observe, schedule, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, UNIT, Allowed, record


@record("dynamics", learning_rate=POSITIVE, beta0=POSITIVE, beta2=FRACTION, eps=UNIT)
class Adai(NamedTuple):
    """v as Adam; mu = clip(1 - beta0 v^/vbar, 0, 1 - eps), vbar the mean of v^ over all coordinates;
    m = mu m + (1 - mu) g; m^ = m/(1 - prod mu); theta -= eta m^ (paper, algorithm 3).

    The correction of v^ cancels in v^/vbar. In one dimension v^/vbar = 1 and Adai is bias-corrected EMA momentum with
    beta1 = 1 - beta0: use it in two or more. Where all v are zero, v^/vbar is taken as 1. prod mu is what is left in m of
    the zero that it began with; it is 0 where a momentum is given.
    """

    learning_rate: float
    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3


@record("dynamics", learning_rate=POSITIVE, beta0=POSITIVE, beta2=FRACTION, eps=UNIT, weight_decay=NON_NEGATIVE)
class AdaiW(NamedTuple):
    """theta *= 1 - eta w, then Adai: decoupled weight decay, which v does not see."""

    learning_rate: float
    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3
    weight_decay: float = 5e-4


@record(
    "dynamics",
    learning_rate=POSITIVE,
    beta0=POSITIVE,
    beta2=FRACTION,
    eps=UNIT,
    dampening=Allowed("a number in [0, 1]", lambda value: 0 <= value <= 1),
)
class AdaiV2(NamedTuple):
    """mu = clip(1 - beta0 (v^/vbar)^{1/(3-2D)}, 0, 1 - eps); m = mu m + (1 - mu)^D g; m^ = m/(1 - prod mu);
    theta -= eta beta0^{1-D} m^, with D the `dampening`; everything else as Adai, which is D = 1, the default.

    Source: the authors' published code. Packages bound vbar from below by eps, which nobody notices while the mean of
    g^2 exceeds it; here, as in the paper's algorithm 3, it is not.
    """

    learning_rate: float
    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3
    dampening: float = 1.0


@observe.on(Adai, AdaiW, AdaiV2)
def adai_observe(adai, gradient, kick, memory, j, i):
    square = memory[1]
    g = gradient + kick
    v = adai.beta2 * square[j, i] + (1.0 - adai.beta2) * g * g
    square[j, i] = v
    return v


@step.on(Adai)
def adai_step(adai, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, product = memory
    ratio = square[j, i] / shared if shared != 0.0 else 1.0
    mu = min(max(1.0 - adai.beta0 * ratio, 0.0), 1.0 - adai.eps)
    m = mu * momentum[j, i] + (1.0 - mu) * (gradient + kick)
    remembered = product[j, i] * mu
    momentum[j, i] = m
    product[j, i] = remembered
    return x - adai.learning_rate * m / (1.0 - remembered)


@step.on(AdaiW)
def adaiw_step(adai, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, product = memory
    ratio = square[j, i] / shared if shared != 0.0 else 1.0
    mu = min(max(1.0 - adai.beta0 * ratio, 0.0), 1.0 - adai.eps)
    m = mu * momentum[j, i] + (1.0 - mu) * (gradient + kick)
    remembered = product[j, i] * mu
    momentum[j, i] = m
    product[j, i] = remembered
    return x - adai.learning_rate * (adai.weight_decay * x + m / (1.0 - remembered))


@step.on(AdaiV2)
def adaiv2_step(adai, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, product = memory
    ratio = square[j, i] / shared if shared != 0.0 else 1.0
    mu = min(max(1.0 - adai.beta0 * power(ratio, 1.0 / (3.0 - 2.0 * adai.dampening)), 0.0), 1.0 - adai.eps)
    m = mu * momentum[j, i] + power(1.0 - mu, adai.dampening) * (gradient + kick)
    remembered = product[j, i] * mu
    momentum[j, i] = m
    product[j, i] = remembered
    return x - clock[0] * m / (1.0 - remembered)


@schedule.on(AdaiV2)
def _undampened(adai: AdaiV2, number: np.ndarray) -> tuple:
    return (np.full(len(number), adai.learning_rate * adai.beta0 ** (1.0 - adai.dampening)),)


maturity.on(AdaiV2)(from_the_first_step)


@begin.on(Adai, AdaiW, AdaiV2)
def _begin_adai(adai: Adai | AdaiW | AdaiV2, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    # prod mu is the weight in m of the zero that it began with; where m is given there is none.
    product = np.zeros(len(momentum)) if np.any(momentum != 0.0) else np.ones(len(momentum))
    return np.stack([momentum, np.zeros(len(momentum)), product])


@begin_running.on(Adai, AdaiW, AdaiV2)
def _begin_stationary(
    adai: Adai | AdaiW | AdaiV2, gradient: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    dampening = getattr(adai, "dampening", 1.0)
    mean_variance = np.mean(variance)
    ratio = variance / mean_variance if mean_variance > 0.0 else np.ones(len(variance))
    ratio = ratio ** (1.0 / (3.0 - 2.0 * dampening))
    mu = np.clip(1.0 - adai.beta0 * ratio, 0.0, 1.0 - adai.eps)
    mean = np.stack([np.zeros(len(variance)), variance, np.zeros(len(variance))])
    return mean, (1.0 - mu) ** dampening * np.sqrt(variance / (1.0 - mu**2))
