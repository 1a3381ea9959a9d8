"""Gradient noise: what its covariance C is, coordinate by coordinate.

For an optimizer C is the covariance of one step's gradient noise; for an SDE the same record is read as 2D per unit
time. Noise is declared in the landscape's own frame (`Rotated` turns it too) and evaluated before the step: the Ito
convention. `settle` turns a public record into the one a simulation draws from, once the landscape is known.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic
from simdyn.model.coupling import refuse_coupled
from simdyn.model.geometry import column_of, curvatures_at, knows, minimum, saddle, split
from simdyn.model.landscapes import curvature, dimension
from simdyn.model.mirrored import differs_past_saddle
from simdyn.model.records import ANSWERS, NON_NEGATIVE, POSITIVE, InvalidInput, record
from simdyn.model.vetting import is_users_kind, vet_dimension, vetted, warn


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
    """Whether a settled noise's kicks are normal, independent of each other: the exact methods and the Langevin equations know
    no others. Otherwise: where the record has no `kick` of its own, which is then its deviation times the normal.
    """


@generic
def has_variance(noise):
    """Whether a settled noise has a finite variance."""


@generic
def is_correlated(noise, landscape):
    """Whether a settled noise's kicks of different coordinates are correlated: `variance` does not say how."""


@generic
def tail_index(noise):
    """The order p below which a settled noise's moments E|kick|^p are finite, as where P(|kick| > x) falls as x^-p.

    Infinite by default: all moments are, as those of Gaussian noise. A displacement's mean square needs an index above 2, its
    standard error one above 4.
    """


@is_gaussian.otherwise
def _has_no_kick_of_its_own(noise: Any) -> bool:
    return not kick.knows(type(noise))


@has_variance.otherwise
def _usually(noise: Any) -> bool:
    return True


@is_correlated.otherwise
def _one_by_one(noise: Any, landscape: Any) -> bool:
    return False


@tail_index.otherwise
def _by_variance(noise: Any) -> float:
    return math.inf if has_variance(noise) else 2.0


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


@is_gaussian.on(SettledNoise)
def _deviation_times_normal(noise: SettledNoise) -> bool:
    return True


# --------------------------------------------------------------------------------------------- of the theory


@record("noise", batch_size=POSITIVE)
class FrozenNoise(NamedTuple):
    """C_j = |H_j(a)|/B: the theory's covariance, frozen at the minimum a of the landscape.

    Raises InvalidInput, once the landscape is known, where the Hessian at a couples coordinates: C = H/B is not diagonal
    there. State such a landscape along its own axes and turn it with `Rotated`, whose noise turns with it.
    """

    batch_size: float = 1.0


@settle.on(FrozenNoise)
def _settle_frozen(noise: FrozenNoise, landscape: Any) -> SettledNoise:
    bottom = minimum(landscape)
    refuse_coupled(noise, landscape, [bottom])
    return SettledNoise(np.sqrt(np.abs(curvatures_at(landscape, bottom)) / noise.batch_size))


@record("noise", batch_size=POSITIVE)
class TwoPieceNoise(NamedTuple):
    """C_j = |H_j(a)|/B up to the split of the climb along coordinate 0, |H_j(b)|/B from there: the theory's own assumption.

    The split is where the curvature along the escape direction changes sign (see `split`). Past the saddle the noise is
    mirrored, and is the first well's own even where the second is another (UnequalWells): simulations that go there, and exact
    methods, then warn (ModelWarning). Raises InvalidInput, once the landscape is known, where its Hessian couples coordinates
    at the minimum or the saddle; see `FrozenNoise`.
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
    refuse_coupled(noise, landscape, [bottom, top])
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
    the model, and has to be stated. Raises InvalidInput, once the landscape is known, where its Hessian couples coordinates
    at the minimum, at the saddle, or at one of some thirty points around and between them; see `FrozenNoise`.
    """

    batch_size: float = 1.0
    floor: float = 0.0


@settle.on(LocalNoise)
def _settle_local(noise: LocalNoise, landscape: Any) -> LocalNoise:
    refuse_coupled(noise, landscape)
    return noise


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


@is_correlated.on(ScaledNoise)
def _scaled_is_correlated(noise: ScaledNoise, landscape: Any) -> bool:
    return is_correlated(noise.noise, landscape)


@tail_index.on(ScaledNoise)
def _scaled_tail_index(noise: ScaledNoise) -> float:
    return tail_index(noise.noise) if noise.factor > 0.0 else math.inf


@kick.on(ScaledNoise)
def scaled_kick(noise, landscape, x, j, i, w, trig):
    return math.sqrt(noise.factor) * kick(noise.noise, landscape, x, j, i, w, trig)


def inner_noise(noise: Any) -> Any:
    """The noise inside ScaledNoise, however often it is wrapped: what the factors multiply."""
    while isinstance(noise, ScaledNoise):
        noise = noise.noise
    return noise


def inner_name(noise: Any) -> str:
    """What to call a noise by whose kind, not whose size, something is wrong."""
    return type(inner_noise(noise)).__name__


# ------------------------------------------------------------------------------------------- asked by the methods

#: w and trig of the normals that a kick is tried with: either sign, small and large, the same z by several ways.
PROBES = ((1.0, 0.5), (1.0, -0.5), (0.25, 1.0), (0.04, 0.3), (4.0, -0.9), (9.0, 0.8), (30.0, 0.99), (30.0, -0.99))
ROUNDING = 1e-5  # relative, of kicks that are written in single precision


def warn_unless_normal(noise: Any, landscape: Any, point: Any = None) -> None:
    """Warn (ModelWarning) of a user's settled noise with a `kick` of its own that `is_gaussian` calls Gaussian, and is not.

    point: (d,), in the landscape's own frame; None: the minimum where the landscape says it, the origin where not. The kick is
    compared there and beside it with C_jj^{1/2} z, in either sign, at a few normals z; other noises are not looked at.
    """
    inner = inner_noise(noise)
    if not (is_users_kind(type(inner)) and kick.knows(type(inner)) and is_gaussian(inner)):
        return
    if point is None:
        point = minimum(landscape) if knows(minimum, landscape) else np.zeros(dimension(landscape))
    for shift in (0.0, 0.1):
        x = column_of(landscape, point) + shift
        for told in (_not_normal(inner, landscape, x, j) for j in range(len(x))):
            if told is not None:
                return warn(f"{type(inner).__name__}: is_gaussian calls it Gaussian, but {told}")


def _not_normal(noise: Any, landscape: Any, x: np.ndarray, j: int) -> str | None:
    w, trig = np.array(PROBES).T
    stated = vetted(noise, "variance", lambda: variance(noise, landscape, x, j, 0))
    if not (math.isfinite(stated) and stated >= 0.0):
        return None  # told elsewhere
    found = np.array([kick_at(noise, landscape, x, j, *probe) for probe in PROBES])
    normal = np.sqrt(w) * trig
    expected = math.sqrt(stated) * normal
    sign = -1.0 if found @ normal < 0.0 else 1.0  # -z is as normal as z
    wrong = ~(np.abs(sign * found - expected) <= ROUNDING * np.abs(expected))
    if not np.any(wrong):
        return None
    n = int(np.argmax(wrong))
    if stated == 0.0:
        return f"its kick of z = {normal[n]:.4g} is {found[n]:.4g}, though its variance is 0"
    deviations = found[n] / math.sqrt(stated)
    return f"its kick of the normal z = {normal[n]:.4g} is {deviations:.4g} deviations, where variance^(1/2) z is {normal[n]:.4g}"


def kick_at(noise: Any, landscape: Any, x: np.ndarray, j: int, w: float, trig: float) -> float:
    """A kick of a user's noise, NaN where compiled it would be; InvalidInput where it fails otherwise, or is no number."""

    def asked() -> Any:
        try:
            return kick(noise, landscape, x, j, 0, w, trig)
        except (ArithmeticError, ValueError):
            return math.nan

    return vetted(noise, "kick", asked)


def settle_gaussian(noise: Any, landscape: Any, boundary: Any = None) -> Any:
    """The settled noise of a method that knows normal kicks alone; raises InvalidInput for any other.

    boundary: where particles leave; see `warn_if_mirrored`. Warns of a user's kick that is called Gaussian and is not.
    """
    vet_dimension(landscape)
    settled = settle(noise, landscape)
    if not is_gaussian(settled):
        raise InvalidInput(f"{inner_name(noise)} is not Gaussian, and this method is for Gaussian noise: simulate it")
    warn_unless_normal(settled, landscape)
    warn_if_mirrored(noise, landscape, boundary)
    return settled


def warn_if_mirrored(noise: Any, landscape: Any, boundary: Any = None) -> None:
    """Warn (ModelWarning) where TwoPieceNoise is used past the saddle of a landscape that is no mirror image there.

    boundary: where particles leave; one that is met at the saddle keeps them from what lies beyond.
    """
    if isinstance(inner_noise(noise), TwoPieceNoise) and differs_past_saddle(landscape, boundary):
        warn(
            f"TwoPieceNoise: past the saddle of {type(landscape).__name__} the noise is the first well's, mirrored, though the"
            " landscape is not; LocalNoise follows the curvature there"
        )


def finite_variance_at(noise: Any, landscape: Any, point: Any, tried: bool = False) -> np.ndarray:
    """`variance_at`, for formulas, which know a noise by the variance of each coordinate.

    Raises InvalidInput where it is infinite, negative or not a number, and where coordinates' kicks are correlated. Warns of
    a user's kick that is called Gaussian and is not, unless its kicks have been `tried` at another point.
    """
    settled = settle(noise, landscape)
    if not has_variance(settled):
        raise InvalidInput(f"{inner_name(noise)} has no finite variance, by which formulas know a noise: simulate it")
    if is_correlated(settled, landscape):
        raise InvalidInput(
            f"{inner_name(noise)}: its kicks are correlated on coordinates that {type(landscape).__name__} couples, and"
            " formulas know a noise by each coordinate's variance: simulate it"
        )
    found = variance_at(settled, landscape, point)
    if not np.all(np.isfinite(found) & (found >= 0.0)):
        place = np.atleast_1d(point).tolist()
        raise InvalidInput(
            f"{type(noise).__name__}: its variance at {place} is {found}, it must be finite and not negative"
        )
    if not tried:
        warn_unless_normal(settled, landscape, point)
    return found


def variance_at(noise: Any, landscape: Any, point: Any) -> np.ndarray:
    """The diagonal of C, (d,), of any noise record at a point (d,), both in the landscape's own frame (below rotations)."""
    settled = settle(noise, landscape)
    x = column_of(landscape, point)
    return np.array([variance(settled, landscape, x, j, 0) for j in range(len(x))], dtype=float)
