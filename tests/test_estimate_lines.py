"""Weighted straight lines: against numpy, and the coverage their widening implies."""

import math
import os

import numpy as np
import pytest
from scipy import stats

from simdyn.estimate import fit_line, log_log_slope

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))
REPEATS = 2000


def expected_coverage(freedom, level=0.95, too_small=1.0):
    """Coverage of value +- z max(1, root(chi2/dof)) stderr, true errors `too_small` times the given ones."""
    shares = (np.arange(4000) + 0.5) / 4000
    scatter = too_small * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)
    quantile = stats.norm.ppf(0.5 + 0.5 * level)
    return np.mean(2.0 * stats.norm.cdf(quantile * np.maximum(1.0, scatter) / too_small) - 1.0)


def test_agrees_with_numpy():
    random = np.random.default_rng((SEED, 1))
    x, y, errors = random.uniform(5, 9, 12), random.normal(size=12), random.uniform(0.5, 2.0, 12)
    fit = fit_line(x, y, errors)
    coefficients, covariance = np.polyfit(x, y, 1, w=1.0 / errors, cov="unscaled")
    assert (fit.slope.value, fit.intercept.value) == pytest.approx(tuple(coefficients))
    assert fit.covariance == pytest.approx(covariance)
    assert fit.residuals == pytest.approx(y - np.polyval(coefficients, x))
    assert fit.chi_square == pytest.approx(np.sum((fit.residuals / errors) ** 2))
    assert fit.degrees_of_freedom == 10


def test_by_hand():
    fit = fit_line([0.0, 1.0, 2.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0])
    assert fit.slope.value == pytest.approx(0.0) and fit.intercept.value == pytest.approx(1.0)
    assert fit.residuals == pytest.approx([-1.0, 2.0, -1.0])
    assert fit.chi_square == pytest.approx(6.0)
    # slope variance 1/2, widened by root 6
    assert fit.slope.standard_error == pytest.approx(math.sqrt(6.0 / 2.0))
    assert fit.covariance == pytest.approx(np.array([[0.5, -0.5], [-0.5, 5.0 / 6.0]]))


def test_two_points_are_a_line_with_their_own_errors():
    fit = fit_line([1.0, 2.0], [3.0, 5.0], [0.3, 0.4])
    assert fit.degrees_of_freedom == 0 and fit.slope.standard_error == pytest.approx(0.5)


def test_far_from_the_origin_no_digits_are_lost():
    x = 1e8 + np.arange(4.0)
    assert fit_line(x, 2.0 * x, np.ones(4)).slope.value == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("too_small", [1.0, 3.0])
@pytest.mark.parametrize("count", [4, 22])
def test_coverage(count, too_small):
    random = np.random.default_rng((SEED, 2, count))
    x, errors = random.uniform(1, 3, count), random.uniform(0.1, 0.3, count)
    y = 1.5 * x - 4.0 + too_small * errors * random.normal(size=(REPEATS, count))
    fits = [fit_line(x, row, errors) for row in y]
    expected = expected_coverage(count - 2, too_small=too_small)
    band = 5.0 * math.sqrt(expected * (1.0 - expected) / REPEATS)
    assert abs(np.mean([fit.slope.contains(1.5) for fit in fits]) - expected) < band
    assert abs(np.mean([fit.intercept.contains(-4.0) for fit in fits]) - expected) < band


def test_log_log_slope():
    random = np.random.default_rng((SEED, 3))
    x = np.geomspace(0.1, 10.0, 10)
    truth = 3.0 * x**-0.5
    fits = [log_log_slope(x, truth * (1 + 0.02 * row), 0.02 * truth) for row in random.normal(size=(500, 10))]
    expected = expected_coverage(8)
    covered = np.mean([fit.slope.contains(-0.5) for fit in fits])
    assert abs(covered - expected) < 5.0 * math.sqrt(expected * (1 - expected) / 500)
    assert not any(fit.slope.contains(-0.55) for fit in fits)  # a slope 10 % off is excluded
    assert fits[0].intercept.value == pytest.approx(math.log(3.0), abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([1.0, 1.0], [1.0, 2.0], [1.0, 1.0]), "x must hold at least two distinct"),
        (([1.0], [1.0], [1.0]), "x must hold at least two distinct"),
        (([1.0, 2.0], [1.0], [1.0, 1.0]), "y must have length 2"),
        (([1.0, 2.0], [1.0, 2.0], [1.0, 0.0]), "stderr must be greater than zero"),
        (([1.0, 2.0], [1.0, math.inf], [1.0, 1.0]), "y holds a value that is not finite"),
        (([], [], []), "x is empty"),
    ],
)
def test_bad_points_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        fit_line(*arguments)


def test_logarithms_need_positive_numbers():
    with pytest.raises(ValueError, match="x must be greater than zero"):
        log_log_slope([0.0, 1.0], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="value must be greater than zero"):
        log_log_slope([1.0, 2.0], [1.0, -1.0], [1.0, 1.0])
