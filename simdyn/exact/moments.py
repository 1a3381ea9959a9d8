"""Mean and variance of linear dynamics, without sampling, after any number of steps or any time."""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdyn.exact.line import FloatArray
from simdyn.exact.linear import Stretch, generator, one_step, short_stretch
from simdyn.model.arrays import numbers, point_of
from simdyn.model.dynamics.protocol import begin, begin_running
from simdyn.model.heavy_noise import SettledStudent
from simdyn.model.landscapes import Quadratic, Saddle, Sharpened
from simdyn.model.noise import LocalNoise, ScaledNoise, SettledNoise, settle, variance_at
from simdyn.model.records import InvalidInput


class Moments(NamedTuple):
    """Of theta, per coordinate, (T, d) each: mean, covariance (its variance), mean square displacement."""

    mean: FloatArray
    covariance: FloatArray
    mean_square_displacement: FloatArray


def moments(
    dynamics: Any, landscape: Any, noise: Any, start: ArrayLike, steps: ArrayLike, momentum: Any = 0.0
) -> Moments:
    """Moments of theta after each of `steps`, of the discrete scheme as it is simulated. Exact, at any T.

        SGD         theta' = theta - eta (H theta + C^{1/2} z)
        Momentum    m' = beta1 m + beta3 (H theta + C^{1/2} z),   theta' = theta - eta m'
        Overdamped  theta' = theta - dt H theta + (dt C)^{1/2} z
        Inertial    u = v - (dt/M) H theta,   v' = e^{-gamma dt} u + a z,   theta' = theta + (dt/2)(u + v'),
                    a^2 = C (1 - e^{-2 gamma dt})/(2 gamma M^2)

    landscape: Quadratic, Saddle without quartic, or Sharpened ones. noise: the same everywhere once settled. start:
    theta_0, a number or (d,); steps: (T,) whole numbers from 0; momentum: the momentum at the start, a number or (d,),
    or "stationary": its law after running for ever on noise alone. Inertial's momentum is M r; its v runs half a kick
    behind. Standing: [D]. Raises InvalidInput for everything else.

    >>> from simdyn.model.dynamics.sgd import Momentum
    >>> from simdyn.model.noise import ConstantNoise
    >>> found = moments(Momentum(1.0, 0.9, 0.1), Saddle((0.0, 0.01)), ConstantNoise(1.0), 0.0, [100, 10**9])
    >>> found.covariance.round(1)
    array([[8.63000000e+01, 4.24000000e+01],
           [9.99999986e+08, 5.00000000e+01]])
    """
    system = linear_system(landscape, noise, start)
    one = one_step(dynamics, system.curvature, system.variance)
    times = whole(steps)
    shape = (len(times), *one.change.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        total = Stretch(np.zeros(shape), np.zeros(shape)).then_often(one, times)
    return moments_of(dynamics, system, total, momentum, system.curvature * system.start)


def continuous_moments(
    dynamics: Any, landscape: Any, noise: Any, start: ArrayLike, times: ArrayLike, momentum: Any = 0.0
) -> Moments:
    """Moments of theta after each of `times`, of the stochastic differential equation itself. Exact, at any time.

        Overdamped  d theta = -H theta dt + C^{1/2} dW,                                          C = 2D
        Inertial    d theta = v dt,   M dv = -gamma M v dt - H theta dt + C^{1/2} dW

    times: (T,) from 0; dt plays no part. "stationary" momentum has variance T M = D/gamma. The rest, standing and what
    is raised: as `moments`.

    >>> from simdyn.model.dynamics.langevin import Overdamped
    >>> from simdyn.model.noise import ConstantNoise
    >>> found = continuous_moments(Overdamped(0.1), Quadratic((2.0,)), ConstantNoise(1.0), 1.0, [0.5, 50.0])
    >>> found.covariance[:, 0].round(6)
    array([0.216166, 0.25    ])
    """
    system = linear_system(landscape, noise, start)
    moments_at = numbers("times", times, "finite numbers from 0").reshape(-1)
    if np.any(moments_at < 0.0):
        raise InvalidInput("times must be finite numbers from 0")
    drift, diffusion = generator(dynamics, system.curvature, system.variance)
    longest = float(np.max(np.abs(drift).sum(-1), initial=0.0) * np.max(moments_at, initial=0.0))
    halvings = max(0, math.ceil(math.log2(2.0 * longest))) if longest > 0.0 else 0
    total = short_stretch(drift, diffusion, moments_at / 2.0**halvings)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(halvings):
            total = total.then(total)
    # Without a step there is no half kick to run behind by: the slope at the start is left out.
    return moments_of(dynamics, system, total, momentum, np.zeros_like(system.start))


def stationary_variance(dynamics: Any, landscape: Any, noise: Any) -> FloatArray:
    """<theta^2> per coordinate, (d,), of the discrete scheme at rest in a well: the limit of `moments`' covariance.

    Standing: [D], exact. Raises InvalidInput where it does not settle, and as `moments`.
    """
    system = linear_system(landscape, noise, 0.0)
    one = one_step(dynamics, system.curvature, system.variance)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(64):
            one = one.then(one)
            if np.allclose(one.change, -np.eye(one.change.shape[-1]), rtol=0.0, atol=1e-30):
                return one.gathered[:, 0, 0]
    raise InvalidInput(
        f"{type(dynamics).__name__} has no stationary variance here: a curvature is not positive, or the step unstable"
    )


# ------------------------------------------------------------------------------------------------------- the problem


class System(NamedTuple):
    """Curvatures, covariances and starting point, (d,) each."""

    curvature: FloatArray
    variance: FloatArray
    start: FloatArray


def linear_system(landscape: Any, noise: Any, start: ArrayLike) -> System:
    curvature = linear_curvatures(landscape)
    _refuse_changing_noise(settle(noise, landscape))
    place = point_of("start", start, len(curvature))
    return System(curvature, variance_at(noise, landscape, np.zeros(len(curvature))), place)


@singledispatch
def linear_curvatures(landscape: Any) -> FloatArray:
    """The curvatures (d,) of a landscape whose gradient is linear, coordinate by coordinate."""
    raise InvalidInput(f"{type(landscape).__name__}: exact moments need a linear gradient; use Quadratic or Saddle")


@linear_curvatures.register
def _quadratic(landscape: Quadratic) -> FloatArray:
    return np.array(landscape.curvatures)


@linear_curvatures.register
def _saddle(landscape: Saddle) -> FloatArray:
    if landscape.quartic != 0.0:
        raise InvalidInput("Saddle: exact moments need a linear gradient; set quartic to 0")
    return np.array(landscape.curvatures)


@linear_curvatures.register
def _sharpened(landscape: Sharpened) -> FloatArray:
    return landscape.sharpness * linear_curvatures(landscape.landscape)


@singledispatch
def _refuse_changing_noise(noise: Any) -> None:
    raise InvalidInput(
        f"{type(noise).__name__}: exact moments are known with ConstantNoise, FrozenNoise, LocalNoise and StudentNoise,"
        " scaled or not; state noise that is the same everywhere as one of them"
    )


@_refuse_changing_noise.register
def _constant(noise: SettledNoise | SettledStudent | LocalNoise) -> None:
    # Where the curvature is constant local noise is too.
    return None


@_refuse_changing_noise.register
def _scaled(noise: ScaledNoise) -> None:
    _refuse_changing_noise(noise.noise)


def whole(steps: ArrayLike) -> NDArray[np.int64]:
    given = numbers("steps", steps, "whole numbers from 0").reshape(-1)
    if np.any(given != np.floor(given)) or np.any(given < 0.0) or np.any(given >= 2.0**53):
        raise InvalidInput("steps must be whole numbers from 0, below 2^53")
    return given.astype(np.int64)


def moments_of(dynamics: Any, system: System, total: Stretch, momentum: Any, slope: FloatArray) -> Moments:
    """What a stretch makes of the start: the memory's as the simulation begins it, random where it is stationary."""
    if isinstance(momentum, str):
        if momentum != "stationary":
            raise InvalidInput(f"momentum must be a number, one per coordinate, or 'stationary', not {momentum!r}")
        memory, deviation = begin_running(dynamics, slope, system.variance)
    else:
        memory = begin(dynamics, point_of("momentum", momentum, len(system.start)), slope)
        deviation = np.zeros_like(system.start)
    state = np.stack([system.start, memory[0]], -1)[:, : total.change.shape[-1]]
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.einsum("tdn,dn->td", total.change[:, :, 0, :], state)
        spread = total.gathered[:, :, 0, 0] + (total.change[:, :, 0, -1] * deviation) ** 2
        found = Moments(system.start + moved, spread, moved**2 + spread)
    if not all(np.all(np.isfinite(part)) for part in found):
        raise InvalidInput("the moments exceed the largest number a double holds: the motion is unstable")
    return found
