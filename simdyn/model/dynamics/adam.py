"""Adam."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import (
    begin,
    begin_running,
    divides,
    maturity,
    schedule,
    schedule_with_momentum,
    step,
)
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, record


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=NON_NEGATIVE)
class Adam(NamedTuple):
    """m, v moving averages of g, g^2, bias-corrected; theta -= eta m^ / (sqrt(v^) + eps) (paper, algorithm 2).

    The paper writes sqrt(v^ + eps); `eps_inside_root` does that, common implementations and the default do not.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_inside_root: bool = False


@step.on(Adam)
def adam_step(adam, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square = memory
    rate, eps_inside, eps_outside = clock[0], clock[1], clock[2]
    g = gradient + kick
    m = momentum[j, i] + (1.0 - adam.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - adam.beta2) * (g * g - square[j, i])
    momentum[j, i] = m
    square[j, i] = v
    return x - rate * m / (math.sqrt(v + eps_inside) + eps_outside)


def bias_corrected(*methods: type) -> Callable:
    """Register coefficients(method, number, met) as the schedules of `methods`, from rest and with a momentum.

    number: as `schedule`; met: how many gradients the momentum's average has met by then, (n,): `number` where it began
    with zero, infinitely many where it was given.
    """

    def register(coefficients: Callable) -> Callable:
        @schedule.on(*methods)
        def _from_rest(method: Any, number: np.ndarray) -> tuple:
            return coefficients(method, number, number)

        @schedule_with_momentum.on(*methods)
        def _from_momentum(method: Any, number: np.ndarray) -> tuple:
            return coefficients(method, number, np.full(len(number), math.inf))

        return coefficients

    return register


@bias_corrected(Adam)
def adam_corrections(adam: Any, number: np.ndarray, met: np.ndarray) -> tuple:
    """eta m^ / (sqrt(v^) + eps) with both corrections moved into the numbers of the step."""
    first, second = weight_of_all(adam.beta1, met), weight_of_all(adam.beta2, number)
    rate = adam.learning_rate * np.sqrt(second) / first
    if adam.eps_inside_root:
        return rate, adam.eps * second, np.zeros(len(number))
    return rate, np.zeros(len(number)), adam.eps * np.sqrt(second)


@divides.on(Adam)
def by_a_root(method: Any) -> bool:
    """What all methods say that divide by the root of v."""
    return True


@maturity.on(Adam)
def forget_both(adam: Any) -> int:
    """When both corrections have become 1."""
    return steps_to_forget(max(adam.beta1, adam.beta2))


def weight_of_all(beta: float, number: np.ndarray) -> np.ndarray:
    """1 - beta^t: the weights of all t gradients met in a moving average begun with zero, which its correction divides by."""
    return -np.expm1(number * math.log(beta)) if beta > 0 else np.ones(len(number))


def steps_to_forget(beta: float, bits: float = 54.0) -> int:
    """How many steps until beta^t is lost in the rounding of 1 - beta^t: beta^t < 2^-bits."""
    return 1 if beta == 0.0 else 1 + math.ceil(-bits * math.log(2.0) / math.log(beta))


@begin.on(Adam)
def begin_averages(adam: Any, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The rows m, v of a method that keeps both."""
    return np.stack([momentum, np.zeros(len(momentum))])


@begin_running.on(Adam)
def running_averages(adam: Any, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same rows after a long time of noise: v = C, and m of variance (1 - beta1)/(1 + beta1) C."""
    mean = np.stack([np.zeros(len(variance)), variance])
    return mean, np.sqrt((1.0 - adam.beta1) / (1.0 + adam.beta1) * variance)
