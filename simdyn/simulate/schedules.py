"""The coefficients of a method's steps, asked of its record, checked, and written down no further than they change."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from simdyn._jit import how_to_say
from simdyn.model.dynamics.protocol import maturity, schedule
from simdyn.model.records import COUNT, InvalidInput, number
from simdyn.model.vetting import is_users, tried

LONGEST = 2**24  # steps whose coefficients are held in memory
BLOCK = 2**20  # steps asked for at a time, where none is kept
MOST = 4  # coefficients, which a clock has
ROUNDING = 1e-12  # relative: constant is what moves by less
FOR_EVER = 10**18  # steps


def table_from_start(dynamics: Any, asked: Callable, last_step: int) -> np.ndarray:
    """Coefficients (k, n) of the steps from 1 on; after the n-th, at most `last_step`, they stay what they are.

    asked: `schedule` or `schedule_with_momentum`. Raises InvalidInput for a schedule that answers anything but finite
    coefficients of each step, that changes for more than LONGEST steps, or after the step that its maturity names: looked
    for at every step of a user's up to LONGEST, at a sample beyond and of the package's own.
    """
    mature = _mature(dynamics)
    length = int(min(mature, last_step))
    if length > LONGEST:
        raise InvalidInput(_too_long(dynamics, mature, length))
    table = coefficients(dynamics, asked, np.arange(1.0, length + 1.0))
    _check_alone(dynamics, asked, length, table[:, -1])
    if mature < math.inf:
        _check_maturity(dynamics, asked, int(mature), last_step)
    changes = np.flatnonzero(np.any(table[:, 1:] != table[:, :-1], axis=0))
    return np.ascontiguousarray(table[:, : changes[-1] + 2 if changes.size else 1])


def table_of_running(dynamics: Any) -> np.ndarray:
    """Coefficients (k, 1) of a method that has been running for ever; raises InvalidInput where they have no limit."""
    mature, name = _mature(dynamics), type(dynamics).__name__
    if mature == math.inf:
        raise InvalidInput(
            f"start_momentum: {name} cannot have been running for ever, since its schedule has no limit; if it has one,"
            f" register with {_told(dynamics)} the step from which on its coefficients are constant"
        )
    _check_maturity(dynamics, schedule, int(mature), FOR_EVER)
    return coefficients(dynamics, schedule, np.array([float(mature)]))


def coefficients(dynamics: Any, asked: Callable, steps: np.ndarray) -> np.ndarray:
    """The coefficients (k, n) of steps (n,), in one row of zeros where there are none; InvalidInput for what is none."""
    name = f"{type(dynamics).__name__}: its {asked.__name__}"
    with np.errstate(all="ignore"):  # what is not finite is told below
        answer = _answer(dynamics, asked, steps)
    wanted = f"{name} must return a tuple of up to {MOST} arrays, each with one number per step"
    if not isinstance(answer, (tuple, list)):
        raise InvalidInput(f"{wanted}, not {_described(answer)}")
    if len(answer) > MOST:
        raise InvalidInput(f"{wanted}, not of {len(answer)}")
    for column in answer:
        if np.iscomplexobj(column):
            raise InvalidInput(f"{wanted}, but one is complex: {_described(column)}")
        if np.shape(column) != steps.shape or np.asarray(column).dtype.kind not in "iufb":
            raise InvalidInput(f"{wanted}, here {len(steps)}, but one is {_described(column)}")
    table = np.array(answer, dtype=float) if answer else np.zeros((1, len(steps)))
    wrong = np.argwhere(~np.isfinite(table))
    if wrong.size:
        k, n = wrong[0]
        raise InvalidInput(f"{name} must be finite, but coefficient {k} of step {int(steps[n])} is {table[k, n]}")
    return table


def _answer(dynamics: Any, asked: Callable, *arguments: Any) -> Any:
    """What a record says; where a user's function fails, that is told in one line."""
    if is_users(dynamics):
        return tried(dynamics, asked.__name__, lambda: asked(dynamics, *arguments))
    return asked(dynamics, *arguments)


def _mature(dynamics: Any) -> float:
    """The step that the record's maturity names, checked, or infinity."""
    named = _answer(dynamics, maturity)
    if isinstance(named, float) and named == math.inf:
        return math.inf
    return number(f"{type(dynamics).__name__}: its maturity", named, COUNT, whole=True)


def _check_alone(dynamics: Any, asked: Callable, step: int, among_others: np.ndarray) -> None:
    """A step's coefficients are its own: the same whatever other steps are asked for."""
    alone = coefficients(dynamics, asked, np.array([float(step)]))[:, 0]
    if alone.shape != among_others.shape or np.any(_differ(alone, among_others)):
        raise InvalidInput(
            f"{type(dynamics).__name__}: its {asked.__name__} must give each step coefficients of its own; those of step"
            f" {step} are {alone.tolist()} if asked for alone, and {among_others.tolist()} after all before it"
        )


def _check_maturity(dynamics: Any, asked: Callable, mature: int, last_step: int) -> None:
    """From `mature` on nothing changes: a user's claim is looked at step by step as far as a table could go, any claim at a
    sample of the steps up to twice the last: ever farther apart, the last and one beyond it."""
    held = coefficients(dynamics, asked, np.array([float(mature)]))
    if is_users(dynamics) and maturity.knows(type(dynamics)):
        end = min(last_step, LONGEST)
        for begin in range(mature + 1, end + 1, BLOCK):
            _check_held(dynamics, asked, mature, held, np.arange(begin, min(begin + BLOCK, end + 1), dtype=float))
    farthest = 2 * max(mature, last_step)
    later, near, far = {farthest // 2, farthest}, 1, 2
    while near < farthest:  # Fibonacci's numbers: they keep step with no period
        later.add(mature + near)
        near, far = far, near + far
    _check_held(dynamics, asked, mature, held, np.array(sorted(later), dtype=float))


def _check_held(dynamics: Any, asked: Callable, mature: int, held: np.ndarray, steps: np.ndarray) -> None:
    """The coefficients of `steps` are those (k, 1) of the step that maturity names."""
    found, name = coefficients(dynamics, asked, steps), f"{type(dynamics).__name__}: its {asked.__name__}"
    if len(found) != len(held):
        raise InvalidInput(
            f"{name} must return as many arrays for any steps, not here {len(held)} and there {len(found)}"
        )
    moved = np.argwhere(_differ(found, held).T)
    if moved.size:
        n, k = moved[0]
        raise InvalidInput(
            f"{name} still changes after step {mature}, which its maturity names:"
            f" coefficient {k} is {held[k, 0]:.12g} there and {found[k, n]:.12g} at step {int(steps[n])}"
        )


def _differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where numbers differ by more than rounding."""
    return np.abs(one - other) > ROUNDING * np.maximum(np.abs(one), np.abs(other))


def _too_long(dynamics: Any, mature: float, length: int) -> str:
    name = type(dynamics).__name__
    refusal = f"no more than {LONGEST} can be followed: take fewer steps (max_steps, record_at)"
    if mature == math.inf:
        return (
            f"{name}: its schedule may change at each of {length} steps, {refusal}, or register with {_told(dynamics)}"
            " the step from which on its coefficients are constant"
        )
    return f"{name}: its coefficients change for {length} steps, {refusal}, or a beta that is not so near 1"


def _told(dynamics: Any) -> str:
    return how_to_say("maturity", type(dynamics), "dynamics")


def _described(value: Any) -> str:
    return f"an array of {value.dtype}, of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
