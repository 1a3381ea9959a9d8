"""Means of times of any law: how often their intervals cover, what is extrapolated, and what is refused."""

import math
import os
import warnings

import numpy as np
import pytest
from scipy import stats

from simdyn.estimate import (
    NotExponentialWarning,
    exponential_check,
    mean_escape_time,
    mean_lifetime,
    mean_with_standard_error,
    means,
    restricted_mean,
)
from simdyn.estimate.means import FEWEST_TO_TELL

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))
REPEATS = 1500

# Draws of an array's shape, and their mean.
LAWS = {
    "exponential": (lambda random, shape: random.exponential(size=shape), 1.0),
    "gamma(1/4)": (lambda random, shape: random.gamma(0.25, size=shape), 0.25),
    "lognormal": (lambda random, shape: random.lognormal(size=shape), math.exp(0.5)),
    "60 % at once": (
        lambda random, shape: np.where(random.random(shape) < 0.6, 1.0, 1.0 + random.geometric(0.001, size=shape)),
        401.0,
    ),
}


def share_covered(estimates, truth):
    return np.mean([estimate.contains(truth) for estimate in estimates])


def band(probability, repeats=REPEATS):
    """Five standard errors of a share seen in so many trials."""
    return 5.0 * math.sqrt(probability * (1.0 - probability) / repeats)


def passage(random, size):
    """First passages without a drift: 1/z^2 has no mean."""
    return random.normal(size=size) ** -2.0


# ------------------------------------------------------------------------------------------ nothing censored


@pytest.mark.parametrize(
    ("law", "count", "stated"),
    [
        ("exponential", 20, 0.948),
        ("gamma(1/4)", 20, 0.947),
        ("lognormal", 20, 0.924),
        ("60 % at once", 20, 0.966),
        ("gamma(1/4)", 100, 0.949),
        ("lognormal", 100, 0.938),
    ],
)
def test_sample_mean_covers_as_stated(law, count, stated):
    draw, truth = LAWS[law]
    times = draw(np.random.default_rng((SEED, 1, count)), (REPEATS, count))
    assert abs(share_covered([mean_with_standard_error(row) for row in times], truth) - stated) < band(stated)
    if count == 20 and law == "gamma(1/4)":  # what a plain interval and one made for exponential times would cover
        plain = times.std(axis=1, ddof=1) * stats.norm.ppf(0.975) / math.sqrt(count)
        assert np.mean(np.abs(times.mean(axis=1) - truth) <= plain) < 0.88
        assert share_covered([mean_lifetime(row) for row in times], truth) < 0.75


def test_sample_mean_by_hand():
    t = stats.t.ppf(0.975, 3)
    times = np.array([1.0, 2.0, 3.0, 10.0])
    error, bend = times.std(ddof=1) / 2.0, stats.skew(times, bias=False) / 2.0
    estimate = mean_with_standard_error(times)
    for end, quantile in ((estimate.low, t), (estimate.high, -t)):
        reached = (4.0 - end) / error  # Hall: y + g y^2/3 + g^2 y^3/27 + g/6 undoes the correction
        assert reached + bend * reached**2 / 3.0 + bend**2 * reached**3 / 27.0 + bend / 6.0 == pytest.approx(quantile)
    symmetric = mean_with_standard_error([9.0, 10.0, 11.0])
    assert symmetric.half_width == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3.0))


def test_intervals_scale_with_the_unit_and_stay_positive():
    times = np.random.default_rng((SEED, 2)).gamma(0.1, size=FEWEST_TO_TELL)
    for function in (mean_with_standard_error, mean_escape_time):
        assert tuple(function(1e6 * times))[:3] == pytest.approx(tuple(1e6 * end for end in function(times)[:3]))
    two = mean_with_standard_error([1.0, 3.0])  # 2 - 12.7 is no time
    assert two.low == pytest.approx(2.0 * math.exp(-stats.t.ppf(0.975, 1) / 2.0)) and two.high == pytest.approx(14.7062)
    assert mean_with_standard_error([5.0] * 9) == mean_lifetime([5.0] * 9)  # nothing is known of the scatter


# --------------------------------------------------------------------------------------------- which interval


@pytest.mark.parametrize("times", [[7.0], [3.0, 3.0], [5] * 100, [1] * 100, [1.0, 2.0, 4.0, 9.0]])
def test_what_may_be_exponential_gets_its_interval(times):
    assert mean_escape_time(times) == mean_lifetime(times)


def test_what_is_not_gets_an_interval_without_a_law():
    random = np.random.default_rng((SEED, 3))
    for times in (random.gamma(3.0, size=500), LAWS["60 % at once"][0](random, 500)):
        assert mean_escape_time(times) == mean_with_standard_error(times)
    exponential = random.exponential(size=20_000)  # so many that a distance beyond the tolerance has probability 1e-20
    assert mean_escape_time(exponential) == mean_lifetime(exponential)


def test_a_few_late_escapes_are_seen():
    """1.4 % of the particles take ten times as long: near in distance, but the exponential's interval covers 78 %."""
    random, repeats = np.random.default_rng((SEED, 4)), 300
    times = random.exponential(size=(repeats, 2000)) * np.where(random.random((repeats, 2000)) < 0.0136, 10.0, 1.0)
    truth = 1.0 + 9.0 * 0.0136
    assert np.mean([exponential_check(row, replicates=20).distance for row in times[:20]]) < 0.05
    assert share_covered([mean_lifetime(row) for row in times], truth) < 0.88
    covered = share_covered([mean_escape_time(row) for row in times], truth)
    assert abs(covered - 0.945) < band(0.945, repeats)


def test_what_the_check_lets_pass_still_covers():
    """Immediate escapes and delays of just below the tolerance, taken for exponential every time."""
    random = np.random.default_rng((SEED, 5))
    times = random.exponential(size=(REPEATS, 2000))
    at_once = times * (random.random(times.shape) > 0.045) + 1e-6
    for rows, truth, stated in ((times + 0.045, 1.045, 0.959), (at_once, 0.955, 0.94)):
        covered = share_covered([mean_lifetime(row) for row in rows], truth)
        assert abs(covered - stated) < band(stated)


# --------------------------------------------------------------------------------------------------- censored


def test_restricted_mean_by_hand():
    # survival .8 from 1, .6 from 2, .4 from 4 on
    assert restricted_mean([1, 2, 4, 5, 5], [False] * 3 + [True] * 2).value == pytest.approx(1 + 0.8 + 2 * 0.6 + 0.4)
    # one watched up to 3 only: 2/3 from 2 on, 1/3 from 4 on
    areas = restricted_mean([2, 3, 4, 5], [False, True, False, True])
    assert areas.value == pytest.approx(2 + 2 * 0.75 + 0.375)
    greenwood = (1.5 + 0.375) ** 2 / (4 * 3) + 0.375**2 / (2 * 1)
    assert areas.half_width == pytest.approx(0.5 * (5.0 - areas.low)) and areas.high == 5.0
    assert areas.low == pytest.approx(areas.value - 1.959964 * math.sqrt(greenwood))
    none = restricted_mean([5.0] * 10, [True] * 10)
    assert none == pytest.approx((5.0, 5.0 * 0.025**0.1, 5.0, 0.95))


@pytest.mark.parametrize("ends", ["one", "many"])
def test_restricted_mean_covers_though_the_mean_is_infinite(ends):
    random = np.random.default_rng((SEED, 6))
    times = passage(random, (REPEATS, 100))
    limits = np.full(times.shape, 20.0)
    if ends == "many":
        limits[:, ::3] = random.uniform(0.0, 20.0, size=limits[:, ::3].shape)
    found = [restricted_mean(np.minimum(t, e), t > e) for t, e in zip(times, limits, strict=True)]
    shares = (np.arange(200_000) + 0.5) / 200_000
    truth = np.minimum(stats.norm.ppf(shares) ** -2.0, 20.0).mean()
    assert abs(share_covered(found, truth) - 0.945) < band(0.945)


def test_a_short_tail_is_extrapolated_with_a_warning(monkeypatch):
    monkeypatch.setattr(means, "exponential_suffices", lambda seen, cut: False)
    times = np.random.default_rng((SEED, 7)).gamma(3.0, size=(300, 1500))
    end = 8.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotExponentialWarning)
        found = [mean_escape_time(np.minimum(row, end), row > end) for row in times]
    assert share_covered(found, 3.0) > 0.95 - band(0.95, 300)
    assert share_covered(found, 3.9) < 0.01  # an error of 30 % is seen
    with pytest.warns(NotExponentialWarning, match=f"are extrapolated beyond {end:g}, .*restricted mean") as caught:
        mean_escape_time(np.minimum(times[0], end), times[0] > end)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("end", [10.0, 1000.0])
def test_a_mean_that_nobody_saw_is_refused(end):
    times = passage(np.random.default_rng((SEED, 8)), 1000)
    with pytest.raises(ValueError, match=f"not exponential, .* beyond {end:g}, .*restricted mean .*watch longer"):
        mean_escape_time(np.minimum(times, end), times > end)


def test_few_that_escaped_are_held_against_the_tolerance_of_few():
    """4 % escaped: no law is farther than that from the fitted one, and yet these are not exponential."""
    times = passage(np.random.default_rng((SEED, 9)), 3000)
    end = 0.235
    seen, cut = np.minimum(times, end), times > end
    assert 0.03 < np.mean(~cut) < 0.05 and exponential_check(seen, cut, replicates=20).exponential
    with pytest.raises(ValueError, match="not exponential"):
        mean_escape_time(seen, cut)
    exponential = np.random.default_rng((SEED, 10)).exponential(size=3000)
    seen, cut = np.minimum(exponential, 0.04), exponential > 0.04
    assert mean_escape_time(seen, cut) == mean_lifetime(seen, cut)


def test_nothing_escaped_has_no_mean_and_one_escape_that_of_an_exponential():
    with pytest.raises(ValueError, match=r"none of 3 escaped up to 10, .* at least 8\.13"):
        mean_escape_time([10.0] * 3, [True] * 3)
    one = ([4.0, 10.0, 10.0], [False, True, True])
    with pytest.warns(
        NotExponentialWarning, match=r"1 of 3 escaped.*: 67 % of the mean 24 are .* beyond 10,"
    ) as caught:
        assert mean_escape_time(*one) == mean_lifetime(*one)
    assert caught[0].filename == __file__


def answers(rows, end):
    """What each row gets when watched up to `end`: refused, warned or silent."""
    found = []
    for row in rows:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                mean_escape_time(np.minimum(row, end), row > end)
            except ValueError:
                found.append("refused")
            else:
                found.append("warned" if caught else "silent")
    return found


def test_exponential_times_are_hardly_ever_refused():
    """The check's p-value is uniform for exponential times: its level .05 warns of one in twenty, and .001 refuses."""
    rows = np.random.default_rng((SEED, 11)).exponential(size=(60, 80))
    found = answers(rows, 1.0)
    assert found.count("refused") <= 2  # three of 60 at .001: 3e-5
    assert found.count("warned") < 60 * (0.05 + band(0.05, 60))


@pytest.mark.parametrize(("count", "repeats"), [(5, 40), (20, 40), (300, 8)])
def test_a_quick_way_out_beside_a_slow_one_does_not_pass_silently(count, repeats):
    """A sixth leaves at once, the others hardly ever: too few to tell are warned of, enough of them refused."""
    random = np.random.default_rng((SEED, 12))
    shape = repeats, count
    rows = random.exponential(size=shape) * np.where(random.random(shape) < 1 / 6, 10.0, 1e4)
    found = [answer for row in rows if (row < 200.0).any() for answer in answers([row], 200.0)]
    assert len(found) >= 8 and "silent" not in found
    if count == 300:
        assert found.count("refused") >= 7


def test_few_that_scatter_widely_are_warned_of():
    with pytest.warns(NotExponentialWarning, match="5 escape times scatter by 1.9.*") as caught:
        mean_escape_time([1.0, 1.0, 2.0, 1.0, 90.0])
    assert caught[0].filename == __file__
    times = np.random.default_rng((SEED, 13)).exponential(size=(200, 19))
    assert answers(times, math.inf).count("warned") < 200 * (0.06 + band(0.06, 200))


def test_refusals():
    with pytest.raises(ValueError, match="censored times have no sample mean"):
        mean_with_standard_error([1.0, 2.0], [False, True])
    for function in (mean_with_standard_error, restricted_mean):
        with pytest.raises(ValueError, match="at least two"):
            function([1.0])
    for function in (mean_escape_time, mean_with_standard_error):
        with pytest.raises(ValueError, match="all zero"):
            function([0.0, 0.0])
    for function in (mean_escape_time, restricted_mean):
        with pytest.raises(ValueError, match="level"):
            function([1.0, 2.0], level=95)
