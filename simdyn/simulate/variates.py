"""Heavy-tailed variates, one from each 64-bit draw, by arithmetic alone so that the loops over lanes vectorise.

The high half of a draw is the uniform U (an odd multiple of 2^-32), the low half the angle, and bit 32, which U does not
use, a sign. Tails end where U does: at probabilities of about 2^-32.
"""

import math

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import inlined, kernel, lane_helper
from simdyn.model.dynamics.power import power
from simdyn.model.words import packed
from simdyn.simulate.rng import next_bits, sine, sine_and_cosine, stream_word, twice_negative_log

_U = np.uint64
_LOW, _ONE, _31, _32 = _U(0xFFFFFFFF), _U(1), _U(31), _U(32)
_TWO_52, _SIGN = _U(0x4330000000000000), _U(0x8000000000000000)


@inlined
def odd_fraction(half):
    """An odd multiple of 2^-32 in (0, 1) from 32 bits."""
    return (double_of(half | _ONE | _TWO_52) - 4503599627370496.0) * 2.0**-32


@inlined
def student_variate(bits, degrees):
    """Student's t, t = (nu (U^(-2/nu) - 1))^(1/2) cos(2 pi V): Bailey, Math. Comp. 62, 779 (1994).

    The sine would give a second t, but not an independent one.
    """
    _, cosine = sine_and_cosine(bits)
    growth = power(odd_fraction(bits >> _32), -2.0 / degrees) - 1.0
    return math.sqrt(degrees * max(growth, 0.0)) * cosine  # of U next to 1 rounding may make less than nothing


@inlined
def stable_variate(bits, alpha):
    """Symmetric alpha-stable, characteristic function exp(-|t|^alpha): Chambers, Mallows and Stuck, JASA 71, 340 (1976).

    X = sin(alpha V)/cos V (cos((1 - alpha) V)/(W cos V))^((1 - alpha)/alpha), V uniform in (-pi/2, pi/2), W exponential.
    All as sines of angles within a quarter turn, whose relative error is small where they vanish.
    """
    angle = odd_fraction(bits & _LOW)  # |V| over a quarter turn
    waiting = 0.5 * twice_negative_log((bits >> _32) | _ONE)
    half = 0.5 * alpha * angle
    cosine = sine(1.0 - angle)
    ratio = sine(1.0 - abs(1.0 - alpha) * angle) / (waiting * cosine)
    size = 2.0 * sine(half) * sine(1.0 - half) / cosine * power(ratio, (1.0 - alpha) / alpha)
    return double_of(bits_of(size) ^ ((bits << _31) & _SIGN))


@lane_helper
def draw_students(s0, s1, s2, s3, row, degrees, width):
    """One Student's t for each lane, into a row (width,)."""
    for i in range(width):
        row[i] = student_variate(next_bits(s0, s1, s2, s3, i), degrees)


@lane_helper
def draw_stables(s0, s1, s2, s3, row, alpha, width):
    """One alpha-stable variate for each lane, into a row (width,)."""
    for i in range(width):
        row[i] = stable_variate(next_bits(s0, s1, s2, s3, i), alpha)


@lane_helper
def draw_words(s0, s1, s2, s3, row, width):
    """One word for each lane, packed into a row (width,) of doubles."""
    for i in range(width):
        row[i] = packed(next_bits(s0, s1, s2, s3, i))


@kernel
def fill_bits(seed, particle, salt, words, bits):
    """Fill `bits` with the first draws of a particle's stream; `words`, (4, 1), is its state."""
    for n in range(4):
        words[n, 0] = stream_word(seed, particle, salt, np.uint64(n))
    for k in range(bits.size):
        bits[k] = next_bits(words[0], words[1], words[2], words[3], 0)


def stream_bits(seed: int, particle: int, count: int, salt: int = 0) -> np.ndarray:
    """The first `count` 64-bit draws, (count,), of a particle's stream."""
    bits = np.empty(count, _U)
    with np.errstate(over="ignore"):
        fill_bits(_U(seed), _U(particle), _U(salt), np.zeros((4, 1), _U), bits)
    return bits
