"""Beyond the mean: second moment, slowest mode and survival of a chain on a line, with the elimination of `chain`.

Elimination writes I - P = L U, where L and U are 1 or positive on the diagonal and negative off it. Their inverses are
therefore positive, and so is every number in solving with them or with their transposes: nothing is a difference.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse

from simdyn.exact.chain import Banded, Scheme, TooLarge, assemble, from_start, grid_of
from simdyn.exact.line import FloatArray
from simdyn.exact.settled import Settled, is_constant
from simdyn.model.records import InvalidInput

LEVELS = (1, 2)  # of `chain`'s refinements: the law's numbers change by 1e-9 and less between them
LARGEST_WORK = 2e10  # multiplications of a march
MOST_ROUNDS = 500  # of inverse iteration


class Factors(NamedTuple):
    """I - P = L U: outflow on the diagonal of U, the rest of U and of L outflow in the chances, which are overwritten."""

    banded: Banded
    outflow: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """y with (I - P) y = right."""
        moves, _, _, last, below = self.banded
        y = right.copy()
        for k in range(len(y)):
            back = slice(k + 1, below[k])
            y[back] += moves[back, k] * (y[k] / self.outflow[k])
        for k in range(len(y) - 1, -1, -1):
            onward = slice(k + 1, last[k])
            y[k] = (y[k] + moves[k, onward] @ y[onward]) / self.outflow[k]
        return y

    def solve_transposed(self, right: FloatArray) -> FloatArray:
        """y with (I - P)^T y = right."""
        moves, _, _, last, below = self.banded
        y = right.copy()
        for k in range(len(y)):
            onward = slice(k + 1, last[k])
            y[k] /= self.outflow[k]
            y[onward] += moves[k, onward] * y[k]
        for k in range(len(y) - 1, -1, -1):
            back = slice(k + 1, below[k])
            y[k] += moves[back, k] @ y[back] / self.outflow[k]
        return y


def factorise(banded: Banded) -> Factors:
    """Elimination of the states from the left; overwrites the chances."""
    moves, leaves, _, last, below = banded
    outflow = np.empty(len(leaves))
    for k in range(len(leaves)):
        onward, back = slice(k + 1, last[k]), slice(k + 1, below[k])
        row = moves[k, onward]
        outflow[k] = leaves[k] + np.sum(row)
        share = moves[back, k] / outflow[k]
        moves[back, onward] += np.multiply.outer(share, row)
        leaves[back] += share * leaves[k]
    return Factors(banded, outflow)


class ChainLaw(NamedTuple):
    """E T, E T^2, and what the law settles in, on one grid."""

    mean: float
    square: float
    settled: Settled


def chain_law(scheme: Scheme, level: int) -> ChainLaw:
    """The law of the number of steps from the line's start, on one level of refinement.

        E T = 1 + p . t,  (I - P) t = 1;      E T^2 = 1 + p . (2 t + s),  (I - P) s = 2 t - 1,

    p the chances of the first step. The slowest mode by inverse iteration, its share from the normal tails.
    """
    try:
        nodes, weights, reach, _ = grid_of(scheme, level)
        banded = assemble(scheme, nodes, weights, reach)
    except TooLarge:
        raise InvalidInput("the step is too small to solve its chain: use Overdamped, its limit") from None
    first, leaves = from_start(scheme, nodes, weights), banded.leaves.copy()
    transposed = _transposed(banded, leaves)
    factors = factorise(banded)
    with np.errstate(over="ignore", invalid="ignore"):
        times = factors.solve(np.ones(len(nodes)))
        squares = factors.solve(2.0 * times - 1.0)
        mean, square = 1.0 + float(first @ times), 1.0 + float(first @ (2.0 * times + squares))
    if not math.isfinite(square):
        raise InvalidInput("the mean square of the escape time exceeds what a double holds: lower the barrier")
    mode, share = _slowest(factors, leaves)
    survival = _survival(transposed, leaves, first)
    work = float(transposed.nnz) * len(survival)
    return ChainLaw(mean, square, Settled(survival, share, nodes, weights, mode / weights, work))


def _slowest(factors: Factors, leaves: FloatArray) -> tuple[FloatArray, float]:
    """The law that keeps its shape, and the share of it that leaves in a step."""
    mode, share = np.ones(len(leaves)) / len(leaves), math.inf
    for _ in range(MOST_ROUNDS):
        mode = factors.solve_transposed(mode)
        mode /= np.sum(mode)
        before, share = share, float(mode @ leaves)
        if abs(share / before - 1.0) < 1e-14:
            return mode, share
    raise InvalidInput("the law of the escape does not settle: its slowest modes are too close to each other")


def _transposed(banded: Banded, leaves: FloatArray) -> sparse.csr_array:
    """P^T, the chances of each state made to add up to one with that of leaving."""
    rows = [banded.moves[i, banded.first[i] : stop].copy() for i, stop in enumerate(banded.last)]
    totals = np.array([np.sum(row) for row in rows])
    kept = np.where(totals > 0.0, (1.0 - leaves) / np.where(totals > 0.0, totals, 1.0), 0.0)
    chances = np.concatenate([row * share for row, share in zip(rows, kept, strict=True)])
    columns = np.concatenate([np.arange(*band) for band in zip(banded.first, banded.last, strict=True)])
    starts = np.concatenate([[0], np.cumsum(banded.last - banded.first)])
    return sparse.csr_array((chances, columns, starts), shape=(len(leaves), len(leaves))).T.tocsr()


def _survival(transposed: sparse.csr_array, leaves: FloatArray, first: FloatArray) -> FloatArray:
    """P(T > 0), P(T > 1) and on, until the share that leaves has become constant."""
    law = first / np.sum(first)
    shares: list[float] = []
    while not (len(shares) % 20 == 0 and is_constant(np.array(shares))):
        gone = float(law @ leaves)
        shares.append(gone)
        law = transposed @ law
        law /= np.sum(law)
        if transposed.nnz * len(shares) > LARGEST_WORK:
            raise InvalidInput("the law of the escape takes too many steps to settle: take a larger learning rate")
    alive = np.sum(first) * np.exp(np.cumsum(np.log1p(-np.array(shares))))
    return np.concatenate([[1.0, np.sum(first)], alive])
