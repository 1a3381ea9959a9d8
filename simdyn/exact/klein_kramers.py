"""Mean first passage of the inertial equation on a line: the backward Klein-Kramers equation in (theta, y).

A Galerkin method in the space weighted by the stationary law, on products of splines in theta and in y = u/s(theta), the
velocity in units of the separatrix's (`separatrix`): the streaming is then exactly antisymmetric and the friction exactly
symmetric, so that nothing is damped but by the equation itself, and one method serves every damping. Absorption holds on
the outgoing half u > 0 of the boundary alone, where it enters as the natural condition of the weak form. The solution is
singular where u = 0 meets the boundary, of order |u|^{1/2} (Burkhardt, J. Phys. A 26, L1157, 1993), so the splines become
narrower towards that point. Splines that live where the energy is far above the barrier are left out.

The matrix is nearly singular, by the rate of escape. The time common to the whole well is therefore split off: its
column and its row are sums of entries which cancel exactly everywhere but on the barrier, and are kept only there. High
barriers then keep their digits.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from simdyn.exact.inertial import TAIL, motion_on
from simdyn.exact.line import BoolArray, FloatArray, Line, line_through
from simdyn.exact.result import Exact
from simdyn.exact.separatrix import Separatrix, places_of, separatrix_of, speeds_of
from simdyn.exact.splines import LIVING, Splines, splines
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.records import InvalidInput, number

IntArray = NDArray[np.int32]

LEVELS = (32, 45, 64, 90, 120)  # how fine the breaks are, level by level
HOPELESS_FROM = 64  # pieces from which on a change of 30 % will not be made good by the last levels
TOLERANCE = 2e-5  # relative error aimed at
SPARES = {90: 1e-4, 120: 2e-3}  # relative errors that spare the last levels, which are most of the work
POOREST = 0.01  # a relative error above it is refused
FREE = 3.0  # lengths of the problem in free paths, from which on the friction is strong
POINTS = 10  # of quadrature on each piece
LEAST_LOSS = 2e-3  # of energy in an orbit, over T: with less the error is no longer what refining shows
HIGHEST_BARRIER = 600.0  # over T
LEAST_SCALE = 1e-150  # its square, a weight e^{-energy}, is still a double
MARGIN = 3.0  # energy, over T, that a start must have less than what is looked at


def inertial_first_passage(
    dynamics: Inertial, landscape: Any, noise: Any, boundary: Any, start: Any, momentum: float | str = 0.0
) -> Exact:
    """The mean first passage time of M dr = -gamma M d theta - L' dt + (2D)^{1/2} dW, d theta = r dt, to the boundary.

        r d tau/d theta - (gamma r + L'/M) d tau/dr + (D/M^2) d^2 tau/dr^2 = -1,    tau(end, r > 0) = 0

    dynamics: its dt plays no part; start: theta_0; momentum: M r_0, or "stationary": its thermal law. boundary: Beyond,
    at, before or after a saddle. The rest as `mean_first_passage`. Returns value and error, from the last two of up to
    five refinements. Standing: [D], exact but for that error. Reaches dampings gamma/omega from 1e-3 to 1e3 and beyond
    above, omega the frequency at the minimum, mostly to 1e-4, at barriers from T to 30 T and more. Raises InvalidInput
    where friction takes less than 2e-3 T from an orbit at the barrier (`energy_first_passage` is exact there), where 1 %
    is out of reach, for noise that changes with theta, and as `mean_first_passage`.

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
    loss = motion.loss()
    if loss < LEAST_LOSS:
        raise InvalidInput(
            f"the damping is too low for phase space to be resolved: an orbit loses {loss:.1e} T of energy, and below "
            f"{LEAST_LOSS:g} T energy_first_passage is the answer"
        )
    if isinstance(momentum, str) and momentum != "stationary":
        raise InvalidInput(f"momentum must be a finite number or 'stationary', not {momentum!r}")
    scaled = math.nan if isinstance(momentum, str) else number("momentum", momentum) / (dynamics.mass * motion.speed)
    fastest = math.sqrt(2.0 * (motion.barrier + TAIL - MARGIN - float(motion.potential(np.array([line.start]))[0])))
    if not isinstance(momentum, str) and not abs(scaled) < fastest:
        raise InvalidInput(f"momentum must be a finite number, up to {fastest:.3g} times its thermal deviation here")
    if motion.barrier > HIGHEST_BARRIER:
        raise InvalidInput(
            f"Inertial: the barrier is {motion.barrier:.3g} temperatures, and phase space is resolved up to "
            f"{HIGHEST_BARRIER:g}, beyond which its law leaves the doubles; lower it, or ask for theory.escape_time"
        )
    separatrix = separatrix_of(motion)
    previous = change = error = math.nan
    for pieces in LEVELS:
        if error <= SPARES.get(pieces, 0.0) * previous:
            break
        tau = _solve(separatrix, pieces, scaled)
        if not math.isfinite(tau):
            break
        # The change before counts too: on its own, one change may be small by chance.
        before, change, previous = change, abs(tau - previous), tau
        error = max(change, before / 3.0)
        if error <= TOLERANCE * tau or (pieces >= HOPELESS_FROM and change > 0.3 * tau):
            break
    if not error <= POOREST * previous:
        raise InvalidInput(
            "the mean first passage of Inertial is not resolved to 1 % here: the damping is too low for so high a "
            "barrier, or the landscape has too much detail or too heavy a tail"
        )
    return Exact(previous, error + 2e-6 * previous)


class System(NamedTuple):
    """The weak form A tau = m on splines in theta (slow index) and y, and which of them are `kept`.

    scale: root of the diagonal of the mass matrix.
    """

    along: Splines
    across: Splines
    matrix: sparse.csr_array
    right: FloatArray
    scale: FloatArray
    kept: BoolArray


def assemble(separatrix: Separatrix, places: FloatArray, speeds: FloatArray) -> System:
    """-X tau + gamma friction, weighted by e^{-U - u^2/2} du d theta, and the outflow at the end.

    X = speed (u d_theta - U' d_u) is y s d_theta - (y^2 s' + U'/s) d_y in (theta, y). It conserves the weight, so that

        -Int w phi X tau = 1/2 Int w (tau X phi - phi X tau) - 1/2 Int_end u w phi tau du

    and with tau = 0 where u > 0 the last term is + 1/2 Int_end |u| w phi tau du.
    """
    motion = separatrix.motion
    along, across = splines(places, POINTS), splines(speeds, POINTS)
    count, each = along.points.shape
    theta, y = along.points.ravel(), across.points[:, None, :]
    s, potential = separatrix.speed(theta)[:, None], motion.potential(theta)[:, None]
    weight = np.exp(-potential - 0.5 * (y * s) ** 2)  # (pieces of y, points of theta, points of y)

    def over_speeds(factor: FloatArray, pairs: FloatArray) -> FloatArray:
        return ((weight * factor) @ pairs).reshape(-1, count, each, LIVING**2).swapaxes(0, 1)

    def over_both(pairs: FloatArray, blocks: FloatArray) -> FloatArray:
        shape = (count, len(across.points), *[LIVING] * 4)
        return (pairs.swapaxes(1, 2)[:, None] @ blocks).reshape(shape)  # theta's pair, then y's

    here, turn = along.products(along.values, along.values), across.products(across.values, across.slopes)
    bend = y**2 * s * separatrix.slope(theta)[:, None] + motion.potential_slope(theta)[:, None]
    streaming = over_both(
        along.products(along.values, along.slopes),
        over_speeds(y * s**2, across.products(across.values, across.values)),
    ) - over_both(here, over_speeds(bend, turn))
    friction = over_both(here, over_speeds(1.0 / s, across.products(across.slopes, across.slopes)))
    swapped = streaming.transpose(0, 1, 3, 2, 5, 4)
    blocks = 0.5 * motion.speed * (swapped - streaming) + motion.damping * friction

    def integrals(first: FloatArray, second: FloatArray) -> FloatArray:
        part = (weight * s) @ (second * across.weights[:, :, None])  # (pieces of y, points of theta, 4)
        part = part.reshape(-1, count, each, LIVING).swapaxes(0, 1)
        share = (first * along.weights[:, :, None]).swapaxes(1, 2)[:, None] @ part
        rows = _numbers(along, across)
        return np.asarray(np.bincount(rows.ravel(), share.ravel(), along.size * across.size), dtype=float)

    matrix = _gathered(blocks, along, across) + motion.speed * _outflow(separatrix, along, across)
    energy = np.add.outer(motion.potential(along.centres), np.zeros(across.size))
    energy += 0.5 * np.multiply.outer(separatrix.speed(along.centres), across.centres) ** 2
    # Under strong friction energy is exchanged more often than barriers are passed, and none may be cut away.
    heavy = motion.damping * motion.length > FREE * motion.speed
    scale = np.sqrt(integrals(along.values**2, across.values**2))
    return System(
        along,
        across,
        sparse.csr_array(matrix),
        integrals(along.values, across.values),
        scale,
        ((energy.ravel() < motion.barrier + TAIL) | heavy) & (scale > LEAST_SCALE),
    )


def _numbers(along: Splines, across: Splines) -> IntArray:
    """Numbers of the products that live on each piece of (theta, y), (pieces, pieces, 4, 4)."""
    return (along.living()[:, None, :, None] * across.size + across.living()[None, :, None, :]).astype(np.int32)


def _gathered(blocks: FloatArray, along: Splines, across: Splines) -> sparse.csr_array:
    """The matrix of all splines from what each piece of (theta, y) adds for those that live on it."""
    number = _numbers(along, across)
    rows = np.broadcast_to(number[:, :, :, None, :, None], blocks.shape)
    columns = np.broadcast_to(number[:, :, None, :, None, :], blocks.shape)
    size = along.size * across.size
    return sparse.csr_array(sparse.coo_array((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(size, size)))


def _outflow(separatrix: Separatrix, along: Splines, across: Splines) -> sparse.csr_array:
    """1/2 Int_end |u| w phi tau du: the last spline in theta alone is not zero at the end."""
    end = along.knots[-1:]
    s, potential = float(separatrix.speed(end)[0]), float(separatrix.motion.potential(end)[0])
    flux = 0.5 * s**2 * np.abs(across.points) * np.exp(-potential - 0.5 * (s * across.points) ** 2)
    pairs = across.products(across.values, across.values)
    last = sparse.csr_array(([1.0], ([along.size - 1], [along.size - 1])), shape=(along.size, along.size))
    return sparse.csr_array(sparse.kron(last, across.gathered((flux[:, None, :] @ pairs)[:, 0])))


def _solve(separatrix: Separatrix, pieces: int, momentum: float) -> float:
    """tau at the start, with a given u, or its thermal law where that is nan."""
    motion = separatrix.motion
    system = assemble(separatrix, places_of(separatrix, pieces), speeds_of(separatrix, pieces))
    along, across = system.along, system.across
    width = across.size
    inside = along.centres <= motion.top + 1e-9 * motion.length
    common = np.repeat(inside, width)[system.kept]
    matrix = system.matrix[system.kept][:, system.kept]
    right = system.right[system.kept]
    column, row = _sums(system, common)
    lowest = int(np.argmin(np.where(inside, motion.potential(along.centres), np.inf)))
    pin = int(np.sum(system.kept[: lowest * width + width // 2]))
    others = np.delete(np.arange(len(right)), pin)
    scale = 1.0 / system.scale[system.kept][others]
    weigh = sparse.diags_array(scale)
    factors = splu(sparse.csc_array(weigh @ matrix[others][:, others] @ weigh))
    answers = scale[:, None] * factors.solve(scale[:, None] * np.stack([right, column], 1)[others])
    for_right, for_column = row[others] @ answers
    shared = (right @ common - for_right) / (column @ common - for_column)
    found = np.zeros(len(right))
    found[others] = answers[:, 0] - shared * answers[:, 1]
    tau = np.zeros(len(system.right))
    tau[system.kept] = found + shared * common
    s = float(separatrix.speed(np.array([motion.line.start]))[0])
    law = _thermal(across, s) if math.isnan(momentum) else across.at(momentum / s)
    return float(along.at(motion.line.start) @ tau.reshape(-1, width) @ law)


def _thermal(across: Splines, s: float) -> FloatArray:
    """The mean of each spline over the law e^{-u^2/2}, u = y s."""
    law = across.weights * np.exp(-0.5 * (s * across.points) ** 2)
    share = law[:, None, :] @ across.values
    return np.asarray(np.bincount(across.living().ravel(), share.ravel(), across.size) / np.sum(law))


def _sums(system: System, common: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Row and column sums over `common`: exactly zero where a spline overlaps with common ones only, and not the end."""
    whole, kept = system.matrix, system.kept
    pattern = sparse.csr_array((np.ones(whole.nnz), whole.indices, whole.indptr), shape=whole.shape)
    missing = np.ones(len(kept))
    missing[kept] = ~common
    missing = pattern @ missing
    missing[-system.across.size :] = 1.0
    cancel, indicator = missing[kept] == 0.0, common.astype(float)
    matrix = whole[kept][:, kept]
    return np.where(cancel, 0.0, matrix @ indicator), np.where(cancel, 0.0, matrix.T @ indicator)
