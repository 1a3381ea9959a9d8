"""Gradient noise with heavy tails: Student's t, whose variance is finite, and alpha-stable noise, whose is not.

Both are the same everywhere on the landscape and independent from coordinate to coordinate. They are noises of
optimizers: the Langevin equations are driven by Gaussian noise, and refuse them.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.landscapes import dimension
from simdyn.model.noise import SettledNoise, has_variance, is_gaussian, kick, settle, tail_index, variance
from simdyn.model.records import NON_NEGATIVE, POSITIVE, Allowed, InvalidInput, record

_DEGREES = Allowed(
    "a number above 2 and up to 1e6 (at 2 and below the variance is infinite: StableNoise is such a noise)",
    lambda value: 2.0 < value <= 1e6,
)
# A double ends at 2^1024, which a variate of alpha 0.1 reaches with a probability of about 2^-100.
_ALPHA = Allowed("a number from 0.1 to 2", lambda value: 0.1 <= value <= 2.0)


@record("noise", variance=NON_NEGATIVE, degrees=_DEGREES)
class StudentNoise(NamedTuple):
    """Student's t with `degrees` of freedom, scaled to the stated variance: C = variance, kick = (C (nu - 2)/nu)^(1/2) t.

    P(|kick| > x) falls as x^-nu, to the end of the doubles; moments are finite below order nu. One variance for all coordinates,
    or one per coordinate. Mean squared displacements are those of Gaussian noise of this variance; escapes are not: a single
    kick may do what many small ones would not.

    N draws hardly ever show the kicks that are rarer than one in N, and with them a share of the variance of about
    (nu/2) N^(2/nu - 1): of a million draws at nu = 2.01, 2.1, 2.2, 2.5, 3, 4 these are 94, 55, 32, 8, 1.7, 0.2 % (exactly
    I_y(nu/2 - 1, 3/2) with I_y(nu/2, 1/2) = 1/N, I the regularised incomplete beta function). What such an ensemble measures is
    usually so much smaller than the stated variance; `displacement` warns for nu up to 4, where its standard error is infinite.
    """

    variance: float | tuple[float, ...]
    degrees: float


@record("noise", scale=POSITIVE, alpha=_ALPHA)
class StableNoise(NamedTuple):
    """Symmetric alpha-stable noise, E exp(i t kick) = exp(-|scale t|^alpha): alpha = 1 Cauchy, alpha = 2 Gaussian.

    Tails P(kick > x) -> Gamma(alpha) sin(pi alpha/2)/pi (scale/x)^alpha; below alpha = 2 the variance is infinite, so that
    theory and exact methods refuse it, and `displacement` leaves the mean square out. At alpha = 2 it is Gaussian of variance
    2 scale^2; within 1e-7 of 2 the Gaussian part of its tail is cut as a normal's is, at 6.66 deviations. Tails go on to
    1e307 scale, where a variate of alpha = 0.1 gets with a probability of 2^-100; alpha below 0.1 is refused. A landscape should
    grow no faster than x^2 beyond the wells, or one kick makes a step diverge.
    """

    scale: float | tuple[float, ...]
    alpha: float = 1.5


class SettledStudent(NamedTuple):
    """`deviation` times Student's t, one per coordinate."""

    deviation: Any
    degrees: float


class SettledStable(NamedTuple):
    """`scale` times a standard alpha-stable variate, one per coordinate."""

    scale: Any
    alpha: float


def _each(name: str, given: Any, landscape: Any) -> np.ndarray:
    size, values = dimension(landscape), np.asarray(given, dtype=float)
    if values.shape not in ((), (size,)):
        raise InvalidInput(f"{name} has {values.size} entries, the landscape {size} coordinates")
    return np.array(np.broadcast_to(values, size))


@settle.on(StudentNoise)
def _settle_student(noise: StudentNoise, landscape: Any) -> SettledStudent:
    given = _each("StudentNoise: variance", noise.variance, landscape)
    return SettledStudent(np.sqrt(given * (noise.degrees - 2.0) / noise.degrees), noise.degrees)


@settle.on(StableNoise)
def _settle_stable(noise: StableNoise, landscape: Any) -> SettledStable | SettledNoise:
    given = _each("StableNoise: scale", noise.scale, landscape)
    return SettledNoise(math.sqrt(2.0) * given) if noise.alpha == 2.0 else SettledStable(given, noise.alpha)


@variance.on(SettledStudent)
def student_variance(noise, landscape, x, j, i):
    return noise.deviation[j] * noise.deviation[j] * (noise.degrees / (noise.degrees - 2.0))


@variance.on(SettledStable)
def stable_variance(noise, landscape, x, j, i):
    return np.inf


@kick.on(SettledStudent)
def student_kick(noise, landscape, x, j, i, w, trig):
    return noise.deviation[j] * (math.sqrt(w) * trig)  # w is 1: the engine hands the whole variate on as `trig`


@kick.on(SettledStable)
def stable_kick(noise, landscape, x, j, i, w, trig):
    return noise.scale[j] * (math.sqrt(w) * trig)


@tail_index.on(SettledStudent)
def _student_index(noise: SettledStudent) -> float:
    return noise.degrees if np.any(noise.deviation) else math.inf


@tail_index.on(SettledStable)
def _stable_index(noise: SettledStable) -> float:
    return noise.alpha


@is_gaussian.on(SettledStudent, SettledStable)
@has_variance.on(SettledStable)
def _not(noise: Any) -> bool:
    return False
