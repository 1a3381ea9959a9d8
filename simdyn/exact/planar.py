"""Mean first passage of overdamped motion in two coupled dimensions, on grids that grow until nothing is left outside."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import map_coordinates

from simdyn.exact.generator import Wall, basin, diffusion_at, generator, heights_at
from simdyn.exact.line import FloatArray, noise_section, position_of, section
from simdyn.exact.passage_field import nearest, passage_field
from simdyn.exact.result import Exact
from simdyn.model.arrays import point_of
from simdyn.model.boundaries import Beyond, BeyondPlane
from simdyn.model.geometry import minimum
from simdyn.model.landscapes import dimension, frame
from simdyn.model.noise import settle_gaussian
from simdyn.model.records import InvalidInput

HEIGHT = 20.0  # of the potential above the barrier, over D, where the grid may end
CELLS = (110, 160, 220)  # along the longer axis, of the three grids
POOREST = 0.02  # a relative error above it is refused


def planar_first_passage(landscape: Any, noise: Any, boundary: Any, start: ArrayLike, convention: float = 0.0) -> Exact:
    """The mean first passage time of d theta = -grad L dt + (2D)^{1/2} dW in the plane, from start to a straight wall.

        sum_j [ -d_j L + alpha d_j D_j ] d_j tau + D_j d_j^2 tau = -1,    tau = 0 on the wall

    landscape: of two dimensions, Rotated or not; noise: diagonal in the landscape's own frame, 2D per unit time;
    boundary: Beyond or BeyondPlane; start: a number for both coordinates or one for each. convention: alpha, 0 Ito, 1/2
    Stratonovich, 1 Klimontovich. Returns value and error: finite volumes of second order (`generator`), extrapolated
    from three grids, and by how much two extrapolations differ. Standing: [D], exact but for that error.
    Raises InvalidInput for other dimensions, a start at or beyond the wall, a landscape that does not confine the
    particle by walls, and where the error exceeds 2 %.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import Quadratic, Rotated
    >>> from simdyn.model.noise import ConstantNoise
    >>> bowl = Rotated(Quadratic((1.0, 1.0)), 0.3)
    >>> round(float(planar_first_passage(bowl, ConstantNoise(2.0), Beyond(1.0), 0.0)), 3)
    2.093
    """
    inner, matrix = frame(landscape)
    if dimension(inner) != 2:
        raise InvalidInput(f"{type(inner).__name__}: a planar first passage needs two dimensions")
    place = point_of("start", start, 2)
    normal, offset = plane_of(boundary)
    turn = np.eye(2) if matrix is None else matrix
    here = turn.T @ place
    wall = Wall(turn.T @ normal, offset)
    if not wall.gap(here) > 0.0:
        raise InvalidInput(f"start is already at or beyond the boundary, {offset:g}")
    settled = settle_gaussian(noise, inner, BeyondPlane(tuple(turn.T @ normal), offset))
    lows, highs = _domain(inner, settled, wall, here)
    found = [_tau_at(inner, settled, wall, here, lows, highs, cells, convention) for cells in CELLS]
    squares = [1.0 / cells**2 for cells in CELLS]

    def extrapolated(i: int) -> float:
        return found[2] + (found[2] - found[i]) * squares[2] / (squares[i] - squares[2])

    tau = extrapolated(0)
    error = abs(tau - extrapolated(1)) + 0.02 * abs(tau - found[2]) + 1e-8 * tau
    if not error <= POOREST * tau:
        raise InvalidInput(
            "the plane's mean first passage is not resolved to 2 %: lower the barrier, or smooth the noise"
        )
    return Exact(tau, error)


def is_coupled_plane(landscape: Any, noise: Any, boundary: Any) -> bool:
    """Whether this is a problem of two dimensions which does not come down to one coordinate."""
    if dimension(landscape) != 2:
        return False
    try:
        _, coordinate = position_of(boundary)
        section(landscape, coordinate)
        noise_section(settle_gaussian(noise, landscape, boundary), coordinate, 2)
    except InvalidInput:
        return True
    return False


def plane_of(boundary: Any) -> tuple[FloatArray, float]:
    """Normal (2,) and offset of a straight boundary in the plane."""
    if isinstance(boundary, Beyond) and boundary.coordinate < 2:
        return np.eye(2)[boundary.coordinate], boundary.position
    if isinstance(boundary, BeyondPlane) and len(boundary.normal) == 2 and math.hypot(*boundary.normal) > 0.0:
        return np.array(boundary.normal), boundary.offset
    raise InvalidInput(
        f"{type(boundary).__name__}: a planar first passage is known for Beyond and BeyondPlane in two dimensions"
    )


def _axes(lows: FloatArray, highs: FloatArray, cells: int) -> tuple[FloatArray, ...]:
    """Centres of about square cells in units of the box's sides, at least half as many on the shorter."""
    sides = highs - lows
    counts = [max(cells // 2, math.ceil(cells * side / np.max(sides))) for side in sides]
    return tuple(
        low + side * (np.arange(count) + 0.5) / count for low, side, count in zip(lows, sides, counts, strict=True)
    )


def _tau_at(
    inner: Any,
    settled: Any,
    wall: Wall,
    here: FloatArray,
    lows: FloatArray,
    highs: FloatArray,
    cells: int,
    alpha: float,
) -> float:
    axes = _axes(lows, highs, cells)
    found = generator(inner, settled, axes, wall, alpha)
    tau = passage_field(found, nearest(found, here))
    index = np.array([(here[j] - axes[j][0]) / (axes[j][1] - axes[j][0]) for j in range(2)])
    corner = np.floor(index).astype(int)
    field = found.field(tau)
    patch = tuple(slice(max(0, c - 1), c + 3) for c in corner)
    if np.all(found.alive[patch]) and field[patch].shape == (4, 4):
        at = _cubic(index - corner)
        return float(at[0] @ field[patch] @ at[1])
    # Next to the wall tau falls to 0 within a cell: linear will do, and 0 is what lies beyond.
    return float(map_coordinates(field, index[:, None], order=1, mode="nearest")[0])


def _cubic(share: FloatArray) -> FloatArray:
    """Lagrange weights (2, 4) at -1, 0, 1, 2 of points in [0, 1]."""
    s = np.asarray(share)[:, None]
    weights = [
        -s * (s - 1) * (s - 2) / 6,
        (s + 1) * (s - 1) * (s - 2) / 2,
        -(s + 1) * s * (s - 2) / 2,
        (s + 1) * s * (s - 1) / 6,
    ]
    return np.concatenate(weights, axis=1)


def _domain(inner: Any, settled: Any, wall: Wall, here: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A box with the potential HEIGHT above the barrier on all of its rim, or beyond the wall."""
    foot = here + wall.normal * wall.gap(here) / (wall.normal @ wall.normal)
    marks = np.stack([here, foot, minimum(inner)])
    lows, highs = np.min(marks, 0), np.max(marks, 0)
    margin = 0.15 * max(float(np.max(highs - lows)), 1e-3)
    lows, highs = lows - margin, highs + margin
    for _ in range(60):
        axes = tuple(np.linspace(low, high, 45) for low, high in zip(lows, highs, strict=True))
        points = np.array(np.meshgrid(*axes, indexing="ij"))
        noisiest = np.max([diffusion_at(inner, settled, points, j) for j in range(2)])
        potential = heights_at(inner, points) / noisiest
        rough = generator(inner, settled, axes, wall)
        level = float(potential[rough.alive].min())
        if np.any(rough.absorbed > 0.0):
            origin = nearest(rough, here)
            _, level = basin(rough, potential[rough.alive], origin)
        grown = False
        for j in range(2):
            side = 0.15 * (highs[j] - lows[j])
            for end in (0, -1):
                rim = np.take(np.where(rough.alive, potential, np.inf), end, axis=j)
                if np.min(rim) < level + HEIGHT:
                    grown = True
                    if end == 0:
                        lows[j] -= side
                    else:
                        highs[j] += side
        if not grown:
            return lows, highs
    raise InvalidInput(
        f"{type(inner).__name__} does not hold a particle back, or too weakly for this method: {HEIGHT:g} times the strongest "
        "noise above the barrier is reached nowhere near; simulate it with max_steps"
    )
