"""Linear recursions: one step of each scheme, a short time of each equation, and how stretches of them compose.

Where the gradient is linear and the noise constant every coordinate is a linear recursion of its state s (position, and
momentum or velocity): s' = s + E s + b z. Two stretches of it compose,

    (I + E)(I + E') = I + (E + E' + E E'),    covariance (I + E) Q' (I + E)^T + Q,

so T steps cost log2 T compositions; keeping E instead of I + E loses no digits where the curvature is small.
"""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simdyn.exact.line import FloatArray
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.records import InvalidInput


class Stretch(NamedTuple):
    """A stretch of a linear recursion: change E and covariance Q gathered, (..., n, n) each."""

    change: FloatArray
    gathered: FloatArray

    def then(self, later: "Stretch") -> "Stretch":
        """This stretch, and after it another."""
        onward = later.change @ self.gathered
        turned = np.swapaxes(later.change, -1, -2)
        return Stretch(
            self.change + later.change + later.change @ self.change,
            self.gathered + onward + np.swapaxes(onward, -1, -2) + onward @ turned + later.gathered,
        )

    def then_often(self, later: "Stretch", times: NDArray[np.int64]) -> "Stretch":
        """Stretches (T, ...), and after each of them another so many times, (T,)."""
        total, left = Stretch(self.change.copy(), self.gathered.copy()), times.copy()
        while np.any(left):
            taken = left % 2 == 1
            longer = Stretch(total.change[taken], total.gathered[taken]).then(later)
            total.change[taken], total.gathered[taken] = longer
            left //= 2
            if np.any(left):
                later = later.then(later)
        return total


# ------------------------------------------------------------------------------------------- one step of each scheme


@singledispatch
def one_step(dynamics: Any, curvature: FloatArray, variance: FloatArray) -> Stretch:
    """One step of the scheme as it is simulated, curvature and variance (d,)."""
    raise InvalidInput(
        f"{type(dynamics).__name__}: exact moments are known of SGD, Momentum, Overdamped and Inertial; simulate it instead"
    )


@one_step.register
def _sgd_step(dynamics: SGD, curvature: FloatArray, variance: FloatArray) -> Stretch:
    rate = dynamics.learning_rate
    return Stretch(_matrix([[-rate * curvature]]), _matrix([[rate**2 * variance]]))


@one_step.register
def _momentum_step(dynamics: Momentum, curvature: FloatArray, variance: FloatArray) -> Stretch:
    return momentum_step(*dynamics, curvature, variance)


def momentum_step(rate: Any, beta1: Any, beta3: Any, curvature: FloatArray, variance: FloatArray) -> Stretch:
    """m' = beta1 m + beta3 g, theta' = theta - rate m', with coefficients for all coordinates or (d,)."""
    change = _matrix([[-rate * beta3 * curvature, -rate * beta1], [beta3 * curvature, beta1 - 1.0]])
    return Stretch(change, _kicked(-rate * beta3, beta3, variance))


@one_step.register
def _overdamped_step(dynamics: Overdamped, curvature: FloatArray, variance: FloatArray) -> Stretch:
    return Stretch(_matrix([[-dynamics.dt * curvature]]), _matrix([[dynamics.dt * variance]]))


@one_step.register
def _inertial_step(dynamics: Inertial, curvature: FloatArray, variance: FloatArray) -> Stretch:
    dt, mass, damping = dynamics
    kept, kick = math.exp(-damping * dt), dt / mass * curvature
    lost = -math.expm1(-damping * dt)
    half = 0.5 * dt * (1.0 + kept)
    strength = -math.expm1(-2.0 * damping * dt) / (2.0 * damping * mass**2)
    return Stretch(_matrix([[-half * kick, half], [-kept * kick, -lost]]), _kicked(0.5 * dt, 1.0, strength * variance))


def _matrix(rows: list) -> FloatArray:
    """(d, n, n) from rows of numbers or arrays (d,)."""
    size = max(np.size(entry) for row in rows for entry in row)
    return np.stack([np.stack([np.broadcast_to(entry, size) for entry in row], -1) for row in rows], -2).astype(float)


def _kicked(position: Any, memory: Any, variance: FloatArray) -> FloatArray:
    """Covariance (d, 2, 2) of one kick of variance (d,) that enters position and memory with these weights."""
    return _matrix([[variance * a * b for b in (position, memory)] for a in (position, memory)])


# ------------------------------------------------------------------------------------------------ the equations' own


@singledispatch
def generator(dynamics: Any, curvature: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """F and B of ds = F s dt + B^{1/2} dW, (d, n, n) each."""
    raise InvalidInput(f"{type(dynamics).__name__} is not a differential equation: ask for moments after steps")


@generator.register
def _overdamped_generator(
    dynamics: Overdamped, curvature: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    return _matrix([[-curvature]]), _matrix([[variance]])


@generator.register
def _inertial_generator(
    dynamics: Inertial, curvature: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    drift = _matrix([[0.0, 1.0], [-curvature / dynamics.mass, -dynamics.damping]])
    return drift, _kicked(0.0, 1.0 / dynamics.mass, variance)


def short_stretch(drift: FloatArray, diffusion: FloatArray, times: FloatArray) -> Stretch:
    """The stretch over times (T,) with |F| t <= 1/2, by the Taylor series of Van Loan's block exponential."""
    size = drift.shape[-1]
    block = np.zeros((*drift.shape[:-2], 2 * size, 2 * size))
    block[..., :size, :size], block[..., :size, size:] = drift, diffusion
    block[..., size:, size:] = -np.swapaxes(drift, -1, -2)
    one = block * times[:, None, None, None]
    term = series = one
    for order in range(2, 24):
        term = term @ one / order
        series = series + term
    change = series[..., :size, :size]
    crossed = series[..., :size, size:]
    gathered = crossed + crossed @ np.swapaxes(change, -1, -2)
    return Stretch(change, (gathered + np.swapaxes(gathered, -1, -2)) / 2.0)
