"""The mean squared displacement near a saddle, and the stationary variance in a quadratic well.

The formulas hold while |H_i| eta T is small: the particle has not yet felt the curvature, except through its noise C_i
= |H_i|/B. T counts iterations; everything is squared displacement per coordinate. Plain-number functions broadcast
their arguments. Standing: [P] Xie, Wang, Zhang, Sato, Sugiyama, arXiv 2006.15815, for SGD, Momentum, Adam; [D] the
rest.
"""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import signal

from simdyn.model.arrays import numbers
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.geometry import hessian_at, saddle
from simdyn.model.landscapes import Rotated, dimension, frame
from simdyn.model.noise import finite_variance_at
from simdyn.model.records import InvalidInput, check_kind, flag
from simdyn.theory.divisor import divisor
from simdyn.theory.left_out import SHORTEST, mean_inverse, power_at, spread_of_v
from simdyn.theory.optimizers import optimizer_at
from simdyn.theory.validity import FloatArray, momentum_fraction, name_of, positive, warn, whole_steps

LARGEST_FALL = 0.5  # |H_i| (effective rate) T: above it the curvature has been felt
LARGEST_START = 2.0  # the displacement from rest over the formula's, or the other way round
LARGEST_GAIN = 1.25  # by what a v that fluctuates may multiply the displacement


class Displacement(NamedTuple):
    """A mean squared displacement in its two parts: drift (inertia) and diffusion. Arrays of one shape."""

    drift: FloatArray
    diffusion: FloatArray

    @property
    def total(self) -> FloatArray:
        """drift + diffusion."""
        return self.drift + self.diffusion


def sgd_displacement(steps: ArrayLike, learning_rate: float, curvature: ArrayLike, batch_size: float) -> Displacement:
    """SGD: no drift, and diffusion |H_i| eta^2 T / B [P].

    curvature: H_i, any sign. Raises InvalidInput for numbers out of range. Warns (ValidityWarning) at |H_i|
    eta T above 0.5.
    """
    positive(learning_rate=learning_rate, batch_size=batch_size)
    time = whole_steps(steps)
    diffusion = np.abs(numbers("curvature", curvature)) * learning_rate**2 * time / batch_size
    return Displacement(np.zeros_like(diffusion), diffusion)


def momentum_displacement(
    steps: ArrayLike, learning_rate: float, beta1: float, beta3: float, curvature: ArrayLike, batch_size: float
) -> Displacement:
    """Momentum [P].

        <dtheta_i^2> = |H_i| beta3^2 eta^2 /(2 (1-beta1)^3 B) [1 - exp(-(1-beta1) T)]^2  +  |H_i| beta3^2 eta^2 T/(B
        (1-beta1)^2)

    The first term is drift, the second diffusion. The sum is neither a start at rest nor a stationary one: it adds the
    drift of a stationary start to the long-time diffusion, and is high by 1.5 to 2 times 1/(1-beta1) iterations' worth
    (`momentum_displacement_flat`). Raises InvalidInput for numbers out of range. Warns (ValidityWarning) at |H_i|
    beta3 eta T/(1-beta1) above 0.5.
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate, beta3=beta3, batch_size=batch_size)
    time, forgetting = whole_steps(steps), 1.0 - beta1
    unit = np.abs(numbers("curvature", curvature)) * (beta3 * learning_rate / forgetting) ** 2 / batch_size
    return Displacement(unit * np.expm1(-forgetting * time) ** 2 / (2.0 * forgetting), unit * time)


def adam_displacement(
    steps: ArrayLike, learning_rate: float, beta1: float, normalised: ArrayLike = 1.0
) -> Displacement:
    """Adam: the same for every curvature where eps is negligible [P]; with it, times C_i/p_i^2 [D].

        <dtheta_i^2> = { eta^2/(2 (1-beta1)) [1 - exp(-(1-beta1) T)]^2  +  eta^2 T } C_i/p_i^2

    normalised: C_i/p_i^2, p_i = sqrt(v_i) + eps what divides the gradient, at v_i = C_i: 1 where eps is 0. It forgets the
    bias correction and so is low (`adam_displacement_bias_corrected`). Raises InvalidInput for numbers out of range.
    Plain numbers: nothing is warned of here; `displacement_parts`, which calls it, tells where the curvature is felt, v is
    not steady, or the start counts.
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate)
    time, forgetting = whole_steps(steps), 1.0 - beta1
    unit = learning_rate**2 * numbers("normalised", normalised)
    drift = unit * np.expm1(-forgetting * time) ** 2 / (2.0 * forgetting)
    return Displacement(drift, unit * time)


def adai_displacement(
    steps: ArrayLike,
    learning_rate: float,
    beta0: float,
    curvature: ArrayLike,
    batch_size: float,
    mean_curvature: ArrayLike,
) -> Displacement:
    """Adai: Momentum's formula with 1-beta1 -> beta0 v_i/vbar and beta3 = 1-mu [D].

        <dtheta_i^2> = m eta^2/(2 beta0 B) [1 - exp(-beta0 |H_i| T/m)]^2  +  |H_i| eta^2 T/B,    m = mean(|H|)

    mean_curvature: m, over all coordinates. Raises InvalidInput for numbers out of range.
    Warns (ValidityWarning) at |H_i| eta T above 0.5, and at beta0 |H_i|/m above 1, where Adai clips; of its eps, of steps
    that are not long against what it remembers and of a v that fluctuates `displacement_parts` warns.
    """
    positive(learning_rate=learning_rate, beta0=beta0, batch_size=batch_size)
    time = whole_steps(steps)
    size, mean = np.abs(numbers("curvature", curvature)), np.abs(numbers("mean_curvature", mean_curvature))
    if np.any(mean <= 0.0):
        raise InvalidInput("mean_curvature must be a positive number")
    unit = learning_rate**2 / batch_size
    return Displacement(unit * mean / (2.0 * beta0) * np.expm1(-beta0 * size * time / mean) ** 2, unit * size * time)


# ------------------------------------------------------------------------------------------- exact where it is flat


def momentum_displacement_flat(
    steps: ArrayLike, learning_rate: float, beta1: float, beta3: float, variance: ArrayLike, stationary: bool = False
) -> FloatArray:
    """Momentum without curvature, exact in discrete time [D]: with x = beta1^T, a = 1-beta1, from m_0 = 0,

        <dtheta^2> = (beta3 eta/a)^2 C [ T - 2 beta1 (1-x)/a + beta1^2 (1-x^2)/(1-beta1^2) ]

    variance: C. stationary: m_0 drawn from its stationary law instead, which adds (beta3 eta/a)^2 C beta1^2
    (1-x)^2/(1-beta1^2). Raises InvalidInput for numbers out of range. Exact for H = 0.

    >>> cold, warm = (momentum_displacement_flat(100, 1.0, 0.9, 0.1, 1.0, stationary) for stationary in (False, True))
    >>> round(float(cold), 1), round(float(warm), 1)
    (86.3, 90.5)
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate, beta3=beta3)
    time, forgetting = whole_steps(steps), 1.0 - beta1
    left = beta1**time
    bracket = time - 2.0 * beta1 * (1.0 - left) / forgetting + beta1**2 * (1.0 - left**2) / (1.0 - beta1**2)
    if flag("stationary", stationary):
        bracket = bracket + beta1**2 * (1.0 - left) ** 2 / (1.0 - beta1**2)
    return (beta3 * learning_rate / forgetting) ** 2 * numbers("variance", variance) * bracket


def adam_displacement_bias_corrected(steps: ArrayLike, learning_rate: float, beta1: float) -> FloatArray:
    """Adam without curvature and with v fixed at the noise's variance, bias correction included: exact then [D].

        <dtheta^2> = (1-beta1)^2 eta^2 Sum_{s=1}^{T} ( Sum_{t=s}^{T} beta1^{t-s}/(1 - beta1^t) )^2

    For another fixed v, times C/v. Raises InvalidInput for numbers out of range. Exact for H = 0 and fixed v.

    >>> round(float(adam_displacement_bias_corrected(100, 1.0, 0.9)), 1)
    112.2
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate)
    time = whole_steps(steps)
    sums = np.vectorize(lambda last: _bias_corrected_sum(int(last), beta1), otypes=[float])(time)
    return learning_rate**2 * sums


def _bias_corrected_sum(last: int, beta1: float) -> float:
    if last == 0 or beta1 == 0.0:
        return float(last)
    # Once beta1^t is lost in rounding, every further step adds exactly one unit.
    mature = 2 * int(np.ceil(-38.0 / np.log(beta1)))
    length = min(last, mature)
    weights = 1.0 / -np.expm1(np.arange(length, 0, -1) * np.log(beta1))
    later = signal.lfilter([1.0 - beta1], [1.0, -beta1], weights)
    return float(np.sum(later**2)) + (last - length)


# ------------------------------------------------------------------------------------------------- from the records


def mean_squared_displacement(dynamics: Any, landscape: Any, noise: Any, steps: ArrayLike) -> FloatArray:
    """<dtheta_i^2> near the landscape's saddle after each of `steps`, (len(steps), d): `displacement_parts`' total."""
    return displacement_parts(dynamics, landscape, noise, steps).total


def displacement_parts(dynamics: Any, landscape: Any, noise: Any, steps: ArrayLike) -> Displacement:
    """Drift and diffusion near the landscape's saddle after each of `steps`, both (len(steps), d).

    By the formulas of SGD, Momentum, Adam [P] and Adai [D] in this file, with C_i, the noise's covariance at the
    saddle, for |H_i|/B. Raises InvalidInput for other dynamics, rotated landscapes (the formulas are for the
    eigendirections) and steps that are not whole. Warns (ValidityWarning) where |H_i| times the effective rate times T
    exceeds 0.5; where a start at rest takes the displacement to less than half or more than twice the formula's
    (bias corrections and all, v held); where Adam's v fluctuates so that it adds more than a quarter, Adai's more than a
    fifth; and where Adai clips, or T is below three times what it remembers. Without a warning it is right within a
    factor of 2.
    """
    for kind, given in (("dynamics", dynamics), ("landscape", landscape), ("noise", noise)):
        check_kind(kind, given)
    if frame(landscape)[1] is not None or isinstance(landscape, Rotated):
        raise InvalidInput("displacement formulas are for the eigendirections: give the landscape unrotated")
    time = whole_steps(steps).reshape(-1, 1)
    point = saddle(landscape)
    curvature = np.abs(np.diag(hessian_at(landscape, point)))
    variance = finite_variance_at(noise, landscape, point)
    parts, rate = _parts(dynamics, time, variance)
    fall = float(np.max(curvature * rate * np.max(time, initial=0.0), initial=0.0))
    if fall > LARGEST_FALL:
        warn(f"|H| eta T reaches {fall:.3g}: above {LARGEST_FALL:g} the curvature is felt")
    shape = (len(time), dimension(landscape))
    found = Displacement(*(np.broadcast_to(part, shape).copy() for part in parts))
    _warn_of_the_start(found.total, np.broadcast_to(_from_rest(dynamics, time, variance), shape), time)
    _warn_of_the_average(dynamics, time, variance)
    return found


def _warn_of_the_start(formula: FloatArray, from_rest: FloatArray, time: FloatArray) -> None:
    known = (formula > 0.0) & (from_rest > 0.0)
    ratio = np.where(known, from_rest, 1.0) / np.where(known, formula, 1.0)
    off = np.maximum(ratio, 1.0 / ratio)
    worst = np.unravel_index(np.argmax(off), off.shape) if off.size else None
    if worst is not None and off[worst] > LARGEST_START:
        warn(f"from rest it is {ratio[worst]:.3g} of the formula after {time[worst[0], 0]:.0f} steps: the start counts")


@singledispatch
def _from_rest(dynamics: Any, time: FloatArray, variance: FloatArray) -> FloatArray:
    """The displacement without curvature from m = 0, exact where v is held, (n, d) or (n, 1)."""
    return _parts(dynamics, time, variance)[0].total


@_from_rest.register
def _momentum_from_rest(dynamics: Momentum, time: FloatArray, variance: FloatArray) -> FloatArray:
    return momentum_displacement_flat(time, *dynamics, variance)


@_from_rest.register
def _adam_from_rest(dynamics: Adam, time: FloatArray, variance: FloatArray) -> FloatArray:
    divided = divisor(variance, 0.5, dynamics.eps, dynamics.eps_inside_root)
    sums = adam_displacement_bias_corrected(time, dynamics.learning_rate, dynamics.beta1)
    return sums * variance / divided**2


@_from_rest.register
def _adai_from_rest(dynamics: Adai, time: FloatArray, variance: FloatArray) -> FloatArray:
    mean = float(np.mean(variance))
    columns = []
    for each in variance:
        forgetting = min(max(dynamics.beta0 * each / mean, dynamics.eps), 1.0)
        columns.append(each * adam_displacement_bias_corrected(time, dynamics.learning_rate, 1.0 - forgetting))
    return np.concatenate(columns, axis=1)


def _warn_of_the_average(dynamics: Any, time: FloatArray, variance: FloatArray) -> None:
    """Where second moments are no number to divide by: few gradients in the average, or few steps since the start."""
    if isinstance(dynamics, Adam):
        share = power_at(optimizer_at(dynamics, None), float(np.min(variance)))
        most = mean_inverse(spread_of_v(dynamics), share) ** 2
        if most > LARGEST_GAIN:
            warn(
                f"v fluctuates (beta2 = {dynamics.beta2:g}), which may change the displacement by a factor of {most:.3g}"
            )
    if isinstance(dynamics, Adai) and len(variance) > 1:
        gain = 1.0 + 4.0 * (1.0 - dynamics.beta2) + spread_of_v(dynamics)  # E[z^2 (1-mu)^2], 1-mu going as v
        if gain > LARGEST_GAIN:
            warn(
                f"v fluctuates (beta2 = {dynamics.beta2:g}), which may change the displacement by a factor of {gain:.3g}"
            )
        slowest = float(np.mean(variance)) / (dynamics.beta0 * max(float(np.min(variance)), 1e-300))
        memory = max(min(slowest, 1.0 / dynamics.eps), 1.0 / (1.0 - dynamics.beta2))
        shortest = float(np.min(time[time > 0.0], initial=math.inf))
        if shortest < SHORTEST * memory:
            warn(f"{shortest:.0f} steps are not long against the {memory:.3g} that Adai remembers: the start counts")


@singledispatch
def _parts(dynamics: Any, time: FloatArray, variance: FloatArray) -> tuple[Displacement, Any]:
    """The displacement, and the rate (d,) at which the method descends."""
    raise InvalidInput(f"{name_of(dynamics)}: no displacement formula; there is one for SGD, Momentum, Adam and Adai")


@_parts.register
def _sgd_parts(dynamics: SGD, time: FloatArray, variance: FloatArray) -> tuple[Displacement, Any]:
    return sgd_displacement(time, dynamics.learning_rate, variance, 1.0), dynamics.learning_rate


@_parts.register
def _momentum_parts(dynamics: Momentum, time: FloatArray, variance: FloatArray) -> tuple[Displacement, Any]:
    rate, beta1, beta3 = dynamics
    return momentum_displacement(time, rate, beta1, beta3, variance, 1.0), beta3 * rate / (1.0 - beta1)


@_parts.register
def _adam_parts(dynamics: Adam, time: FloatArray, variance: FloatArray) -> tuple[Displacement, Any]:
    if np.any(variance <= 0.0):
        raise InvalidInput("Adam: its displacement formula needs noise in every coordinate")
    divided = divisor(variance, 0.5, dynamics.eps, dynamics.eps_inside_root)
    parts = adam_displacement(time, dynamics.learning_rate, dynamics.beta1, variance / divided**2)
    return parts, dynamics.learning_rate / divided


@_parts.register
def _adai_parts(dynamics: Adai, time: FloatArray, variance: FloatArray) -> tuple[Displacement, Any]:
    mean = float(np.mean(variance))
    if not mean > 0.0:
        raise InvalidInput("Adai: its displacement formula needs noise in some coordinate")
    forgetting = dynamics.beta0 * variance / mean
    if np.any(forgetting < dynamics.eps) or np.any(forgetting > 1.0):
        warn("Adai clips beta1 in some coordinate, and the formula does not hold there")
    return adai_displacement(time, dynamics.learning_rate, dynamics.beta0, variance, 1.0, mean), dynamics.learning_rate


# ------------------------------------------------------------------------------------------------ stationary variance


def sgd_stationary_variance(curvature: ArrayLike, variance: ArrayLike, learning_rate: float) -> FloatArray:
    """<theta^2> of SGD at rest in a quadratic well, exact in discrete time: eta C/(H (2 - eta H)) [D].

    Raises InvalidInput unless 0 < eta H < 2, where it settles.
    """
    return momentum_stationary_variance(curvature, variance, learning_rate, beta1=0.0, beta3=1.0)


def momentum_stationary_variance(
    curvature: ArrayLike, variance: ArrayLike, learning_rate: float, beta1: float, beta3: float
) -> FloatArray:
    """<theta^2> of Momentum at rest in a quadratic well, exact in discrete time [D]: with h = eta beta3,

        <theta^2> = h C (1+beta1)/(H (1-beta1)(2 (1+beta1) - h H))

    Heavy ball: beta3 = 1; EMA: beta3 = 1-beta1. Raises InvalidInput unless 0 < h H < 2 (1+beta1), where it settles.

    >>> round(float(momentum_stationary_variance(2.0, 1.0, 0.1, beta1=0.9, beta3=0.1)), 6)
    0.025132
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate, beta3=beta3)
    height, rate = numbers("curvature", curvature), learning_rate * beta3
    if not np.all((rate * height > 0.0) & (rate * height < 2.0 * (1.0 + beta1))):
        raise InvalidInput("no stationary variance: eta beta3 H must lie between 0 and 2 (1 + beta1)")
    spread = rate * numbers("variance", variance) * (1.0 + beta1)
    return spread / (height * (1.0 - beta1) * (2.0 * (1.0 + beta1) - rate * height))
