"""The Klein-Kramers equation in time: probabilities of bins of (theta, r), without sampling.

By splitting (Strang, SIAM J. Numer. Anal. 5, 506, 1968): drift along theta and force along r move the cells' content by
positive flux-conservative interpolation of third order (Filbet, Sonnendruecker and Bertrand, J. Comput. Phys. 172, 166,
2001); friction and noise act by the exponential of the finite volumes of Chang and Cooper (J. Comput. Phys. 6, 1,
1970), whose stationary law is Maxwell's. Every part keeps probabilities positive and their sum one. Second order in
the step and in the cells.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from simdyn.exact.generator import bernoulli, point_law
from simdyn.exact.line import FloatArray
from simdyn.model.arrays import numbers, point_of
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.landscapes import curvature, dimension, gradient, value
from simdyn.model.noise import SettledNoise, settle
from simdyn.model.records import InvalidInput, number

STEP = 0.15  # of the shorter of the times of friction and oscillation, at four cells a bin; inversely with more
MOST_STEPS = 20_000


class PhaseDensity(NamedTuple):
    """joint: probabilities of the bins, (T, theta bins, r bins); theta: summed over r, (T, theta bins); error, of joint,
    and theta_error: estimates, of the same shapes."""

    joint: FloatArray
    theta: FloatArray
    error: FloatArray
    theta_error: FloatArray


def phase_density(
    dynamics: Inertial,
    landscape: Any,
    noise: Any,
    start: float,
    times: ArrayLike,
    theta_edges: ArrayLike,
    r_edges: ArrayLike,
    momentum: float = 0.0,
    per_bin: int = 4,
) -> PhaseDensity:
    """Probability of each bin of (theta, r) at each of `times`, from theta = start and r = momentum/M at time 0.

        dP/dt = -d_theta(r P) + d_r([gamma r + L'/M] P) + (D/M^2) d_r^2 P          (paper, eq. 4)

    landscape: of one dimension; noise: 2D per unit time, the same everywhere; theta_edges, r_edges: equally spaced,
    wide enough to hold the particle: what reaches their ends stays in the last cell. per_bin: cells in a bin along each
    axis, even. Right after the start, while the density is narrower than a cell, errors are large, and said to be: the
    error is the change from a run with cells and steps twice as long. Standing: [P] eq. 4. Raises InvalidInput for
    anything else, and for more than 20,000 steps of (0.6/per_bin)/(gamma + omega), omega^2 = max |L''|/M between the
    edges.

    >>> from simdyn.model.landscapes import Quadratic
    >>> from simdyn.model.noise import ConstantNoise
    >>> half = [-6.0, 0.0, 6.0]
    >>> found = phase_density(Inertial(0.1), Quadratic((1.0,)), ConstantNoise(2.0), 0.0, [1.0], half, half, per_bin=40)
    >>> found.theta.round(6)
    array([[0.5, 0.5]])
    """
    spread = _constant_spread(dynamics, landscape, noise)
    places, speeds = _even("theta_edges", theta_edges), _even("r_edges", r_edges)
    at = np.atleast_1d(numbers("times", times, "finite numbers from 0"))
    if at.ndim != 1 or np.any(at < 0.0):
        raise InvalidInput("times must be finite numbers from 0")
    if not (isinstance(per_bin, int) and per_bin >= 2 and per_bin % 2 == 0):
        raise InvalidInput("per_bin must be an even whole number from 2")
    begin, speed = float(point_of("start", start, 1)[0]), number("momentum", momentum) / dynamics.mass
    if not (places[0] < begin < places[-1] and speeds[0] < speed < speeds[-1]):
        raise InvalidInput("start and momentum/mass must lie between the edges")
    fine, coarse = (
        _run(dynamics, landscape, spread, (begin, speed), at, (places, speeds), cells, 4.0 * STEP / cells)
        for cells in (per_bin, per_bin // 2)
    )
    rough, rough_theta = np.abs(fine - coarse), np.abs((fine - coarse).sum(2))
    return PhaseDensity(fine, fine.sum(2), rough + 1e-12, rough_theta + 1e-12)


def stationary_phase_density(
    dynamics: Inertial, landscape: Any, noise: Any, theta_edges: ArrayLike, r_edges: ArrayLike, per_bin: int = 16
) -> FloatArray:
    """Probability of each bin after all time, (theta bins, r bins), of all that lies between the edges.

        P ~ exp(-L/T - M r^2/(2 T)),    T = D/(gamma M)

    by the midpoint rule. Arguments, standing and what is raised: as `phase_density`.
    """
    temperature = _constant_spread(dynamics, landscape, noise) / (2.0 * dynamics.damping * dynamics.mass)
    places, speeds = _even("theta_edges", theta_edges), _even("r_edges", r_edges)
    x, r = _centres(places, per_bin), _centres(speeds, per_bin)
    heights = _along(value, landscape, x)
    laws = [np.exp(-(heights - heights.min()) / temperature), np.exp(-dynamics.mass * r**2 / (2.0 * temperature))]
    bins = [law.reshape(-1, per_bin).sum(1) / law.sum() for law in laws]
    return np.outer(bins[0], bins[1])


def _run(
    dynamics: Inertial,
    landscape: Any,
    spread: float,
    begin: tuple[float, float],
    times: FloatArray,
    edges: tuple[FloatArray, FloatArray],
    per_bin: int,
    fraction: float,
) -> FloatArray:
    x, r = _centres(edges[0], per_bin), _centres(edges[1], per_bin)
    dx, dr = x[1] - x[0], r[1] - r[0]
    force = -_along(gradient, landscape, x) / dynamics.mass
    omega = math.sqrt(float(np.max(np.abs(_along(curvature, landscape, x)))) / dynamics.mass)
    longest = fraction / (dynamics.damping + omega)
    if np.max(times, initial=0.0) > MOST_STEPS * longest:
        raise InvalidInput(f"the last time takes more than {MOST_STEPS} steps of {longest:.3g}: ask for an earlier one")
    thermal = _friction(r, dynamics.damping, spread / (2.0 * dynamics.mass**2))
    law = np.outer(point_law(x, begin[0]), point_law(r, begin[1]))
    found = np.empty((len(times), len(x), len(r)))
    reached = 0.0
    for place in np.argsort(times):
        span = times[place] - reached
        count = math.ceil(span / longest)
        if count:
            step = span / count
            mixing = linalg.expm(step * thermal)
            mixing = np.maximum(mixing, 0.0)
            mixing /= mixing.sum(1, keepdims=True)
            for _ in range(count):
                law = moved(law.T, r * step / (2.0 * dx)).T
                law = moved(law, force * step / (2.0 * dr)) @ mixing
                law = moved(law, force * step / (2.0 * dr))
                law = moved(law.T, r * step / (2.0 * dx)).T
        reached = times[place]
        found[place] = law
    bins = (len(edges[0]) - 1, per_bin, len(edges[1]) - 1, per_bin)
    return found.reshape(-1, *bins).sum(axis=(2, 4))


def moved(rows: FloatArray, cells: FloatArray) -> FloatArray:
    """Each row (n,) of content moved right by its number of cells; what arrives at an end stays in the last cell.

    Whole cells exactly, the rest by a parabola through three cells, its slopes limited where it would turn negative.
    """
    whole = np.floor(cells)
    rest = (cells - whole)[:, None]
    count, size = rows.shape
    target = np.clip(np.arange(size) + whole[:, None].astype(int), 0, size - 1) + size * np.arange(count)[:, None]
    content = np.asarray(np.bincount(target.ravel(), rows.ravel(), count * size), np.float64).reshape(count, size)
    ahead = np.diff(content, axis=1, append=0.0)
    behind = np.diff(content, axis=1, prepend=0.0)
    ahead = np.minimum(ahead, 2.0 * content)
    behind = np.maximum(behind, -2.0 * content)
    flux = rest * (content + (1.0 - rest) / 6.0 * ((2.0 - rest) * ahead + (1.0 + rest) * behind))
    flux[:, -1] = 0.0
    content -= flux
    content[:, 1:] += flux[:, :-1]
    return content


def _friction(r: FloatArray, damping: float, diffusion: float) -> FloatArray:
    """Rates (n, n) of d_r(gamma r P + (D/M^2) d_r P) on cells, from row to column."""
    spacing = r[1] - r[0]
    rise = damping * np.diff(r**2) / (2.0 * diffusion)
    up, down = diffusion / spacing**2 * bernoulli(rise), diffusion / spacing**2 * bernoulli(-rise)
    rates = np.diag(up, 1) + np.diag(down, -1) - np.diag(np.append(up, 0.0) + np.append(0.0, down))
    return np.asarray(rates, dtype=np.float64)


def _constant_spread(dynamics: Any, landscape: Any, noise: Any) -> float:
    if not isinstance(dynamics, Inertial) or dimension(landscape) != 1:
        raise InvalidInput("a density in phase space is that of Inertial, on a landscape of one dimension")
    settled = settle(noise, landscape)
    if not isinstance(settled, SettledNoise) or not settled.deviation[0] > 0.0:
        raise InvalidInput("a density in phase space needs noise that is the same everywhere and does not vanish")
    return float(settled.deviation[0]) ** 2


def _even(name: str, edges: ArrayLike) -> FloatArray:
    places = numbers(name, edges, "at least two increasing numbers, equally spaced")
    widths = np.diff(places) if places.ndim == 1 else np.zeros(0)
    if widths.size == 0 or not widths[0] > 0.0 or not np.allclose(widths, widths[0]):
        raise InvalidInput(f"{name} must be at least two increasing numbers, equally spaced")
    return places


def _centres(edges: FloatArray, per_bin: int) -> FloatArray:
    count = per_bin * (len(edges) - 1)
    return edges[0] + (edges[-1] - edges[0]) * (np.arange(count) + 0.5) / count


def _along(function: Any, landscape: Any, points: FloatArray) -> FloatArray:
    x = points.reshape(1, -1)
    arguments = () if function is value else (0,)
    return np.array([function(landscape, x, *arguments, i) for i in range(len(points))], dtype=float)
