"""Particles held so weakly on the left that their law falls as a power; times that no double holds; joints nobody said."""

import itertools
import math
import pickle
from typing import NamedTuple

import numpy as np
import pytest
from scipy import integrate, special

import simdyn as sd
from simdyn import exact
from simdyn.exact.chain import Scheme, _log_times, assemble, grid_of
from simdyn.exact.chain_law import factorise
from simdyn.exact.line import line_through
from simdyn.exact.tails import Walk
from simdyn.model.records import InvalidInput

SDE, WELL, TOP = sd.Overdamped(0.01), sd.DoubleWell(1.0, 1.0), sd.Beyond(0.0)


class Logarithm(NamedTuple):
    """L = strength ln(1 + x^2)/2: a law (1 + x^2)^{-strength/(2 D)}."""

    strength: float


sd.value.on(Logarithm)(lambda well, x, i: 0.5 * well.strength * math.log1p(x[0, i] ** 2))
sd.gradient.on(Logarithm)(lambda well, x, j, i: well.strength * x[0, i] / (1.0 + x[0, i] ** 2))
sd.curvature.on(Logarithm)(lambda well, x, j, i: well.strength * (1.0 - x[0, i] ** 2) / (1.0 + x[0, i] ** 2) ** 2)


class Growing(NamedTuple):
    """C = level (1 + x^2)."""

    level: float


class LikeLoss(NamedTuple):
    """C = level (L + floor)."""

    level: float
    floor: float


class Bent(NamedTuple):
    """C = left for x < at, right beyond, which nobody declares as a joint."""

    left: float
    right: float
    at: float


class Declared(NamedTuple):
    left: float
    right: float
    at: float


sd.variance.on(Growing)(lambda noise, landscape, x, j, i: noise.level * (1.0 + x[j, i] ** 2))
sd.variance.on(LikeLoss)(lambda noise, landscape, x, j, i: noise.level * (sd.value(landscape, x, i) + noise.floor))
sd.variance.on(Bent, Declared)(lambda noise, landscape, x, j, i: noise.left if x[j, i] < noise.at else noise.right)
exact.joints.register(Declared)(lambda noise, line, low: [noise.at])


def with_power_tail(q, climb, start, end):
    """Int_start^end dy (1 + y^2)^climb Int_{-inf}^y (1 + z^2)^{-q/2} dz."""
    half = math.sqrt(math.pi) / 2.0 * special.gamma((q - 1.0) / 2.0) / special.gamma(q / 2.0)

    def inner(y):
        return half + integrate.quad(lambda z: (1.0 + z * z) ** (-q / 2.0), 0.0, y, epsabs=0.0, epsrel=1e-13)[0]

    return integrate.quad(lambda y: (1.0 + y * y) ** climb * inner(y), start, end, epsrel=1e-12)[0]


# ------------------------------------------------------------------------------------------------------ power tails


@pytest.mark.parametrize(("q", "stated"), [(1.02, 1e-7), (1.5, 1e-12), (8.0, 1e-12)])
def test_a_slowly_growing_landscape_against_the_closed_form(q, stated):
    found = exact.mean_first_passage(SDE, Logarithm(0.7 * q), sd.ConstantNoise(1.4), sd.Beyond(0.5), -1.0)
    expected = with_power_tail(q, q / 2.0, -1.0, 0.5) / 0.7
    assert abs(found.value - expected) < found.error + 1e-12 * expected
    assert found.relative_error < stated
    # At q = 1.02 half of the law lies where nobody looks: it is the tail that answers.
    assert abs(with_power_tail(q + 0.01, q / 2.0, -1.0, 0.5) / 0.7 - expected) > found.error


@pytest.mark.parametrize(("height", "alpha", "q"), [(-0.3, 0.0, 1.5), (0.6, 0.5, 2.0), (2.4, 1.0, 4.0)])
def test_noise_that_grows_with_the_landscape(height, alpha, q):
    """L = h x^2/2, D = k (1 + x^2): a law of power h/k + 2 (1 - alpha), finite even on a weak hilltop in Ito's convention."""
    found = exact.mean_first_passage(SDE, sd.Saddle((height,)), Growing(1.2), sd.Beyond(0.5), -1.0, alpha)
    expected = with_power_tail(q, height / 1.2 - alpha, -1.0, 0.5) / 0.6
    assert abs(found.value - expected) < found.error + 1e-12 * expected and found.relative_error < 1e-10


def test_noise_like_the_loss():
    """Known from a nested integral and from simulation, 2.19 to 2.24."""
    found = exact.mean_first_passage(SDE, WELL, LikeLoss(8.0, 0.05), TOP, -1.0)
    assert found.value == pytest.approx(2.2151570, abs=1e-7) and found.relative_error < 1e-12


@pytest.mark.parametrize(
    ("landscape", "noise", "alpha", "words"),
    [
        (Logarithm(0.7 * 0.99), sd.ConstantNoise(1.4), 0.0, r"falls as \|x\|\^-0.99, which has no finite integral"),
        (Logarithm(0.7), sd.ConstantNoise(1.4), 0.0, r"falls as \|x\|\^-1, .* is infinite"),
        (sd.Saddle((0.6,)), Growing(1.2), 1.0, r"falls as \|x\|\^-1, .* is infinite"),
        (sd.Saddle((0.12,)), Growing(1.2), 1.0, "runs away for good"),
        (sd.Saddle((-0.72,)), Growing(1.2), 0.0, "runs away for good"),
    ],
)
def test_what_is_infinite_is_said_to_be(landscape, noise, alpha, words):
    with pytest.raises(InvalidInput, match=words):
        exact.mean_first_passage(SDE, landscape, noise, sd.Beyond(0.5), -1.0, alpha)


@pytest.mark.parametrize(
    ("dynamics", "scale"), [(sd.SGD(0.2), 10.0), (sd.Momentum(0.2, 0.5), 5.0), (sd.Inertial(0.1, 1.0, 3.0), 6.0)]
)
def test_methods_that_cannot_follow_do_not_say_infinite(dynamics, scale):
    with pytest.raises(InvalidInput, match=r"falls as \|x\|\^-1.1, too heavy a tail"):
        exact.mean_first_passage(dynamics, Logarithm(0.77), sd.ConstantNoise(0.7 * scale), sd.Beyond(0.5), -1.0)


def test_chains_follow_what_they_can(seed):
    """Noise growing with the quadratic: a law as |x|^-4, against sampling."""
    sgd, noise, end = sd.SGD(0.1), Growing(12.0), sd.Beyond(0.5)
    found = exact.mean_first_passage(sgd, sd.Quadratic((1.2,)), noise, end, -1.0)
    random, x, steps = np.random.default_rng((seed, 5)), np.full(40000, -1.0), np.zeros(40000)
    alive = np.arange(x.size)
    while alive.size:
        here = x[alive]
        x[alive] += -0.12 * here + 0.1 * np.sqrt(12.0 * (1.0 + here**2)) * random.standard_normal(alive.size)
        steps[alive] += 1
        alive = alive[x[alive] < 0.5]
    assert abs(np.mean(steps) - found.value) < 5.0 * np.std(steps) / 200.0
    assert found.relative_error < 1e-10


@pytest.mark.parametrize("slow", [False, True])
def test_the_error_of_a_tail(slow):
    """1/x^1.3 is extrapolated to rounding; 1/(x ln^2 x), whose power is never settled, is off by no more than is said."""
    walk = Walk(10.0, 0.0, 1.0)
    for step in range(1, 2000):
        distance = 10.0 * (65.0 / 64.0) ** step
        walk.append(distance, (math.log(distance / 10.0) if slow else 1.3 * math.log(distance / 10.0)), 0.0)
        if slow:
            walk.potentials[-1] += 2.0 * math.log(math.log(distance) / math.log(10.0))
    found = walk.tail()
    expected = distance * math.log(distance) if slow else distance / 0.3
    assert abs(found.mass - expected) <= found.error + 1e-9 * expected
    assert (found.share > 0.02) if slow else (found.error < 1e-9 * expected)


def test_kicks_larger_than_the_well(seed):
    """Half of the first steps end far outside on the left, from where the next overshoots: not a law that e^-Phi knows."""
    found = exact.mean_first_passage(sd.SGD(0.1), WELL, sd.ConstantNoise(1e5), TOP, -1.0)
    run = sd.escape_times(
        sd.SGD(0.1), WELL, sd.ConstantNoise(1e5), TOP, -1.0, particles=2**15, max_steps=999, seed=seed
    )
    assert abs(found.value - np.mean(run.steps)) < 5.0 * np.std(run.steps) / 2**7.5
    assert found.relative_error < 1e-12
    with pytest.raises(InvalidInput, match="one kick is larger"):
        exact.mean_first_passage(sd.Momentum(0.1, 0.5), WELL, sd.ConstantNoise(1e5), TOP, -1.0)


@pytest.mark.parametrize(
    ("dynamics", "noise", "boundary", "start", "words"),
    [
        (SDE, 1.0, TOP, -1e6, "rises and falls by"),
        (SDE, 1.0, TOP, -1e80, "too large or too small"),
        (sd.Inertial(0.1, 1.0, 1.0), 1e-3, TOP, -1.0, "phase space is resolved up to 600"),
    ],
)
def test_what_is_out_of_reach_is_refused(dynamics, noise, boundary, start, words):
    with pytest.raises(InvalidInput, match=words):
        exact.mean_first_passage(dynamics, WELL, sd.ConstantNoise(noise), boundary, start)


def test_extremes_are_a_change_of_units():
    """Flat to 1e37 and then a wall; ends next to the start; wells of any width: T, D and lengths only scale."""
    tau = float(exact.mean_first_passage(SDE, WELL, sd.ConstantNoise(1.0), TOP, -1.0))
    small = exact.mean_first_passage(SDE, sd.DoubleWell(1.0, 1e-9), sd.ConstantNoise(1.0), TOP, -1e-9)
    assert small.value == pytest.approx(1e-18 * tau, rel=1e-12)
    loud = exact.mean_first_passage(SDE, WELL, sd.ConstantNoise(2e152), sd.Beyond(1.0), 0.0)
    # Int_0^1 dy Int_{-inf}^y dz e^{-z^4/D}/D = Gamma(5/4) D^{-3/4} to leading order, D = 1e152.
    assert loud.value == pytest.approx(special.gamma(1.25) * 1e152**-0.75, rel=1e-9)
    near = exact.mean_first_passage(SDE, WELL, sd.ConstantNoise(1.0), sd.Beyond(-1.0 + 1e-12), -1.0)
    assert near.relative_error < 1e-12 and 3e-13 < near.value < 1e-12


# --------------------------------------------------------------------------------------------------- beyond the doubles


@pytest.mark.parametrize("temperature", [1.0 / 500.0, 1.0 / 2000.0])
def test_overdamped_follows_kramers_beyond_the_doubles(temperature):
    """log tau = log(pi/32^{1/2}) + 1/T + 3 T/8 + O(T^2)."""
    found = exact.mean_first_passage(SDE, WELL, sd.ConstantNoise(2.0 * temperature), TOP, -1.0)
    correction = found.log10 * math.log(10.0) - 1.0 / temperature - math.log(math.pi / math.sqrt(32.0))
    assert correction / temperature == pytest.approx(0.375, abs=0.4 * temperature + 1e-9 / temperature**2 * 1e-3)
    assert found.relative_error < 1e-11 and math.isinf(found.value) == (temperature < 1.0 / 700.0)


def test_a_chain_grows_as_its_barrier():
    """SGD: log tau is linear in the batch size up to its logarithm and 1/b, on both sides of where doubles end."""
    batch = np.array([250.0, 275.0, 300.0, 325.0])
    found = [exact.mean_first_passage(sd.SGD(0.1), WELL, sd.FrozenNoise(b), TOP, -1.0) for b in batch]
    assert math.isfinite(found[0].value) and math.isinf(found[-1].value) and math.isinf(float(found[-1]))
    logs = np.array([one.log10 for one in found]) * math.log(10.0)
    assert np.all(np.abs(np.diff(logs, 2)) < 0.01) and np.diff(logs)[0] > 40.0
    assert all(one.relative_error < 1e-8 for one in found)


def test_a_chain_in_logarithms_is_the_same():
    scheme = Scheme(line_through(WELL, sd.FrozenNoise(20.0), TOP, -1.0), 0.1, 0.01)
    banded = assemble(scheme, *grid_of(scheme, 0)[:3])
    factors = factorise(banded)
    logarithms = _log_times(banded.moves, factors.outflow, banded.last, banded.below)
    plain = factors.solve(np.ones(len(logarithms)))
    assert np.exp(logarithms) == pytest.approx(plain, rel=1e-12) and plain[0] > 1e20


def test_energy_diffusion_at_high_barriers():
    """Kramers: tau = (2 pi/omega) T/(gamma J) e^{1/T}, J = 8/3 of this well; above 1 by T log(1/T) and gamma^{1/2}."""
    for inverse in (100.0, 300.0, 500.0, 2000.0):
        light = exact.energy_first_passage(
            sd.Inertial(0.1, 1.0, 1e-9), WELL, sd.ConstantNoise(2e-9 / inverse), TOP, -1.0
        )
        kramers = 2.0 * math.pi / math.sqrt(8.0) / (1e-9 * inverse * 8.0 / 3.0)
        above = light.log10 * math.log(10.0) - inverse - math.log(kramers)
        assert 0.0 < above < 0.5 * math.log(inverse) / inverse + 2e-3 and light.relative_error < 5e-4


def test_what_an_answer_says():
    plain = exact.Exact(200.0, 2.0)
    assert (plain.log10, plain.relative_error) == (math.log10(200.0), 0.01) and tuple(plain) == (200.0, 2.0)
    assert plain._replace(value=20.0).log10 == math.log10(20.0)
    large = exact.Exact(math.inf, math.inf, 500.0, 1e-9)
    assert float(large) == math.inf and "log10=500.0" in repr(large)
    assert pickle.loads(pickle.dumps(large)) == large != exact.Exact(math.inf, math.inf, 501.0, 1e-9)


# ---------------------------------------------------------------------------------------------------------------- joints


def nested(landscape, spread, start, end, points):
    """tau by adaptive quadrature between the points where pieces meet; D constant."""

    def phi(x):
        return sd.value_at(landscape, [x]) / spread

    cuts = sorted([-6.0, start, end, *[p for p in points if -6.0 < p < end]])
    tau = gathered = 0.0
    for low, high in itertools.pairwise(cuts):
        if low >= start:
            before = gathered

            def outer(y, low=low, before=before):
                inner = integrate.quad(lambda z: math.exp(-phi(z)), low, y, epsabs=0.0, epsrel=1e-12)[0]
                return math.exp(phi(y)) * (before + inner)

            tau += integrate.quad(outer, low, high, epsabs=0.0, epsrel=1e-11)[0]
        gathered += integrate.quad(lambda z: math.exp(-phi(z)), low, high, epsabs=0.0, epsrel=1e-12)[0]
    return tau / spread


@pytest.mark.parametrize(
    "landscape",
    [
        sd.UnequalWells(1.0, 8.0, 2.0, 4.0),
        sd.MatchedParabolas(1.0, 2.0, 1.0),
        sd.FiniteSum(sd.MatchedParabolas(1.0, 2.0, 1.0), (-0.2, 0.3)),
        sd.Sharpened(sd.UnequalWells(1.0, 8.0, 2.0, 4.0), 2.0),
    ],
)
def test_pieces_against_adaptive_quadrature(landscape):
    where = sd.joints(landscape)
    start = float(sd.minimum(landscape)[0]) if not isinstance(landscape, sd.FiniteSum) else -1.3
    found = exact.mean_first_passage(SDE, landscape, sd.ConstantNoise(1.0), sd.Beyond(0.4), start)
    expected = nested(landscape, 0.5, start, 0.4, where)
    assert found.relative_error < 1e-12 and found.value == pytest.approx(expected, rel=2e-10)
    for joint in where:  # and each is one: the curvature jumps there
        below, above = (sd.curvatures_at(landscape, [joint + shift])[0] for shift in (-1e-9, 1e-9))
        assert abs(below - above) > 0.1


def test_a_bath_is_left_along_its_landscape():
    wells, noise = sd.UnequalWells(1.0, 8.0, 2.0, 4.0), sd.ConstantNoise(6.0)
    line = exact.mean_first_passage(sd.SGD(0.05), wells, noise, TOP, -0.8)
    assert line == exact.mean_first_passage(sd.SGD(0.05), sd.WithBath(wells, (2.0,)), noise, TOP, (-0.8, 0.0))
    assert line.relative_error < 1e-12


@pytest.mark.parametrize(("dynamics", "scale"), [(SDE, 1.0), (sd.SGD(0.1), 10.0)])
@pytest.mark.parametrize("at", [-0.9, -0.5, 0.2])
def test_joints_that_nobody_says_are_found(dynamics, scale, at, monkeypatch):
    given = 0.5 * scale, scale, at
    known = exact.mean_first_passage(dynamics, WELL, Declared(*given), sd.Beyond(0.4), -1.0)
    found = exact.mean_first_passage(dynamics, WELL, Bent(*given), sd.Beyond(0.4), -1.0)
    assert found.value == pytest.approx(known.value, rel=1e-12) and known.relative_error < 1e-12
    monkeypatch.setattr("simdyn.exact.stretches.found_bends", lambda line, mesh: [])
    blind = exact.mean_first_passage(dynamics, WELL, Bent(*given), sd.Beyond(0.4), -1.0)
    assert abs(blind.value / known.value - 1.0) > 1e-6
    assert abs(blind.value - known.value) < 3.0 * blind.error
