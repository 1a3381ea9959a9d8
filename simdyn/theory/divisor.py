"""What divides the gradient: a root of v, or another power of it, with eps."""

from typing import Any

import numpy as np

from simdyn.theory.validity import FloatArray


def divisor(v: Any, power: float = 0.5, eps: float = 0.0, eps_inside_root: bool = False) -> Any:
    """What an optimizer divides its learning rate by where its second moment is v.

        (v^{1/2} + eps)^{2q},   with eps_inside_root (v + eps)^q;   q = `power`: 1/2 Adam and its kin, 0 none

    v: numbers of any shape, not negative; the result has their shape. The order of operations keeps v^q exactly where
    eps is 0.
    """
    square = np.asarray(v, dtype=float)
    if eps_inside_root or eps == 0.0:
        divided: FloatArray = (square + eps) ** power
    else:
        divided = (np.sqrt(square) + eps) ** (2.0 * power)
    return float(divided) if divided.ndim == 0 else divided
