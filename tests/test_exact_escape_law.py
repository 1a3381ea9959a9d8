"""The law of the escape time: dense algebra, the simulator's survival, sums, closed forms, and refusals."""

import math

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.exact.chain import Scheme, assemble, grid_of
from simdyn.exact.chain_law import chain_law, factorise
from simdyn.exact.line import line_through
from simdyn.model.records import InvalidInput

WELL = sd.DoubleWell(1.0, 1.0)
TOP = sd.Beyond(0.0)
METHODS = [sd.SGD(0.05), sd.Momentum(0.05, 0.0, 1.0), sd.Momentum(0.05, 0.8, 0.2)]


def law_of(dynamics, variance, boundary=TOP, start=-1.0, landscape=WELL):
    return exact.escape_law(dynamics, landscape, sd.ConstantNoise(variance), boundary, start)


def scheme_of(rate, variance):
    return Scheme(line_through(WELL, sd.ConstantNoise(variance), TOP, -1.0), rate, rate**2)


def dense(banded):
    """The chain's matrix, its diagonal what the others leave of one."""
    size = len(banded.leaves)
    full = np.zeros((size, size))
    for i in range(size):
        full[i, banded.first[i] : banded.last[i]] = banded.moves[i, banded.first[i] : banded.last[i]]
    np.fill_diagonal(full, 0.0)
    np.fill_diagonal(full, 1.0 - banded.leaves - full.sum(axis=1))
    return full


def test_elimination_against_dense_algebra():
    """At a low barrier, where a plain solve is good: both ways round, and the largest eigenvalue."""
    scheme = scheme_of(0.05, 12.0)
    banded = assemble(scheme, *grid_of(scheme, 1)[:3])
    matrix, right = dense(banded), np.linspace(1.0, 2.0, len(banded.leaves))
    factors = factorise(banded)
    unit = np.eye(len(right))
    assert factors.solve(right) == pytest.approx(np.linalg.solve(unit - matrix, right), rel=1e-10)
    assert factors.solve_transposed(right) == pytest.approx(np.linalg.solve((unit - matrix).T, right), rel=1e-10)
    assert factors.solve(right) != pytest.approx(np.linalg.solve((unit - matrix).T, right), rel=1e-2)
    largest = np.max(np.linalg.eigvals(matrix).real)
    assert law_of(sd.SGD(0.05), 12.0).rate.value == pytest.approx(-math.log(largest), rel=1e-9)


@pytest.mark.parametrize("dynamics", METHODS, ids=str)
@pytest.mark.parametrize("variance", [20.0, 5.0])
def test_moments_are_sums_of_survival(dynamics, variance):
    law = law_of(dynamics, variance)
    steps = np.arange(60 * math.ceil(law.mean.value)) if law.mean.value < 1e4 else None
    if steps is not None:
        left = law.survival(steps)
        assert left.sum() == pytest.approx(law.mean.value, rel=1e-6)
        second = (2.0 * steps + 1.0) @ left
        assert second - law.mean.value**2 == pytest.approx(law.variance.value, rel=1e-5)
    assert law.mean.value == pytest.approx(
        exact.mean_first_passage(dynamics, WELL, sd.ConstantNoise(variance), TOP, -1.0).value
    )


def test_two_ways_to_the_variance():
    """The second moment's equation by elimination, and the march's sum of n P(T > n)."""
    for variance in (40.0, 12.0, 3.0):
        found = chain_law(scheme_of(0.05, variance), 2)
        assert found.settled.variance() == pytest.approx(found.square - found.mean**2, rel=1e-7)
        assert found.settled.mean() == pytest.approx(found.mean, rel=1e-8)


@pytest.mark.parametrize("dynamics", METHODS[::2], ids=str)
def test_high_barriers_are_exponential(dynamics):
    """variance/mean^2 and rate times mean tend to 1 as 1/mean times what it takes to settle."""
    for variance, tau in ((6.0, 1e4), (2.0, 1e9)):
        law = law_of(dynamics, variance)
        assert law.mean.value > tau
        assert (
            abs(law.variance.value / law.mean.value**2 - 1.0)
            < 400.0 / tau + 3.0 * law.variance.error / law.variance.value
        )
        assert abs(law.rate.value * law.mean.value - 1.0) < 200.0 / tau + 3.0 * law.mean.error / law.mean.value
        assert law.variance.error < 1e-5 * law.variance.value
    low = law_of(dynamics, 20.0)
    assert low.variance.value < 0.95 * low.mean.value**2


def test_rate_of_the_rarest():
    law = law_of(sd.SGD(0.1), 0.28)
    assert law.rate.value * 1.93330190011842e31 == pytest.approx(1.0, rel=1e-12)
    assert law.survival([0, 1, 1e30])[:2] == pytest.approx([1.0, 1.0])
    assert law.survival(1.93330190011842e31) == pytest.approx(math.exp(-1.0), rel=1e-10)


@pytest.mark.parametrize("dynamics", METHODS[::2], ids=str)
def test_survival_against_the_simulator(dynamics, seed):
    particles = 40000
    escapes = sd.escape_times(
        dynamics, WELL, sd.ConstantNoise(20.0), TOP, -1.0, particles=particles, max_steps=10**6, seed=seed + 50
    )
    law = law_of(dynamics, 20.0)
    steps = np.array([2, 5, 10, 20, 50, 100, 200, 500, 1000])
    seen = np.mean(escapes.steps[:, None] > steps, axis=0)
    expected = law.survival(steps)
    deviation = np.sqrt(expected * (1.0 - expected) / particles) + 1.0 / particles
    assert np.all(np.abs(seen - expected) < 5.0 * deviation)
    assert np.any(np.abs(seen - law.survival(steps - 2)) > 5.0 * deviation)
    assert np.any(np.abs(seen - np.exp(-steps / law.mean.value)) > 5.0 * deviation)  # it is not exponential yet
    square = (escapes.steps - np.mean(escapes.steps)) ** 2
    assert abs(np.mean(square) - law.variance.value) < 5.0 * np.std(square) / math.sqrt(particles)
    assert abs(np.mean(square) - law.mean.value**2) > 5.0 * np.std(square) / math.sqrt(particles)


def test_quasi_stationary_law_of_sgd():
    """A quadratic well whose boundary is far: the normal law of the scheme's own variance."""
    (expected,) = theory.sgd_stationary_variance((1.5,), (0.7,), 0.2)
    edge = sd.Beyond(6.0 * math.sqrt(expected))
    law = law_of(sd.SGD(0.2), 0.7, edge, 0.0, sd.Quadratic((1.5,)))
    assert law.weights @ law.density == pytest.approx(1.0, rel=1e-12)
    assert law.weights @ (law.density * law.points**2) == pytest.approx(expected, rel=1e-5)
    bulk = np.abs(law.points) < 3.0 * math.sqrt(expected)
    normal = np.exp(-0.5 * law.points**2 / expected) / math.sqrt(2.0 * math.pi * expected)
    assert law.density[bulk] == pytest.approx(normal[bulk], rel=1e-4)


def test_refusals():
    for dynamics in (sd.Overdamped(0.01), sd.Adam(0.1)):
        with pytest.raises(InvalidInput, match="no exact law of the escape time"):
            law_of(dynamics, 4.0)
    with pytest.raises(InvalidInput, match="already at or beyond"):
        law_of(sd.SGD(0.05), 4.0, sd.Beyond(-2.0))
    with pytest.raises(InvalidInput, match="mean square"):
        law_of(sd.SGD(0.1), 0.03)
    with pytest.raises(InvalidInput, match="steps must be"):
        law_of(sd.SGD(0.05), 20.0).survival([-1])
