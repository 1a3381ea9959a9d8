"""One cell simulated: what it measured, as plain JSON."""

import time
from typing import Any

import numpy as np

from simdyn.estimate import exponential_check
from simdyn.model.records import InvalidInput
from simdyn.simulate.ensemble import densities, displacement, escape_times
from simdyn.simulate.results import Escapes
from simdyn.simulate.setup import Stationary
from simdyn.study.cells import Cell

_SURVIVAL_POINTS = 60


def measure(cell: Cell, workers: int | None = None, progress: Any = False) -> dict[str, Any]:
    """Simulate a cell. Raises InvalidInput when it cannot be, or when particles diverged."""
    began = time.perf_counter()
    content = _MEASURES[cell.measure](cell, workers, progress)
    content["wall_time"] = time.perf_counter() - began
    return content


def _common(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    ensemble = cell.ensemble
    momentum: Any = ensemble.start_momentum
    if isinstance(momentum, dict):
        momentum = Stationary(float(momentum["scale"])) if set(momentum) == {"kind", "scale"} else None
        if momentum is None:
            raise InvalidInput(
                'ensemble.start_momentum must be numbers, "stationary" or { kind = "Stationary", scale = … }'
            )
    return {
        "start": cell.start,
        "particles": ensemble.particles,
        "seed": cell.seed,
        "start_momentum": momentum,
        "workers": workers,
        "progress": progress,
    }


def _escape(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    options = _common(cell, workers, progress)
    found = escape_times(
        cell.dynamics,
        cell.landscape,
        cell.noise,
        cell.boundary,
        max_steps=cell.ensemble.max_steps,
        bridge=cell.ensemble.bridge,
        **options,
    )
    if found.diverged.any():
        raise InvalidInput(
            f"{int(found.diverged.sum())} of {found.steps.size} particles diverged: take a smaller step than in {cell.dynamics}"
        )
    if found.censored.all():
        raise InvalidInput(f"no particle escaped within max_steps = {found.max_steps}")
    return {**_mean(found), **_law(found), "time_step": found.time_step, "particle_steps": found.particle_steps}


def _mean(found: Escapes) -> dict[str, Any]:
    mean = found.mean()
    return {
        "value": mean.value,
        "low": mean.low,
        "high": mean.high,
        "level": mean.level,
        "particles": int(found.steps.size),
        "censored": int(found.censored.sum()),
        "bridged": found.bridged,
    }


def _law(found: Escapes) -> dict[str, Any]:
    check = exponential_check(found.steps, found.censored)
    curve = found.survival()
    at = np.unique(np.linspace(0, curve.time.size - 1, _SURVIVAL_POINTS).astype(int))
    return {
        "exponential": bool(check.exponential),
        "exponential_distance": float(check.distance),
        "exponential_p": float(check.p_value),
        "exponential_tolerance": float(check.tolerance),
        "survival_steps": curve.time[at].tolist(),
        "survival": curve.survival[at].tolist(),
    }


def _displacement(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    found = displacement(
        cell.dynamics,
        cell.landscape,
        cell.noise,
        record_at=np.array(cell.ensemble.record_at),
        **_common(cell, workers, progress),
    )
    if found.diverged.any():
        raise InvalidInput(f"{int(found.diverged.sum())} of {found.particles} particles diverged: take a smaller step")
    return {
        "record_at": found.record_at.tolist(),
        "msd": found.msd.tolist(),
        "stderr": found.stderr.tolist(),
        "time_step": found.time_step,
        "particle_steps": found.particle_steps,
    }


def _density(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    bins = cell.ensemble.bins
    assert bins is not None
    found = densities(
        cell.dynamics,
        cell.landscape,
        cell.noise,
        record_at=np.array(cell.ensemble.record_at),
        edges=np.linspace(bins.low, bins.high, bins.bins + 1),
        coordinate=bins.coordinate,
        **_common(cell, workers, progress),
    )
    return {
        "record_at": found.record_at.tolist(),
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
        "outside": (found.below + found.above).tolist(),
        "particles": found.particles,
        "time_step": found.time_step,
        "particle_steps": found.particle_steps,
    }


_MEASURES = {"escape": _escape, "displacement": _displacement, "density": _density}
