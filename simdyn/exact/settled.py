"""What is left of an escape once its law has settled: the same share in every step."""

from typing import NamedTuple

import numpy as np

from simdyn.exact.line import FloatArray

SETTLED = 1e-8  # how much the share that leaves may still change over the last quarter of the march, relatively


class Settled(NamedTuple):
    """What a march found: survival (n,), P(T > 0), P(T > 1) and on; share, of the rest in each step after that.

    points, weights, density: of the law of the position it has settled in, and their quadrature weights. work: the
    multiplications it took.
    """

    survival: FloatArray
    share: float
    points: FloatArray
    weights: FloatArray
    density: FloatArray
    work: float

    def mean(self) -> float:
        """The sum of P(T > n) over n from 0."""
        return float(np.sum(self.survival[:-1]) + self.survival[-1] / self.share)

    def variance(self) -> float:
        """Of T, about its mean: E T (T - 1) is twice the sum of n P(T > n)."""
        last, rest, share = len(self.survival) - 1, self.survival[-1], self.share
        summed = np.arange(last) @ self.survival[:-1] + rest * (last + (1.0 - share) / share) / share
        return float(2.0 * summed + self.mean() - self.mean() ** 2)


def is_constant(shares: FloatArray) -> bool:
    """Whether the share that leaves in a step has stopped changing."""
    window = shares[-max(20, len(shares) // 4) :]
    return len(shares) >= 40 and bool(window[-1] > 0.0 and np.ptp(window) <= SETTLED * window[-1])
