"""A user's noise tried before it is simulated: whether its kicks have the mean zero and the variance that it states."""

import math
from typing import Any

import numpy as np

from simdyn.model.geometry import knows, minimum, saddle
from simdyn.model.noise import has_variance, kick, kick_at, variance, warn_unless_normal
from simdyn.model.vetting import is_users, is_users_kind, vetted, warn

TOLERANCE = (
    0.01  # of the deviation for the mean, of the variance for the second moment; beside the quadrature's own error
)
FURTHEST = math.sqrt(2.0 * 32.0 * math.log(2.0))  # the longest radius of a normal that is drawn
COARSE, FINE = (24, 48), (48, 192)  # radii and angles


def vet_noise(settled: Any, landscape: Any, point: np.ndarray) -> None:
    """Try a user's noise at a point (d,).

    Raises InvalidInput where a function fails or returns no number. Warns (ModelWarning) where it has a `kick` of its own
    whose mean is not zero or whose second moment is not `variance`, or which `is_gaussian` calls Gaussian and is not, and
    where a variance on the way out, of a landscape that knows its way, is negative or not finite: a kick there is not a
    number. A noise without a finite variance is not asked for it.
    """
    if not is_users(settled):
        return
    while not is_users_kind(type(settled)):  # a wrapper of ours around it
        settled = settled.noise
    x = np.asarray(point, dtype=float).reshape(-1, 1)
    wrong = [_wrong_on_the_way(settled, landscape), *(_wrong_kick(settled, landscape, x, j) for j in range(len(x)))]
    for told in filter(None, wrong):
        return warn(f"{type(settled).__name__}: {told}")
    warn_unless_normal(settled, landscape, point)


def _wrong_on_the_way(settled: Any, landscape: Any) -> str | None:
    if not (has_variance(settled) and knows(minimum, landscape) and knows(saddle, landscape)):
        return None
    bottom, top = minimum(landscape), saddle(landscape)
    for part in np.linspace(0.0, 1.0, 11):
        x = (bottom + part * (top - bottom))[:, None]
        for j in range(len(x)):
            found = _variance(settled, landscape, x, j)
            if not (math.isfinite(found) and found >= 0.0):
                return f"at {x[:, 0].tolist()} its variance is {found:.6g}, and a kick there is not a number"
    return None


def _wrong_kick(settled: Any, landscape: Any, x: np.ndarray, j: int) -> str | None:
    stated = _variance(settled, landscape, x, j)
    vetted(settled, "kick", lambda: kick(settled, landscape, x, j, 0, 1.0, 0.5))
    if not (kick.knows(type(settled)) and has_variance(settled) and math.isfinite(stated) and stated >= 0.0):
        return None
    (rough_mean, rough), (mean, second) = (_moments(settled, landscape, x, j, *points) for points in (COARSE, FINE))
    if not abs(mean) <= TOLERANCE * math.sqrt(stated) + abs(mean - rough_mean):
        return f"at {x[:, 0].tolist()} its kick's mean is {mean:.6g}, it must be 0"
    if not abs(second - stated) <= TOLERANCE * stated + abs(second - rough):
        return f"at {x[:, 0].tolist()} its kick's second moment is {second:.6g}, but its variance {stated:.6g}"
    return None


def _variance(settled: Any, landscape: Any, x: np.ndarray, j: int) -> float:
    return vetted(settled, "variance", lambda: variance(settled, landscape, x, j, 0))


def _moments(settled: Any, landscape: Any, x: np.ndarray, j: int, radii: int, angles: int) -> tuple[float, float]:
    """The mean and the mean square of a kick, over both parts of the normal: Gauss-Legendre in the radius, with the density
    r exp(-r^2/2), and equal steps in the angle."""
    points, weights = np.polynomial.legendre.leggauss(radii)
    r = FURTHEST / 2.0 * (1.0 + points)
    weights = weights * r * np.exp(-(r**2) / 2.0)
    trigs = np.cos(2.0 * np.pi * (np.arange(angles) + 0.5) / angles)
    kicks = np.array([[kick_at(settled, landscape, x, j, w, trig) for trig in trigs] for w in r**2], dtype=float)
    share = weights / (np.sum(weights) * angles)
    return float(share @ np.sum(kicks, 1)), float(share @ np.sum(kicks**2, 1))
