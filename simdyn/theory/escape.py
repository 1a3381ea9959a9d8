"""The mean escape time of a dynamics on a landscape with a noise: the formulas of `formulas`, fed from the records."""

from functools import singledispatch
from typing import Any

import numpy as np

from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.records import InvalidInput, check_kind, flag
from simdyn.theory.escape_validity import warn_outside_validity
from simdyn.theory.formulas import (
    EscapeTime,
    adai_escape_time,
    adam_escape_time,
    inertial_kramers_escape_time,
    kramers_escape_time,
    momentum_escape_time,
    sgd_escape_time,
)
from simdyn.theory.optimizers import OPTIMIZERS, optimizer_escape_time
from simdyn.theory.passage import Climb, Passage, climb, passage
from simdyn.theory.validity import name_of, share_in_unit


def escape_time(
    dynamics: Any, landscape: Any, noise: Any, at_saddle: bool = False, convention: float | None = None
) -> EscapeTime:
    """The mean escape time from the landscape's minimum over its saddle, in steps for optimizers and in time for SDEs.

        tau = prefactor exp(action)

    By the formula attributed to the paper for SGD, Momentum, Adam [R] and Adai [R, its bracket D]; Kramers' for
    Overdamped and Inertial [D]; `effective_escape_time` for the other optimizers [D]: see `sgd_escape_time` and its
    neighbours, which display them. The result is a float with `.action` and `.prefactor`.

    at_saddle: the mean first passage of the saddle itself, half of the time of leaving for good. convention: alpha, how
    noise that changes on the way is read: 0 Ito, 1/2 Stratonovich, 1 Klimontovich. Default: 1 for SGD, Momentum and
    Adai, whose formulas are attributed in that form; 0 for the SDEs, which are Ito. Adam's comes in one form only.

    Noise: B is read as H_ae/C_ae, C the covariance at the minimum (FrozenNoise and TwoPieceNoise: their batch size); s
    is 1 where the noise is the same at minimum and saddle, else the share of the barrier climbed at the split. The SDEs
    take C as 2D.

    Raises InvalidInput where the landscape has no well, no saddle of index 1 or no barrier, where the noise vanishes at
    either, for dynamics without a formula, and for AdaBound where the escape is over before its bounds meet. Warns
    (ValidityWarning) at an action below 3, a step with (omega_a dt)^2 above 0.5 (the rate times H_ae without inertia),
    noise that takes more than two values on the way or is not Gaussian, damping so low that it takes more than a tenth off
    the rate, an escape shorter than three times what the method remembers, momentum that Adai clips, bounds of AdaBound
    that hardly meet, slopes at which the signs of SignSGD saturate, coordinates that are coupled or turned and differ in
    noise; and where what the formula is known to leave out, added up without regard to signs, may change it by more than a
    factor of 2.5 (`simdyn.theory.left_out`: the prefactor of the noise that is met, squared slopes in v, its fluctuations,
    v_max, first steps from rest, a finite barrier and finite steps, inertia between two noises, a v that still holds the
    noise from before it changed, steps across a jump to a quieter cap).

    Without a warning it is within a factor of 3, `STATED_FACTOR`, of the mean escape time from rest at the minimum, to a
    point well beyond the saddle.

    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import FrozenNoise
    >>> time = escape_time(SGD(0.05), DoubleWell(1.0, 1.0), FrozenNoise(batch_size=1.0))
    >>> round(time.action, 3), round(time.prefactor, 3), round(time)
    (5.0, 31.416, 4663)
    """
    at_saddle = flag("at_saddle", at_saddle)
    way = passage(landscape)
    met = climb(way, noise)
    found = _formula(dynamics, way, met, _alpha(dynamics, convention))
    warn_outside_validity(dynamics, landscape, noise, way, met, found)
    return found.halved() if at_saddle else found


def action(dynamics: Any, landscape: Any, noise: Any) -> float:
    """The exponent of the escape time, log tau = action + log prefactor: `escape_time`'s, without its warnings.

    SGD, Adai: (2 B dL/eta)(s/H_ae + (1-s)/|H_be|). Momentum: that times (1-beta1)/beta3. Adam: (2 sqrt(B)
    dL/eta)(s/sqrt(H_ae) + (1-s)/sqrt|H_be|). The others: (2 a B^{1-q} dL/eta)(s/H_ae^{1-q} + (1-s)/|H_be|^{1-q}) less
    weight decay's part, q and a as `effective` has them. Overdamped: dL (s/D_a + (1-s)/D_b). Inertial: that times
    gamma M. Standing: [P] for SGD, Momentum, Adam; [R] Adai; [D] the others.
    """
    way = passage(landscape)
    return _formula(dynamics, way, climb(way, noise), _alpha(dynamics, None)).action


def prefactor(dynamics: Any, landscape: Any, noise: Any, convention: float | None = None) -> float:
    """What multiplies exp(action) in the escape time, in steps for optimizers and in time for SDEs: inertial bracket
    and units included.

    SGD 2 pi/(eta |H_be|); Momentum 2 pi (gamma M) f/(eta |H_be|); Adai 2 pi f/(eta |H_be|);
    Adam 2 pi f |det(H_a^{-1} H_b)|^{1/4}/|H_be| sqrt(|H_be|/B)/eta; the other optimizers: `effective_escape_time`;
    Overdamped 2 pi/|H_be| sqrt(|det H_b|/det H_a); Inertial that times gamma M f; f: `inertial_bracket`. Conventions,
    standing and what is raised: as `escape_time`.
    """
    way = passage(landscape)
    return _formula(dynamics, way, climb(way, noise), _alpha(dynamics, convention)).prefactor


@singledispatch
def _formula(dynamics: Any, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    check_kind("dynamics", dynamics)
    raise InvalidInput(f"{name_of(dynamics)}: no escape formula, unlike the optimizers and the Langevin equations")


@_formula.register
def _sgd(dynamics: SGD, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    curvatures = way.minimum_curvature, way.saddle_curvature
    return sgd_escape_time(*curvatures, way.barrier, dynamics.learning_rate, met.batch_size, met.share, alpha)


@_formula.register
def _momentum(dynamics: Momentum, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    rate, beta1, beta3 = dynamics
    curvatures = way.minimum_curvature, way.saddle_curvature
    return momentum_escape_time(*curvatures, way.barrier, rate, met.batch_size, beta1, beta3, met.share, alpha)


@_formula.register
def _adai(dynamics: Adai, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    curvatures = way.minimum_curvature, way.saddle_curvature
    rate, beta0 = dynamics.learning_rate, dynamics.beta0
    return adai_escape_time(*curvatures, way.barrier, rate, met.batch_size, beta0, met.share, alpha)


@_formula.register
def _adam(dynamics: Adam, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    curvatures = way.minimum_curvature, way.saddle_curvature
    rate, beta1, eps = dynamics.learning_rate, dynamics.beta1, (dynamics.eps, dynamics.eps_inside_root)
    determinants = way.determinant_ratio
    return adam_escape_time(*curvatures, way.barrier, rate, met.batch_size, beta1, met.share, determinants, *eps)


@_formula.register
def _optimizer(dynamics: OPTIMIZERS, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    return optimizer_escape_time(dynamics, way, met, alpha)


@_formula.register
def _overdamped(dynamics: Overdamped, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    constant = kramers_escape_time(way.minimum_hessian, way.saddle_hessian, way.barrier, met.at_minimum / 2.0)
    return _with_changing_noise(constant, met, alpha)


@_formula.register
def _inertial(dynamics: Inertial, way: Passage, met: Climb, alpha: float) -> EscapeTime:
    diffusion = met.at_minimum / 2.0
    constant = inertial_kramers_escape_time(
        way.minimum_hessian, way.saddle_hessian, way.barrier, diffusion, dynamics.mass, dynamics.damping
    )
    return _with_changing_noise(constant, met, alpha)


def _with_changing_noise(constant: EscapeTime, met: Climb, alpha: float) -> EscapeTime:
    """Kramers' time for D = D_a before and D_b after the split, from the one for D_a throughout [D].

        dL/D_a -> dL (s/D_a + (1-s)/D_b),   prefactor times sqrt(det D_a/det D_b) (D_be/D_ae)^{1-alpha}

    Laplace's method in the double integral of the mean first passage; across the escape each D_j only sets a width.
    """
    change = met.at_saddle / met.at_minimum
    widths = np.sqrt(np.prod(met.minimum_variance / met.saddle_variance)) if change != 1.0 else 1.0
    return EscapeTime(
        constant.action * (met.share + (1.0 - met.share) / change),
        constant.prefactor * float(widths) * change ** (1.0 - alpha),
    )


def _alpha(dynamics: Any, convention: float | None) -> float:
    attributed = not isinstance(dynamics, (Overdamped, Inertial))
    if convention is None:
        return 1.0 if attributed else 0.0
    share_in_unit(convention=convention)
    if isinstance(dynamics, Adam) and convention != 1.0:
        raise InvalidInput("Adam: its formula is attributed in one form only; leave convention out")
    return float(convention)
