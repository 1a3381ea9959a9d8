"""The other laws: exponentials of an exit's chance, Student's and stable variates, and the choices of a mini-batch."""

import math
from typing import Any

import numba
import numpy as np
from scipy import stats

from checks.random_numbers.streams import STEPS
from checks.random_numbers.verdicts import Result, chi_square, kolmogorov, of_parts
from simdyn.model.words import choice, unpacked
from simdyn.simulate.rng import draw_chances, stream_word
from simdyn.simulate.variates import draw_stables, draw_students, draw_words

_U = np.uint64
LANES, LENGTH = 512, 1024
BLOCK = LANES * LENGTH
_CELLS, _OCTAVES = 4096, 48
DEGREES, ALPHAS = (2.5, 4.0), (0.8, 1.5)
_BATCHES = (10, 1000)


@numba.njit(nogil=True)
def _begin(states, seed, first, salt):
    for n in range(4):
        for i in range(states.shape[1]):
            states[n, i] = stream_word(seed, _U(first + i), salt, _U(n))


def drawer(draw: Any) -> Any:
    """Rows of one lane helper's variates, step after step."""

    @numba.njit(nogil=True)
    def fill(states, rows, parameter):
        for t in range(rows.shape[0]):
            draw(states[0], states[1], states[2], states[3], rows[t], parameter, rows.shape[1])

    return fill


students, stables = drawer(draw_students), drawer(draw_stables)


@numba.njit(nogil=True)
def _chances(states, rows, parameter):
    for t in range(0, rows.shape[0], 2):
        draw_chances(states[0], states[1], states[2], states[3], rows[t], rows[t + 1], rows.shape[1])


@numba.njit(nogil=True)
def _words(states, rows, parameter):
    for t in range(rows.shape[0]):
        draw_words(states[0], states[1], states[2], states[3], rows[t], rows.shape[1])


def _blocks(fill: Any, seed: int, draws: int, first: int, parameter: float = 0.0) -> Any:
    """Blocks of variates, each of particles of its own."""
    states = np.zeros((4, LANES), _U)
    rows = np.empty((LENGTH, LANES))
    for block in range(-(-draws // BLOCK)):
        _begin(states, _U(seed), first + block * LANES, _U(STEPS))
        fill(states, rows, parameter)
        yield rows


# --------------------------------------------------------------------------------------------- heavy tails


@numba.njit(nogil=True)
def _count_bounded(rows, counts):
    """x/(1 + |x|), in (-1, 1), in equal cells."""
    for x in rows.ravel():
        counts[min(int((x / (1.0 + abs(x)) + 1.0) * 0.5 * counts.size), counts.size - 1)] += 1


_LEVELS = np.array([-30.0, -8.0, -4.0, -2.0, 0.0, 1.0, 2.0, 3.0, 3.7])  # of log g; from e^3.7 = 40 on e^-g is nothing


def stable_exceeds(x: np.ndarray, alpha: float) -> np.ndarray:
    """P(X > x), x > 0, of the standard symmetric stable law, alpha not 1: Zolotarev's integral of e^-g, g monotone.

    The angle, counted from a quarter turn, is divided where g has certain values, and each part takes 48 Gauss nodes.
    """
    power, quarter = alpha / (alpha - 1.0), math.pi / 2.0
    x = np.asarray(x, dtype=float)[:, None]

    def log_g(u: np.ndarray) -> np.ndarray:
        v = quarter - u
        shape = power * (np.log(np.sin(u)) - np.log(np.sin(alpha * v))) + np.log(np.cos((alpha - 1.0) * v) / np.sin(u))
        return power * np.log(x) + shape

    rises = alpha > 1.0  # g with u
    low, high = np.full((x.size, _LEVELS.size), math.log(1e-300)), np.full((x.size, _LEVELS.size), math.log(quarter))
    for _ in range(80):  # bisection of log u
        middle = 0.5 * (low + high)
        right = (log_g(np.exp(middle) * (1.0 - 1e-15)) < _LEVELS) == rises
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    ends = np.sort(np.concatenate([np.zeros_like(x), np.exp(low), np.full_like(x, quarter)], axis=1), axis=1)
    nodes, weights = np.polynomial.legendre.leggauss(48)
    area = np.zeros(x.size)
    for left, right in zip(ends.T[:-1, :, None], ends.T[1:, :, None], strict=True):
        u = np.clip(left + 0.5 * (nodes + 1.0) * (right - left), 1e-300, quarter * (1.0 - 1e-12))
        heights = np.exp(-np.exp(np.minimum(log_g(u), 6.0)))
        area += 0.5 * ((right - left) * weights * heights).sum(axis=1) / math.pi
    return area if rises else 0.5 - area


def _against(counts: np.ndarray, upper: np.ndarray, data: str) -> list[Result]:
    """Counts against P(X > x) at the edges of the upper half, 0 left out."""
    tails = np.concatenate([[0.5], upper, [0.0]])
    chances = -np.diff(tails)
    chances = np.concatenate([chances[::-1], chances])
    distance = np.abs(np.cumsum(counts) / counts.sum() - np.cumsum(chances)).max()
    return [
        Result("Kolmogorov-Smirnov", data, kolmogorov(distance, counts.sum())),
        Result("chi-square of the histogram", data, chi_square(counts, chances)),
    ]


@numba.njit(nogil=True)
def _count_octaves(rows, counts):
    """|x| by the power of two below it, from 1 on."""
    for x in rows.ravel():
        if abs(x) >= 1.0:
            counts[min(int(math.log2(abs(x))), counts.size - 1)] += 1


def heavy_tails(seed: int, draws: int, first: int = 0) -> list[Result]:
    """Student's t and symmetric stable variates against their laws."""
    share = np.arange(1, _CELLS // 2) / (_CELLS // 2)
    edges, powers, found = share / (1.0 - share), 2.0 ** np.arange(_OCTAVES), []
    for fill, parameters, name, exceeds in (
        (students, DEGREES, "Student, {:g} degrees", lambda x, degrees: stats.t.sf(x, degrees)),
        (stables, ALPHAS, "stable, alpha {:g}", stable_exceeds),
    ):
        for parameter in parameters:
            counts, tail, data = np.zeros(_CELLS, np.int64), np.zeros(_OCTAVES, np.int64), name.format(parameter)
            for rows in _blocks(fill, seed, draws, first, parameter):
                _count_bounded(rows, counts)
                _count_octaves(rows, tail)
            chances = -np.diff([*(2.0 * exceeds(powers, parameter)), 0.0])
            found += _against(counts, exceeds(edges, parameter), data)
            found.append(Result("chi-square of octaves beyond 1", data, of_parts(tail, chances, counts.sum())))
    return found


# ------------------------------------------------------------------------------- exponentials and choices


@numba.njit(nogil=True)
def _count_exponentials(rows, counts, joint):
    """e^(-w/2), uniform: alone in 2^16 cells, the two of a draw in 256 x 256."""
    for t in range(0, rows.shape[0], 2):
        for i in range(rows.shape[1]):
            a = min(int(math.exp(-0.5 * rows[t, i]) * 65536.0), 65535)
            b = min(int(math.exp(-0.5 * rows[t + 1, i]) * 65536.0), 65535)
            counts[a] += 1
            counts[b] += 1
            joint[a >> 8, b >> 8] += 1


@numba.njit(nogil=True)
def _count_choices(rows, count, singles, joint):
    """The number a word chooses first, beside its second and beside what the next word and the next particle choose first.

    No word is in two pairs of a kind: only then is chi-square's law exact.
    """
    for t in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            word = unpacked(rows[t, i])
            one = choice(word, 0, count)
            singles[one] += 1
            joint[0, one, choice(word, 1, count)] += 1
            if t % 2 == 0:
                joint[1, one, choice(unpacked(rows[t + 1, i]), 0, count)] += 1
            if i % 2 == 0:
                joint[2, one, choice(unpacked(rows[t, i + 1]), 0, count)] += 1


def exponentials(seed: int, draws: int, first: int = 0) -> list[Result]:
    """The two values of -2 ln U of a draw."""
    counts, joint = np.zeros(65536, np.int64), np.zeros((256, 256), np.int64)
    for rows in _blocks(_chances, seed, draws, first):
        _count_exponentials(rows, counts, joint)
    uniform = np.full(65536, 2.0**-16)
    distance = np.abs(np.cumsum(counts) / counts.sum() - np.cumsum(uniform)).max()
    return [
        Result("Kolmogorov-Smirnov", "exponentials", kolmogorov(distance, counts.sum())),
        Result("chi-square of the histogram", "exponentials", chi_square(counts, uniform)),
        Result("the two of a draw, 256 x 256 cells", "exponentials", chi_square(joint, uniform)),
    ]


def choices(seed: int, draws: int, first: int = 0) -> list[Result]:
    """Whole numbers below `count` that words decide, as members of a mini-batch are."""
    found = []
    for count in _BATCHES:
        singles, joint = np.zeros(count, np.int64), np.zeros((3, count, count), np.int64)
        for rows in _blocks(_words, seed, draws, first):
            _count_choices(rows, count, singles, joint)
        data = f"members of a mini-batch, of {count}"
        found.append(Result("equally frequent", data, chi_square(singles, np.full(count, 1.0 / count))))
        cells = np.full(count * count, 1.0 / count**2)
        names = ("the first two of a word", "of successive words", "of neighbouring particles")
        found += [Result(name, data, chi_square(joint[n], cells)) for n, name in enumerate(names)]
    return found
