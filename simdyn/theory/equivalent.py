"""The Langevin equation a dynamics amounts to while it escapes: mass, damping, temperature, and its clock."""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.geometry import hessian_at
from simdyn.model.noise import variance_at
from simdyn.model.records import InvalidInput
from simdyn.theory.passage import Climb, Passage, climb, passage
from simdyn.theory.validity import FloatArray, name_of


class Equivalent(NamedTuple):
    """M dr = -gamma M dtheta - grad L dt + (2D)^{1/2} dW at the minimum, and how long one unit of its clock is.

    mass: M, 0 where there is no inertia; drag: gamma M; temperature: T = D/(gamma M); clock: time per unit, 1 for the
    SDEs, the learning rate (Adam: over sqrt(v)) for optimizers, whose rates are per step; unit: "time" or "step";
    step: how large one step is, H_ae dt/(gamma M) or (omega_a dt)^2, 0 for the SDEs.
    """

    mass: float
    drag: float
    temperature: float
    clock: float
    unit: str
    step: float

    @property
    def damping(self) -> float:
        """gamma, infinite without inertia."""
        return self.drag / self.mass if self.mass > 0.0 else math.inf


class Problem(NamedTuple):
    """All that the rate theories ask for: the passage, the equation, and whether the escape is a motion on a line.

    along: (d,) the unit vector from the minimum to the saddle; separable: whether the Hessian couples nothing to the
    straight line between them and does not change across it; constant: whether the noise is the same on the whole way.
    """

    way: Passage
    equation: Equivalent
    along: FloatArray
    length: float
    separable: bool
    constant: bool

    @property
    def action(self) -> float:
        """dL/T."""
        return self.way.barrier / self.equation.temperature


def problem(dynamics: Any, landscape: Any, noise: Any) -> Problem:
    """A dynamics on a landscape with a noise, as the rate theories see it.

    Raises InvalidInput where there is no passage, or no equivalent equation; and, in more than one dimension, where the
    noise differs between coordinates that the landscape couples: there is no temperature then.
    """
    way = passage(landscape)
    met = climb(way, noise)
    run = way.saddle - way.minimum
    length = float(np.linalg.norm(run))
    separable = _separable(way, run / length)
    if not separable and np.ptp(met.minimum_variance) > 1e-9 * met.at_minimum:
        raise InvalidInput(f"{name_of(noise)}: no temperature, the noise differs between coordinates that are coupled")
    return Problem(way, equivalent(dynamics, way, met), run / length, length, separable, _constant(way, noise, met))


@singledispatch
def equivalent(dynamics: Any, way: Passage, met: Climb) -> Equivalent:
    """The equation a dynamics amounts to, with the noise met at the minimum. Standing: [D], limits of small steps.

    Overdamped  gamma M = 1, T = D                  Inertial  M, gamma, T = D/(gamma M)
    SGD         gamma M = 1, T = eta C/2, dt = eta
    Momentum    M = eta/beta3, gamma = (1-beta1)/eta, T = eta beta3 C/(2 (1-beta1)), dt = eta
    Adai        Momentum with beta3 = 1-beta1 -> beta0 C_e/mean(C)
    Adam        EMA Momentum with eta -> eta/sqrt(v), v = C + H_ae T: the noise and the mean square of the well's slope
    """
    raise InvalidInput(f"{name_of(dynamics)}: no equivalent Langevin equation; there is for SGD, Momentum, Adam, Adai")


@equivalent.register
def _of_overdamped(dynamics: Overdamped, way: Passage, met: Climb) -> Equivalent:
    return Equivalent(0.0, 1.0, met.at_minimum / 2.0, 1.0, "time", 0.0)


@equivalent.register
def _of_inertial(dynamics: Inertial, way: Passage, met: Climb) -> Equivalent:
    drag = dynamics.damping * dynamics.mass
    return Equivalent(dynamics.mass, drag, met.at_minimum / 2.0 / drag, 1.0, "time", 0.0)


@equivalent.register
def _of_sgd(dynamics: SGD, way: Passage, met: Climb) -> Equivalent:
    rate = dynamics.learning_rate
    return Equivalent(0.0, 1.0, rate * met.at_minimum / 2.0, rate, "step", rate * way.minimum_curvature)


@equivalent.register
def _of_momentum(dynamics: Momentum, way: Passage, met: Climb) -> Equivalent:
    return _with_momentum(dynamics.learning_rate, 1.0 - dynamics.beta1, dynamics.beta3, way, met)


@equivalent.register
def _of_adai(dynamics: Adai, way: Passage, met: Climb) -> Equivalent:
    share = dynamics.beta0 * met.at_minimum / float(np.mean(met.minimum_variance))
    if not dynamics.eps < share < 1.0:
        raise InvalidInput(
            f"Adai: beta0 C_e/mean(C) is {share:.3g}, where its momentum is clipped; there is no equation"
        )
    return _with_momentum(dynamics.learning_rate, share, share, way, met)


@equivalent.register
def _of_adam(dynamics: Adam, way: Passage, met: Climb) -> Equivalent:
    v = met.at_minimum
    for _ in range(50):  # T = eta C/(2 sqrt(v)): each turn changes v by a share H_ae T/C of the last change
        v = met.at_minimum * (1.0 + way.minimum_curvature * dynamics.learning_rate / (2.0 * math.sqrt(v)))
    rate = dynamics.learning_rate / math.sqrt(v)
    return _with_momentum(rate, 1.0 - dynamics.beta1, 1.0 - dynamics.beta1, way, met)


def _with_momentum(rate: float, forgetting: float, weight: float, way: Passage, met: Climb) -> Equivalent:
    temperature = rate * weight * met.at_minimum / (2.0 * forgetting)
    size = rate * weight * way.minimum_curvature
    return Equivalent(rate / weight, forgetting / weight, temperature, rate, "step", size)


def _separable(way: Passage, along: FloatArray) -> bool:
    if len(along) == 1:
        return True
    across = np.eye(len(along)) - np.outer(along, along)
    blocks = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25):
        hessian = hessian_at(way.landscape, way.saddle + part * (way.minimum - way.saddle))
        scale = 1e-5 * float(np.max(np.abs(hessian)))
        if np.max(np.abs(across @ hessian @ along)) > scale:
            return False
        blocks.append(across @ hessian @ across)
    return bool(np.max(np.abs(np.array(blocks) - blocks[0])) <= 1e-5 * max(float(np.max(np.abs(blocks))), 1e-300))


def _constant(way: Passage, noise: Any, met: Climb) -> bool:
    for part in (0.2, 0.5, 0.8, 1.0):
        found = variance_at(noise, way.landscape, way.minimum + part * (way.saddle - way.minimum))
        if np.max(np.abs(found - met.minimum_variance)) > 1e-9 * met.at_minimum:
            return False
    return True
