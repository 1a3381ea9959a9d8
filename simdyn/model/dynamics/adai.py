"""Adai: the inertia adapts, the learning rate does not."""

from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import begin, begin_running, observe, step
from simdyn.model.records import FRACTION, POSITIVE, UNIT, record


@record("dynamics", learning_rate=POSITIVE, beta0=POSITIVE, beta2=FRACTION, eps=UNIT)
class Adai(NamedTuple):
    """v as Adam; mu = clip(1 - beta0 v^/vbar, 0, 1 - eps), vbar the mean of v^ over all coordinates;
    m = mu m + (1 - mu) g; m^ = m/(1 - prod mu); theta -= eta m^ (paper, algorithm 3).

    The correction of v^ cancels in v^/vbar. In one dimension v^/vbar = 1 and Adai is bias-corrected EMA momentum with
    beta1 = 1 - beta0: use it in two or more. Where all v are zero, v^/vbar is taken as 1.
    """

    learning_rate: float
    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3


@observe.on(Adai)
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


@begin.on(Adai)
def _begin_adai(adai: Adai, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return np.stack([momentum, np.zeros(len(momentum)), np.ones(len(momentum))])


@begin_running.on(Adai)
def _begin_stationary(adai: Adai, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean_variance = np.mean(variance)
    ratio = variance / mean_variance if mean_variance > 0.0 else np.ones(len(variance))
    mu = np.clip(1.0 - adai.beta0 * ratio, 0.0, 1.0 - adai.eps)
    mean = np.stack([np.zeros(len(variance)), variance, np.zeros(len(variance))])
    return mean, np.sqrt((1.0 - mu) / (1.0 + mu) * variance)
