"""Displacement formulas: the sheet's numbers, exact recursions, dependence on curvature, and validity."""

import math
import warnings

import numpy as np
import pytest

from simdyn import exact, theory
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import Rotated, Saddle
from simdyn.model.noise import ConstantNoise, FrozenNoise
from simdyn.model.records import InvalidInput

HEIGHTS = (-1e-4, 2e-4, 5e-4)
SADDLE = Saddle(HEIGHTS)


def test_the_papers_momentum_is_neither_cold_nor_stationary():
    paper = theory.momentum_displacement(100, 1.0, 0.9, 0.1, 1e-6, 1e-6).total
    cold, stationary = (theory.momentum_displacement_flat(100, 1.0, 0.9, 0.1, 1.0, warm) for warm in (False, True))
    assert [round(float(x), 1) for x in (paper, cold, stationary)] == [105.0, 86.3, 90.5]


@pytest.mark.parametrize(("beta1", "exactly", "paper"), [(0.9, 112.249, 105.0), (0.99, 172.715, 119.979)])
def test_adam_forgets_the_bias_correction(beta1, exactly, paper):
    naive = sum(sum((1 - beta1) * beta1 ** (t - s) / (1 - beta1**t) for t in range(s, 101)) ** 2 for s in range(1, 101))
    found = theory.adam_displacement_bias_corrected(100, 1.0, beta1)
    assert found == pytest.approx(naive, rel=1e-12) and found == pytest.approx(exactly, abs=1e-3)
    assert theory.adam_displacement(100, 1.0, beta1).total == pytest.approx(paper, abs=1e-3)
    # Without dividing by 1 - beta1^t it is EMA momentum's, well below the formula instead of above.
    assert theory.momentum_displacement_flat(100, 1.0, beta1, 1 - beta1, 1.0) < 0.9 * found


def test_adam_at_any_time():
    short = theory.adam_displacement_bias_corrected([0, 1, 800, 5000], 1.0, 0.9)
    assert short[:2] == pytest.approx([0.0, 1.0])
    assert theory.adam_displacement_bias_corrected(10**9, 1.0, 0.9) == pytest.approx(10**9 - 5000 + short[3], rel=1e-14)
    assert short[3] - short[2] == pytest.approx(4200.0, rel=1e-12)
    assert theory.adam_displacement_bias_corrected(50, 1.0, 0.0) == 50.0


def test_high_by_three_halves_to_two():
    """The paper's sum less the exact ones, in units of 1/(1-beta1) iterations, as beta1 -> 1."""
    for beta1 in (0.99, 0.999):
        last = 40 / (1 - beta1)
        paper = theory.momentum_displacement(round(last), 1.0, beta1, 1 - beta1, 1e-6, 1e-6).total
        for warm, expected in ((False, 2.0), (True, 1.5)):
            off = paper - theory.momentum_displacement_flat(round(last), 1.0, beta1, 1 - beta1, 1.0, warm)
            assert off * (1 - beta1) == pytest.approx(expected, abs=2 * (1 - beta1))


def test_long_time_diffusion_is_right():
    """The formulas' diffusion is the exact long-time slope; a missing factor 2 or a wrong power of 1-beta1 is not."""
    for dynamics in (SGD(0.1), Momentum(0.1, 0.9, 1.0), Momentum(0.1, 0.8, 0.2)):
        steps = [10**4, 2 * 10**4]
        exactly = np.diff(exact.moments(dynamics, Saddle((0.0,)), ConstantNoise(3.0), 0.0, steps).covariance[:, 0])
        formula = np.diff(
            theory.displacement_parts(dynamics, Saddle((0.0,)), ConstantNoise(3.0), steps).diffusion[:, 0]
        )
        assert formula == pytest.approx(exactly, rel=1e-12)
        assert 2 * formula != pytest.approx(exactly, rel=0.1)


def test_drift_is_that_of_a_stationary_start_without_noise():
    """<m_0^2> eta^2 (Sum beta1^t)^2 tends to the drift term as beta1 -> 1."""
    beta1, steps = 0.999, np.array([100, 1000, 10000])
    start = 0.001**2 / (1 - beta1**2)
    exactly = start * (beta1 * (1 - beta1**steps) / (1 - beta1)) ** 2
    drift = theory.momentum_displacement(steps, 1.0, beta1, 0.001, 1e-6, 1e-6).drift
    assert drift == pytest.approx(exactly, rel=3 * (1 - beta1))
    assert 1.1 * drift != pytest.approx(exactly, rel=0.05)


def slope_of_total(dynamics, last):
    """d log <dtheta_i^2> / d log |H_i| over two decades of curvature."""
    heights = np.geomspace(1e-6, 1e-4, 21)
    found = theory.mean_squared_displacement(dynamics, Saddle(tuple(heights)), FrozenNoise(1.0), [last])[0]
    return np.gradient(np.log(found), np.log(heights))


def test_dependence_on_curvature():
    assert slope_of_total(SGD(0.1), 100) == pytest.approx(np.ones(21))
    assert slope_of_total(Momentum(0.1), 100) == pytest.approx(np.ones(21))
    assert slope_of_total(Adam(1e-7, eps=0.0), 100) == pytest.approx(np.zeros(21), abs=1e-12)
    with pytest.warns(theory.ValidityWarning, match="50 steps are not long against the 230 that Adai remembers"):
        adai = slope_of_total(Adai(0.1, 0.1), 50)
    assert 0.9 < adai.min() < 0.92 and 1.05 < adai.max() < 1.08


def test_warns_where_adai_clips():
    with pytest.warns(theory.ValidityWarning, match="not long"), pytest.warns(theory.ValidityWarning, match="clips"):
        theory.mean_squared_displacement(Adai(0.1, 0.1), Saddle((1e-6, 1e-2)), FrozenNoise(1.0), [10])


def test_adais_drift_is_at_most_a_fifth_of_its_diffusion():
    steps = np.arange(1, 400)
    found = theory.adai_displacement(steps, 0.1, 0.1, 1e-6, 1e-6, 1e-6)
    share = (found.drift / found.diffusion).max()
    assert share == pytest.approx(0.2036, abs=1e-3)


def test_adai_with_equal_curvatures_is_ema_momentum():
    steps = np.array([1, 10, 100])
    adai = theory.adai_displacement(steps, 0.1, 0.2, 2e-3, 5.0, 2e-3)
    momentum = theory.momentum_displacement(steps, 0.1, 0.8, 0.2, 2e-3, 5.0)
    assert all(np.allclose(one, two, rtol=1e-13) for one, two in zip(adai, momentum, strict=True))


def test_records_and_numbers_agree():
    steps = [1, 10, 50]
    column = np.reshape(steps, (-1, 1))
    cases = [
        (SGD(0.1), theory.sgd_displacement(column, 0.1, HEIGHTS, 4.0)),
        (Momentum(0.1, 0.8, 0.5), theory.momentum_displacement(column, 0.1, 0.8, 0.5, HEIGHTS, 4.0)),
        (Adai(0.1, 0.1), theory.adai_displacement(column, 0.1, 0.1, HEIGHTS, 4.0, np.mean(np.abs(HEIGHTS)))),
    ]
    for dynamics, expected in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", theory.ValidityWarning)  # the start counts in the first two steps
            found = theory.displacement_parts(dynamics, SADDLE, FrozenNoise(4.0), steps)
            assert theory.mean_squared_displacement(dynamics, SADDLE, FrozenNoise(4.0), steps).shape == (3, 3)
        assert found.total == pytest.approx(expected.total) and found.drift == pytest.approx(expected.drift)
    constant = ConstantNoise(tuple(abs(height) / 4.0 for height in HEIGHTS))
    assert theory.mean_squared_displacement(SGD(0.1), SADDLE, constant, steps) == pytest.approx(cases[0][1].total)
    adam = theory.displacement_parts(Adam(1e-5, eps=0.0), SADDLE, FrozenNoise(4.0), steps)
    assert adam.drift == pytest.approx(np.repeat(theory.adam_displacement(column, 1e-5, 0.9).drift, 3, axis=1))


def test_within_validity_the_formula_is_near_the_exact_sgd():
    steps = np.array([1, 10, 100, 1000])
    formula = theory.mean_squared_displacement(SGD(0.5), SADDLE, ConstantNoise(1.0), steps)
    exactly = exact.moments(SGD(0.5), SADDLE, ConstantNoise(1.0), 0.0, steps).mean_square_displacement
    off = formula / exactly - 1.0
    assert np.all(np.abs(off) <= 1.15 * np.abs(HEIGHTS) * 0.5 * steps[:, None])
    assert np.all(np.abs(2 * formula / exactly - 1.0) > 0.5)


def test_warns_where_curvature_is_felt():
    with pytest.warns(theory.ValidityWarning, match="curvature is felt"):
        theory.mean_squared_displacement(SGD(0.5), SADDLE, ConstantNoise(1.0), [10**4])
    with pytest.warns(theory.ValidityWarning, match="curvature is felt"):  # the heavy ball is ten times as fast
        theory.mean_squared_displacement(Momentum(0.5), SADDLE, ConstantNoise(1.0), [10**3])
    with pytest.warns(theory.ValidityWarning, match="curvature is felt"):
        theory.mean_squared_displacement(Adam(0.5), SADDLE, ConstantNoise(1e-6), [10])
    theory.mean_squared_displacement(SGD(0.5), SADDLE, ConstantNoise(1.0), [10**3])


def test_plain_numbers_warn_of_what_they_tell():
    with pytest.warns(theory.ValidityWarning, match="curvature is felt"):
        theory.sgd_displacement(100, 0.1, 1.0, 1.0)
    with pytest.warns(theory.ValidityWarning, match="clips"):
        theory.adai_displacement(10, 1e-3, 0.6, [0.1, 1.0], 1.0, 0.5)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: theory.mean_squared_displacement(Overdamped(0.1), SADDLE, ConstantNoise(1.0), [1]), "no displacement"),
        (lambda: theory.mean_squared_displacement(SGD(0.1), Rotated(SADDLE), ConstantNoise(1.0), [1]), "unrotated"),
        (lambda: theory.mean_squared_displacement(Adam(0.1), SADDLE, ConstantNoise(0.0), [1]), "needs noise"),
        (lambda: theory.mean_squared_displacement(Adai(0.1), SADDLE, ConstantNoise(0.0), [1]), "needs noise"),
        (lambda: theory.mean_squared_displacement(SGD(0.1), SADDLE, ConstantNoise(1.0), [0.5]), "whole numbers"),
        (lambda: theory.mean_squared_displacement(SGD(0.1), SADDLE, ConstantNoise(1.0), ["x"]), "whole numbers"),
        (lambda: theory.sgd_displacement(-1, 0.1, 1.0, 1.0), "whole numbers"),
        (lambda: theory.sgd_displacement(1, 0.0, 1.0, 1.0), "learning_rate must be a positive number"),
        (lambda: theory.momentum_displacement(1, 0.1, 1.0, 1.0, 1.0, 1.0), "beta1"),
        (lambda: theory.adai_displacement(1, 0.1, 0.1, 1.0, 1.0, 0.0), "mean_curvature"),
        (lambda: theory.sgd_stationary_variance(1.0, 1.0, 2.5), "no stationary variance"),
        (lambda: theory.sgd_stationary_variance(-1.0, 1.0, 0.1), "no stationary variance"),
    ],
)
def test_refusals(call, line):
    with pytest.raises(InvalidInput, match=line):
        call()


def test_ema_is_the_heavy_ball_at_another_rate():
    ema = theory.momentum_stationary_variance(2.0, 1.0, 0.3, 0.9, 0.1)
    assert ema == pytest.approx(theory.momentum_stationary_variance(2.0, 1.0, 0.03, 0.9, 1.0))
    assert math.isclose(theory.sgd_stationary_variance(2.0, 3.0, 0.1), 0.1 * 3.0 / (2.0 * (2.0 - 0.2)))
