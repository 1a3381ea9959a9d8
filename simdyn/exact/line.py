"""A first-passage problem on a line: from `start` to `end`, which lies to the right of it.

A problem in several dimensions is one on a line where the boundary's coordinate is decoupled from the others. Here too:
how far to the left one has to look, and where the landscape or the noise is not smooth.
"""

import itertools
import math
from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from simdyn.model.arrays import point_of
from simdyn.model.boundaries import Beyond, BeyondPlane
from simdyn.model.landscapes import (
    DoubleWell,
    MatchedParabolas,
    Quadratic,
    Rotated,
    Saddle,
    Sharpened,
    StyblinskiTang,
    Valley,
    curvature,
    dimension,
    gradient,
)
from simdyn.model.noise import LocalNoise, ScaledNoise, SettledNoise, SettledTwoPieceNoise, settle_gaussian, variance
from simdyn.model.records import InvalidInput, check_kind, too_large_to_compute

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PIECES = 64  # of the way from start to end; to the left pieces grow with their distance from the end
FURTHEST = 2000  # pieces to the left before giving up
HALVINGS = 12  # of a piece at most: a jump is never resolved
COARSENESS = 0.01  # of the rise of Phi over a piece
HIGHEST = 1e4  # e to this is far beyond a double


class Line(NamedTuple):
    """One dimension: a landscape, a settled noise, and the way from start to end > start."""

    landscape: Any
    noise: Any
    start: float
    end: float

    def slope(self, points: FloatArray) -> FloatArray:
        """dL/dx at points (n,)."""
        return self._at(points, lambda x, i: gradient(self.landscape, x, 0, i))

    def curvature(self, points: FloatArray) -> FloatArray:
        """d^2 L/dx^2 at points (n,)."""
        return self._at(points, lambda x, i: curvature(self.landscape, x, 0, i))

    def variance(self, points: FloatArray) -> FloatArray:
        """C at points (n,)."""
        return self._at(points, lambda x, i: variance(self.noise, self.landscape, x, 0, i))

    def _at(self, points: FloatArray, function: Callable) -> FloatArray:
        x = np.reshape(points, (1, -1))
        try:
            found = [function(x, i) for i in range(x.shape[1])]
        except ArithmeticError:
            raise too_large_to_compute(self.landscape, self.noise) from None
        return np.array(found, dtype=float).reshape(np.shape(points))


def line_through(landscape: Any, noise: Any, boundary: Any, start: ArrayLike) -> Line:
    """The problem on the boundary's own coordinate.

    Raises InvalidInput where the coordinate is not decoupled from the others, where the boundary is not one on a single
    coordinate, and where the start is already beyond it.
    """
    for kind, given in (("landscape", landscape), ("noise", noise), ("boundary", boundary)):
        check_kind(kind, given)
    end, coordinate = position_of(boundary)
    size = dimension(landscape)
    if coordinate >= size:
        raise InvalidInput(f"the boundary is on coordinate {coordinate}, the landscape has {size}")
    begin = float(point_of("start", start, size)[coordinate])
    if begin >= end:
        raise InvalidInput(f"start {begin:g} is already at or beyond the boundary, {end:g}")
    return Line(
        section(landscape, coordinate), noise_section(settle_gaussian(noise, landscape), coordinate, size), begin, end
    )


@singledispatch
def position_of(boundary: Any) -> tuple[float, int]:
    """Position and coordinate of a boundary x[coordinate] >= position."""
    raise InvalidInput(f"{type(boundary).__name__}: exact first passage is known for Beyond, on one coordinate")


@position_of.register
def _beyond(boundary: Beyond) -> tuple[float, int]:
    return boundary.position, boundary.coordinate


@position_of.register
def _beyond_plane(boundary: BeyondPlane) -> tuple[float, int]:
    axes = np.flatnonzero(boundary.normal)
    if len(axes) != 1 or boundary.normal[axes[0]] < 0.0:
        raise InvalidInput("BeyondPlane: exact first passage needs a normal along one coordinate, pointing up it")
    return boundary.offset / boundary.normal[axes[0]], int(axes[0])


# ------------------------------------------------------------------------------------------ one coordinate of several


@singledispatch
def section(landscape: Any, coordinate: int) -> Any:
    """The one-dimensional landscape that a decoupled coordinate feels; register one for a separable record of yours."""
    if dimension(landscape) == 1:
        return landscape
    raise InvalidInput(
        f"{type(landscape).__name__}: its coordinates are not known to be decoupled, and exact first passage is for "
        "one; simulate it instead"
    )


@section.register
def _rotated_section(landscape: Rotated, coordinate: int) -> Any:
    raise InvalidInput("Rotated: its coordinates are coupled, and exact first passage is for one; simulate it instead")


@section.register
def _valley_section(landscape: Valley, coordinate: int) -> Any:
    if coordinate == 0:
        return DoubleWell(landscape.barrier, landscape.width)
    return Quadratic((landscape.transverse[coordinate - 1],))


@section.register
def _quadratic_section(landscape: Quadratic, coordinate: int) -> Quadratic:
    return Quadratic((landscape.curvatures[coordinate],))


@section.register
def _saddle_section(landscape: Saddle, coordinate: int) -> Saddle:
    return Saddle((landscape.curvatures[coordinate],), landscape.quartic)


@section.register
def _styblinski_section(landscape: StyblinskiTang, coordinate: int) -> StyblinskiTang:
    return StyblinskiTang(1)


@section.register
def _sharpened_section(landscape: Sharpened, coordinate: int) -> Sharpened:
    return Sharpened(section(landscape.landscape, coordinate), landscape.sharpness)


@singledispatch
def noise_section(noise: Any, coordinate: int, size: int) -> Any:
    """The settled noise of one coordinate of `size`."""
    if size == 1:
        return noise
    raise InvalidInput(f"{type(noise).__name__}: its noise may depend on other coordinates; simulate it instead")


@noise_section.register
def _settled_section(noise: SettledNoise, coordinate: int, size: int) -> SettledNoise:
    return SettledNoise(noise.deviation[[coordinate]])


@noise_section.register
def _two_piece_section(noise: SettledTwoPieceNoise, coordinate: int, size: int) -> SettledTwoPieceNoise:
    if coordinate != 0:
        raise InvalidInput("TwoPieceNoise depends on coordinate 0; exact first passage across another is not known")
    return noise._replace(near=noise.near[[0]], far=noise.far[[0]])


@noise_section.register
def _local_section(noise: LocalNoise, coordinate: int, size: int) -> LocalNoise:
    return noise  # of the section's own curvature


@noise_section.register
def _scaled_section(noise: ScaledNoise, coordinate: int, size: int) -> ScaledNoise:
    return noise._replace(noise=noise_section(noise.noise, coordinate, size))


# --------------------------------------------------------------------------------------------------- where it bends


@singledispatch
def joints(record: Any, line: Line, low: float) -> list[float]:
    """Points of [low, end] at which a landscape or settled noise is not smooth; register them for your own."""
    return []


@joints.register
def _matched_joints(landscape: MatchedParabolas, line: Line, low: float) -> list[float]:
    total = landscape.minimum_curvature + landscape.saddle_curvature
    bottom = np.sqrt(2.0 * landscape.barrier * total / (landscape.minimum_curvature * landscape.saddle_curvature))
    joint = float(bottom * landscape.minimum_curvature / total)
    return [-joint, joint]


@joints.register
def _sharpened_joints(landscape: Sharpened, line: Line, low: float) -> list[float]:
    root = landscape.sharpness**0.5
    return [joint / root for joint in joints(landscape.landscape, line, low)]


@joints.register
def _two_piece_joints(noise: SettledTwoPieceNoise, line: Line, low: float) -> list[float]:
    return [noise.centre - noise.reach, noise.centre + noise.reach]


@joints.register
def _scaled_joints(noise: ScaledNoise, line: Line, low: float) -> list[float]:
    return joints(noise.noise, line, low)


@joints.register
def _local_joints(noise: LocalNoise, line: Line, low: float) -> list[float]:
    def above_floor(points: FloatArray) -> FloatArray:
        return np.abs(line.curvature(points)) / noise.batch_size - noise.floor

    return _sign_changes(above_floor, low, line.end) + _sign_changes(line.curvature, low, line.end)


def _sign_changes(function: Callable[[FloatArray], FloatArray], low: float, high: float) -> list[float]:
    points = np.linspace(low, high, 1025)
    signs = np.sign(function(points))
    return [
        float(optimize.brentq(lambda x: float(function(np.array(x))), *points[i : i + 2], xtol=1e-300, rtol=1e-15))
        for i in np.flatnonzero(signs[:-1] * signs[1:] < 0.0)
    ]


# ----------------------------------------------------------------------------------------------------- how far to look

GAUSS_POINTS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(16)
_FEW_POINTS, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(4)  # to see how high a landscape is, not to answer


class Stretches(NamedTuple):
    """What has to be looked at: meshes (n,) of the smooth stretches of a line, and the climb, by how much Phi rises."""

    meshes: list[FloatArray]
    climb: float


def stretches(
    line: Line,
    potential_slope: Callable[[FloatArray], FloatArray],
    height: float,
    jumps: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None,
) -> Stretches:
    """The line from far enough on the left to its end, cut into smooth stretches with a coarse mesh on each.

    potential_slope: Phi', Phi = Int dL/D. Far enough is where Phi is `height` above the highest point of the way out:
    what lies beyond would change the answer by e^-height. Or, for a scheme, where no jump from the right ends;
    jumps(points) are the mean and the deviation of where a step from them ends.
    Raises InvalidInput where the landscape never gets there, and where the noise vanishes.
    """
    right = np.linspace(line.start, line.end, PIECES + 1)
    _refuse_without_noise(line, right)
    right = _resolved(potential_slope, right)
    climbed = np.concatenate([[0.0], np.cumsum(_rises(potential_slope, right))])
    top, bottom, potential = float(np.max(climbed)), float(np.min(climbed)), 0.0
    deepest = float(np.max(climbed - np.minimum.accumulate(climbed)))
    left, step = [line.start], math.inf
    means, widths = (np.array([-math.inf]), np.zeros(1)) if jumps is None else jumps(right)
    while potential < top + height and left[-1] > np.min(means - reach_of(top - bottom, height) * widths):
        if len(left) > FURTHEST:
            raise InvalidInput(
                f"{type(line.landscape).__name__} does not hold a particle back on the left, down to {left[-1]:.3g}: its "
                "mean escape time is not finite"
            )
        # Pieces grow with their distance, but not beyond what shows the landscape as it is, waves and all.
        step = min(2.0 * step, (line.end - left[-1]) / PIECES)
        piece = _resolved(potential_slope, np.array([left[-1] - step, left[-1]]))[-2:]
        step = float(piece[1] - piece[0])
        left.append(float(piece[0]))
        potential -= float(_rises(potential_slope, piece)[0])
        bottom, deepest = min(bottom, potential), max(deepest, top - potential)
        if jumps is not None:
            mean, width = jumps(np.array(left[-1:]))
            means, widths = np.append(means, mean), np.append(widths, width)
    if not deepest < HIGHEST:
        raise InvalidInput("the mean escape time exceeds what a double holds: the noise is too weak for the barrier")
    mesh = np.concatenate([left[:0:-1], right])
    found = [*joints(line.landscape, line, left[-1]), *joints(line.noise, line, left[-1])]
    bends = _distinct(found, left[-1], line.end)
    _refuse_without_noise(line, np.concatenate([mesh, bends]))
    ends = [left[-1], *bends, line.end]
    return Stretches([_graded(mesh, low, high) for low, high in itertools.pairwise(ends)], top - bottom)


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


def _distinct(found: list[float], low: float, high: float) -> list[float]:
    """The bends inside, in order; those that rounding alone tells apart are one."""
    bends, gap = [low], 1e-12 * (high - low)
    for bend in sorted(found):
        if bends[-1] + gap < bend < high - gap:
            bends.append(bend)
    return bends[1:]


def reach_of(climb: float, height: float) -> float:
    """How many deviations a single jump may have before it is so rare as to happen e^-height times in all."""
    return math.sqrt(2.0 * (climb + height))


def _rises(slope: Callable[[FloatArray], FloatArray], mesh: FloatArray) -> FloatArray:
    half = np.diff(mesh) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return (slope(mesh[:-1, None] + half[:, None] * (1.0 + _FEW_POINTS)) @ _FEW_WEIGHTS) * half


def _graded(mesh: FloatArray, low: float, high: float) -> FloatArray:
    """The mesh between two bends, denser towards both: there something may change on any scale."""
    near = (high - low) / 2.0 * 2.0 ** -np.arange(1.0, 24.0)
    inside = mesh[(mesh > low) & (mesh < high)]
    return np.unique(np.concatenate([[low], low + near, inside, high - near, [high]]))


def _refuse_without_noise(line: Line, points: FloatArray) -> None:
    spread = line.variance(points)
    weakest = int(np.argmin(spread))
    if not spread[weakest] > 1e-12 * np.max(spread):
        raise InvalidInput(
            f"the noise vanishes at {points[weakest]:.4g}, where a particle would stop: give it a floor, or hold it "
            "constant"
        )
