"""Mean first passage of Adam in one dimension, as the Markov chain in (theta, m, v) that it is.

    tau(x, m, v) = 1 + E_z[ tau(x', m', v') 1{x' < end} ]

on a tensor grid, solved by GMRES: what separates 1 from the slow modes of v is 1 - beta2, not 1/tau. Adam starts with
bias corrections: m/(1 - beta1^t) and v/(1 - beta2^t) obey the same rule with the weights (1 - beta)/(1 - beta^t), and
the first steps are taken one by one, backward in time.
"""

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid, trapezoid
from scipy.sparse.linalg import LinearOperator, gmres

from simdyn.exact.adam_kernel import Frame, Rule, backward, read
from simdyn.exact.line import FloatArray, Line
from simdyn.exact.result import Exact
from simdyn.exact.stretches import stretches
from simdyn.model.dynamics.adam import Adam
from simdyn.model.records import InvalidInput

HEIGHT = 10.0  # above the top, in units of the temperature: what lies higher is cut off
REFINEMENTS = (0.7, 1.0, 1.4, 1.8)
CUT = 1e-3  # what the cut on the left was seen to change
TOLERANCE = 0.01  # refine until the answer changes by less
REFUSED = 0.02
ORDER = 3.0
MARGIN = 2.0  # of the error over the extrapolation
REACH = 6.0  # deviations of a kick; beyond: 2e-9
KICKS = 16  # points, at refinement 1
SHORTEST_MEMORY = 5.0
LARGEST_CLIMB = 14.0
LONGEST_MEMORY = 2000.0  # steps: 1/(1 - beta2)
FORGOTTEN = 3.0  # the bias correction is followed for so many memories of v
LARGEST_GRID = 4e5  # points
RATIO = 3.0  # of the distance from the end over that at which steps of x begin to grow with it
YOUNG = 2.5  # how far from the settled ones log v is in the first steps
EARLY_REFINEMENT = 0.6
KRYLOV = 400
RESIDUAL = 6e-5


class Grid(NamedTuple):
    """Axes, what the line says on the first of them, and Gauss-Legendre points for the kicks."""

    frame: Frame
    x: FloatArray
    u: FloatArray
    w: FloatArray
    slopes: FloatArray
    deviations: FloatArray
    points: FloatArray
    weights: FloatArray

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.x), len(self.u), len(self.w)


class Region(NamedTuple):
    """What has to be covered: x from low, |u| to widest, log v from lowest to highest; scales that must be resolved."""

    low: float
    widest: float
    lowest: float
    highest: float
    step: float  # of x, in one step, by its typical momentum
    kick: float  # of u
    fold: float  # of w, over which a rate changes by e


def adam_chain(adam: Adam, line: Line) -> Exact:
    """Mean number of steps of Adam, started at rest at the line's start, until one ends at or beyond the line's end.

    All three axes are refined together, and the last two answers extrapolated at order 3. The error is twice that
    extrapolation, what the iteration left, the cut, and a fifth of the correction for the start, which is taken from
    a coarse grid. Orders from 3 to 8 were measured: at a high one nothing is left to extrapolate, and all of it is wrong.
    Raises InvalidInput where the barrier or the memory of v is too large for the method, and where the extrapolation of
    the largest grids remains above 2 %.
    """
    region = _region(adam, line)
    square = settled_square(adam, line)
    values: list[float] = []
    error = math.inf
    for refinement in REFINEMENTS:
        if math.prod(_counts(line, region, refinement)) > LARGEST_GRID:
            break
        grid = _grid(line, region, refinement)
        times, left = _solve(adam, grid)
        values.append(_at_rest(line, grid, times, square))
        if len(values) > 1:
            # As measured up to the whole of the extrapolation is wrong; the margin is for what is stated in the end.
            ratio = refinement / REFINEMENTS[len(values) - 2]
            beyond = (values[-1] - values[-2]) / (ratio**ORDER - 1.0)
            error = abs(beyond / values[-1]) + left
        if error <= TOLERANCE:
            break
    unresolved = "Adam: its chain is not resolved to 2 % by the largest grid; simulate it instead"
    if not error <= REFUSED or min(values) <= 0.0:  # a coarse grid overshoots between its points
        raise InvalidInput(unresolved)
    value, early = values[-1] + beyond, _early(adam, line, region, square)
    margin = (MARGIN - 1.0) * abs(beyond)
    found = Exact(value + early, (error + CUT) * value + margin + 0.2 * abs(early))
    if not found.value > 0.0:
        raise InvalidInput(unresolved)
    return found


def settled_square(adam: Adam, line: Line) -> float:
    """The mean v in the well, v = < C + L'^2 > over exp(-Phi), Phi' = 2 L' sqrt(v)/(eta C), before the end is reached."""
    square = float(line.variance(np.array([line.start]))[0])
    for _ in range(30):

        def slope(points: FloatArray, root: float = math.sqrt(square)) -> FloatArray:
            return 2.0 * line.slope(points) * root / (adam.learning_rate * line.variance(points))

        mesh = np.unique(np.concatenate(stretches(line, slope, HEIGHT).meshes))
        spread = line.variance(mesh)
        climbed = cumulative_trapezoid(slope(mesh), mesh, initial=0.0)
        density = np.exp(np.min(climbed) - climbed)
        met = trapezoid(density * (spread + line.slope(mesh) ** 2), mesh) / trapezoid(density, mesh)
        previous, square = square, float(met)
        if abs(square / previous - 1.0) < 1e-6:
            break
    return square


def _region(adam: Adam, line: Line) -> Region:
    if SHORTEST_MEMORY * (1.0 - adam.beta2) > 1.0 + 1e-9:
        # As beta2 falls a step tends to +-eta, whatever the kick: tau jumps from place to place, unseen by the error.
        raise InvalidInput(
            f"Adam: its chain is resolved from beta2 = 0.8 up, not at {adam.beta2:g}; simulate it instead"
        )
    if LONGEST_MEMORY * (1.0 - adam.beta2) < 1.0:
        raise InvalidInput(
            f"Adam: the chain of beta2 {adam.beta2:g} remembers v for more than {LONGEST_MEMORY:g} steps; simulate it"
        )

    def slope(points: FloatArray) -> FloatArray:  # Phi' = 2 L'/(eta_eff C), eta_eff = eta/sqrt(C)
        return 2.0 * line.slope(points) / (adam.learning_rate * np.sqrt(line.variance(points)))

    looked = stretches(line, slope, HEIGHT)
    if looked.climb > LARGEST_CLIMB:
        raise InvalidInput(
            f"Adam: the barrier is {looked.climb:.3g} times its temperature, and the chain is resolved up to "
            f"{LARGEST_CLIMB:g}; use adam_with_frozen_v or simulate it"
        )
    mesh = np.concatenate(looked.meshes)
    spread = line.variance(mesh)
    drift = float(np.max(line.slope(mesh[mesh >= line.start]) ** 2))  # the far wall is steeper, and seldom visited
    width = math.sqrt(2.0 * (1.0 - adam.beta2) / (1.0 + adam.beta2))
    settled = math.sqrt((1.0 - adam.beta1) / (1.0 + adam.beta1))
    return Region(
        low=float(mesh[0]),
        widest=settled * math.sqrt(2.0 * (looked.climb + HEIGHT)),
        lowest=math.log(np.min(spread)) - 4.0 * width - 2.0 * width**2,
        highest=math.log(np.max(spread) + drift) + 4.0 * width,
        step=adam.learning_rate * settled,
        kick=1.0 - adam.beta1,
        fold=2.0 / max(looked.climb, 2.0),
    )


def _counts(line: Line, region: Region, refinement: float) -> tuple[int, int, int]:
    """Points along each axis. Least counts are refined too: an axis that stays as it is would hide its share of the error."""
    length = line.end - region.low
    along = length * math.log1p(RATIO) / RATIO / (0.55 * region.step)
    across = 2.0 * region.widest / (0.55 * region.kick)
    logs = (region.highest - region.lowest) / (0.33 * region.fold)
    count_u = math.ceil(refinement * max(16.0, across))
    if region.kick == 1.0:
        count_u = 4  # without momentum nothing depends on u
    return math.ceil(refinement * max(36.0, along)), count_u, math.ceil(refinement * max(10.0, logs))


def _grid(line: Line, region: Region, refinement: float) -> Grid:
    bend, growth = (line.end - region.low) / RATIO, math.log1p(RATIO)
    count_x, count_u, count_w = _counts(line, region, refinement)
    kicks = math.ceil(max(refinement, 0.8) * KICKS)
    u = np.linspace(-region.widest, region.widest, count_u)
    w = np.linspace(region.lowest, region.highest, count_w)
    frame = Frame(
        end=line.end, bend=bend, dense=(count_x - 1) / growth, widest=region.widest, close=1.0 / float(u[1] - u[0]),
        lowest=region.lowest, fine=1.0 / float(w[1] - w[0]), reach=REACH, whole=_share_of_kicks(kicks),
    )  # fmt: skip
    x = line.end - bend * np.expm1(np.arange(count_x) / frame.dense)
    points, weights = np.polynomial.legendre.leggauss(kicks)
    return Grid(frame, x, u, w, line.slope(x), np.sqrt(line.variance(x)), points, weights)


def _share_of_kicks(count: int) -> float:
    """The constant that makes the weights of equally spaced kicks sum to 1; about their distance."""
    kicks = REACH * (2.0 * np.arange(count) + 1.0 - count) / count
    return math.sqrt(2.0 * math.pi) / float(np.sum(np.exp(-0.5 * kicks**2)))


def _rule(adam: Adam, number: float = math.inf) -> Rule:
    """The rule of step `number`, for m and v that are bias-corrected already."""
    first, second = ((1.0 - beta) / (1.0 - beta**number) for beta in (adam.beta1, adam.beta2))
    inside, outside = (adam.eps, 0.0) if adam.eps_inside_root else (0.0, adam.eps)
    return Rule(adam.learning_rate, first, second, inside, outside)


def _backward(grid: Grid, rule: Rule, values: FloatArray, pool: ThreadPoolExecutor) -> FloatArray:
    out, size = np.empty(grid.shape), len(grid.x)
    cuts = np.linspace(0, size, min(size, 2 * (os.cpu_count() or 1)) + 1).astype(int)
    given = out, values, grid.frame, rule, *grid[1:]
    jobs = [
        pool.submit(backward, *given, np.empty((3, 4)), int(first), int(last))
        for first, last in itertools.pairwise(cuts)
    ]
    for job in jobs:
        job.result()
    return out


def _solve(adam: Adam, grid: Grid) -> tuple[FloatArray, float]:
    """tau on the grid without bias corrections, and the largest residual: a bound of the relative error it leaves."""
    size, rule = math.prod(grid.shape), _rule(adam)
    with ThreadPoolExecutor() as pool:

        def remains(times: FloatArray) -> FloatArray:
            return times - _backward(grid, rule, times.reshape(grid.shape), pool).ravel()

        operator = LinearOperator((size, size), matvec=remains, dtype=float)
        times, _ = gmres(operator, np.ones(size), rtol=RESIDUAL, restart=KRYLOV, maxiter=1)
        residual = float(np.max(np.abs(1.0 - remains(times))))
    return times.reshape(grid.shape), residual


def _at_rest(line: Line, grid: Grid, times: FloatArray, square: float) -> float:
    """times at the start with m = 0 and v = `square`."""
    return read(times, grid.frame, line.start, 0.0, math.log(square), np.empty((3, 4)))


def _early(adam: Adam, line: Line, region: Region, square: float) -> float:
    """By how much Adam's own start differs from one with m = 0, v = `square` and no bias corrections."""
    # Young v are averages of a few squares: a wide range, on which tau hardly depends as they are soon forgotten.
    wide = region._replace(lowest=region.lowest - YOUNG, highest=region.highest + YOUNG / 2.0, fold=1.0)
    grid = _grid(line, wide, EARLY_REFINEMENT)
    settled, _ = _solve(adam, grid)
    times = settled
    with ThreadPoolExecutor() as pool:
        for number in range(math.ceil(FORGOTTEN / (1.0 - max(adam.beta1, adam.beta2))), 1, -1):
            times = 1.0 + _backward(grid, _rule(adam, number), times, pool)
        place = np.array([line.start])
        alone = grid._replace(x=place, u=np.zeros(1), w=np.zeros(1), slopes=line.slope(place),
                              deviations=np.sqrt(line.variance(place)))  # fmt: skip
        first = 1.0 + float(_backward(alone, _rule(adam, 1), times, pool)[0, 0, 0])
    return first - _at_rest(line, grid, settled, square)
