"""P-values and the rule that judges them, which was written before anything was run.

A p-value outside [1e-4, 1 - 1e-4] is suspicious, and the statistic is then repeated on streams of other particles. It has
failed when the repetition is suspicious on the same side, or when either p-value is outside [1e-10, 1 - 1e-10].
A sound generator makes one statistic in 5000 suspicious and one in 1e8 fail; with a few thousand statistics in a check,
several fairly are suspicious once, and one check in some ten thousand fails by chance.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special, stats

SUSPICIOUS, IMPOSSIBLE = 1e-4, 1e-10


class Result(NamedTuple):
    """One statistic's p-value: small where the deviation is too large, near 1 where it is too small to be chance."""

    test: str
    data: str
    p: float


def is_outside(p: float, bound: float) -> bool:
    """Whether a p-value is closer to 0 or 1 than the bound; also if it is not a number."""
    return not bound <= p <= 1.0 - bound


class Judged(NamedTuple):
    """A result, its repetition's p-value where there was one, and whether it has failed."""

    result: Result
    again: float | None
    failed: bool


def judge(results: list[Result], repeat: Callable[[Result], float]) -> list[Judged]:
    """Judge every result; `repeat` gives the p-value of the same statistic on other particles."""
    judged = []
    for result in results:
        again, failed = None, is_outside(result.p, IMPOSSIBLE)
        if is_outside(result.p, SUSPICIOUS):
            again = repeat(result)
            same_side = (result.p < 0.5) == (again < 0.5)
            failed |= is_outside(again, IMPOSSIBLE) or (is_outside(again, SUSPICIOUS) and same_side)
        judged.append(Judged(result, again, failed))
    return judged


# ------------------------------------------------------------------------------------------------- p-values


def chi_square(counts: np.ndarray, chances: np.ndarray, least: float = 10.0) -> float:
    """Pearson's test of counts against the cells' probabilities; cells that expect less than `least` are put together."""
    counts, expected = np.ravel(counts).astype(float), np.ravel(chances) * counts.sum()
    order = np.argsort(-expected, kind="stable")
    counts, expected = counts[order], expected[order]
    large = int(np.count_nonzero(expected >= least))
    # The small cells, from the smallest up, in heaps of at least `least`; what is left over joins the last large one.
    heaps, seen, hoped = [], 0.0, 0.0
    for k in range(expected.size - 1, large - 1, -1):
        seen, hoped = seen + counts[k], hoped + expected[k]
        if hoped >= least:
            heaps.append((seen, hoped))
            seen = hoped = 0.0
    cells = np.concatenate([np.stack([counts[:large], expected[:large]], axis=1), np.reshape(heaps, (-1, 2))])
    cells[-1] += seen, hoped
    if len(cells) < 2:
        raise ValueError("too few counts for a test of chi-square")
    return float(stats.chi2.sf(((cells[:, 0] - cells[:, 1]) ** 2 / cells[:, 1]).sum(), len(cells) - 1))


def of_parts(counts: np.ndarray, chances: np.ndarray, draws: int) -> float:
    """Pearson's test of the counts of some cells; what is left of the draws is a cell of its own."""
    return chi_square(np.append(counts, draws - counts.sum()), np.append(chances, 1.0 - chances.sum()))


def poisson(count: int, mean: float) -> float:
    """P(more) + P(as many)/2 of a Poisson number."""
    return float(stats.poisson.sf(count, mean) + 0.5 * stats.poisson.pmf(count, mean))


def binomial(count: int, trials: int, chance: float) -> float:
    """P(more) + P(as many)/2 of a binomial number."""
    return float(stats.binom.sf(count, trials, chance) + 0.5 * stats.binom.pmf(count, trials, chance))


def normal(deviation: float) -> float:
    """Two-sided p-value of a number of standard errors."""
    return math.erfc(abs(deviation) / math.sqrt(2.0))


def kolmogorov(distance: float, count: int) -> float:
    """P(larger distance) of Kolmogorov and Smirnov, in the limit of many draws."""
    return float(special.kolmogorov(math.sqrt(count) * distance))


def together(p_values: np.ndarray) -> float:
    """One p-value for many of independent statistics: that of the most extreme, 1 - (1 - m)^n with m the smallest."""
    p = np.asarray(p_values, dtype=float)
    nearest = 2.0 * min(p.min(), (1.0 - p).min())
    return float(-np.expm1(p.size * np.log1p(-min(nearest, 1.0))))
