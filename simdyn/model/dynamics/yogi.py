"""Yogi: v moves by a share of g^2, whatever its own size."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import bias_corrected, by_a_root, forget_both, running_averages, weight_of_all
from simdyn.model.dynamics.protocol import begin, begin_running, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, record

# v rests where E[sign(v - g^2) g^2] = 0: for Gaussian g at C times the median of chi square with three degrees of freedom.
RESTING_SQUARE = 2.365973884375338


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=NON_NEGATIVE, initial=NON_NEGATIVE)
class Yogi(NamedTuple):
    """m as Adam; v -= (1 - beta2) sign(v - g^2) g^2, v_0 = g_1^2; theta -= eta m / (sqrt(v) + eps).

    Source: Zaheer et al., NeurIPS 2018, who do not correct m and v. Packages begin with m_0 = v_0 = 1e-6 and correct
    both as Adam does: `initial` 1e-6 (zero means g_1^2) and `corrected` true (pytorch_optimizer.Yogi, optax). With v_0 =
    g_1^2 there is no bias of v to correct, and only m is. A momentum that is given takes the place of `initial` in m_0. Under
    noise alone v rests at 2.366 C where Adam's is C.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-3
    initial: float = 0.0
    corrected: bool = False


@step.on(Yogi)
def yogi_step(yogi, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square = memory
    rate, eps, first = clock[0], clock[1], clock[2]
    g = gradient + kick
    gg = g * g
    m = momentum[j, i] + (1.0 - yogi.beta1) * (g - momentum[j, i])
    before = gg if first != 0.0 else square[j, i]
    sign = 1.0 if before > gg else (-1.0 if before < gg else 0.0)
    v = before - (1.0 - yogi.beta2) * sign * gg
    momentum[j, i] = m
    square[j, i] = v
    return x - rate * m / (math.sqrt(v) + eps)


divides.on(Yogi)(by_a_root)


@bias_corrected(Yogi)
def _corrections(yogi: Yogi, number: np.ndarray, met: np.ndarray) -> tuple:
    one = np.ones(len(number))
    from_gradient = yogi.initial == 0.0
    first = np.where(number == 1.0, 1.0, 0.0) if from_gradient else 0.0 * one
    if not yogi.corrected:
        return yogi.learning_rate * one, yogi.eps * one, first
    root = one if from_gradient else np.sqrt(weight_of_all(yogi.beta2, number))
    return yogi.learning_rate * root / weight_of_all(yogi.beta1, met), yogi.eps * root, first


@maturity.on(Yogi)
def _settled(yogi: Yogi) -> int:
    return max(2, forget_both(yogi) if yogi.corrected else 1)


@begin.on(Yogi)
def _begin_yogi(yogi: Yogi, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    square = np.full(len(momentum), yogi.initial)
    return np.stack([momentum if np.any(momentum != 0.0) else square, square])


@begin_running.on(Yogi)
def _begin_stationary(yogi: Yogi, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = running_averages(yogi, gradient, variance)
    mean[1] *= RESTING_SQUARE
    return mean, deviation
