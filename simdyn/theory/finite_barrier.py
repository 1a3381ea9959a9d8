"""What a finite barrier does to Kramers' formulas at the next order in T, on a line."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simdyn.model.geometry import hessian_at, value_at
from simdyn.model.records import InvalidInput, flag
from simdyn.theory.equivalent import Problem, problem
from simdyn.theory.passage import Passage
from simdyn.theory.validity import FloatArray, name_of, warn

BREADTHS = 30.0  # how far the integrals reach, in breadths of their Gaussian
UNRESOLVED = 1e-9  # T below this share of the barrier: the next order is smaller than rounding
HELD = 0.95  # of the barrier: what lies behind a wall or a well that comes so near to it is not of this one


class FiniteBarrier(NamedTuple):
    """The next order of the time of escape, tau = tau_Kramers (1 + (well + top) T).

    well, top: what the two Gaussian integrals gain, per T; quartic: the share of `top` due to the fourth derivative;
    edge: what the passage of the saddle itself gains besides, per sqrt(T); error: how uncertain the derivatives are.
    """

    well: float
    top: float
    quartic: float
    edge: float
    error: float


def finite_barrier(dynamics: Any, landscape: Any, noise: Any) -> FiniteBarrier:
    """The coefficients of the next order in T, from third and fourth derivatives along the escape.

        well = 5 L'''^2/(24 L''^3) - L''''/(8 L''^2)         at the minimum
        top  = 5 L'''^2/(24 |L''|^3) + L''''/(8 L''^2)       at the saddle
        edge = -(2/3) L''' /sqrt(2 pi |L''|^3)               at the saddle, L''' along the way out

    Laplace's method for Int exp(-L/T) and Int exp(L/T), [D]. The passage of a point well beyond the saddle takes 1 +
    (well + top) T times Kramers' time; of the saddle itself half of that, but with 1 + edge sqrt(T) + (well + top) T.
    What is left is of order T^2, T^{3/2} at a skew saddle itself. The derivatives are central differences of the
    Hessian. Raises InvalidInput in more than one dimension unless the landscape is separable along the escape.
    """
    return of_problem(problem(dynamics, landscape, noise))


def of_problem(case: Problem) -> FiniteBarrier:
    """`finite_barrier` of a problem."""
    if not case.separable:
        raise InvalidInput(f"{name_of(case.way.landscape)}: the next order is for a line, or a coordinate on its own")
    low, high = (_coefficients(case, part) for part in (0.01, 0.02))
    far = abs(low.well - high.well) + abs(low.top - high.top)
    return low._replace(error=far)


def _coefficients(case: Problem, part: float) -> FiniteBarrier:
    way, step = case.way, part * case.length
    third, fourth, curve = {}, {}, {}
    for name, place in (("well", way.minimum), ("top", way.saddle)):
        bends = [
            case.along @ hessian_at(way.landscape, place + k * step * case.along) @ case.along for k in range(-2, 3)
        ]
        curve[name] = abs(bends[2])
        third[name] = (bends[0] - 8.0 * bends[1] + 8.0 * bends[3] - bends[4]) / (12.0 * step)
        fourth[name] = (-bends[0] + 16.0 * bends[1] - 30.0 * bends[2] + 16.0 * bends[3] - bends[4]) / (12.0 * step**2)
    skew = {name: 5.0 * third[name] ** 2 / (24.0 * curve[name] ** 3) for name in curve}
    flat = {name: fourth[name] / (8.0 * curve[name] ** 2) for name in curve}
    edge = -2.0 / 3.0 * third["top"] / math.sqrt(2.0 * math.pi * curve["top"] ** 3)
    return FiniteBarrier(skew["well"] - flat["well"], skew["top"] + flat["top"], flat["top"], edge, math.nan)


def finite_barrier_factor(dynamics: Any, landscape: Any, noise: Any, at_saddle: bool = False) -> float:
    """By how much a finite barrier lengthens the time of escape, to next order in T; at_saddle: the passage of the saddle.

        overdamped   1 + (well + top) T            1 + edge sqrt(T) + (well + top) T at the saddle itself
        inertial     (1 + well T) (1 + top(s) T),  s = gamma/(lambda + mu) = gamma/sqrt(gamma^2 + 4 omega_b^2)

    top(s) = s^2 top for a saddle without skewness: the variance of the coordinate on the dividing plane of the unstable
    mode is s T/omega_b^2, and transition-state theory in all modes is exact to this order [D]; the skew part is
    weighted alike, which is an interpolation between its two limits. Warns (ValidityWarning) where well T or top T exceeds
    0.3. Raises InvalidInput as `finite_barrier`, and for the saddle itself with inertia.
    """
    case = problem(dynamics, landscape, noise)
    found, heat = of_problem(case), case.equation.temperature
    if flag("at_saddle", at_saddle) and case.equation.mass > 0.0:
        raise InvalidInput(
            "at_saddle is for overdamped motion: with inertia the saddle's passage is not half of the escape"
        )
    if max(abs(found.well), abs(found.top)) * heat > 0.3:
        warn(
            f"the next order is {max(abs(found.well), abs(found.top)) * heat:.2g} of the first: the barrier is too low"
        )
    factor = factor_of(case, found)
    return factor + found.edge * math.sqrt(heat) if at_saddle else factor


def factor_of(case: Problem, found: FiniteBarrier) -> float:
    """`finite_barrier_factor` from its coefficients."""
    equation = case.equation
    if equation.mass <= 0.0:
        return 1.0 + (found.well + found.top) * equation.temperature
    share = equation.damping / math.hypot(equation.damping, 2.0 * math.sqrt(case.way.saddle_curvature / equation.mass))
    return (1.0 + found.well * equation.temperature) * (1.0 + share**2 * found.top * equation.temperature)


def second_order(case: Problem, found: FiniteBarrier) -> float:
    """What the orders after the next may amount to, relative: half of (T/dL)^2, and how far the expansions are from the
    integrals they expand, which sees what no derivative at the two points does, such as a kink nearby."""
    heat, equation = case.equation.temperature, case.equation
    share = 1.0
    if equation.mass > 0.0:
        share = equation.damping / math.hypot(
            equation.damping, 2.0 * math.sqrt(case.way.saddle_curvature / equation.mass)
        )
    well, top = integrals(case)
    # A cap that is not smooth on the scale of T acts at lower friction already than share^2 says.
    missed = abs(well - 1.0 - found.well * heat) + math.sqrt(share) * abs(top - 1.0 - found.top * heat)
    return 0.5 * (1.0 / case.action) ** 2 + missed + found.error * heat


def integrals(case: Problem) -> tuple[float, float]:
    """`line_integrals` of a problem, at its one temperature."""
    heat = case.equation.temperature
    return line_integrals(case.way, case.length * case.along, heat, heat)


def line_integrals(
    way: Passage,
    run: FloatArray,
    well: float,
    top: float,
    points: int = 400,
    temperature: Callable[[FloatArray], FloatArray] | None = None,
) -> tuple[float, float]:
    """Int exp(-(L - L(a))/T) over the well and Int exp((L - L(b))/T) over the cap, each over its Gaussian value.

    Where `temperature` tells T at points (n, d), (n,), Int dL/T from a or from b stands in the exponents, and T(a)/T before
    the well's, as a mean first passage has it (Ito); well, top: T at the two points.

    On the line from the saddle to three lengths beyond the minimum, and from the minimum to as far behind the saddle,
    thirty breadths of the Gaussian at most; a part that lies below the minimum, or above the saddle, is left out, as is
    all behind a wall as high as the saddle, or behind a well as deep as the minimum. At T below 1e-9 of the barrier both are
    1: differences of L are not resolved so finely. run: (d,) from minimum to saddle.
    """
    nodes, weights = _gauss(points)
    length = float(np.linalg.norm(run))
    along = run / length
    results = []
    for sign, start, end, centre, heat in ((-1.0, 0.0, 4.0, way.minimum, well), (1.0, -1.0, 1.0, way.saddle, top)):
        if heat < UNRESOLVED * way.barrier:
            results.append(1.0)
            continue
        curve = abs(float(along @ hessian_at(way.landscape, centre) @ along))
        place = 1.0 if sign < 0.0 else 0.0
        reach = BREADTHS * math.sqrt(heat / curve) / length
        start, end = max(start, place - reach), min(end, place + reach)
        middle, half = (start + end) / 2.0 * length, (end - start) / 2.0 * length
        origin = value_at(way.landscape, centre)
        places = way.saddle - (middle + half * nodes)[:, None] * along
        heights = np.array([value_at(way.landscape, point) - origin for point in places])
        apart = np.abs(middle + half * nodes - place * length)
        kept = (sign * heights <= 1e-9) & _around(int(np.argmin(apart)), np.abs(heights) <= HELD * way.barrier)
        heights, weighed = heights[kept], weights[kept]
        if temperature is None:
            exponents = heights / heat
        else:
            heats = np.maximum(temperature(places[kept]), UNRESOLVED * heat)
            exponents = _over_temperature(heights, heats, int(np.argmin(apart[kept])))
            weighed = weighed * heat / heats if sign < 0.0 else weighed
        total = half * float(weighed @ np.exp(np.minimum(sign * exponents, 700.0)))
        results.append(total / math.sqrt(2.0 * math.pi * heat / curve))
    return results[0], results[1]


def _over_temperature(heights: FloatArray, heats: FloatArray, centre: int) -> FloatArray:
    """Int dL/T from the centre, where L is 0, to each of the points in a row: L/T - Int L d(1/T), by trapezia."""
    changes = np.diff(1.0 / heats) * (heights[1:] + heights[:-1]) / 2.0
    before = np.concatenate([[0.0], np.cumsum(changes)])
    return np.asarray(heights / heats - (before - before[centre]))


def _around(centre: int, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The stretch of `held` points, (n,), that holds the centre: what lies beyond the next top or well is another one."""
    lost = np.flatnonzero(~held)
    first = np.max(lost[lost < centre], initial=-1)
    last = np.min(lost[lost > centre], initial=len(held))
    index = np.arange(len(held))
    return np.asarray((index > first) & (index < last))


@functools.cache
def _gauss(points: int) -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(points)
