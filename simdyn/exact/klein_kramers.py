"""Mean first passage of the inertial equation on a line: the backward Klein-Kramers equation in (theta, r).

A Galerkin method in the space weighted by the stationary law, on products of splines: the streaming is then exactly
antisymmetric and the friction exactly symmetric, so that nothing is damped but by the equation itself, and one method
serves every damping. Absorption holds on the outgoing half r > 0 of the boundary alone, where it enters as the natural
condition of the weak form. The solution is singular where r = 0 meets the boundary, of order |r|^{1/2} (Burkhardt, J.
Phys. A 26, L1157, 1993), so the splines become narrower towards that point. Splines that live where the energy is far
above the barrier are left out.

The matrix is nearly singular, by the rate of escape. The time common to the whole well is therefore split off: its
column and its row are sums of entries which cancel exactly everywhere but on the barrier, and are kept only there. High
barriers then keep their digits.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from simdyn.exact.line import BoolArray, FloatArray, Line, line_through, stretches
from simdyn.exact.result import Exact
from simdyn.exact.splines import Splines, positive_half, splines
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.landscapes import value
from simdyn.model.noise import SettledNoise
from simdyn.model.records import InvalidInput

LEVELS = (36, 54, 80, 110, 150)  # pieces across theta, and across r, level by level
TOLERANCE = 1e-5
POOREST = 0.01  # a relative error above it is refused
FREE = 3.0  # lengths of the problem in free paths, from which on the friction is strong
DEEP = 30.0  # so far below the barrier, over T, nobody returns: beyond it the boundary may as well be there
TAIL = 16.0  # energy above the barrier, over T, from which on e^-TAIL of the flux is given away


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


def inertial_first_passage(
    dynamics: Inertial, landscape: Any, noise: Any, boundary: Any, start: Any, momentum: float | str = 0.0
) -> Exact:
    """The mean first passage time of M dr = -gamma M d theta - L' dt + (2D)^{1/2} dW, d theta = r dt, to the boundary.

        r d tau/d theta - (gamma r + L'/M) d tau/dr + (D/M^2) d^2 tau/dr^2 = -1,    tau(end, r > 0) = 0

    dynamics: its dt plays no part; start: theta_0; momentum: M r_0, or "stationary": its thermal law. boundary: Beyond,
    at, before or after a saddle. The rest as `mean_first_passage`. Returns value and error, from the last two of up to
    five refinements. Standing: [D], exact but for that error. Reaches dampings gamma/omega from 1e-3 to 1e3 and beyond
    above, omega the frequency at the minimum; least exact at the lowest, where the layer about the separatrix is thin.
    Raises InvalidInput where 1 % is out of reach (very low damping with a high barrier), for noise that changes with
    theta, and as `mean_first_passage`.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> heavy = Inertial(dt=0.1, mass=1.0, damping=10.0)
    >>> tau = inertial_first_passage(heavy, DoubleWell(1, 1), ConstantNoise(10.0), Beyond(1.0), -1.0)
    >>> round(float(tau), 2)
    107.11
    """
    return klein_kramers(dynamics, line_through(landscape, noise, boundary, start), momentum)


def klein_kramers(dynamics: Inertial, line: Line, momentum: float | str = 0.0) -> Exact:
    """As `inertial_first_passage`, of a problem on a line."""
    motion = motion_on(dynamics, line)
    fastest = fastest_of(motion)
    if isinstance(momentum, str) and momentum != "stationary":
        raise InvalidInput(f"momentum must be a finite number or 'stationary', not {momentum!r}")
    scaled = math.nan if isinstance(momentum, str) else float(momentum) / (dynamics.mass * motion.speed)
    if not isinstance(momentum, str) and not abs(scaled) < fastest:
        raise InvalidInput(f"momentum must be a finite number, up to {fastest:.3g} times its thermal deviation here")
    previous = change = error = math.nan
    for pieces in LEVELS:
        tau = _solve(motion, places_of(motion, pieces), speeds_of(motion, pieces), scaled)
        if not math.isfinite(tau):
            break
        # The change before counts too: on its own, one change may be small by chance.
        before, change, previous = change, abs(tau - previous), tau
        error = max(change, before / 5.0)
        if error <= TOLERANCE * tau:
            break
    if not error <= POOREST * previous:
        raise InvalidInput(
            "the mean first passage of Inertial is not resolved to 1 % here: the damping is too low for so high a "
            "barrier, or the boundary lies too deep beyond it"
        )
    return Exact(previous, error + 2e-6 * previous)


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
    way, all_of_it = np.linspace(line.start, line.end, 2001), np.linspace(raw.low, line.end, 4001)
    raw = raw._replace(floor=float(np.min(raw.potential(all_of_it))))
    heights = raw.potential(way)
    deep = np.flatnonzero(heights[np.argmax(heights) :] > np.max(heights) - DEEP)[-1] + np.argmax(heights)
    if heights[-1] < np.max(heights) - DEEP:
        raw = raw._replace(line=line._replace(end=float(way[deep + 1])))
    return raw._replace(barrier=float(np.max(heights)), top=float(way[np.argmax(heights)]))


def places_of(motion: Motion, pieces: int) -> FloatArray:
    """Breaks in theta: somewhat denser where U is steep, geometrically closer towards the end and the barrier's top."""
    fine = np.linspace(motion.low, motion.line.end, 4001)
    steep = np.abs(np.gradient(motion.potential(fine), fine))
    length, climbs = fine[-1] - fine[0], float(np.sum(steep) * (fine[1] - fine[0]))
    density = 1.0 / length + 0.25 * steep / max(climbs, 1e-300)
    share = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2.0 * np.diff(fine))])
    base = np.interp(np.linspace(0.0, share[-1], pieces + 1), share, fine)
    finer, piece = 80.0 / pieces, length / pieces
    closest = 2e-4 * min(motion.speed / motion.damping, length) * finer**2
    breaks = [base, motion.joints, base[-1] - _geometric(base[-1] - base[-2], closest)]
    if motion.low < motion.top < motion.line.end - 0.1 * piece:
        near = _geometric(2.0 * piece, 0.0025 * length * finer)
        breaks += [motion.top + near, motion.top - near, np.array([motion.top])]
    every = np.unique(np.concatenate(breaks))
    every = every[(every >= motion.low) & (every <= motion.line.end)]
    return every[np.append(True, np.diff(every) > 1e-12 * length)]


def speeds_of(motion: Motion, pieces: int) -> FloatArray:
    """Breaks in u = r/speed: denser up to the speed that the barrier asks for, and geometrically closer towards 0."""
    climbing, fastest = 1.15 * math.sqrt(2.0 * motion.barrier), fastest_of(motion)
    dense = math.ceil(0.36 * pieces) if climbing < fastest and motion.barrier > 1.0 else 0
    base = np.linspace(climbing, fastest, pieces // 2 - dense + 1)
    if dense:
        base = np.concatenate([np.linspace(0.0, climbing, dense + 1)[1:], base[1:]])
    else:
        base = np.linspace(0.0, fastest, pieces // 2 + 1)[1:]
    positive = np.unique(np.concatenate([base, _geometric(base[0], 0.02 * 80.0 / pieces)]))
    return np.concatenate([-positive[::-1], [0.0], positive])


def fastest_of(motion: Motion) -> float:
    """The highest u that counts."""
    return math.sqrt(2.0 * (motion.barrier + TAIL))


def _geometric(longest: float, shortest: float) -> FloatArray:
    count = max(0, math.ceil(math.log(shortest / longest) / math.log(0.6)))
    return longest * 0.6 ** np.arange(1.0, count + 1.0)


class System(NamedTuple):
    """The weak form A tau = m on splines in theta (slow index) and u, and which of them are `kept`."""

    along: Splines
    across: Splines
    matrix: sparse.csr_array
    right: FloatArray
    kept: BoolArray


def assemble(motion: Motion, places: FloatArray, speeds: FloatArray) -> System:
    """-s (u d_theta - U' d_u) + gamma friction, weighted by e^{-U - u^2/2}, and the outflow at the end.

    With P_ij = Int e^{-U} b_i b_j' and Q the same in u, U' and u become derivatives of the weight, and the streaming is
    P^T x Q - P x Q^T, but for what leaves at the end.
    """
    along = splines(places, lambda points: -motion.potential(points))
    across = splines(speeds, lambda u: -0.5 * u * u)
    size = along.mass.shape[0]
    weight = math.exp(-float(motion.potential(places[-1:])[0]))
    end = sparse.csr_array(([weight], ([size - 1], [size - 1])), shape=(size, size))
    outflow = positive_half(across, lambda u: u * np.exp(-0.5 * u * u))
    streaming = sparse.kron(along.turn.T, across.turn) - sparse.kron(along.turn, across.turn.T)
    leaving = sparse.kron(end, outflow - across.turn)
    friction = sparse.kron(along.mass, across.stiffness)
    right = np.kron(along.mass.sum(0), across.mass.sum(0))
    energy = np.add.outer(motion.potential(along.centres), 0.5 * across.centres**2).ravel()
    matrix = motion.speed * (streaming + leaving) + motion.damping * friction
    # Under strong friction energy is exchanged more often than barriers are passed, and none may be cut away.
    heavy = motion.damping * (motion.line.end - motion.low) > FREE * motion.speed
    return System(along, across, sparse.csr_array(matrix), right, (energy < motion.barrier + TAIL) | heavy)


def _solve(motion: Motion, places: FloatArray, speeds: FloatArray, momentum: float) -> float:
    """tau at the start, with a given u, or its thermal law where that is nan."""
    system = assemble(motion, places, speeds)
    along, across = system.along, system.across
    width = across.mass.shape[0]
    inside = along.centres <= motion.top + 1e-9 * (motion.line.end - motion.low)
    common = np.repeat(inside, width)[system.kept]
    matrix = system.matrix[system.kept][:, system.kept]
    right = system.right[system.kept]
    column, row = _sums(system, common)
    lowest = int(np.argmin(np.where(inside, motion.potential(along.centres), np.inf)))
    pin = int(np.sum(system.kept[: lowest * width + width // 2]))
    others = np.delete(np.arange(len(right)), pin)
    scale = 1.0 / np.sqrt(np.kron(along.mass.diagonal(), across.mass.diagonal())[system.kept])[others]
    weigh = sparse.diags_array(scale)
    factors = splu(sparse.csc_array(weigh @ matrix[others][:, others] @ weigh))
    answers = scale[:, None] * factors.solve(scale[:, None] * np.stack([right, column], 1)[others])
    for_right, for_column = row[others] @ answers
    shared = (right @ common - for_right) / (column @ common - for_column)
    found = np.zeros(len(right))
    found[others] = answers[:, 0] - shared * answers[:, 1]
    tau = np.zeros(len(system.right))
    tau[system.kept] = found + shared * common
    law = across.mass.sum(0) / across.mass.sum() if math.isnan(momentum) else across.at(momentum)
    return float(along.at(motion.line.start) @ tau.reshape(-1, width) @ law)


def _sums(system: System, common: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Row and column sums over `common`: exactly zero where a spline overlaps with common ones only, and not the end."""
    whole, kept = system.matrix, system.kept
    pattern = sparse.csr_array((np.ones(whole.nnz), whole.indices, whole.indptr), shape=whole.shape)
    missing = np.ones(len(kept))
    missing[kept] = ~common
    missing = pattern @ missing
    missing[-system.across.mass.shape[0] :] = 1.0
    cancel, indicator = missing[kept] == 0.0, common.astype(float)
    matrix = whole[kept][:, kept]
    return np.where(cancel, 0.0, matrix @ indicator), np.where(cancel, 0.0, matrix.T @ indicator)
