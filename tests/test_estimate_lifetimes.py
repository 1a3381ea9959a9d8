"""Mean lifetimes and survival curves: by hand, and how often their intervals cover the truth."""

import math
import os

import numpy as np
import pytest

from simdyn.estimate import (
    kaplan_meier,
    mean_escape_time,
    mean_lifetime,
    mean_with_standard_error,
    restricted_mean,
)

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))
REPEATS = 2000


def share_covered(estimates, truth):
    return np.mean([estimate.contains(truth) for estimate in estimates])


def band(probability):
    """Five standard errors of a share seen in REPEATS trials."""
    return 5.0 * math.sqrt(probability * (1.0 - probability) / REPEATS)


def test_one_lifetime_by_hand():
    # chi-square with two degrees of freedom is twice an exponential, so its quantiles are logarithms.
    estimate = mean_lifetime([7.0])
    assert estimate == pytest.approx((7.0, 7.0 / -math.log(0.025), 7.0 / -math.log(0.975), 0.95))


def test_no_event_bounds_the_mean_from_below_only():
    estimate = mean_lifetime([5.0, 5.0], [True, True])
    assert estimate == pytest.approx((math.inf, 10.0 / -math.log(0.025), math.inf, 0.95))


def test_total_time_over_events():
    times, censored = [10, 20, 30, 30], [False, False, True, True]
    assert mean_lifetime(times, censored).value == 45.0
    assert mean_lifetime(times).value == 22.5
    # chi-square quantiles from tables: 11.143 and 14.449 (4 and 6 d.o.f., 0.975), 0.4844 (4 d.o.f., 0.025)
    assert mean_lifetime(times, censored).low == pytest.approx(180.0 / 14.449, rel=1e-4)
    assert mean_lifetime(times, censored).high == pytest.approx(180.0 / 0.4844, rel=1e-4)
    assert mean_lifetime([20, 70]).low == pytest.approx(180.0 / 11.143, rel=1e-4)


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_coverage_is_exact_without_censoring(level):
    times = np.random.default_rng((SEED, 1)).exponential(30.0, size=(REPEATS, 5))
    covered = share_covered([mean_lifetime(row, level=level) for row in times], 30.0)
    assert abs(covered - level) < band(level)


def test_coverage_under_censoring_and_its_loss_when_censoring_is_forgotten():
    lifetimes = np.random.default_rng((SEED, 2)).exponential(30.0, size=(REPEATS, 40))
    times, censored = np.minimum(lifetimes, 20.0), lifetimes > 20.0
    covered = share_covered([mean_lifetime(*row) for row in zip(times, censored, strict=True)], 30.0)
    assert 0.95 - band(0.95) < covered < 0.975 + band(0.975)
    assert share_covered([mean_lifetime(row) for row in times], 30.0) < 0.05


def test_coverage_for_whole_steps():
    steps = np.random.default_rng((SEED, 3)).geometric(0.02, size=(REPEATS, 20))
    assert abs(share_covered([mean_lifetime(row) for row in steps], 50.0) - 0.95) < band(0.95) + 0.003


# Remission times of 21 leukaemia patients, Freireich et al., Blood 21 (1963) 699: the textbook example.
REMISSION = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
ONGOING = [False] * 9 + [True] * 12


def test_kaplan_meier_textbook():
    curve = kaplan_meier(REMISSION, ONGOING)
    assert curve.time.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival == pytest.approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=6e-5)
    assert curve.low == pytest.approx([0.6197, 0.5631, 0.5032, 0.4316, 0.3675, 0.2678, 0.1881], abs=6e-5)
    assert curve.high == pytest.approx([0.9516, 0.9228, 0.8894, 0.8491, 0.8049, 0.7468, 0.6801], abs=6e-5)


def test_kaplan_meier_without_censoring_is_the_share_alive():
    times = np.random.default_rng((SEED, 5)).integers(1, 40, size=100)
    curve = kaplan_meier(times)
    assert curve.survival == pytest.approx([np.mean(times > time) for time in curve.time], abs=1e-12)
    assert curve.survival[-1] == 0.0 and curve.low[-1] == 0.0 and curve.high[-1] == curve.high[-2]
    assert (curve.low <= curve.survival).all() and (curve.survival <= curve.high).all()


def test_kaplan_meier_limits_cover():
    lifetimes = np.random.default_rng((SEED, 6)).exponential(1.0, size=(REPEATS, 100))
    ends = np.random.default_rng((SEED, 7)).uniform(0.5, 2.0, size=lifetimes.shape)
    covered = 0
    for lifetime, end in zip(lifetimes, ends, strict=True):
        curve = kaplan_meier(np.minimum(lifetime, end), lifetime > end)
        at_one = np.searchsorted(curve.time, 1.0) - 1
        covered += curve.low[at_one] <= math.exp(-1.0) <= curve.high[at_one]
    assert abs(covered / REPEATS - 0.95) < band(0.95) + 0.005


def test_kaplan_meier_of_nothing_escaped_is_empty():
    assert kaplan_meier([3.0, 4.0], [True, True]).time.size == 0


@pytest.mark.parametrize(
    "function", [mean_lifetime, mean_with_standard_error, mean_escape_time, restricted_mean, kaplan_meier]
)
@pytest.mark.parametrize(
    ("times", "censored", "named"),
    [
        ([], None, "times is empty"),
        ([1.0, -2.0], None, "times holds a negative time"),
        ([1.0, math.nan], None, "times holds a value that is not finite"),
        ([1.0, math.inf], None, "times holds a value that is not finite"),
        ([[1.0, 2.0]], None, "times must have one dimension"),
        (["a"], None, "times must be an array of real numbers"),
        ([1.0, 2.0], [True], "censored must have the shape"),
        ([1.0, 2.0], [0.5, 1.0], "censored must hold booleans"),
    ],
)
def test_bad_times_are_refused_by_name(function, times, censored, named):
    with pytest.raises(ValueError, match=named):
        function(times, censored)


def test_further_refusals():
    with pytest.raises(ValueError, match="all zero"):
        mean_lifetime([0.0, 0.0])
    with pytest.raises(ValueError, match="level"):
        mean_lifetime([1.0], level=95)
