"""The checks of `make check-rng` at small sizes: what they read is what the engine uses, sound passes, wrong is refused."""

import math

import numba
import numpy as np
import pytest
from scipy import stats

import simdyn as sd
from checks.random_numbers import battery, laws, power
from checks.random_numbers.__main__ import AGAIN, bits
from checks.random_numbers.external import read
from checks.random_numbers.normals import BLOCK, LANES, Particles, SingleParticles, examine, examine_singles
from checks.random_numbers.streams import ORDERS, UNMIXED, UNSCRAMBLED, VIEWS, Order, Stream
from checks.random_numbers.tails import far_tails
from checks.random_numbers.variates import choices, exponentials, heavy_tails, stable_exceeds
from checks.random_numbers.verdicts import Result, chi_square, is_outside, judge
from simdyn.model.noise import settle
from simdyn.simulate.draws import draw, normals_in
from simdyn.simulate.lanes import (
    CHANCE,
    MOMENTUM,
    PULL,
    STEPS,
    Launch,
    make_lanes,
    put_particles,
)
from simdyn.simulate.variates import stream_bits

DRAWS = 8 * BLOCK  # four million
TWO_VIEWS = ("low and high", "low and high, reversed")
BY_NAME = {order.name: order for order in ORDERS}


def failures(run):
    """Statistics that fail by the check's own rule; run(first) gives results from a particle on."""
    again = {}

    def repeat(result):
        if not again:
            again.update({(r.test, r.data): r.p for r in run(AGAIN)})
        return again[result.test, result.data]

    return [judged for judged in judge(run(0), repeat) if judged.failed]


# --------------------------------------------------------------------------------------- what is read, and how


def test_orders_read_the_engines_streams(seed):
    steps = Stream(Order("", 64, seed=seed)).words(64 * 5).reshape(5, 64)
    for particle in (0, 1, 63):
        np.testing.assert_array_equal(steps[:, particle], stream_bits(seed, particle, 5))
    blocks = Stream(Order("", 1, burst=32, length=32, seed=seed, first=7)).words(96).reshape(3, 32)
    np.testing.assert_array_equal(blocks[2], stream_bits(seed, 9, 32))
    firsts = Stream(Order("", 16, length=1, seed=seed, stride=2**32)).words(48)
    assert firsts[33] == stream_bits(seed, 33 * 2**32, 1)[0]
    seeds = Stream(Order("", 16, length=1, seed=seed, seeds=16)).words(48)
    assert seeds[35] == stream_bits(seed + 3, 2, 1)[0]
    salts = Stream(Order("", 16, length=1, seed=seed, salts=3)).words(48)
    assert [salts[30 + salt] for salt in (STEPS, MOMENTUM, CHANCE)] == [
        stream_bits(seed, 10, 1, salt)[0] for salt in (STEPS, MOMENTUM, CHANCE)
    ]


def test_normals_are_those_of_the_engines_lanes(seed):
    lanes = make_lanes(1, LANES, PULL, 1)
    cargo, normals = lanes.cargo, normals_in(sd.ConstantNoise(1.0), lanes, 1)
    launch = Launch(np.uint64(seed), np.zeros(1), np.zeros((1, 1)), np.zeros(0))
    noise = settle(sd.ConstantNoise(1.0), sd.Quadratic((1.0,)))

    @numba.njit
    def first_steps(cargo, normals, launch, noise):
        put_particles(cargo, cargo.mark.size, 2 * cargo.mark.size, launch)
        for pair in range(3):
            draw(noise, normals, cargo.words, 0, pair, cargo.mark.size)

    first_steps(cargo, normals, launch, noise)
    third = Particles(seed, 2 * LANES).block()[4:6]
    np.testing.assert_array_equal([normals.sine[0], normals.cosine[0]], third)


def test_views():
    words = np.array([0x0123456789ABCDEF, 2**63 + 1], np.uint64)
    seen = {name: list(map(int, view(words))) for name, view in VIEWS.items()}
    assert seen["high"] == [0x01234567, 2**31] and seen["low"] == [0x89ABCDEF, 1]
    assert seen["low and high"] == [0x89ABCDEF, 0x01234567, 1, 2**31]
    assert seen["high, reversed"] == [0xE6A2C480, 1] and seen["low, reversed"] == [0xF7B3D591, 2**31]


def test_what_a_battery_prints_is_read():
    dieharder = "#====#\n  test_name |ntup| tsamples |psamples|  p-value |A\n sts_runs|  2|    1000|    100|0.66645361| PASSED \n"
    assert read(dieharder) == [("sts_runs 2", 0.66645361)]
    assert read("All tests were passed\n0.25\tMaxOft AD\n1e-300\tGap\n") == [("MaxOft AD", 0.25), ("Gap", 1e-300)]


# ------------------------------------------------------------------------------------------- rule and laws


@pytest.mark.parametrize(
    ("p", "again", "failed"),
    [
        (0.5, None, False),
        (2e-4, None, False),
        (1e-5, 0.3, False),
        (1e-5, 5e-5, True),
        (1e-5, 1.0 - 5e-5, False),  # the other side
        (1.0 - 1e-5, 1.0 - 1e-6, True),
        (1e-11, 0.5, True),
        (1.0, 0.5, True),
        (math.nan, 0.5, True),
    ],
)
def test_the_rule(p, again, failed):
    (judged,) = judge([Result("", "", p)], lambda result: again)
    assert judged.failed == failed and judged.again == again


def test_p_values_are_uniform(seed):
    """Pearson's with cells put together, over samples of the law itself and of one that is off."""
    rng = np.random.default_rng(seed)
    chances = 0.5 ** np.arange(1, 21)
    chances[-1] *= 2.0
    off = chances * np.where(np.arange(20) < 2, 1.02, 0.94)
    sound = [chi_square(rng.multinomial(5000, chances), chances) for _ in range(2000)]
    wrong = [chi_square(rng.multinomial(50000, off), chances) for _ in range(20)]
    assert stats.kstest(sound, "uniform").pvalue > 1e-5 and max(wrong) < 1e-4


def test_tails_and_moments_are_those_of_the_quantised_law():
    """Against the law with fewer bits, where all can be summed: what a cut at 2^-32 takes away is known exactly."""
    w = laws.squared_radii(2**31 // 2**12)  # U up to 2^-12
    angles = np.sin(np.pi * (np.arange(4000) + 0.5) / 4000 - np.pi / 2)
    direct = np.mean([np.mean(math.sqrt(square) * angles > 5.5) for square in w[:700]]) * 700 * 2.0**-31
    assert laws.tail(5.5) == pytest.approx(direct, rel=2e-3)
    assert laws.tail(5.5) == pytest.approx(stats.norm.sf(5.5), rel=1e-4) and laws.tail(6.7) == 0.0
    for order in (2, 4, 6, 8):
        assert laws.moment(order) == pytest.approx(laws.normal_moment(order), rel=4e-7)
        assert laws.moment(order) < laws.normal_moment(order)


def test_ranks_and_stable_laws():
    rows = np.eye(64, dtype=np.uint64) @ (np.uint64(1) << np.arange(64, dtype=np.uint64))[:, None]
    assert battery._rank(rows.copy()) == 64
    rows[5] = rows[7] ^ rows[9]
    assert battery._rank(rows.copy()) == 63
    assert battery.rank_chances(64)[:3] == pytest.approx([0.2888, 0.5776, 0.1284], abs=1e-4)
    x = np.array([1e-3, 0.3, 1.0, 3.0])
    np.testing.assert_allclose(stable_exceeds(x, 2.0), stats.norm.sf(x / math.sqrt(2.0)), rtol=1e-12)
    np.testing.assert_allclose(stable_exceeds(x, 1.0 + 1e-5), stats.cauchy.sf(x), rtol=1e-4)


# ----------------------------------------------------------------------------------------- sound, and wrong


@pytest.mark.parametrize("name", ["4096 particles, step by step", "first word of every particle"])
def test_the_engines_bits_pass(name, seed):
    order = BY_NAME[name]._replace(seed=seed)
    assert not failures(lambda first: bits(order._replace(first=first), 1, TWO_VIEWS))


def test_the_engines_normals_pass(seed):
    assert not failures(lambda first: examine(seed, DRAWS, first, workers=2))
    assert not failures(lambda first: examine_singles(seed, DRAWS, first, workers=2))


def test_singles_are_those_of_the_engine(seed):
    """The same as the doubles of the same particles, but for rounding, which shows next to the centre alone."""
    found, double = SingleParticles(seed, 7).block(), Particles(seed, 7).block()
    outside = np.hypot(double[::2], double[1::2]).repeat(2, axis=0) > 0.05
    assert np.abs(found - double)[outside].max() < 5e-5


def test_the_other_variates_pass(seed):
    assert not failures(
        lambda first: [r for run in (heavy_tails, exponentials, choices) for r in run(seed, BLOCK, first)]
    )


def test_far_tails_pass_and_those_that_end_are_refused(seed):
    assert not failures(lambda first: far_tails(seed, 2**18, first))
    assert sum(is_outside(result.p, 1e-10) for result in far_tails(seed, 2**18, cut=True)) >= 4


def test_a_linear_generator_is_refused(seed):
    found = bits(BY_NAME["one particle, all steps"]._replace(seed=seed), 1, TWO_VIEWS, UNSCRAMBLED)
    ranks = [result.p for result in found if result.test == "ranks of 320 first bits"]
    assert max(ranks) < 1e-10


def test_seeding_without_mixing_is_refused(seed):
    found = bits(BY_NAME["first word of every particle"]._replace(seed=seed), 1, TWO_VIEWS, UNMIXED)
    assert np.median([result.p for result in found]) < 1e-10


def test_deliberate_errors_of_normals_are_refused(seed):
    """The first of ten standard errors of what should see them: at the check's sizes 4e-4, at the long one's 1e-4."""
    width = 10.0 / math.sqrt(2 * DRAWS)
    assert power.refusal("", power.scaled(1.0 + width, DRAWS, seed)).worst.test == "mean of z^2"
    worst = power.refusal("", power.correlated(10.0 / math.sqrt(DRAWS / 2), DRAWS, seed)).worst
    assert worst.test == "correlation of z with z" and worst.p < 1e-8
    copies = power.refusal("", power.copied(int(math.sqrt(DRAWS) / 10), DRAWS, seed))
    assert copies.suspicious >= 2

    def refused(damage):
        return {(r.test, r.data) for r in examine(seed, DRAWS, damage=damage) if is_outside(r.p, 1e-8)}

    remembered = refused(lambda z: z + 0.01 * np.roll(z, 5, axis=0))
    assert ("correlation of z at lag 5", "along a particle") in remembered
    turned = refused(
        lambda z: np.where(np.arange(len(z))[:, None] % 2, z * (1.0 + 0.2 * (z[::2].repeat(2, axis=0) > 0)), z)
    )
    assert ("angle uniform", "angle and radius") in turned and ("angle and radius", "angle and radius") in turned
    cut = refused(lambda z: np.clip(z, -3.0, 3.0))
    assert {("share above 4", "normals one by one"), ("share below -4", "normals one by one")} <= cut
