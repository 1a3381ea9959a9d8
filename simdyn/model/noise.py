"""Gradient noise: what its covariance C is, coordinate by coordinate.

For an optimizer C is the covariance of one step's gradient noise; for an SDE the same record is read as 2D per unit
time. Noise is declared in the landscape's own frame (`Rotated` turns it too) and evaluated before the step: the Ito
convention. `settle` turns a public record into the one a simulation draws from, once the landscape is known.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic
from simdyn.model.geometry import column_of, curvatures_at, minimum, saddle, split
from simdyn.model.landscapes import curvature, dimension
from simdyn.model.records import ANSWERS, NON_NEGATIVE, POSITIVE, InvalidInput, record


@generic
def variance(noise, landscape, x, j, i):
    """C_jj at particle i's point, of a settled noise."""


@generic
def kick(noise, landscape, x, j, i, w, trig):
    """C_jj^{1/2} z, where the standard normal z = sqrt(w) trig comes in the two parts of the Box-Muller transform."""


@generic
def settle(noise, landscape):
    """The noise as the engine draws it: per-coordinate numbers, nothing left to look up."""


ANSWERS["noise"] += [variance, kick, settle]


@generic
def is_gaussian(noise):
    """Whether a settled noise's kicks are normal: the exact methods and the Langevin equations know no others."""


@generic
def has_variance(noise):
    """Whether a settled noise has a finite variance."""


@is_gaussian.otherwise
@has_variance.otherwise
def _usually(noise: Any) -> bool:
    return True


@kick.otherwise
def _kick_by_variance(noise, landscape, x, j, i, w, trig):
    # One root for amplitude and radius together.
    return math.sqrt(variance(noise, landscape, x, j, i) * w) * trig


@settle.otherwise
def _already_settled(noise: Any, landscape: Any) -> Any:
    return noise


# ---------------------------------------------------------------------------------------------------- constant


@record("noise", variance=NON_NEGATIVE)
class ConstantNoise(NamedTuple):
    """C the same everywhere: one number for all coordinates, or one per coordinate."""

    variance: float | tuple[float, ...]


class SettledNoise(NamedTuple):
    """Constant noise, one deviation per coordinate."""

    deviation: Any


@settle.on(ConstantNoise)
def _settle_constant(noise: ConstantNoise, landscape: Any) -> SettledNoise:
    size = dimension(landscape)
    given = np.asarray(noise.variance, dtype=float)
    if given.shape not in ((), (size,)):  # a list of one says no more than that one coordinate's
        raise InvalidInput(f"ConstantNoise: variance has {given.size} entries, the landscape {size} coordinates")
    return SettledNoise(np.sqrt(np.broadcast_to(given, size)))


@variance.on(SettledNoise)
def settled_variance(noise, landscape, x, j, i):
    return noise.deviation[j] * noise.deviation[j]


@kick.on(SettledNoise)
def settled_kick(noise, landscape, x, j, i, w, trig):
    return noise.deviation[j] * (math.sqrt(w) * trig)


# --------------------------------------------------------------------------------------------- of the theory


@record("noise", batch_size=POSITIVE)
class FrozenNoise(NamedTuple):
    """C_j = |H_j(a)|/B: the theory's covariance, frozen at the minimum a of the landscape."""

    batch_size: float = 1.0


@settle.on(FrozenNoise)
def _settle_frozen(noise: FrozenNoise, landscape: Any) -> SettledNoise:
    return SettledNoise(np.sqrt(np.abs(curvatures_at(landscape, minimum(landscape))) / noise.batch_size))


@record("noise", batch_size=POSITIVE)
class TwoPieceNoise(NamedTuple):
    """C_j = |H_j(a)|/B up to the split of the climb along coordinate 0, |H_j(b)|/B from there: the theory's own assumption.

    The split is where the curvature along the escape direction changes sign (see `split`); past the saddle the noise is
    mirrored.
    """

    batch_size: float = 1.0


class SettledTwoPieceNoise(NamedTuple):
    """`near` within `reach` of `centre` along coordinate 0, `far` elsewhere."""

    near: Any
    far: Any
    centre: float
    reach: float


@settle.on(TwoPieceNoise)
def _settle_two_piece(noise: TwoPieceNoise, landscape: Any) -> SettledTwoPieceNoise:
    bottom, top = minimum(landscape), saddle(landscape)
    return SettledTwoPieceNoise(
        near=np.abs(curvatures_at(landscape, top)) / noise.batch_size,
        far=np.abs(curvatures_at(landscape, bottom)) / noise.batch_size,
        centre=float(top[0]),
        reach=abs(split(landscape) - float(top[0])),
    )


@variance.on(SettledTwoPieceNoise)
def two_piece_variance(noise, landscape, x, j, i):
    return noise.near[j] if abs(x[0, i] - noise.centre) < noise.reach else noise.far[j]


@record("noise", batch_size=POSITIVE, floor=NON_NEGATIVE)
class LocalNoise(NamedTuple):
    """C_j = max(|d^2 L/dx_j^2|/B, floor) at the particle's own point.

    |L''| vanishes at the inflection points of a smooth well, where the action of an escape diverges: the floor is part of
    the model, and has to be stated.
    """

    batch_size: float = 1.0
    floor: float = 0.0


@variance.on(LocalNoise)
def local_variance(noise, landscape, x, j, i):
    return max(abs(curvature(landscape, x, j, i)) * (1.0 / noise.batch_size), noise.floor)


# ---------------------------------------------------------------------------------------------------- wrapper


@record("noise", factor=NON_NEGATIVE)
class ScaledNoise(NamedTuple):
    """Another noise with its covariance times `factor`."""

    noise: Any
    factor: float


@settle.on(ScaledNoise)
def _settle_scaled(noise: ScaledNoise, landscape: Any) -> ScaledNoise | SettledNoise:
    settled = settle(noise.noise, landscape)
    if isinstance(settled, SettledNoise):
        return SettledNoise(math.sqrt(noise.factor) * settled.deviation)
    return ScaledNoise(settled, noise.factor)


@variance.on(ScaledNoise)
def scaled_variance(noise, landscape, x, j, i):
    return noise.factor * variance(noise.noise, landscape, x, j, i)


@is_gaussian.on(ScaledNoise)
def _scaled_is_gaussian(noise: ScaledNoise) -> bool:
    return is_gaussian(noise.noise)


@has_variance.on(ScaledNoise)
def _scaled_has_variance(noise: ScaledNoise) -> bool:
    return has_variance(noise.noise)


@kick.on(ScaledNoise)
def scaled_kick(noise, landscape, x, j, i, w, trig):
    return math.sqrt(noise.factor) * kick(noise.noise, landscape, x, j, i, w, trig)


def settle_gaussian(noise: Any, landscape: Any) -> Any:
    """The settled noise of a method that knows normal kicks alone; raises InvalidInput for any other."""
    settled = settle(noise, landscape)
    if not is_gaussian(settled):
        raise InvalidInput(
            f"{type(noise).__name__} is not Gaussian, and this method is for Gaussian noise: simulate it"
        )
    return settled


def finite_variance_at(noise: Any, landscape: Any, point: Any) -> np.ndarray:
    """`variance_at`, or InvalidInput where it is infinite: for formulas, which know a noise by its variance."""
    if not has_variance(settle(noise, landscape)):
        raise InvalidInput(
            f"{type(noise).__name__} has no finite variance, by which formulas know a noise: simulate it"
        )
    return variance_at(noise, landscape, point)


def variance_at(noise: Any, landscape: Any, point: Any) -> np.ndarray:
    """The diagonal of C, (d,), of any noise record at a point (d,), both in the landscape's own frame (below rotations)."""
    settled = settle(noise, landscape)
    x = column_of(landscape, point)
    return np.array([variance(settled, landscape, x, j, 0) for j in range(len(x))], dtype=float)
