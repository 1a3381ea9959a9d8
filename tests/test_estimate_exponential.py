"""The exponential check: distances by hand, false alarms at their nominal rate, and the power to reject."""

import math
import os
import warnings

import numpy as np
import pytest

from simdyn.estimate import NotExponentialWarning, exponential_check, warn_unless_exponential

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))


def test_distance_by_hand():
    # mean 1; the widest gap is just before the first escape
    assert exponential_check([0.5, 1.5]).distance == pytest.approx(1.0 - math.exp(-0.5))
    # geometric law of mean 2: at step 2 half are alive instead of a quarter
    assert exponential_check([1, 3]).distance == pytest.approx(0.25)
    # mean 5/2: after step 1 a third are alive instead of 0.6
    assert exponential_check([1, 1, 3], [False, False, True]).distance == pytest.approx(0.6 - 1.0 / 3.0)


def test_spacing_makes_times_and_steps_agree():
    steps = np.random.default_rng((SEED, 1)).geometric(0.2, size=300)
    by_steps, by_times = exponential_check(steps), exponential_check(0.1 * steps, spacing=0.1)
    assert by_times.distance == by_steps.distance and by_times.p_value == by_steps.p_value


def continuous(random):
    return random.exponential(7.0, size=30), None


def stepwise(random):
    return random.geometric(0.3, size=40), None


def watched_to_a_fixed_end(random):
    times = random.exponential(7.0, size=50)
    return np.minimum(times, 6.0), times > 6.0


def stepwise_watched_to_random_ends(random):
    steps, ends = random.geometric(0.2, size=50), random.integers(1, 12, size=50)
    return np.minimum(steps, ends), steps > ends


@pytest.mark.parametrize("draw", [continuous, stepwise, watched_to_a_fixed_end, stepwise_watched_to_random_ends])
def test_p_values_are_uniform_under_the_null(draw):
    random, repeats = np.random.default_rng((SEED, 2)), 400
    p_values = np.array(
        [exponential_check(*draw(random), replicates=199, seed=repeat).p_value for repeat in range(repeats)]
    )
    for probability in (0.05, 0.5):
        band = 5.0 * math.sqrt(probability * (1.0 - probability) / repeats)
        assert abs(np.mean(p_values <= probability) - probability) < band + 0.01


def test_null_agrees_with_the_published_table():
    # Stephens (1974): modified distance 1.094 at 5 %. Here n = 100, near it from either side.
    times = -np.log((np.arange(100) + 0.5) / 100)
    root = math.sqrt(100)

    def p_value(modified):
        wanted = modified / (root + 0.26 + 0.5 / root) + 0.2 / 100
        # Raise the smallest times to one value until the gap is the wanted one; found by bisection.
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            distance = exponential_check(np.maximum(times, middle), replicates=20).distance
            low, high = (middle, high) if distance < wanted else (low, middle)
        return exponential_check(np.maximum(times, low), replicates=20000).p_value

    assert p_value(1.308) < 0.05 * 0.5
    assert p_value(1.094) == pytest.approx(0.05, abs=0.008)
    assert p_value(0.926) == pytest.approx(0.15, abs=0.015)


@pytest.mark.parametrize("size", [200, 5000])
def test_accepts_exponential_and_geometric_times(size):
    random = np.random.default_rng((SEED, 3))
    for times in (random.exponential(1e4, size), random.geometric(1e-3, size), random.geometric(0.5, size)):
        check = exponential_check(times)
        # A distance of 2 / sqrt(n) has probability 1e-6; at 5000 that is below the tolerance.
        assert check.distance < 2.0 / math.sqrt(size)
        assert check.exponential or size == 200


def test_rejects_gamma_and_a_material_delay():
    random = np.random.default_rng((SEED, 4))
    exponential = random.exponential(100.0, size=2000)
    for times in (random.gamma(2.0, 50.0, size=2000), exponential + 20.0, np.ceil(exponential) + 20.0):
        check = exponential_check(times)
        assert not check.exponential
        assert check.p_value < 0.01 and check.distance > 0.05
        assert not check.variation.contains(1.0)
    cut = exponential + 20.0 > 150.0
    assert not exponential_check(np.minimum(exponential + 20.0, 150.0), cut).exponential


def test_tolerates_a_short_delay_that_is_significant():
    times = np.random.default_rng((SEED, 5)).exponential(100.0, size=300_000) + 1.0
    check = exponential_check(times, replicates=199)
    assert check.p_value < 0.05 and check.exponential
    assert check.distance == pytest.approx(0.01, abs=0.005)
    assert not exponential_check(times, tolerance=0.002, replicates=199).exponential


def test_steps_taken_for_continuous_times_would_be_rejected():
    steps = np.random.default_rng((SEED, 6)).geometric(0.3, size=2000)
    assert exponential_check(steps).distance < 0.05
    assert not exponential_check(steps, spacing=0.0).exponential


@pytest.mark.parametrize(("count", "stated"), [(20, 0.79), (100, 0.875), (2000, 0.945)])
def test_variation_interval_covers_as_stated(count, stated):
    random, repeats = np.random.default_rng((SEED, 7, count)), 300
    checks = [exponential_check(random.exponential(size=count), replicates=20) for _ in range(repeats)]
    covered = np.mean([check.variation.contains(1.0) for check in checks])
    assert abs(covered - stated) < 5.0 * math.sqrt(stated * (1.0 - stated) / repeats)


def test_variation_is_unknown_under_censoring():
    assert math.isnan(exponential_check([1.0, 2.0, 2.5], [False, False, True]).variation.value)


def test_degenerate_times():
    assert not exponential_check([5] * 100).exponential
    assert exponential_check([1] * 100).distance == 0.0
    assert not exponential_check([0.1] * 100).exponential


def test_warns_only_when_asked_and_only_if_not_exponential():
    times = np.random.default_rng((SEED, 8)).exponential(size=500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good, bad = exponential_check(times, tolerance=0.2), exponential_check(times + 1.0)
        warn_unless_exponential(good)
    with pytest.warns(NotExponentialWarning, match="not exponential") as caught:
        warn_unless_exponential(bad)
    assert caught[0].filename == __file__
    assert issubclass(NotExponentialWarning, UserWarning)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"times": []}, "times is empty"),
        ({"times": [1.0]}, "at least two escapes"),
        ({"times": [1.0, 2.0], "censored": [True, False]}, "at least two escapes"),
        ({"times": [0.0, 0.0]}, "all zero"),
        ({"times": [1.0, math.nan]}, "not finite"),
        ({"times": [1.0, 2.5], "spacing": 1.0}, "multiples of spacing"),
        ({"times": [0.0, 2.0], "spacing": 1.0}, "multiples of spacing"),
        ({"times": [1.0, 2.0], "spacing": -1.0}, "spacing"),
        ({"times": [1.0, 2.0], "tolerance": -0.1}, "tolerance"),
        ({"times": [1.0, 2.0], "tolerance": math.nan}, "tolerance"),
        ({"times": [1.0, 2.0], "replicates": 18}, "replicates"),
        ({"times": [1.0, 2.0], "level": 1.0}, "level"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        exponential_check(**arguments)
