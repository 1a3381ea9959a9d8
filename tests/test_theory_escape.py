"""Escape formulas: against quadrature and the exact chain, their identities, the noise conventions, and validity."""

import copy
import itertools
import math
import pickle
import re
import warnings
from typing import NamedTuple

import numpy as np
import pytest

from simdyn import exact, theory
from simdyn.model.boundaries import Beyond
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import (
    DoubleWell,
    MatchedParabolas,
    Quadratic,
    Rotated,
    Saddle,
    Sharpened,
    StyblinskiTang,
    Valley,
    curvature,
    gradient,
    value,
)
from simdyn.model.noise import ConstantNoise, FrozenNoise, LocalNoise, ScaledNoise, TwoPieceNoise
from simdyn.model.records import InvalidInput

WELL = DoubleWell(1.0, 1.0)
SDE = Overdamped(0.01)
OPTIMIZERS = [SGD(0.02), Momentum(0.002, 0.9, 1.0), Momentum(0.02, 0.9, 0.1), Adam(0.05, eps=0.0), Adai(0.02)]


def other_minimum(well):
    return math.sqrt(2.0 * well.barrier * (1.0 / well.minimum_curvature + 1.0 / well.saddle_curvature))


# ------------------------------------------------------------------------------------------ against exact answers


@pytest.mark.parametrize(("height", "top"), [(2.0, 1.0), (1.0, 2.0), (3.0, 1.0)])
def test_conventions(height, top):
    """On matched parabolas with D = eta |H|/2B each prefactor is exact for its own noise only."""
    well, rate, batch_size = MatchedParabolas(1.0, height, top), 0.02, 1.0
    end, noise = other_minimum(well), ScaledNoise(TwoPieceNoise(batch_size), rate)
    share = top / (height + top)
    answers = {
        alpha: float(exact.mean_first_passage(SDE, well, noise, Beyond(end), -end, convention=alpha)) / rate
        for alpha in (0.0, 0.5, 1.0)
    }
    for real, assumed in itertools.product(answers, answers):
        formula = theory.sgd_escape_time(height, top, 1.0, rate, batch_size, share, assumed)
        # Finding 2: exact over formula is the ratio of curvatures to the power by which the conventions differ.
        assert answers[real] / formula == pytest.approx((top / height) ** (assumed - real), rel=1e-3)
        if real != assumed:
            assert answers[real] != pytest.approx(formula, rel=0.2)
    assert theory.escape_time(SDE, well, noise) * 1.0 == pytest.approx(answers[0.0] * rate, rel=1e-3)
    known = theory.prefactor(SGD(rate), well, TwoPieceNoise(batch_size)), theory.action(SGD(rate), well, noise)
    assert known[0] * math.exp(rate * known[1]) == pytest.approx(answers[1.0], rel=1e-3)


def test_the_chain_is_ito_once_its_steps_are_small():
    """SGD over the attributed formula tends to |H_b|/H_a at a fixed exponent, the batch shrinking with the rate."""
    well, ratios = MatchedParabolas(1.0, 2.0, 1.0), []
    end = other_minimum(well)
    for rate in (0.005, 0.00125):
        noise = TwoPieceNoise(6.0 * rate)
        chain = exact.mean_first_passage(SGD(rate), well, noise, Beyond(end), -end)
        ratios.append(float(chain) / theory.escape_time(SGD(rate), well, noise))
    limit = 2.0 * ratios[1] - ratios[0]  # the error falls as the square root of the rate
    assert limit == pytest.approx(0.5, abs=0.01) and abs(ratios[1] - 0.5) < 0.015
    assert limit != pytest.approx(math.sqrt(0.5), rel=0.1)


class Preconditioned(NamedTuple):
    """The force that Adam with v = |H|/B feels on matched parabolas: L'/sqrt(v), piece by piece."""

    well: MatchedParabolas
    batch_size: float


@gradient.on(Preconditioned)
def preconditioned_gradient(landscape, x, j, i):
    return gradient(landscape.well, x, j, i) / math.sqrt(abs(curvature(landscape.well, x, j, i)) / landscape.batch_size)


@curvature.on(Preconditioned)
def preconditioned_curvature(landscape, x, j, i):
    return curvature(landscape.well, x, j, i)


@value.on(Preconditioned)
def preconditioned_value(landscape, x, i):
    return 0.0


@exact.joints.register
def preconditioned_joints(landscape: Preconditioned, line, low):
    return exact.joints(landscape.well, line, low)


@pytest.mark.parametrize(("height", "top"), [(2.0, 1.0), (1.0, 3.0)])
def test_adam_with_the_noises_own_v(height, top):
    """d theta = -L'/sqrt(v) ds + eta^{1/2} dW, s = eta T: constant noise, the formula and its unit exact."""
    well, rate, batch_size = MatchedParabolas(1.0, height, top), 0.02, 0.3
    end = other_minimum(well)
    found = exact.mean_first_passage(SDE, Preconditioned(well, batch_size), ConstantNoise(rate), Beyond(end), -end)
    share = top / (height + top)
    formula = theory.adam_escape_time(height, top, 1.0, rate, batch_size, beta1=0.9, share=share)
    inertia = theory.inertial_bracket(Adam(rate), well, TwoPieceNoise(batch_size))
    assert float(found) / rate == pytest.approx(formula / inertia, rel=1e-3)
    unit = math.sqrt(top / batch_size) / rate
    assert float(found) / rate != pytest.approx(formula / inertia / unit, rel=0.1)
    for part in (theory.action, theory.prefactor):
        found = part(Adam(rate, eps=0.0), well, TwoPieceNoise(batch_size))
        assert getattr(formula, part.__name__) == pytest.approx(found, rel=1e-9)


def test_kramers_against_quadrature():
    """The relative correction is linear in T: extrapolated it vanishes. Half of the prefactor at the top."""
    for end, at_saddle in ((0.0, True), (1.0, False)):
        off = []
        for temperature in (0.04, 0.02):
            noise = ConstantNoise(2.0 * temperature)
            answer = float(exact.mean_first_passage(SDE, WELL, noise, Beyond(end), -1.0))
            off.append(answer / theory.escape_time(SDE, WELL, noise, at_saddle=at_saddle) - 1.0)
        assert abs(2.0 * off[1] - off[0]) < 2e-3 and 1e-3 < abs(off[1]) < 0.05
        # Without sqrt(|det H_b|/det H_a), or without the half, the formula is rejected.
        assert abs((1.0 + off[1]) * math.sqrt(0.5) - 1.0) > 0.2


def test_sgd_with_constant_noise_is_the_middle_convention():
    rate, temperature = 0.0005, 0.1
    noise = ConstantNoise(2.0 * temperature / rate)
    chain = float(exact.mean_first_passage(SGD(rate), WELL, noise, Beyond(1.0), -1.0))
    assert chain == pytest.approx(theory.escape_time(SGD(rate), WELL, noise, convention=0.5), rel=0.1)
    assert chain != pytest.approx(theory.escape_time(SGD(rate), WELL, noise), rel=0.1)
    kramers = theory.escape_time(SDE, WELL, ConstantNoise(2.0 * temperature)) / rate
    assert theory.escape_time(SGD(rate), WELL, noise, convention=0.5) == pytest.approx(kramers, rel=1e-12)


def sharpness_fit(highest, lowest, largest_step, end):
    """A/theory, the free exponent, and by how much the wrong exponent fits worse, from exact chains."""
    noise, spread = FrozenNoise(1.0), highest / lowest
    rate = largest_step / spread / 8.0
    noise = FrozenNoise(highest / theory.action(SGD(rate), WELL, noise))
    factors = np.geomspace(1.0, spread, 7)
    logs = []
    for k in factors:
        root = math.sqrt(k)
        tau = exact.mean_first_passage(SGD(rate), Sharpened(WELL, k), noise, Beyond(end / root), -1.0 / root)
        logs.append(math.log(float(tau)))
    known = np.array(logs) - theory.sharpness_log_prefactor(SGD(rate), WELL, noise, factors)

    def residual(power):
        basis = np.column_stack([factors**-power, np.ones(7)])
        solution, *_ = np.linalg.lstsq(basis, known, rcond=None)
        return solution[0], math.sqrt(np.mean((known - basis @ solution) ** 2))

    powers = np.linspace(0.3, 1.7, 281)
    free = powers[np.argmin([residual(power)[1] for power in powers])]
    return residual(1.0)[0] / highest, free, residual(0.5)[1] / residual(1.0)[1]


def test_finding_one_on_exact_chains():
    at_top, beyond = sharpness_fit(10.0, 4.0, 0.5, 0.0), sharpness_fit(10.0, 4.0, 0.5, 1.0)
    for amplitude, free, worse in (at_top, beyond):
        assert 0.985 < amplitude < 1.005 and free == pytest.approx(0.995, abs=0.006) and worse > 35.0
    # At exponents 2 to 8 with steps up to 1 the wrong model wins.
    _, free, worse = sharpness_fit(8.0, 2.0, 1.0, 0.0)
    assert 0.6 < free < 0.7 and worse < 1.0


# --------------------------------------------------------------------------------------------------------- identities


def test_sharpened_is_another_rate():
    for dynamics in OPTIMIZERS:
        k, power = 2.0, theory.sharpness_exponent(dynamics)
        faster = dynamics._replace(learning_rate=dynamics.learning_rate * k**power)
        for noise in (FrozenNoise(0.5), TwoPieceNoise(0.5)):
            for part in (theory.action, theory.prefactor):
                assert part(dynamics, Sharpened(WELL, k), noise) == pytest.approx(part(faster, WELL, noise), rel=1e-9)
            known = theory.sharpness_log_prefactor(dynamics, WELL, noise, [1.0, k])
            prefactors = [theory.prefactor(dynamics, Sharpened(WELL, factor), noise) for factor in (1.0, k)]
            assert np.diff(known) == pytest.approx(np.diff(np.log(prefactors)), rel=1e-9)
            actions = [theory.action(dynamics, Sharpened(WELL, factor), noise) for factor in (1.0, k)]
            assert actions[1] / actions[0] == pytest.approx(k**-power, rel=1e-9)


def test_momentum_knows_only_the_product_of_its_rates():
    """theta depends on eta beta3 alone. The formula agrees only with the factor gamma M that dimensions ask for."""
    heavy = theory.momentum_escape_time(8.0, 4.0, 2.0, 0.01, 1.0, beta1=0.9, beta3=1.0)
    ema = theory.momentum_escape_time(8.0, 4.0, 2.0, 0.1, 1.0, beta1=0.9, beta3=0.1)
    assert heavy == pytest.approx(ema, rel=1e-12)
    assert heavy / 0.1 != pytest.approx(ema, rel=0.1)


def test_momentum_is_kramers_at_its_own_mass_and_damping():
    rate, beta1, beta3, variance = 0.02, 0.9, 0.4, 5.0
    inertial = Inertial(rate, mass=rate / beta3, damping=(1.0 - beta1) / rate)
    time = theory.escape_time(inertial, WELL, ConstantNoise(rate * variance))
    steps = theory.escape_time(Momentum(rate, beta1, beta3), WELL, ConstantNoise(variance), convention=0.5)
    assert time.action == pytest.approx(steps.action) and time / rate == pytest.approx(steps)


def test_without_memory_or_mass():
    plain = theory.sgd_escape_time(8.0, 4.0, 1.0, 0.02, 1.0, 0.4)
    assert theory.adai_escape_time(8.0, 4.0, 1.0, 0.02, 1.0, 0.1, 0.4) == pytest.approx(
        theory.momentum_escape_time(8.0, 4.0, 1.0, 0.02, 1.0, 0.9, 0.1, 0.4)
    )
    assert theory.adai_escape_time(8.0, 4.0, 1.0, 0.02, 1.0, 1e9, 0.4) == pytest.approx(plain)
    overdamped = theory.kramers_escape_time(8.0, -4.0, 1.0, 0.1)
    light = theory.inertial_kramers_escape_time(8.0, -4.0, 1.0, 0.1, mass=1e-9, damping=1e9)
    assert light == pytest.approx(overdamped, rel=1e-6)


def test_displayed_numbers():
    """Each formula once more, written out."""
    ha, hb, dl, rate, batch, s = 8.0, 4.0, 1.3, 0.05, 1.7, 0.4
    sgd = 2 * math.pi / hb / rate * math.exp(2 * batch * dl / rate * (s / ha + (1 - s) / hb))
    assert theory.sgd_escape_time(ha, hb, dl, rate, batch, s) == pytest.approx(sgd)
    damping, mass = 0.2 / rate, rate / 0.5
    momentum = math.pi * (math.sqrt(1 + 4 * hb / (damping**2 * mass)) + 1) / hb / rate * damping * mass
    momentum *= math.exp(2 * damping * mass * batch * dl / rate * (s / ha + (1 - s) / hb))
    assert theory.momentum_escape_time(ha, hb, dl, rate, batch, 0.8, 0.5, s) == pytest.approx(momentum)
    adam = math.pi * (math.sqrt(1 + 4 * rate * math.sqrt(batch * hb) / 0.2) + 1) * (hb / ha) ** 0.25 / hb
    adam *= math.exp(2 * math.sqrt(batch) * dl / rate * (s / math.sqrt(ha) + (1 - s) / math.sqrt(hb)))
    adam *= math.sqrt(hb / batch) / rate
    assert theory.adam_escape_time(ha, hb, dl, rate, batch, 0.8, s) == pytest.approx(adam)
    hessians = np.diag([8.0, 2.0]), np.diag([-4.0, 3.0])
    kramers = 2 * math.pi / 4.0 * math.sqrt(12.0 / 16.0) * math.exp(dl / 0.2)
    assert theory.kramers_escape_time(*hessians, dl, 0.2) == pytest.approx(kramers)
    turned = [np.array([[0.6, -0.8], [0.8, 0.6]]) @ h @ np.array([[0.6, 0.8], [-0.8, 0.6]]) for h in hessians]
    assert theory.kramers_escape_time(*turned, dl, 0.2) == pytest.approx(kramers)


@pytest.mark.parametrize("dynamics", [*OPTIMIZERS, Inertial(0.1, 1.0, 3.0), SDE], ids=str)
def test_parts_and_halves(dynamics):
    noise = FrozenNoise(40.0 if isinstance(dynamics, (Inertial, Overdamped)) else 1.5)
    tau = theory.escape_time(dynamics, WELL, noise)
    assert tau == pytest.approx(tau.prefactor * math.exp(tau.action), rel=1e-14)
    assert tau.action == theory.action(dynamics, WELL, noise) and tau.prefactor == theory.prefactor(
        dynamics, WELL, noise
    )
    assert theory.escape_time(dynamics, WELL, noise, at_saddle=True) == tau / 2.0
    for twin in (copy.copy(tau), pickle.loads(pickle.dumps(tau))):
        assert twin == tau and twin.action == tau.action


def test_escape_time_too_long_for_a_double():
    tau = theory.escape_time(SGD(1e-4), WELL, FrozenNoise(1.0))
    assert math.isinf(tau) and tau.action == pytest.approx(2500.0) and tau.prefactor == pytest.approx(math.pi / 2e-4)


# ---------------------------------------------------------------------------------------- from records to numbers


def test_noise_in_several_guises():
    batch = 0.7
    frozen = theory.escape_time(SGD(0.02), WELL, FrozenNoise(batch))
    assert frozen == pytest.approx(theory.sgd_escape_time(8.0, 4.0, 1.0, 0.02, batch, share=1.0))
    assert theory.escape_time(SGD(0.02), WELL, ConstantNoise(8.0 / batch)) == pytest.approx(frozen)
    assert theory.escape_time(SGD(0.02), WELL, ScaledNoise(FrozenNoise(1.0), 1.0 / batch)) == pytest.approx(frozen)
    share = (4.0 / 9.0) / 1.0  # L at the inflection point, 1/sqrt 3
    pieces = theory.sgd_escape_time(8.0, 4.0, 1.0, 0.02, batch, share)
    with pytest.warns(theory.ValidityWarning, match="jump of the noise"):  # an exact chain is 2.9 times as fast
        assert theory.escape_time(SGD(0.02), WELL, TwoPieceNoise(batch)) == pytest.approx(pieces, rel=1e-9)
    matched = MatchedParabolas(1.0, 3.0, 1.0)
    met = theory.climb(theory.passage(matched), TwoPieceNoise(batch))
    assert met.share == pytest.approx(1.0 / 4.0) and met.batch_size == pytest.approx(batch)
    for part in (theory.action, theory.prefactor):
        local = part(SGD(0.02), matched, LocalNoise(batch, 0.0))
        assert local == pytest.approx(part(SGD(0.02), matched, TwoPieceNoise(batch)))


def test_several_dimensions():
    valley, tang = Valley(1.0, 1.0, (2.0, 5.0)), StyblinskiTang(2)
    noise = FrozenNoise(1.0)
    for dynamics in OPTIMIZERS:
        dynamics = dynamics._replace(learning_rate=2.0 * dynamics.learning_rate)
        line = theory.escape_time(dynamics, WELL, noise)
        assert theory.escape_time(dynamics, valley, noise) == pytest.approx(line)
        turned = Rotated(Rotated(valley, 0.3, (0, 1)), 0.8, (1, 2))
        if isinstance(dynamics, (Adam, Adai)):  # averages of g^2 are of the turned coordinates
            with pytest.warns(theory.ValidityWarning, match="not along a coordinate"):
                assert theory.escape_time(dynamics, turned, noise) == pytest.approx(line)
            theory.escape_time(dynamics, turned, ConstantNoise(8.0))
        else:
            assert theory.escape_time(dynamics, turned, noise) == pytest.approx(line)
    way = theory.passage(tang)
    low, top, _ = np.sort(np.roots([2.0, 0.0, -16.0, 2.5]))
    heights = [0.5 * (x**4 - 16.0 * x**2 + 5.0 * x) for x in (low, top)]
    assert way.barrier == pytest.approx(heights[1] - heights[0])
    assert way.saddle_curvature == pytest.approx(16.0 - 6.0 * top**2)
    assert way.determinant_ratio == pytest.approx((16.0 - 6.0 * top**2) / (6.0 * low**2 - 16.0))
    assert way.direction == pytest.approx([1.0, 0.0])
    flat = theory.escape_time(SDE, valley, ConstantNoise(0.2))
    assert flat == pytest.approx(theory.kramers_escape_time(np.diag([8, 2, 5]), np.diag([-4, 2, 5]), 1.0, 0.1))


# ---------------------------------------------------------------------------------------------- validity and refusals


@pytest.mark.parametrize(
    ("dynamics", "landscape", "noise", "line"),
    [
        (SGD(0.02), WELL, FrozenNoise(0.1), "action is 1.25"),
        (SGD(0.1), WELL, FrozenNoise(5.0), r"\(omega_a dt\)\^2 is 0.8"),
        (SGD(0.02), WELL, LocalNoise(1.0, 0.01), "changes on the way"),
        (Momentum(0.02, 0.999, 0.001), WELL, FrozenNoise(0.35), "low damping"),
        (Inertial(0.1, 1.0, 0.01), WELL, ConstantNoise(0.002), "low damping"),
    ],
)
def test_warns_outside_validity(dynamics, landscape, noise, line):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theory.escape_time(dynamics, landscape, noise)
    told = [one for one in caught if re.search(line, str(one.message))]
    assert told[0].category is theory.ValidityWarning and told[0].filename == __file__
    theory.action(dynamics, landscape, noise)
    theory.prefactor(dynamics, landscape, noise)


def test_plain_numbers_warn_of_what_they_tell():
    for call in (
        lambda: theory.kramers_escape_time(8.0, -4.0, 1.0, 0.5),
        lambda: theory.adam_escape_time(8.0, 4.0, 1.0, 0.5, 1.0, 0.9),
    ):
        with pytest.warns(theory.ValidityWarning, match="not rare") as caught:
            call()
        assert caught[0].filename == __file__
    with pytest.warns(theory.ValidityWarning, match="step is not small"):
        theory.sgd_escape_time(8.0, 4.0, 10.0, 0.1, 5.0)


def test_warns_of_noise_that_does_not_sharpen():
    with pytest.warns(theory.ValidityWarning, match="does not grow"):
        theory.sharpness_log_prefactor(SGD(0.02), WELL, ConstantNoise(8.0), [1.0, 2.0])
    found = theory.sharpness_log_prefactor(SGD(0.02), WELL, FrozenNoise(1.0), [1.0, 2.0])
    assert found == pytest.approx([0.0, -math.log(2.0)])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: theory.escape_time(SGD(0.1), Quadratic((1.0,)), FrozenNoise(1.0)), "no way out"),
        (lambda: theory.escape_time(SGD(0.1), Saddle((-1.0, 1.0)), FrozenNoise(1.0)), "no well"),
        (lambda: theory.escape_time(SGD(0.1), WELL, ConstantNoise(0.0)), "vanishes"),
        (lambda: theory.escape_time(Adam(0.1), WELL, FrozenNoise(1.0), convention=0.0), "one form only"),
        (lambda: theory.escape_time(SGD(0.1), WELL, FrozenNoise(1.0), convention=2.0), r"in \[0, 1\]"),
        (
            lambda: theory.escape_time(WELL, WELL, FrozenNoise(1.0)),
            "dynamics must be a dynamics record, but DoubleWell",
        ),
        (lambda: theory.sharpness_exponent(SDE), "no sharpness exponent"),
        (lambda: theory.sharpness_log_prefactor(SGD(0.1), WELL, FrozenNoise(1.0), [0.0]), "positive numbers"),
        (lambda: theory.sgd_escape_time(8.0, -4.0, 1.0, 0.1, 1.0), "saddle_curvature must be a positive number"),
        (lambda: theory.sgd_escape_time(8.0, 4.0, 1.0, 0.1, 1.0, share=1.2), "share must be"),
        (lambda: theory.momentum_escape_time(8.0, 4.0, 1.0, 0.1, 1.0, 1.0, 1.0), "beta1"),
        (lambda: theory.kramers_escape_time(8.0, 4.0, 1.0, 0.1), "exactly one negative"),
        (lambda: theory.kramers_escape_time(-8.0, -4.0, 1.0, 0.1), "positive eigenvalues"),
        (lambda: theory.kramers_escape_time(np.eye(2), -4.0, 1.0, 0.1), "one shape"),
        (lambda: theory.kramers_escape_time([1.0, 2.0], [1.0, 2.0], 1.0, 0.1), "square"),
    ],
)
def test_refusals(call, line):
    with pytest.raises(InvalidInput, match=line):
        call()
