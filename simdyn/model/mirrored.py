"""Whether a landscape past its saddle is the mirror image of what comes before, as TwoPieceNoise takes it to be."""

from typing import Any

import numpy as np

from simdyn.model.boundaries import outside
from simdyn.model.geometry import curvatures_at, minimum, saddle, value_at
from simdyn.model.landscapes import frame
from simdyn.model.records import InvalidInput

TOLERANCE = 1e-3  # relative, of curvatures and of the barrier
# Of the way from the saddle back to the minimum; none is a place where parabolas usually meet.
PARTS = (0.13, 0.37, 0.61, 0.83, 1.0, 1.17)


def differs_past_saddle(landscape: Any, boundary: Any = None) -> bool:
    """Whether particles may go where the landscape is no mirror image: reflected in coordinate 0 or in the saddle.

    boundary: where they leave; one that is met at the saddle keeps them from what lies beyond. Curvatures and heights are
    compared at six points of the straight way from the saddle to the minimum, and a little further.
    """
    inner, matrix = frame(landscape)
    bottom, top = minimum(inner), saddle(inner)
    return not _is_mirror_image(inner, bottom, top) and not _left_at(top, bottom, inner, matrix, boundary)


def _is_mirror_image(landscape: Any, bottom: np.ndarray, top: np.ndarray) -> bool:
    way, barrier = bottom - top, abs(value_at(landscape, bottom) - value_at(landscape, top))
    here = [(curvatures_at(landscape, top + part * way), value_at(landscape, top + part * way)) for part in PARTS]
    size = max(float(np.max(np.abs(curvatures))) for curvatures, _ in here)
    for reflected in (way * np.where(np.arange(len(way)) == 0, -1.0, 1.0), -way):
        try:
            there = [
                (curvatures_at(landscape, top + part * reflected), value_at(landscape, top + part * reflected))
                for part in PARTS
            ]
        except (ArithmeticError, ValueError):
            continue
        if all(
            np.all(np.abs(bend - other_bend) <= TOLERANCE * size) and abs(high - other_high) <= TOLERANCE * barrier
            for (bend, high), (other_bend, other_high) in zip(here, there, strict=True)
        ):
            return True
    return False


def _left_at(top: np.ndarray, bottom: np.ndarray, landscape: Any, matrix: np.ndarray | None, boundary: Any) -> bool:
    """Whether a particle that has just passed the saddle is out."""
    if boundary is None:
        return False
    past = top + 1e-6 * (top - bottom)
    point = (past if matrix is None else matrix @ past).reshape(-1, 1)
    try:
        return bool(outside(boundary, landscape, point, 0))
    except (InvalidInput, IndexError):
        return False
