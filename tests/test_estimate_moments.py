"""Mean squares from running sums, and the bootstrap."""

import math
import os

import numpy as np
import pytest

from simdyn.estimate import FewSamplesWarning, bootstrap, mean_square, msd_from_moments

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))


def test_sums_and_samples_agree():
    moved = np.random.default_rng((SEED, 1)).normal(size=(500, 3, 2))
    from_sums = msd_from_moments(500, (moved**2).sum(0), (moved**4).sum(0))
    from_samples = mean_square(moved)
    assert from_sums.value.shape == (3, 2)
    for one, other in zip(from_sums[:4], from_samples[:4], strict=True):
        assert one == pytest.approx(other)
    assert from_sums.value == pytest.approx((moved**2).mean(0))
    assert from_sums.standard_error == pytest.approx((moved**2).std(0, ddof=1) / math.sqrt(500))


def test_count_may_differ_between_records():
    result = msd_from_moments([[2], [4]], [[4.0], [4.0]], [[10.0], [10.0]])
    assert result.value.tolist() == [[2.0], [1.0]]
    assert result.standard_error == pytest.approx(np.array([[1.0], [math.sqrt(0.5)]]))


def test_coverage():
    repeats = 2000
    moved = np.random.default_rng((SEED, 2)).normal(scale=3.0, size=(1000, repeats))
    result = mean_square(moved)
    covered = np.mean((result.low <= 9.0) & (result.high >= 9.0))
    assert abs(covered - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / repeats) + 0.005
    assert np.mean((result.low <= 9.9) & (result.high >= 9.9)) < 0.7  # 10 % off is seen


@pytest.mark.parametrize(("count", "stated"), [(20, 0.87), (100, 0.935)])
def test_coverage_of_few_is_as_stated(count, stated):
    result = mean_square(np.random.default_rng((SEED, 8)).normal(size=(count, 2000)))
    covered = np.mean((result.low <= 1.0) & (result.high >= 1.0))
    assert abs(covered - stated) < 5.0 * math.sqrt(stated * (1.0 - stated) / 2000)


def test_equal_displacements_have_no_error():
    assert mean_square([[0.1]] * 7).standard_error == pytest.approx([0.0], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((1, [1.0], [1.0]), "count"),
        ((5, [1.0], [[1.0]]), "sum_fourth must have the shape"),
        (([5, 5, 5], [1.0, 1.0], [1.0, 1.0]), "count of shape"),
        ((5, [-1.0], [1.0]), "negative"),
        ((5, [math.nan], [1.0]), "sum_square"),
        ((5, [10.0], [1.0]), "too small"),
    ],
)
def test_bad_sums_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        msd_from_moments(*arguments)


def test_bad_displacements_are_refused():
    with pytest.raises(ValueError, match="displacements"):
        mean_square(3.0)
    with pytest.raises(ValueError, match="displacements"):
        mean_square([])


def test_bootstrap_repeats_and_agrees_with_the_normal_interval():
    samples = np.random.default_rng((SEED, 3)).normal(5.0, 2.0, size=400)
    interval = bootstrap(np.mean, samples)
    assert interval == bootstrap(np.mean, samples)
    assert interval != bootstrap(np.mean, samples, seed=2)
    assert interval.value == samples.mean()
    assert interval.standard_error == pytest.approx(samples.std() / 20.0, rel=0.15)


def test_bootstrap_takes_statistics_without_an_axis_and_long_samples():
    samples = np.random.default_rng((SEED, 4)).exponential(size=300)
    whole = bootstrap(np.mean, samples, resamples=300)
    assert bootstrap(lambda values: float(np.mean(values)), samples, resamples=300) == pytest.approx(whole)
    long = np.random.default_rng((SEED, 5)).exponential(size=5000)
    assert bootstrap(np.mean, long, resamples=300).standard_error == pytest.approx(long.std() / 5000**0.5, rel=0.25)


def test_bootstrap_covers():
    random, repeats = np.random.default_rng((SEED, 6)), 200
    intervals = [bootstrap(np.mean, random.exponential(size=100), resamples=500) for _ in range(repeats)]
    covered = np.mean([interval.contains(1.0) for interval in intervals])
    assert abs(covered - 0.94) < 5.0 * math.sqrt(0.94 * 0.06 / repeats)


@pytest.mark.parametrize(("law", "stated"), [("normal", 0.90), ("exponential", 0.76)])
def test_bootstrap_of_a_deviation_covers_as_stated(law, stated):
    random, repeats = np.random.default_rng((SEED, 7)), 300
    samples = getattr(random, law)(size=(repeats, 20))
    covered = np.mean([bootstrap(np.std, row, resamples=400).contains(1.0) for row in samples])
    assert abs(covered - stated) < 5.0 * math.sqrt(stated * (1.0 - stated) / repeats)


def test_bootstrap_of_equal_samples_is_a_point():
    with pytest.warns(FewSamplesWarning, match="of 3 samples") as caught:
        assert bootstrap(np.mean, [2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0, 0.95)
    assert caught[0].filename == __file__
    assert bootstrap(np.median, [2] * 40 + [9] * 3) == (2.0, 2.0, 2.0, 0.95)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"samples": [1.0]}, "samples"),
        ({"samples": [1.0, math.nan]}, "samples"),
        ({"samples": [[1.0, 2.0]]}, "samples"),
        ({"samples": [1.0, 2.0], "resamples": 0}, "resamples"),
        ({"samples": [1.0, 2.0], "level": 0.0}, "level"),
    ],
)
def test_bootstrap_refuses_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        bootstrap(np.mean, **arguments)
