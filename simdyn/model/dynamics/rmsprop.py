"""RMSProp: Adam without momentum and corrections."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import by_a_root
from simdyn.model.dynamics.protocol import begin, begin_running, divides, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, InvalidInput, record


@record("dynamics", learning_rate=POSITIVE, beta2=FRACTION, eps=NON_NEGATIVE)
class RMSProp(NamedTuple):
    """v = beta2 v + (1 - beta2) g^2; theta -= eta g / (sqrt(v) + eps).

    Source: Tieleman and Hinton, lecture 6.5 of Neural networks for machine learning, 2012. eps as in torch.optim.RMSprop;
    `eps_inside_root` writes sqrt(v + eps), as other libraries do.
    """

    learning_rate: float
    beta2: float = 0.99
    eps: float = 1e-8
    eps_inside_root: bool = False


@step.on(RMSProp)
def rmsprop_step(rmsprop, clock, shared, x, gradient, kick, memory, j, i):
    (square,) = memory
    inside = rmsprop.eps if rmsprop.eps_inside_root else 0.0
    g = gradient + kick
    v = square[j, i] + (1.0 - rmsprop.beta2) * (g * g - square[j, i])
    square[j, i] = v
    return x - rmsprop.learning_rate * g / (math.sqrt(v + inside) + (rmsprop.eps - inside))


divides.on(RMSProp)(by_a_root)


@begin.on(RMSProp)
def _begin_rmsprop(rmsprop: RMSProp, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    if np.any(momentum != 0.0):
        raise InvalidInput("RMSProp has no momentum to start with: leave start_momentum out")
    return np.zeros((1, len(momentum)))


@begin_running.on(RMSProp)
def _begin_stationary(rmsprop: RMSProp, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return variance[None, :].copy(), np.zeros(len(variance))  # no momentum, but v settled
