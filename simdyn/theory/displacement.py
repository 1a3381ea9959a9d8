"""The mean squared displacement near a saddle, and the stationary variance in a quadratic well.

The formulas hold while |H_i| eta T is small: the particle has not yet felt the curvature, except through its noise C_i
= |H_i|/B. T counts iterations; everything is squared displacement per coordinate. Plain-number functions broadcast
their arguments. Standing: [P] Xie, Wang, Zhang, Sato, Sugiyama, arXiv 2006.15815, for SGD, Momentum, Adam; [D] the
rest.
"""

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
from simdyn.theory.validity import FloatArray, momentum_fraction, name_of, positive, warn, whole_steps

LARGEST_FALL = 0.5  # |H_i| (effective rate) T: above it the curvature has been felt


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

    curvature: H_i, any sign. Raises InvalidInput for numbers out of range. Validity: |H_i| eta T << 1.
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
    (`momentum_displacement_flat`). Raises InvalidInput for numbers out of range. Validity: |H_i| beta3 eta T/(1-beta1)
    << 1.
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate, beta3=beta3, batch_size=batch_size)
    time, forgetting = whole_steps(steps), 1.0 - beta1
    unit = np.abs(numbers("curvature", curvature)) * (beta3 * learning_rate / forgetting) ** 2 / batch_size
    return Displacement(unit * np.expm1(-forgetting * time) ** 2 / (2.0 * forgetting), unit * time)


def adam_displacement(steps: ArrayLike, learning_rate: float, beta1: float) -> Displacement:
    """Adam: the same for every curvature [P].

        <dtheta_i^2> = eta^2/(2 (1-beta1)) [1 - exp(-(1-beta1) T)]^2  +  eta^2 T

    It forgets the bias correction and so is low (`adam_displacement_bias_corrected`). Raises InvalidInput for numbers
    out of range. Validity: |H_i| eta T/sqrt(v_i) << 1, v_i the noise's variance, eps negligible.
    """
    momentum_fraction(beta1)
    positive(learning_rate=learning_rate)
    time, forgetting = whole_steps(steps), 1.0 - beta1
    drift = learning_rate**2 * np.expm1(-forgetting * time) ** 2 / (2.0 * forgetting)
    return Displacement(drift, learning_rate**2 * time)


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
    Validity: |H_i| eta T << 1 and no clipping: eps < beta0 |H_i|/m < 1.
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
    (1-x)^2/(1-beta1^2). Raises InvalidInput for numbers out of range. Validity: exact for H = 0.

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

    For another fixed v, times C/v. Raises InvalidInput for numbers out of range. Validity: exact for H = 0 and fixed v.

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
    exceeds 0.5, and where Adai clips.
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
    return Displacement(np.broadcast_to(parts.drift, shape).copy(), np.broadcast_to(parts.diffusion, shape).copy())


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
    return adam_displacement(time, dynamics.learning_rate, dynamics.beta1), dynamics.learning_rate / np.sqrt(variance)


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
