"""The random numbers: the polynomials against NumPy, the normals against their law, the streams against each other."""

import math

import numba
import numpy as np
import pytest
from scipy import special, stats

from simdyn.simulate.rng import exponential_parts, normal_parts, stream_normals, stream_word

PARTICLES, EACH = 4000, 1000  # four million normals


@numba.njit
def transformed(bits):
    parts = np.empty((5, bits.size))
    for n in range(bits.size):
        parts[0, n], parts[1, n], parts[2, n] = normal_parts(bits[n])
        parts[3, n], parts[4, n] = exponential_parts(bits[n])
    return parts


@pytest.fixture(scope="module")
def bits(seed):
    """A million random words, and the extreme ones."""
    words = np.random.default_rng((seed, 3)).integers(0, 2**64, 10**6, dtype=np.uint64)
    ends = [0, 1, 2, 3, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
    corners = [(high << 32) | low for high in ends for low in ends]
    return np.concatenate([words, np.array(corners, dtype=np.uint64)])


@pytest.fixture(scope="module")
def normals(seed):
    return np.array([stream_normals(seed, particle, EACH) for particle in range(PARTICLES)])


def minus_twice_log(half):
    """-2 ln U for U an odd multiple of 2^-32, accurate also near U = 1."""
    odd = half | np.uint64(1)
    rest = (np.uint64(2**32) - odd).astype(float) / 2.0**32
    return np.where(rest < 0.5, -2 * np.log1p(-rest), -2 * np.log(odd.astype(float) / 2.0**32))


def test_polynomials_are_as_good_as_stated(bits):
    high, low = bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)
    radius, sine, cosine, first, second = transformed(bits)
    for found, half in ((radius, high), (first, high), (second, low)):
        # Exponents are added through numbers near 3103 * 2 ln 2 = 4302, with four roundings.
        np.testing.assert_allclose(found, minus_twice_log(half), rtol=1.51e-7, atol=4 * 4302 * 2.0**-53)
    assert (
        min(radius.min(), first.min(), second.min()) > 0.0
    )  # the root of a negative number would be a diverged particle
    quarter_turns = (low.astype(np.int64) - 2**31 * np.where(low >= 2**31, 2, 0)) / 2.0**31
    angle = math.pi / 2 * quarter_turns  # the low half as a signed number, over a half turn
    sign = np.where(high & np.uint64(1), -1.0, 1.0)
    np.testing.assert_allclose(sine, np.sin(angle), rtol=5.42e-9)
    np.testing.assert_allclose(sign * cosine, np.cos(angle), rtol=0, atol=4.7e-8)
    assert np.abs(np.sqrt(radius)).max() <= math.sqrt(2 * 32 * math.log(2)) * (1 + 1e-7)  # the cut at 6.66


def test_polynomials_leave_the_moments_exact():
    # All of U and of the angle in even steps: the errors, of 1e-7, average out, but for the steps' own share.
    count = 2**20
    odd = (np.arange(count, dtype=np.uint64) << np.uint64(12)) | np.uint64(2**11 + 1)
    radius, sine, cosine, _, _ = transformed((odd << np.uint64(32)) | odd)
    angle = math.pi / 2 * ((odd.astype(np.int64) - 2**32 * (odd >= 2**31)) / 2.0**31)
    exact = minus_twice_log(odd)
    for power, tolerance in ((1, 1e-9), (2, 1e-9), (4, 1e-9)):
        assert abs(np.mean(radius**power) / np.mean(exact**power) - 1.0) < tolerance
    for found, wave in ((sine, np.sin(angle)), (cosine, np.cos(angle))):
        for power in (2, 4):
            assert abs(np.mean(found**power) / np.mean(wave**power) - 1.0) < 1e-9


# ---------------------------------------------------------------------------------------------- law of normals


def moment(power):
    """E z^power of a standard normal."""
    return 0.0 if power % 2 else float(special.factorial2(power - 1)) if power else 1.0


def worst_deviation(sample):
    """Largest deviation of a sample's moments (to the sixth) and tail counts from the normal's, in standard errors."""
    flat = sample.ravel()
    found = []
    raised = np.ones_like(flat)
    for power in range(1, 7):
        raised *= flat
        error = math.sqrt((moment(2 * power) - moment(power) ** 2) / flat.size)
        found.append(abs(np.mean(raised) - moment(power)) / error)
    for bound in (1, 2, 3, 4, 4.5):
        share = 2 * stats.norm.sf(bound)
        found.append(abs(np.mean(np.abs(flat) > bound) - share) / math.sqrt(share * (1 - share) / flat.size))
    return max(found)


def is_normal(sample):
    """Moments, tails and the Kolmogorov-Smirnov distance, at five sigma each."""
    return worst_deviation(sample) < 5 and stats.kstest(sample.ravel(), stats.norm.cdf).pvalue > 5.7e-7


def test_normals_are_normal(normals):
    assert is_normal(normals[:, ::2]) and is_normal(normals[:, 1::2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda z: np.where(np.arange(z.shape[1]) % 2, np.abs(z), z),  # the cosine's sign forgotten
        lambda z: z[np.abs(z) < 4],  # no tail
        lambda z: 1.01 * z,
        lambda z: z + 0.01,
        lambda z: z * (1 + 0.03 * np.cos(3 * z)),
    ],
    ids=["sign", "tail", "scale", "shift", "shape"],
)
def test_a_damaged_law_is_caught(normals, damage):
    assert not is_normal(damage(normals[:1000]))


# -------------------------------------------------------------------------------------------------- independence


def hermite(z):
    """The first three orthonormal functions of a standard normal, (3, ...): uncorrelated, of variance 1."""
    return np.stack([z, (z * z - 1) / math.sqrt(2), (z**3 - 3 * z) / math.sqrt(6)])


def dependence(one, other):
    """Largest correlation between functions of two samples, given by `hermite`, in standard errors."""
    one, other = one.reshape(3, -1), other.reshape(3, -1)
    return np.abs(one @ other.T).max() / math.sqrt(one.shape[1])


@pytest.fixture(scope="module")
def forms(normals):
    return hermite(normals)


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 64])
def test_a_stream_does_not_remember(forms, lag):
    assert dependence(forms[:, :, :-lag], forms[:, :, lag:]) < 5


def test_the_two_normals_of_a_draw_are_independent(forms):
    assert dependence(forms[:, :, ::2], forms[:, :, 1::2]) < 5


@pytest.mark.parametrize("distance", [1, 2, 31, 32, 1024])
def test_particles_do_not_know_each_other(forms, distance):
    assert dependence(forms[:, :-distance], forms[:, distance:]) < 5
    for step in (0, 1, 2, 3, EACH - 1):  # at one step, over particles: what seeding by a counter could spoil
        assert dependence(forms[:, :-distance, step], forms[:, distance:, step]) < 5


@pytest.mark.parametrize("other", [1, 2, 2**32, 2**63])
def test_seeds_do_not_know_each_other(forms, seed, other):
    stream = hermite(np.array([stream_normals((seed + other) % 2**64, particle, EACH) for particle in range(1000)]))
    assert dependence(forms[:, :1000], stream) < 5
    assert dependence(forms[:, 1:1001], stream) < 5
    assert dependence(forms[:, :999], stream[:, 1:]) < 5


def test_the_salted_stream_is_another(forms, seed):
    salted = np.array([stream_normals(seed, particle, EACH, salt=1) for particle in range(1000)])
    assert is_normal(salted) and dependence(forms[:, :1000], hermite(salted)) < 5


def test_dependence_is_caught(normals, forms):
    """A cosine with its sine's sign, one stream in fifty shared, a one percent memory."""
    words = np.random.default_rng(1).integers(0, 2**64, 10**5, dtype=np.uint64)
    radius, sine, cosine = transformed(words)[:3]
    one, other = np.sqrt(radius) * sine, np.sqrt(radius) * np.abs(cosine) * np.sign(sine)
    assert dependence(hermite(one), hermite(other)) > 5
    assert dependence(hermite(one / np.sqrt(radius) * 1.5), hermite(other / np.sqrt(radius) * 1.5)) > 5
    shared = forms[:, :1000].copy()
    shared[:, 1::50] = shared[:, ::50]
    assert dependence(shared[:, :-1], shared[:, 1:]) > 5
    assert dependence(hermite(normals[:1000, :-1] + 0.01 * normals[:1000, 1:]), forms[:, :1000, 1:]) > 5


def test_starting_words_differ_in_half_their_bits(seed):
    @numba.njit
    def words(seed, particle, salt):
        return [stream_word(seed, particle, salt, np.uint64(n)) for n in range(4)]

    def distance(one, other):
        return np.mean([bin(int(a ^ b)).count("1") for a, b in zip(one, other, strict=True)])

    base = np.uint64(seed), np.uint64(12345), np.uint64(0)
    for place in range(3):
        for bit in (0, 1, 17, 40, 63):
            changed = list(base)
            changed[place] ^= np.uint64(1) << np.uint64(bit)
            # four words: mean 32 bits, standard deviation 2
            assert abs(distance(words(*base), words(*changed)) - 32) < 10


def test_a_stream_is_one_and_its_beginning_does_not_depend_on_its_length(normals, seed):
    np.testing.assert_array_equal(stream_normals(seed, 7, 33), normals[7, :33])
    assert np.isfinite(stream_normals(2**64 - 1, 2**62, 100)).all()
