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

#: Weak order of convergence with noise that does not depend on the point; measured in the tests.
WEAK_ORDER: dict[type, int] = {}


@record("dynamics", dt=POSITIVE)
class Overdamped(NamedTuple):
    """d theta = -grad L dt + (2D)^{1/2} dW (paper, eq. 1), by Euler-Maruyama: Ito.

        x' = x - dt grad L(x) + (dt C(x))^{1/2} z,    C = 2D

    Weak order 1 where the noise is constant or changes continuously with the point. Where it jumps (TwoPieceNoise; LocalNoise
    where the curvature jumps) the order is 1/2: within sqrt(dt) of the jump a step keeps the noise of its beginning on both
    sides. With TwoPieceNoise of batch size 8 on MatchedParabolas(1, 8, 4) the mean first passage to the saddle, by bridges, is
    6 % too short at dt = 1/256 and 0.4 % at 2^-15. Both orders are measured in the tests, by exact numerics.
    """

    dt: float


@step.on(Overdamped)
def overdamped_step(overdamped, clock, shared, x, gradient, kick, memory, j, i):
    return x - overdamped.dt * gradient + math.sqrt(overdamped.dt) * kick


@record("dynamics", dt=POSITIVE, mass=POSITIVE, damping=POSITIVE)
class Inertial(NamedTuple):
    """M dr = -gamma M dtheta - grad L dt + (2D)^{1/2} dW, dtheta = r dt (paper, eq. 3), by BAOAB: weak order 2.

    The two half kicks B that meet at a step's end are one, so the velocity in memory is half a kick behind: a step is
    kick, half drift, friction and noise, half drift, with one gradient. With noise that depends on the point the order is 1.
    Where it jumps (TwoPieceNoise) no proof is known to us, and 1 is what was measured: on MatchedParabolas(1, 8, 2), batch size
    4, halving a step of 0.05 changes <x> and <x^2> at t = 3.2 by 1.82 ± 0.09 and 2.25 ± 0.18 times what halving 0.025 does
    (order 1: 2, order 1/2: 1.41). A particle crosses the jump at a velocity, and so within one step.
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
