"""The two Langevin equations. Noise records are read as 2D per unit time."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import (
    begin,
    begin_running,
    from_the_first_step,
    maturity,
    schedule,
    stability_limit,
    step,
    time_step,
)
from simdyn.model.records import POSITIVE, record

#: Weak order of convergence, with noise that does not depend on the point; measured in the tests.
WEAK_ORDER: dict[type, int] = {}


@record("dynamics", dt=POSITIVE)
class Overdamped(NamedTuple):
    """d theta = -grad L dt + (2D)^{1/2} dW (paper, eq. 1), by Euler-Maruyama: Ito, weak order 1."""

    dt: float


@step.on(Overdamped)
def overdamped_step(overdamped, clock, shared, x, gradient, kick, memory, j, i):
    return x - overdamped.dt * gradient + math.sqrt(overdamped.dt) * kick


@record("dynamics", dt=POSITIVE, mass=POSITIVE, damping=POSITIVE)
class Inertial(NamedTuple):
    """M dr = -gamma M dtheta - grad L dt + (2D)^{1/2} dW, dtheta = r dt (paper, eq. 3), by BAOAB: weak order 2.

    The two half kicks B that meet at a step's end are one, so the velocity in memory is half a kick behind: a step is
    kick, half drift, friction and noise, half drift, with one gradient. With noise that depends on the point the order is 1.
    Source: Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34.
    """

    dt: float
    mass: float = 1.0
    damping: float = 1.0


WEAK_ORDER |= {Overdamped: 1, Inertial: 2}


@step.on(Inertial)
def inertial_step(inertial, clock, shared, x, gradient, kick, memory, j, i):
    (velocity,) = memory
    friction, amplitude = clock[0], clock[1]
    before = velocity[j, i] - inertial.dt / inertial.mass * gradient
    after = friction * before + amplitude * kick
    velocity[j, i] = after
    return x + 0.5 * inertial.dt * (before + after)


@schedule.on(Inertial)
def _friction_and_noise(inertial: Inertial, number: np.ndarray) -> tuple:
    friction = math.exp(-inertial.damping * inertial.dt)
    # The stationary velocity has variance D/(gamma M^2); `kick` has variance 2D.
    amplitude = math.sqrt(-math.expm1(-2.0 * inertial.damping * inertial.dt) / (2.0 * inertial.damping)) / inertial.mass
    return np.full(len(number), friction), np.full(len(number), amplitude)


maturity.on(Inertial)(from_the_first_step)


@begin.on(Inertial)
def _begin_inertial(inertial: Inertial, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return ((momentum + 0.5 * inertial.dt * gradient) / inertial.mass)[None, :]


@begin_running.on(Inertial)
def _begin_thermal(inertial: Inertial, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = _begin_inertial(inertial, np.zeros(len(gradient)), gradient)
    return mean, np.sqrt(variance / (2.0 * inertial.damping)) / inertial.mass


@time_step.on(Overdamped, Inertial)
def _dt(langevin: Overdamped | Inertial) -> float:
    return langevin.dt


@stability_limit.on(Overdamped)
def _stable_overdamped(overdamped: Overdamped) -> float:
    return 2.0 / overdamped.dt


@stability_limit.on(Inertial)
def _stable_inertial(inertial: Inertial) -> float:
    return 4.0 * inertial.mass / inertial.dt**2
