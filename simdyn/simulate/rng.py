"""Random streams: one xoshiro256++ generator per particle, seeded from (seed, particle), four words of state.

A particle's numbers depend on its seed, its own number and its own step alone, never on the lane, block or thread that
happens to carry it. One 64-bit draw gives two consecutive normals by a branch-free Box-Muller transform: the high half
is the radius, the low half a signed angle over a half turn, and bit 32, which the radius does not use, the cosine's sign.

Sources: Blackman and Vigna, Scrambled linear pseudorandom number generators, ACM TOMS 47 (2021); Box and Muller (1958);
the polynomials are our own least-maximum fits, their relative errors 1.5e-7 (logarithm) and 6e-9 (sine), 5e-8 the cosine's
absolute one, each shifted by less than that so that E[w], E[s^2] and E[c^2] are exact: the moments of the normals to order
8 are then right to 1e-9. Normals are cut at sqrt(2 * 32 ln 2) = 6.66 standard deviations.
"""

import math

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import inlined, kernel, lane_helper
from simdyn.model.words import GOLDEN, mix

_U = np.uint64
_LOW = _U(0xFFFFFFFF)
_ONE, _11, _17, _19, _23, _31, _32, _34, _41, _45 = (_U(n) for n in (1, 11, 17, 19, 23, 31, 32, 34, 41, 45))
_TWO_21, _TWO_52 = (
    _U(0x4140000000000000),
    _U(0x4330000000000000),
)  # the patterns of 2^21 and 2^52
_MANTISSA, _UNIT_EXPONENT = _U(0x000FFFFFFFFFFFFF), _U(0x3FF0000000000000)
_SIGN, _HALF_RANGE = _U(0x8000000000000000), _U(0x80000000)
_TWO_LN_2 = 2.0 * math.log(2.0)


@inlined
def stream_word(seed, particle, salt, number):
    """Word `number` (0 to 3) of the starting state of a particle's stream; `salt` sets independent streams apart."""
    return mix(mix(mix(seed + salt * GOLDEN) ^ (particle * GOLDEN + _ONE)) + (number + _ONE) * GOLDEN)


@lane_helper
def fill_stream_words(row, seed, first, salt, number, width):
    """Word `number` of the streams of the particles from `first` on, into a row."""
    for i in range(width):
        row[i] = stream_word(seed, np.uint64(first + i), np.uint64(salt), np.uint64(number))


@inlined
def advanced(a, b, c, d):
    """One xoshiro256++ step: its 64 bits, and the four words of state after it."""
    total = a + d
    result = ((total << _23) | (total >> _41)) + a
    shifted = b << _17
    c ^= a
    d ^= b
    return result, a ^ d, b ^ c, c ^ shifted, (d << _45) | (d >> _19)


@inlined
def next_bits(s0, s1, s2, s3, i):
    """Advance lane i of the four rows of state and return its 64 bits."""
    result, s0[i], s1[i], s2[i], s3[i] = advanced(s0[i], s1[i], s2[i], s3[i])
    return result


@inlined
def last_bits(s0, s1, s2, s3, i):
    """The 64 bits that lane i was given last: the step undone, for who wants them now and then and has not kept them."""
    d = (s3[i] >> _45) | (s3[i] << _19)  # what was d ^ b
    a = s0[i] ^ d
    b = s1[i] ^ s2[i]  # what was b ^ (b << 17)
    b ^= b << _17
    b ^= b << _34
    total = a + (d ^ b)
    return ((total << _23) | (total >> _41)) + a


@inlined
def twice_negative_log(odd):
    """-2 ln(odd / 2^32) of an odd integer below 2^32, as a double: (2 - m) q(m) + 2 ln 2 (31 - e) with odd = m 2^e.

    The exponent is read off with the mantissa behind it, as the number e + m, which costs fewer operations than e alone:
    31 - e = (33 - (e + m)) - (2 - m), and q has taken the second part.
    """
    pattern = bits_of(double_of(odd | _TWO_52) - 4503599627370496.0)
    level = double_of((pattern >> _11) | _UNIT_EXPONENT)  # 1 + (1022 + e + m)/2048, exactly
    m = double_of((pattern & _MANTISSA) | _UNIT_EXPONENT)
    # Even and odd powers apart: half as long a chain of dependent operations.
    y = m * m
    even = 0.11270275205591126
    even = even * y + 1.825916702312543
    even = even * y + 4.47287295051969
    even = even * y + (3.0309900079797707 - _TWO_LN_2)
    odd_powers = -0.009257269697118245
    odd_powers = odd_powers * y - 0.5993670114802291
    odd_powers = odd_powers * y - 3.5150537473628325
    odd_powers = odd_powers * y - 3.932510230925223
    q = odd_powers * m + even
    return (2.0 - m) * q + (3103.0 * _TWO_LN_2 - level * (2048.0 * _TWO_LN_2))


@inlined
def sine(angle):
    """Sine of an angle over half a turn, in [-1, 1], its relative error 5e-9 also where it vanishes."""
    y = angle * angle
    s = 0.00015148513870615215
    s = s * y - 0.004673766633898444
    s = s * y + 0.07968967897194354
    s = s * y - 0.6459637106640971
    s = s * y + 1.5707963185948801
    return s * angle


@inlined
def sine_and_cosine(bits):
    """Sine and cosine of an angle uniform on the circle: the low half is the angle over half a turn, bit 32 the cosine's sign."""
    # 32 bits under the exponent of 2^21 are a fraction of 2^31: one operation gives 2^21 + (1 + angle).
    angle = double_of((bits & _LOW) ^ (_TWO_21 | _HALF_RANGE)) - (2097152.0 + 1.0)
    y = angle * angle
    c = 0.0008581906336624388
    c = c * y - 0.02081062756011878
    c = c * y + 0.2536507446592784
    c = c * y - 1.233698214620723
    c = c * y + 0.9999999534208612
    return sine(angle), double_of(bits_of(c) ^ ((bits << _31) & _SIGN))


@inlined
def normal_parts(bits):
    """(w, s, c) such that sqrt(w) s and sqrt(w) c are two independent standard normals; w is -2 ln U."""
    s, c = sine_and_cosine(bits)
    return twice_negative_log((bits >> _32) | _ONE), s, c


@inlined
def exponential_parts(bits):
    """Two independent values of -2 ln U, from the two halves of one draw."""
    return twice_negative_log((bits >> _32) | _ONE), twice_negative_log((bits & _LOW) | _ONE)


@lane_helper
def draw_normals(s0, s1, s2, s3, first, second, width):
    """Two normals for each lane, into the rows first and second, (width,)."""
    for i in range(width):
        w, sine, cosine = normal_parts(next_bits(s0, s1, s2, s3, i))
        radius = math.sqrt(w)
        first[i] = radius * sine
        second[i] = radius * cosine


@lane_helper
def draw_parts(s0, s1, s2, s3, w, sine, cosine, width):
    """The parts of two normals for each lane, into the rows w, sine, cosine, (width,)."""
    for i in range(width):
        w[i], sine[i], cosine[i] = normal_parts(next_bits(s0, s1, s2, s3, i))


@lane_helper
def draw_chances(s0, s1, s2, s3, first, second, width):
    """Two values of -2 ln U for each lane."""
    for i in range(width):
        first[i], second[i] = exponential_parts(next_bits(s0, s1, s2, s3, i))


@kernel
def fill_normals(seed, particle, salt, words, normals):
    """Fill `normals`, of even length, with the first numbers of a particle's stream; `words`, (4, 1), is its state."""
    for n in range(4):
        words[n, 0] = stream_word(seed, particle, salt, np.uint64(n))
    for k in range(normals.size // 2):
        w, s, c = normal_parts(next_bits(words[0], words[1], words[2], words[3], 0))
        normals[2 * k] = math.sqrt(w) * s
        normals[2 * k + 1] = math.sqrt(w) * c


def stream_normals(seed: int, particle: int, count: int, salt: int = 0) -> np.ndarray:
    """The first `count` normals, (count,), of a particle's stream, in the order the steps use them (one coordinate)."""
    normals = np.empty(count + count % 2)
    with np.errstate(over="ignore"):
        fill_normals(_U(seed), _U(particle), _U(salt), np.zeros((4, 1), _U), normals)
    return normals[:count]
