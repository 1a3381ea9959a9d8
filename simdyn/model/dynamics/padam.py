"""Padam: a smaller power of v."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import bias_corrected, by_a_root, forget_both, running_averages, weight_of_all
from simdyn.model.dynamics.power import power
from simdyn.model.dynamics.protocol import begin, begin_running, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, Allowed, InvalidInput, record

_UP_TO_HALF = Allowed("a number in (0, 1/2]", lambda value: 0 < value <= 0.5)


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, power=_UP_TO_HALF, eps=NON_NEGATIVE)
class Padam(NamedTuple):
    """m, v as Adam; v_max = max(v_max, v); theta -= eta m^ / (sqrt(v_max^) + eps)^(2p), p = `power`.

    Source: Chen et al., IJCAI 2020, who write neither eps nor the corrections (`corrected` false); 1/8 is their p, and 1/2
    is AMSGrad. Their code, and packages after it, correct as if p were 1/2, by sqrt(1 - beta2^t)/(1 - beta1^t):
    `corrected_as_adam`. Packages also leave the maximum out: `keep_highest` false (pytorch_optimizer.PAdam needs both).
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    power: float = 0.125
    eps: float = 1e-8
    keep_highest: bool = True
    corrected: bool = True
    corrected_as_adam: bool = False


@step.on(Padam)
def padam_step(padam, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, highest = memory
    g = gradient + kick
    m = momentum[j, i] + (1.0 - padam.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - padam.beta2) * (g * g - square[j, i])
    top = max(highest[j, i], v) if padam.keep_highest else v
    momentum[j, i] = m
    square[j, i] = v
    highest[j, i] = top
    return x - clock[0] * m * power(math.sqrt(top) + clock[1], -2.0 * padam.power)


divides.on(Padam)(by_a_root)


@bias_corrected(Padam)
def _corrections(padam: Padam, number: np.ndarray, met: np.ndarray) -> tuple:
    if not padam.corrected:
        return np.full(len(number), padam.learning_rate), np.full(len(number), padam.eps)
    second = weight_of_all(padam.beta2, number)
    rate = padam.learning_rate / weight_of_all(padam.beta1, met)
    if padam.corrected_as_adam:
        return rate * np.sqrt(second), np.full(len(number), padam.eps)
    return rate * second**padam.power, padam.eps * np.sqrt(second)


maturity.on(Padam)(forget_both)


@begin.on(Padam)
def _begin_padam(padam: Padam, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return np.stack([momentum, np.zeros(len(momentum)), np.zeros(len(momentum))])


@begin_running.on(Padam)
def _begin_stationary(padam: Padam, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if padam.keep_highest:
        raise InvalidInput("Padam has no stationary momentum while it keeps the highest v: leave start_momentum out")
    mean, deviation = running_averages(padam, gradient, variance)
    return np.stack([*mean, variance]), deviation
