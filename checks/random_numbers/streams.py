"""The random words in the orders in which simulations consume them, from the engine's own compiled functions.

A lane carries one particle's stream. Lanes are filled with consecutive particles (or seeds, or salts), each gives
`burst` words in turn, and after `length` words all lanes go on to the next particles, as the engine's do.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from simdyn.model.words import GOLDEN
from simdyn.simulate.lanes import CHANCE, MOMENTUM, STEPS
from simdyn.simulate.rng import next_bits, stream_word

_U = np.uint64
WORDS = 2**21  # 64-bit words of a chunk
ENDLESS = 2**62


class Order(NamedTuple):
    """Which stream gives the next word. Lane number k of all carries salt `salt + k % salts`, then seed, then particle."""

    name: str
    lanes: int  # streams that take turns
    burst: int = 1  # words of one stream before the next has its turn
    length: int = ENDLESS  # words that a stream gives altogether
    seed: int = 1
    seeds: int = 1  # consecutive seeds that take turns
    salt: int = STEPS
    salts: int = 1  # consecutive salts that take turns
    stride: int = 1  # from one particle's number to the next
    first: int = 0  # number of the first particle


ORDERS = (
    Order("one particle, all steps", 1, burst=1024),
    Order("32 particles, step by step", 32),
    Order("4096 particles, step by step", 4096),
    Order("4096 particles, step by step, seed 0", 4096, seed=0),
    Order("4096 particles, step by step, seed 2^63", 4096, seed=2**63),
    Order("2^20 particles, 4 steps each", 2**20, length=4),
    Order("one particle after another, 1024 words each", 1, burst=1024, length=1024),
    Order("first word of every particle", 2**16, length=1),
    Order("first word of every particle, seed 0", 2**16, length=1, seed=0),
    Order("first word of every particle, seed 2^63", 2**16, length=1, seed=2**63),
    Order("first two words of every particle", 2**16, burst=2, length=2),
    Order("first word of every 2^32th particle", 2**16, length=1, stride=2**32),
    Order("first word of consecutive seeds, particle after particle", 2**16, length=1, seeds=2**16),
    Order("4096 consecutive seeds of one particle, step by step", 4096, seeds=4096),
    Order("first word of every particle, salt of the momentum", 2**16, length=1, salt=MOMENTUM),
    Order("4096 particles, step by step, salt of the exits", 4096, salt=CHANCE),
    Order("the three salts in turn, step by step", 4096, salts=3),
    Order("first word of the three salts in turn", 2**16, length=1, salts=3),
)


class Generator(NamedTuple):
    """How a stream begins, as `stream_word`, and how it goes on, as `next_bits`: the engine's, or a damaged one."""

    word: Callable
    bits: Callable


ENGINE = Generator(stream_word, next_bits)


@numba.njit(inline="always")
def _unmixed_word(seed, particle, salt, number):
    return seed + salt * GOLDEN + (particle + _U(1)) * (number + _U(1))


@numba.njit(inline="always")
def _unscrambled_bits(s0, s1, s2, s3, i):
    linear = s0[i]
    next_bits(s0, s1, s2, s3, i)
    return linear


UNMIXED = Generator(_unmixed_word, next_bits)  # neighbouring particles start from neighbouring states
UNSCRAMBLED = Generator(stream_word, _unscrambled_bits)  # every bit obeys a linear recurrence of degree 256


@functools.cache
def _compiled(generator: Generator) -> Any:
    word, bits = generator

    @numba.njit(nogil=True)
    def begin(states, index, seed, seeds, salt, salts, stride, first):
        for i in range(states.shape[1]):
            k = index + i
            own_salt = salt + _U(k % salts)
            own_seed = seed + _U(k // salts % seeds)
            particle = first + _U(k // salts // seeds) * stride
            for n in range(4):
                states[n, i] = word(own_seed, particle, own_salt, _U(n))

    @numba.njit(nogil=True)
    def turn(out, s0, s1, s2, s3):
        for i in range(out.size):
            out[i] = bits(s0, s1, s2, s3, i)

    @numba.njit(nogil=True)
    def fill(out, states, clock, seed, seeds, salt, salts, stride, first, burst, length):
        lanes, place = states.shape[1], 0
        while place < out.size:
            if clock[1] == 0:
                begin(states, clock[0], seed, seeds, salt, salts, stride, first)
                clock[0] += lanes
            if burst == 1:
                turn(out[place : place + lanes], states[0], states[1], states[2], states[3])
            else:
                for i in range(lanes):
                    for n in range(burst):
                        out[place + i * burst + n] = bits(states[0], states[1], states[2], states[3], i)
            place += lanes * burst
            clock[1] = (clock[1] + burst) % length

    return fill


class Stream:
    """The words of an order, chunk after chunk."""

    def __init__(self, order: Order, generator: Generator = ENGINE) -> None:
        self._order = order
        self._fill = _compiled(generator)
        self._states = np.zeros((4, order.lanes), _U)
        self._clock = np.zeros(2, np.int64)  # streams begun, words given by those in the lanes

    def words(self, count: int = WORDS) -> np.ndarray:
        """The next 64-bit words, (count,): a multiple of what one turn of all lanes gives."""
        out, o = np.empty(count, _U), self._order
        if count % (o.lanes * o.burst):
            raise ValueError(f"count must be a multiple of {o.lanes * o.burst}")
        self._fill(
            out, self._states, self._clock, _U(o.seed), o.seeds, _U(o.salt), o.salts, _U(o.stride), _U(o.first), o.burst, o.length
        )  # fmt: skip
        return out


# ------------------------------------------------------------------------------------------- words of 32 bits


def alternating(words: np.ndarray) -> np.ndarray:
    """Low and high halves in turn."""
    return words.view(np.uint32)


def high(words: np.ndarray) -> np.ndarray:
    """The halves that become a radius; their last bit is the cosine's sign."""
    return (words >> _U(32)).astype(np.uint32)


def low(words: np.ndarray) -> np.ndarray:
    """The halves that become an angle."""
    return words.astype(np.uint32)


@numba.njit(nogil=True)
def _reverse(words, out):
    for i in range(words.size):
        w = words[i]
        w = ((w >> 1) & 0x55555555) | ((w & 0x55555555) << 1)
        w = ((w >> 2) & 0x33333333) | ((w & 0x33333333) << 2)
        w = ((w >> 4) & 0x0F0F0F0F) | ((w & 0x0F0F0F0F) << 4)
        w = ((w >> 8) & 0x00FF00FF) | ((w & 0x00FF00FF) << 8)
        out[i] = (w >> 16) | (w << 16)


def bits_reversed(half: Callable) -> Callable:
    """The same words with their bits the other way round, for tests that look at the first bits alone."""

    def view(words: np.ndarray) -> np.ndarray:
        out = np.empty_like(half(words))
        _reverse(half(words), out)
        return out

    return view


VIEWS: dict[str, Callable] = {
    "low and high": alternating,
    "high": high,
    "low": low,
    "low and high, reversed": bits_reversed(alternating),
    "high, reversed": bits_reversed(high),
    "low, reversed": bits_reversed(low),
}
