"""Which moments a displacement has: those of its noise, as far as the method hands large kicks on.

With kicks whose moments are finite below order p, a step that grows as kick^q has moments below order p/q: q is 1 for SGD, 0 for
Adam, which divides by the root of the kick's own square. Landscapes that grow faster than x^2 have fewer moments still.
"""

import math
from typing import Any

import numpy as np

from simdyn.model.dynamics.protocol import observe, step
from simdyn.model.noise import tail_index
from simdyn.simulate.setup import Setup

_KICKS = 1e30, 1e60  # their squares are still doubles


def displacement_index(setup: Setup) -> float:
    """The order below which moments of the displacement are finite, infinite if all are."""
    index = tail_index(setup.noise)
    if math.isinf(index):
        return index
    growth = max(_growth(setup, n) for n in (0, -1))
    return index / growth if growth > 0.0 else math.inf


def _growth(setup: Setup, n: int) -> float:
    """q of a step that grows as kick^q, the n-th of the schedule, to three digits; 1 where it cannot be told."""
    dynamics, clock, far = setup.dynamics, (*setup.schedule[:, n].tolist(), 0.0, 0.0, 0.0, 0.0)[:4], []
    for kick in _KICKS:
        memory = tuple(np.full((1, 1), row[0]) for row in setup.launch.memory)
        try:
            with np.errstate(all="ignore"):
                shared = observe(dynamics, 1.0, kick, memory, 0, 0)
                far.append(abs(step(dynamics, clock, shared, 0.0, 1.0, kick, memory, 0, 0)))
        except ArithmeticError:
            return 1.0
    if not all(0.0 < distance < math.inf for distance in far):
        return 0.0 if far == [0.0, 0.0] else 1.0
    return round(max(math.log(far[1] / far[0]) / math.log(_KICKS[1] / _KICKS[0]), 0.0), 3)


def unknown_moments(setup: Setup, noise: Any, particles: int, at: np.ndarray) -> str | None:
    """What of a mean squared displacement does not exist, in words; None if it has its standard error."""
    index = displacement_index(setup)
    if index > 4.0:
        return None
    has = f"of {type(noise).__name__} only moments of order below {index:g} of a displacement are finite"
    if index <= 2.0:
        return f"{has}: it has no mean square (nan); densities and trajectories show what there is"
    draws = particles * int(at[at > 0][0])
    share = min(0.5 * index * draws ** (2.0 / index - 1.0), 1.0)
    return (
        f"{has}: its mean square has no standard error (nan), and of what noise adds to it about {100.0 * share:.2g} % come from"
        f" kicks rarer than one in the {draws} draws up to the first record, which are usually missing"
    )
