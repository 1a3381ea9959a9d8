"""The law of the escape time beyond its mean, for SGD and Momentum in one dimension, as the Markov chains they are."""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simdyn.exact.chain import Scheme, chain
from simdyn.exact.chain_law import LEVELS, chain_law
from simdyn.exact.line import FloatArray, Line, line_through
from simdyn.exact.momentum_chain import Positions, error_between, from_rest, refined
from simdyn.exact.result import Exact
from simdyn.exact.settled import Settled
from simdyn.model.arrays import numbers
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.records import InvalidInput


class EscapeLaw(NamedTuple):
    """The law of T, the number of steps until one ends beyond the boundary.

    mean, variance: of T. rate: per step, -log of the largest eigenvalue of the chain of those who stay: once the law has
    settled, P(T > n) falls as e^{-rate n}. points, weights, density (n,): the quasi-stationary density of the position,
    its integral one by the weights. head: P(T > 0), P(T > 1) and on, until it has settled.
    """

    mean: Exact
    variance: Exact
    rate: Exact
    points: FloatArray
    weights: FloatArray
    density: FloatArray
    head: FloatArray

    def survival(self, steps: ArrayLike) -> FloatArray:
        """P(T > n) at each n of `steps`: the chain's own at first, geometric once it has settled."""
        asked = numbers("steps", steps, "numbers from 0")
        if not np.all(asked >= 0.0):
            raise InvalidInput("steps must be numbers from 0")
        last = len(self.head) - 1
        whole = np.floor(asked)
        beyond = np.exp(-self.rate.value * np.maximum(whole - last, 0.0))
        return self.head[np.minimum(whole, last).astype(np.int64)] * beyond


def escape_law(dynamics: Any, landscape: Any, noise: Any, boundary: Any, start: ArrayLike) -> EscapeLaw:
    """Mean, variance, survival and quasi-stationary law of the number of steps from `start` to the boundary.

        P(T > n) = p_n,    p_{n+1} = p_n (1 - q_n),    q_n -> q: the share that leaves in a step,    rate = -log(1 - q)

    SGD: moments and slowest mode by elimination without subtractions (`chain_law`). Momentum, from rest: all of it from
    the law of pairs of positions, marched until it has settled (`momentum_chain`). Arguments and what is raised: as
    `mean_first_passage`. Standing: [D], exact but for the errors it states.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> law = escape_law(SGD(0.05), DoubleWell(1, 1), ConstantNoise(6.0), Beyond(0.0), start=-1.0)
    >>> round(math.sqrt(law.variance.value) / law.mean.value, 3), round(law.rate.value * law.mean.value, 3)
    (0.999, 1.001)
    """
    return _law(dynamics, line_through(landscape, noise, boundary, start))


@singledispatch
def _law(dynamics: Any, line: Line) -> EscapeLaw:
    raise InvalidInput(f"{type(dynamics).__name__}: no exact law of the escape time; there is one for SGD and Momentum")


@_law.register
def _sgd_law(dynamics: SGD, line: Line) -> EscapeLaw:
    return _scheme_law(Scheme(line, dynamics.learning_rate, dynamics.learning_rate**2))


@_law.register
def _momentum_law(dynamics: Momentum, line: Line) -> EscapeLaw:
    rate = dynamics.learning_rate * dynamics.beta3
    if dynamics.beta1 == 0.0:
        return _scheme_law(Scheme(line, rate, rate**2))
    coarse, fine = refined(Positions(line, dynamics.beta1, rate), from_rest)
    mean = error_between(coarse.mean(), fine.mean())
    spread = error_between(coarse.variance(), fine.variance())
    return _settled_law(mean, spread, coarse, fine)


def _scheme_law(scheme: Scheme) -> EscapeLaw:
    mean = chain(scheme)
    coarse, fine = (chain_law(scheme, level) for level in LEVELS)
    variances = [law.square - law.mean**2 for law in (coarse, fine)]
    spread = Exact(variances[1], 3.0 * abs(variances[1] - variances[0]) + 1e-13 * fine.square)
    return _settled_law(mean, spread, coarse.settled, fine.settled)


def _settled_law(mean: Exact, spread: Exact, coarse: Settled, fine: Settled) -> EscapeLaw:
    slow, fast = (-math.log1p(-settled.share) for settled in (coarse, fine))
    rate = Exact(fast, 3.0 * abs(fast - slow) + 1e-12 * fast)
    return EscapeLaw(mean, spread, rate, fine.points, fine.weights, fine.density, fine.survival)
