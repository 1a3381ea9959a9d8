"""A loss that is the mean of per-sample losses, and the noise of taking its gradient over a mini-batch of them."""

from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import Scaled, Shifted, generic
from simdyn.model.coupling import couples
from simdyn.model.geometry import joints
from simdyn.model.landscapes import Sharpened, curvature, dimension, gradient, is_separable, value
from simdyn.model.noise import is_correlated, is_gaussian, kick, settle, variance
from simdyn.model.records import ANY, COUNT, POSITIVE, InvalidInput, record
from simdyn.model.words import choice, unpacked


@generic
def samples(landscape):
    """How many samples the loss is the mean of."""


@generic
def sample_gradient(landscape, n, x, j, i):
    """dl_n/dx_j of sample n at particle i's point; the mean over all samples is the landscape's gradient."""


@record("landscape", shifts=ANY, scales=POSITIVE)
class FiniteSum(NamedTuple):
    """L(x) = (1/N) sum_n l_n(x), l_n(x) = scales_n base(x - shifts_n): N copies of a base, shifted along coordinate 0.

    `scales`: one for all, or one per sample. Of a Quadratic((1,)) it is linear regression: (a_n x - y_n)^2/2 is the copy of
    scale a_n^2 shifted by y_n/a_n, and its mini-batch noise at the minimum is the residuals' variance times the
    curvature. A gradient takes N times as long as the base's, in a loop that does not vectorise: N of a hundred at most.
    """

    landscape: Any
    shifts: tuple[float, ...]
    scales: tuple[float, ...] = (1.0,)


@dimension.on(FiniteSum)
def _base_dimension(total: FiniteSum) -> int:
    if len(total.scales) not in (1, len(total.shifts)):
        raise InvalidInput(
            f"FiniteSum: scales must be one number or {len(total.shifts)}, one per shift, not {len(total.scales)}"
        )
    return dimension(total.landscape)


@is_separable.on(FiniteSum)
def _as_its_base(total: FiniteSum) -> bool:
    return is_separable(total.landscape)


@value.on(FiniteSum)
def sum_value(total, x, i):
    mean = 0.0
    for n in range(len(total.shifts)):
        scale = total.scales[n if len(total.scales) > 1 else 0] / len(total.shifts)
        mean += scale * value(total.landscape, Shifted(x, total.shifts[n]), i)
    return mean


@gradient.on(FiniteSum)
def sum_gradient(total, x, j, i):
    mean = 0.0
    for n in range(len(total.shifts)):
        mean += sample_gradient(total, n, x, j, i)
    return mean / len(total.shifts)


@curvature.on(FiniteSum)
def sum_curvature(total, x, j, i):
    mean = 0.0
    for n in range(len(total.shifts)):
        scale = total.scales[n if len(total.scales) > 1 else 0] / len(total.shifts)
        mean += scale * curvature(total.landscape, Shifted(x, total.shifts[n]), j, i)
    return mean


@joints.on(FiniteSum)
def _of_every_copy(total: FiniteSum) -> list[float]:
    return [joint + shift for joint in joints(total.landscape) for shift in total.shifts]


@samples.on(FiniteSum)
def _as_many_as_shifts(total):
    return len(total.shifts)


@sample_gradient.on(FiniteSum)
def shifted_gradient(total, n, x, j, i):
    scale = total.scales[n if len(total.scales) > 1 else 0]
    return scale * gradient(total.landscape, Shifted(x, total.shifts[n]), j, i)


@samples.on(Sharpened)
def _inner_samples(sharpened):
    return samples(sharpened.landscape)


@sample_gradient.on(Sharpened)
def sharpened_sample_gradient(sharpened, n, x, j, i):
    root = np.sqrt(sharpened.sharpness)
    return root * sample_gradient(sharpened.landscape, n, Scaled(x, root), j, i)


# -------------------------------------------------------------------------------------------------- its noise


@record("noise", batch_size=COUNT)
class MiniBatch(NamedTuple):
    """The gradient of `batch_size` samples' mean loss less the full gradient, of a landscape that is a finite sum.

    C(x) = v(x)/B, v the variance of the samples' gradients at x over all N; without replacement C = v/B (N - B)/(N - 1).
    With replacement a step draws B sample numbers, and without it goes through the samples, taking each with the
    probability of those still wanted among those still left (Fan, Muller and Rezucha, JASA 57, 387 (1962)). One batch serves
    all coordinates, whose kicks are therefore correlated; on coupled coordinates formulas refuse it. Batches of different
    steps are independent.
    """

    batch_size: int
    replacement: bool = True


@settle.on(MiniBatch)
def _settle_batch(noise: MiniBatch, landscape: Any) -> MiniBatch:
    inner = landscape
    while isinstance(inner, Sharpened):
        inner = inner.landscape
    if not (samples.knows(type(inner)) and sample_gradient.knows(type(inner))):
        raise InvalidInput(f"MiniBatch needs a landscape of samples, such as FiniteSum, not {type(inner).__name__}")
    if not noise.replacement and noise.batch_size > samples(landscape):
        raise InvalidInput(
            f"MiniBatch: batch_size without replacement may be at most the {samples(landscape)} samples there are,"
            f" not {noise.batch_size}"
        )
    return noise


@variance.on(MiniBatch)
def batch_variance(noise, landscape, x, j, i):
    count = samples(landscape)
    mean = 0.0
    for n in range(count):
        mean += sample_gradient(landscape, n, x, j, i) / count
    square = 0.0
    for n in range(count):
        square += (sample_gradient(landscape, n, x, j, i) - mean) ** 2 / count
    if noise.replacement:
        return square / noise.batch_size
    return square / noise.batch_size * (count - noise.batch_size) / max(count - 1, 1)


@kick.on(MiniBatch)
def batch_kick(noise, landscape, x, j, i, w, trig):
    word, count = unpacked(trig), samples(landscape)  # the engine hands on a word that decides the batch
    batch, full = 0.0, 0.0
    wanted = noise.batch_size
    for n in range(count):
        slope = sample_gradient(landscape, n, x, j, i)
        full += slope
        if not noise.replacement and choice(word, n, count - n) < wanted:
            batch += slope
            wanted -= 1
    if noise.replacement:
        for n in range(noise.batch_size):
            batch += sample_gradient(landscape, choice(word, n, count), x, j, i)
    return batch / noise.batch_size - full / count


@is_gaussian.on(MiniBatch)
def _batches_are_not(noise: MiniBatch) -> bool:
    return False


@is_correlated.on(MiniBatch)
def _batches_are_where_coordinates_are(noise: MiniBatch, landscape: Any) -> bool:
    return couples(landscape)
