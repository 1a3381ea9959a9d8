"""SGD, and SGD with momentum: Polyak's and Nesterov's."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import begin, begin_running, stability_limit, step
from simdyn.model.records import FRACTION, POSITIVE, record


@record("dynamics", learning_rate=POSITIVE)
class SGD(NamedTuple):
    """theta -= eta g: Euler-Maruyama of the overdamped equation with dt = eta and D = eta C/2."""

    learning_rate: float


@step.on(SGD)
def sgd_step(sgd, clock, shared, x, gradient, kick, memory, j, i):
    return x - sgd.learning_rate * (gradient + kick)


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta3=POSITIVE)
class Momentum(NamedTuple):
    """m = beta1 m + beta3 g; theta -= eta m (paper, algorithm 1). Heavy ball: beta3 = 1; EMA: beta3 = 1 - beta1.

    The default is the heavy ball with beta1 = 0.9, as common implementations have it. No bias correction.
    """

    learning_rate: float
    beta1: float = 0.9
    beta3: float = 1.0


@step.on(Momentum)
def momentum_step(method, clock, shared, x, gradient, kick, memory, j, i):
    (momentum,) = memory
    m = method.beta1 * momentum[j, i] + method.beta3 * (gradient + kick)
    momentum[j, i] = m
    return x - method.learning_rate * m


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta3=POSITIVE)
class Nesterov(NamedTuple):
    """m = beta1 m + beta3 g; theta -= eta (beta1 m + beta3 g): momentum that looks one step ahead.

    theta is the point where the gradient is taken, as implementations have it (torch.optim.SGD, nesterov=True, at the
    default beta3 = 1); Nesterov's own sequence is theta + eta beta1 m. Source: Sutskever et al., ICML 2013, eq. 3 and 4.
    """

    learning_rate: float
    beta1: float = 0.9
    beta3: float = 1.0


@step.on(Nesterov)
def nesterov_step(method, clock, shared, x, gradient, kick, memory, j, i):
    (momentum,) = memory
    fresh = method.beta3 * (gradient + kick)
    m = method.beta1 * momentum[j, i] + fresh
    momentum[j, i] = m
    return x - method.learning_rate * (method.beta1 * m + fresh)


@begin.on(Momentum, Nesterov)
def _begin_momentum(method: Momentum | Nesterov, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return momentum[None, :].copy()


@begin_running.on(Momentum, Nesterov)
def _begin_stationary(
    method: Momentum | Nesterov, gradient: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((1, len(variance))), method.beta3 * np.sqrt(variance) / math.sqrt(
        (1.0 - method.beta1) * (1.0 + method.beta1)
    )


@stability_limit.on(SGD)
def _stable_sgd(sgd: SGD) -> float:
    return 2.0 / sgd.learning_rate


@stability_limit.on(Momentum)
def _stable_momentum(method: Momentum) -> float:
    return 2.0 * (1.0 + method.beta1) / (method.learning_rate * method.beta3)
