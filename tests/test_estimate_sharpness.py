"""Sharpness laws: A and p recovered, the right law preferred, wrong ones caught."""

import math
import os

import numpy as np
import pytest
from scipy import stats

from simdyn.estimate import compare_exponents, fit_free_exponent, fit_sharpness, raw_slope

SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))

# Exponents 4 to 10, the range a laboratory can reach.
SHARPNESS = np.geomspace(0.6, 1.5, 9)
LOG = np.log(SHARPNESS)
COEFFICIENT, CONSTANT = 6.0, 0.8
ERRORS = np.linspace(0.01, 0.03, 9)
CANDIDATES = {"one": (1.0, -LOG), "half": (0.5, -0.5 * LOG)}


def log_tau(exponent, noise=0.0, coefficient=COEFFICIENT):
    """The theory's law, with its prefactor -p log k; noise in units of ERRORS."""
    return coefficient * SHARPNESS**-exponent - exponent * LOG + CONSTANT + noise * ERRORS


def expected_coverage(freedom):
    """Of a normal interval widened by root(chi2/dof) where that exceeds 1; level 0.95."""
    scatter = np.sqrt(stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, freedom) / freedom)
    return np.mean(2.0 * stats.norm.cdf(1.959964 * np.maximum(1.0, scatter)) - 1.0)


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_fixed_exponent_coverage_and_power(exponent):
    repeats = 2000
    noise = np.random.default_rng((SEED, 1)).normal(size=(repeats, 9))
    fits = [fit_sharpness(SHARPNESS, log_tau(exponent, row), ERRORS, exponent, -exponent * LOG) for row in noise]
    expected = expected_coverage(7)
    band = 5.0 * math.sqrt(expected * (1.0 - expected) / repeats)
    assert abs(np.mean([fit.coefficient.contains(COEFFICIENT) for fit in fits]) - expected) < band
    assert abs(np.mean([fit.constant.contains(CONSTANT) for fit in fits]) - expected) < band
    # a coefficient 10 % off is excluded, always
    assert not any(fit.coefficient.contains(1.1 * COEFFICIENT) for fit in fits)
    assert np.mean([fit.chi_square for fit in fits]) == pytest.approx(7.0, abs=5.0 * math.sqrt(14.0 / repeats))


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_free_exponent_coverage_and_power(exponent):
    repeats = 250
    noise = np.random.default_rng((SEED, 2)).normal(size=(repeats, 9))
    fits = [fit_free_exponent(SHARPNESS, log_tau(exponent, row), ERRORS, -exponent * LOG) for row in noise]
    expected = expected_coverage(6)
    band = 5.0 * math.sqrt(expected * (1.0 - expected) / repeats) + 0.005
    assert abs(np.mean([fit.exponent.contains(exponent) for fit in fits]) - expected) < band
    assert abs(np.mean([fit.coefficient.contains(COEFFICIENT) for fit in fits]) - expected) < band
    # the other law's exponent is excluded, always
    assert not any(fit.exponent.contains(1.5 - exponent) for fit in fits)
    assert not any(fit.at_bracket for fit in fits)
    assert np.mean([fit.chi_square for fit in fits]) == pytest.approx(6.0, abs=5.0 * math.sqrt(12.0 / repeats))


@pytest.mark.parametrize("exponent", [-0.5, 0.3, 0.5, 1.0, 2.0, 3.5])
def test_free_exponent_is_exact_on_exact_data(exponent):
    fit = fit_free_exponent(SHARPNESS, log_tau(exponent), ERRORS, -exponent * LOG)
    assert fit.exponent.value == pytest.approx(exponent, abs=1e-6)
    assert fit.coefficient.value == pytest.approx(COEFFICIENT, rel=1e-5)
    assert fit.constant.value == pytest.approx(CONSTANT, abs=1e-4)
    assert fit.chi_square < 1e-8 and fit.rms < 1e-6 and fit.degrees_of_freedom == 6


def test_free_exponent_interval_is_where_the_profile_rises_by_z_squared():
    fit = fit_free_exponent(SHARPNESS, log_tau(1.0), ERRORS, -LOG)
    for end in (fit.exponent.low, fit.exponent.high):
        chi_square = fit_sharpness(SHARPNESS, log_tau(1.0), ERRORS, end, -LOG).chi_square
        assert chi_square == pytest.approx(1.959964**2, rel=1e-5)


def test_free_exponent_interval_is_widened_by_misfit():
    noise = np.random.default_rng((SEED, 3)).normal(size=9)
    calm = fit_free_exponent(SHARPNESS, log_tau(1.0, 3.0 * noise), 3.0 * ERRORS, -LOG)
    rough = fit_free_exponent(SHARPNESS, log_tau(1.0, 3.0 * noise), ERRORS, -LOG)
    larger_errors = math.sqrt(max(1.0, rough.chi_square / 6.0)) * ERRORS
    honest = fit_free_exponent(SHARPNESS, log_tau(1.0, 3.0 * noise), larger_errors, -LOG)
    assert rough.exponent == pytest.approx(honest.exponent, abs=1e-6)
    assert rough.coefficient == pytest.approx(honest.coefficient, rel=1e-5)
    assert calm.exponent.value == pytest.approx(rough.exponent.value, abs=1e-6)


def test_a_logarithm_is_exponent_zero():
    noise = np.random.default_rng((SEED, 4)).normal(size=9)
    fit = fit_free_exponent(SHARPNESS, 5.0 - 6.0 * LOG + 0.1 * noise * ERRORS, 0.1 * ERRORS)
    assert abs(fit.exponent.value) < 5.0 * fit.exponent.standard_error
    assert fit.exponent.half_width < 0.05 and not fit.at_bracket
    exact = fit_free_exponent(SHARPNESS, 5.0 - 6.0 * LOG, ERRORS)
    assert abs(exact.exponent.value) < 1e-6 and math.isfinite(exact.coefficient.value)
    assert exact.rms < 1e-6


def test_undetermined_exponents_are_flagged():
    assert fit_free_exponent(SHARPNESS, log_tau(1.0), 100.0 * ERRORS, -LOG).at_bracket
    narrow = fit_free_exponent(SHARPNESS, log_tau(1.0), ERRORS, -LOG, bracket=(1.2, 3.0))
    assert narrow.at_bracket and narrow.exponent.low == 1.2
    flat = fit_free_exponent(SHARPNESS, np.full(9, 5.0), ERRORS)
    assert flat.at_bracket and (flat.exponent.low, flat.exponent.high) == (-1.0, 4.0)


def test_three_points_determine_an_exponent_without_spare_freedom():
    some = slice(None, None, 4)
    fit = fit_free_exponent(SHARPNESS[some], log_tau(1.0)[some], ERRORS[some], -LOG[some])
    assert fit.degrees_of_freedom == 0 and fit.exponent.value == pytest.approx(1.0, abs=1e-5)


def test_a_forgotten_prefactor_is_caught():
    """log k bends the law as a power does: the exponent comes out wrong, and surely so."""
    noise = np.random.default_rng((SEED, 5)).normal(size=9)
    right = fit_free_exponent(SHARPNESS, log_tau(1.0, 0.1 * noise), 0.1 * ERRORS, -LOG)
    forgotten = fit_free_exponent(SHARPNESS, log_tau(1.0, 0.1 * noise), 0.1 * ERRORS)
    opposite = fit_free_exponent(SHARPNESS, log_tau(1.0, 0.1 * noise), 0.1 * ERRORS, LOG)
    assert abs(right.exponent.value - 1.0) < 5.0 * right.exponent.standard_error < 0.1
    assert forgotten.exponent.high < 0.95
    assert opposite.exponent.high < forgotten.exponent.low
    biased = fit_sharpness(SHARPNESS, log_tau(1.0, 0.1 * noise), 0.1 * ERRORS, 1.0)
    assert not biased.coefficient.contains(COEFFICIENT)
    assert biased.chi_square / biased.degrees_of_freedom > 5.0


@pytest.mark.parametrize(("exponent", "name", "other"), [(1.0, "one", "half"), (0.5, "half", "one")])
def test_prefers_the_right_law(exponent, name, other):
    noise = np.random.default_rng((SEED, 6)).normal(size=9)
    comparison = compare_exponents(SHARPNESS, log_tau(exponent, 0.1 * noise), 0.1 * ERRORS, CANDIDATES)
    assert (comparison.preferred, comparison.runner_up) == (name, other)
    assert comparison.decisiveness > 10.0 and comparison.rms_ratio > 3.0
    assert comparison.akaike_weight.sum() == pytest.approx(1.0)
    assert comparison.akaike_weight[comparison.names.index(name)] > 0.99
    assert comparison.fits[name].coefficient.relative_to(COEFFICIENT).value == pytest.approx(1.0, abs=0.02)
    assert comparison.chi_square == pytest.approx([fit.chi_square for fit in comparison.fits.values()])


def test_comparison_by_hand():
    target = log_tau(1.0, np.array([1, -1, 1, -1, 1, -1, 1, -1, 1]) * 2.0)
    comparison = compare_exponents(SHARPNESS, target, ERRORS, CANDIDATES)
    one, half = (fit_sharpness(SHARPNESS, target, ERRORS, *CANDIDATES[name]) for name in ("one", "half"))
    assert one.chi_square / 7.0 > 1.0
    difference = (half.chi_square - one.chi_square) / (one.chi_square / 7.0)
    assert comparison.akaike_difference == pytest.approx([0.0, difference])
    assert comparison.decisiveness == pytest.approx(difference)
    assert comparison.akaike_weight[1] == pytest.approx(1.0 / (1.0 + math.exp(0.5 * difference)))
    assert comparison.rms_ratio == pytest.approx(half.rms / one.rms)
    assert one.rms == pytest.approx(math.sqrt(np.mean(one.residuals**2)))


def test_undecided_data_decide_nothing():
    noise = np.random.default_rng((SEED, 7)).normal(size=9)
    comparison = compare_exponents(SHARPNESS, log_tau(1.0, 100.0 * noise), 100.0 * ERRORS, CANDIDATES)
    assert comparison.decisiveness < 2.0


def test_raw_slope_hides_the_exponent():
    assert raw_slope(SHARPNESS, COEFFICIENT / SHARPNESS, ERRORS).slope.value == pytest.approx(-1.0)
    raw = raw_slope(SHARPNESS, log_tau(1.0) + 2.0, ERRORS)
    assert -0.9 < raw.slope.value < -0.6 and raw.slope.high < -0.6
    # tau in another unit shifts log tau, and with it the raw slope
    assert raw_slope(SHARPNESS, log_tau(1.0) + 5.0, ERRORS).slope.value > raw.slope.value + 0.1


@pytest.mark.parametrize("function", [fit_sharpness, fit_free_exponent, raw_slope])
@pytest.mark.parametrize(
    ("sharpness", "log_times", "errors", "named"),
    [
        ([], [], [], "sharpness is empty"),
        ([1.0, 0.0, 2.0], [1.0] * 3, [0.1] * 3, "sharpness must be greater than zero"),
        ([1.0, 1.0, 1.0], [1.0] * 3, [0.1] * 3, "sharpness must hold at least two distinct"),
        ([1.0, 2.0, 3.0], [1.0] * 2, [0.1] * 3, "log_tau must have length 3"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, math.nan], [0.1] * 3, "log_tau holds a value that is not finite"),
        ([1.0, 2.0, 3.0], [1.0] * 3, [0.1, 0.1, -0.1], "stderr must be greater than zero"),
    ],
)
def test_bad_data_are_refused_by_name(function, sharpness, log_times, errors, named):
    further = (1.0,) if function is fit_sharpness else ()
    with pytest.raises(ValueError, match=named):
        function(sharpness, log_times, errors, *further)


def test_further_refusals():
    with pytest.raises(ValueError, match="exponent must not be 0"):
        fit_sharpness(SHARPNESS, log_tau(1.0), ERRORS, 0.0)
    with pytest.raises(ValueError, match="exponent"):
        fit_sharpness(SHARPNESS, log_tau(1.0), ERRORS, math.nan)
    with pytest.raises(ValueError, match="log_prefactor must have length 9"):
        fit_sharpness(SHARPNESS, log_tau(1.0), ERRORS, 1.0, [1.0])
    with pytest.raises(ValueError, match="three distinct"):
        fit_free_exponent([1.0, 1.0, 2.0], [3.0, 3.0, 2.0], [0.1] * 3)
    with pytest.raises(ValueError, match="bracket"):
        fit_free_exponent(SHARPNESS, log_tau(1.0), ERRORS, bracket=(2.0, 1.0))
    with pytest.raises(ValueError, match="log_tau must be greater than zero"):
        raw_slope([1.0, 2.0], [1.0, -1.0], [0.1, 0.1])
    with pytest.raises(ValueError, match="at least two to compare"):
        compare_exponents(SHARPNESS, log_tau(1.0), ERRORS, {"one": (1.0, None)})
    with pytest.raises(ValueError, match="candidate 'zero': exponent"):
        compare_exponents(SHARPNESS, log_tau(1.0), ERRORS, {"one": (1.0, None), "zero": (0.0, None)})
    with pytest.raises(ValueError, match="at least three values"):
        compare_exponents([1.0, 2.0], [2.0, 1.0], [0.1] * 2, {"one": (1.0, None), "half": (0.5, None)})
