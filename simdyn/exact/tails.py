"""How heavy the tail on the left is: whether the law of a particle that stays is finite, and what is beyond a place.

Most landscapes hold a particle by walls, and its law falls there as an exponential or faster. Where the noise grows as
fast as the landscape, or the landscape only as a logarithm, it falls as a power of the distance,

    rho(d) = e^{-Phi} C^{-w} ~ d^{-q},        Int_d^inf rho = rho(d) d/(q - 1)   if q > 1,   and infinite if not.
"""

import bisect
import math
from typing import NamedTuple

import numpy as np

from simdyn.exact.line import FloatArray

MARGIN = 4.0  # a tail that falls by powers of the logarithm is off by three times what its error is estimated from
SAME = 1e-3  # exponents that differ by less are one


class Tail(NamedTuple):
    """Int_{-inf}^{low} rho over rho(low), a length, inf where q <= 1; its error; its share of the law before; q."""

    mass: float
    error: float
    share: float
    exponent: float


NO_TAIL = Tail(0.0, 0.0, 0.0, math.inf)


class Walk:
    """What was met on the way to the left, from the start on: distances from the end, Phi, and log C; power: w."""

    def __init__(self, distance: float, spread: float, power: float) -> None:
        self.power = power
        self.distances, self.potentials, self.spreads = [distance], [0.0], [spread]

    def append(self, distance: float, potential: float, spread: float) -> None:
        self.distances.append(distance)
        self.potentials.append(potential)
        self.spreads.append(spread)

    def is_steep(self, height: float) -> bool:
        """Whether Phi rose by a third of `height` while the distance doubled: as e^{-|x|} or faster, no power."""
        half = self.potentials[max(0, bisect.bisect_right(self.distances, 0.5 * self.distances[-1]) - 1)]
        return self.potentials[-1] - half >= height / 3.0

    def is_flat(self) -> bool:
        """Whether neither Phi nor the noise changed to speak of while the distance grew by a factor of four."""
        first = bisect.bisect_right(self.distances, 0.25 * self.distances[-1]) - 1
        if first < 0:
            return False
        seen = slice(first, None)
        return all(max(values[seen]) - min(values[seen]) < 1e-3 for values in (self.potentials, self.spreads))

    def is_negligible(self, height: float) -> bool:
        """Whether what lies beyond is e^-height of what was met; looked at now and then, as it takes a while."""
        if self.distances[-1] < 4.0 * self.distances[0] or len(self.distances) % 8 > 0:
            return False
        place, density = self._logarithms()
        share, _ = _beyond(place, density, float(place[-1]))
        return share <= math.exp(-height) * float(np.sum(_masses(place, density)))

    def tail(self) -> Tail:
        """What lies beyond the last place, by its power; the error, by how far another place was off."""
        place, density = self._logarithms()
        last = float(place[-1])
        mass, exponent = _beyond(place, density, last)
        if not math.isfinite(mass):
            return Tail(mass, math.inf, math.inf, exponent)
        before = float(place[0]) + 0.75 * (last - float(place[0]))
        foreseen, _ = _beyond(place, density, before)
        error = MARGIN * abs(foreseen - _between(place, density, before, last) - mass)
        scale = math.exp(place[-1] - density[-1])  # 1/rho
        share = (mass + error) / float(np.sum(_masses(place, density)))
        return Tail(mass * scale, error * scale, share, exponent)

    def exponent_before(self) -> float:
        """q at three quarters of the way, in the logarithm of the distance."""
        place, density = self._logarithms()
        return _beyond(place, density, float(place[0] + 0.75 * (place[-1] - place[0])))[1]

    def runs_away(self) -> bool:
        """Whether Int_{-inf} e^Phi C^{w-1} is finite: the particle is then lost on the left with some probability."""
        place = np.log(self.distances)
        scale = place + np.array(self.potentials) - (1.0 - self.power) * np.array(self.spreads)
        return _beyond(place, scale - np.max(scale), float(place[-1]))[1] > 1.0 + SAME

    def _logarithms(self) -> tuple[FloatArray, FloatArray]:
        """log d, and log(rho d) less its largest."""
        place = np.log(self.distances)
        density = place - np.array(self.potentials) - self.power * np.array(self.spreads)
        return place, density - np.max(density)


def _masses(place: FloatArray, density: FloatArray) -> FloatArray:
    """Int rho dd = Int e^density d(log d) over each piece, rho a power on it."""
    change = np.abs(np.diff(density))
    small = change < 1e-8
    mean = np.where(small, 1.0 - 0.5 * change, -np.expm1(-change) / np.where(small, 1.0, change))
    return np.diff(place) * np.exp(np.maximum(density[1:], density[:-1])) * mean


def _between(place: FloatArray, density: FloatArray, low: float, high: float) -> float:
    inside = place[(place > low) & (place < high)]
    points = np.concatenate([[low], inside, [high]])
    return float(np.sum(_masses(points, np.interp(points, place, density))))


def _beyond(place: FloatArray, density: FloatArray, last: float) -> tuple[float, float]:
    """Int rho beyond the place, and q, from the last two octaves before it, waves and all."""
    octave = math.log(2.0)
    outer = _between(place, density, last - octave, last)
    inner = _between(place, density, last - 2.0 * octave, last - octave)
    if not inner > 0.0:
        return (math.inf, -math.inf) if outer > 0.0 else (0.0, math.inf)
    ratio = outer / inner
    exponent = 1.0 - math.log2(ratio) if ratio > 0.0 else math.inf
    return (outer * ratio / (1.0 - ratio) if exponent > 1.0 + 1e-9 else math.inf), exponent
