"""Mean first passage of the overdamped equation on a line, by quadrature of the double integral."""

import math
from collections.abc import Callable

import numpy as np

from simdyn.exact.line import GAUSS_POINTS, GAUSS_WEIGHTS, FloatArray, Line, stretches
from simdyn.exact.result import Exact
from simdyn.model.records import InvalidInput

HEIGHT = 45.0  # e^-45 is what the cut on the left may cost
TOLERANCE = 1e-11
FINEST = 5  # halvings of the panels


def _running_weights() -> FloatArray:
    """Row i integrates the polynomial through the Gauss points from -1 to point i."""
    order = len(GAUSS_POINTS)
    values = np.polynomial.legendre.legvander(GAUSS_POINTS, order)
    degrees = np.arange(1, order)
    integrals = np.empty((order, order))
    integrals[:, 0] = GAUSS_POINTS + 1.0
    integrals[:, 1:] = (values[:, degrees + 1] - values[:, degrees - 1]) / (2 * degrees + 1)
    return integrals @ (values[:, :order] * (np.arange(order) + 0.5)).T * GAUSS_WEIGHTS


RUNNING_WEIGHTS = _running_weights()


def quadrature(line: Line, convention: float) -> Exact:
    """Mean first passage of d theta = -L' dt + (2 D(theta))^{1/2} dW from start to end, in time.

        tau = Int_{start}^{end} dy e^{Phi(y)} D(y)^{-alpha} K(y),    K(y) = Int_{-inf}^{y} dz e^{-Phi(z)}
        D(z)^{alpha-1}, Phi' = L'/D

    convention: alpha, 0 Ito, 1/2 Stratonovich, 1 Klimontovich; D is half the noise's variance. e^Phi K is carried from
    panel to panel as one number, so that nothing overflows before tau does. The error is the change on the last halving
    of the panels, and rounding. Raises InvalidInput where tau exceeds the largest double, or the halvings do not
    settle.
    """

    def potential_slope(points: FloatArray) -> FloatArray:
        return 2.0 * line.slope(points) / line.variance(points)

    meshes = stretches(line, potential_slope, HEIGHT).meshes
    previous = math.nan
    for level in range(FINEST + 1):
        tau, climb = _integrate(line, _panels(meshes, line.start, potential_slope, 2**level), convention)
        if not math.isfinite(tau):
            raise InvalidInput("the mean first passage time exceeds what a double holds: lower the barrier")
        change = abs(tau - previous)
        if change <= TOLERANCE * tau:
            break
        previous = tau
    return Exact(tau, change + 1e-15 * (10.0 + climb) * tau)


def _panels(
    meshes: list[FloatArray], start: float, slope: Callable[[FloatArray], FloatArray], parts: int
) -> FloatArray:
    """Edges of panels, none across a bend or the start, over each of which Phi changes by about 1/parts at most."""
    edges = np.unique(np.concatenate([*meshes, [start]]))
    width = np.diff(edges)
    steepness = np.maximum(np.abs(slope(edges[:-1] + 0.01 * width)), np.abs(slope(edges[1:] - 0.01 * width)))
    count = parts * np.maximum(1, np.ceil(steepness * width)).astype(int)
    fractions = [np.arange(number) / number for number in count]
    return np.append(np.repeat(edges[:-1], count) + np.concatenate(fractions) * np.repeat(width, count), edges[-1])


def _integrate(line: Line, edges: FloatArray, convention: float) -> tuple[float, float]:
    """tau, and the sum of |Phi'| dx: by how many powers of e rounding errors were multiplied at most."""
    half = np.diff(edges)[:, None] / 2.0
    points = edges[:-1, None] + half * (1.0 + GAUSS_POINTS)
    diffusion = line.variance(points) / 2.0
    slope = line.slope(points) / diffusion
    rise = half * (slope @ RUNNING_WEIGHTS.T)
    whole_rise = half[:, 0] * (slope @ GAUSS_WEIGHTS)
    weight = np.exp(-rise) * diffusion ** (convention - 1.0)
    inner = half * (weight @ RUNNING_WEIGHTS.T)
    whole_inner = half[:, 0] * (weight @ GAUSS_WEIGHTS)
    # Int over a panel of e^Phi D^-alpha (K_0 + inner), linear in K_0: what the panels to the left have gathered.
    outer = np.exp(rise) * diffusion**-convention
    of_carried = half[:, 0] * (outer @ GAUSS_WEIGHTS)
    of_inner = half[:, 0] * ((outer * inner) @ GAUSS_WEIGHTS)
    counted = edges[:-1] >= line.start
    carried, tau = 0.0, 0.0
    with np.errstate(over="ignore"):
        for panel in range(len(half)):
            if counted[panel]:
                tau += of_carried[panel] * carried + of_inner[panel]
            carried = np.exp(whole_rise[panel]) * (carried + whole_inner[panel])
    return float(tau), float(np.sum(np.abs(whole_rise)))
