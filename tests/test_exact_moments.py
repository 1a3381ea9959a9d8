"""Exact moments: against the model's own steps, an obvious recursion, matrix exponentials, and closed forms."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy import integrate, linalg

from simdyn import exact, theory
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.protocol import begin, begin_running, schedule, step
from simdyn.model.dynamics.sgd import SGD, Momentum, Nesterov
from simdyn.model.landscapes import DoubleWell, Quadratic, Rotated, Saddle, Sharpened
from simdyn.model.noise import ConstantNoise, FrozenNoise, LocalNoise, ScaledNoise, TwoPieceNoise, variance
from simdyn.model.records import InvalidInput

SCHEMES = [
    SGD(0.1),
    Momentum(0.1, 0.9, 1.0),
    Momentum(0.2, 0.7, 0.3),
    Overdamped(0.05),
    Inertial(0.1, mass=2.0, damping=0.5),
]
SADDLE = Saddle((-0.3, 0.8))
VARIANCE = (1.5, 0.4)
START = np.array([0.2, -0.7])


def by_the_models_own_steps(dynamics, curvature, variance, start, last, momentum):
    """Mean and variance of one coordinate by pushing unit vectors and unit kicks through the model's `step`."""
    clock = [float(part[0]) for part in schedule(dynamics, np.array([1.0]))]
    slope = np.array([curvature * start])

    def pushed(x, rest, kick):
        memory = (np.array([[rest]]),)
        x = step(dynamics, clock, 0.0, x, curvature * x, kick, memory, 0, 0)
        return np.array([x, memory[0][0, 0]])

    move = np.column_stack([pushed(1.0, 0.0, 0.0), pushed(0.0, 1.0, 0.0)])
    kick = pushed(0.0, 0.0, 1.0)
    if isinstance(momentum, str):
        mean, deviation = begin_running(dynamics, slope, np.array([variance]))
        state, spread = np.array([start, mean[0, 0]]), np.diag([0.0, deviation[0] ** 2])
    else:
        state = np.array([start, begin(dynamics, np.array([momentum]), slope)[0, 0]])
        spread = np.zeros((2, 2))
    means, variances = [state[0]], [0.0]
    for _ in range(last):
        state, spread = move @ state, move @ spread @ move.T + variance * np.outer(kick, kick)
        means.append(state[0])
        variances.append(spread[0, 0])
    return np.array(means), np.array(variances)


@pytest.mark.parametrize("momentum", [0.0, 0.3, "stationary"])
@pytest.mark.parametrize("dynamics", SCHEMES, ids=str)
def test_against_the_models_own_steps(dynamics, momentum):
    if momentum != 0.0 and isinstance(dynamics, (SGD, Overdamped)):
        with pytest.raises(InvalidInput, match=r"no (stationary )?momentum"):
            exact.moments(dynamics, SADDLE, ConstantNoise(VARIANCE), START, [1], momentum)
        return
    steps = np.arange(301)
    found = exact.moments(dynamics, SADDLE, ConstantNoise(VARIANCE), START, steps, momentum)
    for j in range(2):
        height, variance, start = SADDLE.curvatures[j], VARIANCE[j], START[j]
        mean, spread = by_the_models_own_steps(dynamics, height, variance, start, 300, momentum)
        assert found.mean[:, j] == pytest.approx(mean, rel=1e-11)
        assert found.covariance[:, j] == pytest.approx(spread, rel=1e-11)
        assert found.mean_square_displacement[:, j] == pytest.approx((mean - start) ** 2 + spread, rel=1e-11, abs=1e-15)


def test_order_and_repetition_of_steps_do_not_matter():
    steps = [7, 0, 1000, 7]
    found = exact.moments(Momentum(0.1), SADDLE, ConstantNoise(1.0), 0.1, steps, "stationary")
    alone = [exact.moments(Momentum(0.1), SADDLE, ConstantNoise(1.0), 0.1, [n], "stationary") for n in steps]
    for part, parts in zip(found, zip(*alone, strict=True), strict=True):
        assert np.array_equal(part, np.concatenate(parts)) and part.shape == (4, 2)


@pytest.mark.parametrize("last", [1, 10, 10**3, 10**6, 10**9])
def test_sgd_closed_form_at_any_time(last):
    rate, height, variance = 0.01, np.array([1e-10, 1e-7, 0.5]), 2.0
    found = exact.moments(SGD(rate), Quadratic(tuple(height)), ConstantNoise(variance), 0.0, [last])
    decay = -np.expm1(2.0 * last * np.log1p(-rate * height))
    expected = rate**2 * variance * decay / (rate * height * (2.0 - rate * height))
    assert found.mean_square_displacement[0] == pytest.approx(expected, rel=1e-10)
    assert found.mean_square_displacement[0] != pytest.approx(expected * 1.1, rel=1e-2)


def test_flat_momentum_cold_and_stationary():
    """Section 3: 86.3 and 90.5 against the paper's 105.0, and the closed form at 1e9 steps."""
    steps, flat = np.array([1, 10, 100, 10**9]), Saddle((0.0,))
    for momentum, stationary in ((0.0, False), ("stationary", True)):
        found = exact.moments(Momentum(1.0, 0.9, 0.1), flat, ConstantNoise(1.0), 0.0, steps, momentum)
        closed = theory.momentum_displacement_flat(steps, 1.0, 0.9, 0.1, 1.0, stationary)
        assert found.mean_square_displacement[:, 0] == pytest.approx(closed, rel=1e-9)
    other = theory.momentum_displacement_flat(steps, 1.0, 0.9, 0.1, 1.0, stationary=False)
    assert found.mean_square_displacement[2, 0] != pytest.approx(other[2], rel=0.03)


@pytest.mark.parametrize(
    ("dynamics", "expected"),
    [
        (SGD(0.1), theory.sgd_stationary_variance((0.5, 3.0), VARIANCE, 0.1)),
        (Momentum(0.1), theory.momentum_stationary_variance((0.5, 3.0), VARIANCE, 0.1, 0.9, 1.0)),
        (Momentum(0.2, 0.7, 0.3), theory.momentum_stationary_variance((0.5, 3.0), VARIANCE, 0.2, 0.7, 0.3)),
    ],
    ids=str,
)
def test_stationary_variance(dynamics, expected):
    well, noise = Quadratic((0.5, 3.0)), ConstantNoise(VARIANCE)
    found = exact.stationary_variance(dynamics, well, noise)
    assert found == pytest.approx(expected, rel=1e-12)
    assert exact.moments(dynamics, well, noise, 1.0, [10**6]).covariance[0] == pytest.approx(found, rel=1e-12)
    continuous = dynamics.learning_rate * np.array(VARIANCE) / (2.0 * np.array([0.5, 3.0]))
    assert found != pytest.approx(continuous, rel=0.005)


def test_baoab_keeps_the_stationary_position():
    """In a harmonic well BAOAB samples positions without error, D/(gamma M H), at any stable step."""
    found = exact.stationary_variance(Inertial(0.5, mass=2.0, damping=0.7), Quadratic((1.5,)), ConstantNoise(0.8))
    assert found == pytest.approx([0.4 / (0.7 * 2.0 * 1.5)], rel=1e-12)


# ------------------------------------------------------------------------------------------------------ continuous time


@pytest.mark.parametrize("momentum", [0.0, 0.6, "stationary"])
@pytest.mark.parametrize("height", [-0.5, 0.0, 2.0])
def test_inertial_against_the_matrix_exponential(height, momentum):
    mass, damping, variance, start = 2.0, 0.3, 0.7, 0.4
    dynamics, times = Inertial(0.1, mass, damping), [0.0, 0.01, 1.3, 9.0]
    found = exact.continuous_moments(dynamics, Saddle((height,)), ConstantNoise(variance), start, times, momentum)
    drift = np.array([[0.0, 1.0], [-height / mass, -damping]])
    stationary = isinstance(momentum, str)
    state = np.array([start, 0.0 if stationary else momentum / mass])
    begun = variance / (2.0 * damping * mass**2) if stationary else 0.0
    for n, time in enumerate(times):
        mean = (linalg.expm(drift * time) @ state)[0]
        spread, _ = integrate.quad(
            lambda u: linalg.expm(drift * u)[0, 1] ** 2 * variance / mass**2, 0.0, time, epsabs=1e-13
        )
        spread += linalg.expm(drift * time)[0, 1] ** 2 * begun
        assert found.mean[n, 0] == pytest.approx(mean, rel=1e-12)
        assert found.covariance[n, 0] == pytest.approx(spread, rel=1e-10, abs=1e-16)
        assert found.mean_square_displacement[n, 0] == pytest.approx((mean - start) ** 2 + spread, rel=1e-9, abs=1e-15)


def test_overdamped_closed_form():
    height, times = np.array([1e-9, 0.5, 3.0]), np.array([1e-3, 1.0, 1e3, 1e8])
    found = exact.continuous_moments(Overdamped(0.1), Quadratic(tuple(height)), ConstantNoise(2.0), 1.0, times)
    expected = -np.expm1(-2.0 * np.multiply.outer(times, height)) / height
    assert found.covariance == pytest.approx(expected, rel=1e-11)
    assert found.mean == pytest.approx(np.exp(-np.multiply.outer(times, height)), rel=1e-7, abs=1e-15)


@pytest.mark.parametrize(("make", "order"), [(Overdamped, 1), (lambda dt: Inertial(dt, 0.5, 1.5), 2)])
def test_schemes_tend_to_their_equations(make, order):
    """The right limit, and at the right rate."""
    steps, time = np.array([0.1, 0.05, 0.025, 0.0125, 0.00625]), 2.0
    well, noise = Quadratic((1.3,)), ConstantNoise(0.9)
    limit = exact.continuous_moments(make(0.1), well, noise, 0.8, [time], 0.0).mean_square_displacement[0, 0]
    off = [
        abs(exact.moments(make(dt), well, noise, 0.8, [round(time / dt)], 0.0).mean_square_displacement[0, 0] - limit)
        for dt in steps
    ]
    assert np.polyfit(np.log(steps), np.log(off), 1)[0] == pytest.approx(order, abs=0.1)


# --------------------------------------------------------------------------------------- landscapes, noises, refusals


def test_noise_and_landscape_in_several_guises():
    found = exact.moments(SGD(0.1), Quadratic((1.0, 4.0)), ConstantNoise((0.5, 2.0)), 0.3, [5])
    for noise in (FrozenNoise(2.0), LocalNoise(2.0, 0.0), ScaledNoise(FrozenNoise(1.0), 0.5)):
        for landscape in (Quadratic((1.0, 4.0)), Saddle((1.0, 4.0)), Sharpened(Quadratic((0.5, 2.0)), 2.0)):
            other = exact.moments(SGD(0.1), landscape, noise, 0.3, [5])
            assert all(np.allclose(one, two, rtol=1e-13) for one, two in zip(found, other, strict=True))


class Level(NamedTuple):
    """A user's own constant noise."""

    level: float


variance.on(Level)(lambda noise, landscape, x, j, i: noise.level)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((Adam(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1]), "Adam: exact moments are known of SGD"),
        ((Adai(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1]), "Adai: exact moments are known of SGD"),
        (
            (Nesterov(0.1, 0.9), SADDLE, ConstantNoise(1.0), 0.0, [1]),
            "Nesterov: .* known of SGD, Momentum",
        ),  # linear too
        ((SGD(0.1), SADDLE, Level(1.0), 0.0, [1]), "Level: exact moments are known with ConstantNoise"),
        ((SGD(0.1), DoubleWell(), ConstantNoise(1.0), 0.0, [1]), "DoubleWell: exact moments need a linear gradient"),
        ((SGD(0.1), Saddle((1.0,), 1.0), ConstantNoise(1.0), 0.0, [1]), "set quartic to 0"),
        ((SGD(0.1), Rotated(SADDLE), ConstantNoise(1.0), 0.0, [1]), "Rotated"),
        ((SGD(0.1), SADDLE, TwoPieceNoise(1.0), 0.0, [1]), "split|known with ConstantNoise"),
        ((SGD(0.1), SADDLE, ConstantNoise(1.0), (0.0, 1.0, 2.0), [1]), "start must be"),
        ((SGD(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1.5]), "whole numbers"),
        ((SGD(0.1), SADDLE, ConstantNoise(1.0), 0.0, [-1]), "whole numbers"),
        ((SGD(0.1), SADDLE, ConstantNoise(1.0), 0.0, ["many"]), "whole numbers"),
        ((SGD(0.1), SADDLE, ConstantNoise(1.0), 1.0, [10**9]), "unstable"),
        ((Momentum(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1], "hot"), "momentum must be"),
        ((Momentum(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1], [1.0]), "momentum must be"),
    ],
)
def test_refusals(arguments, line):
    with pytest.raises(InvalidInput, match=line):
        exact.moments(*arguments)


def test_more_refusals():
    with pytest.raises(InvalidInput, match="no stationary variance"):
        exact.stationary_variance(SGD(0.1), SADDLE, ConstantNoise(1.0))
    with pytest.raises(InvalidInput, match="no stationary variance"):
        exact.stationary_variance(SGD(3.0), Quadratic((1.0,)), ConstantNoise(1.0))
    with pytest.raises(InvalidInput, match="not a differential equation"):
        exact.continuous_moments(SGD(0.1), SADDLE, ConstantNoise(1.0), 0.0, [1.0])
    for times in ([-1.0], [math.inf]):
        with pytest.raises(InvalidInput, match="times must be"):
            exact.continuous_moments(Overdamped(0.1), SADDLE, ConstantNoise(1.0), 0.0, times)
