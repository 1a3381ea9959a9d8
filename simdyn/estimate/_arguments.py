"""What every estimator asks of its arguments. Each refusal is one line that names the argument."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie strictly between 0 and 1, not {level!r}")


def finite_number(name: str, value: float, *, positive: bool = False) -> float:
    """`value` as a finite float, greater than zero if asked."""
    if isinstance(value, (bool, np.bool_, str, bytes)):  # which float would take
        raise ValueError(f"{name} must be a number, not {value!r}")
    number = float(value)
    if not math.isfinite(number) or (positive and number <= 0.0):
        raise ValueError(f"{name} must be a finite{' positive' if positive else ''} number, not {value!r}")
    return number


def array(name: str, values: ArrayLike) -> FloatArray:
    """`values` as a float array, every entry finite, at least one entry."""
    try:
        result = np.asarray(values)
        if result.dtype.kind not in "iufO":  # texts would be read, true taken for 1, imaginary parts dropped
            raise TypeError
        result = result.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of real numbers") from error
    if result.size == 0:
        raise ValueError(f"{name} is empty")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return result


def vector(name: str, values: ArrayLike, *, length: int | None = None, positive: bool = False) -> FloatArray:
    """`values` as a one-dimensional finite float array, of the given length and positive if asked."""
    result = array(name, values)
    if result.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {result.shape}")
    if length is not None and len(result) != length:
        raise ValueError(f"{name} must have length {length}, not {len(result)}")
    if positive and (result <= 0.0).any():
        raise ValueError(f"{name} must be greater than zero everywhere")
    return result


def lifetimes(times: ArrayLike, censored: ArrayLike | None) -> tuple[FloatArray, BoolArray]:
    """Times (n,) >= 0 and the flags (n,) that say which of them were cut off; no flags: none was."""
    seen = vector("times", times)
    if (seen < 0.0).any():
        raise ValueError("times holds a negative time")
    if censored is None:
        return seen, np.zeros(len(seen), dtype=np.bool_)
    flags = np.asarray(censored)
    if flags.shape != seen.shape:
        raise ValueError(f"censored must have the shape of times, {seen.shape}, not {flags.shape}")
    if flags.dtype != np.bool_ and not np.isin(flags, (0, 1)).all():
        raise ValueError("censored must hold booleans")
    return seen, flags.astype(np.bool_)
