"""An exponential's mean, and the survival curve, from samples some of which were cut off before they escaped."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv

from simdyn.estimate._arguments import BoolArray, FloatArray, check_level, lifetimes
from simdyn.estimate.intervals import Estimate, normal_quantile


def mean_lifetime(times: ArrayLike, censored: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Mean lifetime of an exponential law, of which some samples may be censored.

    With n particles, r of them seen to escape, and R the sum of all times (the total time at risk),

        mean = R / r,      2 R / chi2(1 - a/2; m) <= mean <= 2 R / chi2(a/2; 2 r),      a = 1 - level,

    chi2(q; m) the q-quantile with m degrees of freedom: m = 2 r without censoring, m = 2 r + 2 with it.

    times: (n,), any unit, >= 0: the escape time, or where `censored` the time up to which the particle was
    watched. censored: (n,) booleans; None: all escaped. The result has the unit of `times`.

    Validity: lifetimes independent and exponential (`exponential_check`). Without censoring the interval is
    exact, 2 R/mean being chi2(2n). When watching ends at a fixed time (max_steps) it is the exact interval of
    a Poisson count r at given R: close to the level and, at few events, above it. Whole numbers of steps:
    R/r is the maximum-likelihood mean of the geometric law too, and the interval a little wide, by about
    1 / (2 mean) of its width. No events: the value and `high` are infinite, `low` is finite.

    Raises ValueError: times empty, negative, not finite or all zero; censored of another shape.

    Source: Lawless, Statistical Models and Methods for Lifetime Data, 2nd ed., section 4.1; the Poisson
    limits are Garwood, Biometrika 28 (1936) 437.

    >>> print(mean_lifetime([100.0, 300.0, 200.0, 400.0]))
    250 [114, 918] (95 %)
    >>> mean_lifetime([1000.0, 1000.0], censored=[True, True]).high
    inf
    """
    check_level(level)
    seen, cut = lifetimes(times, censored)
    at_risk = float(seen.sum())
    if at_risk == 0.0:
        raise ValueError("times are all zero: nothing was at risk")
    events = int(np.count_nonzero(~cut))
    tail = 0.5 * (1.0 - level)
    # Half a chi-square quantile with 2m degrees of freedom is the quantile of a gamma law with shape m.
    low = at_risk / float(gammaincinv(events + (1 if cut.any() else 0), 1.0 - tail))
    if events == 0:
        return Estimate(math.inf, low, math.inf, level)
    return Estimate(at_risk / events, low, at_risk / float(gammaincinv(events, tail)), level)


class SurvivalCurve(NamedTuple):
    """The share alive just after each distinct escape time, with pointwise limits; 1 before the first."""

    time: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    level: float


def kaplan_meier(times: ArrayLike, censored: ArrayLike | None = None, level: float = 0.95) -> SurvivalCurve:
    """Survival curve that assumes no law and uses censored samples for as long as they were watched.

        S(t) = prod_{t_i <= t} (1 - d_i / n_i),      G(t) = sum_{t_i <= t} d_i / (n_i (n_i - d_i)),
        limits  S^exp(+-z sqrt(G) / log S),

    d_i escapes among the n_i at risk at the distinct escape time t_i; a particle censored at t_i was at risk
    at t_i. times: (n,) >= 0; censored: (n,) booleans. All arrays of the result have one entry per distinct
    escape time (none when nothing escaped).

    Validity: censoring independent of the lifetime. The limits are pointwise, not a band. Of 20, 100
    and 1000 times, a third of them censored, those of 95 % cover 95 to 96.5 % at S = 1/2 and 1/10; after the first few
    escapes 90 %, before the first there are none. Where S reaches 0
    the variance is undefined: the lower limit is 0, the upper stays what it was before (1 if there was none).

    Raises ValueError as `mean_lifetime` does.

    Source: Kaplan and Meier, J. Am. Stat. Assoc. 53 (1958) 457; Greenwood's variance on the log(-log) scale,
    Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd ed., section 1.4.

    >>> curve = kaplan_meier([1, 2, 2, 4], censored=[False, False, True, False])
    >>> curve.time.tolist(), curve.survival.tolist()
    ([1.0, 2.0, 4.0], [0.75, 0.5, 0.0])
    """
    seen, cut = lifetimes(times, censored)
    quantile = normal_quantile(level)
    moments, escapes = np.unique(seen[~cut], return_counts=True)
    at_risk = len(seen) - np.searchsorted(np.sort(seen), moments, side="left")
    survival = np.cumprod(1.0 - escapes / at_risk, dtype=np.float64)
    alive = survival > 0.0
    low, high = np.zeros_like(survival), np.ones_like(survival)
    greenwood = np.cumsum(escapes[alive] / (at_risk[alive] * (at_risk[alive] - escapes[alive])))
    spread = quantile * np.sqrt(greenwood) / -np.log(survival[alive])
    low[alive] = survival[alive] ** np.exp(spread)
    high[alive] = survival[alive] ** np.exp(-spread)
    if alive.any():
        high[~alive] = high[alive][-1]
    return SurvivalCurve(moments, survival, low, high, level)


def product_limit(removed: BoolArray) -> FloatArray:
    """Running product prod_{j <= i} (1 - removed_j / (n - j)) along the last axis of samples sorted by time.

    With `removed` the escapes it is the Kaplan-Meier survival, with the censorings the survival of watching.
    """
    count = removed.shape[-1]
    return np.cumprod(1.0 - removed / np.arange(count, 0, -1), axis=-1, dtype=np.float64)
