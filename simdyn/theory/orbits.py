"""Orbits in the well: the action of an energy, and the energy that friction takes along the orbit of the barrier.

All on the straight line from the saddle through the minimum, which is the motion itself in one dimension and where that
coordinate is decoupled. Positions are parts of the way: 0 the saddle, 1 the minimum, below 0 the other well.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import integrate, optimize

from simdyn.model.geometry import gradient_at, value_at
from simdyn.model.records import InvalidInput
from simdyn.theory.equivalent import Problem
from simdyn.theory.formulas import bracket
from simdyn.theory.passage import far_wall
from simdyn.theory.validity import FloatArray, name_of, warn

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
    return far_wall(below, 0.02 * case.length, FARTHEST * case.length)


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

    Standing: [D]. Raises InvalidInput for a well without a far wall. Warns (ValidityWarning)
    where a flank does not rise monotonically, so that an orbit of some energy is not one.
    """
    below, barrier = depth(case), case.way.barrier
    end = wall(case, below)
    if end is None:
        raise InvalidInput(f"{name_of(case.way.landscape)}: its well has no far wall as high as the saddle")
    nodes, weights = np.polynomial.legendre.leggauss(points)
    angles, weights = math.pi / 2.0 * nodes, math.pi / 2.0 * weights
    energies = barrier * np.sin(math.pi / 2.0 * np.arange(1, count) / count) ** 2
    values, rugged = np.empty(count - 1), False
    for k, energy in enumerate(energies):
        left, right = (
            optimize.brentq(lambda at, e=energy: below(at) - barrier + e, *ends, xtol=1e-14)
            for ends in ((0.0, case.length), (case.length, end))
        )
        middle, half = (left + right) / 2.0, (right - left) / 2.0
        heights = np.array([below(middle + half * math.sin(angle)) for angle in angles]) - barrier + energy
        rugged = rugged or float(np.min(heights)) < -1e-6 * barrier
        values[k] = 2.0 * half * np.sqrt(2.0 * np.maximum(heights, 0.0)) @ (np.cos(angles) * weights)
    if rugged:
        warn(f"{name_of(case.way.landscape)}: a flank of its well does not rise monotonically")
    values *= math.sqrt(case.equation.mass or 1.0)
    top = barrier_action(case)
    assert top is not None
    return Actions(np.concatenate([[0.0], energies, [barrier]]), np.concatenate([[0.0], values, [top]]))


def unstable_mode_loss(case: Problem, side: float = 1.0) -> float | None:
    """The energy the unstable normal mode loses to the bath in one orbit from the barrier and back, over T.

    With Ohmic friction, lambda = [sqrt(gamma^2 + 4 omega_b^2) - gamma]/2, mu = lambda + gamma, and u^2 = 2 lambda/(lambda
    + mu) the weight of the coordinate in the mode, sqrt(M) theta = u rho + bath modes,

        d = gamma/(u^2 T) Int Int [lambda^2 v(t) v(s) + v'(t) v'(s)] exp(-mu |t-s|)/(2 mu) dt ds,
        v = drho/dt = sqrt(2 (L(b) - L(theta)) - M (omega_b^2 - lambda^2) theta^2/2),   theta from the saddle

    First order in the coupling of mode and bath by the anharmonic part w of the landscape, as in Pollak, Grabert and
    Hanggi, J. Chem. Phys. 91, 4073 (1989): d = (1/2T) Int Int w'(t) K(t-s) w'(s) dt ds with the memory of the bath modes,
    K(t) = (mu e^{-mu t} - lambda e^{-lambda t})/(lambda + mu); the form displayed follows by Fourier transform and the
    equation of motion [D]. gamma -> 0: gamma I_b/T. None where that side has no wall. Raises InvalidInput without
    inertia.
    """
    equation, descent = case.equation, case.way.saddle_curvature
    if equation.mass <= 0.0:
        raise InvalidInput("there is no unstable mode without inertia")
    mass, damping = equation.mass, equation.damping
    low = descent / (equation.drag * bracket(descent, mass, damping))
    high = low + damping
    weight = math.sqrt(2.0 * low / (low + high))
    scale = weight / math.sqrt(mass)  # d theta = scale v dt
    raised = (descent - mass * low**2) / 4.0
    bare, way = depth(case, side), case.way

    def below(distance: float) -> float:
        return bare(distance) - raised * distance**2

    end = wall(case, below)
    if end is None:
        return None
    far = end

    def slope(time: float, state: FloatArray) -> list[float]:
        """From the turning point to the saddle, distance = far sin^2(angle): smooth at the former, decaying at the latter."""
        angle, of_v, of_change = state[:3]
        distance = far * math.sin(angle) ** 2
        v = math.sqrt(max(2.0 * below(distance), 0.0))
        uphill = side * float(gradient_at(way.landscape, way.saddle - side * distance * case.along) @ case.along)
        change = -scale * (uphill - 2.0 * raised * distance)
        turn = -scale * v / (far * math.sin(2.0 * angle)) / low
        fading = math.exp(-high / low * time) / low
        memories = (v - high * of_v) / low, (change - high * of_change) / low
        return [turn, *memories, v * fading, change * fading, v * of_v / low, change * of_change / low]

    # Time in units of 1/lambda. The start is a fall from rest with uniform acceleration, over far gap^2.
    gap, floor = 1e-3, 1e-3
    v = math.sqrt(2.0 * below(far * math.cos(gap) ** 2))
    late = 2.0 * far * gap**2 / (scale * v)
    change, lag = v / late, -math.expm1(-high * late) / high
    of_v = change * (late - lag) / high
    pairs = change * v * (late - lag) / (2.0 * high), change**2 * (late - lag) / high
    start = [math.pi / 2.0 - gap, of_v, change * lag, v * late / 2.0 * math.exp(-high * late), change * lag, *pairs]

    def arrived(time: float, state: FloatArray) -> float:
        return float(state[0] - floor)

    arrived.terminal = True  # type: ignore[attr-defined]
    done = integrate.solve_ivp(slope, (late * low, 400.0), start, method="LSODA", rtol=1e-9, atol=1e-13, events=arrived)
    fade_v, fade_change, pair_v, pair_change = done.y[3:, -1]  # what is left is of order floor^4
    both_v = 4.0 * pair_v - 2.0 * fade_v**2  # out with out, back with back, and out with back, of opposite sign
    both_change = 4.0 * pair_change + 2.0 * fade_change**2
    lost = (low**2 * both_v + both_change) / (2.0 * high)
    return float(damping / weight**2 * lost / equation.temperature)
