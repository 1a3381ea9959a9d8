"""Mean first passage from every cell of a grid: the backward Kolmogorov equation L* tau = -1, by sparse elimination."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from simdyn.exact.generator import Generator, basin
from simdyn.exact.line import FloatArray
from simdyn.model.records import InvalidInput

HIGHEST = 600.0  # above it weights would vanish in double precision, and nobody goes there
LOSS = 1e-4  # relative rounding error from which on an answer is refused


def passage_field(found: Generator, start: int) -> FloatArray:
    """tau (N,) on the alive cells of a generator with a wall, best kept around cell `start`.

        rates tau = -1

    With detailed balance the equation, weighted by the stationary law, is symmetric; the time common to the whole basin
    of `start` is split off, its row and column being sums that cancel exactly everywhere but on the basin's rim, so
    that high barriers keep their digits. Without it the plain solve is refused where rounding would show.
    Raises InvalidInput without a wall.
    """
    if not np.any(found.absorbed > 0.0):
        raise InvalidInput("nothing absorbs on this grid: its mean first passage is not finite")
    if found.potential is None:
        tau = splu(sparse.csc_array(-found.rates)).solve(np.ones(len(found.absorbed)))
        fastest = float(np.max(-found.rates.diagonal()))
        if not 0.0 < 2e-16 * fastest * float(np.max(tau)) < LOSS:
            raise InvalidInput(
                "the barrier is too high for double precision where the noise breaks detailed balance: lower it"
            )
        return tau
    potential = found.potential - float(np.min(found.potential))
    cells, _ = basin(found, potential, start)
    weight = np.exp(-np.minimum(potential, HIGHEST))
    matrix = sparse.csr_array(-(sparse.diags_array(weight) @ found.rates))
    common = cells.astype(float)
    jumps = sparse.csr_array(found.rates - sparse.diags_array(found.rates.diagonal()))
    # A column's sum over the basin: what jumps out of it, or is absorbed; and minus what jumps into it.
    leaving = weight * (jumps @ (1.0 - common) + found.absorbed)
    entering = -weight * (jumps @ common)
    column = np.where(cells, leaving, entering)
    pin = int(np.argmin(np.where(cells, potential, np.inf)))
    others = np.delete(np.arange(len(weight)), pin)
    scale = 1.0 / np.sqrt(matrix.diagonal()[others])
    scaling = sparse.diags_array(scale)
    core = sparse.csc_array(scaling @ matrix[others][:, others] @ scaling)
    factors = splu(core, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    answers = scale[:, None] * factors.solve(scale[:, None] * np.stack([weight, column], 1)[others])
    for_right, for_column = column[others] @ answers
    shared = (weight @ common - for_right) / (float(column @ common) - for_column)
    tau = shared * common
    tau[others] += answers[:, 0] - shared * answers[:, 1]
    if not (np.all(np.isfinite(tau)) and shared > 0.0):
        raise InvalidInput("the mean first passage time exceeds what a double holds: lower the barrier")
    return tau


def nearest(found: Generator, point: Any) -> int:
    """The alive cell nearest to a point (d,)."""
    return int(np.argmin(np.sum((found.points - np.asarray(point)[:, None]) ** 2, axis=0)))
