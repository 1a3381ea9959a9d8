"""Orbits in the well: the action of an energy, and the energy that friction takes along the orbit of the barrier.

All on the straight line from the saddle through the minimum, which is the motion itself in one dimension and where that
coordinate is decoupled. Positions are parts of the way: 0 the saddle, 1 the minimum, below 0 the other well.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import integrate, optimize

from simdyn.model.geometry import value_at
from simdyn.model.records import InvalidInput
from simdyn.theory.equivalent import Problem
from simdyn.theory.formulas import bracket
from simdyn.theory.validity import FloatArray, name_of

FARTHEST = 1e4  # in lengths of the way: a wall farther off is none


class Actions(NamedTuple):
    """I(E) = closed-Int sqrt(2 M (E - L)) dtheta at energies above the minimum: energies (n,), values (n,)."""

    energies: FloatArray
    values: FloatArray


def depth(case: Problem, side: float = 1.0) -> Callable[[float], float]:
    """L(b) - L at a distance from the saddle: into the well, or with side -1 into the other one."""
    way, top = case.way, value_at(case.way.landscape, case.way.saddle)
    return lambda distance: top - value_at(way.landscape, way.saddle - side * distance * case.along)


def wall(case: Problem, below: Callable[[float], float]) -> float | None:
    """The distance from the saddle at which `below` comes back to zero; None where it does not."""
    near = 0.02 * case.length
    while below(near) > 0.0:
        near *= 1.1
        if near > FARTHEST * case.length:
            return None
    return float(optimize.brentq(below, near / 1.1, near, xtol=1e-15, rtol=1e-14))


def far_wall(case: Problem, below: Callable[[float], float]) -> float:
    found = wall(case, below)
    if found is None:
        raise InvalidInput(f"{name_of(case.way.landscape)}: its well has no far wall as high as the saddle")
    return found


def barrier_action(case: Problem, side: float = 1.0) -> float | None:
    """I(E_b) = 2 Int sqrt(2 M (L(b) - L)) dtheta, M = 1 without inertia; None where that side has no wall."""
    below = depth(case, side)
    end = wall(case, below)
    if end is None:
        return None

    def speed(angle: float) -> float:  # distance = end sin^2: smooth where the speed has a square root
        return math.sqrt(max(2.0 * below(end * math.sin(angle) ** 2), 0.0)) * end * math.sin(2.0 * angle)

    area = 2.0 * float(integrate.quad(speed, 0.0, math.pi / 2.0, limit=200)[0])
    return math.sqrt(case.equation.mass or 1.0) * area


def actions(case: Problem, count: int = 48, points: int = 96) -> Actions:
    """I(E) from the minimum to the saddle, at `count` energies dense towards both, by `points` of Gauss and Legendre.

    Standing: [D]. Raises InvalidInput for a well without a far wall. Validity: flanks that rise monotonically.
    """
    below, barrier = depth(case), case.way.barrier
    end = far_wall(case, below)
    nodes, weights = np.polynomial.legendre.leggauss(points)
    angles, weights = math.pi / 2.0 * nodes, math.pi / 2.0 * weights
    energies = barrier * np.sin(math.pi / 2.0 * np.arange(1, count) / count) ** 2
    values = np.empty(count - 1)
    for k, energy in enumerate(energies):
        left, right = (
            optimize.brentq(lambda at, e=energy: below(at) - barrier + e, *ends, xtol=1e-14)
            for ends in ((0.0, case.length), (case.length, end))
        )
        middle, half = (left + right) / 2.0, (right - left) / 2.0
        heights = np.array([below(middle + half * math.sin(angle)) for angle in angles]) - barrier + energy
        values[k] = 2.0 * half * np.sqrt(2.0 * np.maximum(heights, 0.0)) @ (np.cos(angles) * weights)
    values *= math.sqrt(case.equation.mass or 1.0)
    top = barrier_action(case)
    assert top is not None
    return Actions(np.concatenate([[0.0], energies, [barrier]]), np.concatenate([[0.0], values, [top]]))


def unstable_mode_loss(case: Problem, side: float = 1.0) -> float | None:
    """The energy the unstable normal mode loses to the bath in one orbit from the barrier and back, over T.

    With Ohmic friction, lambda = [sqrt(gamma^2 + 4 omega_b^2) - gamma]/2, mu = lambda + gamma, and u^2 = 2 lambda/(lambda
    + mu) the weight of the coordinate in the mode, q = sqrt(M) theta = u rho + bath,

        d = (gamma/(u^2 T)) [ Int v^2 dt - (mu^2 - lambda^2)/(2 mu) Int Int v(t) v(s) exp(-mu |t-s|) dt ds ],
        v = drho/dt = sqrt(2 (L(b) - L(theta)) - M (omega_b^2 - lambda^2) theta^2/2),   theta from the saddle

    It is first order in the coupling of mode and bath by the anharmonic part w of the landscape, the memory of the bath
    modes being K(t) = (mu e^{-mu t} - lambda e^{-lambda t})/(lambda + mu) [D]: d = (1/2T) Int Int w'(t) K w'(s), as in
    Pollak, Grabert and Hanggi, J. Chem. Phys. 91, 4073 (1989). gamma -> 0: the action of the barrier times gamma/T.
    None where that side has no wall. Raises InvalidInput without inertia.
    """
    equation, descent = case.equation, case.way.saddle_curvature
    if equation.mass <= 0.0:
        raise InvalidInput("there is no unstable mode without inertia")
    mass, damping = equation.mass, equation.damping
    frequency = descent / mass
    lowest = math.sqrt(frequency) ** 2 / damping / bracket(descent, mass, damping)
    highest = lowest + damping
    weight = math.sqrt(2.0 * lowest / (lowest + highest))
    bare = depth(case, side)
    raised = mass * (frequency - lowest**2) / 4.0

    def below(distance: float) -> float:
        return bare(distance) - raised * distance**2

    end = wall(case, below)
    if end is None:
        return None
    scale = weight / math.sqrt(mass)  # d theta = scale v dt

    def speed(angle: float) -> float:
        return math.sqrt(max(2.0 * below(end * math.sin(angle) ** 2), 0.0))

    # From the turning point towards the saddle, the angle as unknown: smooth at the former, decaying at the latter.
    def slope(time: float, state: FloatArray) -> list[float]:
        angle, memory = state[0], state[1]
        v = speed(angle)
        return [-scale * v / (end * math.sin(2.0 * angle)), v - highest * memory, v * math.exp(-highest * time), v * v, v * memory]

    gap = 1e-3
    v = speed(math.pi / 2.0 - gap)
    late = 2.0 * end * gap**2 / (scale * v)  # uniform acceleration from rest over end gap^2
    start = [math.pi / 2.0 - gap, v * late / 2.0, v * late / 2.0, v * v * late / 3.0, v * v * late**2 / 8.0]
    floor = 2e-3

    def arrived(time: float, state: FloatArray) -> float:
        return state[0] - floor

    arrived.terminal = True  # type: ignore[attr-defined]
    span = (late, late + 400.0 / lowest)
    done = integrate.solve_ivp(slope, span, start, method="DOP853", rtol=1e-9, atol=1e-12, events=arrived)
    _, memory, fading, square, pair = done.y[:, -1]
    time, v = float(done.t[-1]), speed(float(done.y[0, -1]))
    # What is left decays as exp(-lambda t).
    square += v * v / (2.0 * lowest)
    pair += v * (memory - v / damping) / (lowest + highest) + v * v / damping / (2.0 * lowest)
    fading += v * math.exp(-highest * time) / (lowest + highest)
    both = 2.0 * 2.0 * pair - 2.0 * fading**2  # out with out and back with back; out with back, of opposite sign
    lost = 2.0 * square - (highest**2 - lowest**2) / (2.0 * highest) * both
    return float(damping / weight**2 * lost / equation.temperature)
