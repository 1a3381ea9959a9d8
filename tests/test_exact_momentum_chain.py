"""Momentum's mean first passage: sampling, an obvious twin, limits, closed forms, high barriers, and refusals."""

import math

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.exact.line import line_through
from simdyn.exact.momentum_chain import GRIDS, Grid, Positions, _assemble, from_rest, refined, settle_chain
from simdyn.model.records import InvalidInput

WELL = sd.DoubleWell(1.0, 1.0)
TOP = sd.Beyond(0.0)
PARABOLAS = sd.MatchedParabolas(1.0, 2.0, 1.0)


def passage(dynamics, variance, landscape=WELL, boundary=TOP, start=-1.0):
    noise = sd.ConstantNoise(variance) if isinstance(variance, float) else variance
    return exact.mean_first_passage(dynamics, landscape, noise, boundary, start)


def positions(dynamics, variance):
    line = line_through(WELL, sd.ConstantNoise(variance), TOP, -1.0)
    return Positions(line, dynamics.beta1, dynamics.learning_rate * dynamics.beta3)


# --------------------------------------------------------------------------------------------- other ways to the answer


@pytest.mark.parametrize(
    ("dynamics", "landscape", "noise", "boundary", "start"),
    [
        (sd.Momentum(0.05, 0.9, 0.1), WELL, sd.ConstantNoise(12.0), TOP, -1.0),
        (sd.Momentum(0.05, 0.8, 0.2), WELL, sd.ConstantNoise(12.0), sd.Beyond(1.0), -1.2),
        (sd.Momentum(0.03, 0.5, 1.0), WELL, sd.ScaledNoise(sd.LocalNoise(1.0, 1.0), 5.0), TOP, -1.0),
        (sd.Momentum(0.1, 0.9, 0.1), PARABOLAS, sd.TwoPieceNoise(0.12), TOP, -(3.0**0.5)),
    ],
)
def test_against_the_simulator(dynamics, landscape, noise, boundary, start, seed):
    escapes = sd.escape_times(
        dynamics, landscape, noise, boundary, start, particles=20000, max_steps=10**6, seed=seed + 70
    )
    assert not escapes.censored.any() and not escapes.diverged.any()
    mean, deviation = np.mean(escapes.steps), np.std(escapes.steps) / math.sqrt(20000)
    found = exact.mean_first_passage(dynamics, landscape, noise, boundary, start)
    assert found.error < 1e-6 * found.value
    assert abs(mean - found.value) < 5.0 * deviation
    assert abs(mean - 1.1 * found.value) > 5.0 * deviation


def naive_steps(dynamics, variance, points, low=-2.6):
    """tau on a plain midpoint grid of all pairs, step by step: the obvious twin, for low barriers and wide kicks."""
    rate, beta1 = dynamics.learning_rate * dynamics.beta3, dynamics.beta1
    width = -low / points
    grid, deviation = low + width * (np.arange(points) + 0.5), rate * math.sqrt(variance)
    slope = 4.0 * grid * (grid**2 - 1.0)
    mean = grid[:, None] * (1.0 + beta1) - rate * slope[:, None] - beta1 * grid  # [v, u]
    kernel = np.exp(-0.5 * ((grid - mean[:, :, None]) / deviation) ** 2) * (width / deviation / math.sqrt(2 * math.pi))
    times, before = np.zeros((points, points)), 0.0  # [u, v]
    while True:
        times = 1.0 + np.matmul(kernel, times[:, :, None])[:, :, 0].T
        first = np.exp(-0.5 * ((grid + 1.0) / deviation) ** 2) * (width / deviation / math.sqrt(2 * math.pi))
        mean_here = grid * (1.0 + beta1) - rate * slope + beta1
        second = np.exp(-0.5 * ((grid - mean_here[:, None]) / deviation) ** 2) * width / deviation
        now = 1.0 + float(first @ (1.0 + np.sum(second / math.sqrt(2 * math.pi) * times, axis=1)))
        if abs(now - before) < 1e-9 * now:
            return now
        before = now


@pytest.mark.parametrize("dynamics", [sd.Momentum(0.1, 0.5, 0.5), sd.Momentum(0.05, 0.3, 1.0)])
def test_against_a_plain_grid(dynamics):
    coarse, fine = (naive_steps(dynamics, 40.0, points) for points in (60, 120))
    plain = fine + (fine - coarse) / 3.0  # the midpoint rule is of second order
    found = passage(dynamics, 40.0)
    assert abs(found.value / plain - 1.0) < 0.1 * abs(fine / coarse - 1.0) + 1e-6
    assert 1e-6 < abs(fine / coarse - 1.0) < 2e-3


@pytest.mark.parametrize("variance", [4.0, sd.LocalNoise(1.0, 0.2), sd.TwoPieceNoise(0.5)], ids=str)
def test_bands_are_symmetric(variance):
    """Where the noise jumps the width of the band does; (i, j) must still be a pair where (j, i) is one."""
    noise = sd.ConstantNoise(variance) if isinstance(variance, float) else variance
    chain = _assemble(Positions(line_through(PARABOLAS, noise, TOP, -1.7), 0.9, 0.01), GRIDS[0])
    index = np.arange(len(chain.nodes))
    pairs = (chain.low[:, None] <= index) & (index < chain.high[:, None])
    assert np.array_equal(pairs, pairs.T) and pairs.diagonal().all()
    assert np.all(chain.first < chain.last) and np.all(chain.leaves >= 0.0)
    rows = np.add.reduceat(chain.chances, chain.offset) + chain.leaves
    assert rows == pytest.approx(np.ones(len(rows)), rel=1e-13)


# --------------------------------------------------------------------------------------------------- limits, identities


def test_without_momentum_it_is_sgd():
    """Continuous in beta1 -> 0: what is left is linear in it, and d log tau/d beta1 is about the action."""
    sgd = passage(sd.SGD(0.05), 4.0)
    nearly = passage(sd.Momentum(0.05, 1e-9, 1.0), 4.0)
    assert abs(nearly.value - sgd.value) <= nearly.error + sgd.error + 3e-8 * sgd.value
    rises = [(sgd.value / passage(sd.Momentum(0.05, beta1, 1.0), 4.0).value - 1.0) / beta1 for beta1 in (0.004, 0.002)]
    assert 2.0 * rises[1] - rises[0] == pytest.approx(2.0 / (0.05 * 4.0), rel=0.1)


def test_only_the_product_of_rates_counts():
    ema, ball = passage(sd.Momentum(0.05, 0.8, 0.2), 4.0), passage(sd.Momentum(0.01, 0.8, 1.0), 4.0)
    assert ema.value == pytest.approx(ball.value, rel=1e-12)
    assert passage(sd.Momentum(0.05, 0.8, 0.22), 4.0).value != pytest.approx(ball.value, rel=0.1)


@pytest.mark.parametrize("noise", [sd.FrozenNoise(1.0), sd.TwoPieceNoise(1.0)], ids=str)
def test_sharpness_is_a_change_of_rate(noise):
    """Momentum(k, eta) is exactly Momentum(1, k eta) when the noise grows as k."""
    start, k = -math.sqrt(3.0), 3.0
    sharp = passage(sd.Momentum(0.1, 0.7, 0.3), noise, sd.Sharpened(PARABOLAS, k), TOP, start / math.sqrt(k))
    plain = passage(sd.Momentum(0.3, 0.7, 0.3), noise, PARABOLAS, TOP, start)
    other = passage(sd.Momentum(0.1 * math.sqrt(k), 0.7, 0.3), noise, PARABOLAS, TOP, start)
    assert abs(sharp.value - plain.value) <= sharp.error + plain.error
    assert abs(other.value / plain.value - 1.0) > 0.1


def test_small_steps_are_the_overdamped_equation():
    """beta1 and D = eta C/2 held, exit well beyond the saddle: eta tau tends to the equation's time at order eta."""
    diffusion, rates = 0.2, np.array([0.04, 0.02, 0.01])
    limit = float(passage(sd.Overdamped(0.01), 2.0 * diffusion, boundary=sd.Beyond(1.0)))
    off = [
        rate * float(passage(sd.Momentum(rate, 0.5, 0.5), 2.0 * diffusion / rate, boundary=sd.Beyond(1.0))) / limit - 1
        for rate in rates
    ]
    assert np.polyfit(np.log(rates), np.log(np.abs(off)), 1)[0] == pytest.approx(1.0, abs=0.3)
    assert abs(off[-1]) < 0.04 < 0.1 < abs(off[0])


@pytest.mark.parametrize("dynamics", [sd.Momentum(0.1, 0.5, 0.5), sd.Momentum(0.1, 0.9, 1.0), sd.Momentum(0.4, 0.8)])
def test_what_it_settles_in_has_the_stationary_variance(dynamics):
    """A quadratic well with the boundary 6 deviations away; the scheme's own variance, not the equation's."""
    rate, beta1, beta3 = dynamics
    (expected,) = theory.momentum_stationary_variance((1.5,), (0.7,), rate, beta1, beta3)
    edge = sd.Beyond(6.0 * math.sqrt(expected))
    law = exact.escape_law(dynamics, sd.Quadratic((1.5,)), sd.ConstantNoise(0.7), edge, 0.0)
    mean = law.weights @ (law.density * law.points)
    found = law.weights @ (law.density * law.points**2) - mean**2
    assert found == pytest.approx(expected, rel=1e-5)
    assert found != pytest.approx(rate * beta3 * 0.7 / (2.0 * (1.0 - beta1) * 1.5), rel=1e-3)


# ------------------------------------------------------------------------------------------------------- high barriers


@pytest.mark.parametrize(("dynamics", "variance", "tau"), [
    (sd.Momentum(0.0625, 0.8, 0.2), 1.07, 1e14), (sd.Momentum(0.0625, 0.5, 0.5), 0.3, 1e45),
    (sd.Momentum(0.05, 0.6, 0.4), 0.2, 1e85),
])  # fmt: skip
def test_high_barriers_keep_their_digits(dynamics, variance, tau):
    found = passage(dynamics, variance)
    other = settle_chain(positions(dynamics, variance), Grid(19.0, 8.2, 6.4), from_rest).mean()
    assert found.value > tau
    assert found.error < 1e-4 * found.value
    assert abs(found.value - other) <= found.error


def test_kramers_exponent():
    """The slope of log tau against 1/T, T = eta beta3 C/(2 (1 - beta1)), tends to the barrier."""
    inverse = np.array([100.0, 110.0])
    logs = [math.log(passage(sd.Momentum(0.01, 0.5, 0.5), 2.0 / (0.01 * at)).value) for at in inverse]
    assert np.diff(logs)[0] / 10.0 == pytest.approx(1.0, abs=0.02)


def test_too_coarse_is_seen():
    """Panels of 24 deviations are wrong, the refinements notice, and no answer is given on such panels."""
    chain = positions(sd.Momentum(0.05, 0.9, 0.1), 4.0)
    coarse, fine = refined(chain, from_rest)
    assert abs(coarse.mean() / fine.mean() - 1.0) < 1e-4
    assert abs(settle_chain(chain, GRIDS[0]._replace(panel=24.0), from_rest).mean() / fine.mean() - 1.0) > 1e-2
    assert abs(settle_chain(chain, GRIDS[1]._replace(tail=2.0), from_rest).mean() / fine.mean() - 1.0) > 1e-3


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("dynamics", "variance", "landscape", "line"),
    [
        (sd.Momentum(1e-5, 0.9, 0.1), 2e4, WELL, "too slowly"),
        (sd.Momentum(0.05, 0.9, 0.1), 0.05, WELL, "too rare"),
        (sd.Momentum(0.05, 0.9, 0.1), 1.0, sd.Saddle((-1.0,)), "does not hold"),
        (sd.Momentum(0.05, 0.9, 0.1), 0.0, WELL, "noise vanishes"),
        (sd.Momentum(5.0, 0.9, 1.0), 1.0, WELL, "overshoot"),
    ],
)
def test_refusals(dynamics, variance, landscape, line):
    with pytest.raises(InvalidInput, match=line):
        passage(dynamics, variance, landscape)
