"""Normals in single precision, for states in double: a choice, `noise_precision="single"`.

The bits are `rng`'s, one 64-bit draw for two normals, and so is the transform, with 24 digits in place of 53: a vector holds
twice as many. The generators' state, which would now take longer to read and write than the transform itself, is gone through
once for four words. The radius takes 31 bits, so normals are cut at sqrt(2 * 31 ln 2) = 6.56 standard deviations. The
polynomials are our own least-maximum fits, their relative errors 6.5e-6 (logarithm) and 9e-7 (sine), the cosine's absolute
one 1e-7, the last digit of each chosen so that E[w], E[s^2] and E[c^2] are right to 1e-7. A variance is off by less than
1e-6, which 1e12 draws would begin to show.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._bits import halves_of, odd_half, signed_by, single_parts
from simdyn._jit import half_width_helper, inlined, lane_helper
from simdyn.model.noise import SettledNoise, is_gaussian, kick, settled_variance, tail_index, variance
from simdyn.model.records import InvalidInput
from simdyn.simulate.draws import draw, normals_in, square, square_taken
from simdyn.simulate.lanes import S0, S1, S2, S3, SQUARE, W0, W1, W2, W3, WORDS_AHEAD, Normals, turn_of
from simdyn.simulate.rng import advanced


class InSingle(NamedTuple):
    """A Gaussian noise, settled, whose normals are drawn in single precision."""

    noise: Any


class SettledInSingle(NamedTuple):
    """Constant noise whose normals are drawn in single precision, and with their size: a step multiplies by nothing."""

    deviation: Any


_PRECISIONS = ("double", "single")
_SIZES = 1e-15, 1e15  # deviations whose squares a single can hold, with room for a normal's


def with_precision(settled: Any, precision: str) -> Any:
    """A settled noise as it will be drawn: its normals in double precision, or in single."""
    if not isinstance(precision, str) or precision not in _PRECISIONS:
        raise InvalidInput(f"noise_precision must be {' or '.join(map(repr, _PRECISIONS))}, not {precision!r}")
    if precision == "double":
        return settled
    if not is_gaussian(settled):
        raise InvalidInput("noise_precision must be 'double' for noise that is not Gaussian: it is for normals alone")
    if isinstance(settled, SettledNoise):
        sizes = settled.deviation[settled.deviation > 0.0]
        if np.all((sizes > _SIZES[0]) & (sizes < _SIZES[1])):
            return SettledInSingle(settled.deviation)
    return InSingle(settled)


def draws_ahead(noise: Any) -> bool:
    """Whether a noise draws its words ahead."""
    return isinstance(noise, (InSingle, SettledInSingle))


_F = np.float32
_FRACTION = _F(2.0**-31)
_ZERO, _ONE, _TWO, _TWO_LN_2 = _F(0.0), _F(1.0), _F(2.0), _F(2.0 * math.log(2.0))
_L5, _L4, _L3 = _F(-0.026446957), _F(0.24503389), _F(-0.9528049)
_L2, _L1, _L0 = _F(2.030194), _F(-2.662892), _F(2.7532012)
_S3, _S2, _S1, _S0 = _F(-0.0043636523), _F(0.07948965), _F(-0.6459218), _F(1.5707948)
_C4, _C3, _C2, _C1, _C0 = _F(0.00085695536), _F(-0.020808177), _F(0.25364923), _F(-1.2336979), _F(0.99999994)


@inlined
def single_normals(low, high, size):
    """Two independent normals of variance `size`, in single precision, from the halves of one draw; see `rng.normal_parts`."""
    # -2 ln(odd/2^31) with odd = m 2^(30 - n): (2 - m) q(m) + 2 ln 2 n, zero at least: odd may have been rounded up to 2^31.
    # Times the size, which goes into the coefficients, outside the loop over lanes.
    halvings, m = single_parts(_F(odd_half(high)))
    q = _L5 * size
    q = q * m + _L4 * size
    q = q * m + _L3 * size
    q = q * m + _L2 * size
    q = q * m + _L1 * size
    q = q * m + _L0 * size
    radius = math.sqrt(max((_TWO - m) * q + halvings * (_TWO_LN_2 * size), _ZERO))
    angle = _F(low) * _FRACTION
    y = angle * angle
    s = _S3
    s = s * y + _S2
    s = s * y + _S1
    s = s * y + _S0
    c = _C4
    c = c * y + _C3
    c = c * y + _C2
    c = c * y + _C1
    c = c * y + _C0
    return radius * (s * angle), radius * signed_by(c, high)


@half_width_helper
def transform(halves, size, first, second, width):
    """Two normals of variance `size` for each lane, from the halves (2 width,) of its word, into the rows first and second."""
    for i in range(width):
        first[i], second[i] = single_normals(halves[2 * i], halves[2 * i + 1], size)


@lane_helper
def draw_words_ahead(s0, s1, s2, s3, w0, w1, w2, w3, width):
    """The next `WORDS_AHEAD` words of each lane's stream."""
    for i in range(width):
        w0[i], a, b, c, d = advanced(s0[i], s1[i], s2[i], s3[i])
        w1[i], a, b, c, d = advanced(a, b, c, d)
        w2[i], a, b, c, d = advanced(a, b, c, d)
        w3[i], s0[i], s1[i], s2[i], s3[i] = advanced(a, b, c, d)


@inlined
def draw_in_single(size, normals, words, j, pair, width):
    """The normals of variance `size` of coordinate j for a pair of steps, from the next word of each lane."""
    word = (pair * normals.cosine.shape[0] + j) % WORDS_AHEAD
    if word == 0:
        draw_words_ahead(
            words[S0], words[S1], words[S2], words[S3], words[W0], words[W1], words[W2], words[W3], width
        )  # fmt: skip
    (halves,) = halves_of(words[W0 + word])
    transform(halves, size, normals.sine[turn_of(normals, j)], normals.cosine[j], width)


@draw.on(InSingle)
def _draw_in_single(noise, normals, words, j, pair, width):
    draw_in_single(_ONE, normals, words, j, pair, width)


@draw.on(SettledInSingle)
def _draw_settled_in_single(noise, normals, words, j, pair, width):
    draw_in_single(_F(noise.deviation[j] * noise.deviation[j]), normals, words, j, pair, width)


@normals_in.on(InSingle, SettledInSingle)
def _singles_in(noise, lanes, turns):
    return Normals(lanes.cargo.rows[SQUARE], lanes.singles[0, :turns], lanes.singles[1])


square.on(InSingle, SettledInSingle)(square_taken)


@kick.on(InSingle)
def single_kick(noise, landscape, x, j, i, w, trig):
    return kick(noise.noise, landscape, x, j, i, w, np.float64(trig))


@kick.on(SettledInSingle)
def settled_single_kick(noise, landscape, x, j, i, w, trig):
    return np.float64(trig)


@variance.on(InSingle)
def single_variance(noise, landscape, x, j, i):
    return variance(noise.noise, landscape, x, j, i)


variance.on(SettledInSingle)(settled_variance)


@tail_index.on(InSingle)
def single_index(noise: InSingle) -> float:
    return tail_index(noise.noise)
