"""Tests of random words of 32 bits, with laws that are exact up to chi-square's and Poisson's own limits.

A test counts in every chunk, always the same number of objects, and judges the sum. It looks at the first bits of a word where
it does not take them all: the words come once as they are and once reversed. Where a test is from: Knuth, The Art of
Computer Programming 2, 3.3.2 (gaps, coupons, poker, permutations, maxima, collisions in spacings, serial pairs);
Marsaglia and Tsay (1985) (ranks); L'Ecuyer and Simard, TestU01, ACM TOMS 33 (2007) (walks, weights and the sizes at
which Poisson's law holds); Blackman and Vigna (2021) (dependent weights, which see scrambled linear generators best).
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from scipy import special, stats

from checks.random_numbers.verdicts import Result, chi_square, poisson

_compiled = numba.njit(nogil=True)


class BitTest(NamedTuple):
    """count(words) gives counts of a chunk, which add up; judge(counts, words, chunks) gives {statistic: p-value}."""

    count: Callable[[np.ndarray], Any]
    judge: Callable[[Any, int, int], dict[str, float]]


@_compiled
def ones(word):
    word = word - ((word >> 1) & 0x5555555555555555)
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (word * 0x0101010101010101 >> 56) & 0xFF


# ------------------------------------------------------------------------------------- weights and single bits


@_compiled
def _count_weights(words, counts):
    """Eight successive words, each light (up to 14 ones), even (15 to 17) or heavy."""
    for k in range(words.size // 8):
        cell = 0
        for n in range(8):
            weight = ones(np.int64(words[8 * k + n]))
            cell = 3 * cell + (weight > 14) + (weight > 17)
        counts[cell] += 1


def _weights(words):
    counts = np.zeros(3**8, np.int64)
    _count_weights(words, counts)
    return counts


def _judge_weights(counts, words, chunks):
    light = stats.binom.cdf(14, 32, 0.5)
    one = np.array([light, 1.0 - 2.0 * light, light])
    return {"weights of eight words": chi_square(counts, functools.reduce(np.multiply.outer, [one] * 8))}


@_compiled
def _count_pairs(words, sums):
    """Sums over words of b_i b_j, i < j, and of b_i b'_j, b' the next word, with bits of +-1; every fourth block of 64."""
    columns = np.zeros(32, np.uint64)
    for block in range(0, words.size // 64, 4):
        columns[:] = 0
        for n in range(64):
            word = np.uint64(words[64 * block + n])
            for i in range(32):
                columns[i] |= ((word >> np.uint64(i)) & np.uint64(1)) << np.uint64(n)
        for i in range(32):
            sums[2, i, i] += 2 * ones(np.int64(columns[i])) - 64
            for j in range(32):
                if i < j:
                    sums[0, i, j] += 64 - 2 * ones(np.int64(columns[i] ^ columns[j]))
                differ = (columns[i] ^ (columns[j] >> np.uint64(1))) & np.uint64(0x7FFFFFFFFFFFFFFF)
                sums[1, i, j] += 63 - 2 * ones(np.int64(differ))


def _pairs(words):
    sums = np.zeros((3, 32, 32), np.int64)
    _count_pairs(words, sums)
    return sums


def _judge_pairs(sums, words, chunks):
    blocks = chunks * -(-(words // 64) // 4)
    squares = (sums.astype(float) ** 2).sum(axis=(1, 2)) / (
        blocks * np.array([64, 63, 64])
    )  # the products are uncorrelated
    return {
        "pairs of bits in a word": float(stats.chi2.sf(squares[0], 32 * 31 // 2)),
        "bits of successive words": float(stats.chi2.sf(squares[1], 32 * 32)),
        "single bits": float(stats.chi2.sf(squares[2], 32)),
    }


# ------------------------------------------------------------------------------------------- linear dependence


@_compiled
def _rank(rows):
    """Rank over the field of two elements; the rows, (n, n/64) words, are used up."""
    rank = 0
    for column in range(64 * rows.shape[1]):
        place, bit = column // 64, np.uint64(column % 64)
        pivot = -1
        for r in range(rank, rows.shape[0]):
            if (rows[r, place] >> bit) & np.uint64(1):
                pivot = r
                break
        if pivot < 0:
            continue
        for k in range(rows.shape[1]):
            rows[rank, k], rows[pivot, k] = rows[pivot, k], rows[rank, k]
        for r in range(pivot + 1, rows.shape[0]):
            if (rows[r, place] >> bit) & np.uint64(1):
                for k in range(place, rows.shape[1]):
                    rows[r, k] ^= rows[rank, k]
        rank += 1
    return rank


@_compiled
def _count_ranks(words, counts):
    """Matrices of 320 rows and columns from the words' first bits, and of 64 from all bits of one in sixteen 128 words."""
    rows = np.zeros((320, 5), np.uint64)
    for m in range(words.size // 320**2):
        for k in range(1600):
            filled = np.uint64(0)
            for n in range(64):
                filled |= np.uint64(words[m * 320**2 + k * 64 + n] >> 31) << np.uint64(n)
            rows[k // 5, k % 5] = filled
        counts[0, min(320 - _rank(rows), 3)] += 1
    small = np.zeros((64, 1), np.uint64)
    for m in range(0, words.size // 128, 16):
        for k in range(64):
            small[k, 0] = np.uint64(words[128 * m + 2 * k]) | np.uint64(words[128 * m + 2 * k + 1]) << np.uint64(32)
        counts[1, min(64 - _rank(small), 3)] += 1


def _ranks(words):
    counts = np.zeros((2, 4), np.int64)
    _count_ranks(words, counts)
    return counts


def rank_chances(size):
    """Chances of rank deficiencies 0, 1, 2 and more of a random square matrix of bits."""
    powers = 0.5 ** np.arange(1, size + 1)
    chances = [
        0.5 ** (d * d) * np.prod(1.0 - powers[d:]) / np.prod(1.0 - powers[:d]) for d in range(3)
    ]  # of an infinite matrix to within 2^-size
    return np.array([*chances, 1.0 - sum(chances)])


def _judge_ranks(counts, words, chunks):
    return {
        "ranks of 320 first bits": chi_square(counts[0], rank_chances(320), least=5.0),
        "ranks of 64 bits": chi_square(counts[1], rank_chances(64), least=5.0),
    }


# ----------------------------------------------------------------------------------------- points in a cube


def _points(words):
    """Equal spacings among points of two words' first 26 bits; equal cells of 2^34, and of 2^32 by 2 or 1 bits a word.

    The points are a quarter of all: sorting them takes longest.
    """
    pairs = words[: words.size // 4].reshape(-1, 2).astype(np.uint64)
    days = np.sort((pairs[:, 0] >> np.uint64(6)) << np.uint64(26) | pairs[:, 1] >> np.uint64(6))
    cells = days >> np.uint64(18)
    return np.array(
        [repeats(np.sort(np.diff(days))), repeats(cells), *(repeats(np.sort(_gathered(words, b))) for b in (2, 1))]
    )


def repeats(ordered):
    """How many numbers equal the one before."""
    return np.count_nonzero(ordered[1:] == ordered[:-1])


@_compiled
def _gathered(words, bits):
    """Numbers of 32 bits from the first `bits` of 32/bits successive words."""
    each = 32 // bits
    out = np.zeros(words.size // each, np.uint32)
    for k in range(out.size):
        number = np.uint32(0)
        for n in range(each):
            number = np.uint32(number << np.uint32(bits)) | np.uint32(words[k * each + n] >> np.uint32(32 - bits))
        out[k] = number
    return out


def _collisions(balls, cells):
    """Mean number of collisions of balls in cells: balls less the cells hit."""
    return balls + cells * math.expm1(balls * math.log1p(-1.0 / cells))


def _judge_points(counts, words, chunks):
    n = words // 8
    return {
        "equal spacings in 2 dimensions": poisson(counts[0], chunks * n**3 / 2.0**54),
        "collisions in 2 dimensions": poisson(counts[1], chunks * _collisions(n, 2.0**34)),
        "collisions in 16 dimensions": poisson(counts[2], chunks * _collisions(words // 16, 2.0**32)),
        "collisions in 32 dimensions": poisson(counts[3], chunks * _collisions(words // 32, 2.0**32)),
    }


@_compiled
def _count_serial(words, counts):
    for k in range(words.size // 2):
        counts[words[2 * k] >> 22, words[2 * k + 1] >> 22] += 1


def _serial(words):
    counts = np.zeros((1024, 1024), np.int64)
    _count_serial(words, counts)
    return counts


def _judge_serial(counts, words, chunks):
    return {"serial pairs": chi_square(counts, np.full(counts.shape, 1.0 / counts.size))}


# ------------------------------------------------------------------------------------------ Knuth's sequences

_POKER_HAND, _COUPONS, _MAXIMUM_OF, _GAP_CHANCE = 8, 8, 8, 1.0 / 64.0


@_compiled
def _count_sequences(words, poker, maxima, orders):
    for k in range(words.size // 8):
        seen, largest = 0, np.uint32(0)
        for n in range(8):
            word = words[8 * k + n]
            seen |= 1 << np.int64(word >> 28)
            largest = max(largest, word)
        poker[ones(seen)] += 1
        share = (largest / 4294967296.0) ** 2
        maxima[int(1024.0 * share * share * share * share)] += 1
    for k in range(words.size // 6):
        place = 0
        for i in range(5):  # how many of the later words are smaller: the digits of a permutation's number
            smaller = 0
            for j in range(i + 1, 6):
                smaller += words[6 * k + j] < words[6 * k + i]
            place = place * (6 - i) + smaller
        orders[place] += 1


@_compiled
def _count_waiting(words, gaps, coupons, most_gaps, most_coupons):
    """Lengths until a word below 2^32/64, and until all eight values of the first three bits have come."""
    length, found = 0, 0
    for word in words:
        if word < np.uint32(2**26):
            gaps[min(length, gaps.size - 1)] += 1
            length, found = 0, found + 1
            if found == most_gaps:
                break
        else:
            length += 1
    length, seen, found = 0, 0, 0
    for word in words:
        length += 1
        seen |= 1 << np.int64(word >> 29)
        if seen == 255:
            coupons[min(length, coupons.size - 1)] += 1
            length, seen, found = 0, 0, found + 1
            if found == most_coupons:
                break


def _sequences(words):
    """A fixed number of gaps and coupon sets, seven standard deviations below what a chunk holds: their law is then exact."""
    poker, maxima, orders = np.zeros(9, np.int64), np.zeros(1024, np.int64), np.zeros(720, np.int64)
    gaps, coupons = np.zeros(600, np.int64), np.zeros(100, np.int64)
    _count_sequences(words, poker, maxima, orders)
    waits = words.size * _GAP_CHANCE
    sets = words.size / (8 * sum(1 / n for n in range(1, 9)))
    _count_waiting(words, gaps, coupons, int(waits - 7 * math.sqrt(waits)), int(sets - 7 * math.sqrt(sets)))
    return np.array([poker, maxima, orders, gaps, coupons], dtype=object)


def _judge_sequences(counts, words, chunks):
    poker, maxima, orders, gaps, coupons = counts
    hands = [special.perm(16, n) * special.stirling2(8, n) / 16.0**8 for n in range(9)]
    waits = _GAP_CHANCE * (1.0 - _GAP_CHANCE) ** np.arange(gaps.size)
    waits[-1] /= _GAP_CHANCE
    done = [sum((-1) ** n * math.comb(8, n) * (1.0 - n / 8.0) ** t for n in range(9)) for t in range(coupons.size)]
    sets = np.diff([0.0, *done[:-1], 1.0])
    sets[:8] = 0.0  # below rounding, and impossible
    return {
        "poker": chi_square(poker[1:], np.array(hands[1:])),
        "maximum of eight": chi_square(maxima, np.full(1024, 1.0 / 1024.0)),
        "permutations of six": chi_square(orders, np.full(720, 1.0 / 720.0)),
        "gaps": chi_square(gaps, waits),
        "coupons": chi_square(coupons[8:], sets[8:]),
    }


# ---------------------------------------------------------------------------------------- walks and periods


def _byte_walks():
    """Where a walk of eight steps ends, by its byte (1 is up, first bit first), and the highest it has been on the way."""
    steps = 2 * ((np.arange(256)[:, None] >> np.arange(7, -1, -1)) & 1) - 1
    paths = np.cumsum(steps, axis=1)
    return paths[:, -1], paths.max(axis=1)


_ENDS, _HIGHEST = _byte_walks()
_WALK = 256


@_compiled
def _count_walks(words, ends, highest, end_counts, top_counts):
    for k in range(words.size // 8):
        place = top = 0
        for n in range(8):
            word = np.int64(words[8 * k + n])
            for shift in (24, 16, 8, 0):
                byte = (word >> shift) & 255
                top = max(top, place + highest[byte])
                place += ends[byte]
        end_counts[(place + 256) // 2] += 1
        top_counts[top] += 1


def _walks(words):
    counts = np.zeros((2, _WALK + 1), np.int64)
    _count_walks(words, _ENDS, _HIGHEST, counts[0], counts[1])
    return counts


def _judge_walks(counts, words, chunks):
    """By reflection P(top >= m) = P(end >= m) + P(end > m)."""
    ends = stats.binom.pmf(np.arange(_WALK + 1), _WALK, 0.5)
    at_least = stats.binom.sf((np.arange(_WALK + 3) + _WALK - 1) // 2, _WALK, 0.5)  # P(end >= m)
    reached = at_least[:-1] + at_least[1:]
    reached[0] = 1.0
    return {"ends of walks": chi_square(counts[0], ends), "tops of walks": chi_square(counts[1], -np.diff(reached))}


def _periods(words):
    """Counts of e^-I in octaves, I the periodogram of uniform numbers in units of its mean: exponential."""
    count = words.size // 4
    wave = np.abs(np.fft.rfft(words[:count] / 2.0**32 - (0.5 - 2.0**-33))[1:-1]) ** 2 * (12.0 / count)
    return np.bincount(np.minimum((wave / math.log(2.0)).astype(int), 63), minlength=64)


def _judge_periods(counts, words, chunks):
    chances = 0.5 ** np.arange(1, 65)
    chances[-1] *= 2.0
    return {"periodogram": chi_square(counts, chances)}


TESTS = (
    BitTest(_weights, _judge_weights),
    BitTest(_pairs, _judge_pairs),
    BitTest(_ranks, _judge_ranks),
    BitTest(_points, _judge_points),
    BitTest(_serial, _judge_serial),
    BitTest(_sequences, _judge_sequences),
    BitTest(_walks, _judge_walks),
    BitTest(_periods, _judge_periods),
)


class Tally:
    """The whole battery on one stream of words, chunk after chunk."""

    def __init__(self) -> None:
        self.chunks = 0
        self._size = 0
        self._counts: list[Any] = [0] * len(TESTS)

    def add(self, words: np.ndarray) -> None:
        """Count in a chunk of 32-bit words, as many in each."""
        self.chunks, self._size = self.chunks + 1, words.size
        self._counts = [have + test.count(words) for have, test in zip(self._counts, TESTS, strict=True)]

    def results(self, data: str) -> list[Result]:
        """All p-values."""
        found = [test.judge(have, self._size, self.chunks) for have, test in zip(self._counts, TESTS, strict=True)]
        return [Result(name, data, p) for some in found for name, p in some.items()]
