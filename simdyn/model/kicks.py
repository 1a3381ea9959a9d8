"""A user's noise tried before it is simulated: whether its kicks have the mean zero and the variance that it states."""

import math
from typing import Any

import numpy as np

from simdyn.model.noise import has_variance, kick, variance
from simdyn.model.vetting import is_users, vetted, warn

TOLERANCE = 0.01  # of the deviation for the mean, of the variance for the second moment; beside the quadrature's own error
FURTHEST = math.sqrt(2.0 * 32.0 * math.log(2.0))  # the longest radius of a normal that is drawn
COARSE, FINE = (24, 48), (48, 192)  # radii and angles


def vet_noise(settled: Any, landscape: Any, point: np.ndarray) -> None:
    """Try a user's noise at a point (d,).

    Raises InvalidInput where a function fails or returns no number. Warns (ModelWarning) where it has a `kick` of its own whose
    mean is not zero or whose second moment is not `variance`. A noise without a finite variance is not asked for it.
    """
    if not is_users(settled):
        return
    x, name = np.asarray(point, dtype=float).reshape(-1, 1), type(settled).__name__
    for j in range(len(x)):
        stated = vetted(settled, "variance", lambda j=j: variance(settled, landscape, x, j, 0))
        vetted(settled, "kick", lambda j=j: kick(settled, landscape, x, j, 0, 1.0, 0.5))
        if not (kick.knows(type(settled)) and has_variance(settled) and math.isfinite(stated) and stated >= 0.0):
            continue
        rough, found = (_moments(settled, landscape, x, j, *points) for points in (COARSE, FINE))
        for moment, here, before, expected, size in (
            ("mean", found[0], rough[0], 0.0, math.sqrt(stated)),
            ("second moment", found[1], rough[1], stated, stated),
        ):
            if not abs(here - expected) <= TOLERANCE * size + abs(here - before):
                return warn(
                    f"{name}: at {x[:, 0].tolist()} its kick's {moment} is {here:.6g}"
                    + (", it must be 0" if moment == "mean" else f", but its variance {stated:.6g}")
                )


def _moments(settled: Any, landscape: Any, x: np.ndarray, j: int, radii: int, angles: int) -> tuple[float, float]:
    """The mean and the mean square of a kick, over both parts of the normal: Gauss-Legendre in the radius, with the density
    r exp(-r^2/2), and equal steps in the angle."""
    points, weights = np.polynomial.legendre.leggauss(radii)
    r = FURTHEST / 2.0 * (1.0 + points)
    weights = weights * r * np.exp(-(r**2) / 2.0)
    trigs = np.cos(2.0 * np.pi * (np.arange(angles) + 0.5) / angles)
    kicks = np.array([[kick(settled, landscape, x, j, 0, w, trig) for trig in trigs] for w in r**2], dtype=float)
    share = weights / (np.sum(weights) * angles)
    return float(share @ np.sum(kicks, 1)), float(share @ np.sum(kicks**2, 1))
