"""Where a landscape's minimum, saddle and split are, and its Hessian there: what theory, noise and studies ask of it.

A record that knows its points says so; for the others they are found numerically.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from simdyn._jit import generic, how_to_say
from simdyn.model.arrays import numbers
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
    frame,
    gradient,
    value,
)
from simdyn.model.records import InvalidInput
from simdyn.model.vetting import dimension_hint, within_its_coordinates


class NotFound(InvalidInput):
    """A minimum or saddle that was looked for in vain; `looked` says so without the advice for who can register one."""

    def __init__(self, landscape: Any, point: str, how: str) -> None:
        self.looked = f"{type(landscape).__name__}: no {point} found {how}"
        super().__init__(f"{self.looked}; give it one with {how_to_say(point, type(landscape), 'landscape')}")


def value_at(landscape: Any, point: Any) -> float:
    """L at a point (d,)."""
    x = column_of(landscape, point)
    return within_its_coordinates(landscape, lambda: float(value(landscape, x, 0)))


def gradient_at(landscape: Any, point: Any) -> np.ndarray:
    """The gradient, (d,), at a point (d,)."""
    x = column_of(landscape, point)
    found = within_its_coordinates(landscape, lambda: [gradient(landscape, x, j, 0) for j in range(len(x))])
    return np.array(found, dtype=float)


def curvatures_at(landscape: Any, point: Any) -> np.ndarray:
    """The diagonal of the Hessian, (d,), at a point (d,)."""
    x = column_of(landscape, point)
    found = within_its_coordinates(landscape, lambda: [curvature(landscape, x, j, 0) for j in range(len(x))])
    return np.array(found, dtype=float)


def hessian_at(landscape: Any, point: Any) -> np.ndarray:
    """The Hessian, (d, d), at a point (d,): the diagonal as declared, the rest by central differences of the gradient."""
    inner, matrix = frame(landscape)
    if matrix is not None:
        return matrix @ hessian_at(inner, matrix.T @ column_of(landscape, point)[:, 0]) @ matrix.T
    point = column_of(landscape, point)[:, 0]
    hessian = np.diag(curvatures_at(landscape, point))
    for j in range(len(point)):
        shift = np.zeros(len(point))
        shift[j] = 6e-6 * max(1.0, abs(point[j]))
        column = (gradient_at(landscape, point + shift) - gradient_at(landscape, point - shift)) / (2.0 * shift[j])
        others = np.arange(len(point)) != j
        hessian[others, j] = column[others]
    return (hessian + hessian.T) / 2.0


def column_of(landscape: Any, point: Any) -> np.ndarray:
    """A point (d,) as a column (d, 1); raises InvalidInput unless it has the landscape's number of coordinates."""
    size, found = dimension(landscape), numbers("point", point, finite=False)
    if found.size != size or found.ndim > 2:
        name, given = type(landscape).__name__, f"{found.size} ({point!r})"
        hint = dimension_hint(landscape)
        raise InvalidInput(f"{name}: a point has {size} coordinate{'s' if size > 1 else ''} here, not {given}{hint}")
    return found.reshape(-1, 1)


# --------------------------------------------------------------------------------------------- special points


@generic
def minimum(landscape):
    """The minimum a that a particle escapes from, (d,)."""


@generic
def saddle(landscape):
    """The saddle b it leaves through, (d,)."""


@generic
def split(landscape):
    """Coordinate 0 of the point between minimum and saddle where the curvature along the escape changes sign."""


@generic
def joints(landscape):
    """Points of a landscape of one dimension at which it is not smooth: where pieces of it meet, a list in any order."""


@joints.otherwise
def _smooth(landscape: Any) -> list[float]:
    return []


@joints.on(MatchedParabolas)
def _where_parabolas_meet(well: MatchedParabolas) -> list[float]:
    joint = _matched_split(well)
    return [joint, -joint]


@joints.on(Sharpened)
def _sharpened_joints(sharpened: Sharpened) -> list[float]:
    return [joint / math.sqrt(sharpened.sharpness) for joint in joints(sharpened.landscape)]


@minimum.on(Quadratic, Saddle)
@saddle.on(Quadratic, Saddle)
def _origin(landscape: Any) -> np.ndarray:
    return np.zeros(dimension(landscape))


@minimum.on(DoubleWell, Valley)
def _left_bottom(well: Any) -> np.ndarray:
    return np.concatenate([[-well.width], np.zeros(dimension(well) - 1)])


@minimum.on(MatchedParabolas)
def _matched_bottom(well: MatchedParabolas) -> np.ndarray:
    return np.array([-math.sqrt(2.0 * well.barrier * (1.0 / well.minimum_curvature + 1.0 / well.saddle_curvature))])


@saddle.on(DoubleWell, Valley, MatchedParabolas)
def _top(well: Any) -> np.ndarray:
    return np.zeros(dimension(well))


@split.on(MatchedParabolas)
def _matched_split(well: MatchedParabolas) -> float:
    bottom = _matched_bottom(well)[0]
    return float(bottom * well.minimum_curvature / (well.minimum_curvature + well.saddle_curvature))


def _styblinski_root(low: float, high: float) -> float:
    return float(optimize.brentq(lambda x: 2.0 * x**3 - 16.0 * x + 2.5, low, high, xtol=1e-15))


@minimum.on(StyblinskiTang)
def _styblinski_bottom(landscape: StyblinskiTang) -> np.ndarray:
    return np.full(landscape.dimension, _styblinski_root(-3.5, -2.0))


@saddle.on(StyblinskiTang)
def _styblinski_pass(landscape: StyblinskiTang) -> np.ndarray:
    point = _styblinski_bottom(landscape)
    point[0] = _styblinski_root(-1.0, 1.0)
    return point


@minimum.on(Sharpened)
def _sharpened_minimum(sharpened: Sharpened) -> np.ndarray:
    return minimum(sharpened.landscape) / math.sqrt(sharpened.sharpness)


@saddle.on(Sharpened)
def _sharpened_saddle(sharpened: Sharpened) -> np.ndarray:
    return saddle(sharpened.landscape) / math.sqrt(sharpened.sharpness)


@split.on(Sharpened)
def _sharpened_split(sharpened: Sharpened) -> float:
    return split(sharpened.landscape) / math.sqrt(sharpened.sharpness)


def _turned(point_of: Callable) -> Callable:
    def turned(rotated: Rotated) -> np.ndarray:
        inner, matrix = frame(rotated)
        return matrix @ point_of(inner)

    return turned


minimum.on(Rotated)(_turned(minimum))
saddle.on(Rotated)(_turned(saddle))


def knows(special: Any, landscape: Any) -> bool:
    """Whether a landscape, and each one inside it, says itself where its minimum (or saddle) is."""
    return special.knows(type(landscape)) and all(
        knows(special, part) for part in landscape if hasattr(part, "_fields")
    )


# ---------------------------------------------------------------------------------- for records that do not say


@minimum.otherwise
def find_minimum(landscape: Any) -> np.ndarray:
    """The minimum reached by descent from just left of the origin along coordinate 0, polished by root finding.

    Raises InvalidInput when descent finds no isolated minimum.
    """
    point = descended(landscape, 10_000)
    if point is None:
        raise NotFound(landscape, "minimum", "by descent")
    return point


def descended(landscape: Any, steps: int) -> np.ndarray | None:
    """The isolated minimum found in so many steps of at most half a unit, or None."""
    start = np.zeros(dimension(landscape))
    start[0] = -0.1
    found = optimize.minimize(
        lambda point: value_at(landscape, point),
        start,
        jac=lambda point: gradient_at(landscape, point),
        hess=lambda point: hessian_at(landscape, point),
        method="trust-exact",  # in short steps: a line search may leap into another well
        options={"initial_trust_radius": 0.1, "max_trust_radius": 0.5, "maxiter": steps},
    )
    point = _polish(landscape, found.x)
    return None if point is None or np.linalg.eigvalsh(hessian_at(landscape, point))[0] <= 0.0 else point


@saddle.otherwise
def find_saddle(landscape: Any) -> np.ndarray:
    """The first saddle of index 1 met when coordinate 0 is dragged uphill from the minimum, the others relaxing.

    Raises InvalidInput when none is met within 20 units to the right or the left.
    """
    bottom = minimum(landscape)
    others = np.arange(len(bottom)) != 0
    for direction in (1.0, -1.0):
        point, step = bottom.copy(), 0.02 * direction
        for _ in range(1000):
            point[0] += step
            if others.any():
                point[others] = _relaxed(landscape, point, others)
            if gradient_at(landscape, point)[0] * direction < 0.0:
                found = _polish(landscape, point)
                if found is not None and np.sum(np.linalg.eigvalsh(hessian_at(landscape, found)) < 0.0) == 1:
                    return found
                break
    raise NotFound(landscape, "saddle", "along coordinate 0")


def _relaxed(landscape: Any, point: np.ndarray, others: np.ndarray) -> np.ndarray:
    def placed(rest: np.ndarray) -> np.ndarray:
        moved = point.copy()
        moved[others] = rest
        return moved

    return optimize.minimize(
        lambda rest: value_at(landscape, placed(rest)),
        point[others],
        jac=lambda rest: gradient_at(landscape, placed(rest))[others],
        method="BFGS",
    ).x


def _polish(landscape: Any, point: np.ndarray) -> np.ndarray | None:
    found = optimize.root(lambda p: gradient_at(landscape, p), point, tol=1e-13)
    return found.x if np.all(np.abs(found.x - point) < 0.1 * (1.0 + np.abs(point))) else None


@split.otherwise
def find_split(landscape: Any) -> float:
    """Root of the curvature along coordinate 0 on the straight way from minimum to saddle; InvalidInput if it keeps its sign."""
    bottom, top = minimum(landscape), saddle(landscape)

    def along(share: float) -> float:
        return float(curvatures_at(landscape, bottom + share * (top - bottom))[0])

    if along(0.0) * along(1.0) >= 0.0:
        raise InvalidInput(
            f"{type(landscape).__name__} has no split: its curvature does not change sign between minimum and saddle"
        )
    share = float(optimize.brentq(along, 0.0, 1.0, xtol=1e-14))
    return float(bottom[0] + share * (top[0] - bottom[0]))
