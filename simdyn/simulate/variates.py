"""Heavy-tailed variates, one from each 64-bit draw, by arithmetic alone so that the loops over lanes vectorise.

The high half of a draw is the uniform U (an odd multiple of 2^-32), the low half the angle, and bit 32, which U does not
use, a sign. A tail is made where one of the two comes close to an end of its range. Within 2^-19 of it the distance to the end
is drawn anew, from the next word of the lane's own stream, and where this begins with 19 zeros once more, and so on: tails do
not end. One draw in half a million is so close: the loop over lanes only notes that there was one, and it is drawn anew after it.
The note is taken before the variate is made, which is cheaper than after it; Student's by a difference and a mask, since vectors
of 256 bits have no smaller of two words.
"""

import math

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import helper, inlined, kernel, lane_helper
from simdyn.model.dynamics.power import power
from simdyn.model.words import packed
from simdyn.simulate.rng import last_bits, next_bits, sine, sine_and_cosine, stream_word, twice_negative_log

_U = np.uint64
_LOW = _U(0xFFFFFFFF)
_NONE, _ONE, _31, _32 = (_U(n) for n in (0, 1, 31, 32))
_TWO_52, _SIGN = _U(0x4330000000000000), _U(0x8000000000000000)
CLOSE = 2.0**-19  # to an end of the uniforms: the step between two of them is there still a 4096th of the distance
_NEAR_0, _NEAR_1 = _U(2**45), _U(2**64 - 2**45)  # below, and from, a word whose high half is as close
_SMALLEST = 2.0**-950  # a generator of zeros alone would not end


@inlined
def odd_fraction(half):
    """An odd multiple of 2^-32 in (0, 1) from 32 bits."""
    return (double_of(half | _ONE | _TWO_52) - 4503599627370496.0) * 2.0**-32


@inlined
def tail_fraction(s0, s1, s2, s3, i):
    """A uniform number in (0, CLOSE), from the next words of lane i, to a relative 2^-33 at least and without end."""
    scale, bits = CLOSE, next_bits(s0, s1, s2, s3, i)
    while bits < _NEAR_0 and scale > _SMALLEST:
        scale, bits = scale * CLOSE, next_bits(s0, s1, s2, s3, i)
    return scale * ((packed(bits) - 4503599627370496.0) + 0.5) * 2.0**-52


# -------------------------------------------------------------------------------------------------- Student's


@inlined
def student_variate(u, bits, degrees):
    """Student's t, t = (nu (U^(-2/nu) - 1))^(1/2) cos(2 pi V), V of the bits: Bailey, Math. Comp. 62, 779 (1994).

    The sine would give a second t, but not an independent one.
    """
    _, cosine = sine_and_cosine(bits)
    growth = power(u, -2.0 / degrees) - 1.0
    return math.sqrt(degrees * max(growth, 0.0)) * cosine  # of U next to 1 rounding may make less than nothing


@lane_helper
def draw_students(s0, s1, s2, s3, row, degrees, width):
    """One Student's t for each lane, into a row (width,)."""
    close = _NONE
    for i in range(width):
        bits = next_bits(s0, s1, s2, s3, i)
        close |= (bits - _NEAR_0) & ~bits  # its highest bit: whether the word is below _NEAR_0
        row[i] = student_variate(odd_fraction(bits >> _32), bits, degrees)
    if close >= _SIGN:
        draw_students_tails(s0, s1, s2, s3, row, degrees, width)


@helper
def draw_students_tails(s0, s1, s2, s3, row, degrees, width):
    """The same of the lanes whose U was close to 0."""
    for i in range(width):
        bits = last_bits(s0, s1, s2, s3, i)
        if bits < _NEAR_0:
            row[i] = student_variate(tail_fraction(s0, s1, s2, s3, i), bits, degrees)


# ---------------------------------------------------------------------------------------------- alpha-stable


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


@inlined
def stable_tail(gap, waiting, alpha):
    """|X| by what |V| lacks of a quarter turn, over a quarter turn, however small; beyond e^709, near the doubles' end, e^709."""
    bent = abs(1.0 - alpha)
    half_gap = (1.0 - 0.5 * alpha) + 0.5 * alpha * gap  # 1 - alpha |V|/2
    cosine = sine(gap)
    size = math.log(2.0 * sine(1.0 - half_gap) * sine(half_gap) / cosine)
    ratio = math.log(sine((1.0 - bent) + bent * gap) / cosine) - math.log(waiting)
    return math.exp(min(size + (1.0 - alpha) / alpha * ratio, 709.0))


@lane_helper
def draw_stables(s0, s1, s2, s3, row, alpha, width):
    """One alpha-stable variate for each lane, into a row (width,)."""
    highest = _NONE
    for i in range(width):
        bits = next_bits(s0, s1, s2, s3, i)
        highest = max(highest, max(bits, bits << _32))
        row[i] = stable_variate(bits, alpha)
    if highest >= _NEAR_1:
        draw_stables_tails(s0, s1, s2, s3, row, alpha, width)


@helper
def draw_stables_tails(s0, s1, s2, s3, row, alpha, width):
    """The same of the lanes whose V was close to a quarter turn, or whose W = -ln U was close to 0."""
    for i in range(width):
        bits = last_bits(s0, s1, s2, s3, i)
        turned, at_once = bits << _32 >= _NEAR_1, bits >= _NEAR_1
        if turned or at_once:
            gap, waiting = 1.0 - odd_fraction(bits & _LOW), 0.5 * twice_negative_log((bits >> _32) | _ONE)
            if turned:
                gap = tail_fraction(s0, s1, s2, s3, i)
            if at_once:
                waiting = -math.log1p(-tail_fraction(s0, s1, s2, s3, i))
            row[i] = math.copysign(stable_tail(gap, waiting, alpha), row[i])


# ----------------------------------------------------------------------------------------------------- words


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
