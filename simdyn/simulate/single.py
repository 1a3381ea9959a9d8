"""Normals in single precision, for states in double: a choice, `noise_precision="single"`.

The bits and the transform are `rng`'s, one 64-bit draw for two normals, with 24 digits in place of 53: a vector holds twice
as many. The radius takes 31 bits, so normals are cut at sqrt(2 * 31 ln 2) = 6.56 standard deviations; the polynomials are
our own least-maximum fits, their relative errors 9e-7 (logarithm and sine) and 2e-7 (cosine). A variance is off by less than
1e-6, which 1e12 draws would begin to show.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._bits import high_half, low_half, signed_by, single_parts
from simdyn._jit import half_width_helper, inlined
from simdyn.model.noise import is_gaussian, kick, variance
from simdyn.model.records import InvalidInput
from simdyn.simulate.draws import draw, square, square_taken
from simdyn.simulate.lanes import S0, S1, S2, S3, turn_of
from simdyn.simulate.rng import next_bits


class InSingle(NamedTuple):
    """A Gaussian noise, settled, whose normals are drawn in single precision."""

    noise: Any


_PRECISIONS = ("double", "single")


def with_precision(settled: Any, precision: str) -> Any:
    """A settled noise as it will be drawn: its normals in double precision, or in single."""
    if precision not in _PRECISIONS:
        raise InvalidInput(f"noise_precision must be {' or '.join(map(repr, _PRECISIONS))}, not {precision!r}")
    if precision == "single" and not is_gaussian(settled):
        raise InvalidInput("noise_precision must be 'double' for noise that is not Gaussian: no normals are drawn")
    return InSingle(settled) if precision == "single" else settled


_F = np.float32
_ZERO, _ONE, _TWO, _TWO_LN_2 = _F(0.0), _F(1.0), _F(2.0), _F(2.0 * math.log(2.0))
_FRACTION = _F(2.0**-31)
_L6, _L5, _L4, _L3 = _F(0.015556022), _F(-0.16650975), _F(0.76464957), _F(-1.9690994)
_L2, _L1, _L0 = _F(3.1350899), _F(-3.295836), _F(2.902443)
_S3, _S2, _S1, _S0 = _F(-0.004363033), _F(0.079488516), _F(-0.6459213), _F(1.5707948)
_C3, _C2, _C1, _C0 = _F(-0.00084602943), _F(0.019938657), _F(-0.23369442), _F(0.9999998)


@inlined
def single_normals(bits):
    """Two independent standard normals, in single precision, from one draw; see `rng.normal_parts`."""
    # -2 ln(odd/2^31) with odd = m 2^(30 - n): (2 - m) q(m) + 2 ln 2 n, zero at least: odd may have been rounded up to 2^31
    halvings, m = single_parts(_F(high_half(bits)))
    q = _L6
    q = q * m + _L5
    q = q * m + _L4
    q = q * m + _L3
    q = q * m + _L2
    q = q * m + _L1
    q = q * m + _L0
    radius = math.sqrt(max((_TWO - m) * q + halvings * _TWO_LN_2, _ZERO))
    angle = _F(low_half(bits)) * _FRACTION
    y = angle * angle
    s = _S3
    s = s * y + _S2
    s = s * y + _S1
    s = s * y + _S0
    c = _C3
    c = c * y + _C2
    c = c * y + _C1
    c = c * y + _C0
    return radius * (s * angle), radius * signed_by((_ONE - y) * c, bits)


@half_width_helper
def draw_single_normals(s0, s1, s2, s3, first, second, width):
    """Two normals for each lane, into the rows first and second, (width,)."""
    for i in range(width):
        first[i], second[i] = single_normals(next_bits(s0, s1, s2, s3, i))


@draw.on(InSingle)
def _draw_in_single(noise, normals, words, j, width):
    draw_single_normals(
        words[S0], words[S1], words[S2], words[S3], normals.sine[turn_of(normals, j)], normals.cosine[j], width
    )


square.on(InSingle)(square_taken)


@kick.on(InSingle)
def single_kick(noise, landscape, x, j, i, w, trig):
    return kick(noise.noise, landscape, x, j, i, w, trig)


@variance.on(InSingle)
def single_variance(noise, landscape, x, j, i):
    return variance(noise.noise, landscape, x, j, i)
