"""What theory and exact numerics say about a cell, as plain JSON; null where they have nothing to say."""

import math
import time
import warnings
from typing import Any

import numpy as np

from simdyn import exact, theory
from simdyn.exact.fokker_planck import cell_probabilities
from simdyn.model.boundaries import outside
from simdyn.model.dynamics.langevin import Inertial
from simdyn.model.geometry import minimum, saddle
from simdyn.model.records import InvalidInput, too_large_to_compute
from simdyn.study.cells import Cell
from simdyn.study.schema import Running
from simdyn.theory.validity import ValidityWarning

#: ways in which formulas and exact numerics say, or show, that they have no answer
REFUSALS = (InvalidInput, ArithmeticError, np.linalg.LinAlgError)


def refer(cell: Cell) -> dict[str, Any]:
    """Formula and exact answer for a cell, and the warnings they gave."""
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        content = _REFERENCES[cell.measure](cell)
    # Only theory's own: other threads simulate meanwhile, and warnings are everybody's.
    told = {str(warning.message) for warning in caught if issubclass(warning.category, ValidityWarning)}
    content["warnings"] = sorted(told)
    return {**content, "wall_time": time.perf_counter() - began, "particle_steps": 0}


def formula_alone(cell: Cell) -> dict[str, Any] | None:
    """What `refer` finds, without exact answers, which take long; None for a density, of which there is nothing else."""
    if cell.measure not in _FORMULAS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {**_NOTHING[cell.measure], **formula(cell), "exact_refused": "it has not been found yet"}


def formula(cell: Cell) -> dict[str, Any]:
    """What theory says about a cell, or `theory_refused` with its reason."""
    try:
        return _FORMULAS[cell.measure](cell)
    except REFUSALS as refusal:
        return {"theory_refused": _reason(cell, refusal)}


def _reason(cell: Cell, refusal: Exception) -> str:
    if isinstance(refusal, InvalidInput):
        return str(refusal)
    return str(too_large_to_compute(cell.dynamics, cell.landscape, cell.noise))


def _escape_formula(cell: Cell) -> dict[str, Any]:
    share = _share_of_way(cell)
    if share < 1.0 - _TOLD_APART:
        raise InvalidInput("the formula is of an escape over the saddle, the boundary lies before it")
    at_saddle = share < 1.0 + _TOLD_APART
    found = theory.escape_time(cell.dynamics, cell.landscape, cell.noise, at_saddle=at_saddle)
    return {"theory": float(found), "action": found.action, "prefactor": found.prefactor}


def _displacement_formula(cell: Cell) -> dict[str, Any]:
    parts = theory.displacement_parts(cell.dynamics, cell.landscape, cell.noise, np.array(cell.ensemble.record_at))
    return {"drift": parts.drift.tolist(), "diffusion": parts.diffusion.tolist()}


def _escape(cell: Cell) -> dict[str, Any]:
    content = {**_NOTHING["escape"], **formula(cell)}
    if isinstance(cell.exact, tuple):
        return content | dict(zip(("exact", "exact_error"), cell.exact, strict=True)) | {"rates": {}}
    content["rates"] = _rate_theories(cell) if cell.exact else {}  # they are held against exact answers
    try:
        if not cell.exact:
            raise InvalidInput("not asked for: the study says exact = false")
        answer = exact.mean_first_passage(cell.dynamics, cell.landscape, cell.noise, cell.boundary, cell.start)
        if math.isinf(answer.value):
            raise InvalidInput(f"the mean escape time is 10^{answer.log10:.6g}, which no double holds")
        content |= {"exact": float(answer.value), "exact_error": float(answer.error)}
    except REFUSALS as refusal:
        content["exact_refused"] = _reason(cell, refusal)
    return content


def _rate_theories(cell: Cell) -> dict[str, float]:
    """The mean escape time 1/rate by every rate theory that applies; none where the exit is not well beyond the saddle."""
    try:
        if _share_of_way(cell) < 1.5:
            return {}
        return {rate.name: 1.0 / rate.value for rate in theory.rates(cell.dynamics, cell.landscape, cell.noise)}
    except REFUSALS:
        return {}


_TOLD_APART = 1e-6


def _share_of_way(cell: Cell) -> float:
    """Where the straight way from minimum to saddle, prolonged, meets the boundary: 1 at the saddle, 2 at most."""
    if cell.ensemble.exit is not None:
        return 1.0 + cell.ensemble.exit
    bottom, top = minimum(cell.landscape), saddle(cell.landscape)
    inside, beyond = 0.0, 2.0
    while beyond - inside > _TOLD_APART / 4.0:
        middle = (inside + beyond) / 2.0
        point = bottom + middle * (top - bottom)
        if outside(cell.boundary, cell.landscape, point.reshape(-1, 1), 0):
            beyond = middle
        else:
            inside = middle
    return beyond


def _displacement(cell: Cell) -> dict[str, Any]:
    steps = np.array(cell.ensemble.record_at)
    content = {**_NOTHING["displacement"], **formula(cell)}
    momentum: Any = cell.ensemble.start_momentum
    if isinstance(momentum, Running) and momentum.scale in (0.0, 1.0):
        momentum = "stationary" if momentum.scale else None
    try:
        if isinstance(momentum, Running):
            raise InvalidInput("moments are known for a whole stationary momentum or none")
        momentum = 0.0 if momentum is None else momentum
        moments = exact.moments(cell.dynamics, cell.landscape, cell.noise, cell.start, steps, momentum=momentum)
        content["exact"] = moments.mean_square_displacement.tolist()
    except REFUSALS as refusal:
        content["exact_refused"] = _reason(cell, refusal)
        content["frozen_v"] = _frozen_v(cell, steps)
    return content


def _frozen_v(cell: Cell, steps: np.ndarray) -> Any:
    """The mean squared displacement from rest with v held at the noise's variance; None where that means nothing."""
    if cell.ensemble.start_momentum is not None:
        return None
    try:
        found = exact.moments_with_frozen_v(cell.dynamics, cell.landscape, cell.noise, cell.start, steps)
    except REFUSALS:
        return None
    return found.mean_square_displacement.tolist()


def _density(cell: Cell) -> dict[str, Any]:
    bins, at = cell.ensemble.bins, cell.ensemble.record_at
    assert bins is not None and at is not None
    edges = np.linspace(bins.low, bins.high, bins.bins + 1)
    times = np.array(at, dtype=float) * cell.dynamics.dt
    if isinstance(cell.dynamics, Inertial):
        found = exact.phase_density(
            cell.dynamics, cell.landscape, cell.noise, cell.start, times, edges, _speeds(cell.dynamics, cell.noise)
        )
        return {"shares": found.theta.tolist(), "shares_error": found.theta_error.tolist()}
    shares = cell_probabilities(cell.landscape, cell.noise, cell.start, times, edges)
    return {"shares": shares.tolist()}


def _speeds(dynamics: Inertial, noise: Any) -> np.ndarray:
    """Edges of 48 bins of the velocity, seven thermal deviations to either side."""
    thermal = np.sqrt(np.max(noise.variance) / (2.0 * dynamics.damping)) / dynamics.mass
    return np.linspace(-7.0 * thermal, 7.0 * thermal, 49)


_NOTHING: dict[str, dict[str, Any]] = {
    "escape": dict.fromkeys(("theory", "action", "prefactor", "exact", "exact_error", "rates")),
    "displacement": dict.fromkeys(("drift", "diffusion", "exact", "frozen_v")),
}
_FORMULAS = {"escape": _escape_formula, "displacement": _displacement_formula}
_REFERENCES = {"escape": _escape, "displacement": _displacement, "density": _density}
