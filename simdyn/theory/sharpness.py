"""How the escape time depends on sharpness, and the part of its prefactor that is known beforehand."""

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simdyn.model.arrays import numbers
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import Sharpened
from simdyn.model.records import InvalidInput
from simdyn.theory.damping import inertial_bracket
from simdyn.theory.escape import action
from simdyn.theory.optimizers import OPTIMIZERS, effective, unsharpened
from simdyn.theory.passage import climb, passage
from simdyn.theory.validity import FloatArray, name_of, warn

LARGEST_MISS = 0.1  # of the action: above it eps or weight decay changes the law in k


@singledispatch
def sharpness_exponent(dynamics: Any) -> float:
    """p in log tau = A k^{-p} + ..., k the factor on the curvature at a fixed barrier: 1 for SGD, Momentum, Adai; 1/2
    for Adam; 1 - q for an optimizer whose learning rate is divided by v^q (`effective`), eps being 0 there: how much a
    positive one changes is the noise's matter, and `sharpness_log_prefactor` warns of it.

    Standing: [P] for SGD, Momentum, Adam; [R] for Adai; [D] the others. Raises InvalidInput for other dynamics.

    >>> sharpness_exponent(SGD(0.1)), sharpness_exponent(Adam(0.1))
    (1.0, 0.5)
    """
    raise InvalidInput(f"{name_of(dynamics)}: no sharpness exponent, unlike the optimizers")


@sharpness_exponent.register
def _one(dynamics: SGD | Momentum | Adai) -> float:
    return 1.0


@sharpness_exponent.register
def _half(dynamics: Adam) -> float:
    return 0.5


@sharpness_exponent.register
def _by_power_of_v(dynamics: OPTIMIZERS) -> float:
    return 1.0 - effective(dynamics).power


def sharpness_log_prefactor(dynamics: Any, landscape: Any, noise: Any, sharpness: ArrayLike) -> FloatArray:
    """The known part of log tau in steps, for a fit of log tau = A k^{-p} + this + c.

        -p log k + log f(k^p eta)

    f: `inertial_bracket`, with the learning rate multiplied by k^p; p: `sharpness_exponent`. landscape, noise: those of
    k = 1. sharpness: k, (n,), positive; the result has its shape. Under L_k(theta) = L(sqrt(k) theta) with noise that
    grows as k, one step of SGD, Momentum or Adai at (k, eta) is one at (1, k eta), and of Adam (eps = 0) one at (1,
    sqrt(k) eta): exact; the others: `unsharpened`. Standing: [D]. Raises InvalidInput for k that is not positive or
    dynamics without theory. Warns (ValidityWarning) for a noise that does not grow with the curvature: it has no such
    law unless the caller multiplies it by k; and where eps or
    weight decay takes the action farther than 0.1 from A k^{-p}.
    """
    factors = numbers("sharpness", sharpness, "positive numbers")
    if np.any(factors <= 0.0):
        raise InvalidInput("sharpness must hold positive numbers")
    exponent = sharpness_exponent(dynamics)
    plain = climb(passage(landscape), noise).at_minimum
    if abs(climb(passage(Sharpened(landscape, 2.0)), noise).at_minimum - 2.0 * plain) > 1e-6 * plain:
        warn(f"{name_of(noise)} does not grow with the curvature: the law holds only if its C is multiplied by k")

    found = action(dynamics, landscape, noise)

    def logarithm(factor: float) -> float:
        return float(
            np.log(inertial_bracket(unsharpened(dynamics, factor), landscape, noise)) - exponent * np.log(factor)
        )

    for factor in factors.ravel():
        missed = action(unsharpened(dynamics, float(factor)), landscape, noise) - found * factor**-exponent
        if abs(missed) > LARGEST_MISS:
            warn(f"eps or weight decay counts: at k = {factor:.3g} the action is {missed:+.3g} off the power law in k")
            break
    return np.vectorize(logarithm, otypes=[float])(factors)
