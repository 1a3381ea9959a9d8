"""A user's method that would go on where its gradient is not a number, as one that clips or takes a sign does: it diverges."""

import math
from typing import Any, NamedTuple

from simdyn.model.dynamics.protocol import observe, step
from simdyn.model.vetting import vetted


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


def candid(dynamics: Any, clock: tuple, memory: tuple) -> Any:
    """A user's method as the engine steps it, tried with the clock of its first step and memory rows (1, 1).

    Raises InvalidInput where its step fails or returns no number.
    """
    vetted(dynamics, "step", lambda: step(dynamics, clock, 1.0, 0.5, 1.0, 0.1, memory, 0, 0))
    try:
        place = step(dynamics, clock, 1.0, 0.5, 1.0, math.nan, memory, 0, 0)
    except (ArithmeticError, ValueError):  # as int(nan) does, where Python knows no other way
        place = 0.0
    return dynamics if math.isnan(place) else Candid(dynamics)
