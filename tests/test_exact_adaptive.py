"""Exact answers for bias-corrected averages: Adai's escape in one dimension, Adam's and Adai's moments with v held still."""

import functools

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.exact import bias_corrected, momentum_chain
from simdyn.exact.line import line_through
from simdyn.model.records import InvalidInput

# ---------------------------------------------------------------------------------------- Adai's escape, in one dimension

WELL, NOISE, EXIT = sd.DoubleWell(3.0, 1.7320508), sd.FrozenNoise(0.4), sd.Beyond(1.7320508)
ADAI, MOMENTUM = sd.Adai(0.1, beta0=0.3), sd.Momentum(0.1, beta1=0.7, beta3=0.3)


def passage(dynamics):
    return exact.mean_first_passage(dynamics, WELL, NOISE, EXIT, -1.7320508)


known = functools.cache(passage)


def test_what_the_bias_correction_does_to_an_escape(seed):
    """On the same noise both methods do the same once they have met: their difference is known far better than either."""
    runs = [sd.escape_times(d, WELL, NOISE, EXIT, -1.7320508, particles=2**17, seed=seed) for d in (ADAI, MOMENTUM)]
    apart = runs[0].steps.astype(float) - runs[1].steps
    measured, error = float(np.mean(apart)), float(np.std(apart)) / np.sqrt(apart.size)
    assert np.mean(apart == 0.0) > 0.9
    adai, momentum = known(ADAI), known(MOMENTUM)
    found = adai.value - momentum.value
    assert abs(found - measured) < 5.0 * error + adai.error + momentum.error
    assert abs(measured) > 20.0 * error  # without it the difference is none
    assert abs(found) > 0.03 * momentum.value


def test_the_correction_is_followed_long_enough(monkeypatch):
    """Left off at beta1^t = eps, it misses the share eps of its effect, and a few times that where it is coarse."""
    whole, without = known(ADAI), known(MOMENTUM)
    monkeypatch.setattr(bias_corrected, "NEGLIGIBLE", 1e-2)
    missed = abs(passage(ADAI).value - whole.value)
    assert 1e-5 * abs(whole.value - without.value) < missed < 0.05 * abs(whole.value - without.value)


def test_adai_with_all_its_inertia_gone_is_sgd():
    assert passage(sd.Adai(0.1, beta0=1.0)) == passage(sd.SGD(0.1)) == passage(sd.Adai(0.1, beta0=1.5))


def test_adai_is_refused_where_coordinates_feel_each_other():
    valley = sd.Valley(1.0, 1.0, (2.0,))
    with pytest.raises(InvalidInput, match="one dimension only"):
        exact.mean_first_passage(ADAI, valley, NOISE, sd.Beyond(1.0), [-1.0, 0.0])


def test_what_takes_minutes_is_refused_before_it_begins(monkeypatch):
    def never(*arguments):
        raise AssertionError("began")

    monkeypatch.setattr(bias_corrected, "corrected_step", never)
    with pytest.raises(InvalidInput, match="Adai: its bias correction dies too slowly"):
        passage(sd.Adai(0.1, beta0=0.01))


@pytest.mark.parametrize("beta0", [0.3, 0.1])
def test_work_is_foreseen(beta0, monkeypatch):
    """To a third, so that one chain in ten of a minute's is neither refused nor left to run for many."""
    line = line_through(WELL, NOISE, EXIT, -1.7320508)
    positions = momentum_chain.Positions(line, 1.0 - beta0, 0.1 * beta0)
    chain = momentum_chain._assemble(positions, momentum_chain.GRIDS[0])
    _, survival, work = bias_corrected.from_bias_corrected_rest(positions, chain, np.inf)
    steps = len(survival) - 3
    assert bias_corrected.expected_work(positions, chain, steps) == pytest.approx(work, rel=0.33)
    assert bias_corrected.expected_work(positions, chain, 2 * steps) > 1.5 * work
    with pytest.raises(InvalidInput, match="dies too slowly"):
        bias_corrected.from_bias_corrected_rest(positions, chain, 0.5 * work)


def test_refining_ends_where_it_would_take_long(monkeypatch):
    whole = passage(ADAI)
    monkeypatch.setattr(momentum_chain, "LARGEST_WORK", 6e7)
    sooner = passage(ADAI)
    assert whole.error < sooner.error < 1e-3 * whole.value
    assert 0.0 < abs(sooner.value - whole.value) < sooner.error


# ------------------------------------------------------------------------------------------------ moments with v held still

CURVATURES, VARIANCES, START = np.array([-0.3, 0.0, 2.0]), np.array([0.5, 1.5, 4.0]), np.array([0.2, -0.1, 0.7])
METHODS = [
    sd.Adam(0.03, 0.9, eps=0.1),
    sd.Adam(0.03, 0.0, eps=0.1, eps_inside_root=True),
    sd.Adai(0.03, beta0=0.2),
    sd.Adai(0.03, beta0=0.9),  # clips where the noise is strong
]


def held(dynamics, v):
    """beta1 and rate of each coordinate, written anew."""
    if isinstance(dynamics, sd.Adai):
        return [min(max(1.0 - dynamics.beta0 * x / np.mean(v), 0.0), 0.999) for x in v], [dynamics.learning_rate] * len(
            v
        )
    roots = [(x + dynamics.eps) ** 0.5 if dynamics.eps_inside_root else x**0.5 + dynamics.eps for x in v]
    return [dynamics.beta1] * len(v), [dynamics.learning_rate / root for root in roots]


@pytest.mark.parametrize("v", [None, (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("dynamics", METHODS, ids=str)
def test_against_every_kick_followed_on_its_own(dynamics, v):
    steps = [0, 1, 2, 7, 40, 900]
    noise, landscape = sd.ConstantNoise(tuple(VARIANCES)), sd.Saddle(tuple(CURVATURES))
    found = exact.moments_with_frozen_v(dynamics, landscape, noise, START, steps, v)
    betas, rates = held(dynamics, VARIANCES if v is None else v)
    for j in range(3):
        # theta after T steps is linear in the start and in every kick: row 0 follows the start, row s the kick of step s.
        place, momentum = np.zeros(901), np.zeros(901)
        place[0] = START[j]
        for t in range(1, 901):
            slope = CURVATURES[j] * place
            slope[t] += 1.0
            momentum = betas[j] * momentum + (1.0 - betas[j]) * slope
            place = place - rates[j] * momentum / (1.0 - betas[j] ** t)
            if t in steps:
                row = steps.index(t)
                assert found.mean[row, j] == pytest.approx(place[0], rel=1e-11)
                assert found.covariance[row, j] == pytest.approx(VARIANCES[j] * np.sum(place[1:] ** 2), rel=1e-11)
    assert np.array_equal(found.mean[0], START) and not np.any(found.covariance[0])


def test_flat_it_is_the_sum_of_theory():
    steps = [1, 10, 100, 10**9]
    found = exact.moments_with_frozen_v(sd.Adam(1.0, eps=0.0), sd.Saddle((0.0,)), sd.ConstantNoise(2.0), 0.0, steps)
    known = theory.adam_displacement_bias_corrected(steps, 1.0, 0.9)
    assert found.mean_square_displacement[:, 0] == pytest.approx(known, rel=1e-10)
    assert known[2] == pytest.approx(112.2, abs=0.1)


@pytest.mark.parametrize(
    ("dynamics", "v_counts"),
    [
        (sd.Adam(0.03e6, 0.9, eps=1e6), 2e-6),  # v is nothing beside eps
        (sd.Adai(0.03, beta0=0.1), 0.0),  # in one dimension v cancels
        (sd.Adam(0.03, 0.9, beta2=1.0 - 1e-7, eps=0.0), 0.006),  # v is the mean of all t squares: 1/v is 2/t too high
    ],
    ids=["Adam, large eps", "Adai", "Adam, beta2 near 1"],
)
def test_simulations_agree_where_v_hardly_moves(dynamics, v_counts, seed):
    landscape, noise, steps = sd.Saddle((0.02,)), sd.ConstantNoise(1.0), [5, 50, 3000]
    first = 2 if v_counts > 1e-3 else 0  # it takes many squares
    run = sd.displacement(dynamics, landscape, noise, 0.0, particles=2**15, record_at=steps, seed=seed)
    found = exact.moments_with_frozen_v(dynamics, landscape, noise, 0.0, steps).mean_square_displacement
    for row in range(first, 3):
        allowed = 5.0 * run.stderr[row, 0] + v_counts * found[row, 0]
        assert abs(run.msd[row, 0] - found[row, 0]) < allowed
        if row < 2:  # without the bias correction it would be another
            plain = exact.moments(sd.Momentum(0.03, 0.9, 0.1), landscape, noise, 0.0, steps).mean_square_displacement
            assert abs(run.msd[row, 0] - plain[row, 0]) > 2.0 * allowed
        assert abs(run.msd[row, 0] - 1.1 * found[row, 0]) > allowed


@pytest.mark.parametrize(
    ("dynamics", "v", "line"),
    [
        (sd.SGD(0.1), None, "those of Adam and Adai"),
        (METHODS[0], 0.0, "v must be a positive number"),
        (METHODS[0], (1.0, 2.0), "one for each of 3 coordinates"),
    ],
)
def test_refusals(dynamics, v, line):
    with pytest.raises(InvalidInput, match=line):
        exact.moments_with_frozen_v(dynamics, sd.Saddle(tuple(CURVATURES)), sd.ConstantNoise(1.0), 0.0, [1], v)
