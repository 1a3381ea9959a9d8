"""Adam's chain: against sampling, an independent solve, its own limits, and what must be rejected."""

import math

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact
from simdyn.exact import adam_chain
from simdyn.exact.line import line_through
from simdyn.model.records import InvalidInput

WELL, NOISE, TOP = sd.DoubleWell(1.0, 1.0), sd.FrozenNoise(1.0), sd.Beyond(0.0)
LINE = line_through(WELL, NOISE, TOP, -1.0)
QUICK = sd.Adam(0.15, beta1=0.0, beta2=0.9)


def sampled(dynamics, seed, particles=2**16, noise=NOISE):
    steps = sd.escape_times(dynamics, WELL, noise, TOP, -1.0, particles=particles, max_steps=10**7, seed=seed).steps
    return float(np.mean(steps)), float(np.std(steps)) / math.sqrt(particles)


def agree(answer, mean, deviation):
    return abs(answer.value - mean) < answer.error + 5.0 * deviation


def settled(adam, refinement, v=None, **changes):
    """tau of a start with m = 0 and a settled v, without bias corrections, on one grid."""
    grid = adam_chain._grid(LINE, adam_chain._region(adam, LINE)._replace(**changes), refinement)
    times, _ = adam_chain._solve(adam, grid)
    return adam_chain._at_rest(LINE, grid, times, adam_chain.settled_square(adam, LINE) if v is None else v)


# --------------------------------------------------------------------------------------------------- the full chain


@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.0, 0.9, 1e-8), (0.0, 0.99, 1e-8), (0.0, 0.9, 0.5)])
def test_without_momentum_against_sampling(beta1, beta2, eps, seed):
    adam = sd.Adam(0.15, beta1, beta2, eps)
    found = exact.mean_first_passage(adam, WELL, NOISE, TOP, -1.0)
    mean, deviation = sampled(adam, seed)
    assert found.error < 0.015 * found.value
    assert agree(found, mean, deviation)
    assert not agree(found._replace(value=1.05 * found.value), mean, deviation)


def test_with_momentum_against_sampling(seed):
    adam = sd.Adam(0.25, 0.5, 0.9)
    found = exact.mean_first_passage(adam, WELL, NOISE, TOP, -1.0)
    mean, deviation = sampled(adam, seed)
    assert found.error < 0.015 * found.value
    assert agree(found, mean, deviation)
    # eps inside the root is another chain, and so is momentum that is forgotten a little sooner.
    assert not agree(found, *sampled(adam._replace(beta1=0.4), seed))
    assert not agree(found, *sampled(adam._replace(eps=0.5, eps_inside_root=True), seed))


def naive_steps(rate, beta2, points, kicks=121):
    """tau of beta1 = 0 from rest with v = C, in x and v alone, linear between equal steps of both: iterated plainly."""
    low, high, variance = -1.75, 0.0, 8.0
    x, v = np.linspace(low, high, points), np.linspace(0.8, 40.0, points)
    z = np.linspace(-6.0, 6.0, kicks)
    weights = np.exp(-0.5 * z * z) / np.sum(np.exp(-0.5 * z * z))
    g = (4.0 * x * (x * x - 1.0))[:, None, None] + math.sqrt(variance) * z
    square = beta2 * v[None, :, None] + (1.0 - beta2) * g * g
    landed = x[:, None, None] - rate * g / np.sqrt(square)
    i = np.clip((landed - low) / (high - low) * (points - 1), 0, points - 1 - 1e-9)
    j = np.clip((square - v[0]) / (v[-1] - v[0]) * (points - 1), 0, points - 1 - 1e-9)
    first, second = i.astype(int), j.astype(int)
    # A kick stands for an interval of kicks: the one that straddles the end stays with the part of it that is inside.
    inside = np.clip(0.5 + (high - landed) / np.maximum(np.abs(np.gradient(landed, axis=2)), 1e-12), 0.0, 1.0)
    share, part = i - first, j - second
    size = points * points
    rows = np.repeat(np.arange(size), kicks)
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    moves = sparse.csr_matrix((size, size))
    for a, along in ((0, 1.0 - share), (1, share)):
        for b, across in ((0, 1.0 - part), (1, part)):
            chance = (weights * inside * along * across).ravel()
            moves = moves + sparse.csr_matrix(
                (chance, (rows, ((first + a) * points + second + b).ravel())), shape=(size, size)
            )
    times = spsolve(sparse.identity(size, format="csc") - moves.tocsc(), np.ones(size)).reshape(points, points)
    column = np.interp(variance, v, np.arange(points))
    k = int(column)
    return float(np.interp(-1.0, x, times[:, k] * (1.0 - (column - k)) + times[:, k + 1] * (column - k)))


def test_without_momentum_against_an_independent_solve():
    coarse, fine = (naive_steps(0.2, 0.9, points) for points in (31, 45))
    plain = fine + (fine - coarse) / ((44.0 / 30.0) ** 2 - 1.0)  # linear interpolation is of second order
    adam = sd.Adam(0.2, 0.0, 0.9)
    assert settled(adam, 1.4, v=8.0) == pytest.approx(plain, rel=max(0.01, abs(fine / plain - 1.0) / 2.0))


def test_refinement_converges():
    """Of order 3 at least, on all axes together; and so a coarse grid is caught."""
    values = [settled(QUICK, refinement) for refinement in (0.5, 1.0, 2.0)]
    first, second = abs(values[1] - values[0]), abs(values[2] - values[1])
    assert first > 6.0 * second
    assert first > 3.0 * exact.mean_first_passage(QUICK, WELL, NOISE, TOP, -1.0).error


def test_the_stated_error_is_honest():
    found = exact.mean_first_passage(QUICK, WELL, NOISE, TOP, -1.0)
    finest = settled(QUICK, 2.2) + adam_chain._early(
        QUICK, LINE, adam_chain._region(QUICK, LINE), adam_chain.settled_square(QUICK, LINE)
    )
    assert abs(found.value - finest) < found.error < 0.01 * found.value


@pytest.mark.parametrize("adam", [sd.Adam(0.15, 0.0, 0.99), sd.Adam(0.2, 0.0, 0.9)])
def test_the_extrapolation_has_a_margin(adam):
    """What a pair of grids is off by, and what it says: twice what it extrapolates, of which up to all is wrong."""
    finest = settled(adam, 2.0)
    for coarse, fine in ((0.7, 1.0), (1.0, 1.4)):
        one, other = settled(adam, coarse), settled(adam, fine)
        beyond = (other - one) / ((fine / coarse) ** adam_chain.ORDER - 1.0)
        seen = 3e-4 * finest  # what the iteration leaves
        assert abs(other + beyond - finest) < 0.65 * adam_chain.MARGIN * abs(beyond) + seen
        if adam.beta2 == 0.99:  # without a margin it would be said to be less than it is, or nearly so
            assert abs(other + beyond - finest) > 0.6 * abs(beyond)


def test_the_cut_on_the_left_is_far_enough():
    low = adam_chain._region(QUICK, LINE).low
    near, far, further = (settled(QUICK, 1.8, low=low + shift) for shift in (0.3, 0.0, -0.2))
    assert abs(far / further - 1.0) < adam_chain.CUT
    assert abs(near / further - 1.0) > 5.0 * adam_chain.CUT


# ----------------------------------------------------------------------------------------------------- its own limits


@pytest.mark.parametrize("action", [4.0, 6.0])
def test_slow_v_is_frozen_where_slopes_are_weak(action):
    """Small steps, much noise, beta2 near 1: v is C up to the largest L'^2/C, and SGD's own chain answers."""
    rate, steepest = 0.03, 8.0 / math.sqrt(27.0)
    noise = sd.ConstantNoise((2.0 / (rate * action)) ** 2)
    adam = sd.Adam(rate, 0.0, 0.998)
    line = line_through(WELL, noise, TOP, -1.0)
    grid = adam_chain._grid(line, adam_chain._region(adam, line), 1.0)
    times, _ = adam_chain._solve(adam, grid)
    found = adam_chain._at_rest(line, grid, times, float(noise.variance))
    still = float(exact.adam_with_frozen_v(adam, WELL, noise, TOP, -1.0))
    uncertain = 0.5 * action * steepest**2 / float(noise.variance) + 0.005  # of the exponent; and the grid's
    assert uncertain < 0.07
    assert still * 0.995 < found < still * (1.0 + uncertain)
    assert exact.adam_with_frozen_v(adam, WELL, noise, TOP, -1.0, v=1.1 * noise.variance).value > still * (
        1.0 + uncertain
    )


def test_v_is_not_only_the_noise():
    """v takes up L'^2: Adam waits far longer than if v were C, and about as long as if v were its mean in the well."""
    adam = sd.Adam(0.1, 0.0, 0.99)
    full = settled(adam, 1.0)
    held = exact.settled_v(adam, WELL, NOISE, TOP, -1.0)
    assert full > 1.4 * float(exact.adam_with_frozen_v(adam, WELL, NOISE, TOP, -1.0))
    assert full == pytest.approx(float(exact.adam_with_frozen_v(adam, WELL, NOISE, TOP, -1.0, v=held)), rel=0.25)


def test_settled_v_against_sampling(seed):
    """C + <L'^2>: of a well that nothing leaves, where discrete steps widen the law by 1/(1 - eta H/2)."""
    adam, well = sd.Adam(0.05, 0.0, 0.999), sd.Quadratic((2.0,))
    rate = 0.05 / math.sqrt(8.0)
    held = exact.settled_v(adam, well, sd.ConstantNoise(8.0), sd.Beyond(9.0), 0.0)
    assert held == pytest.approx(8.0 + 4.0 * rate * 8.0 / (2.0 * 2.0), rel=0.002)
    random, x, squares = np.random.default_rng((seed, 3)), np.zeros(20000), []
    for number in range(400):
        g = 2.0 * x + math.sqrt(8.0) * random.standard_normal(x.size)
        x = x - rate * g
        if number >= 200:
            squares.append(np.mean(g * g))
    deviation = np.std(squares) / math.sqrt(len(squares) / 2)
    assert abs(np.mean(squares) - held) < 5.0 * deviation + 2.0 * rate * (held - 8.0)


def test_a_scale_of_loss_is_no_scale_for_adam():
    """eps = 0: the same steps on c L with noise c^2 C; and with an eps that is scaled too."""
    for eps in (0.0, 0.3):
        one = exact.mean_first_passage(QUICK._replace(eps=eps), WELL, NOISE, TOP, -1.0)
        other = exact.mean_first_passage(
            QUICK._replace(eps=5.0 * eps), sd.DoubleWell(5.0, 1.0), sd.ConstantNoise(200.0), TOP, -1.0
        )
        assert other.value == pytest.approx(one.value, rel=1e-3)


def test_the_first_steps_are_bias_corrected(seed, monkeypatch):
    """Steps to a near end are few: without the corrections they would be others."""
    adam, end = sd.Adam(0.15, 0.0, 0.97), sd.Beyond(-0.6)
    run = sd.escape_times(adam, WELL, NOISE, end, -1.0, particles=2**18, max_steps=10**6, seed=seed).steps
    mean, deviation = float(np.mean(run)), float(np.std(run)) / 2**9
    assert agree(exact.mean_first_passage(adam, WELL, NOISE, end, -1.0), mean, deviation)
    corrected = adam_chain._rule
    monkeypatch.setattr(adam_chain, "_rule", lambda adam, number=math.inf: corrected(adam))
    assert not agree(exact.mean_first_passage(adam, WELL, NOISE, end, -1.0), mean, deviation)


# ------------------------------------------------------------------------------------------------------------- frozen


def test_frozen_v_is_a_learning_rate():
    found = exact.adam_with_frozen_v(sd.Adam(0.1, 0.0, eps=0.5), WELL, NOISE, TOP, -1.0)
    assert found == exact.mean_first_passage(sd.SGD(0.1 / (math.sqrt(8.0) + 0.5)), WELL, NOISE, TOP, -1.0)
    held = exact.adam_with_frozen_v(sd.Adam(0.1, 0.0, eps=0.5, eps_inside_root=True), WELL, NOISE, TOP, -1.0, v=10.0)
    assert held == exact.mean_first_passage(sd.SGD(0.1 / math.sqrt(10.5)), WELL, NOISE, TOP, -1.0)
    assert abs(held.value / found.value - 1.0) > 0.1


@pytest.mark.parametrize(
    ("adam", "noise", "line"),
    [
        (sd.Adam(0.15, 0.0, 0.9999), NOISE, "remembers v"),
        (sd.Adam(0.15, 0.0, 0.5), NOISE, "beta2 = 0.8 up, not at 0.5"),
        (sd.Adam(0.02, 0.9, 0.99), NOISE, "times its temperature"),
        (sd.Adam(0.15, 0.0, 0.9), sd.LocalNoise(1.0, 0.0), "noise vanishes"),
        (sd.Adam(0.15, 0.999, 0.99), NOISE, "not resolved"),
    ],
)
def test_refusals(adam, noise, line):
    with pytest.raises(InvalidInput, match=line):
        exact.mean_first_passage(adam, WELL, noise, TOP, -1.0)


@pytest.mark.parametrize("v", [0.0, -1.0, math.nan])
def test_frozen_v_is_positive(v):
    with pytest.raises(InvalidInput, match="v must be a positive number"):
        exact.adam_with_frozen_v(QUICK, WELL, NOISE, TOP, -1.0, v=v)


def test_what_the_grid_does_not_resolve_is_refused_not_answered():
    """Beyond the saddle of eleven temperatures a coarse grid once gave a negative time."""
    well = sd.DoubleWell(1.2, 1.2**0.5)
    for end in (0.0, 1.2**0.5):
        try:
            found = exact.mean_first_passage(
                sd.Adam(0.08, 0.0, 0.99), well, sd.FrozenNoise(1.0), sd.Beyond(end), -(1.2**0.5)
            )
        except sd.InvalidInput as refusal:
            assert "not resolved" in str(refusal)
        else:
            assert found.value > 1e6 and found.error < 0.05 * found.value
