"""A user's own records looked at before anything runs: functions that fail, answers that are no numbers, and gradients
that disagree with the value."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from simdyn._jit import changed_since_compiled, how_to_say, surroundings_of
from simdyn.model.landscapes import curvature, dimension, gradient, value
from simdyn.model.records import InvalidInput

TOLERANCE = 1e-4  # relative, of central differences with a step of 1e-5: their own error is 1e-9 or so
STEP = 1e-5


class ModelWarning(UserWarning):
    """A record's functions disagree with each other, or it is used where it is not what it says it is."""


def warn(message: str) -> None:
    """Issue a ModelWarning that points at the line outside of this package from which its answer was asked for."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "simdyn":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, ModelWarning, stacklevel=level)


def is_users(record: Any) -> bool:
    """Whether a record, or one inside it, is not this package's own."""
    return hasattr(record, "_fields") and (is_users_kind(type(record)) or any(is_users(field) for field in record))


def is_users_kind(record_type: type) -> bool:
    """Whether a class of records is not this package's own."""
    return record_type.__module__.partition(".")[0] != "simdyn"


def check_unchanged(record: Any) -> None:
    """Refuse a user's record whose functions have been compiled with a global or a helper that is another one by now.

    Warns (ModelWarning) of a helper that Numba keeps on disk, where no change of what it uses is seen.
    """
    if not hasattr(record, "_fields"):
        return
    for field in record:
        check_unchanged(field)
    kind = type(record).__qualname__.rpartition("<locals>.")[2]
    for function, name in changed_since_compiled(type(record)):
        raise InvalidInput(
            f"{kind}: its {function} uses {name}, which has changed since it was compiled: define {kind} anew, with all that"
            f" it uses, or make a field of {kind} of what is to change"
        )
    for function, around in surroundings_of(type(record)).items():
        for name in around.kept:
            _warn_of_kept(kind, function, name)


def _warn_of_kept(kind: str, function: str, helper: str) -> None:
    warnings.warn(
        f"{kind}: its {function} uses {helper}, which Numba keeps on disk whatever the globals that it uses have become:"
        " leave cache=True out",
        ModelWarning,
        stacklevel=5,
    )


def vet_landscape(landscape: Any, point: np.ndarray) -> None:
    """Try a user's landscape at a point (d,) and beside it.

    Raises InvalidInput where a function fails or returns no number; warns (ModelWarning) where the gradient is not the
    value's slope, or the curvature not the gradient's.
    """
    wrong: dict[str, str] = {}
    for shift in (0.0, 0.1, -0.13):
        place = np.asarray(point, dtype=float) + shift
        for j in range(len(place)):
            slope = _number(landscape, "gradient", gradient, place, j)
            bend = _number(landscape, "curvature", curvature, place, j)
            rise = _difference(landscape, "value", value, place, j)
            change = _difference(landscape, "gradient", gradient, place, j, j)
            for name, origin, given, expected in (
                ("gradient", "value", slope, rise),
                ("curvature", "gradient", bend, change),
            ):
                if abs(given - expected) > TOLERANCE * max(1.0, abs(given), abs(expected)):
                    told = f"at {place.tolist()} its {name} is {given:.6g}, but differences of its {origin} give {expected:.6g}"
                    wrong.setdefault(name, told)
    if wrong:  # the first is the likelier cause of the second
        warn(f"{type(landscape).__name__}: {next(iter(wrong.values()))}")


def _difference(landscape: Any, name: str, function: Callable, place: np.ndarray, j: int, *index: int) -> float:
    """Central difference of a function along coordinate j."""
    step = STEP * max(1.0, abs(place[j]))
    ends = []
    for sign in (1.0, -1.0):
        beside = place.copy()
        beside[j] += sign * step
        ends.append(_number(landscape, name, function, beside, *index))
    return (ends[0] - ends[1]) / (2.0 * step)


def _number(record: Any, name: str, function: Callable, place: np.ndarray, *index: int) -> float:
    """What a function of a point says, as a number."""
    return vetted(record, name, lambda: function(record, place.reshape(-1, 1), *index, 0))


def vetted(record: Any, name: str, ask: Callable[[], Any]) -> float:
    """The answer of one of a record's functions, or InvalidInput if it fails or is not a number."""
    answer = tried(record, name, ask)
    if np.ndim(answer) != 0 or isinstance(answer, (str, bytes)) or answer is None:
        raise InvalidInput(f"{type(record).__name__}: its {name} must return a number, not {answer!r}")
    return float(answer)


def tried(record: Any, name: str, ask: Callable[[], Any]) -> Any:
    """The answer of one of a record's functions, or InvalidInput if it fails."""
    try:
        return ask()
    except InvalidInput:
        raise
    except Exception as failure:
        hint = dimension_hint(record) if isinstance(failure, IndexError) else ""
        reason = f"{type(failure).__name__}: {failure}{hint}"
        raise InvalidInput(f"{type(record).__name__}: its {name} fails: {reason}") from None


def dimension_hint(landscape: Any) -> str:
    """What to add to a message where a user's landscape, or one inside, does not say its dimension; empty where it does."""
    if not hasattr(landscape, "_fields"):
        return ""
    kind = type(landscape)
    if is_users_kind(kind) and gradient.knows(kind) and not dimension.knows(kind):
        told = how_to_say("dimension", kind, "landscape")
        return f"; {kind.__name__} has one coordinate unless it says how many with {told}"
    return next(filter(None, map(dimension_hint, landscape)), "")


def within_its_coordinates(landscape: Any, ask: Callable[[], Any]) -> Any:
    """The answer, or InvalidInput where a function asks for more coordinates than a landscape has that does not say how many."""
    try:
        return ask()
    except IndexError as failure:
        hint = dimension_hint(landscape)
        if not hint:
            raise
        raise InvalidInput(
            f"{type(landscape).__name__}: it asks for a coordinate that it does not have: {failure}{hint}"
        ) from None


def vet_dimension(landscape: Any) -> None:
    """Refuse a user's landscape that asks, at the origin, for more coordinates than it has without saying how many."""
    if dimension_hint(landscape):
        origin = np.zeros((dimension(landscape), 1))
        for function, index in ((gradient, (0, 0)), (curvature, (0, 0)), (value, (0,))):
            if function.knows(type(landscape)):
                try:
                    within_its_coordinates(landscape, lambda: function(landscape, origin, *index))  # noqa: B023
                except (ArithmeticError, ValueError) as failure:  # at the origin it need not be defined
                    if isinstance(failure, InvalidInput):
                        raise
