"""simdyn itself, through its public functions, on one thread and on all, and with normals in single precision."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import simdyn as sd
from benchmarks.contenders import Contender, Outcome, passage_outcome
from benchmarks.works import Problem, Work

PACKAGES = ("simdyn-lab", "numba", "llvmlite")
_SMALL = 1000  # particles: with so few what is outside the loops counts
_CHECKED_WITH = 65536  # one-dimensional particles of the outcome that all others are held against


def contenders(work: Work) -> list[Contender]:
    def run(workers: int | None, precision: str = "double") -> Callable[[int], Outcome]:
        return lambda seed: solve(work.problem, work.particles, seed, workers, precision)

    own = [Contender("simdyn", "1", work.particles, run(1)), Contender("simdyn", "all", work.particles, run(None))]
    if work.particles > _SMALL:
        remark = "states in double precision, their normals in single"
        own.append(Contender("simdyn, single", "1", work.particles, run(1, "single"), remark))
    return own


def solve(problem: Problem, particles: int, seed: int, workers: int | None, precision: str = "double") -> Outcome:
    options: dict[str, Any] = {"workers": workers, "noise_precision": precision, "progress": False}
    if problem.boundary is not None:
        options |= {"bridge": False} if isinstance(problem.dynamics, sd.Overdamped) else {}
        found = sd.escape_times(
            problem.dynamics, problem.landscape, problem.noise, problem.boundary, start=problem.start,
            particles=particles, seed=seed, **options,
        )  # fmt: skip
        return passage_outcome(found.steps)
    spread = sd.displacement(
        problem.dynamics, problem.landscape, problem.noise, start=problem.start, particles=particles, seed=seed,
        record_at=problem.steps // problem.records * np.arange(1, problem.records + 1), **options,
    )  # fmt: skip
    error = np.sqrt((spread.stderr**2).sum(1)) / problem.dimension  # the coordinates of the problems are independent
    return Outcome(spread.particle_steps, spread.msd.mean(1), error)


@cache
def expected(problem: Problem) -> Outcome:
    """What everybody has to find."""
    return solve(problem, _CHECKED_WITH // problem.dimension, seed=1000, workers=os.cpu_count())
