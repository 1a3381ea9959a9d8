"""The inertial equation on a line in thermal units, and the speed that is just enough for its barrier."""

import math
from typing import NamedTuple

import numpy as np

from simdyn.exact.line import FloatArray, Line
from simdyn.exact.stretches import stretches
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.landscapes import value
from simdyn.model.noise import SettledNoise
from simdyn.model.records import InvalidInput

DEEP = 30.0  # so far below the barrier, over T, nobody returns: beyond it the boundary may as well be there
TAIL = 16.0  # energy above the barrier, over T, from which on e^-TAIL of the flux is given away
_FINE = 4001


class Motion(NamedTuple):
    """The inertial equation in thermal units, r = speed u: speed^2 = T/M, potential U = L/T, lowest at 0.

    low: theta where U is TAIL above the barrier; barrier: the highest U on the way out, at `top`.
    """

    line: Line
    speed: float
    damping: float
    temperature: float
    low: float
    floor: float
    barrier: float
    top: float
    joints: FloatArray

    def potential(self, points: FloatArray) -> FloatArray:
        heights = self.line._at(points, lambda x, i: value(self.line.landscape, x, i))
        return heights / self.temperature - self.floor

    def potential_slope(self, points: FloatArray) -> FloatArray:
        return self.line.slope(points) / self.temperature

    @property
    def length(self) -> float:
        return self.line.end - self.low

    def fine(self) -> FloatArray:
        """Many points from low to end."""
        return np.linspace(self.low, self.line.end, _FINE)

    def loss(self) -> float:
        """Energy, over T, that friction takes in an orbit of T above the barrier: gamma closed Int u d theta / speed."""
        points = self.fine()
        spare = np.maximum(self.barrier + 1.0 - self.potential(points), 0.0)
        orbit = 2.0 * float(np.sum(np.sqrt(2.0 * spare))) * self.length / len(points)
        return self.damping / self.speed * orbit


def motion_on(dynamics: Inertial, line: Line) -> Motion:
    """The problem in thermal units. Raises InvalidInput for noise that changes with theta."""
    if not isinstance(line.noise, SettledNoise):
        raise InvalidInput(
            f"{type(line.noise).__name__}: exact answers for Inertial need noise that is the same everywhere"
        )
    spread = float(line.variance(np.array([line.start]))[0])
    if not spread > 0.0:
        raise InvalidInput("the noise vanishes, and a particle would never leave: its variance must be positive")
    temperature = spread / (2.0 * dynamics.damping * dynamics.mass)
    meshes = stretches(line, lambda points: line.slope(points) / temperature, TAIL).meshes
    speed = math.sqrt(temperature / dynamics.mass)
    raw = Motion(
        line, speed, dynamics.damping, temperature, meshes[0][0], 0.0, 0.0, 0.0, np.array([m[0] for m in meshes])
    )
    way = np.linspace(line.start, line.end, 2001)
    raw = raw._replace(floor=float(np.min(raw.potential(raw.fine()))))
    heights = raw.potential(way)
    deep = np.flatnonzero(heights[np.argmax(heights) :] > np.max(heights) - DEEP)[-1] + np.argmax(heights)
    if heights[-1] < np.max(heights) - DEEP:
        raw = raw._replace(line=line._replace(end=float(way[deep + 1])))
    return raw._replace(barrier=float(np.max(heights)), top=float(way[np.argmax(heights)]))
