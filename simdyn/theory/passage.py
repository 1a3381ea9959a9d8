"""The way out, in the numbers that the escape formulas ask for: curvatures, barrier, noise and the share s of the
climb.

Everything is evaluated in the landscape's own frame, below rotations: the formulas know only invariants and the
curvature along the escape direction e, the eigenvector of the one negative eigenvalue of the Hessian at the saddle.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from simdyn.model.geometry import hessian_at, minimum, saddle, split, value_at
from simdyn.model.landscapes import frame
from simdyn.model.noise import finite_variance_at, inner_name, is_gaussian, settle
from simdyn.model.records import InvalidInput, check_kind, too_large_to_compute
from simdyn.theory.validity import FloatArray, name_of, warn


class Passage(NamedTuple):
    """From the minimum a over the saddle b.

    landscape: as declared, below rotations; minimum, saddle: a and b (d,); direction: e (d,), pointing away from a;
    minimum_curvature: H_ae = e^T H_a e; saddle_curvature: |H_be|; barrier: dL = L(b) - L(a);
    minimum_hessian, saddle_hessian: H_a and H_b (d, d).
    """

    landscape: Any
    minimum: FloatArray
    saddle: FloatArray
    direction: FloatArray
    minimum_curvature: float
    saddle_curvature: float
    barrier: float
    minimum_hessian: FloatArray
    saddle_hessian: FloatArray

    @property
    def determinant_ratio(self) -> float:
        """|det H_b| / det H_a."""
        return float(abs(np.linalg.det(self.saddle_hessian)) / np.linalg.det(self.minimum_hessian))


class Climb(NamedTuple):
    """The noise met on a passage: covariances (d,) at its two ends, and what stands for B and s in the formulas.

    batch_size: B, read as H_ae/C_ae; share: s, the share of the barrier climbed before the noise becomes the saddle's,
    1 where the noise is the same at both ends; at_minimum, at_saddle: C along e.
    """

    batch_size: float
    share: float
    at_minimum: float
    at_saddle: float
    minimum_variance: FloatArray
    saddle_variance: FloatArray


def passage(landscape: Any) -> Passage:
    """The passage from the landscape's minimum over its saddle.

    Raises InvalidInput where there is none: the minimum is not one, the saddle does not have exactly one descending
    direction, or it does not lie higher.
    """
    inner, _ = frame(check_kind("landscape", landscape))
    try:
        bottom, top = minimum(inner), saddle(inner)
        at_bottom, at_top = hessian_at(inner, bottom), hessian_at(inner, top)
    except ArithmeticError:
        raise too_large_to_compute(inner) from None
    if np.linalg.eigvalsh(at_bottom)[0] <= 0.0:
        raise InvalidInput(f"{name_of(inner)} has no well to escape from: a curvature at its minimum is not positive")
    eigenvalues, vectors = np.linalg.eigh(at_top)
    if np.sum(eigenvalues < 0.0) != 1 or np.any(eigenvalues == 0.0):
        raise InvalidInput(f"{name_of(inner)} has no way out: its saddle must have exactly one descending direction")
    direction = vectors[:, 0] if vectors[:, 0] @ (top - bottom) > 0.0 else -vectors[:, 0]
    barrier = value_at(inner, top) - value_at(inner, bottom)
    if not barrier > 0.0:
        raise InvalidInput(f"{name_of(inner)} has no barrier: its saddle does not lie above its minimum")
    return Passage(
        landscape=inner,
        minimum=bottom,
        saddle=top,
        direction=direction,
        minimum_curvature=float(direction @ at_bottom @ direction),
        saddle_curvature=float(-eigenvalues[0]),
        barrier=barrier,
        minimum_hessian=at_bottom,
        saddle_hessian=at_top,
    )


def climb(way: Passage, noise: Any) -> Climb:
    """The noise on a passage. Raises InvalidInput where it vanishes at the minimum or the saddle along the escape."""
    check_kind("noise", noise)
    at_bottom = finite_variance_at(noise, way.landscape, way.minimum)
    at_top = finite_variance_at(noise, way.landscape, way.saddle)
    along = way.direction**2
    here, there = float(along @ at_bottom), float(along @ at_top)
    if not (here > 0.0 and there > 0.0):
        raise InvalidInput(f"{name_of(noise)} vanishes at the minimum or the saddle: without noise nothing escapes")
    return Climb(
        batch_size=way.minimum_curvature / here,
        share=1.0 if _same(here, there) else share_before_split(way),
        at_minimum=here,
        at_saddle=there,
        minimum_variance=at_bottom,
        saddle_variance=at_top,
    )


def share_before_split(way: Passage) -> float:
    """s = (L(c) - L(a)) / dL, c the point between a and b where the curvature along the escape changes sign.

    On two matched parabolas s = |H_b| / (H_a + |H_b|).
    """
    return (value_at(way.landscape, split_point(way)) - value_at(way.landscape, way.minimum)) / way.barrier


def far_wall(below: Callable[[float], float], near: float, farthest: float) -> float | None:
    """Where a depth that is positive at `near` first comes back to zero, further out; None up to `farthest`.

    A top exactly as high as the saddle counts, which the depth only touches: as in a row of equal barriers.
    """
    last, here, deepest = near, near, 0.0
    while below(here) > 0.0:
        further = 1.1 * here
        if below(here) < below(last) and below(here) <= below(further):
            touch = optimize.minimize_scalar(below, bounds=(last, further), method="bounded", options={"xatol": 1e-9})
            if touch.fun <= 1e-9 * deepest:
                return float(touch.x)
        last, here, deepest = here, further, max(deepest, below(here))
        if here > farthest:
            return None
    return float(optimize.brentq(below, here / 1.1, here, xtol=1e-15, rtol=1e-14))


def not_gaussian(way: Passage, noise: Any) -> list[str]:
    """The formulas know a noise by its variance: an objection if its kicks are not normal."""
    if is_gaussian(settle(noise, way.landscape)):
        return []
    return [
        f"{inner_name(noise)} is not Gaussian; the formula knows its variance alone, rare large kicks may be faster"
    ]


def warn_unless_gaussian(way: Passage, noise: Any) -> None:
    """Warn of a noise whose kicks are not normal."""
    for objection in not_gaussian(way, noise):
        warn(objection)


def warn_unless_two_piece(way: Passage, noise: Any, met: Climb) -> None:
    """The formulas know two noises, the minimum's up to the split and the saddle's beyond; tell if there are more."""
    warn_unless_gaussian(way, noise)
    turn = way.minimum if met.share == 1.0 else split_point(way)
    pieces = ((way.minimum, turn, met.at_minimum), (turn, way.saddle, met.at_saddle))
    parts = np.array([[0.2], [0.5], [0.8]])
    for start, end, expected in pieces:
        for found in variances_on(way, noise, start + parts * (end - start)) @ way.direction**2:
            if not _same(float(found), expected, 0.1):
                return warn(f"{name_of(noise)} changes on the way; the formula knows only its values at both ends")


def variances_on(way: Passage, noise: Any, points: FloatArray) -> FloatArray:
    """The diagonal of C at each of the points (n, d) of the landscape's own frame, (n, d).

    Raises InvalidInput as `finite_variance_at`.
    """
    settled = settle(noise, way.landscape)
    return np.array([finite_variance_at(settled, way.landscape, point, tried=True) for point in points])


def split_point(way: Passage) -> FloatArray:
    """Where noise that splits on the way changes: the point of the straight way that has the split's coordinate 0."""
    run = way.saddle[0] - way.minimum[0]
    if run == 0.0:
        raise InvalidInput(f"{name_of(way.landscape)}: noise that splits on the way needs coordinate 0 to change on it")
    return way.minimum + (split(way.landscape) - way.minimum[0]) / run * (way.saddle - way.minimum)


def _same(one: float, other: float, tolerance: float = 1e-9) -> bool:
    return abs(one - other) <= tolerance * max(one, other)
