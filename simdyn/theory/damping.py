"""Inertia: the mass, damping and temperature that an optimizer's momentum amounts to, and what low damping does."""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate

from simdyn.model.arrays import numbers
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.geometry import value_at
from simdyn.model.records import InvalidInput
from simdyn.theory.formulas import bracket
from simdyn.theory.optimizers import OPTIMIZERS, optimizer_at
from simdyn.theory.passage import Climb, Passage, climb, far_wall, passage
from simdyn.theory.validity import name_of


class Inertia(NamedTuple):
    """The inertial equation a method amounts to: mass M, damping gamma, temperature at the minimum T = D/(gamma M)."""

    mass: float
    damping: float
    temperature: float


@singledispatch
def inertia(dynamics: Any, way: Passage, met: Climb | None) -> Inertia | None:
    """The inertial equation a dynamics amounts to on a passage; None where it has no inertia.

    Momentum: M = eta/beta3, gamma = (1-beta1)/eta, D = eta C/2. Adai: EMA with 1-beta1 -> beta0. Adam: EMA with eta ->
    eta/p_b, p_b = sqrt(|H_b|/B) + eps. The other optimizers: EMA with their effective rate at the saddle (`effective`). met may
    be None where the temperature is not asked for. Standing: [D], limits of section 2.
    """
    raise InvalidInput(f"{name_of(dynamics)}: no theory of its inertia; there is for the optimizers and Inertial")


@inertia.register
def _no_inertia(dynamics: SGD | Overdamped, way: Passage, met: Climb | None) -> None:
    return None


@inertia.register
def _momentum_inertia(dynamics: Momentum, way: Passage, met: Climb | None) -> Inertia:
    return _of_momentum(dynamics.learning_rate, 1.0 - dynamics.beta1, dynamics.beta3, met)


@inertia.register
def _adai_inertia(dynamics: Adai, way: Passage, met: Climb | None) -> Inertia:
    return _of_momentum(dynamics.learning_rate, dynamics.beta0, dynamics.beta0, met)


@inertia.register
def _inertial_inertia(dynamics: Inertial, way: Passage, met: Climb | None) -> Inertia:
    diffusion = math.nan if met is None else met.at_minimum / 2.0
    return Inertia(dynamics.mass, dynamics.damping, diffusion / (dynamics.damping * dynamics.mass))


@inertia.register
def _optimizer_inertia(dynamics: Adam | OPTIMIZERS, way: Passage, met: Climb | None) -> Inertia | None:
    method = optimizer_at(dynamics, met)
    if math.isinf(method.forgetting):
        return None
    if met is None and method.power == 0.0:
        return _of_momentum(method.rate, method.forgetting, method.forgetting, None)
    if met is None:
        raise InvalidInput(
            f"{name_of(dynamics)}: its inertia depends on the noise; give the noise as the third argument"
        )
    rate = method.rate_at(way.saddle_curvature / met.batch_size)
    found = _of_momentum(rate, method.forgetting, method.forgetting, met)
    return found._replace(temperature=found.temperature / (method.drift * method.hold))


def _of_momentum(rate: float, forgetting: float, weight: float, met: Climb | None) -> Inertia:
    variance = math.nan if met is None else met.at_minimum
    return Inertia(rate / weight, forgetting / rate, rate * weight * variance / (2.0 * forgetting))


def inertial_bracket(dynamics: Any, landscape: Any, noise: Any) -> float:
    """f = [sqrt(1 + 4 |H_be|/(gamma^2 M)) + 1] / 2 of a dynamics: 1 for SGD and Overdamped, which have no inertia.

    With 4 |H_be|/(gamma^2 M) = 4 eta beta3 |H_be|/(1-beta1)^2 for Momentum, 4 eta |H_be|/beta0 for Adai, 4 eta
    |H_be|/((1-beta1) p_b) for Adam, p_b = sqrt(|H_be|/B) + eps. Normalised: the formulas' pi [sqrt(...) + 1] is 2 pi f.
    Standing: [R]; Adai's [D].
    Raises InvalidInput where there is no passage, or no theory for the dynamics.
    """
    way = passage(landscape)
    found = inertia(dynamics, way, climb(way, noise))
    return 1.0 if found is None else bracket(way.saddle_curvature, found.mass, found.damping)


def damping_ratio(dynamics: Any, landscape: Any, noise: Any = None) -> float:
    """gamma/omega_b, omega_b = sqrt(|H_be|/M): how strongly the motion over the saddle is damped.

    sqrt((1-beta1)/(eta |H_be|)) for EMA Momentum. Far below 1 the inertia matters, and once the energy lost per
    oscillation is no longer large against T (`energy_loss`, `depopulation_factor`) spatial diffusion, and with it every
    escape formula here, fails: `escape_time` warns then. noise: needed for Adam only. Standing: [D]. Raises
    InvalidInput for a dynamics without inertia.
    """
    way = passage(landscape)
    found = inertia(dynamics, way, None if noise is None else climb(way, noise))
    if found is None:
        raise InvalidInput(f"{name_of(dynamics)} has no inertia, so no damping ratio")
    return found.damping * math.sqrt(found.mass / way.saddle_curvature)


def energy_loss(dynamics: Any, landscape: Any, noise: Any) -> float:
    """The energy lost to friction in one oscillation from the saddle through the well and back, in units of T.

        d = gamma M closed-Int r dtheta / T = (gamma/T) 2 Int sqrt(2 M (L(b) - L(theta))) dtheta

    along the straight line from the saddle through the minimum. What `depopulation_factor` asks for. Standing: [D].
    Raises InvalidInput for a dynamics without inertia, or a well with no far wall as high as the saddle.
    """
    way = passage(landscape)
    found = inertia(dynamics, way, climb(way, noise))
    if found is None:
        raise InvalidInput(f"{name_of(dynamics)} has no inertia, so no energy to lose")
    return found.damping * math.sqrt(found.mass) * _round_trip(way) / found.temperature


def _round_trip(way: Passage) -> float:
    """2 Int sqrt(2 (L(b) - L)) along the line from the saddle through the minimum to the far wall."""
    line = way.minimum - way.saddle
    length, top = float(np.linalg.norm(line)), value_at(way.landscape, way.saddle)

    def depth(part: float) -> float:
        return top - value_at(way.landscape, way.saddle + part * line)

    wall = far_wall(depth, 1.0, 1e6)
    if wall is None:
        raise InvalidInput(f"{name_of(way.landscape)}: its well has no far wall as high as the saddle")

    def speed(angle: float) -> float:  # part = wall sin^2: smooth where the speed has a square root
        part = wall * math.sin(angle) ** 2
        return math.sqrt(max(2.0 * depth(part), 0.0)) * wall * math.sin(2.0 * angle)

    return 2.0 * length * float(integrate.quad(speed, 0.0, math.pi / 2.0, limit=200)[0])


def depopulation_factor(loss: ArrayLike, other_loss: ArrayLike | None = None) -> Any:
    """By how much low damping slows an escape: rate = Kramers' rate times A <= 1.

        A(d) = exp{ (1/2 pi) Int ln(1 - exp(-d (l^2 + 1/4))) / (l^2 + 1/4) dl }

    A(d) -> d as d -> 0, A -> 1 as d grows. loss: d, energy lost per oscillation over T, numbers of any shape, positive;
    other_loss: d of the well on the other side, from which a particle can return: A(d1) A(d2)/A(d1 + d2). Returns a
    float or an array of that shape. Standing: [D] (Mel'nikov and Meshkov 1986; Pollak, Grabert and Hanggi 1989). Raises
    InvalidInput for a loss that is not positive. Leading order in T over the
    barrier, Ohmic friction; `rates` estimates what the next orders are.

    >>> round(depopulation_factor(0.01), 4), round(depopulation_factor(40.0), 4)
    (0.0092, 1.0)
    """
    losses = numbers("loss", loss, "a positive number")
    if np.any(losses <= 0.0):
        raise InvalidInput("loss must be a positive number")
    if other_loss is not None:
        others = numbers("other_loss", other_loss, "a positive number")
        both = depopulation_factor(losses) * depopulation_factor(others) / depopulation_factor(losses + others)
        return float(both) if np.ndim(both) == 0 else both
    return float(_depopulation(float(losses))) if losses.ndim == 0 else np.vectorize(_depopulation)(losses)


def _depopulation(loss: float) -> float:
    # With l = tan(angle)/2 the weight is 2 d(angle): A = exp{ (2/pi) Int_0^{pi/2} ln(1 - exp(-d/(4 cos^2))) d(angle) }.
    def logarithm(angle: float) -> float:
        exponent = loss / (4.0 * math.cos(angle) ** 2)
        return math.log(-math.expm1(-exponent)) if exponent < 700.0 else 0.0

    bend = math.acos(min(math.sqrt(loss) / 2.0, 0.999))
    parts = [integrate.quad(logarithm, *ends, limit=200)[0] for ends in ((0.0, bend), (bend, math.pi / 2.0))]
    return math.exp(2.0 / math.pi * sum(parts))
