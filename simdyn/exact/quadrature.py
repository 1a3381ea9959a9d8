"""Mean first passage of the overdamped equation on a line, by quadrature of the double integral."""

import math
from collections.abc import Callable

import numpy as np

from simdyn.exact.line import GAUSS_POINTS, GAUSS_WEIGHTS, FloatArray, Line
from simdyn.exact.result import Exact, scaled
from simdyn.exact.stretches import stretches
from simdyn.model.records import InvalidInput

HEIGHT = 45.0  # e^-45 is what the cut on the left may cost
TOLERANCE = 1e-11
FINEST = 5  # halvings of the panels
MOST_PANELS = 1e6
POOREST = 0.01  # relative error that a tail may leave
MOST = 460.0  # e^MOST is LARGEST, and times another LARGEST still a double
LARGEST = math.exp(MOST)


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
    panel to panel as one number, which is scaled before it overflows. The error is the change on the last halving of the
    panels, what a tail that falls as a power leaves unsure, and rounding. Raises InvalidInput where the tail is not
    finite or too heavy for 1 %, and as `stretches`.
    """

    def potential_slope(points: FloatArray) -> FloatArray:
        return 2.0 * line.slope(points) / line.variance(points)

    meshes, _, tail = stretches(line, potential_slope, HEIGHT, power=1.0 - convention, heaviest=math.inf)
    previous, last = math.nan, math.inf
    for level in range(FINEST + 1):
        panels = Panels(line, _panels(meshes, line.start, potential_slope, 2**level), convention)
        tau, lift = panels.passage(tail.mass)
        logarithm = math.log(tau) + lift
        before, last = last, abs(math.expm1(previous - logarithm))
        if last <= TOLERANCE:
            break
        previous = logarithm
    # Panels across a bend that nobody has declared settle irregularly, and one change may be small by chance.
    settled = last if last <= TOLERANCE else max(last, before / 4.0)
    beyond = panels.passage(tail.mass + tail.error)[0] / tau - 1.0
    error = settled + 1e-15 * (10.0 + panels.climb) + beyond
    if not beyond <= POOREST:
        raise InvalidInput(
            f"{type(line.landscape).__name__}: the law of a particle that stays falls on the left as "
            f"|x|^{-tail.exponent:.3g}, so slowly that its integral is not known to 1 %; simulate it with max_steps"
        )
    return scaled(tau, lift, error)


def _panels(
    meshes: list[FloatArray], start: float, slope: Callable[[FloatArray], FloatArray], parts: int
) -> FloatArray:
    """Edges of panels, none across a bend or the start, over each of which Phi changes by about 1/parts at most."""
    edges = np.unique(np.concatenate([*meshes, [start]]))
    width = np.diff(edges)
    steepness = np.maximum(np.abs(slope(edges[:-1] + 0.01 * width)), np.abs(slope(edges[1:] - 0.01 * width)))
    whole = parts * np.maximum(1.0, np.ceil(steepness * width))
    if not np.sum(whole) <= MOST_PANELS:
        raise InvalidInput(
            f"the landscape rises and falls by {np.sum(steepness * width):.2g} times the noise, too much to be followed: start "
            "nearer to the well, or simulate it"
        )
    count = whole.astype(int)
    fractions = [np.arange(number) / number for number in count]
    return np.append(np.repeat(edges[:-1], count) + np.concatenate(fractions) * np.repeat(width, count), edges[-1])


class Panels:
    """What the integrand is on panels between edges, Phi counted from each panel's left."""

    def __init__(self, line: Line, edges: FloatArray, convention: float) -> None:
        half = np.diff(edges)[:, None] / 2.0
        points = edges[:-1, None] + half * (1.0 + GAUSS_POINTS)
        diffusion = line.variance(points) / 2.0
        slope = line.slope(points) / diffusion
        rise = half * (slope @ RUNNING_WEIGHTS.T)
        weight = np.exp(-rise) * diffusion ** (convention - 1.0)
        inner = half * (weight @ RUNNING_WEIGHTS.T)
        outer = np.exp(rise) * diffusion**-convention
        self.rises = half[:, 0] * (slope @ GAUSS_WEIGHTS)
        self.inner = half[:, 0] * (weight @ GAUSS_WEIGHTS)
        # Int over a panel of e^Phi D^-alpha (K_0 + inner), linear in K_0: what the panels to the left have gathered.
        self.of_carried = half[:, 0] * (outer @ GAUSS_WEIGHTS)
        self.of_inner = half[:, 0] * ((outer * inner) @ GAUSS_WEIGHTS)
        self.counted = edges[:-1] >= line.start
        self.lowest = float(line.variance(edges[:1])[0] / 2.0) ** (convention - 1.0)

    @property
    def climb(self) -> float:
        """The sum of |Phi'| dx: by how many powers of e rounding errors were multiplied at most."""
        return float(np.sum(np.abs(self.rises)))

    def passage(self, beyond: float) -> tuple[float, float]:
        """tau e^-lift, and lift; beyond: the length by which D^{alpha-1} at the left end stands for what is left of it."""
        carried, raised, tau, lift = self.lowest * beyond, 0.0, 0.0, 0.0
        rows = zip(self.rises, self.inner, self.of_carried, self.of_inner, self.counted, strict=True)
        for rise, inner, of_carried, of_inner, counted in rows:
            if counted:
                if raised - lift > MOST:
                    tau, lift = tau * math.exp(lift - raised), raised
                tau += of_carried * carried * math.exp(raised - lift) + of_inner * math.exp(-lift)
                if tau > LARGEST:
                    tau, lift = tau / LARGEST, lift + MOST
            carried = math.exp(rise) * (carried + inner * math.exp(-raised))
            if carried > LARGEST:
                carried, raised = carried / LARGEST, raised + MOST
            elif raised > 0.0 and carried < 1.0 / LARGEST:
                carried, raised = carried * LARGEST, raised - MOST
        return float(tau), lift
