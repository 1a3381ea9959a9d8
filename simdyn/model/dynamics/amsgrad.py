"""AMSGrad: Adam that never lets v fall."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import bias_corrected, by_a_root, forget_both, weight_of_all
from simdyn.model.dynamics.protocol import begin, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, record


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=NON_NEGATIVE)
class AMSGrad(NamedTuple):
    """m, v as Adam; v_max = max(v_max, v); theta -= eta m^ / (sqrt(v_max^) + eps).

    The hats are Adam's corrections, and that of v is done after the maximum has been taken, as torch.optim.Adam does
    (amsgrad=True); `corrected_first` corrects v before it is compared, as optax does. Reddi, Kale and Kumar, ICLR 2018,
    leave both corrections out, for simplicity as they say: `corrected` false. Under Gaussian noise v_max has no limit,
    hence there is no stationary start.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    corrected: bool = True
    corrected_first: bool = False


@step.on(AMSGrad)
def amsgrad_step(amsgrad, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square, highest = memory
    rate, before, eps = clock[0], clock[1], clock[2]
    g = gradient + kick
    m = momentum[j, i] + (1.0 - amsgrad.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - amsgrad.beta2) * (g * g - square[j, i])
    top = max(highest[j, i], before * v)
    momentum[j, i] = m
    square[j, i] = v
    highest[j, i] = top
    return x - rate * m / (math.sqrt(top) + eps)


divides.on(AMSGrad)(by_a_root)


@bias_corrected(AMSGrad)
def _corrections(amsgrad: AMSGrad, number: np.ndarray, met: np.ndarray) -> tuple:
    one = np.ones(len(number))
    if not amsgrad.corrected:
        return amsgrad.learning_rate * one, one, amsgrad.eps * one
    rate = amsgrad.learning_rate / weight_of_all(amsgrad.beta1, met)
    second = weight_of_all(amsgrad.beta2, number)
    if amsgrad.corrected_first:
        return rate, 1.0 / second, amsgrad.eps * one
    return rate * np.sqrt(second), one, amsgrad.eps * np.sqrt(second)


maturity.on(AMSGrad)(forget_both)


@begin.on(AMSGrad)
def _begin_amsgrad(amsgrad: AMSGrad, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return np.stack([momentum, np.zeros(len(momentum)), np.zeros(len(momentum))])
