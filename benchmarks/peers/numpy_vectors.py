"""NumPy as a good user writes it: all particles at once, in numbers that fit the cache; survivors moved together."""

import numpy as np

from benchmarks.contenders import Contender, Outcome, passage_outcome, spread_outcome
from benchmarks.equations import equation
from benchmarks.works import Problem, Work

PACKAGES = ("numpy",)


def contenders(work: Work) -> list[Contender]:
    problem, particles = work.problem, min(work.particles, max(512, 8192 // work.problem.dimension))
    run = passage if problem.boundary is not None else spread
    return [Contender("NumPy", "1", particles, lambda seed: run(problem, particles, seed))]


def _start(problem: Problem, particles: int) -> np.ndarray:
    x = np.repeat(np.array(problem.start)[:, None], particles, axis=1)
    return x if problem.dimension > 1 else x[0]


def spread(problem: Problem, particles: int, seed: int) -> Outcome:
    random, (step, first) = np.random.default_rng(seed), equation(problem, np)
    start = _start(problem, particles)
    x, memory, z = start, tuple(np.full_like(start, value) for value in first), np.empty_like(start)
    squares = []
    for n in range(1, problem.steps + 1):
        x, memory = step(x, memory, random.standard_normal(out=z), n)
        if n % (problem.steps // problem.records) == 0:
            squares.append(np.atleast_2d((x - start) ** 2).mean(0))
    return spread_outcome(problem, squares)


def passage(problem: Problem, particles: int, seed: int) -> Outcome:
    random, (step, first) = np.random.default_rng(seed), equation(problem, np)
    x = _start(problem, particles)
    memory = tuple(np.full_like(x, value) for value in first)
    steps, inside, n = np.zeros(particles), np.arange(particles), 0
    while inside.size:
        n += 1
        x, memory = step(x, memory, random.standard_normal(x.shape), n)
        out = (x if x.ndim == 1 else x[0]) >= problem.boundary.position
        if out.any():
            steps[inside[out]] = n
            inside, x = inside[~out], x[..., ~out]
            memory = tuple(row[..., ~out] for row in memory)
    return passage_outcome(steps)
