"""The root of a noise's variance by arithmetic, beside a method that keeps the processor's divider busy with its own."""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import inlined
from simdyn.model.noise import ScaledNoise, kick, tail_index, variance
from simdyn.simulate.single import InSingle

_U = np.uint64
_ONE, _GUESS = _U(1), _U(0x5FE6E950C7B537A9)


@inlined
def quick_root(square):
    """The root of zero, or of a number above 2.3e-308, its relative error below 5e-10, a three-hundredth of the normals' own.

    Half the exponent, negated, gives 1/root to 3.5 % by the bits alone (a logarithm drawn with straight lines); with
    e = 1 - square guess^2 the factor (1 - e)^(-1/2) is a parabola, our own least-maximum fit, off by 2.5e-5; a step of
    Newton's method leaves 9e-10, one-sided, and its constant is moved by half of that. Of what is negative nan; of denormal
    numbers something between 0 and the root.
    """
    guess = double_of(_GUESS - (bits_of(square) >> _ONE))
    e = 1.0 - (square * guess) * guess
    inverse = guess * (0.9999995058917491 + e * (0.5010921877615592 + e * 0.37610771435877466))
    root = square * inverse
    better = root + (0.5 * root) * ((1.0 + 9.25e-10) - root * inverse)
    return better if square >= 0.0 else math.nan


class QuickRoot(NamedTuple):
    """A settled noise that says its variance."""

    noise: Any


@kick.on(QuickRoot)
def quick_kick(noise, landscape, x, j, i, w, trig):
    return quick_root(variance(noise.noise, landscape, x, j, i) * w) * trig


@tail_index.on(QuickRoot)
def quick_index(noise: QuickRoot) -> float:
    return tail_index(noise.noise)


def with_quick_roots(settled: Any) -> Any:
    """A settled noise with its root, if each step takes one, by arithmetic."""
    if isinstance(settled, (ScaledNoise, InSingle)):
        return settled._replace(noise=with_quick_roots(settled.noise))
    return settled if kick.knows(type(settled)) else QuickRoot(settled)
