"""Random 64-bit words: the bijection that streams are seeded with, and whole numbers chosen by a word."""

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import inlined

_U = np.uint64
GOLDEN = _U(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = _U(0xBF58476D1CE4E5B9), _U(0x94D049BB133111EB)
_27, _30, _31, _32 = _U(27), _U(30), _U(31), _U(32)
_12, _TWO_52, _MANTISSA = _U(12), _U(0x4330000000000000), _U(0x000FFFFFFFFFFFFF)


@inlined
def mix(word):
    """SplitMix64's finaliser: a bijection of 64-bit words in which every input bit moves every output bit."""
    word = (word ^ (word >> _30)) * _MIX_1
    word = (word ^ (word >> _27)) * _MIX_2
    return word ^ (word >> _31)


@inlined
def packed(word):
    """The upper 52 bits of a word as a double in [2^52, 2^53): it survives being a number."""
    return double_of((word >> _12) | _TWO_52)


@inlined
def unpacked(number):
    """The 52 bits that `packed` has kept."""
    return bits_of(number) & _MANTISSA


@inlined
def choice(word, n, count):
    """The n-th whole number below `count` that a word decides, each with probability 1/count to within 2^-32."""
    high = mix(word + np.uint64(n + 1) * GOLDEN) >> _32
    return np.int64((high * np.uint64(count)) >> _32)
