"""Mean escape times of any law, as far as the times were watched and, where little is missing, beyond."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv, stdtrit

from simdyn.estimate._arguments import BoolArray, FloatArray, check_level, lifetimes
from simdyn.estimate.exponential import TOLERANCE, NotExponentialWarning, exponential_check, exponential_suffices
from simdyn.estimate.intervals import Estimate, normal_quantile
from simdyn.estimate.lifetimes import kaplan_meier, mean_lifetime

# The share of a mean that may lie beyond the end of watching for one to be given; see `mean_escape_time`.
LARGEST_EXTRAPOLATION = 0.1
# The rate at the end of watching is taken from the second half of the time, or from as many escapes.
FEWEST_LATE_ESCAPES = 10
# With fewer escapes than this a law of which the exponential's mean is half the truth is mostly not seen; see `mean_escape_time`.
FEWEST_TO_TELL = 30
# Where exponential times as far from their law have this probability or less, a mean is refused, or warned of.
REFUSED_BELOW, DOUBTED_BELOW = 0.001, 0.05
# A coefficient of variation that fewer exponential times than `FEWEST_TO_TELL` exceed with probability .06 at most.
WIDE_FOR_FEW = 1.25


def mean_escape_time(
    times: ArrayLike, censored: ArrayLike | None = None, level: float = 0.95, *, stacklevel: int = 2
) -> Estimate:
    """Mean escape time, with the interval that the times themselves allow.

    - Times that may be exponential: `mean_lifetime`, the total time at risk over the number of escapes.
    - Others, all seen to escape: `mean_with_standard_error`, which assumes no law.
    - Others, some censored: the mean depends on a tail that nobody saw. With the restricted mean up to the last
      time watched, L (`restricted_mean`), the share S(L) still inside then, and a rate of escape as between L/2 and L
      (or of the last ten escapes),

          mean = restricted mean + S(L) / rate.

      At most the second term may be twice the product of the upper ends of S(L) and 1/rate. If that is 10 % of the sum
      or less, it warns with `NotExponentialWarning` and gives the interval from the lower end of the restricted mean,
      nothing added, to its upper end and so much more. If it is more, no mean is given where `exponential_check` has
      p_value <= .001; on weaker evidence it is the exponential's, with a `NotExponentialWarning`.

    An exponential's mean is assumed, not shown, where some are censored and fewer than 30 escaped, or p_value <= .05: it
    warns with `NotExponentialWarning` which share of the mean is extrapolated beyond L. Suppose few escape, three of four
    of them in the first half of L because the rate falls to a third there: the truth is twice the exponential's mean, and
    the share of the escapes that is seen by L/2 is 1/4 above the expected half. At the level .05 that is found with a
    probability of about 1/2 from n = (1.36 / (1/4))^2 = 30 escapes on, 1.36/sqrt(n) being Kolmogorov's limit. With
    nothing censored and fewer than 30 it warns where the coefficient of variation is above 1.25, as that of exponential
    times is in up to 6 of 100 samples.

    times: (n,), any unit, >= 0: the escape time, or where `censored` the time up to which the particle was watched.
    censored: (n,) booleans; None: all escaped. stacklevel: whose line a warning names, as in `warnings.warn`.

    May be exponential: not rejected by `exponential_check` with its default level and tolerance, nor by sharper
    looks at the spread of the times and at the few that escaped of many (`exponential_suffices`). An exponential law is
    rejected with probability .05 up to some 480 escapes, .001 or so far above, and its mean refused with probability
    .001; with one escape nothing is tested.
    Shares of 95 % intervals that covered, nothing censored ("near the top": overdamped, dt = .005, from -.03 in
    DoubleWell(1, 1) with ConstantNoise(.4) until beyond 0, where 9 of 10 leave within the first 400 steps, half of them in
    two, and the mean is 1800; of its samples of 5, 10 and 20, 44, 18 and 4 % miss the mean and do not warn, because all
    left soon):

    ====  ===========  ==========  =========  =============  =============  =======================  ============
    n     exponential  gamma(1/4)  lognormal  60 % at once   20 % at once   1.4 % ten times as slow  near the top
    ====  ===========  ==========  =========  =============  =============  =======================  ============
    5     .95          .75         .92        .78            .90            .93                      .38
    20    .95          .95         .905       .97            .925           .925                     .79
    100   .955         .945        .92        .97            .945           .90                      .96
    1000  .95          .95         .935       .95            .94            .945                     .945
    ====  ===========  ==========  =========  =============  =============  =======================  ============

    Why twice and 10 %: a law whose survival falls as t^-a has rate a/L at L, and for a > 1 its tail is a/(a - 1) times
    S(L)/rate, up to twice where the variance is finite, a >= 2. For a <= 1 the mean is infinite; twice S(L)/rate stand
    to the restricted mean as 2 to ln(L/t0) or more, t0 where the fall begins: more than 10 % until L is 6e7 times t0.
    Where it was given with a warning, the interval covered 97 to 100 % of gamma(3), gamma(1/4), lognormal and t^-2.5 laws
    at n = 1000 and L of 3 to 12 means.

    Validity: censoring independent of the lifetime. A second, much slower way out of which watching
    showed hardly a sign is beyond any sample: with 1 % of 1000 particles twenty times as slow as the others, watched for
    four means, the interval that is given with a warning covers 28 %.

    Raises ValueError: bad times or flags; no escape; p_value <= .001 where more than 10 % of the mean may lie beyond L.

    >>> print(mean_escape_time([100.0, 300.0, 200.0, 400.0]))
    250 [114, 918] (95 %)
    """
    check_level(level)
    seen, cut = lifetimes(times, censored)
    if cut.all():
        raise ValueError(
            f"none of {len(seen)} escaped up to {seen.max():g}, so that their mean is not known (an exponential"
            f" law's would be at least {mean_lifetime(seen, cut, level).low:.3g}); watch longer (max_steps)"
        )
    few = np.count_nonzero(~cut) < FEWEST_TO_TELL
    if few and not cut.any() and seen.std() > WIDE_FOR_FEW * seen.mean():
        warnings.warn(
            f"{len(seen)} escape times scatter by {seen.std() / seen.mean():.2g} of their mean, an exponential law's by 1, and"
            f" are too few to tell their law: the interval may miss the mean; take {FEWEST_TO_TELL} particles or more",
            NotExponentialWarning,
            stacklevel=stacklevel,
        )
    if exponential_suffices(seen, cut):
        if cut.any() and (doubt := _doubt(seen, cut)):
            _warn_assumed(seen, cut, level, doubt, stacklevel + 1)
        return mean_lifetime(seen, cut, level)
    if not cut.any():
        return mean_with_standard_error(seen, level=level)
    known, tail = restricted_mean(seen, cut, level), _tail(seen, cut, level)
    mean, possible = (
        known.value + tail.value,
        tail.high / (known.value + tail.high) if math.isfinite(tail.high) else 1.0,
    )
    end = f"{seen.max():g}, where watching ended"
    if possible > LARGEST_EXTRAPOLATION:
        p_value = exponential_check(seen, cut).p_value
        if p_value > REFUSED_BELOW:
            _warn_assumed(seen, cut, level, _evidence(p_value), stacklevel + 1)
            return mean_lifetime(seen, cut, level)
        raise ValueError(
            f"escape times are not exponential, and up to {_percent(possible)} of their mean may lie beyond {end}: known are the"
            f" survival curve and the restricted mean up to there, {known}; watch longer (max_steps)"
        )
    warnings.warn(
        f"escape times are not exponential, and {tail.value:.3g} of their mean {mean:.4g} (at most {_percent(possible)} of it)"
        f" are extrapolated beyond {end}; the restricted mean up to there is {known}",
        NotExponentialWarning,
        stacklevel=stacklevel,
    )
    return Estimate(mean, known.low, known.high + tail.high, level)


def mean_with_standard_error(times: ArrayLike, censored: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Sample mean with an interval that assumes no law and allows for the skewness of the times.

        mean - s/sqrt(n) h(t) <= truth <= mean - s/sqrt(n) h(-t),      s^2 = sum (t_i - mean)^2 / (n - 1),
        h(y) = 3 (cbrt(1 + g (y - g/6)) - 1) / g,                      g = skewness / sqrt(n),

    t the quantile of Student's law with n - 1 degrees of freedom, the skewness adjusted for n (none for n = 2).

    The mean first-passage time from the minimum is a mean whether or not the law is exponential, so this is
    what to hold against a computed one. times: (n,), n >= 2; the result has their unit.

    Validity: a finite third moment. Shares of 95 % intervals that covered; a plain mean +- z s/sqrt(n) covers
    84 % for gamma(1/4) at n = 20 ("at once": times that are all but zero, the others exponential):

    ====  ===========  ==========  =========  ============
    n     exponential  gamma(1/4)  lognormal  60 % at once
    ====  ===========  ==========  =========  ============
    5     .925         .855        .895       .84
    20    .948         .947        .924       .966
    100   .947         .949        .938       .952
    1000  .948         .943        .940       .953
    ====  ===========  ==========  =========  ============

    Equal times tell nothing of their scatter: they get the interval of `mean_lifetime`, too wide rather than too
    narrow.

    Raises ValueError: fewer than two times, a time negative or not finite, all zero, or any censored time: a mean
    over the escaped alone is too low (`restricted_mean`, `mean_escape_time`).

    Source: Hall, J. R. Stat. Soc. B 54 (1992) 221.

    >>> print(mean_with_standard_error([1.0, 2.0, 3.0, 4.0]))
    2.50 [0.45, 4.55] (95 %)
    """
    seen, cut = lifetimes(times, censored)
    if cut.any():
        raise ValueError("censored times have no sample mean: use restricted_mean, or mean_escape_time")
    if len(seen) < 2:
        raise ValueError("times must hold at least two values for a standard error")
    return _skew_corrected(seen, level) if np.ptp(seen) > 0.0 else mean_lifetime(seen, level=level)


def restricted_mean(times: ArrayLike, censored: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Mean of the lesser of the escape time and L, the longest time watched: what is known whatever the law.

        restricted mean = integral from 0 to L of the Kaplan-Meier survival

    times, censored: as in `mean_escape_time`; the result has their unit. Where nobody is censored it is the mean.
    The interval is that of `mean_with_standard_error` where all censored were watched up to L; with other ends of
    watching a normal one from Greenwood's variance, which at 95 % covers 90 % of the time with 4 to 10 escapes; never
    beyond L. Where nothing escaped it reaches down to the mean at which so much staying has probability (1 - level)/2.

    Validity: censoring independent of the lifetime.

    Raises ValueError: bad times or flags; a single time.

    Source: Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd ed., section 1.4.

    >>> print(restricted_mean([1.0, 2.0, 4.0, 5.0, 5.0], [False, False, False, True, True]))
    3.40 [0.11, 5.00] (95 %)
    """
    check_level(level)
    seen, cut = lifetimes(times, censored)
    if len(seen) < 2:
        raise ValueError("times must hold at least two values for a standard error")
    end = float(seen.max())
    if not cut.any():
        return mean_with_standard_error(seen, level=level)
    if cut.all():
        return Estimate(end, end * (0.5 * (1.0 - level)) ** (1.0 / np.count_nonzero(seen == end)), end, level)
    if not (cut & (seen < end)).any() and np.ptp(seen) > 0.0:
        found = _skew_corrected(seen, level)
    else:
        found = _area(seen, cut, end, level)
    return found._replace(low=max(found.low, 0.0), high=min(found.high, end))


def _skew_corrected(seen: FloatArray, level: float) -> Estimate:
    """Hall's interval of the mean of times that are not all equal."""
    count, mean = len(seen), float(seen.mean())
    relative = (seen - mean) / float(seen.std())
    skewness = float(np.mean(relative**3)) * (math.sqrt(count * (count - 1)) / (count - 2) if count > 2 else 0.0)
    bend = skewness / math.sqrt(count)
    reach = float(stdtrit(count - 1, 0.5 * (1.0 + level)))
    error = float(seen.std(ddof=1)) / math.sqrt(count)

    def corrected(quantile: float) -> float:
        if abs(bend) < 1e-6:  # the limit, before digits cancel
            return quantile
        return 3.0 * (float(np.cbrt(1.0 + bend * (quantile - bend / 6.0))) - 1.0) / bend

    low, high = mean - error * corrected(reach), mean - error * corrected(-reach)
    # A mean of positive times is positive: where a few samples say otherwise the interval is that of the logarithm.
    return Estimate(mean, low if low > 0.0 else mean * math.exp(-reach * error / mean), high, level)


def _area(seen: FloatArray, cut: BoolArray, end: float, level: float) -> Estimate:
    """Area under the Kaplan-Meier survival, with Greenwood's variance."""
    curve = kaplan_meier(seen, cut, level)
    heights = np.append(1.0, curve.survival)
    areas = heights * np.diff(np.concatenate(([0.0], curve.time, [end])))
    beyond = areas[::-1].cumsum()[::-1][1:]
    escapes = np.unique(seen[~cut], return_counts=True)[1]
    at_risk = len(seen) - np.searchsorted(np.sort(seen), curve.time, side="left")
    left = at_risk > escapes
    variance = np.sum((beyond**2 * escapes)[left] / (at_risk * (at_risk - escapes))[left])
    reach = normal_quantile(level) * math.sqrt(float(variance))
    return Estimate(float(areas.sum()), float(areas.sum()) - reach, float(areas.sum()) + reach, level)


def _doubt(seen: FloatArray, cut: BoolArray) -> str:
    """Why censored times that may be exponential do not show that they are; empty where they do."""
    escapes = int(np.count_nonzero(~cut))
    if escapes < FEWEST_TO_TELL:
        return f"{escapes} of {len(seen)} escaped, too few to tell"
    # Where few of many escaped, no law is farther than their share: the tolerance is that of `exponential_suffices`.
    tolerated = TOLERANCE * (1.0 - float(kaplan_meier(seen, cut).survival[-1]))
    if exponential_check(seen, cut, replicates=19).distance <= tolerated:
        return ""
    p_value = exponential_check(seen, cut).p_value
    return _evidence(p_value) if p_value <= DOUBTED_BELOW else ""


def _evidence(p_value: float) -> str:
    return f"p = {p_value:.2g}, some evidence against it"


def _warn_assumed(seen: FloatArray, cut: BoolArray, level: float, reason: str, stacklevel: int) -> None:
    known, mean = restricted_mean(seen, cut, level), mean_lifetime(seen, cut, level).value
    beyond = max(1.0 - known.value / mean, 0.0)
    warnings.warn(
        f"an exponential law of escape times is assumed, not shown ({reason}): {_percent(beyond)} of the mean {mean:.4g} are"
        f" extrapolated beyond {seen.max():g}, where watching ended; restricted_mean() up to there is {known}",
        NotExponentialWarning,
        stacklevel=stacklevel,
    )


class _Tail(NamedTuple):
    """What the survival beyond the end of watching adds to the mean, and how much it may add."""

    value: float
    high: float


def _tail(seen: FloatArray, cut: BoolArray, level: float) -> _Tail:
    curve, end = kaplan_meier(seen, cut, level), float(seen.max())
    if curve.survival[-1] == 0.0:
        return _Tail(0.0, 0.0)
    escaped = np.sort(seen[~cut])
    begin = min(0.5 * end, float(escaped[-min(FEWEST_LATE_ESCAPES, len(escaped))]))
    late = int(np.count_nonzero(escaped > begin))
    if late == 0:
        return _Tail(math.inf, math.inf)
    exposure = float(np.maximum(seen - begin, 0.0).sum())
    longest = exposure / float(gammaincinv(late, 0.5 * (1.0 - level)))
    return _Tail(float(curve.survival[-1]) * exposure / late, 2.0 * float(curve.high[-1]) * longest)


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g} %" if share < 0.995 else "nearly all"
