"""A first-passage problem on a line: from `start` to `end`, which lies to the right of it.

A problem in several dimensions is one on a line where the boundary's coordinate is decoupled from the others. Here too:
where the landscape or the noise is not smooth.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from simdyn.model.arrays import point_of
from simdyn.model.boundaries import Beyond, BeyondPlane
from simdyn.model.geometry import joints as model_joints
from simdyn.model.landscapes import (
    DoubleWell,
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
from simdyn.model.unequal import WithBath
from simdyn.model.vetting import dimension_hint

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

GAUSS_POINTS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(16)


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
        """C at points (n,). Raises InvalidInput where it is negative or not finite."""
        found = self._at(points, lambda x, i: variance(self.noise, self.landscape, x, 0, i))
        wrong = ~((found >= 0.0) & np.isfinite(found))
        if np.any(wrong):
            place, given = np.broadcast_to(points, found.shape)[wrong][0], found[wrong][0]
            raise InvalidInput(
                f"{type(self.noise).__name__}: its variance at {place:g} is {given:g}, it must be finite and not negative"
            )
        return found

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
    begin = float(point_of("start", start, size, dimension_hint(landscape))[coordinate])
    if begin >= end:
        raise InvalidInput(f"start {begin:g} is already at or beyond the boundary, {end:g}")
    part = section(landscape, coordinate)
    return Line(part, noise_section(settle_gaussian(noise, landscape, boundary), coordinate, size), begin, end)


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
def _bath_section(landscape: WithBath, coordinate: int) -> Any:
    if coordinate == 0:
        return landscape.landscape
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
    """Points of [low, end] at which a landscape or settled noise is not smooth.

    A landscape says them as `simdyn.joints`; register a noise's here, with @joints.register. What nobody says is looked
    for (`bends`).
    """
    return model_joints(record)


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
    near = high - (high - low) * np.geomspace(1e-13, 1.0, 1025)  # where low is far away
    points = np.unique(np.concatenate([np.linspace(low, high, 1025), near]))
    signs = np.sign(function(points))
    return [
        float(optimize.brentq(lambda x: float(function(np.array(x))), *points[i : i + 2], xtol=1e-300, rtol=1e-15))
        for i in np.flatnonzero(signs[:-1] * signs[1:] < 0.0)
    ]
