"""Noise that is not Gaussian: the law of the variates, what the engine does with them, and who must refuse them."""

import json
import math
import re
import warnings

import naive
import numba
import numpy as np
import pytest
from scipy import integrate, special, stats

import simdyn as sd
from checks.random_numbers import tails, variates
from simdyn import exact, theory
from simdyn.simulate.moments import displacement_index, unknown_moments
from simdyn.simulate.rng import advanced, last_bits, next_bits, stream_word
from simdyn.simulate.setup import prepare
from simdyn.simulate.variates import odd_fraction, stable_variate, stream_bits, student_variate

DRAWS = 10**6
FLAT = sd.Saddle((0.0,))


@numba.njit
def students(bits, degrees):
    found = np.empty(bits.size)
    for n in range(bits.size):
        found[n] = student_variate(odd_fraction(bits[n] >> np.uint64(32)), bits[n], degrees)
    return found


@numba.njit
def stables(bits, alpha):
    found = np.empty(bits.size)
    for n in range(bits.size):
        found[n] = stable_variate(bits[n], alpha)
    return found


@pytest.fixture(scope="module")
def bits(seed):
    return stream_bits(seed, 5, DRAWS)


def stable_exceeds(x, alpha):
    """P(X > x) of the standard symmetric law, x > 0, by Zolotarev's integral of one smooth positive function."""
    power = alpha / (alpha - 1.0)

    def height(v):
        shape = (math.cos(v) / math.sin(alpha * v)) ** power * math.cos((alpha - 1.0) * v) / math.cos(v)
        return math.exp(-min(x**power * shape, 700.0))

    area = integrate.quad(height, 0.0, math.pi / 2.0, limit=200, epsabs=1e-12)[0] / math.pi
    return area if alpha > 1.0 else 0.5 - area


def off_the_law(sample, exceeds, places):
    """Largest deviation of P(X > x) and P(X < -x), in standard errors, over the places."""
    worst = 0.0
    for x in places:
        share = exceeds(x)
        error = math.sqrt(share * (1.0 - share) / sample.size)
        worst = max(worst, abs(np.mean(sample > x) - share) / error, abs(np.mean(sample < -x) - share) / error)
    return worst


PLACES = (0.1, 0.3, 1.0, 2.0, 4.0, 10.0, 30.0, 100.0)


@pytest.mark.parametrize("degrees", [2.1, 3.0, 8.0, 1e6])
def test_students_law(bits, degrees):
    sample = students(bits, degrees)
    law = stats.t(degrees)
    assert stats.kstest(sample, law.cdf).pvalue > 5.7e-7
    assert off_the_law(sample, law.sf, [x for x in PLACES if law.sf(x) * DRAWS > 30]) < 5
    assert off_the_law(1.02 * sample, law.sf, [0.3, 1.0, 2.0]) > 5  # a law two percent too wide is seen
    other = stats.t(0.8 * degrees if degrees < 100 else 20.0)
    assert off_the_law(sample, other.sf, [x for x in PLACES if other.sf(x) * DRAWS > 30]) > 5


@pytest.mark.parametrize("alpha", [0.5, 0.9, 1.2, 1.5, 1.9])
def test_stable_law(bits, alpha):
    sample = stables(bits, alpha)
    places = [x for x in PLACES if stable_exceeds(x, alpha) * DRAWS > 30]
    assert off_the_law(sample, lambda x: stable_exceeds(x, alpha), places) < 5
    for damaged in (1.03 * sample, np.clip(sample, -3.0, 3.0)):
        assert off_the_law(damaged, lambda x: stable_exceeds(x, alpha), places) > 5
    assert off_the_law(stables(bits, 1.05 * alpha), lambda x: stable_exceeds(x, alpha), places) > 5


def test_the_law_of_reference_is_scipys():
    for alpha, x in ((0.9, 0.3), (1.5, 1.0), (1.5, 10.0), (1.9, 2.0)):
        assert stable_exceeds(x, alpha) == pytest.approx(stats.levy_stable.sf(x, alpha, 0.0), rel=1e-6)


NORMAL = stats.norm(scale=math.sqrt(2.0))


@pytest.mark.parametrize(("alpha", "law"), [(1.0, stats.cauchy), (2.0, NORMAL), (2.0 - 1e-9, NORMAL)])
def test_stable_law_where_it_has_a_name(bits, alpha, law):
    sample = stables(bits, alpha)
    assert stats.kstest(sample, law.cdf).pvalue > 5.7e-7
    assert stats.kstest(1.02 * sample, law.cdf).pvalue < 5.7e-7


def test_variates_of_every_word_are_numbers():
    ends = [0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
    corners = np.array([(high << 32) | low for high in ends for low in ends], dtype=np.uint64)
    number = np.arange(corners.size, dtype=np.uint64)  # 0: zeros without end
    for following in (number, tails.turned(corners)):  # any word, and one of zeros
        states = tails.states_before(corners, following, number)
        for alpha in (0.1, 0.5, 1.0, 1.5, 2.0 - 1e-15):
            assert np.all(np.isfinite(tails.sizes(variates.stables, states.copy(), alpha)))
        for degrees in (2.001, 3.0, 1e6):
            assert np.all(np.isfinite(tails.sizes(variates.students, states.copy(), degrees)))


def test_the_last_word_is_known(seed):
    @numba.njit
    def twice(s):
        return [(next_bits(s[0], s[1], s[2], s[3], i), last_bits(s[0], s[1], s[2], s[3], i)) for i in range(s.shape[1])]

    drawn = twice(np.random.default_rng(seed).integers(0, 2**64, (4, 100), dtype=np.uint64))
    assert all(given == last for given, last in drawn) and len(set(drawn)) == 100


def test_variates_against_the_formulas_in_numpy(bits):
    some = bits[: 10**4]
    high, low = some >> np.uint64(32), some & np.uint64(0xFFFFFFFF)
    u, angle = ((half | np.uint64(1)).astype(float) / 2.0**32 for half in (high, low))
    v, w, sign = math.pi / 2 * angle, -np.log(u), np.where(high & np.uint64(1), -1.0, 1.0)
    for alpha in (0.3, 1.5):
        ratio = np.cos((1 - alpha) * v) / (w * np.cos(v))
        expected = sign * np.sin(alpha * v) / np.cos(v) * ratio ** ((1 - alpha) / alpha)
        # logarithm 1.5e-7, and 1.9e-12 at least, to the power (1 - alpha)/alpha, a handful of sines at 6e-9, and a power
        allowed = (1.51e-7 + 2e-12 / w) * abs(1 / alpha - 1) + 3e-8 * max(1, 1 / alpha)
        assert np.all(np.abs(stables(some, alpha) / expected - 1) < allowed)
    turn = math.pi / 2 * ((low.astype(np.int64) - 2**32 * (low >= 2**31)) / 2.0**31)
    radius = np.sqrt(3.0 * np.expm1(-2 / 3.0 * np.log(u)))
    found = students(some, 3.0) / radius
    np.testing.assert_allclose(found, sign * np.cos(turn), rtol=1.51e-7, atol=4.7e-8)


# ---------------------------------------------------------------------------------------------------- the engine

WELL = sd.MatchedParabolas(1.0, 4.0, 4.0)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))
SUM = sd.FiniteSum(sd.DoubleWell(), (-0.3, 0.1, 0.25, -0.05), (1.0, 0.8, 1.3, 0.9))
NOISES = {
    "student": (VALLEY, sd.StudentNoise((2.0, 1.0, 0.5), 4.0), (-0.9, 0.0, 0.0)),
    "stable": (WELL, sd.StableNoise(0.5, 1.5), -1.0),
    "scaled student": (WELL, sd.ScaledNoise(sd.StudentNoise(2.0, 3.0), 0.25), -1.0),
    "batch": (SUM, sd.MiniBatch(2), -1.0),
    "batch, once each": (sd.Sharpened(SUM, 1.5), sd.MiniBatch(3, replacement=False), -0.8),
    "stable, rotated": (
        sd.Rotated(sd.Saddle((0.5, 0.2))), sd.StableNoise((0.5, 0.1), 1.2), (0.1, 0.2)
    ),
}  # fmt: skip


def spread(name, seed, workers=1, lanes=64):
    landscape, noise, start = NOISES[name]
    return sd.displacement(
        sd.SGD(0.05), landscape, noise, start, particles=200, record_at=[1, 2, 33], seed=seed, workers=workers, lanes=lanes
    ).mean  # fmt: skip


def escape(name, seed, workers=1, lanes=64):
    landscape, noise, start = NOISES[name]
    return sd.escape_times(
        sd.SGD(0.05), landscape, noise, sd.Beyond(-0.3), start, particles=150, max_steps=301, seed=seed,
        workers=workers, lanes=lanes,
    ).steps  # fmt: skip


@pytest.mark.filterwarnings("ignore::simdyn.simulate.results.HeavyTailWarning")
@pytest.mark.parametrize(
    ("ask", "name"), [*((spread, name) for name in NOISES), (escape, "stable"), (escape, "batch, once each")]
)
def test_the_same_for_any_lanes_and_workers(ask, name, seed):
    first = ask(name, seed)
    assert np.all(first != 0)
    for workers, lanes in ((3, 32), (2, 256)):
        np.testing.assert_array_equal(ask(name, seed, workers, lanes), first)


UNCOMPILED = """
import json, sys
import test_heavy_noise as here
seed, close = json.loads(sys.argv[1])
found = {name: here.paths(name, seed) for name in here.NOISES}
found |= {name: here.close_paths(name, seed, particles) for name, particles in close.items()}
print(json.dumps({name: path.tolist() for name, path in found.items()}))
"""


def paths(name, seed):
    landscape, noise, start = NOISES[name]
    return sd.trajectories(sd.SGD(0.05), landscape, noise, start, particles=3, record_at=[1, 2, 3, 20], seed=seed)


def test_the_same_without_the_compiler(run_python, close, seed):
    some = {name: particles[:3] for name, particles in close.items()}
    found = json.loads(run_python(UNCOMPILED, json.dumps([seed, some]), NUMBA_DISABLE_JIT="1"))
    for name, plain in found.items():
        expected = paths(name, seed) if name in NOISES else close_paths(name, seed, some[name])
        np.testing.assert_allclose(plain, expected, rtol=1e-9, atol=1e-12, err_msg=name)


# Particles whose first word is so close to the end of a tail that further ones are drawn.

MANY = 2**22  # of which eight, or sixteen, are such
CLOSE = {  # noise of deviation 1; the naive variate; which words; the words' own variates
    "close student": (sd.ScaledNoise(sd.StudentNoise(12.0, 3.0), 0.25), lambda words: naive.student(words, 3.0),
                      lambda words: words < 2**45, lambda words: students(words, 3.0)),
    "close stable": (sd.StableNoise(1.0, 1.5), lambda words: naive.stable(words, 1.5),
                     lambda words: np.maximum(words, words << np.uint64(32)) >= 2**64 - 2**45, lambda words: stables(words, 1.5)),
}  # fmt: skip


@numba.njit
def fill_first_words(seed, words):
    for n in range(words.size):
        a, b, c, d = [stream_word(seed, np.uint64(n), np.uint64(0), np.uint64(k)) for k in range(4)]
        words[n] = advanced(a, b, c, d)[0]


@pytest.fixture(scope="module")
def first_words(seed):
    words = np.empty(MANY, np.uint64)
    fill_first_words(np.uint64(seed), words)
    assert words[7] == stream_bits(seed, 7, 1)[0]
    return words


@pytest.fixture(scope="module")
def close(first_words):
    return {name: np.flatnonzero(is_close(first_words)).tolist() for name, (_, _, is_close, _) in CLOSE.items()}


def close_paths(name, seed, particles):
    return sd.trajectories(sd.SGD(0.05), WELL, CLOSE[name][0], -1.0, particles, record_at=range(5), seed=seed)


def naive_close_paths(name, seed, particles):
    found = []
    for particle in particles:
        words = iter(map(int, stream_bits(seed, particle, 16)))
        kicks = [[CLOSE[name][1](words)] for _ in range(4)]
        found.append(naive.sgd(lambda x: sd.gradient_at(WELL, x), lambda x, z: np.array(z), [-1.0], kicks, 0.05))
    return np.array(found)


@pytest.mark.parametrize("name", CLOSE)
@pytest.mark.filterwarnings("ignore::simdyn.simulate.results.HeavyTailWarning")
def test_tails_in_the_engine_are_the_naive_ones(name, close, first_words, seed):
    noise, _, _, own = CLOSE[name]
    expected = naive_close_paths(name, seed, close[name])
    np.testing.assert_allclose(close_paths(name, seed, close[name]), expected, rtol=1e-6)
    first_steps = -0.05 * own(first_words)
    first_steps[close[name]] = expected[:, 1, 0] + 1.0
    largest = np.abs(expected[:, 1, 0] + 1.0).max()
    sums = [
        MANY * sd.displacement(sd.SGD(0.05), WELL, noise, -1.0, MANY, [1, 2], seed, workers, lanes=lanes).mean
        for workers, lanes in ((1, 1024), (2, 64))
    ]
    np.testing.assert_array_equal(*sums)
    assert sums[0][0, 0] == pytest.approx(first_steps.sum(), abs=1e-3 * largest)


def test_tails_in_an_escape(close, first_words, seed):
    noise, _, _, own = CLOSE["close stable"]
    first_steps = -0.05 * own(first_words)
    first_steps[close["close stable"]] = naive_close_paths("close stable", seed, close["close stable"])[:, 1, 0] + 1.0
    far = 0.9 * first_steps.max()
    for workers, lanes in ((1, 1024), (2, 64)):
        found = sd.escape_times(
            sd.SGD(0.05),
            WELL,
            noise,
            sd.Beyond(far - 1.0),
            -1.0,
            MANY,
            max_steps=1,
            seed=seed,
            workers=workers,
            lanes=lanes,
        )
        np.testing.assert_array_equal(found.censored, first_steps < far)


def test_the_order_of_use_of_a_stream(seed):
    """Coordinate by coordinate, the draws of the first and second step of the pair: one per step."""
    noise = sd.StableNoise((1.0, 0.5), 1.5)
    path = sd.trajectories(sd.SGD(1.0), sd.Saddle((0.0, 0.0)), noise, 0.0, particles=[7], record_at=range(5), seed=seed)
    draws = stables(stream_bits(seed, 7, 8), 1.5).reshape(2, 2, 2).transpose(0, 2, 1).reshape(4, 2)
    np.testing.assert_allclose(np.diff(path[0], axis=0), -draws * [1.0, 0.5], rtol=1e-9, atol=1e-12)


def test_at_alpha_two_it_is_gaussian(seed):
    stable, gauss = sd.StableNoise(0.6, 2.0), sd.ConstantNoise(2 * 0.36)
    found = [sd.trajectories(sd.SGD(0.1), WELL, noise, -1.0, record_at=[9], seed=seed) for noise in (stable, gauss)]
    np.testing.assert_allclose(*found, rtol=1e-13)
    assert sd.variance_at(stable, WELL, [-1.0])[0] == pytest.approx(0.72)
    assert float(theory.escape_time(sd.SGD(0.01), WELL, stable)) == pytest.approx(
        float(theory.escape_time(sd.SGD(0.01), WELL, gauss))
    )


def test_students_displacement_is_that_of_its_variance(seed):
    bowl, noise = sd.Quadratic((0.5,)), sd.StudentNoise(2.0, 9.0)
    known = exact.moments(sd.Momentum(0.1, 0.5), bowl, noise, 0.3, [2, 40]).mean_square_displacement
    found = sd.displacement(sd.Momentum(0.1, 0.5), bowl, noise, 0.3, particles=40000, record_at=[2, 40], seed=seed)
    assert np.all(np.abs(found.msd - known) < 5 * found.stderr)
    assert np.any(np.abs(found.msd * 7 / 9 - known) > 5 * found.stderr)  # nu/(nu - 2) forgotten


FOUR_FIELDS = ("mean", "mean_stderr", "msd", "stderr")
MOMENTS = [  # index, the fields that do not exist, what is told
    (sd.StudentNoise(2.0, 4.5), 4.5, (), None),
    (sd.StudentNoise(2.0, 4.0), 4.0, ("stderr",), "of order below 4 .* no standard error .* about 6.3 %"),
    (sd.ScaledNoise(sd.StudentNoise(2.0, 2.1), 0.25), 2.1, ("stderr",), "about 76 % come from kicks rarer than one in the 1000"),
    (sd.StudentNoise(0.0, 2.1), math.inf, (), None),
    (sd.StableNoise(1.0, 1.5), 1.5, ("mean_stderr", "msd", "stderr"), "of order below 1.5 .* no mean square"),
    (sd.StableNoise(1.0, 1.0), 1.0, FOUR_FIELDS, "no mean square"),
    (sd.StableNoise(1.0, 2.0), math.inf, (), None),
]  # fmt: skip


@pytest.mark.parametrize(("noise", "index", "missing", "words"), MOMENTS)
def test_moments_that_do_not_exist_are_left_out(noise, index, missing, words, seed):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = sd.displacement(
            sd.SGD(0.05), WELL, noise, -1.0, particles=1000, record_at=[0, 1, 2], seed=seed, lanes=64
        )
    assert [warning.category for warning in told] == ([sd.HeavyTailWarning] if words else [])
    assert not words or (re.search(words, str(told[0].message)) and told[0].filename == __file__)
    assert sd.tail_index(sd.settle(noise, WELL)) == index
    for name in FOUR_FIELDS:
        values = getattr(found, name)[:, 0]
        assert values[0] == 0.0 and np.all(np.isnan(values[1:]) == (name in missing)), name


def test_the_share_that_draws_do_not_show():
    """(nu/2) N^(2/nu - 1) of Student's variance is in kicks rarer than one in N, to a fifth: the words of warning say so."""
    for degrees, percent in (
        (2.01, 94),
        (2.1, 55),
        (2.2, 32),
        (2.5, 8),
        (3.0, 1.7),
        (4.0, 0.2),
    ):  # of the docstring, N = 1e6
        bound = special.betaincinv(degrees / 2, 0.5, 1e-6)
        share = special.betainc(degrees / 2 - 1, 1.5, bound)
        assert share == pytest.approx(0.01 * percent, rel=0.25)
        setup = prepare(sd.SGD(0.1), WELL, sd.StudentNoise(1.0, degrees), -1.0, None, 1, 1)
        words = unknown_moments(setup, sd.StudentNoise(1.0, degrees), 1000, np.array([1000]))
        assert float(re.search(r"about (\S+) %", words).group(1)) == pytest.approx(100 * share, rel=0.2)


@pytest.mark.parametrize(
    ("dynamics", "power"),
    [(sd.Momentum(0.1), 1.0), (sd.SignSGD(0.1), 0.0), (sd.Adam(0.1), 0.0), (sd.Padam(0.1, power=0.125), 0.75),
     (sd.RAdam(0.1), 1.0), (sd.AdaBound(0.1), 1.0), (sd.Adai(0.1), 1.0), (sd.Yogi(0.1), 0.0)],
)  # fmt: skip
def test_methods_that_divide_by_the_kicks_size_keep_moments(dynamics, power):
    setup = prepare(dynamics, FLAT, sd.StudentNoise(1.0, 3.0), 0.0, None, 1, 100)
    assert displacement_index(setup) == (3.0 / power if power else math.inf)


def test_an_escape_is_one_jump(seed):
    """tau -> pi/(Gamma(alpha) sin(pi alpha/2)) (width/(eta scale))^alpha steps, for barriers of any height.

    Where eta H exceeds 1 the step back overshoots, and a jump the other way, of width/(eta H - 1), ends beyond the top too:
    the rate is 1 + (eta H - 1)^alpha times as large.
    """
    alpha, jump = 1.5, 0.002
    expected = math.pi / (special.gamma(alpha) * math.sin(math.pi * alpha / 2)) * jump**-alpha
    allowed = 5 / math.sqrt(2000) + 0.05  # small jumps meanwhile: a few percent
    for height, rate, ways in ((0.5, 0.02, 1.0), (8.0, 0.02, 1.0), (8.0, 0.05, 1.0 + 0.6**alpha)):
        well = sd.MatchedParabolas(height, 4 * height, 4 * height)  # of width 1
        found = sd.escape_times(
            sd.SGD(rate), well, sd.StableNoise(jump / rate, alpha), sd.Beyond(0.0), -1.0, particles=2000,
            max_steps=10**7, seed=seed,
        )  # fmt: skip
        mean = found.mean().value * ways
        assert abs(mean / expected - 1) < allowed
        assert all(abs(mean / (factor * expected) - 1) > allowed for factor in (0.5, 0.7, 1.4, 2.0))


def test_formulas_warn_of_noise_that_they_know_by_its_variance_alone():
    with pytest.warns(theory.ValidityWarning, match="StudentNoise is not Gaussian"):
        found = theory.escape_time(sd.SGD(0.01), WELL, sd.StudentNoise(40.0, 3.0))
    assert float(found) == pytest.approx(float(theory.escape_time(sd.SGD(0.01), WELL, sd.ConstantNoise(40.0))))


# ------------------------------------------------------------------------------------------------------ refusals

STABLE, STUDENT, TOP = sd.StableNoise(1.0, 1.5), sd.StudentNoise(1.0, 5.0), sd.Beyond(0.0)
REFUSED = [
    (lambda: sd.StudentNoise(1.0, 2.0), "degrees must be a number above 2"),
    (lambda: sd.StableNoise(1.0, 2.1), "alpha must be a number from 0.1 to 2"),
    (lambda: sd.StableNoise(0.0), "scale must be a positive number"),
    (lambda: sd.trajectories(sd.SGD(0.1), WELL, sd.StableNoise((1.0, 2.0)), -1.0, record_at=[1]), "2 entries"),
    (lambda: sd.trajectories(sd.Overdamped(0.1), WELL, STUDENT, -1.0, record_at=[1]), "driven by Gaussian"),
    (lambda: sd.escape_times(sd.Inertial(0.1), WELL, STABLE, TOP, -1.0), "driven by Gaussian"),
    (lambda: sd.displacement(sd.Momentum(0.1), WELL, STABLE, -1.0, particles=9, record_at=[1], start_momentum="stationary"),
     "no finite variance"),
    (lambda: theory.escape_time(sd.SGD(0.01), WELL, STABLE), "no finite variance"),
    (lambda: theory.displacement_parts(sd.SGD(0.01), sd.Saddle((-1.0,)), sd.ScaledNoise(STABLE, 2.0), [1]), "no finite"),
    (lambda: exact.mean_first_passage(sd.SGD(0.01), WELL, STABLE, TOP, -1.0), "not Gaussian"),
    (lambda: exact.mean_first_passage(sd.SGD(0.01), WELL, sd.ScaledNoise(STUDENT, 2.0), TOP, -1.0), "not Gaussian"),
    (lambda: exact.mean_first_passage(sd.SGD(0.01), SUM, sd.MiniBatch(2), TOP, -1.0), "not Gaussian"),
    (lambda: exact.moments(sd.SGD(0.1), sd.Quadratic((1.0,)), STABLE, 0.0, [1]), "SettledStable"),
    (lambda: sd.trajectories(sd.SGD(0.1), WELL, sd.MiniBatch(2), -1.0, record_at=[1]), "landscape of samples"),
    (lambda: sd.trajectories(sd.SGD(0.1), SUM, sd.MiniBatch(5, False), -1.0, record_at=[1]), "at most the 4 samples"),
    (lambda: sd.trajectories(sd.SGD(0.1), sd.FiniteSum(WELL, (1.0, 2.0, 3.0), (1.0, 2.0)), STUDENT, -1.0, record_at=[1]),
     "one number or 3"),
    (lambda: sd.MiniBatch(2.5), "batch_size must be a positive whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "words"), REFUSED)
def test_refused_in_one_line(ask, words):
    with pytest.raises(sd.InvalidInput, match=words) as refusal:
        ask()
    assert "\n" not in str(refusal.value)
