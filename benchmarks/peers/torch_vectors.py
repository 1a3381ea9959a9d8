"""torch: all particles in one vector, a step at a time; Adam as torch.optim has it, on one large parameter."""

import os
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.contenders import Contender, Outcome, spread_outcome
from benchmarks.equations import equation
from benchmarks.works import ADAM, Problem, Work

PACKAGES = ("torch",)


def contenders(work: Work) -> list[Contender]:
    problem, particles = work.problem, min(work.particles, 65536 // min(work.problem.dimension, 128))
    if problem.boundary is not None:
        return []
    found = on_one_thread_and_on_all("torch", particles, lambda seed: spread(problem, particles, seed))
    if problem == ADAM:
        found += on_one_thread_and_on_all("torch.optim", particles, lambda seed: optimized(problem, particles, seed))
    return found


def on_one_thread_and_on_all(name: str, particles: int, run: Callable[[int], Outcome]) -> list[Contender]:
    """Two contenders: sharing small vectors among threads can cost more than it saves."""

    def with_threads(count: int) -> Callable[[int], Outcome]:
        def counted(seed: int) -> Outcome:
            torch.set_num_threads(count)
            return run(seed)

        return counted

    found = [Contender(name, "1", particles, with_threads(1))]
    if (count := os.cpu_count() or 1) > 1:
        found.append(Contender(name, "all", particles, with_threads(count)))
    return found


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.inference_mode()
def spread(problem: Problem, particles: int, seed: int) -> Outcome:
    random, (step, first) = _random(seed), equation(problem, torch, column=torch.as_tensor)
    start = torch.tensor(problem.start, dtype=torch.float64)[:, None].repeat(1, particles)
    start = start if problem.dimension > 1 else start[0]
    x, memory, z = start, tuple(torch.full_like(start, value) for value in first), torch.empty_like(start)
    squares = []
    for n in range(1, problem.steps + 1):
        x, memory = step(x, memory, z.normal_(generator=random), n)
        if n % (problem.steps // problem.records) == 0:
            squares.append(torch.atleast_2d((x - start) ** 2).mean(0).numpy())
    return spread_outcome(problem, np.array(squares))


@torch.no_grad()
def optimized(problem: Problem, particles: int, seed: int) -> Outcome:
    random, rate, eps = _random(seed), problem.dynamics.learning_rate, problem.dynamics.eps
    x = torch.nn.Parameter(torch.full((particles,), problem.start[0], dtype=torch.float64))
    adam = torch.optim.Adam([x], rate, problem.dynamics[1:3], eps, fused=True)
    z = torch.empty_like(x)
    for _ in range(problem.steps):
        deviation = torch.sqrt(abs(12.0 * x * x - 4.0))
        x.grad = 4.0 * x * (x * x - 1.0) + deviation * z.normal_(generator=random)
        adam.step()
    return spread_outcome(problem, ((x - problem.start[0]) ** 2).numpy())
