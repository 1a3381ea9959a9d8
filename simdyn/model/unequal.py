"""Landscapes whose minima are equally deep and differ in sharpness alone, and a bath of directions for any of them."""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.geometry import joints, minimum, saddle, split
from simdyn.model.landscapes import curvature, dimension, gradient, is_separable, value
from simdyn.model.records import INDEX, POSITIVE, Allowed, InvalidInput, record


@record("landscape", barrier=POSITIVE, left_curvature=POSITIVE, right_curvature=POSITIVE, saddle_curvature=POSITIVE)
class UnequalWells(NamedTuple):
    """Two wells of equal depth and curvatures H_l and H_r, joined by a cap of curvature -|H_b|; the top is at 0.

    `MatchedParabolas` with a curvature for either side; a particle starts on the left, so that swapping the two asks for
    the way back.
    """

    barrier: float = 1.0
    left_curvature: float = 8.0
    right_curvature: float = 2.0
    saddle_curvature: float = 4.0


@value.on(UnequalWells)
def unequal_value(wells, x, i):
    well = wells.left_curvature if x[0, i] < 0.0 else wells.right_curvature
    total = well + wells.saddle_curvature
    place = math.sqrt(2.0 * wells.barrier * total / (well * wells.saddle_curvature))
    distance = abs(x[0, i])
    if distance < place * well / total:
        return wells.barrier - 0.5 * wells.saddle_curvature * distance**2
    return 0.5 * well * (distance - place) ** 2


@gradient.on(UnequalWells)
def unequal_gradient(wells, x, j, i):
    well = wells.left_curvature if x[0, i] < 0.0 else wells.right_curvature
    total = well + wells.saddle_curvature
    place = math.sqrt(2.0 * wells.barrier * total / (well * wells.saddle_curvature))
    distance = abs(x[0, i])
    flank = well * (distance - place)
    if distance < place * well / total:
        return -wells.saddle_curvature * x[0, i]
    return flank if x[0, i] > 0.0 else -flank


@curvature.on(UnequalWells)
def unequal_curvature(wells, x, j, i):
    well = wells.left_curvature if x[0, i] < 0.0 else wells.right_curvature
    total = well + wells.saddle_curvature
    place = math.sqrt(2.0 * wells.barrier * total / (well * wells.saddle_curvature))
    return -wells.saddle_curvature if abs(x[0, i]) < place * well / total else well


@minimum.on(UnequalWells)
def _left_bottom(wells: UnequalWells) -> np.ndarray:
    return np.array([-math.sqrt(2.0 * wells.barrier * (1.0 / wells.left_curvature + 1.0 / wells.saddle_curvature))])


@saddle.on(UnequalWells)
def _top(wells: UnequalWells) -> np.ndarray:
    return np.zeros(1)


@split.on(UnequalWells)
def _joint(wells: UnequalWells) -> float:
    return float(_left_bottom(wells)[0] * wells.left_curvature / (wells.left_curvature + wells.saddle_curvature))


@joints.on(UnequalWells)
def _where_pieces_meet(wells: UnequalWells) -> list[float]:
    # The curvature of the top is the same on both sides, and so 0 is no joint.
    return [_joint(wells), -_joint(wells._replace(left_curvature=wells.right_curvature))]


# ------------------------------------------------------------------------------------------------ many minima


@record(
    "landscape",
    barrier=POSITIVE,
    width=POSITIVE,
    ratio=Allowed("a number above 1", lambda value: value > 1.0),
    number=INDEX,
)
class MinimaChain(NamedTuple):
    """Minima of equal depth, sharpest in the middle and ever flatter outwards: L(x) = barrier sin^2(pi u(x)), with
    u = asinh(x/width)/ln(ratio).

    Minimum n lies at x_n = width sinh(n ln ratio), and its curvature is 2 barrier (pi/ln ratio)^2/(width^2 + x_n^2): far
    out each is ratio^2 times flatter than the one before. A particle starts in minimum `number`, and `saddle` is the next
    one outwards. Sines are not vectorised: slower than the polynomials.
    """

    barrier: float = 1.0
    width: float = 1.0
    ratio: float = 2.0
    number: int = 0


@value.on(MinimaChain)
def chain_value(chain, x, i):
    return chain.barrier * math.sin(math.pi * math.asinh(x[0, i] / chain.width) / math.log(chain.ratio)) ** 2


@gradient.on(MinimaChain)
def chain_gradient(chain, x, j, i):
    rate = math.pi / math.log(chain.ratio)
    phase = rate * math.asinh(x[0, i] / chain.width)
    return chain.barrier * rate * math.sin(2.0 * phase) / math.sqrt(chain.width**2 + x[0, i] ** 2)


@curvature.on(MinimaChain)
def chain_curvature(chain, x, j, i):
    rate = math.pi / math.log(chain.ratio)
    square = chain.width**2 + x[0, i] ** 2
    phase = 2.0 * rate * math.asinh(x[0, i] / chain.width)
    return (
        chain.barrier * rate * (2.0 * rate * math.cos(phase) - math.sin(phase) * x[0, i] / math.sqrt(square)) / square
    )


@minimum.on(MinimaChain)
def _own_minimum(chain: MinimaChain) -> np.ndarray:
    return np.array([chain.width * math.sinh(chain.number * math.log(chain.ratio))])


@saddle.on(MinimaChain)
def _next_top(chain: MinimaChain) -> np.ndarray:
    return np.array([chain.width * math.sinh((chain.number + 0.5) * math.log(chain.ratio))])


# ------------------------------------------------------------------------------------------------------- wrapper


@record("landscape", transverse=POSITIVE)
class WithBath(NamedTuple):
    """A landscape of one dimension along coordinate 0, harmonic with the curvatures `transverse` across it."""

    landscape: Any
    transverse: tuple[float, ...]


@value.on(WithBath)
def bath_value(bath, x, i):
    total = value(bath.landscape, x, i)
    for j in range(len(bath.transverse)):
        total += 0.5 * bath.transverse[j] * x[j + 1, i] ** 2
    return total


@gradient.on(WithBath)
def bath_gradient(bath, x, j, i):
    if j == 0:
        return gradient(bath.landscape, x, 0, i)
    return bath.transverse[j - 1] * x[j, i]


@curvature.on(WithBath)
def bath_curvature(bath, x, j, i):
    if j == 0:
        return curvature(bath.landscape, x, 0, i)
    return bath.transverse[j - 1]


@dimension.on(WithBath)
def _bath_dimension(bath: WithBath) -> int:
    inner = dimension(bath.landscape)
    if inner != 1:
        raise InvalidInput(f"WithBath: {type(bath.landscape).__name__} has {inner} dimensions, it may have one")
    return 1 + len(bath.transverse)


@is_separable.on(WithBath)
def _bath_is_apart(bath: WithBath) -> bool:
    return True


def _along(point: np.ndarray, bath: WithBath) -> np.ndarray:
    return np.concatenate([point, np.zeros(len(bath.transverse))])


@minimum.on(WithBath)
def _bath_minimum(bath: WithBath) -> np.ndarray:
    return _along(minimum(bath.landscape), bath)


@saddle.on(WithBath)
def _bath_saddle(bath: WithBath) -> np.ndarray:
    return _along(saddle(bath.landscape), bath)


@split.on(WithBath)
def _bath_split(bath: WithBath) -> float:
    return split(bath.landscape)
