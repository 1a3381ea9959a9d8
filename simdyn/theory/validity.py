"""What every formula asks of its numbers, and how it says that it is used where it does not hold."""

import math
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdyn.model.arrays import numbers
from simdyn.model.records import NON_NEGATIVE, POSITIVE, Allowed, InvalidInput, number

FloatArray = NDArray[np.float64]
SHARE = Allowed("a number in [0, 1]", lambda value: 0 <= value <= 1)


class ValidityWarning(UserWarning):
    """A formula is used outside the range in which it was derived; its number is given all the same."""


def warn(message: str) -> None:
    """Issue a ValidityWarning that points at the line outside of this package from which a formula was asked for."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(__package__):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, ValidityWarning, stacklevel=level)


def positive(**values: float) -> None:
    """Refuse the first of the named numbers that is not finite and greater than zero."""
    for name, value in values.items():
        number(name, value, POSITIVE)


def not_negative(**values: float) -> None:
    """Refuse the first of the named numbers that is negative or not finite."""
    for name, value in values.items():
        number(name, value, NON_NEGATIVE)


def share_in_unit(**values: float) -> None:
    """Refuse the first of the named numbers that does not lie in [0, 1]."""
    for name, value in values.items():
        number(name, value, SHARE)


def momentum_fraction(beta1: float) -> None:
    """Refuse a beta1 outside [0, 1)."""
    if not 0.0 <= number("beta1", beta1, NON_NEGATIVE) < 1.0:
        raise InvalidInput(f"beta1 must be a number in [0, 1), not {beta1!r}")


def whole_steps(steps: ArrayLike) -> FloatArray:
    """`steps` as floats of any shape: whole numbers, none negative."""
    result = numbers("steps", steps, "whole numbers from 0")
    if np.any(result < 0.0) or np.any(result != np.floor(result)):
        raise InvalidInput("steps must be whole numbers from 0")
    return result


def exponential(exponent: float) -> float:
    """e^exponent, infinite where a double cannot hold it."""
    return math.exp(exponent) if exponent < 709.78 else math.inf


def name_of(record: Any) -> str:
    return type(record).__name__
