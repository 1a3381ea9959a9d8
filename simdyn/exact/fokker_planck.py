"""The Fokker-Planck equation of one-dimensional overdamped motion, in time: probabilities of bins, without sampling.

Finite volumes with the fluxes of Scharfetter and Gummel (IEEE Trans. Electron Devices 16, 64, 1969; Chang and Cooper,
J. Comput. Phys. 6, 1, 1970): probabilities stay positive, their sum stays one, and the stationary law is the exact one.
The resulting birth-death matrix is similar to a symmetric one, so its exponential is taken exactly and time has no
step.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from simdyn.model.arrays import numbers, point_of
from simdyn.model.landscapes import dimension, value
from simdyn.model.noise import settle_gaussian, variance
from simdyn.model.records import InvalidInput

_CELLS = 1200  # of the coarser of the two grids
_STEEPEST = 40.0  # the domain ends where the stationary density has fallen by exp(-40)

Array = NDArray[np.float64]


def cell_probabilities(
    landscape: Any, noise: Any, start: float | ArrayLike, times: ArrayLike, edges: ArrayLike
) -> Array:
    """Probability of each bin between `edges` at each of `times`, (times, bins), for a particle that was at `start` at
    time 0.

        dP/dt = d/dx (P dL/dx) + d^2/dx^2 (D P)          (paper, eq. 2, in one dimension; Ito)

    noise: read as 2D per unit time. edges: equally spaced; probability outside them is not reported, but not lost
    either. Extrapolated from two grids; second order in the cell before, fourth after, in bins much wider than a cell.
    Raises InvalidInput in more than one dimension, for unequal bins and where D vanishes.

    >>> from simdyn.model.landscapes import Quadratic
    >>> from simdyn.model.noise import ConstantNoise
    >>> halves = cell_probabilities(Quadratic((1.0,)), ConstantNoise(2.0), 0.0, [1.0], [-20.0, 0.0, 20.0])
    >>> [round(float(share), 6) for share in halves[0]]
    [0.5, 0.5]
    """
    if dimension(landscape) != 1:
        raise InvalidInput("the Fokker-Planck equation is solved in one dimension; give a landscape of one coordinate")
    places = numbers("edges", edges, "at least two increasing numbers, equally spaced")
    at = np.atleast_1d(numbers("times", times, "finite numbers from 0"))
    widths = np.diff(places) if places.ndim == 1 else np.zeros(0)
    if widths.size == 0 or widths[0] <= 0.0 or not np.allclose(widths, widths[0]):
        raise InvalidInput("edges must be at least two increasing numbers, equally spaced")
    if at.ndim != 1 or np.any(at < 0.0):
        raise InvalidInput("times must be finite numbers from 0")
    origin = float(point_of("start", start, 1)[0])
    settled = settle_gaussian(noise, landscape)
    low, high = _domain(landscape, settled, origin, places)
    fine_enough = max(1, round(_CELLS * widths[0] / (high - low)))
    coarse, fine = (_solve(landscape, settled, origin, at, places, low, high, n * fine_enough) for n in (1, 2))
    return np.clip(fine + (fine - coarse) / 3.0, 0.0, 1.0)


def _solve(
    landscape: Any, noise: Any, origin: float, times: Array, edges: Array, low: float, high: float, per_bin: int
) -> Array:
    width = (edges[1] - edges[0]) / per_bin
    left = int(np.ceil((edges[0] - low) / width))
    right = int(np.ceil((high - edges[-1]) / width))
    inside = per_bin * (edges.size - 1)
    centres = edges[0] + width * (np.arange(-left, inside + right) + 0.5)
    potential = _potential(landscape, noise, centres)
    diffusion = _diffusion(landscape, noise, centres[:-1] + width / 2.0)
    rise = np.diff(potential)
    up, down = diffusion / width**2 * _bernoulli(rise), diffusion / width**2 * _bernoulli(-rise)
    # The generator G: up[n] from cell n to n + 1, down[n] back. S = W^{-1} G W with W^2 the stationary law is symmetric.
    rates, modes = linalg.eigh_tridiagonal(-np.append(up, 0.0) - np.append(0.0, down), np.sqrt(up * down))
    logs = -(potential - potential.min()) / 2.0
    place = (origin - centres[0]) / width
    cell = int(np.clip(np.floor(place), 0, centres.size - 2))
    share = np.clip(place - cell, 0.0, 1.0)
    # A point between two centres is shared by them so that its mean is kept.
    shape = np.zeros((times.size, centres.size))
    for weight, n in ((1.0 - share, cell), (share, cell + 1)):
        if weight > 0.0:
            decay = np.exp(np.outer(times, np.minimum(rates, 0.0))) * modes[n]
            shape += weight * np.exp(logs - logs[n]) * (decay @ modes.T)
    return shape[:, left : left + inside].reshape(times.size, -1, per_bin).sum(axis=2)


def _bernoulli(rise: Array) -> Array:
    """x/(e^x - 1), 1 at x = 0."""
    small = np.abs(rise) < 1e-8
    safe = np.where(small, 1.0, rise)
    return np.where(small, 1.0 - rise / 2.0, safe / np.expm1(safe))


def _row(points: Array) -> Array:
    return np.asarray(points, dtype=float).reshape(1, -1)


def _diffusion(landscape: Any, noise: Any, points: Array) -> Array:
    x = _row(points)
    return np.array([variance(noise, landscape, x, 0, i) for i in range(points.size)]) / 2.0


def _potential(landscape: Any, noise: Any, points: Array) -> Array:
    """-log of the stationary density up to a constant: the integral of L'/D, plus log D (Ito)."""
    x = _row(points)
    heights = np.array([value(landscape, x, i) for i in range(points.size)])
    diffusion = _diffusion(landscape, noise, points)
    between = _diffusion(landscape, noise, (points[1:] + points[:-1]) / 2.0)
    spread = np.concatenate([diffusion, between])
    if not np.all((spread > 0.0) & np.isfinite(spread)):
        raise InvalidInput("the noise vanishes or is not finite on the way: give it a floor")
    return np.concatenate([[0.0], np.cumsum(np.diff(heights) / between)]) + np.log(diffusion)


def _domain(landscape: Any, noise: Any, origin: float, edges: Array) -> tuple[float, float]:
    """Far enough out on both sides that nothing ever gets there."""
    ends = [min(float(edges[0]), origin), max(float(edges[-1]), origin)]
    step = (ends[1] - ends[0]) / 50.0
    probe = np.linspace(ends[0], ends[1], 201)
    for side, direction in ((0, -1.0), (1, 1.0)):
        for _ in range(500):
            across = np.linspace(probe[np.argmin(_potential(landscape, noise, probe))], ends[side], 400)
            path = _potential(landscape, noise, across)
            if path[-1] - path[0] > _STEEPEST:
                break
            ends[side] += direction * step
            step *= 1.02
        else:
            raise InvalidInput("the landscape does not confine the particle: its density has no end to compute to")
    return ends[0], ends[1]
