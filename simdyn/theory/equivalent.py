"""The Langevin equation a dynamics amounts to while it escapes: mass, damping, temperature, and its clock."""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.dynamics.adai import Adai, AdaiV2, AdaiW
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum, Nesterov
from simdyn.model.dynamics.signsgd import SignSGD
from simdyn.model.geometry import hessian_at
from simdyn.model.noise import finite_variance_at
from simdyn.model.records import InvalidInput
from simdyn.theory.left_out import mean_square_slope
from simdyn.theory.optimizers import OPTIMIZERS, optimizer_at
from simdyn.theory.passage import Climb, Passage, climb, passage, warn_unless_gaussian
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
    noise differs between coordinates that the landscape couples: there is no temperature then. Warns (ValidityWarning) where
    the noise is not Gaussian.
    """
    way = passage(landscape)
    met = climb(way, noise)
    warn_unless_gaussian(way, noise)
    run = way.saddle - way.minimum
    length = float(np.linalg.norm(run))
    separable = is_separable(way, run / length)
    if not separable and np.ptp(met.minimum_variance) > 1e-9 * met.at_minimum:
        raise InvalidInput(f"{name_of(noise)}: no temperature, the noise differs between coordinates that are coupled")
    return Problem(way, equivalent(dynamics, way, met), run / length, length, separable, _constant(way, noise, met))


@singledispatch
def equivalent(dynamics: Any, way: Passage, met: Climb) -> Equivalent:
    """The equation a dynamics amounts to, with the noise met at the minimum. Standing: [D], limits of small steps.

    Overdamped  gamma M = 1, T = D                  Inertial  M, gamma, T = D/(gamma M)
    SGD         gamma M = 1, T = eta C/2, dt = eta
    Momentum    M = eta/beta3, gamma = (1-beta1)/eta, T = eta beta3 C/(2 (1-beta1)), dt = eta
    Adai        Momentum with beta3 = 1-beta1 -> beta0 C_e/mean(C); AdaiW too
    AdaiV2      Momentum with eta beta0^{1-D}, 1-beta1 -> f = beta0 (C_e/mean(C))^{1/(3-2D)}, beta3 -> f^D
    Adam        EMA Momentum with eta -> eta/(sqrt(v) + eps), v = C + H_ae T: the noise and the mean square of the well's
                slope
    the others  EMA Momentum with dt = r eta/p, T = eta C/(2 a p), M = dt/(1-beta1), or without inertia as SGD where
                nothing is remembered; r, a, p at v: `effective`. v = C + H_ae T as Adam's, for SignSGD C

    It is a limit: of small steps (`step`), with v settled and as `effective` has it. How far a method is from it `rates`
    estimates, which gives this equation's rates an error and says where they are not valid. Raises InvalidInput for weight
    decay, a force that is not the landscape's, for Adai's momentum where it is clipped, and for dynamics without an
    equation.
    """
    raise InvalidInput(f"{name_of(dynamics)}: no equivalent Langevin equation is known, unlike for the optimizers")


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
def _of_adam(dynamics: Adam, way: Passage, met: Climb) -> Equivalent:
    method = optimizer_at(dynamics, met)
    rate = float(method.rate_at(met.at_minimum + mean_square_slope(method, way, met)))
    return _with_momentum(rate, 1.0 - dynamics.beta1, 1.0 - dynamics.beta1, way, met)


@equivalent.register
def _of_optimizer(dynamics: OPTIMIZERS, way: Passage, met: Climb) -> Equivalent:
    _refuse_decay(dynamics)
    method = optimizer_at(dynamics, met)
    slope_counts = not isinstance(dynamics, SignSGD)  # its m is small beside the noise, its sign's mean is taken so
    v = met.at_minimum + (mean_square_slope(method, way, met) if slope_counts else 0.0)
    rate, temperature = float(method.rate_at(v)), float(method.temperature(met.at_minimum, v))
    relative = rate * way.minimum_curvature  # to 1-beta1, also what Nesterov's look ahead adds to it
    step = relative if isinstance(dynamics, Nesterov) else relative * min(method.forgetting, 1.0)
    return Equivalent(rate / method.forgetting, 1.0, temperature, rate, "step", step)


@equivalent.register  # after the optimizers, of which AdaiW and AdaiV2 are two: here their inertia follows the noise
def _of_adai(dynamics: Adai | AdaiW | AdaiV2, way: Passage, met: Climb) -> Equivalent:
    _refuse_decay(dynamics)
    dampening = getattr(dynamics, "dampening", 1.0)
    ratio = met.at_minimum / float(np.mean(met.minimum_variance))
    share = dynamics.beta0 * ratio ** (1.0 / (3.0 - 2.0 * dampening))
    if not dynamics.eps < share < 1.0:
        raise InvalidInput(
            f"{name_of(dynamics)}: 1-beta1 would be {share:.3g}, where its momentum is clipped; there is no equation"
        )
    rate = dynamics.learning_rate * dynamics.beta0 ** (1.0 - dampening)
    return _with_momentum(rate, share, share**dampening, way, met)


def _refuse_decay(dynamics: Any) -> None:
    if getattr(dynamics, "weight_decay", 0.0) > 0.0:
        raise InvalidInput(
            f"{name_of(dynamics)}: weight decay is no force of the landscape; without it there is an equation"
        )


def _with_momentum(rate: float, forgetting: float, weight: float, way: Passage, met: Climb) -> Equivalent:
    temperature = rate * weight * met.at_minimum / (2.0 * forgetting)
    size = rate * weight * way.minimum_curvature
    return Equivalent(rate / weight, forgetting / weight, temperature, rate, "step", size)


def is_separable(way: Passage, along: FloatArray) -> bool:
    """Whether the Hessian couples nothing to the line between minimum and saddle, (d,) its direction, and does not change
    across it."""
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
        found = finite_variance_at(noise, way.landscape, way.minimum + part * (way.saddle - way.minimum))
        if np.max(np.abs(found - met.minimum_variance)) > 1e-9 * met.at_minimum:
            return False
    return True
