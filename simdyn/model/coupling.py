"""Whether a landscape's Hessian couples its coordinates: the noises that take C = |H|/B from its diagonal hold only where
it is diagonal."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from simdyn.model.geometry import descended, hessian_at, knows, minimum, saddle
from simdyn.model.landscapes import dimension, is_separable
from simdyn.model.records import InvalidInput

# Of an element beside the diagonal, to the Hessian's largest: a hundred times what differences of a gradient that is itself
# found by differences are off by.
TOLERANCE = 1e-4
AROUND = 12  # points beside the way from minimum to saddle


def refuse_coupled(noise: Any, landscape: Any, points: Iterable[np.ndarray] | None = None) -> None:
    """Raise InvalidInput where the Hessian has elements beside the diagonal at one of `points`; None: wherever a particle may go.

    A landscape that is known to be separable is not looked at. Of any other "wherever" is the minimum, the saddle, and points
    around and between them: a sample.
    """
    if is_separable(landscape):
        return
    coupled = _coupled_somewhere(landscape) if points is None else _first_coupled(landscape, points)
    if coupled is not None:
        place = ", ".join(f"{coordinate:.4g}" for coordinate in coupled)
        raise InvalidInput(
            f"{type(noise).__name__}: {type(landscape).__name__} couples its coordinates at [{place}], where C = |H|/B is not"
            " diagonal: state the landscape along its own axes and turn it with Rotated(landscape, angle), or take ConstantNoise"
        )


def couples(landscape: Any) -> bool:
    """Whether the Hessian has been found to have elements beside the diagonal, wherever a particle may go."""
    return not is_separable(landscape) and _coupled_somewhere(landscape) is not None


def _coupled_somewhere(landscape: Any) -> tuple[float, ...] | None:
    try:
        return _sampled(landscape, _kinds(landscape))
    except TypeError as failure:  # a field that cannot be hashed
        if "unhashable" not in str(failure):
            raise
        return _sampled.__wrapped__(landscape, ())


def _kinds(record: Any) -> tuple:
    """The classes of a record and of those inside it: as tuples, records of two classes may be equal."""
    return (type(record), *(_kinds(field) for field in record if hasattr(field, "_fields")))


@functools.lru_cache(maxsize=256)
def _sampled(landscape: Any, kinds: tuple) -> tuple[float, ...] | None:
    """The first point of the sample where coordinates are coupled, as numbers that can be kept."""
    return _first_coupled(landscape, _sample(landscape))


def _sample(landscape: Any) -> Iterable[np.ndarray]:
    size = dimension(landscape)
    bottom = _bottom(landscape)
    centre = np.zeros(size) if bottom is None else bottom
    yield centre
    # Spread evenly enough, and always the same.
    aside = np.sin(np.outer(np.arange(1.0, AROUND + 1.0), np.arange(1.0, size + 1.0)) ** 2)
    yield from centre + 0.5 * aside  # most coupled landscapes need no search for the saddle
    way = None if bottom is None else _way(landscape, bottom)
    way = np.eye(size)[0] if way is None else way
    for part in (1.0, 0.25, 0.5, 0.75, 1.5, 2.0):
        yield centre + part * way
    yield from centre + np.linspace(0.0, 2.0, AROUND)[:, None] * way + 0.5 * np.linalg.norm(way) * aside


def _bottom(landscape: Any) -> np.ndarray | None:
    """The minimum, where the landscape says it or descent soon finds it: a saddle alone would be searched for long."""
    try:
        return minimum(landscape) if knows(minimum, landscape) else descended(landscape, 300)
    except (InvalidInput, ArithmeticError, ValueError):
        return None


def _way(landscape: Any, bottom: np.ndarray) -> np.ndarray | None:
    """From the minimum to the saddle, if there is one."""
    try:
        return saddle(landscape) - bottom
    except (InvalidInput, ArithmeticError, ValueError):
        return None


def _first_coupled(landscape: Any, points: Iterable[np.ndarray]) -> tuple[float, ...] | None:
    largest = 0.0  # of the first point, the minimum: where a Hessian vanishes rounding is no coupling
    for n, point in enumerate(points):
        try:
            with np.errstate(all="ignore"):
                hessian = np.abs(hessian_at(landscape, point))
        except (ArithmeticError, ValueError):
            continue  # where a formula is not real
        if not np.all(np.isfinite(hessian)):
            continue
        largest = float(np.max(hessian)) if n == 0 else largest
        if np.max(hessian - np.diag(np.diag(hessian))) > TOLERANCE * max(float(np.max(hessian)), largest):
            return tuple(float(coordinate) for coordinate in point)
    return None
