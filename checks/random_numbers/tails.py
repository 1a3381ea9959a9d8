"""Heavy tails where no number of draws gets: variates of words within 2^-19 of the end that makes a tail, and within 2^-38.

The generator is put before such a word, and the engine's own functions draw; the law of a variate of such words is known. So 1e7
draws show what happens in 5e12, and in 3e18 where the next word begins with 19 zeros too.
"""

import math
from typing import Any

import numba
import numpy as np
from scipy import stats

from checks.random_numbers.variates import drawer, stables, students
from checks.random_numbers.verdicts import Result, of_parts
from simdyn.simulate.rng import next_bits
from simdyn.simulate.variates import CLOSE, odd_fraction, stable_variate, student_variate

_U = np.uint64
DEGREES, ALPHAS = (2.1, 4.0), (0.3, 1.5)
_BLOCK = 2**18
_HALVES = 0.5 ** np.arange(40)


def states_before(words: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """States (4, lanes) of the generator that gives `words` next: (0, b, c, d) gives d with its bits turned.

    The word after that is 0 where b = d, and otherwise what b makes it; c decides what comes next.
    """
    return np.stack([np.zeros_like(b), b, c, turned(words)])


def turned(words: np.ndarray) -> np.ndarray:
    return (words >> _U(23)) | (words << _U(41))


def close_states(seed: Any, lanes: int, high: int | None, low: int | None, again: bool = False) -> np.ndarray:
    """States before random words of whose halves the first 19 bits are `high` and `low`, if given; again: and then 0."""
    words, b, c = np.random.default_rng(seed).integers(0, 2**64, (3, lanes), dtype=_U)
    for begins, shift in ((high, 45), (low, 13)):
        if begins is not None:
            words = (words & ~(_U(2**19 - 1) << _U(shift))) | (_U(begins) << _U(shift))
    return states_before(words, turned(words) if again else b, c)


ZEROS, ONES = 0, 2**19 - 1


@drawer
@numba.njit(nogil=True)
def _cut_students(s0, s1, s2, s3, row, degrees, width):
    """What would be drawn if U ended where its 32 bits do."""
    for i in range(width):
        bits = next_bits(s0, s1, s2, s3, i)
        row[i] = student_variate(odd_fraction(bits >> _U(32)), bits, degrees)


@drawer
@numba.njit(nogil=True)
def _cut_stables(s0, s1, s2, s3, row, alpha, width):
    for i in range(width):
        row[i] = stable_variate(next_bits(s0, s1, s2, s3, i), alpha)


def sizes(fill: Any, states: np.ndarray, parameter: float) -> np.ndarray:
    """The absolute values, (lanes,), of the variates that a `drawer` draws next."""
    rows = np.empty((1, states.shape[1]))
    fill(states, rows, parameter)
    return np.abs(rows[0])


def far_tails(seed: int, draws: int, first: int = 0, cut: bool = False) -> list[Result]:
    """Variates of words next to a tail's end against the tail's law, in cells each half as likely as the last.

    Of U below c, Student's |t| exceeds any x that U = c does not reach with a chance of P(|t| > x)/c. With the gap to the
    quarter turn g a and W = c b, a and b uniform, a stable variate is |X|^alpha = sin(pi alpha/2)/(pi/2 g c^(1 - alpha) y), where
    y = a b^(1 - alpha). Here c = 2^-19, or its square for U and g. cut: as if U and the angle ended with their 32 bits.
    """
    found = []
    for again in (False, True):
        end = CLOSE**2 if again else CLOSE
        for degrees in DEGREES:
            edge = float(stats.t.sf(math.sqrt(degrees * (end ** (-2.0 / degrees) - 1.0)), degrees))

            def tails(block: tuple[int, ...], degrees: float = degrees, again: bool = again) -> np.ndarray:
                states = close_states(block, _BLOCK, ZEROS, None, again)
                return stats.t.sf(sizes(_cut_students if cut else students, states, degrees), degrees)

            data = f"Student, {degrees:g} degrees, the last {end:.0e}"
            found.append(_by_halves(tails, edge, 2.0 * edge / end * _HALVES, data, seed, draws, first))
        for alpha in ALPHAS:
            scale = math.sin(0.5 * math.pi * alpha) / (0.5 * math.pi * end * CLOSE ** (1.0 - alpha))

            def ratios(
                block: tuple[int, ...], alpha: float = alpha, scale: float = scale, again: bool = again
            ) -> np.ndarray:
                states = close_states(block, _BLOCK, ONES, ONES, again)
                return scale / sizes(_cut_stables if cut else stables, states, alpha) ** alpha

            data = f"stable, alpha {alpha:g}, the last {end * CLOSE:.0e}"
            found.append(_by_halves(ratios, 1.0, products_below(_HALVES, alpha), data, seed, draws, first))
    return found


def products_below(y: np.ndarray, alpha: float) -> np.ndarray:
    """P(a b^(1 - alpha) < y) of two uniform numbers, y up to 1: for alpha below 1 every a does where b is small enough."""
    sure = y ** (1.0 / (1.0 - alpha)) if alpha < 1.0 else np.zeros_like(y)
    return sure + y * (1.0 - sure**alpha) / alpha


def _by_halves(draw: Any, edge: float, chances: np.ndarray, data: str, seed: int, draws: int, first: int) -> Result:
    """Chi-square of numbers below `edge`, of which `chances` (n,) are below edge 2^-n."""
    counts, blocks = np.zeros(_HALVES.size, np.int64), -(-draws // _BLOCK)
    for block in range(blocks):
        halvings = -np.log2(draw((seed, first, block)) / edge)
        counts += np.bincount(np.clip(np.floor(halvings) + 1, 0, _HALVES.size).astype(int), minlength=_HALVES.size + 1)[
            1:
        ]
    return Result("chi-square by halves", data, of_parts(counts, -np.diff([*chances, 0.0]), blocks * _BLOCK))
