"""Adam with its v held still: momentum with a learning rate of its own."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simdyn.exact.adam_chain import settled_square
from simdyn.exact.first_passage import mean_first_passage
from simdyn.exact.line import line_through
from simdyn.exact.result import Exact
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.sgd import Momentum
from simdyn.model.records import POSITIVE, number


def adam_with_frozen_v(
    adam: Adam, landscape: Any, noise: Any, boundary: Any, start: ArrayLike, v: float | None = None
) -> Exact:
    """The mean first passage of Adam in steps if v stayed at one value for ever.

        m = beta1 m + (1 - beta1) g,    x -= eta m/(sqrt(v) + eps)      (sqrt(v + eps) if eps_inside_root)

    That is Momentum with the learning rate eta/(sqrt(v) + eps) and beta3 = 1 - beta1, started at rest and without bias
    corrections: its chain answers. v: C at the start by default, what E[g^2] is at a minimum. Standing: [D] for this
    approximation, which leaves out that v is E[g^2] = C + L'^2 on the way, that it lags, and that it fluctuates; how
    much that matters is the difference to `mean_first_passage` of Adam. Arguments and what is raised: as there; and
    InvalidInput where v is not positive.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import FrozenNoise
    >>> still = adam_with_frozen_v(Adam(0.1, beta1=0.0), DoubleWell(1, 1), FrozenNoise(1.0), Beyond(0.0), start=-1.0)
    >>> round(float(still))
    22814
    """
    if v is None:
        line = line_through(landscape, noise, boundary, start)
        held = float(line.variance(np.array([line.start]))[0])
    else:
        held = number("v", v, POSITIVE)
    divisor = math.sqrt(held + adam.eps) if adam.eps_inside_root else math.sqrt(held) + adam.eps
    momentum = Momentum(adam.learning_rate / divisor, adam.beta1, 1.0 - adam.beta1)
    return mean_first_passage(momentum, landscape, noise, boundary, start)


def settled_v(adam: Adam, landscape: Any, noise: Any, boundary: Any, start: ArrayLike) -> float:
    """The mean of Adam's v in the well, before it leaves: a better value to hold v at than C alone.

        v = < C + L'^2 >  over  exp(-Phi),   Phi' = 2 L' sqrt(v)/(eta C)

    v on both sides; found by iteration. Standing: [D], for small steps, a v that is slow beside the motion in the well,
    and eps << sqrt(v). Arguments and what is raised: as `mean_first_passage`.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import Quadratic
    >>> from simdyn.model.noise import ConstantNoise
    >>> round(settled_v(Adam(0.05), Quadratic((2.0,)), ConstantNoise(8.0), Beyond(9.0), start=0.0), 3)  # C + H T
    8.14
    """
    return settled_square(adam, line_through(landscape, noise, boundary, start))
