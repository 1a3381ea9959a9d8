"""simdyn itself, through its public functions, on one thread and on all."""

import os
from functools import cache

import numpy as np

import simdyn as sd
from benchmarks.contenders import Contender, Outcome, passage_outcome
from benchmarks.works import Problem, Work

PACKAGES = ("simdyn-lab", "numba", "llvmlite")
_CHECKED_WITH = 65536  # one-dimensional particles of the outcome that all others are held against


def contenders(work: Work) -> list[Contender]:
    return [
        Contender("simdyn", "1", work.particles, lambda seed: solve(work.problem, work.particles, seed, 1)),
        Contender("simdyn", "all", work.particles, lambda seed: solve(work.problem, work.particles, seed, None)),
    ]


def solve(problem: Problem, particles: int, seed: int, workers: int | None) -> Outcome:
    if problem.boundary is not None:
        options = {"bridge": False} if isinstance(problem.dynamics, sd.Overdamped) else {}
        found = sd.escape_times(
            problem.dynamics, problem.landscape, problem.noise, problem.boundary, start=problem.start,
            particles=particles, seed=seed, workers=workers, progress=False, **options,
        )  # fmt: skip
        return passage_outcome(found.steps)
    spread = sd.displacement(
        problem.dynamics, problem.landscape, problem.noise, start=problem.start, particles=particles, seed=seed,
        workers=workers, progress=False, record_at=problem.steps // problem.records * np.arange(1, problem.records + 1),
    )  # fmt: skip
    error = np.sqrt((spread.stderr**2).sum(1)) / problem.dimension  # the coordinates of the problems are independent
    return Outcome(spread.particle_steps, spread.msd.mean(1), error)


@cache
def expected(problem: Problem) -> Outcome:
    """What everybody has to find."""
    return solve(problem, _CHECKED_WITH // problem.dimension, seed=1000, workers=os.cpu_count())
