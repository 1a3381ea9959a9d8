"""The normals against their law and each other: blocks of (steps, particles) as the engine draws them, counted and summed.

Standard errors are those of independent standard normals, exact for products and powers.
"""

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from scipy import stats

from checks.random_numbers import laws
from checks.random_numbers.streams import CHANCE, MOMENTUM, STEPS
from checks.random_numbers.verdicts import Result, binomial, chi_square, kolmogorov, normal
from simdyn.simulate.lanes import WORDS_AHEAD
from simdyn.simulate.rng import draw_normals, stream_word
from simdyn.simulate.single import draw_words_ahead, transform

_U = np.uint64
_fast = numba.njit(nogil=True, fastmath=True)  # sums in any order: these numbers are finite

LANES, LENGTH = 512, 1024  # particles and steps of a block
BLOCK = LANES * LENGTH
BLOCKS_OF_A_PARTICLE = 64
LAGS = 32
_EDGE, _PER_UNIT = 8, 4096  # the fine histogram: [-8, 8] in cells of 2^-12
_CLASSES = 128
ABSOLUTE_MEAN, ABSOLUTE_DEVIATION = math.sqrt(2.0 / math.pi), math.sqrt(1.0 - 2.0 / math.pi)


class Particles:
    """Normals of 512 particles at a time, step by step, particle after particle."""

    def __init__(self, seed: int, first: int = 0, salt: int = STEPS) -> None:
        self._seed, self._first, self._salt = _U(seed), _U(first), _U(salt)
        self._states, self._blocks = np.zeros((4, LANES), _U), 0

    def block(self) -> np.ndarray:
        """The next normals, (LENGTH, LANES); two rows are one draw's sine and cosine."""
        if self._blocks % BLOCKS_OF_A_PARTICLE == 0:
            _begin(self._states, self._seed, self._first + _U(self._blocks // BLOCKS_OF_A_PARTICLE * LANES), self._salt)
        self._blocks += 1
        z = np.empty((LENGTH, LANES))
        self._draw(z)
        return z

    def _draw(self, z: np.ndarray) -> None:
        _draw_doubles(self._states, z)


class SingleParticles(Particles):
    """The same normals in single precision."""

    def _draw(self, z: np.ndarray) -> None:
        _draw_singles(self._states, np.empty((WORDS_AHEAD, LANES), _U), np.empty((2, LANES), np.float32), z)


@numba.njit(nogil=True)
def _begin(states, seed, first, salt):
    for n in range(4):
        for i in range(states.shape[1]):
            states[n, i] = stream_word(seed, first + _U(i), salt, _U(n))


@numba.njit(nogil=True)
def _draw_doubles(states, z):
    for t in range(0, z.shape[0], 2):
        draw_normals(states[0], states[1], states[2], states[3], z[t], z[t + 1], z.shape[1])


@numba.njit(nogil=True)
def _draw_singles(states, words, pair, z):
    for t in range(0, z.shape[0], 2 * WORDS_AHEAD):
        draw_words_ahead(
            states[0], states[1], states[2], states[3], words[0], words[1], words[2], words[3], z.shape[1]
        )  # fmt: skip
        for n in range(WORDS_AHEAD):
            transform(words[n].view(np.int32), np.float32(1.0), pair[0], pair[1], z.shape[1])
            z[t + 2 * n], z[t + 2 * n + 1] = pair[0], pair[1]


# ----------------------------------------------------------------------------------------- what is counted


@_fast
def _sum_powers(z, sums):
    flat = z.ravel()
    s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = 0.0
    for k in range(flat.size):
        x = flat[k]
        y = x * x
        cube, square = y * x, y * y
        s1 += x
        s2 += y
        s3 += cube
        s4 += square
        s5 += square * x
        s6 += square * y
        s7 += square * cube
        s8 += square * square
    sums += np.array([s1, s2, s3, s4, s5, s6, s7, s8])


@_fast
def _count_fine(z, counts):
    flat = z.ravel()
    for k in range(flat.size):
        counts[int((flat[k] + _EDGE) * _PER_UNIT)] += 1


@_fast
def _sum_lags(z, sums):
    """Sums of f(z_t) f(z_t+lag) along a particle, f one of z, z^2 and |z|, standardised."""
    length, lanes = z.shape
    square, size = np.empty_like(z), np.empty_like(z)
    for t in range(length):
        for i in range(lanes):
            square[t, i] = (z[t, i] * z[t, i] - 1.0) * math.sqrt(0.5)
            size[t, i] = (abs(z[t, i]) - ABSOLUTE_MEAN) / ABSOLUTE_DEVIATION
    for t in range(length):
        for lag in range(1, min(LAGS, length - 1 - t) + 1):
            a = b = c = 0.0
            for i in range(lanes):
                a += z[t, i] * z[t + lag, i]
                b += square[t, i] * square[t + lag, i]
                c += size[t, i] * size[t + lag, i]
            sums[0, lag - 1] += a
            sums[1, lag - 1] += b
            sums[2, lag - 1] += c


@_fast
def _sum_products(one, other, sums):
    """Sums of f(one) g(other), f and g of z, z^2 and |z|, standardised; (rows, columns) each."""
    for t in range(one.shape[0]):
        s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = 0.0
        for i in range(one.shape[1]):
            a, d = one[t, i], other[t, i]
            b, e = (a * a - 1.0) * math.sqrt(0.5), (d * d - 1.0) * math.sqrt(0.5)
            c, f = (abs(a) - ABSOLUTE_MEAN) / ABSOLUTE_DEVIATION, (abs(d) - ABSOLUTE_MEAN) / ABSOLUTE_DEVIATION
            s00 += a * d
            s01 += a * e
            s02 += a * f
            s10 += b * d
            s11 += b * e
            s12 += b * f
            s20 += c * d
            s21 += c * e
            s22 += c * f
        sums += np.array([[s00, s01, s02], [s10, s11, s12], [s20, s21, s22]])


@numba.njit(nogil=True)
def _count_pairs(one, other, classes, counts):
    for t in range(one.shape[0]):
        for i in range(one.shape[1]):
            a, b = int((one[t, i] + _EDGE) * _PER_UNIT), int((other[t, i] + _EDGE) * _PER_UNIT)
            counts[classes[a], classes[b]] += 1


@_fast
def _count_polar(one, other, angles, joint):
    """The pair as a point of the plane: its angle in 2^16 parts; angle and e^(-r^2/2) in 256 each."""
    for t in range(one.shape[0]):
        for i in range(one.shape[1]):
            a, b = one[t, i], other[t, i]
            turn = int((math.atan2(a, b) / (2.0 * math.pi) + 0.5) * 65536.0) & 65535
            angles[turn] += 1
            joint[turn >> 8, min(int(math.exp(-0.5 * (a * a + b * b)) * 256.0), 255)] += 1


# ------------------------------------------------------------------------------------------------ judgement


def _fine_edges() -> np.ndarray:
    return np.arange(-_EDGE * _PER_UNIT, _EDGE * _PER_UNIT + 1) / _PER_UNIT


def _classes() -> tuple[np.ndarray, np.ndarray]:
    """The class of each fine cell, near equally likely ones, and the classes' exact chances."""
    cumulative = stats.norm.cdf(_fine_edges())
    classes = np.minimum((cumulative[:-1] * _CLASSES).astype(np.int64), _CLASSES - 1)
    return classes, np.bincount(classes, np.diff(cumulative), minlength=_CLASSES)


_CLASS_OF, _CLASS_CHANCES = _classes()
_FORMS = ("z", "z^2", "|z|")


class Law:
    """Moments, tails and the whole distribution of normals one by one."""

    TAILS = (3.0, 3.5, 4.0, 4.5, 5.0, 5.5)

    digits = laws.DOUBLE

    def __init__(self) -> None:
        self._draws, self._sums, self._counts = 0, np.zeros(8), np.zeros(2 * _EDGE * _PER_UNIT, np.int64)

    def add(self, z: np.ndarray) -> None:
        self._draws += z.size
        _sum_powers(z, self._sums)
        _count_fine(z, self._counts)

    def results(self, data: str) -> list[Result]:
        n, found = self._draws, []
        for power in range(1, 9):
            variance = laws.normal_moment(2 * power) - laws.normal_moment(power) ** 2
            deviation = (self._sums[power - 1] / n - laws.moment(power, self.digits)) / math.sqrt(variance / n)
            found.append(Result(f"mean of z^{power}", data, normal(deviation)))
        for bound in self.TAILS:
            below, above = (int((side * bound + _EDGE) * _PER_UNIT) for side in (-1, 1))
            share = laws.tail(bound, self.digits)
            found.append(Result(f"share above {bound:g}", data, binomial(self._counts[above:].sum(), n, share)))
            found.append(Result(f"share below -{bound:g}", data, binomial(self._counts[:below].sum(), n, share)))
        cumulative = stats.norm.cdf(_fine_edges())
        distance = np.abs(np.cumsum(self._counts) / n - cumulative[1:]).max()
        found.append(Result("Kolmogorov-Smirnov", data, kolmogorov(distance, n)))
        found.append(Result("chi-square of the histogram", data, chi_square(self._counts, np.diff(cumulative))))
        return found


class SingleLaw(Law):
    """The same in single precision."""

    digits = laws.SINGLE


class Memory:
    """Correlations along a particle, lags 1 to 32."""

    def __init__(self) -> None:
        self._blocks, self._sums = 0, np.zeros((3, LAGS))

    def add(self, z: np.ndarray) -> None:
        self._blocks += 1
        _sum_lags(z, self._sums)

    def results(self, data: str) -> list[Result]:
        pairs = self._blocks * LANES * (LENGTH - np.arange(1, LAGS + 1))
        return [
            Result(f"correlation of {form} at lag {lag + 1}", data, normal(self._sums[f, lag] / math.sqrt(pairs[lag])))
            for f, form in enumerate(_FORMS)
            for lag in range(LAGS)
        ]


class Pairs:
    """Two samples side by side: are they independent?"""

    def __init__(self) -> None:
        self._pairs, self._sums = 0, np.zeros((3, 3))
        self._counts = np.zeros((_CLASSES, _CLASSES), np.int64)

    def add(self, one: np.ndarray, other: np.ndarray) -> None:
        self._pairs += one.size
        _sum_products(one, other, self._sums)
        _count_pairs(one, other, _CLASS_OF, self._counts)

    def results(self, data: str) -> list[Result]:
        found = [
            Result(f"correlation of {one} with {other}", data, normal(self._sums[f, g] / math.sqrt(self._pairs)))
            for f, one in enumerate(_FORMS)
            for g, other in enumerate(_FORMS)
        ]
        chances = np.multiply.outer(_CLASS_CHANCES, _CLASS_CHANCES)
        return [*found, Result("chi-square of 128 x 128 cells", data, chi_square(self._counts, chances))]


class Plane:
    """Sine and cosine of one draw as a point of the plane: angle uniform, and independent of the radius."""

    def __init__(self) -> None:
        self._angles, self._joint = np.zeros(65536, np.int64), np.zeros((256, 256), np.int64)

    def add(self, sine: np.ndarray, cosine: np.ndarray) -> None:
        _count_polar(sine, cosine, self._angles, self._joint)

    def results(self, data: str) -> list[Result]:
        return [
            Result("angle uniform", data, chi_square(self._angles, np.full(65536, 2.0**-16))),
            Result("angle and radius", data, chi_square(self._joint, np.full((256, 256), 2.0**-16))),
        ]


Damage = Callable[[np.ndarray], np.ndarray]
_DISTANCES = (1, 2, 16, 256)


def unharmed(z: np.ndarray) -> np.ndarray:
    return z


class Parts:
    """Statistics by the name of what they are of."""

    parts: dict[str, Any]

    def join(self, other: "Parts") -> "Parts":
        """Take in what another has counted."""
        for name, part in self.parts.items():
            for field, value in vars(other.parts[name]).items():
                setattr(part, field, getattr(part, field) + value)
        return self

    def results(self) -> list[Result]:
        return [result for name, part in self.parts.items() for result in part.results(name)]


class Examination(Parts):
    """All statistics of one seed's particles; `damage` is done to their normals, not to those of other seeds and salts."""

    def __init__(self, seed: int, damage: Damage = unharmed) -> None:
        self._seed, self._damage = seed, damage
        self.others = {
            "seeds s and s + 1": ((seed + 1) % 2**64, STEPS),
            "seeds s and s + 2^63": ((seed + 2**63) % 2**64, STEPS),
            "salts of steps and momentum": (seed, MOMENTUM),
            "salts of steps and exits": (seed, CHANCE),
        }
        self.neighbours = {f"particles i and i + {distance}": distance for distance in _DISTANCES}
        pairs = ("sine and cosine of a draw", "cosine and the next draw's sine", *self.neighbours, *self.others)
        self.parts: dict[str, Any] = {
            "normals one by one": Law(),
            "along a particle": Memory(),
            "angle and radius": Plane(),
            **{name: Pairs() for name in pairs},
        }

    def run(self, draws: int, first: int = 0) -> "Examination":
        """Examine a number of draws, rounded up to whole blocks, of the particles from `first` on."""
        own = Particles(self._seed, first)
        others = {name: Particles(seed, first, salt) for name, (seed, salt) in self.others.items()}
        for _ in range(-(-draws // BLOCK)):
            z = self._damage(own.block())
            self.parts["normals one by one"].add(z)
            self.parts["along a particle"].add(z)
            self.parts["angle and radius"].add(z[::2], z[1::2])
            self.parts["sine and cosine of a draw"].add(z[::2], z[1::2])
            self.parts["cosine and the next draw's sine"].add(z[1:-1:2], z[2::2])
            for name, other in others.items():
                self.parts[name].add(z, other.block())
            for name, distance in self.neighbours.items():
                sides = z.reshape(LENGTH, -1, 2, distance)  # nobody is in two pairs, which chi-square's law asks for
                self.parts[name].add(*(sides[:, :, side].reshape(LENGTH, -1) for side in (0, 1)))
        return self


class SingleExamination(Parts):
    """The law of normals in single precision, and that the two of a draw are independent; the rest, their bits decide."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.parts = {
            "in single precision": SingleLaw(),
            "in single precision, angle and radius": Plane(),
            "in single precision, sine and cosine": Pairs(),
        }

    def run(self, draws: int, first: int = 0) -> "SingleExamination":
        """Examine a number of draws, rounded up to whole blocks, of the particles from `first` on."""
        law, plane, pairs = self.parts.values()
        own = SingleParticles(self._seed, first)
        for _ in range(-(-draws // BLOCK)):
            z = own.block()
            law.add(z)
            plane.add(z[::2], z[1::2])
            pairs.add(z[::2], z[1::2])
        return self


def examine(seed: int, draws: int, first: int = 0, damage: Damage = unharmed, workers: int = 1) -> list[Result]:
    """All statistics at a number of draws."""
    return _shared_out(lambda: Examination(seed, damage), draws, first, workers)


def examine_singles(seed: int, draws: int, first: int = 0, workers: int = 1) -> list[Result]:
    """The statistics of normals in single precision at a number of draws."""
    return _shared_out(lambda: SingleExamination(seed), draws, first, workers)


def _shared_out(begin: Callable[[], Any], draws: int, first: int, workers: int) -> list[Result]:
    """The results of an examination whose draws are shared out among threads, each with particles of its own."""
    each = -(-draws // workers)
    apart = (each // BLOCK // BLOCKS_OF_A_PARTICLE + 2) * LANES
    with ThreadPoolExecutor(workers) as pool:
        shares = pool.map(lambda n: begin().run(each, first + n * apart), range(workers))
        return functools.reduce(Parts.join, shares).results()
