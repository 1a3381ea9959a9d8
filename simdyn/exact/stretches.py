"""How far to the left of a line one has to look, and the meshes of the smooth stretches in between."""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simdyn.exact.bends import found_bends
from simdyn.exact.line import FloatArray, Line, joints
from simdyn.exact.tails import NO_TAIL, Tail, Walk
from simdyn.model.records import InvalidInput, too_large_to_compute

PIECES = 64  # of the way from start to end; to the left pieces grow with their distance from the end
FURTHEST = 2000  # pieces to the left at most: 3e13 times the way from start to end
LONGEST = 1e150  # times the way from start to end: where everything is flat pieces are as long as all before
HALVINGS = 12  # of a piece at most: a jump is never resolved
COARSENESS = 0.01  # of the rise of Phi over a piece
RISING = 0.05  # of an exponent over the last quarter of the way, in log |x|, from which on it may yet pass 1
OFTEN = 6.0  # deviations of a jump: beyond, one in 1e9
HIGHEST = 1e4  # of Phi, climbed in one go

_FEW_POINTS, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(4)  # to see how high a landscape is, not to answer


class Stretches(NamedTuple):
    """What has to be looked at: meshes (n,) of the smooth stretches of a line, and the climb, by how much Phi rises.

    tail: what lies beyond, where that is not negligible.
    """

    meshes: list[FloatArray]
    climb: float
    tail: Tail


def stretches(
    line: Line,
    potential_slope: Callable[[FloatArray], FloatArray],
    height: float,
    jumps: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None,
    power: float = 1.0,
    heaviest: float = 0.0,
) -> Stretches:
    """The line from far enough on the left to its end, cut into smooth stretches with a coarse mesh on each.

    potential_slope: Phi', Phi = Int dL/D; the law of a particle that stays is e^-Phi C^-power. Far enough is where Phi is
    `height` above the highest point of the way out: what lies beyond would change the answer by e^-height. Where the law
    falls more slowly than an exponential, it is where the law beyond is e^-height of the law before. For a scheme it is
    also where no jump from the right ends, and not before hardly any from below the top does; jumps(points) are the mean
    and the deviation of where a step from them ends.
    heaviest: the most that may lie beyond, of what lies before, where that is not reached within FURTHEST pieces.
    Raises InvalidInput where the tail is not finite, where it is heavier than that, where the noise vanishes.
    """
    right = np.linspace(line.start, line.end, PIECES + 1)
    _refuse_without_noise(line, right)
    right = _resolved(potential_slope, right)
    if not np.all(np.isfinite(_rises(potential_slope, right))):
        raise too_large_to_compute(line.landscape, line.noise)
    climbed = np.concatenate([[0.0], np.cumsum(_rises(potential_slope, right))])
    top, bottom, potential = float(np.max(climbed)), float(np.min(climbed)), 0.0
    deepest = float(np.max(climbed - np.minimum.accumulate(climbed)))

    def spread_at(place: float) -> float:
        return math.log(max(float(line.variance(np.array([place]))[0]), 1e-300))

    left, step, tail = [line.start], math.inf, NO_TAIL
    walk = Walk(line.end - line.start, spread_at(line.start), power)
    means, widths = (np.array([-math.inf]), np.zeros(1)) if jumps is None else jumps(right)
    often = math.inf if jumps is None else float(np.min(means - OFTEN * widths))
    while left[-1] > np.min(means - reach_of(top - bottom, height) * widths):
        if left[-1] < often and _is_far_enough(walk, top, height):
            break
        if len(left) > FURTHEST or walk.distances[-1] > LONGEST * walk.distances[0]:
            tail = _tail_of(line, walk, heaviest)
            break
        # Pieces grow with their distance, but not beyond what shows the landscape as it is, waves and all.
        step = min(2.0 * step, (line.end - left[-1]) / (1.0 if walk.is_flat() else PIECES))
        piece = _resolved(potential_slope, np.array([left[-1] - step, left[-1]]))[-2:]
        step = float(piece[1] - piece[0])
        left.append(float(piece[0]))
        potential -= float(_rises(potential_slope, piece)[0])
        if not math.isfinite(potential):
            raise too_large_to_compute(line.landscape, line.noise)
        bottom, deepest = min(bottom, potential), max(deepest, top - potential)
        walk.append(line.end - left[-1], potential, spread_at(left[-1]))
        if jumps is not None:
            mean, width = jumps(np.array(left[-1:]))
            means, widths = np.append(means, mean), np.append(widths, width)
            if potential <= top:
                often = min(often, float(mean[0] - OFTEN * width[0]))
    if not walk.is_steep(height) and walk.is_negligible(height):
        _refuse_a_runaway(line, walk)
    if not deepest < HIGHEST:
        raise InvalidInput(
            f"the barrier is {deepest:.3g} times as high as the noise lifts a particle, beyond the {HIGHEST:g} up to which "
            "exact answers reach: ask for theory.escape_time"
        )
    mesh = np.concatenate([left[:0:-1], right])
    bends = _bends(line, mesh)
    _refuse_without_noise(line, np.concatenate([mesh, bends]))
    ends = [left[-1], *bends, line.end]
    way = line.end - line.start
    meshes = [_graded(mesh, low, high, way) for low, high in itertools.pairwise(ends)]
    return Stretches(meshes, top - bottom, tail)


def _is_far_enough(walk: Walk, top: float, height: float) -> bool:
    if walk.is_steep(height):
        return walk.potentials[-1] >= top + height
    return walk.is_negligible(height)


def _tail_of(line: Line, walk: Walk, heaviest: float) -> Tail:
    """The tail beyond the walk, or InvalidInput where it is not finite, not told from that, or not wanted."""
    _refuse_a_runaway(line, walk)
    tail, before = walk.tail(), walk.exponent_before()
    name, far = type(line.landscape).__name__, f"{line.end - walk.distances[-1]:.3g}"
    if tail.exponent <= 1.0 + 1e-9:
        if tail.exponent > max(0.5, before + RISING):
            raise InvalidInput(
                f"{name} holds a particle back on the left so weakly, down to {far}, that whether its mean escape time is "
                "finite is not told from there; simulate it with max_steps"
            )
        raise InvalidInput(
            f"{name} does not hold a particle back on the left, down to {far}: where that goes on, its law falls as "
            f"|x|^{-tail.exponent:.3g}, which has no finite integral, and the overdamped equation's mean escape time is infinite"
        )
    if not tail.share <= heaviest:
        raise InvalidInput(
            f"{name} holds a particle back on the left, but its law falls as |x|^{-tail.exponent:.3g}, too heavy a tail to "
            "be followed by this method; Overdamped has an answer, or simulate it"
        )
    return tail


def _refuse_a_runaway(line: Line, walk: Walk) -> None:
    if walk.runs_away():
        raise InvalidInput(
            f"{type(line.landscape).__name__} does not hold a particle back on the left: it runs away for good with "
            "some probability, and its mean escape time is infinite"
        )


def _resolved(slope: Callable[[FloatArray], FloatArray], mesh: FloatArray) -> FloatArray:
    """The mesh with those pieces halved whose rise their halves see otherwise."""
    for _ in range(HALVINGS):
        middle = (mesh[:-1] + mesh[1:]) / 2.0
        halves = _rises(slope, np.sort(np.concatenate([mesh, middle])))
        first, second = halves[0::2], halves[1::2]
        with np.errstate(invalid="ignore"):
            change = np.abs(first + second - _rises(slope, mesh))
        off = change > COARSENESS * np.maximum(1.0, np.abs(first) + np.abs(second))
        if not off.any():
            break
        mesh = np.sort(np.concatenate([mesh, middle[off]]))
    return mesh


def _bends(line: Line, mesh: FloatArray) -> list[float]:
    """Where landscape and noise say that they are not smooth, and where else they are found not to be."""
    low, way = float(mesh[0]), line.end - line.start
    said = [*joints(line.landscape, line, low), *joints(line.noise, line, low)]
    found = [bend for bend in found_bends(line, mesh) if all(abs(bend - joint) > 1e-5 * way for joint in said)]
    return _distinct([*said, *found], low, line.start, line.end)


def _distinct(found: list[float], low: float, start: float, high: float) -> list[float]:
    """The bends inside, in order; those that rounding alone tells apart are one."""
    bends = [low]
    for bend in sorted(found):
        gap = 1e-12 * (high - min(bend, start))
        if bends[-1] + gap < bend < high - gap:
            bends.append(bend)
    return bends[1:]


def reach_of(climb: float, height: float) -> float:
    """How many deviations a single jump may have before it is so rare as to happen e^-height times in all."""
    return math.sqrt(2.0 * (climb + height))


def _rises(slope: Callable[[FloatArray], FloatArray], mesh: FloatArray) -> FloatArray:
    half = np.diff(mesh) / 2.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return (slope(mesh[:-1, None] + half[:, None] * (1.0 + _FEW_POINTS)) @ _FEW_WEIGHTS) * half


def _graded(mesh: FloatArray, low: float, high: float, way: float) -> FloatArray:
    """The mesh between two bends, denser towards both: there something may change on any scale."""
    halvings = 23 + max(0, math.ceil(math.log2((high - low) / way)) - 6)
    near = (high - low) / 2.0 * 2.0 ** -np.arange(1.0, halvings + 1.0)
    inside = mesh[(mesh > low) & (mesh < high)]
    return np.unique(np.concatenate([[low], low + near, inside, high - near, [high]]))


def _refuse_without_noise(line: Line, points: FloatArray) -> None:
    """Raises InvalidInput where the noise is next to nothing beside what it is on the way to the end."""
    points = np.sort(points)[::-1]
    spread = line.variance(points)
    with np.errstate(invalid="ignore"):
        share = spread / np.maximum(np.maximum.accumulate(spread), np.max(spread[points >= line.start]))
    weakest = int(np.argmin(share))
    if not share[weakest] > 1e-12:
        raise InvalidInput(
            f"the noise vanishes at {points[weakest]:.4g}, where a particle would stop: give it a floor, or hold it "
            "constant"
        )
