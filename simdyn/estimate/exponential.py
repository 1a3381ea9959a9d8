"""Is the escape time exponential, as a rate presupposes?"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simdyn.estimate._arguments import BoolArray, FloatArray, check_level, finite_number, lifetimes
from simdyn.estimate.intervals import Estimate, normal_interval
from simdyn.estimate.lifetimes import product_limit

# A replicate of the null holds at most this many samples; sqrt(n) times the distance has converged by then.
LARGEST_REPLICATE = 1000
REPLICATES = 1999
# Departures beyond this matter to a rate.
TOLERANCE = 0.05
# A coefficient of variation up to this leaves an exponential's 95 % interval of the mean a coverage of 93 %.
WIDEST_VARIATION = 1.08
# The coefficient of variation of n exponential times exceeds 1 + 3.5 / sqrt(n) with probability .001 to .002.
VARIATION_ERRORS = 3.5
# A distance that many times 1/sqrt(escapes) or more has p below 2 exp(-2 3^2) = 3e-8 (Dvoretzky, Kiefer and Wolfowitz).
CLEAR = 3.0


class NotExponentialWarning(UserWarning):
    """The escape times depart materially from an exponential law: a rate does not describe them."""


class ExponentialCheck(NamedTuple):
    """Whether times may be called exponential, and the evidence. See `exponential_check`."""

    exponential: bool
    p_value: float
    distance: float
    variation: Estimate
    tolerance: float


def exponential_check(
    times: ArrayLike,
    censored: ArrayLike | None = None,
    level: float = 0.95,
    tolerance: float = TOLERANCE,
    *,
    spacing: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 1,
) -> ExponentialCheck:
    """Hold the survival curve of escape times against the exponential law fitted to them.

        distance  = max_t |S_KaplanMeier(t) - exp(-t / mean)|,      mean = total time at risk / escapes
        variation = standard deviation / mean                       (1 for an exponential law)

    The times are called **not** exponential when p_value <= 1 - level **and** distance > tolerance. Both are
    asked because every escape begins with a short relaxation inside the well: with enough samples that delay
    is always significant, while a rate describes the escape well as long as it is short. A pure delay of 5 %
    of the mean has distance 0.05.

    times: (n,) >= 0, at least two escapes; censored: (n,) booleans. spacing: times are multiples of it and
    are seen only there (steps; then the exponential's twin on the lattice, the geometric law
    (1 - spacing/mean)^(t/spacing), takes its place, compared at lattice points); None: 1 if all times are
    positive whole numbers, else 0, continuous. Pass the time step for times that are steps times a time step.

    p_value: that of the distance when the scale is estimated from the same data (Lilliefors), by Monte Carlo:
    the share of `replicates` samples of the fitted law, censored as the data were (by the Kaplan-Meier curve
    of the censoring), that lie at least as far. Never below 1 / (replicates + 1). Beyond 1000 samples the
    replicates have 1000 and both distances are scaled by Stephens' (D - 0.2/r)(sqrt r + 0.26 + 0.5/sqrt r),
    r the escapes. variation: delta-method interval, which covers .79 of 20, .88 of 100, .93 of 1000
    exponential times where 95 % are asked; nan if any time is censored, because the second moment then
    depends on a tail nobody saw; the geometric law has sqrt(1 - spacing/mean).

    Validity: censoring independent of the lifetime. Where watching ends at a fixed time the distance hardly
    exceeds the share that escaped: if few did, `exponential` means only "not contradicted".

    Raises ValueError: bad times or flags, fewer than two escapes, times off the lattice, tolerance negative,
    too few replicates for p_value to reach 1 - level.

    Source: Lilliefors, J. Am. Stat. Assoc. 64 (1969) 387; Stephens, J. Am. Stat. Assoc. 69 (1974) 730.

    >>> steps = np.random.default_rng(1).geometric(0.01, size=500)
    >>> exponential_check(steps).exponential
    True
    >>> exponential_check(steps + 50).exponential
    False
    """
    check_level(level)
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance must not be negative: {tolerance!r}")
    significant = 1.0 - level + 1e-12  # 1 - 0.95 is not 1/20 in binary
    if (replicates + 1) * significant < 1.0:
        raise ValueError(f"replicates must be at least 1/(1 - level) - 1, not {replicates!r}")
    seen, cut = lifetimes(times, censored)
    escapes = int(np.count_nonzero(~cut))
    if escapes < 2:
        raise ValueError(f"times must hold at least two escapes, not {escapes}")
    fitted = _hold_against_the_law(seen, cut, spacing)
    seen, distance = fitted.seen, fitted.distance
    p_value = _p_value(fitted, replicates, seed)

    variation = Estimate(math.nan, math.nan, math.nan, level) if cut.any() else _variation(seen, level)
    exponential = not (p_value <= significant and distance > tolerance)
    return ExponentialCheck(exponential, p_value, distance, variation, tolerance)


def warn_unless_exponential(check: ExponentialCheck, stacklevel: int = 2) -> None:
    """Warn with `NotExponentialWarning` if `check` found a material departure; say nothing otherwise.

    stacklevel: whose line the warning names, as in `warnings.warn`; 2 is the caller's.
    """
    if not check.exponential:
        warnings.warn(
            f"escape times are not exponential: survival departs by {check.distance:.3f} from the fitted law "
            f"(tolerated: {check.tolerance:g}; p = {check.p_value:.2g}); their mean is not one over a rate",
            NotExponentialWarning,
            stacklevel=stacklevel,
        )


def exponential_suffices(seen: FloatArray, cut: BoolArray) -> bool:
    """Whether the interval of an exponential's mean may be used for these times; with one escape nothing is held against it.

    Not, where `exponential_check` calls them not exponential, and not in two cases more, which it lets pass because a law
    that is near in distance can still be far in the mean or in the mean's error:

    - censored: p_value <= .001 and the distance above the tolerance times the share that escaped. Where few did, no
      law is farther than that share, but the mean is extrapolated from them all the same;
    - nothing censored: a coefficient of variation above 1.08 and 1 + 3.5 / sqrt(n), to which a few late escapes suffice.

    Within the tolerance, and far beyond it, no replicates are drawn.
    """
    if np.count_nonzero(~cut) < 2 or not seen.any():
        return True
    fitted = _hold_against_the_law(seen, cut, None)
    if not cut.any():
        widest = max(WIDEST_VARIATION, 1.0 + VARIATION_ERRORS / math.sqrt(len(seen)))
        if float(seen.std()) > widest * float(seen.mean()):
            return False
    order = np.lexsort((cut, seen))
    escaped = 1.0 - float(product_limit(~cut[order])[-1])
    if fitted.distance <= TOLERANCE * escaped:
        return True
    if fitted.distance * math.sqrt(np.count_nonzero(~cut)) > CLEAR:
        return False
    p_value = _p_value(fitted, REPLICATES, seed=1)
    return p_value > (0.05 + 1e-12 if fitted.distance > TOLERANCE else 0.001)


class _Fitted(NamedTuple):
    """Times, in steps if on a lattice, and their distance from the exponential law, or geometric, fitted to them."""

    seen: FloatArray
    cut: BoolArray
    on_lattice: bool
    distance: float


def _hold_against_the_law(seen: FloatArray, cut: BoolArray, spacing: float | None) -> _Fitted:
    step = _lattice(seen, spacing)
    if step > 0.0:
        seen = np.rint(seen / step)  # from here on the lattice has spacing 1
    elif not seen.any():
        raise ValueError("times are all zero")
    return _Fitted(seen, cut, step > 0.0, float(_distance(seen[None], cut[None], lattice=step > 0.0)[0]))


def _p_value(fitted: _Fitted, replicates: int, seed: int) -> float:
    """The share of samples of the fitted law, censored as the data were, that lie at least as far from theirs."""
    escapes, size = int(np.count_nonzero(~fitted.cut)), min(len(fitted.seen), LARGEST_REPLICATE)
    null = _null_distances(fitted.seen, fitted.cut, fitted.on_lattice, (replicates, size), seed)
    scaled = _scaled(fitted.distance, escapes)
    # The margin keeps distances that are equal but for rounding on the side of the null.
    exceeding = np.count_nonzero(_scaled(null, escapes * size / len(fitted.seen)) >= scaled - 1e-12)
    return (1 + int(exceeding)) / (replicates + 1)


def _lattice(seen: FloatArray, spacing: float | None) -> float:
    """The spacing of the times, 0 if continuous."""
    if spacing is None:
        # A continuous law never gives whole numbers only; a zero among them is no first-passage step.
        return 1.0 if (seen == np.floor(seen)).all() and (seen >= 1.0).all() else 0.0
    step = finite_number("spacing", spacing)
    if step < 0.0:
        raise ValueError(f"spacing must not be negative: {spacing!r}")
    if step > 0.0:
        multiple = seen / step
        if (np.abs(multiple - np.rint(multiple)) > 1e-6).any() or (np.rint(multiple) < 1.0).any():
            raise ValueError("times must be whole positive multiples of spacing")
    return step


def _distance(times: FloatArray, cut: BoolArray, lattice: bool) -> FloatArray:
    """Largest gap between Kaplan-Meier and fitted survival, one per row of times (rows, n).

    Between two observations the one is constant and the other falls, so the gap is largest just after an
    observation or just before the next; on a lattice, "just before" is the lattice point before.
    """
    if cut.any():
        order = np.lexsort((cut, times))  # at equal times escapes come first: the censored were still at risk
        times, cut = np.take_along_axis(times, order, axis=-1), np.take_along_axis(cut, order, axis=-1)
    else:
        times = np.sort(times, axis=-1)
    escaped = ~cut
    count = np.count_nonzero(escaped, axis=-1)[:, None]
    rate = count / times.sum(axis=-1)[:, None]
    after = product_limit(escaped)
    before = np.concatenate((np.ones((len(times), 1)), after[:, :-1]), axis=-1)
    if lattice:
        survives_a_step = np.maximum(1.0 - rate, 0.0)
        gap_after = np.abs(after - survives_a_step**times)
        gap_before = np.abs(before - survives_a_step ** (times - 1.0))
        # Inside a group of equal times the running product is no survival: only its ends count.
        same = times[:, 1:] == times[:, :-1]
        gap_after[:, :-1][same] = 0.0
        gap_before[:, 1:][same] = 0.0
    else:
        fitted = np.exp(-rate * times)
        gap_after, gap_before = np.abs(after - fitted), np.abs(before - fitted)
    widest: FloatArray = np.maximum(gap_after, gap_before).max(axis=-1)
    return widest


def _null_distances(seen: FloatArray, cut: BoolArray, lattice: bool, shape: tuple[int, int], seed: int) -> FloatArray:
    """Distances of samples of the fitted law, censored as the data were: (replicates,)."""
    random = np.random.default_rng(seed)
    mean = seen.sum() / np.count_nonzero(~cut)
    times = random.standard_exponential(shape)
    if lattice:
        # Rounding an exponential up gives the geometric law with survival (1 - 1/mean) per step.
        times *= -1.0 / math.log1p(-1.0 / mean) if mean > 1.0 else 0.0
        times = np.maximum(np.ceil(times), 1.0)
    else:
        times *= mean
    if not cut.any():
        return _distance(times, np.zeros(shape, dtype=np.bool_), lattice)
    order = np.lexsort((cut, seen))
    watched = 1.0 - product_limit(cut[order])  # distribution function of the end of watching
    ends = np.append(seen[order], math.inf)
    # Rounding must not push a draw past the last censoring when that ends all watching.
    limits = ends[np.searchsorted(watched, random.random(shape) * (1.0 - 1e-12), side="right")]
    return _distance(np.minimum(times, limits), times > limits, lattice)


def _scaled(distance: float | FloatArray, escapes: float) -> float | FloatArray:
    """Stephens' modification: its law hardly depends on the number of escapes."""
    root = math.sqrt(escapes)
    return (distance - 0.2 / escapes) * (root + 0.26 + 0.5 / root)


def _variation(times: FloatArray, level: float) -> Estimate:
    """Coefficient of variation s/m with its delta-method interval, mu the central moments:

    n var(s/m) = (mu4 - s^4) / (4 s^2 m^2) - mu3 / m^3 + s^4 / m^4
    """
    relative = times / times.mean() - 1.0
    square, cube, fourth = (float(np.mean(relative**power)) for power in (2, 3, 4))
    if square == 0.0:
        return Estimate(0.0, 0.0, 0.0, level)
    variance = (fourth - square**2) / (4.0 * square) - cube + square**2
    return normal_interval(math.sqrt(square), math.sqrt(max(variance, 0.0) / len(times)), level)
