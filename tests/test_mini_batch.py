"""Mini-batch noise: its sampled covariance against the samples' own, and against the |H|/B that the theory assumes."""

import itertools
import math

import numpy as np
import pytest

import simdyn as sd

PARTICLES = 40000


def regression(count=40, seed=3):
    """Linear regression (a_n x - y_n)^2/2 with y_n = a_n + e_n, e of variance 1: the true model's likelihood."""
    rng = np.random.default_rng(seed)
    a, e = rng.uniform(0.5, 1.5, count), rng.standard_normal(count)
    e = (e - e @ a / (a @ a) * a) / np.std(e)  # the fit is at 1
    return sd.FiniteSum(sd.Quadratic((1.0,)), tuple(1.0 + e / a), tuple(a**2)), a, e


def wells(count=32, spread=0.1, seed=4):
    shifts = np.random.default_rng(seed).normal(0.0, spread, count)
    return sd.FiniteSum(sd.DoubleWell(1.0, 1.0), tuple(shifts - shifts.mean()))


def sampled(landscape, noise, point, seed):
    """The gradients (particles, d) that one step of SGD has taken at a point."""
    moved = sd.displacement(sd.SGD(1.0), landscape, noise, point, particles=PARTICLES, record_at=[1], seed=seed)
    mean, square = moved.mean[0], moved.msd[0]
    return -mean, square - mean**2, np.sqrt(square / PARTICLES), moved.stderr[0]


@pytest.mark.parametrize("noise", [sd.MiniBatch(1), sd.MiniBatch(5), sd.MiniBatch(5, False), sd.MiniBatch(31, False)])
@pytest.mark.parametrize("point", [-1.0, -0.5, 0.0])
def test_mean_and_covariance_are_those_of_the_samples(noise, point, seed):
    landscape = wells()
    count, size = len(landscape.shifts), noise.batch_size
    shifted = point - np.array(landscape.shifts)
    slopes = 4 * shifted * (shifted**2 - 1)
    covariance = slopes.var() / size * (1 if noise.replacement else (count - size) / (count - 1))
    assert sd.variance_at(noise, landscape, [point])[0] == pytest.approx(covariance, rel=1e-12)
    mean, variance, mean_error, error = (part[0] for part in sampled(landscape, noise, point, seed))
    assert abs(mean - slopes.mean()) < 5 * mean_error
    assert abs(variance - covariance) < 5 * error + 10 * abs(slopes.mean()) * mean_error
    if size == 31:  # one left out: the other way of drawing is far off
        assert abs(variance - slopes.var() / size) > 5 * error


def test_a_whole_batch_without_replacement_is_the_full_gradient(seed):
    landscape = wells()
    path = sd.trajectories(sd.SGD(0.1), landscape, sd.MiniBatch(32, False), -0.8, record_at=[20], seed=seed)
    still = sd.trajectories(sd.SGD(0.1), landscape, sd.ConstantNoise(0.0), -0.8, record_at=[20], seed=seed)
    np.testing.assert_allclose(path, still, rtol=1e-12)


def test_every_pair_is_drawn_alike(seed):
    """Two of five without replacement: ten pairs, each as often as another; with it, fifteen, doubles half as often."""
    landscape = sd.FiniteSum(sd.Quadratic((1.0,)), tuple(-(2.0 ** np.arange(5))))
    for replacement in (False, True):
        noise = sd.MiniBatch(2, replacement)
        path = sd.trajectories(sd.SGD(1.0), landscape, noise, 0.0, particles=4000, record_at=[0, 1], seed=seed)
        pairs = np.round(-2 * np.diff(path[:, :, 0], axis=1)).astype(int).ravel()
        met, counts = np.unique(pairs, return_counts=True)
        chances = {}
        for one, other in itertools.product(range(5), repeat=2):
            if replacement or one != other:
                chances[2**one + 2**other] = chances.get(2**one + 2**other, 0) + 1 / (25 if replacement else 20)
        assert set(met) == set(chances)
        expected = 4000 * np.array([chances[pair] for pair in met])
        chi2 = np.sum((counts - expected) ** 2 / expected)
        assert abs(chi2 - (len(met) - 1)) < 5 * math.sqrt(2 * (len(met) - 1))


def test_consecutive_batches_are_independent(seed):
    landscape = wells()
    path = sd.trajectories(
        sd.SGD(1e-9), landscape, sd.MiniBatch(2), -1.0, particles=2000, record_at=range(9), seed=seed
    )
    kicks = np.diff(path[:, :, 0], axis=1)
    kicks = (kicks - kicks.mean()) / kicks.std()
    for lag in (1, 2):
        product = kicks[:, :-lag] * kicks[:, lag:]
        assert abs(product.mean()) * math.sqrt(product.size) / product.std() < 5


def test_one_batch_serves_all_coordinates(seed):
    landscape = sd.FiniteSum(sd.Quadratic((1.0, 2.0)), (0.0,) * 4, (1.0, 2.0, 3.0, 4.0))
    path = sd.trajectories(sd.SGD(1e-3), landscape, sd.MiniBatch(1), 1.0, particles=50, record_at=[0, 1], seed=seed)
    moved = np.diff(path, axis=1)[:, 0]
    np.testing.assert_allclose(moved[:, 1], 2 * moved[:, 0], rtol=1e-9)


# ------------------------------------------------------------------------------------------- against |H|/B


def covariance_over_curvature(landscape, points, batch=4):
    noise = sd.MiniBatch(batch)
    return np.array([
        sd.variance_at(noise, landscape, [x])[0] * batch / abs(sd.curvatures_at(landscape, [x])[0]) for x in points
    ])  # fmt: skip


def test_regression_has_the_theorys_covariance_at_its_minimum_and_not_away_from_it():
    """C = sum a^2 (a d - e)^2/N, d = x - 1: at the minimum sum a^2 e^2/N, H times the residuals' variance but for chance."""
    landscape, a, e = regression()
    at, away = covariance_over_curvature(landscape, (1.0, 3.0))
    assert sd.gradient_at(landscape, [1.0])[0] == pytest.approx(0.0, abs=1e-12)
    assert at == pytest.approx(np.mean(a**2 * e**2) / np.mean(a**2), rel=1e-9)
    chance = np.std(a**2 * e**2) / np.mean(a**2) / math.sqrt(a.size)
    assert abs(at - 1.0) < 5 * chance and chance < 0.4
    assert away > 1.5 * at


def test_shifted_wells_have_the_square_of_the_curvature_and_not_the_curvature():
    """C = Var(s) H^2/B + O(Var(s)^2): over |H|/B it falls to nothing where H does, and is half at the top what it is below."""
    landscape = wells(spread=0.01)
    points = (-1.0, -0.8, 0.0)
    curvatures = np.abs([sd.curvatures_at(landscape, [x])[0] for x in points])
    ratio = covariance_over_curvature(landscape, points)
    np.testing.assert_allclose(ratio / curvatures, np.var(landscape.shifts), rtol=0.05)
    assert ratio[2] / ratio[0] == pytest.approx(0.5, rel=0.05)  # 1 if C were |H|/B
