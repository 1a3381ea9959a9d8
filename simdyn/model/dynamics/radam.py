"""RAdam: Adam that waits until v can be trusted."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.adam import (
    begin_averages,
    bias_corrected,
    by_a_root,
    running_averages,
    steps_to_forget,
    weight_of_all,
)
from simdyn.model.dynamics.protocol import begin, begin_running, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, Allowed, record

_FROM_FOUR = Allowed("a number from 4", lambda value: value >= 4)


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=NON_NEGATIVE, threshold=_FROM_FOUR)
class RAdam(NamedTuple):
    """m, v as Adam; theta -= eta r_t m^ sqrt(1 - beta2^t)/(sqrt(v) + eps) where rho_t > 4, theta -= eta m^ where not, with

        rho_t = rho - 2 t beta2^t/(1 - beta2^t), rho = 2/(1 - beta2) - 1,
        r_t^2 = (rho_t - 4)(rho_t - 2) rho / ((rho - 4)(rho - 2) rho_t).

    Source: Liu et al., ICLR 2020, who write no eps: sqrt((1 - beta2^t)/v). Here eps is added to sqrt(v) itself, as in the
    authors' package and torch.optim.RAdam, hence counts as eps/sqrt(1 - beta2^t) beside sqrt(v^); optax.radam adds it to
    sqrt(v^), for which there is no field. Packages switch at 5 instead of the paper's 4: `threshold`. The authors' and
    pytorch_optimizer.RAdam do, by default, not move before: `rest_before`.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    threshold: float = 4.0
    rest_before: bool = False


@step.on(RAdam)
def radam_step(radam, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square = memory
    rate, adaptive, eps = clock[0], clock[1], clock[2]
    g = gradient + kick
    m = momentum[j, i] + (1.0 - radam.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - radam.beta2) * (g * g - square[j, i])
    momentum[j, i] = m
    square[j, i] = v
    return x - rate * m / (adaptive * math.sqrt(v) + eps)


divides.on(RAdam)(by_a_root)


@bias_corrected(RAdam)
def _rectification(radam: RAdam, number: np.ndarray, met: np.ndarray) -> tuple:
    second = weight_of_all(radam.beta2, number)
    limit = 2.0 / (1.0 - radam.beta2) - 1.0
    length = limit - 2.0 * number * (1.0 - second) / second
    trusted = length > radam.threshold
    safe, far = np.where(trusted, length, 5.0), max(limit, 5.0)  # numbers whose root exists, where none is wanted
    squared = (safe - 4.0) * (safe - 2.0) * far / ((far - 4.0) * (far - 2.0) * safe)
    rate = radam.learning_rate / weight_of_all(radam.beta1, met)
    before = np.zeros(len(number)) if radam.rest_before else rate
    return (
        np.where(trusted, rate * np.sqrt(squared * second), before),
        np.where(trusted, 1.0, 0.0),
        np.where(trusted, radam.eps, 1.0),
    )


@maturity.on(RAdam)
def _forgotten(radam: RAdam) -> int:
    return steps_to_forget(max(radam.beta1, radam.beta2), bits=62.0)  # beta2^t is multiplied by t


begin.on(RAdam)(begin_averages)
begin_running.on(RAdam)(running_averages)
