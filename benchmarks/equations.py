"""One step of each problem as a peer's user would write it, for arrays of any library.

`equation(problem, xp)` gives it with `xp` numpy, jax.numpy or torch; positions are (particles,) in one dimension and
(d, particles) in more. None of it is simdyn's: a factor wrong here is refused by the comparison with simdyn.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.works import Problem
from simdyn import Adai, Adam, DoubleWell, Inertial, LocalNoise, Momentum, Overdamped


class Equation(NamedTuple):
    """`step(x, memory, z, n)` gives position and memory after step n = 1, 2, ... with the normals z; `memory` are the
    values that every entry of the memory has at first."""

    step: Callable
    memory: tuple[float, ...]


def equation(
    problem: Problem, xp: Any, column: Callable = np.asarray, prepare: Callable = lambda function: function
) -> Equation:
    """A problem's step. `column` makes the library's array from a (d, 1) one; `prepare` is applied to every function that
    the step calls, and to the step: Numba's decorator, say."""
    slope, deviation = _slope(problem, column, prepare), _deviation(problem, xp, prepare)
    step, memory = _STEPS[type(problem.dynamics)](problem.dynamics, xp, slope, deviation)
    return Equation(prepare(step), memory)


def _slope(problem: Problem, column: Callable, prepare: Callable) -> Callable:
    if isinstance(problem.landscape, DoubleWell):
        return prepare(lambda x: 4.0 * x * (x * x - 1.0))
    linear, cubic = (column(np.array(found)[:, None]) for found in coefficients(problem.landscape))
    if not np.any(np.asarray(cubic)):
        return prepare(lambda x: linear * x)
    return prepare(lambda x: x * (linear + cubic * x * x))


def coefficients(landscape: Any) -> tuple[list[float], list[float]]:
    """Of a slope linear_j x_j + cubic_j x_j^3 along each coordinate."""
    if hasattr(landscape, "transverse"):
        return [-4.0, *landscape.transverse], [4.0, *[0.0] * len(landscape.transverse)]
    return list(landscape.curvatures), [0.0] * len(landscape.curvatures)


def _deviation(problem: Problem, xp: Any, prepare: Callable) -> Callable:
    if isinstance(problem.noise, LocalNoise):
        return prepare(lambda x: xp.sqrt(abs(12.0 * x * x - 4.0)))
    constant = math.sqrt(problem.noise.variance)
    return prepare(lambda x: constant)


def _overdamped(dynamics: Any, xp: Any, slope: Callable, deviation: Callable) -> tuple:
    dt, root = dynamics.dt, math.sqrt(dynamics.dt)

    def step(x, memory, z, n):
        return x - dt * slope(x) + root * deviation(x) * z, memory

    return step, ()


def _inertial(dynamics: Any, xp: Any, slope: Callable, deviation: Callable) -> tuple:
    # BAOAB with mass and friction 1; the kicks that end one step and begin the next are one, at a start without force.
    dt, kept = dynamics.dt, math.exp(-dynamics.dt)
    renewed = math.sqrt((1.0 - kept * kept) / 2.0)

    def step(x, memory, z, n):
        before = memory[0] - dt * slope(x)
        after = kept * before + renewed * deviation(x) * z
        return x + 0.5 * dt * (before + after), (after,)

    return step, (0.0,)


def _adam(dynamics: Any, xp: Any, slope: Callable, deviation: Callable) -> tuple:
    rate, beta1, beta2, eps = dynamics[:4]

    def step(x, memory, z, n):
        g = slope(x) + deviation(x) * z
        m = beta1 * memory[0] + (1.0 - beta1) * g
        v = beta2 * memory[1] + (1.0 - beta2) * (g * g)
        return x - rate / (1.0 - beta1**n) * m / (xp.sqrt(v / (1.0 - beta2**n)) + eps), (m, v)

    return step, (0.0, 0.0)


def _adai(dynamics: Any, xp: Any, slope: Callable, deviation: Callable) -> tuple:
    rate, beta0, beta2, eps = dynamics

    def step(x, memory, z, n):
        g = slope(x) + deviation(x) * z
        m, v, product = memory
        v = beta2 * v + (1.0 - beta2) * (g * g)
        mu = xp.clip(1.0 - beta0 * v / v.mean(0), 0.0, 1.0 - eps)
        m = mu * m + (1.0 - mu) * g
        product = product * mu
        return x - rate * m / (1.0 - product), (m, v, product)

    return step, (0.0, 0.0, 1.0)


def _momentum(dynamics: Any, xp: Any, slope: Callable, deviation: Callable) -> tuple:
    rate, beta1, beta3 = dynamics

    def step(x, memory, z, n):
        m = beta1 * memory[0] + beta3 * (slope(x) + deviation(x) * z)
        return x - rate * m, (m,)

    return step, (0.0,)


_STEPS = {Overdamped: _overdamped, Inertial: _inertial, Adam: _adam, Adai: _adai, Momentum: _momentum}
