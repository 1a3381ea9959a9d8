"""Normals in single precision: the law they follow, the same simulations with them, and what is refused."""

import math

import numba
import numpy as np
import pytest
from scipy import stats

import simdyn as sd
from simdyn import _bits
from simdyn.model.records import InvalidInput
from simdyn.simulate.rng import next_bits, normal_parts, stream_word
from simdyn.simulate.single import single_normals

COUNT = 10**7
WELL, NOISE = sd.DoubleWell(barrier=1.0, width=1.0), sd.ConstantNoise(variance=2 / 3)


ONE = np.float32(1.0)


@numba.njit
def halves(bits):
    """The low and the high half of a word, as the rows of words drawn ahead are read."""
    row = np.empty(1, np.uint64)
    row[0] = bits
    return row.view(np.int32)


@numba.njit
def drawn(seed, count):
    """Normals of consecutive draws of one stream, in single and in double precision."""
    words = np.empty((4, 1), np.uint64)
    for n in range(4):
        words[n, 0] = stream_word(seed, np.uint64(0), np.uint64(0), np.uint64(n))
    single, double = np.empty(2 * count, np.float32), np.empty(2 * count)
    for k in range(count):
        bits = next_bits(words[0], words[1], words[2], words[3], 0)
        low, high = halves(bits)
        single[2 * k], single[2 * k + 1] = single_normals(low, high, ONE)
        w, sine, cosine = normal_parts(bits)
        double[2 * k], double[2 * k + 1] = math.sqrt(w) * sine, math.sqrt(w) * cosine
    return single, double


@pytest.fixture(scope="module")
def normals(seed):
    return drawn(np.uint64(seed), COUNT // 2)


def off_its_law(sample):
    """The largest distance of moments and tails from the normal law's, in standard errors."""
    z = np.asarray(sample, dtype=float)
    known = {1: (0, 1), 2: (1, 3), 3: (0, 15), 4: (3, 105), 6: (15, 10395), 8: (105, 2027025)}  # E z^p, E z^2p
    squared = z * z
    powers = {1: z, 2: squared, 3: squared * z, 4: squared**2}
    powers |= {6: powers[4] * squared, 8: powers[4] ** 2}  # general powers would take most of the test's time
    found = [
        (np.mean(powers[p]) - mean) / math.sqrt((second - mean**2) / z.size) for p, (mean, second) in known.items()
    ]
    for level in (1.0, 2.0, 3.0, 4.0, 4.5):
        for side in (z, -z):
            share = stats.norm.sf(level)
            found.append((np.mean(side > level) - share) / math.sqrt(share * (1 - share) / z.size))
    return float(np.max(np.abs(found)))


def test_they_are_normal(normals):
    single, _ = normals
    assert off_its_law(single) < 5
    assert stats.kstest(single[: 10**6].astype(float), "norm").pvalue > 1e-6
    pairs = single.astype(float).reshape(-1, 2)
    for power in (1, 2):
        first, second = (pairs**power - np.mean(pairs**power, axis=0)).T
        assert abs(np.mean(first * second)) < 5 * np.std(first) * np.std(second) / math.sqrt(len(pairs))


@pytest.mark.parametrize("wrong", [lambda z: 1.003 * z, lambda z: z + 0.003, lambda z: np.clip(z, -3.9, 3.9)])
def test_a_wrong_law_is_caught(normals, wrong):
    assert off_its_law(wrong(normals[0])) > 5


def test_they_are_the_doubles_but_for_rounding(normals):
    """The fits are off by 3.3e-6 (radius) and 9e-7 (sine) of a normal, digits and rounding by 2e-7 of the radius besides.

    Near U = 1 a digit of U is worth 6e-8 of r^2, and 6e-7 of a radius of 0.05.
    """
    single, double = (found.astype(float).reshape(-1, 2) for found in normals)
    radius = np.hypot(*double.T)
    plain = (radius > 0.05) & (radius < 5.0)  # further out the bit that is missing shows
    np.testing.assert_allclose(single[plain], double[plain], rtol=5e-6, atol=2.5e-6)
    assert np.abs(single[radius <= 0.05]).max() < 0.051


def test_extreme_words_give_finite_normals():
    ends = [0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2**7, 2**32 - 3, 2**32 - 2, 2**32 - 1]
    furthest = math.sqrt(2 * 31 * math.log(2)) * (1 + 1e-6)
    plain = getattr(single_normals, "py_func", single_normals)
    for word in ((high << 32) | low for high in ends for low in ends):
        parts = np.array([word], np.uint64).view(np.int32)
        for size in (1e-30, 1.0, 1e30):
            for found in (compiled_normals(*parts, np.float32(size)), plain(*parts, np.float32(size))):
                assert all(abs(z) <= furthest * math.sqrt(size) for z in found), (word, found)


@numba.njit
def compiled_normals(low, high, size):
    return single_normals(low, high, size)


def test_compiled_and_plain_bits_agree(seed):
    words = np.random.default_rng(seed).integers(0, 2**64, 200, dtype=np.uint64)
    words = np.concatenate([words, np.array([0, 1, 2**32 - 1, 2**32, 2**33 - 1, 2**63, 2**64 - 1], dtype=np.uint64)])

    @numba.njit
    def compiled(word):
        high = halves(word)[1]
        value = np.float32(_bits.odd_half(high))
        return _bits.odd_half(high), _bits.single_parts(value), _bits.signed_by(value, high)

    for word in words:
        odd, parts, signed = compiled(word)
        high = np.array([word]).view(np.int32)[1]
        value = np.float32(_bits.odd_half(high))
        assert odd == _bits.odd_half(high) == int(word) >> 33 | 1
        assert parts == _bits.single_parts(value) and signed == _bits.signed_by(value, high)


def passage(precision, **options):
    return sd.escape_times(
        sd.SGD(learning_rate=0.05), WELL, sd.ConstantNoise(8.0), sd.Beyond(0.0), start=-1.0,
        particles=4096, progress=False, noise_precision=precision, **options,
    )  # fmt: skip


def test_first_passage_is_that_of_the_exact_chain(seed):
    exact = sd.exact.mean_first_passage(
        sd.SGD(learning_rate=0.05), WELL, sd.ConstantNoise(8.0), sd.Beyond(0.0), start=-1.0
    )
    steps = passage("single", seed=seed).steps
    assert abs(steps.mean() - exact.value) < 5 * steps.std() / math.sqrt(steps.size) + exact.error


def test_any_workers_and_lanes_give_the_same_bits():
    first = passage("single", workers=1, lanes=32).steps
    for workers, lanes in ((1, 128), (2, 256)):
        assert np.array_equal(first, passage("single", workers=workers, lanes=lanes).steps)


@pytest.mark.parametrize(
    ("dynamics", "noise"),
    [
        (sd.Overdamped(0.01), NOISE),
        (sd.Inertial(0.02), NOISE),
        (sd.Adam(0.01), sd.LocalNoise(1.0, 0.1)),
        (sd.Momentum(0.01, 0.9, 0.1), sd.TwoPieceNoise(1.0)),
        (sd.SGD(0.01), sd.ScaledNoise(sd.LocalNoise(1.0, 0.5), 0.5)),
    ],
)
def test_displacements_differ_by_rounding_alone(dynamics, noise):
    """Both precisions read the same bits, so that over few steps two ensembles differ by rounding, not by chance."""
    found = [
        sd.displacement(dynamics, WELL, noise, -1.0, particles=512, record_at=[5], progress=False, noise_precision=p)
        for p in ("double", "single")
    ]
    assert found[1].msd[0, 0] == pytest.approx(found[0].msd[0, 0], rel=1e-4)
    assert found[1].msd[0, 0] != found[0].msd[0, 0]


def test_what_is_refused():
    with pytest.raises(InvalidInput, match="noise_precision must be 'double' or 'single', not 'half'"):
        passage("half")
    with pytest.raises(InvalidInput, match="not Gaussian"):
        sd.displacement(
            sd.SGD(0.01), WELL, sd.StudentNoise(variance=1.0, degrees=3.0), start=-1.0, noise_precision="single"
        )
