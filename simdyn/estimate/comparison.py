"""Which of several sharpness laws the data prefer, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from simdyn.estimate._arguments import FloatArray
from simdyn.estimate.lines import variance_inflation
from simdyn.estimate.sharpness import SharpnessFit, fit_sharpness


class Comparison(NamedTuple):
    """Candidates held against the same data; arrays in the order of `names`. See `compare_exponents`."""

    names: tuple[str, ...]
    fits: dict[str, SharpnessFit]
    chi_square: FloatArray
    rms: FloatArray
    akaike_difference: FloatArray
    akaike_weight: FloatArray
    preferred: str
    runner_up: str
    decisiveness: float
    rms_ratio: float


def compare_exponents(
    sharpness: ArrayLike,
    log_tau: ArrayLike,
    stderr: ArrayLike,
    candidates: Mapping[str, tuple[float, ArrayLike | None]],
    level: float = 0.95,
) -> Comparison:
    """Fit each candidate (exponent, log_prefactor) by `fit_sharpness` and weigh them against each other.

        akaike_difference_i = (chi2_i - chi2_best) / max(1, chi2_best / degrees of freedom)
        akaike_weight_i     = exp(-difference_i / 2) / sum_j exp(-difference_j / 2)

    Every candidate has two free parameters, A and c, so their number cancels from Akaike's criterion.
    Dividing by the best fit's chi2 per degree of freedom (quasi-AIC) keeps small standard errors from making
    two imperfect models look decisively different. `preferred` has the least chi2; `decisiveness` is the
    runner-up's difference (10: hardly any support left for the runner-up; 2 or less: undecided), `rms_ratio`
    the runner-up's rms residual over that of the preferred one.

    sharpness, log_tau, stderr: (n,) as in `fit_sharpness`, n >= 3; candidates: at least two, name to
    (exponent, log_prefactor (n,) or None).

    Validity: preferred means best of those offered; whether it is good is in its chi2, and in
    `fit_free_exponent`.

    Raises ValueError: as `fit_sharpness`, with the candidate's name; fewer than two candidates or three
    points.

    Source: Burnham and Anderson, Model Selection and Multimodel Inference, 2nd ed., sections 2.5 to 2.9.

    >>> k = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    >>> comparison = compare_exponents(k, 6.0 / k - np.log(k), [0.01] * 5, {
    ...     "one": (1.0, -np.log(k)), "half": (0.5, -0.5 * np.log(k))})
    >>> comparison.preferred, comparison.decisiveness > 10.0
    ('one', True)
    """
    if len(candidates) < 2:
        raise ValueError("candidates must hold at least two to compare")
    fits = {}
    for name, (exponent, log_prefactor) in candidates.items():
        try:
            fits[name] = fit_sharpness(sharpness, log_tau, stderr, exponent, log_prefactor, level)
        except ValueError as error:
            raise ValueError(f"candidate {name!r}: {error}") from error
    names = tuple(fits)
    freedom = fits[names[0]].degrees_of_freedom
    if freedom < 1:
        raise ValueError("sharpness must hold at least three values: two parameters fit two points exactly")
    chi_square = np.array([fit.chi_square for fit in fits.values()])
    rms = np.array([fit.rms for fit in fits.values()])
    first, second = (int(index) for index in np.argsort(chi_square, kind="stable")[:2])
    difference = (chi_square - chi_square[first]) / variance_inflation(float(chi_square[first]), freedom)
    weight = np.exp(-0.5 * difference)
    return Comparison(
        names,
        fits,
        chi_square,
        rms,
        difference,
        weight / weight.sum(),
        names[first],
        names[second],
        float(difference[second]),
        float(rms[second] / rms[first]) if rms[first] > 0.0 else math.inf,
    )
