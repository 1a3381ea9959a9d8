"""What counts as having escaped."""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic
from simdyn.model.geometry import hessian_at, minimum, saddle
from simdyn.model.landscapes import dimension
from simdyn.model.records import INDEX, InvalidInput, record


@generic
def outside(boundary, landscape, x, i):
    """Whether particle i is at or beyond the boundary."""


@record("boundary", coordinate=INDEX)
class Beyond(NamedTuple):
    """x[coordinate] >= position."""

    position: float
    coordinate: int = 0


@outside.on(Beyond)
def is_beyond(boundary, landscape, x, i):
    return x[boundary.coordinate, i] >= boundary.position


class Threshold(NamedTuple):
    """`Beyond` where coordinate 0 is the only one, known when compiling: the lane loop then sees one row, not maybe two."""

    position: float


@outside.on(Threshold)
def is_over_threshold(boundary, landscape, x, i):
    return x[0, i] >= boundary.position


@generic
def settle_boundary(boundary, landscape):
    """The boundary as the engine watches it."""


@settle_boundary.otherwise
def _already_settled(boundary: Any, landscape: Any) -> Any:
    return boundary


@settle_boundary.on(Beyond)
def _settle_beyond(boundary: Beyond, landscape: Any) -> Any:
    return Threshold(boundary.position) if dimension(landscape) == 1 else boundary


@generic
def axis(boundary):
    """The coordinate a straight boundary lies across."""


@generic
def position(boundary):
    """Where on its axis a straight boundary lies."""


@axis.on(Beyond)
def _beyond_axis(boundary):
    return boundary.coordinate


@axis.on(Threshold)
def _threshold_axis(boundary):
    return 0


@position.on(Beyond, Threshold)
def _straight_position(boundary):
    return boundary.position


@record("boundary")
class BeyondPlane(NamedTuple):
    """normal . x >= offset: a plane in any direction."""

    normal: tuple[float, ...]
    offset: float = 0.0


@outside.on(BeyondPlane)
def is_beyond_plane(boundary, landscape, x, i):
    total = 0.0
    for j in range(len(boundary.normal)):
        total += boundary.normal[j] * x[j, i]
    return total >= boundary.offset


def plane_through_saddle(landscape: Any, beyond: float = 0.0) -> BeyondPlane:
    """The plane through the saddle across the escape direction, moved `beyond` further out.

    The escape direction is the Hessian's eigenvector of negative eigenvalue at the saddle, pointing away from the minimum.
    Raises InvalidInput when the saddle's index is not 1.
    """
    top = saddle(landscape)
    eigenvalues, vectors = np.linalg.eigh(hessian_at(landscape, top))
    if np.sum(eigenvalues < 0.0) != 1:
        raise InvalidInput(f"{type(landscape).__name__}: its saddle must have exactly one descending direction")
    normal = vectors[:, 0]
    normal = normal if normal @ (top - minimum(landscape)) > 0 else -normal
    normal[np.abs(normal) < 1e-14] = 0.0
    return BeyondPlane(tuple(normal), float(normal @ top) + beyond)


@generic
def boundary_dimension(boundary):
    """How many coordinates a point must have at least for the boundary to make sense; 0 where any number does."""


@boundary_dimension.otherwise
def _any_dimension(boundary: Any) -> int:
    return 0


@boundary_dimension.on(Beyond)
def _beyond_dimension(boundary: Beyond) -> int:
    return boundary.coordinate + 1


@boundary_dimension.on(BeyondPlane)
def _plane_dimension(boundary: BeyondPlane) -> int:
    if math.hypot(*boundary.normal) == 0.0:
        raise InvalidInput("BeyondPlane: normal must have an entry that is not zero")
    return len(boundary.normal)
