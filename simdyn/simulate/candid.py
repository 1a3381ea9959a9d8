"""A user's method that would go on where its gradient is not a number, as one that clips or takes a sign does: it diverges."""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn.model.dynamics.protocol import begin, observe, schedule, step
from simdyn.model.vetting import is_users, vetted


class Candid(NamedTuple):
    """A method whose step is not a number where the gradient or the kick is none."""

    method: Any


@step.on(Candid)
def candid_step(candid, clock, shared, x, gradient, kick, memory, j, i):
    noisy = gradient + kick
    place = step(candid.method, clock, shared, x, gradient, kick, memory, j, i)
    return place if noisy == noisy else math.nan


@observe.on(Candid)
def candid_observed(candid, gradient, kick, memory, j, i):
    return observe(candid.method, gradient, kick, memory, j, i)


def candid(dynamics: Any) -> Any:
    """The method as the engine steps it. Raises InvalidInput where a user's step fails or returns no number."""
    if not is_users(dynamics):
        return dynamics
    memory = tuple(np.full((1, 1), row[0]) for row in begin(dynamics, np.zeros(1), np.ones(1)))
    clock = tuple(float(np.ravel(column)[0]) for column in schedule(dynamics, np.ones(1)))
    clock = (*clock, 0.0, 0.0, 0.0, 0.0)[:4]
    vetted(dynamics, "step", lambda: step(dynamics, clock, 1.0, 0.5, 1.0, 0.1, memory, 0, 0))
    try:
        place = step(dynamics, clock, 1.0, 0.5, 1.0, math.nan, memory, 0, 0)
    except (ArithmeticError, ValueError):  # as int(nan) does, where Python knows no other way
        place = 0.0
    return dynamics if math.isnan(place) else Candid(dynamics)
