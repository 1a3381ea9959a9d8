"""Moments of Adam and Adai with v held still: bias-corrected averages, which are linear then."""

import math
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simdyn.exact.line import FloatArray
from simdyn.exact.linear import Stretch, momentum_step
from simdyn.exact.moments import Moments, linear_system, moments_of, whole
from simdyn.model.arrays import point_of
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.records import InvalidInput

LOST = 2.0**-54  # beta1^t that is lost in the rounding of 1 - beta1^t


def moments_with_frozen_v(
    dynamics: Any, landscape: Any, noise: Any, start: ArrayLike, steps: ArrayLike, v: ArrayLike | None = None
) -> Moments:
    """Moments of theta after each of `steps`, of Adam or Adai from rest if v never changed.

        m' = b m + (1 - b) (H theta + C^{1/2} z),    theta' = theta - r m'/(1 - b^t)

        Adam  b = beta1,                                     r = eta/(sqrt(v) + eps)    (sqrt(v + eps) if eps_inside_root)
        Adai  b_i = clip(1 - beta0 v_i/mean(v), 0, 1 - eps), r = eta

    v: a number or (d,), C by default, what E[g^2] is where the slope is zero. Landscape, noise, start, steps and result
    as `moments`. Standing: [D], exact for this approximation; it leaves out that v begins with a single g^2, fluctuates
    and grows with the slope. For H = 0 it is the sum

        <dtheta^2> = (1 - b)^2 r^2 C Sum_{s=1}^{T} ( Sum_{t=s}^{T} b^{t-s}/(1 - b^t) )^2

    Raises InvalidInput for other dynamics, for v that is not positive, and as `moments`.

    >>> from simdyn.model.landscapes import Saddle
    >>> from simdyn.model.noise import ConstantNoise
    >>> found = moments_with_frozen_v(Adam(1.0, eps=0.0), Saddle((0.0, 0.01)), ConstantNoise(1.0), 0.0, [100])
    >>> found.mean_square_displacement.round(1)
    array([[112.2,  46.6]])
    """
    system = linear_system(landscape, noise, start)
    held = point_of("v", system.variance if v is None else v, len(system.variance))
    if np.any(held <= 0.0):
        raise InvalidInput(f"v must be a positive number, or one for each of {len(system.variance)} coordinates")
    beta, rate = remembered(dynamics, held)
    times = whole(steps)
    corrected = min(_steps_to_forget(float(np.max(beta))), int(np.max(times, initial=0)))
    with np.errstate(over="ignore", invalid="ignore"):
        done = momentum_step(0.0, 1.0, 0.0, 0.0 * system.curvature, system.variance)  # nothing moves
        first = {0: done}
        for t in range(1, corrected + 1):
            done = done.then(momentum_step(rate / (1.0 - beta**t), beta, 1.0 - beta, system.curvature, system.variance))
            if t in times or t == corrected:
                first[t] = done
        met = [first[min(int(last), corrected)] for last in times]
        begun = Stretch(np.array([one.change for one in met]), np.array([one.gathered for one in met]))
        ever_after = momentum_step(rate, beta, 1.0 - beta, system.curvature, system.variance)
        total = begun.then_often(ever_after, np.maximum(times - corrected, 0))
    return moments_of(dynamics, system, total, 0.0, system.curvature * system.start)


@singledispatch
def remembered(dynamics: Any, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """b and r of each coordinate, (d,), at that v."""
    raise InvalidInput(f"{type(dynamics).__name__}: moments with v held still are those of Adam and Adai")


@remembered.register
def _adam(dynamics: Adam, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    divisor = np.sqrt(v + dynamics.eps) if dynamics.eps_inside_root else np.sqrt(v) + dynamics.eps
    return np.full(v.shape, dynamics.beta1), dynamics.learning_rate / divisor


@remembered.register
def _adai(dynamics: Adai, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    beta = np.clip(1.0 - dynamics.beta0 * v / np.mean(v), 0.0, 1.0 - dynamics.eps)
    return beta, np.full(v.shape, dynamics.learning_rate)


def _steps_to_forget(beta: float) -> int:
    return 0 if beta == 0.0 else math.ceil(math.log(LOST) / math.log(beta))
