"""What counts as having escaped."""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import Transformed, generic
from simdyn.model.geometry import hessian_at, minimum, saddle
from simdyn.model.landscapes import dimension, frame, value
from simdyn.model.records import ANSWERS, INDEX, POSITIVE, InvalidInput, record


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


ANSWERS["boundary"] += [outside, settle_boundary]


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


# ------------------------------------------------------------------------------------- not straight: balls, levels


@record("boundary", radius=POSITIVE)
class OutsideBall(NamedTuple):
    """|x - centre| >= radius; centre: one number for all coordinates, or one per coordinate."""

    radius: float
    centre: float | tuple[float, ...] = 0.0


class Ball(NamedTuple):
    """`OutsideBall` with a centre of as many coordinates as the landscape has."""

    radius: float
    centre: Any


@settle_boundary.on(OutsideBall)
def _settle_ball(boundary: OutsideBall, landscape: Any) -> Ball:
    size, centre = dimension(landscape), np.asarray(boundary.centre, dtype=float)
    if centre.shape not in ((), (size,)):
        raise InvalidInput(f"OutsideBall: centre has {centre.size} coordinates, the landscape {size}")
    return Ball(boundary.radius, tuple(np.broadcast_to(centre, size).tolist()))


@outside.on(Ball)
def is_outside_ball(boundary, landscape, x, i):
    return squared_distance(boundary.centre, x, i) >= boundary.radius * boundary.radius


@generic
def squared_distance(point, x, i):
    """|x - point|^2 of particle i."""


@squared_distance.otherwise
def _squared_distance(point, x, i):
    total = 0.0
    for j in range(len(point)):
        total += (x[j, i] - point[j]) ** 2
    return total


@record("boundary")
class NearerTo(NamedTuple):
    """Nearer to one of `others` than to `home`, or as near: in another minimum's neighbourhood. Points are (d,) each."""

    home: tuple[float, ...]
    others: tuple[tuple[float, ...], ...]


@settle_boundary.on(NearerTo)
def _settle_nearer(boundary: NearerTo, landscape: Any) -> NearerTo:
    if len(boundary.home) != dimension(landscape):
        raise InvalidInput(f"NearerTo: home has {len(boundary.home)} coordinates, the landscape {dimension(landscape)}")
    return boundary


@outside.on(NearerTo)
def is_nearer_to_another(boundary, landscape, x, i):
    own, nearest = squared_distance(boundary.home, x, i), np.inf
    for n in range(len(boundary.others)):
        nearest = min(nearest, squared_distance(boundary.others[n], x, i))
    return nearest <= own


@record("boundary")
class LossAbove(NamedTuple):
    """L(x) >= level."""

    level: float


@record("boundary")
class LossBelow(NamedTuple):
    """L(x) <= level."""

    level: float


class LossLevel(NamedTuple):
    """sign (L - level) >= 0; `back` leads into the frame below rotations, (0, 0) where there are none."""

    level: float
    sign: float
    back: Any


@settle_boundary.on(LossAbove, LossBelow)
def _settle_level(boundary: LossAbove | LossBelow, landscape: Any) -> LossLevel:
    _, matrix = frame(landscape)
    back = np.zeros((0, 0)) if matrix is None else np.ascontiguousarray(matrix.T)
    return LossLevel(boundary.level, 1.0 if isinstance(boundary, LossAbove) else -1.0, back)


@outside.on(LossLevel)
def is_past_level(boundary, landscape, x, i):
    # The engine's landscape is the one below rotations.
    turned = boundary.back.shape[0] > 0
    loss = value(landscape, Transformed(x, boundary.back), i) if turned else value(landscape, x, i)
    return boundary.sign * (loss - boundary.level) >= 0.0


@outside.on(OutsideBall, LossAbove, LossBelow)
def is_outside_unsettled(boundary, landscape, x, i):
    """In Python, as declared: the engine watches what `settle_boundary` makes of it."""
    return outside(settle_boundary(boundary, landscape), frame(landscape)[0], x, i)


# ------------------------------------------------------------------------------------------------------ dimensions


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


@boundary_dimension.on(OutsideBall)
def _ball_dimension(boundary: OutsideBall) -> int:
    return len(boundary.centre) if isinstance(boundary.centre, tuple) else 0


@boundary_dimension.on(NearerTo)
def _nearer_dimension(boundary: NearerTo) -> int:
    size = len(boundary.home)
    for n, point in enumerate(boundary.others):
        if len(point) != size:
            raise InvalidInput(f"NearerTo: others[{n}] has {len(point)} coordinates, home has {size}")
        if point == boundary.home:
            raise InvalidInput(f"NearerTo: others[{n}] is home itself")
    return size
