"""Where to look for the mean first passage of the inertial equation: velocities in units of the separatrix's own.

In y = u/s(theta) the orbit that just reaches the barrier lies along y = +-1. Under weak friction the solution changes
from one side of it to the other within (2 loss)^{1/2} T of energy, all along it; in (theta, u) no product of two grids can
follow that, in (theta, y) breaks that are close near y = +-1 do.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid, trapezoid

from simdyn.exact.inertial import TAIL, Motion
from simdyn.exact.line import FloatArray

# Of the energy lost in an orbit: more is not along the separatrix, less bends too sharply where it turns.
ROUNDING = 0.1
LEAST_ROUNDING, MOST_ROUNDING = 0.005, 5.0  # over T
ALONG, ACROSS = 1.6, 0.7  # breaks in theta, and in y > 0, per piece asked for


class Separatrix(NamedTuple):
    """s(theta) = (2c + q + (q^2 + 4c^2)^{1/2})^{1/2}, q = barrier - U: the speed (2q)^{1/2}, rounded by c where it ends."""

    motion: Motion
    rounding: float

    def speed(self, points: FloatArray) -> FloatArray:
        spare = self.motion.barrier - self.motion.potential(points)
        return np.sqrt(2.0 * self.rounding + spare + np.hypot(spare, 2.0 * self.rounding))

    def slope(self, points: FloatArray) -> FloatArray:
        """ds/d theta."""
        spare = self.motion.barrier - self.motion.potential(points)
        turn = 1.0 + spare / np.hypot(spare, 2.0 * self.rounding)
        return -self.motion.potential_slope(points) * turn / (2.0 * self.speed(points))


def separatrix_of(motion: Motion) -> Separatrix:
    return Separatrix(motion, min(max(ROUNDING * motion.loss(), LEAST_ROUNDING), MOST_ROUNDING))


class Crowd(NamedTuple):
    """Breaks ever closer towards a place, in proportion to the distance, down to `narrow`; share: over that of the rest."""

    share: float
    place: float
    narrow: float


def places_of(separatrix: Separatrix, pieces: int) -> FloatArray:
    """Breaks in theta: somewhat closer where U is steep, and towards the end, the barrier's top and the turning point."""
    motion = separatrix.motion
    end, length, fine = motion.line.end, motion.length, motion.fine()
    spare, steep = motion.barrier - motion.potential(fine), np.abs(motion.potential_slope(fine))
    crowds = [Crowd(0.3, end, 2e-4 * min(motion.speed / motion.damping, length))]
    if motion.top < end - 0.01 * length:
        below = np.abs(fine - motion.top)[spare > separatrix.rounding]
        crowds.append(Crowd(0.7, motion.top, float(np.min(below, initial=0.01 * length))))
    turning = int(np.argmax(spare > 0.0))  # on the left
    if turning > 0:
        narrow = 0.5 * separatrix.rounding / max(float(steep[turning]), 1.0 / length)
        crowds.append(Crowd(0.5, float(fine[turning]), narrow))
    points = _with_crowds(fine, crowds)
    climbs = np.interp(points, fine, steep)
    base = 1.0 / length + 0.25 * climbs / max(float(trapezoid(climbs, points)), 1e-300)
    breaks = _spread(points, _density(points, base, crowds), round(ALONG * pieces))
    every = np.unique(np.concatenate([breaks, motion.joints]))
    return every[np.append(True, np.diff(every) > 1e-12 * length)]


def speeds_of(separatrix: Separatrix, pieces: int) -> FloatArray:
    """Breaks in y: as close as u asks for where each y is reached, and closer towards 0 and +-1."""
    motion = separatrix.motion
    fine = motion.fine()
    speed = separatrix.speed(fine)
    reached = np.sqrt(2.0 * np.maximum(motion.barrier + TAIL - motion.potential(fine), 0.0)) / speed
    order = np.argsort(reached)[::-1]
    fastest = np.maximum.accumulate(speed[order])  # the highest s of the places that such a y is reached at
    layer = 0.5 * math.sqrt(2.0 * motion.loss()) / max(2.0 * motion.barrier, 1.0)
    crowds = [Crowd(1.5, 1.0, layer), Crowd(0.3, 0.0, 0.1 / float(speed[-1]))]
    y = _with_crowds(np.linspace(0.0, 1.01 * float(np.max(reached)), 4001), crowds)
    count = np.searchsorted(-reached[order], -y, side="right")
    base = fastest[np.maximum(count - 1, 0)]
    positive = _spread(y, _density(y, base, crowds), round(ACROSS * pieces))[1:]
    return np.concatenate([-positive[::-1], [0.0], positive])


def _with_crowds(points: FloatArray, crowds: list[Crowd]) -> FloatArray:
    """Points in order, and more of them near each place."""
    low, high = points[0], points[-1]
    near = [crowd.narrow * np.geomspace(0.01, 1.0 + (high - low) / crowd.narrow, 1000) for crowd in crowds]
    more = [crowd.place + np.concatenate([-off, off]) for crowd, off in zip(crowds, near, strict=True)]
    every = np.unique(np.concatenate([points, *more]))
    return every[(every >= low) & (every <= high)]


def _density(points: FloatArray, base: FloatArray, crowds: list[Crowd]) -> FloatArray:
    """Of breaks: each part smooth, so that more pieces are finer everywhere."""
    total = base / trapezoid(base, points)
    for share, place, narrow in crowds:
        near = 1.0 / (np.abs(points - place) + narrow)
        total = total + share * near / trapezoid(near, points)
    return total


def _spread(points: FloatArray, density: FloatArray, pieces: int) -> FloatArray:
    share = cumulative_trapezoid(density, points, initial=0.0)
    return np.interp(np.linspace(0.0, share[-1], pieces + 1), share, points)
