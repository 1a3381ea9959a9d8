"""What the formulas state of themselves: without a warning, an escape time within `STATED_FACTOR`, a rate within its error."""

import math
import warnings

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.theory import escape_validity, left_out

WELL, VALLEY = sd.DoubleWell(1.0, 1.0), sd.Valley(1.0, 1.0, (2.0, 5.0))
FLAT, STEEP = sd.MatchedParabolas(1.0, 6.1, 3.8), sd.MatchedParabolas(1.0, 2.2, 5.4)
TANG = sd.StyblinskiTang(1)
#: Of about two hundred settings drawn at random, actions from 4 to 8, those without a warning that were farthest off, and
#: some that lie near by, with `exact`'s answers to a point 0.95 of the way beyond the saddle. Those of the quick methods
#: are found anew.
EXACT = [
    (sd.SGD(0.03), sd.MatchedParabolas(1.0, 5.0, 4.0), sd.TwoPieceNoise(0.6), 334467),
    (sd.SGD(0.011), TANG, sd.ConstantNoise(978.0), 36039),
    (sd.SGD(0.018), sd.MatchedParabolas(1.0, 2.75, 4.07), sd.TwoPieceNoise(0.155), 29273.7),
    (sd.Momentum(0.02, 0.9, 0.1), WELL, sd.FrozenNoise(0.5), 45100.2),
    (sd.Momentum(0.059, 0.9, 1.0), FLAT, sd.FrozenNoise(12.5), 8565.92),
    (sd.Momentum(0.024, 0.9, 0.1), STEEP, sd.ConstantNoise(10.65), 325012),
    (sd.Adai(0.118, 0.2), WELL, sd.FrozenNoise(2.3), 2370.21),
    (sd.Adai(0.035, 0.072), sd.Sharpened(WELL, 2.2), sd.FrozenNoise(2.45), 105278),
    (sd.Overdamped(0.01), TANG, sd.ConstantNoise(16.6), 35.2529),
    (sd.Overdamped(0.01), FLAT, sd.TwoPieceNoise(20.0), 8402.78),
]
#: Means over 300 to 1500 particles from rest, errors of 3 to 6 %, to 0.95 of the way beyond the saddle.
SIMULATED = [
    (sd.Adam(0.1, 0.9, 0.99), WELL, 1.0, 1.2e5),
    (sd.Adam(0.1, 0.9, 0.99, 1.0), WELL, 0.7, 2.28e5),
    (sd.Adam(0.1, 0.9, 0.99, 1.0, True), WELL, 0.7, 4.51e4),
    (sd.AdamW(0.1, weight_decay=0.0), WELL, 1.0, 1.09e5),
    (sd.RMSProp(0.06, 0.95), WELL, 0.5, 4.32e5),
    (sd.RAdam(0.1, rest_before=True), WELL, 1.0, 1.09e5),
    (sd.Padam(0.05, keep_highest=False), WELL, 1.0, 3.61e4),
    (sd.SignSGD(0.05, 0.5), WELL, 1.0, 2.96e5),
    (sd.AdaiV2(0.04), VALLEY, 1.0, 2.24e4),
]
#: The same where a warning is due, and the formula is farther off than stated.
WARNED = [
    (sd.Adam(0.1, 0.9, 0.5), WELL, 1.0, 8.96e3),
    (sd.AMSGrad(0.12, beta2=0.95), WELL, 1.0, 2.27e6),
    (sd.AMSGrad(0.12, corrected_first=True), WELL, 1.0, 6.27e5),
]
#: The same where noise jumps on the way: exact answers of SGD and Overdamped, simulated or estimated ones of the others,
#: each with the item that says why. The second is off by 2.57, which is more than 2.5 and less than 3.
JUMPS = [
    (sd.SGD(0.04), sd.MatchedParabolas(1.0, 8.0, 4.0), 1.0, 240668, "steps across the jump of the noise"),
    (sd.SGD(0.02), WELL, 0.5, 509964, "steps across the jump of the noise"),
    (sd.Overdamped(0.01), sd.MatchedParabolas(3.0, 1.0, 60.0), 1.4819, 10274, "a finite barrier"),
    (sd.Overdamped(0.01), sd.MatchedParabolas(1.0, 1.0, 60.0), 3.1, 844.6, "a finite barrier"),
    (sd.RMSProp(0.1, 0.99), sd.MatchedParabolas(1.0, 4.0, 1.0), 0.2, 3.8e7, "v holds the noise from before"),
    (sd.Yogi(0.1196, 0.9, 0.99), sd.MatchedParabolas(1.0, 4.0, 1.0), 0.04535, 3.44e5, "v holds the noise from before"),
    (sd.RMSProp(0.2212, 0.9), sd.MatchedParabolas(3.0, 4.0, 1.0), 0.05459, 1.13e5, "v holds the noise from before"),
]


def told(dynamics, landscape, noise):
    """The formula's time, and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return theory.escape_time(dynamics, landscape, noise), [str(one.message) for one in caught]


def passage_time(dynamics, landscape, noise):
    start, top = (float(point(landscape)[0]) for point in (sd.minimum, sd.saddle))
    end = sd.Beyond(top + 0.95 * (top - start))
    return float(exact.mean_first_passage(dynamics, landscape, noise, end, sd.minimum(landscape)))


def test_within_the_stated_factor_and_error_of_exact_answers():
    for *setting, truth in EXACT:
        if isinstance(setting[0], (sd.SGD, sd.Overdamped)):
            assert passage_time(*setting) == pytest.approx(truth, rel=1e-5)
        found, warned = told(*setting)
        assert not warned and abs(math.log(found / truth)) < math.log(theory.STATED_FACTOR), (setting, found / truth)
        if isinstance(setting[2], sd.TwoPieceNoise):  # it changes on the way: there is no rate
            continue
        rate = theory.rate(*setting)
        assert abs(rate.value - 1.0 / truth) < rate.error, (setting, rate)


def test_simulated_means():
    for dynamics, landscape, batch_size, mean in SIMULATED:
        found, warned = told(dynamics, landscape, sd.FrozenNoise(batch_size))
        assert not warned and abs(math.log(found / mean)) < math.log(theory.STATED_FACTOR) - 0.06, dynamics
    for dynamics, landscape, batch_size, mean in WARNED:
        found, warned = told(dynamics, landscape, sd.FrozenNoise(batch_size))
        assert warned and abs(math.log(found / mean)) > math.log(theory.STATED_FACTOR), dynamics
        with pytest.warns(theory.ValidityWarning, match="may change by a factor"):
            theory.rate(dynamics, landscape, sd.FrozenNoise(batch_size))


def test_inertia_between_two_noises():
    """Farther off than `exact`'s answers than stated, and said so: on an orbit the saddle's noise hardly counts."""
    for dynamics, batch_size, truth in (
        (sd.Momentum(0.0237, 0.9, 1.0), 4.15, 2004.85),
        (sd.Momentum(0.02, 0.5, 0.5), 0.5, 474359.0),
    ):
        found, warned = told(dynamics, WELL, sd.TwoPieceNoise(batch_size))
        assert any("inertia between two noises" in line for line in warned)
        assert found / truth > theory.STATED_FACTOR


def test_noise_that_jumps_on_the_way():
    """Farther off than a factor of 2.5, and said so by the item that is to blame."""
    for dynamics, landscape, batch_size, truth, item in JUMPS:
        noise = sd.TwoPieceNoise(batch_size)
        if isinstance(dynamics, (sd.SGD, sd.Overdamped)):
            assert passage_time(dynamics, landscape, noise) == pytest.approx(truth, rel=1e-3)
        found, warned = told(dynamics, landscape, noise)
        assert any(item in line for line in warned), (dynamics, warned)
        assert abs(math.log(found / truth)) > math.log(left_out.LARGEST_FACTOR), (dynamics, found / truth)


def test_a_finite_barrier_between_two_temperatures():
    """Where noise jumps within the cap, its integral at the temperature of each place is what the formula is off by."""
    for curvature in (8.0, 30.0, 200.0):
        landscape, noise = sd.MatchedParabolas(1.0, 1.0, curvature), sd.TwoPieceNoise(3.1)
        dynamics, way = sd.Overdamped(0.001), theory.passage(landscape)
        met, found = theory.climb(way, noise), told(dynamics, landscape, noise)[0]
        method = escape_validity.as_effective(dynamics, met)
        items = escape_validity.left_out(dynamics, method, way, noise, met, found, 0.0, None, 1.0)
        off = math.log(found / passage_time(dynamics, landscape, noise))
        assert items["a finite barrier"] == pytest.approx(off, abs=0.05), curvature


def test_noise_too_small_to_resolve_is_answered():
    for variance in (1e-8, 1e-300):
        assert math.isinf(told(sd.SGD(0.01), WELL, sd.ConstantNoise(variance))[0])


def test_adam_where_eps_decides():
    """Adam's chain in (theta, m, v) at eps = 0.5, 6878 +- 31: with eps the formula is within its factor, without it not."""
    adam, noise, chain = sd.Adam(0.15, 0.0, 0.9, 0.5), sd.FrozenNoise(1.0), 6878.0
    for eps in (0.5, 0.0):
        found, _ = told(adam._replace(eps=eps), WELL, noise)
        within = abs(math.log(found.halved() / chain)) < math.log(theory.STATED_FACTOR)
        assert within == (eps > 0.0), (eps, found.halved() / chain)
    rate = theory.rate(adam, WELL, noise)
    assert abs(rate.value - 0.5 / chain) < rate.error and rate.valid


def test_eps_is_sgd_where_it_dominates():
    """eps far above v^{1/2}: every formula is SGD's, or Momentum's, at the rate eta/eps."""
    noise = sd.FrozenNoise(1.0)
    for large, plain in (
        (sd.Adam(3e5, 0.9, eps=1e7), sd.Momentum(0.03, 0.9, 0.1)),
        (sd.Adam(3e5, 0.9, eps=1e14, eps_inside_root=True), sd.Momentum(0.03, 0.9, 0.1)),
        (sd.RMSProp(3e5, eps=1e7), sd.SGD(0.03)),
        (sd.Padam(0.03 * 1e7**0.25, eps=1e7), sd.Momentum(0.03, 0.9, 0.1)),
        (sd.Yogi(3e5, eps=1e7), sd.Momentum(0.03, 0.9, 0.1)),
    ):
        for part in (theory.action, theory.prefactor, theory.inertial_bracket):
            assert part(large, WELL, noise) == pytest.approx(part(plain, WELL, noise), rel=1e-5), (large, part)
        cases = [theory.problem(one, WELL, noise).equation for one in (large, plain)]
        assert cases[0].temperature / cases[0].drag == pytest.approx(cases[1].temperature / cases[1].drag, rel=1e-5)
    steps, saddle = [300, 2000], sd.Saddle((-1e-3, 2e-3))
    found = theory.mean_squared_displacement(sd.Adam(1e3, 0.9, eps=1e7), saddle, noise, steps)
    plain = theory.mean_squared_displacement(sd.Momentum(1e-4, 0.9, 0.1), saddle, noise, steps)
    assert found == pytest.approx(plain, rel=1e-5)


def test_sharpness_knows_eps():
    """`unsharpened` is exact with eps, too; the power law is not, and says so."""
    adam = sd.Adam(0.1, eps=2.0)
    for inside in (False, True):
        method, noise = adam._replace(eps_inside_root=inside), sd.FrozenNoise(1.0)
        for part in (theory.action, theory.prefactor):
            sharp = part(method, sd.Sharpened(WELL, 2.0), noise)
            assert sharp == pytest.approx(part(theory.unsharpened(method, 2.0), WELL, noise), rel=1e-9)
        with pytest.warns(theory.ValidityWarning, match="off the power law"):
            theory.sharpness_log_prefactor(method, WELL, noise, [1.0, 2.0])


def test_what_a_fluctuating_v_changes(seed):
    """E[v^-q] of simulated averages against the gamma law, and Yogi's variance against its linear answer."""
    random = np.random.default_rng((seed, 31))
    beta2, v, yogi, samples, rested = 0.9, np.ones(4000), np.full(4000, 2.366), [], []
    for n in range(1200):
        g = random.normal(size=4000) ** 2
        v += (1.0 - beta2) * (g - v)
        yogi -= 0.02 * np.sign(yogi - g) * g
        if n >= 600 and n % 100 == 0:
            samples.append(np.mean(v**-0.5))
            rested.append(np.var(yogi) / np.mean(yogi) ** 2)
    spread = left_out.spread_of_v(sd.Adam(0.1, beta2=beta2))
    assert np.mean(samples) == pytest.approx(left_out.mean_inverse(spread, 0.5), rel=0.01)
    assert np.mean(rested) == pytest.approx(left_out.spread_of_v(sd.Yogi(0.1, beta2=0.98)), rel=0.1)
    assert math.isinf(left_out.mean_inverse(left_out.spread_of_v(sd.Adam(0.1, beta2=0.0)), 0.5))


def test_items_are_named():
    """Each setting that a formula takes for granted shows in the item that is its own."""
    noise = sd.FrozenNoise(1.0)

    def items(dynamics, landscape=WELL):
        way = theory.passage(landscape)
        met = theory.climb(way, noise)
        found = told(dynamics, landscape, noise)[0]
        method = escape_validity.as_effective(dynamics, met)
        return escape_validity.left_out(dynamics, method, way, noise, met, found, 0.1, None, 1.0)

    assert (
        items(sd.Adam(0.1, beta2=0.5))["v fluctuates (beta2)"]
        > 3.0 * items(sd.Adam(0.1, beta2=0.9))["v fluctuates (beta2)"]
    )
    assert items(sd.RMSProp(0.1))["first steps from rest"] > 0.3 > items(sd.Adam(0.1)).get("first steps from rest", 0.0)
    assert items(sd.AMSGrad(0.1))["v_max exceeds the noise (beta2)"] == pytest.approx(
        theory.action(sd.AMSGrad(0.1), WELL, noise)
        * (math.sqrt(theory.highest_average(0.999, float(told(sd.AMSGrad(0.1), WELL, noise)[0]))) - 1.0)
    )
    assert items(sd.AdamW(0.1, weight_decay=0.1))["weight decay as friction"] == pytest.approx(0.607, abs=1e-3)
    # SGD with noise of one size: Kramers' prefactor is (|H_b|/H_a)^{1/2} times the attributed one.
    assert items(sd.SGD(0.04))["prefactor for this noise"] == pytest.approx(-0.5 * math.log(2.0))
