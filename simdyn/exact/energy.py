"""Mean first passage of the inertial equation at very low damping: the energy as the only, slow, variable.

Kramers (Physica 7, 284, 1940): friction and noise averaged over an orbit leave a diffusion of the energy, absorbed at
the barrier's. A particle is seen at the barrier once an orbit only, as a random walk is seen once a step: like that of
one, its boundary lies 0.5826 deviations of a step further out (Chernoff, Ann. Math. Stat. 36, 55, 1965), the first
correction, of order gamma^{1/2}. A check on `klein_kramers`, by another road.
"""

import math
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import erf

from simdyn.exact.inertial import motion_on
from simdyn.exact.line import FloatArray, Line, line_through
from simdyn.exact.result import Exact, scaled
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.records import InvalidInput

SEEN = 0.5825971579390107  # -zeta(1/2)/sqrt(2 pi)
POINTS = 60  # along half an orbit, at barriers up to ROUGH; above it as many as the narrower law at the bottom asks for
ROUGH = 50.0  # over T


def energy_first_passage(dynamics: Inertial, landscape: Any, noise: Any, boundary: Any, start: Any) -> Exact:
    """The mean first passage time from rest at `start` to the boundary, as gamma -> 0.

        tau = S exp(w R/S)/gamma,    S = Int_{E0}^{Eb} dE e^{E/T} N(E)/(T J(E)),    R = e^{Eb/T} N(Eb)/(T J(Eb)),
        J(E) = closed Int M r d theta,   N(E) = Int_{H < E} e^{-H/T} M dr d theta,   w = 0.5826 (2 gamma T J(Eb))^{1/2}

    E0 = L(start), Eb the highest L on the way. To first order in w this is the boundary moved by w; the exponential is
    what high barriers make of it (Mel'nikov and Meshkov, J. Chem. Phys. 85, 1018, 1986: with d = gamma J(Eb)/T their
    factor is d exp(-0.824 d^{1/2}) to 0.01 d^{3/2}). The error is tau (d T/(2 dL) + 0.01 d^{3/2}) and one crossing: at
    barriers of T to 15 T in a quartic double well the first term was found to be twice what is missing; it is not a bound.
    Standing: [D]. Raises InvalidInput where w exceeds 0.9 T, where the start is not in a well below the barrier, and as
    `inertial_first_passage`.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> light = Inertial(0.1, 1.0, 1e-5)
    >>> tau = energy_first_passage(light, DoubleWell(1, 1), ConstantNoise(4e-6), Beyond(0.0), -1.0)
    >>> round(1e-5 * float(tau), 2)
    35.76
    """
    return energy_diffusion(dynamics, line_through(landscape, noise, boundary, start))


def energy_diffusion(dynamics: Inertial, line: Line) -> Exact:
    """As `energy_first_passage`, of a problem on a line."""
    motion = motion_on(dynamics, line)
    bottom_grid = np.linspace(motion.low, motion.top, 4001)
    potential = motion.potential(bottom_grid)
    bottom = float(bottom_grid[np.argmin(potential)])
    begin = float(motion.potential(np.array([motion.line.start]))[0])
    slopes = np.diff(potential) * np.sign(bottom_grid[1:] - bottom)
    if not (begin < motion.barrier and bottom < motion.top and np.all(slopes[1:-1] >= -1e-9)):
        raise InvalidInput("the energy diffuses over a barrier: start must lie below it, in a well of one minimum")

    def height(place: float) -> float:
        return float(motion.potential(np.array([place]))[0])

    fine = math.ceil(POINTS * math.sqrt(max(1.0, motion.barrier / ROUGH)))
    rules = {points: np.polynomial.legendre.leggauss(points) for points in (fine, 2 * fine // 3)}

    def orbit(energy: float, points: int = fine) -> tuple[float, float]:
        """J and N over T and e^-floor, in thermal units: lengths, speeds over s."""
        gauss, shares = rules[points]
        left = optimize.brentq(lambda p: height(p) - energy, motion.low, bottom)
        right = motion.top
        if energy < height(motion.top):
            right = optimize.brentq(lambda p: height(p) - energy, bottom, motion.top)
        # theta = centre + half sin(angle): smooth where the speed has a square root.
        angle = gauss * math.pi / 2.0
        places = (left + right) / 2.0 + (right - left) / 2.0 * np.sin(angle)
        weights = shares * math.pi / 2.0 * (right - left) / 2.0 * np.cos(angle)
        above = np.maximum(energy - motion.potential(places), 0.0)
        action = 2.0 * float(weights @ np.sqrt(2.0 * above))
        below = math.sqrt(2.0 * math.pi) * float(weights @ (np.exp(-(energy - above)) * erf(np.sqrt(above))))
        return action, below

    def integrand(energies: FloatArray, points: int) -> FloatArray:
        found = [orbit(float(energy), points) for energy in energies]
        return np.array(
            [math.exp(energy - lift) * below / action for energy, (action, below) in zip(energies, found, strict=True)]
        )

    lift = motion.barrier if motion.barrier > 600.0 else 0.0  # beyond it times leave the doubles
    # In units of T, s and lengths the prefactor is 1/gamma and J carries one length over s.
    lowest = max(begin, height(bottom)) + 1e-9 * motion.barrier  # where the orbits are points nothing is lost
    slow, quick = (
        _integral(lambda energies, n=points: integrand(energies, n), lowest, motion.barrier, pieces)
        for pieces, points in ((12, fine), (8, 2 * fine // 3))
    )
    action, below = orbit(motion.barrier)
    width = SEEN * math.sqrt(2.0 * motion.damping * action / motion.speed)
    edge = math.exp(motion.barrier - lift) * below / action
    if width > 0.9 or width * edge > slow:
        raise InvalidInput("energy diffusion is for very low damping: ask for mean_first_passage")
    tau = slow * math.exp(width * edge / slow) / motion.damping
    last_orbit = (motion.line.end - motion.low) / motion.speed  # what averaging over orbits does not count
    loss = motion.damping * action / motion.speed
    missing = 0.5 * loss / motion.barrier + 0.01 * loss**1.5
    return scaled(tau, lift, float(missing + abs(slow - quick) / slow + last_orbit / tau * math.exp(-lift)))


def _integral(function: Any, low: float, high: float, pieces: int) -> float:
    """Gauss-Legendre on pieces that shrink towards both ends."""
    middle = (low + high) / 2.0
    shares = np.concatenate([[0.0], 0.25 ** np.arange(pieces - 1.0, -1.0, -1.0)])
    edges = np.concatenate([low + (middle - low) * shares, (high - (high - middle) * shares)[::-1][1:]])
    points, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(edges)[:, None] / 2.0
    return float(
        np.sum(half * weights * function((edges[:-1, None] + half * (1.0 + points)).ravel()).reshape(half.shape[0], -1))
    )
