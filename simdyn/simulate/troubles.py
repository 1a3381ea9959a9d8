"""What may go wrong with what a user asks for, in words: steps too long for a well, functions that cannot be compiled."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from simdyn._jit import CompilationFailed, probe
from simdyn.model.boundaries import outside
from simdyn.model.dynamics.protocol import observe, stability_limit, step
from simdyn.model.geometry import curvatures_at, knows, minimum
from simdyn.model.landscapes import curvature, frame, gradient, value
from simdyn.model.noise import kick, variance
from simdyn.model.records import InvalidInput
from simdyn.model.vetting import is_users, is_users_kind
from simdyn.simulate.candid import Candid
from simdyn.simulate.setup import Setup


def instability(dynamics: Any, landscape: Any) -> str | None:
    """How a step is too long for the landscape's minimum, in words; None where it is not, or where that is not known.

    Only a minimum that the record itself knows is looked at, and only one that is one.
    """
    with suppress(Exception):  # a hint, which nothing may depend on
        inner, _ = frame(landscape)
        if not knows(minimum, inner):
            return None
        curvatures, limit = curvatures_at(inner, minimum(inner)), stability_limit(dynamics)
        if np.all(curvatures > 0.0) and curvatures.max() > limit:
            return (
                f"{type(dynamics).__name__}: its step is unstable at the minimum of {type(landscape).__name__}, whose"
                f" curvature {curvatures.max():.6g} exceeds {limit:.6g}: particles leave by overshooting"
            )
    return None


@contextmanager
def told_if_not_compiled(setup: Setup, exit: Any = None) -> Iterator[None]:
    """Turn a failure to compile into InvalidInput that names the record and the function of it that is to blame."""
    try:
        yield
    except CompilationFailed as failure:
        x, one = np.zeros((setup.size, 1)), 1.0
        memory = tuple(np.zeros((setup.size, 1)) for _ in range(len(setup.launch.memory)))
        noise = setup.noise
        while is_users(noise) and not is_users_kind(type(noise)):  # a wrapper of ours around it
            noise = noise.noise
        dynamics = setup.dynamics.method if isinstance(setup.dynamics, Candid) else setup.dynamics
        asked: list[tuple[Any, str, Any, tuple]] = [
            (setup.landscape, "value", value, (x, 0)),
            (setup.landscape, "gradient", gradient, (x, 0, 0)),
            (setup.landscape, "curvature", curvature, (x, 0, 0)),
            (noise, "variance", variance, (setup.landscape, x, 0, 0)),
            (noise, "kick", kick, (setup.landscape, x, 0, 0, one, one)),
            (dynamics, "observe", observe, (one, one, memory, 0, 0)),
            (dynamics, "step", step, ((one,) * 4, one, one, one, one, memory, 0, 0)),
        ]
        if exit is not None:
            asked.append((exit.boundary, "outside", outside, (setup.landscape, x, 0)))
        for record, name, function, arguments in asked:
            said = is_users(record) and function.knows(type(record))
            if said and (reason := probe(function, record, *arguments)):
                raise InvalidInput(f"{type(record).__name__}: its {name} cannot be compiled: {reason}") from None
        raise failure
