"""What users give as arrays of numbers, checked: NumPy itself would read texts as numbers and take true for 1."""

from typing import Any

import numpy as np

from simdyn.model.records import InvalidInput, kind_of, number


def numbers(where: str, given: Any, wanted: str = "finite numbers", finite: bool = True) -> np.ndarray:
    """`given` as floats of any shape, or InvalidInput: NumPy would read texts as numbers, true as 1, and NaN goes through."""
    try:
        found = np.asarray(given)
        if kind_of(found) not in "iufO" or _holds_truth(given):
            raise TypeError
        if found.dtype.kind == "O":
            found = np.array([number(where, entry) for entry in found.ravel()]).reshape(found.shape)
        found = found.astype(float)
        if finite and not np.all(np.isfinite(found)):
            raise TypeError
    except (TypeError, ValueError, OverflowError):  # of which InvalidInput is one
        raise InvalidInput(f"{where} must be {wanted}, not {given!r}") from None
    return found


def point_of(where: str, given: Any, size: int, hint: str = "") -> np.ndarray:
    """A number for all coordinates or one for each, as (size,) floats; InvalidInput for anything else.

    hint: what to add where there are more or fewer, see `dimension_hint`.
    """
    wanted = "a finite number" if size == 1 else f"a finite number, or one for each of {size} coordinates"
    found = numbers(where, given, wanted)
    if found.shape not in ((), (size,)):
        raise InvalidInput(f"{where} must be {wanted}, not {given!r}{hint}")
    return np.array(np.broadcast_to(found, size))


def _holds_truth(given: Any) -> bool:
    """Whether a list, or one inside it, holds true or false among its numbers."""
    return (
        isinstance(given, bool)
        or kind_of(given) == "b"
        or (isinstance(given, (list, tuple)) and any(_holds_truth(entry) for entry in given))
    )
