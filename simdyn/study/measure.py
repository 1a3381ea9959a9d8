"""One cell simulated: what it measured, as plain JSON."""

import math
import time
from typing import Any

import numpy as np

from simdyn.estimate import Estimate
from simdyn.estimate.means import FEWEST_TO_TELL
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.landscapes import dimension
from simdyn.model.records import InvalidInput
from simdyn.simulate.ensemble import densities, displacement, escape_times
from simdyn.simulate.memory import check_memory
from simdyn.simulate.moments import unknown_moments
from simdyn.simulate.results import Escapes
from simdyn.simulate.setup import Stationary, check_records, prepare, prepare_exit
from simdyn.simulate.troubles import instability
from simdyn.study.cells import Cell, unless_found
from simdyn.study.schema import Running

_SURVIVAL_POINTS = 60


def rehearse(cell: Cell) -> None:
    """Refuse, before anything runs, what a simulation of the cell would refuse."""
    ensemble = cell.ensemble
    if cell.measure == "escape":
        prepare_exit(cell.dynamics, cell.landscape, cell.boundary, cell.start, ensemble.bridge)
        if cell.simulate and (words := instability(cell.dynamics, cell.landscape)) is not None:
            raise InvalidInput(f"{words}; take a smaller step")
        last = ensemble.max_steps
    else:
        last = int(check_records(ensemble.record_at)[-1])
    with unless_found("take a noise that does not look for it, such as ConstantNoise or LocalNoise"):
        setup = prepare(
            cell.dynamics,
            cell.landscape,
            cell.noise,
            cell.start,
            _momentum(cell),
            cell.seed,
            last,
            ensemble.noise_precision,
        )
    if cell.measure == "displacement" and cell.simulate:
        at = check_records(ensemble.record_at)
        if (words := unknown_moments(setup, cell.noise, ensemble.particles, at)) is not None:
            raise InvalidInput(f"noise: {words}")
    if cell.measure == "density" and not (
        isinstance(cell.dynamics, (Overdamped, Inertial)) and dimension(cell.landscape) == 1
    ):
        raise InvalidInput("densities are held against the equations of Overdamped and Inertial, in one dimension")
    _check_size(cell)
    if ensemble.bins is not None:
        if ensemble.bins.low >= ensemble.bins.high:
            raise InvalidInput(f"ensemble.bins.low must be below high, not {ensemble.bins.low}")
        if ensemble.bins.coordinate >= dimension(cell.landscape):
            raise InvalidInput(f"ensemble.bins.coordinate must be below {dimension(cell.landscape)}")


_MOST_KEPT = 10**7  # numbers of a cell: 200 MB as text


def _check_size(cell: Cell) -> None:
    """Refuse cells of more particles than memory, or that would keep more numbers than a file should hold: they would be
    simulated first, and lost then."""
    ensemble, width = cell.ensemble, dimension(cell.landscape)
    check_memory((9.0 if cell.measure == "escape" else 1.0) * ensemble.particles, particles=ensemble.particles)
    if cell.measure == "escape":
        return
    records = len(ensemble.record_at or ())
    if cell.measure == "density" and ensemble.bins is not None:
        width = ensemble.bins.bins
    if records * width > _MOST_KEPT:
        what = "coordinates" if cell.measure == "displacement" else "bins"
        fewer = "records" if records > width else what
        asked = f"{records} records of {width} {what} are {records * width} numbers"
        raise InvalidInput(f"take fewer {fewer}: {asked}, a cell keeps up to {_MOST_KEPT}")


def measure(cell: Cell, workers: int | None = None, progress: Any = False) -> dict[str, Any]:
    """Simulate a cell. Raises InvalidInput when it cannot be, or when particles diverged."""
    began = time.perf_counter()
    content = _MEASURES[cell.measure](cell, workers, progress)
    content["wall_time"] = time.perf_counter() - began
    return content


def _momentum(cell: Cell) -> Any:
    momentum = cell.ensemble.start_momentum
    return Stationary(momentum.scale) if isinstance(momentum, Running) else momentum


def _common(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    return {
        "start": cell.start,
        "particles": cell.ensemble.particles,
        "seed": cell.seed,
        "start_momentum": _momentum(cell),
        "workers": workers,
        "progress": progress,
        "noise_precision": cell.ensemble.noise_precision,
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
            f"{int(found.diverged.sum())} of {found.steps.size} particles diverged: take a smaller step than in {cell.dynamics},"
            " or a boundary all around where the landscape falls without end"
        )
    return {**_mean(found), **_law(found), "time_step": found.time_step, "particle_steps": found.particle_steps}


def _mean(found: Escapes) -> dict[str, Any]:
    mean, unbounded = _mean_or_bound(found)
    finite = {part: None if math.isinf(getattr(mean, part)) else getattr(mean, part) for part in ("value", "high")}
    return {
        **finite,
        "low": mean.low,
        "level": mean.level,
        "unbounded": unbounded,
        "particles": int(found.steps.size),
        "censored": int(found.censored.sum()),
        "bridged": found.bridged,
    }


def _mean_or_bound(found: Escapes, level: float = 0.95) -> tuple[Estimate, str | None]:
    """The mean escape time in steps; where the particles that left do not tell it, what it lies above, and why.

    None left within a total time R at risk: P(none leaves) = exp(-R/tau) falls below 1 - level for tau < R/(-ln(1 - level)),
    the one-sided bound for exponential times; this is an assumption, nothing was seen of their law. Where some left, and
    their law is not the exponential that would tell how the others go on: E[min(T, max_steps)] <= E[T] holds for any law,
    and the one-sided limit of the restricted mean is the bound.
    """
    if found.censored.all():
        low = found.particle_steps / -math.log(1.0 - level)
        reason = f"no particle escaped within max_steps = {found.max_steps}, the mean lies above {low:.3g} steps"
    else:
        try:
            return found.mean(level), None
        except InvalidInput as refusal:
            low = found.restricted_mean(2.0 * level - 1.0).low
            reason = f"the mean lies above {low:.3g} steps and is not known otherwise: {refusal}"
    return Estimate(math.inf, low, math.inf, level), f"{reason} (one-sided, {100.0 * level:g} %)"


def _law(found: Escapes) -> dict[str, Any]:
    """Whether the times are exponential and the survival curve; None where fewer than two left, or where some did not and so
    few did that a law which is not contradicted is not shown either."""
    law = dict.fromkeys(("exponential", "exponential_distance", "exponential_p", "exponential_tolerance"))
    escapes = np.count_nonzero(~found.censored)
    if escapes > 1:
        check = found.exponential_check()
        found_out = bool(check.exponential), float(check.distance), float(check.p_value), float(check.tolerance)
        law = dict(zip(law, found_out, strict=True))
        if check.exponential and found.censored.any() and escapes < FEWEST_TO_TELL:
            law["exponential"] = None
    curve = found.survival()
    at = np.unique(np.linspace(0, curve.time.size - 1, _SURVIVAL_POINTS).astype(int))[: curve.time.size]
    return {
        **law,
        "survival_steps": curve.time[at].tolist(),
        "survival": curve.survival[at].tolist(),
    }


def _all_finite(simulation: Any, cell: Cell, **options: Any) -> Any:
    """What a simulation found of a cell, or InvalidInput where particles diverged."""
    found = simulation(
        cell.dynamics, cell.landscape, cell.noise, record_at=np.array(cell.ensemble.record_at), **options
    )
    if found.diverged.any():
        raise InvalidInput(f"{int(found.diverged.sum())} of {found.particles} particles diverged: take a smaller step")
    return found


def _displacement(cell: Cell, workers: int | None, progress: Any) -> dict[str, Any]:
    found = _all_finite(displacement, cell, **_common(cell, workers, progress))
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
    edges = np.linspace(bins.low, bins.high, bins.bins + 1)
    found = _all_finite(densities, cell, edges=edges, coordinate=bins.coordinate, **_common(cell, workers, progress))
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
