"""The functions every dynamics answers.

A method is a record with a `step`; most need nothing else. `step` is scalar: it receives one coordinate of one particle
and returns where it goes, changing its rows of memory in place.
"""

import math
from typing import Any

import numpy as np

from simdyn._jit import generic, how_to_say
from simdyn.model.records import ANSWERS, InvalidInput


@generic
def step(dynamics, clock, shared, x, gradient, kick, memory, j, i):
    """The new value of coordinate j of particle i.

    clock: four numbers that depend on the step's number alone (see `schedule`); shared: the mean over coordinates of what
    `observe` returned; x: the coordinate now; gradient, kick: dL/dx_j and the noise C^{1/2} z there; memory: a tuple of
    rows, each indexed [j, i].
    """


@generic
def observe(dynamics, gradient, kick, memory, j, i):
    """For methods whose coordinates feel each other: what to average over all coordinates before any of them moves."""


@generic
def schedule(dynamics, number):
    """Up to four coefficients that depend on a step's number alone, bias corrections and the like: a tuple of arrays (n,).

    number: the numbers of n steps, from 1, (n,) floats. Each step has coefficients of its own, whatever others are asked
    for. Every step's are asked for, up to the first that `maturity` calls constant.
    """


@generic
def schedule_with_momentum(dynamics, number):
    """The schedule of a particle that begins with a momentum given in numbers; `schedule` itself unless said otherwise.

    What corrects the momentum's average because that begins with zero is left out: one that is given has no such bias.
    """


@generic
def maturity(dynamics):
    """The first step from which on all coefficients are constant to rounding: a whole number from 1, or infinite.

    A method with a schedule is taken to have none, math.inf, until it says one; the claim is checked before a simulation,
    a user's at every step up to the run's last or to 2^24, and at a sample of those after.
    """


@generic
def time_step(dynamics):
    """Continuous time per step: dt, or the learning rate."""


@generic
def stability_limit(dynamics):
    """The curvature of a quadratic well from which on steps grow instead of decaying; infinite where there is none."""


@generic
def divides(dynamics):
    """Whether a step divides by a root, as Adam's does: the processor does one root or quotient at a time, each as long as ten
    other operations, so that its loop is laid out around them."""


@generic
def begin(dynamics, momentum, gradient):
    """Memory at the start, (rows, d): at rest when `momentum`, (d,), is zero; `gradient`, (d,), is the start's own."""


@generic
def begin_running(dynamics, gradient, variance):
    """Memory of a method that has been running for ever at the start, gradients being noise of `variance`, (d,), alone.

    Returns the mean (rows, d) and the standard deviation (d,) of row 0, the momentum.
    """


ANSWERS["dynamics"].append(step)


@schedule.otherwise
def _no_schedule(dynamics: Any, number: np.ndarray) -> tuple:
    return ()


@schedule_with_momentum.otherwise
def _the_same(dynamics: Any, number: np.ndarray) -> tuple:
    return schedule(dynamics, number)


@maturity.otherwise
def _never_where_there_is_a_schedule(dynamics: Any) -> float:
    asked = type(dynamics)
    return math.inf if schedule.knows(asked) or schedule_with_momentum.knows(asked) else 1


def from_the_first_step(dynamics: Any) -> int:
    """The `maturity` of methods whose coefficients are the same at every step."""
    return 1


@time_step.otherwise
def _learning_rate(dynamics: Any) -> float:
    if not hasattr(dynamics, "learning_rate"):
        told = how_to_say("time_step", type(dynamics), "dynamics")
        raise InvalidInput(
            f"{type(dynamics).__name__} has no learning_rate: say its continuous time per step, register it with {told}"
        )
    return float(dynamics.learning_rate)


@stability_limit.otherwise
def _stable_in_every_well(dynamics: Any) -> float:
    return math.inf


@divides.otherwise
def _has_no_division(dynamics: Any) -> bool:
    return False


@begin.otherwise
def _no_momentum(dynamics: Any, momentum: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    if np.any(momentum != 0.0):
        raise InvalidInput(f"{type(dynamics).__name__} has no momentum to start with: leave start_momentum out")
    return np.zeros((1, len(momentum)))


@begin_running.otherwise
def _no_stationary_momentum(dynamics: Any, gradient: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raise InvalidInput(f"{type(dynamics).__name__} has no stationary momentum: leave start_momentum out")


@observe.otherwise
def _nothing_observed(dynamics, gradient, kick, memory, j, i):
    return 0.0
