"""Loss landscapes: records, and the functions that say their value, slope and curvature.

The functions take a point as ``x[j, i]``, coordinate j of particle i, and are scalar: the same source runs in Python
and, inlined, in the compiled lane loop. A new landscape is a record with `gradient`, `value` and `curvature`;
`minimum` and `saddle` are found numerically where a record does not say (see `geometry`).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import Scaled, generic
from simdyn.model.records import ANSWERS, COUNT, INDEX, NON_NEGATIVE, POSITIVE, InvalidInput, record


@generic
def value(landscape, x, i):
    """L(x) of particle i."""


@generic
def gradient(landscape, x, j, i):
    """dL/dx_j of particle i."""


@generic
def curvature(landscape, x, j, i):
    """d^2 L/dx_j^2 of particle i."""


@generic
def dimension(landscape):
    """How many coordinates the landscape has."""


@generic
def is_separable(landscape):
    """Whether a landscape is known to be a sum of functions of one coordinate each: its Hessian is diagonal everywhere."""


ANSWERS["landscape"].append(gradient)


@dimension.otherwise
def _one_dimension(landscape: Any) -> int:
    return 1


@is_separable.otherwise
def _one_coordinate(landscape: Any) -> bool:
    return dimension(landscape) == 1


# ------------------------------------------------------------------------------------------ quadratic, saddle


@record("landscape", curvatures=POSITIVE)
class Quadratic(NamedTuple):
    """A harmonic well, L(x) = sum_j curvatures_j x_j^2 / 2."""

    curvatures: tuple[float, ...]


@value.on(Quadratic)
def quadratic_value(well, x, i):
    total = 0.0
    for j in range(len(well.curvatures)):
        total += 0.5 * well.curvatures[j] * x[j, i] ** 2
    return total


@gradient.on(Quadratic)
def quadratic_gradient(well, x, j, i):
    return well.curvatures[j] * x[j, i]


@curvature.on(Quadratic)
def quadratic_curvature(well, x, j, i):
    return well.curvatures[j]


@record("landscape", quartic=NON_NEGATIVE)
class Saddle(NamedTuple):
    """A saddle (or well, or hilltop), L(x) = sum_j curvatures_j x_j^2 / 2 + quartic x_j^4 / 4.

    Any signs of curvature; a positive `quartic` bounds it from below.
    """

    curvatures: tuple[float, ...]
    quartic: float = 0.0


@value.on(Saddle)
def saddle_value(saddle, x, i):
    total = 0.0
    for j in range(len(saddle.curvatures)):
        square = x[j, i] ** 2
        total += square * (0.5 * saddle.curvatures[j] + 0.25 * saddle.quartic * square)
    return total


@gradient.on(Saddle)
def saddle_gradient(saddle, x, j, i):
    return x[j, i] * (saddle.curvatures[j] + saddle.quartic * x[j, i] ** 2)


@curvature.on(Saddle)
def saddle_curvature(saddle, x, j, i):
    return saddle.curvatures[j] + 3.0 * saddle.quartic * x[j, i] ** 2


@dimension.on(Quadratic, Saddle)
def _as_many_as_curvatures(landscape: Any) -> int:
    return len(landscape.curvatures)


# ------------------------------------------------------------------------------------------------ double wells


@record("landscape", barrier=POSITIVE, width=POSITIVE)
class DoubleWell(NamedTuple):
    """L(x) = barrier ((x/width)^2 - 1)^2: minima at +-width, curvature 8 barrier/width^2 there, -4 barrier/width^2 on top."""

    barrier: float = 1.0
    width: float = 1.0


@value.on(DoubleWell)
def double_well_value(well, x, i):
    return well.barrier * ((x[0, i] / well.width) ** 2 - 1.0) ** 2


@gradient.on(DoubleWell)
def double_well_gradient(well, x, j, i):
    linear = 4.0 * well.barrier / well.width**2
    return x[0, i] * (linear / well.width**2 * (x[0, i] * x[0, i]) - linear)


@curvature.on(DoubleWell)
def double_well_curvature(well, x, j, i):
    stiffness = 4.0 * well.barrier / well.width**2
    return stiffness * (3.0 / well.width**2 * (x[0, i] * x[0, i]) - 1.0)


@record("landscape", barrier=POSITIVE, width=POSITIVE, transverse=POSITIVE)
class Valley(NamedTuple):
    """A double well along coordinate 0, harmonic across it: L(x) = DoubleWell(x_0) + sum_j transverse_j x_j^2 / 2."""

    barrier: float
    width: float
    transverse: tuple[float, ...]


@value.on(Valley)
def valley_value(valley, x, i):
    total = valley.barrier * ((x[0, i] / valley.width) ** 2 - 1.0) ** 2
    for j in range(len(valley.transverse)):
        total += 0.5 * valley.transverse[j] * x[j + 1, i] ** 2
    return total


@gradient.on(Valley)
def valley_gradient(valley, x, j, i):
    if j == 0:
        return 4.0 * valley.barrier / valley.width**2 * x[0, i] * (x[0, i] * x[0, i] * (1.0 / valley.width**2) - 1.0)
    return valley.transverse[j - 1] * x[j, i]


@curvature.on(Valley)
def valley_curvature(valley, x, j, i):
    if j == 0:
        return 4.0 * valley.barrier / valley.width**2 * (3.0 / valley.width**2 * (x[0, i] * x[0, i]) - 1.0)
    return valley.transverse[j - 1]


@dimension.on(Valley)
def _valley_dimension(valley: Valley) -> int:
    return 1 + len(valley.transverse)


@record("landscape", barrier=POSITIVE, minimum_curvature=POSITIVE, saddle_curvature=POSITIVE)
class MatchedParabolas(NamedTuple):
    """Two wells of curvature H_a joined by a cap of curvature -|H_b|, value and slope continuous; the top is at 0.

    L(x) = barrier - |H_b| x^2/2 for |x| < s, H_a (|x| - a)^2/2 beyond, with a^2 = 2 barrier (1/H_a + 1/|H_b|) and
    s = a H_a/(H_a + |H_b|). The well has climbed |H_b|/(H_a + |H_b|) of the barrier where the pieces meet.
    """

    barrier: float
    minimum_curvature: float
    saddle_curvature: float


@value.on(MatchedParabolas)
def matched_value(well, x, i):
    total = well.minimum_curvature + well.saddle_curvature
    place = math.sqrt(2.0 * well.barrier * total / (well.minimum_curvature * well.saddle_curvature))
    distance = abs(x[0, i])
    if distance < place * well.minimum_curvature / total:
        return well.barrier - 0.5 * well.saddle_curvature * distance**2
    return 0.5 * well.minimum_curvature * (distance - place) ** 2


@gradient.on(MatchedParabolas)
def matched_gradient(well, x, j, i):
    total = well.minimum_curvature + well.saddle_curvature
    place = math.sqrt(2.0 * well.barrier * total / (well.minimum_curvature * well.saddle_curvature))
    distance = abs(x[0, i])
    cap = -well.saddle_curvature * x[0, i]
    flank = well.minimum_curvature * (distance - place)
    if distance < place * well.minimum_curvature / total:
        return cap
    return flank if x[0, i] > 0.0 else -flank


@curvature.on(MatchedParabolas)
def matched_curvature(well, x, j, i):
    total = well.minimum_curvature + well.saddle_curvature
    place = math.sqrt(2.0 * well.barrier * total / (well.minimum_curvature * well.saddle_curvature))
    if abs(x[0, i]) < place * well.minimum_curvature / total:
        return -well.saddle_curvature
    return well.minimum_curvature


# ---------------------------------------------------------------------------------------------- many minima


@record("landscape", dimension=COUNT)
class StyblinskiTang(NamedTuple):
    """L(x) = sum_j (x_j^4 - 16 x_j^2 + 5 x_j) / 2: one deep minimum at -2.9035 in every coordinate, 2^d minima in all."""

    dimension: int = 2


@value.on(StyblinskiTang)
def styblinski_value(landscape, x, i):
    total = 0.0
    for j in range(landscape.dimension):
        square = x[j, i] ** 2
        total += 0.5 * (square * square - 16.0 * square + 5.0 * x[j, i])
    return total


@gradient.on(StyblinskiTang)
def styblinski_gradient(landscape, x, j, i):
    return x[j, i] * (2.0 * x[j, i] * x[j, i] - 16.0) + 2.5


@curvature.on(StyblinskiTang)
def styblinski_curvature(landscape, x, j, i):
    return 6.0 * x[j, i] * x[j, i] - 16.0


@dimension.on(StyblinskiTang)
def _styblinski_dimension(landscape: StyblinskiTang) -> int:
    return landscape.dimension


@is_separable.on(Quadratic, Saddle, Valley, StyblinskiTang)
def _in_its_coordinates(landscape: Any) -> bool:
    return True


# -------------------------------------------------------------------------------------------------- wrappers


@record("landscape", sharpness=POSITIVE)
class Sharpened(NamedTuple):
    """The same barrier, `sharpness` times the curvature: L_k(x) = L(sqrt(k) x); minima and exits move by 1/sqrt(k)."""

    landscape: Any
    sharpness: float


@value.on(Sharpened)
def sharpened_value(sharpened, x, i):
    return value(sharpened.landscape, Scaled(x, math.sqrt(sharpened.sharpness)), i)


@gradient.on(Sharpened)
def sharpened_gradient(sharpened, x, j, i):
    root = math.sqrt(sharpened.sharpness)
    return root * gradient(sharpened.landscape, Scaled(x, root), j, i)


@curvature.on(Sharpened)
def sharpened_curvature(sharpened, x, j, i):
    return sharpened.sharpness * curvature(sharpened.landscape, Scaled(x, math.sqrt(sharpened.sharpness)), j, i)


@record("landscape", axes=INDEX)
class Rotated(NamedTuple):
    """A landscape turned by `angle` (radians) in the plane of two `axes`: L_R(x) = L(Q^T x).

    What adaptive methods feel: their step depends on the axes, the landscape's escape direction need not be one.
    Rotations may be nested; the noise is the inner landscape's and turns with it. The engine simulates in the inner
    frame, so the functions below are for single points, in Python.
    """

    landscape: Any
    angle: float = math.pi / 4
    axes: tuple[int, int] = (0, 1)


def frame(landscape: Any) -> tuple[Any, np.ndarray | None]:
    """The landscape below all rotations, and the orthogonal matrix Q, (d, d), with x = Q y; None where there is none.

    Raises InvalidInput when a rotation's axes are not two different coordinates, or a rotation sits below another wrapper.
    """
    if isinstance(landscape, Sharpened):
        inner, matrix = frame(landscape.landscape)
        return (landscape if matrix is None else Sharpened(inner, landscape.sharpness)), matrix
    if not isinstance(landscape, Rotated):
        return landscape, None
    inner, inner_matrix = frame(landscape.landscape)
    size = dimension(inner)
    first, second = landscape.axes
    if first == second or max(first, second) >= size:
        raise InvalidInput(f"Rotated: axes must be two different coordinates below {size}, not {landscape.axes}")
    matrix = np.eye(size)
    matrix[[first, second], [first, second]] = math.cos(landscape.angle)
    matrix[first, second] = -math.sin(landscape.angle)
    matrix[second, first] = math.sin(landscape.angle)
    return inner, matrix if inner_matrix is None else matrix @ inner_matrix


@dimension.on(Sharpened, Rotated)
def _inner_dimension(wrapper: Any) -> int:
    return dimension(wrapper.landscape)


@is_separable.on(Sharpened)
def _as_what_it_sharpens(sharpened: Sharpened) -> bool:
    return is_separable(sharpened.landscape)


@value.on(Rotated)
def rotated_value(rotated, x, i):
    inner, matrix = frame(rotated)
    return value(inner, matrix.T @ _point_of(x, i, len(matrix)), 0)


@gradient.on(Rotated)
def rotated_gradient(rotated, x, j, i):
    inner, matrix = frame(rotated)
    y = matrix.T @ _point_of(x, i, len(matrix))
    return sum(matrix[j, n] * gradient(inner, y, n, 0) for n in range(len(matrix)))


@curvature.on(Rotated)
def rotated_curvature(rotated, x, j, i):
    from simdyn.model.geometry import hessian_at

    return hessian_at(rotated, _point_of(x, i, dimension(rotated))[:, 0])[j, j]


def _point_of(x: Any, i: int, size: int) -> np.ndarray:
    """Particle i's point, (size, 1); `x` may be an array or a point seen through `Scaled`."""
    return np.array([[x[j, i]] for j in range(size)])
