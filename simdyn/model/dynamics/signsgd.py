"""signSGD, and Signum, its momentum version."""

from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import begin, begin_running, step
from simdyn.model.records import FRACTION, POSITIVE, record


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION)
class SignSGD(NamedTuple):
    """m = beta1 m + (1 - beta1) g; theta -= eta sign(m), with sign(0) = 0. beta1 = 0, the default, is signSGD.

    Source: Bernstein et al., ICML 2018. A step has the same size however large the gradient, so nothing ever diverges.
    """

    learning_rate: float
    beta1: float = 0.0


@step.on(SignSGD)
def signsgd_step(method, clock, shared, x, gradient, kick, memory, j, i):
    (momentum,) = memory
    m = momentum[j, i] + (1.0 - method.beta1) * (gradient + kick - momentum[j, i])
    momentum[j, i] = m
    return x - method.learning_rate * (1.0 if m > 0.0 else (-1.0 if m < 0.0 else m))  # of 0 it is 0, of nan nan


@begin.on(SignSGD)
def _begin_signsgd(method: SignSGD, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return momentum[None, :].copy()


@begin_running.on(SignSGD)
def _begin_stationary(method: SignSGD, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((1, len(variance))), np.sqrt((1.0 - method.beta1) / (1.0 + method.beta1) * variance)
