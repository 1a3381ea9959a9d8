"""JAX: all particles at once in a compiled loop, lax.scan to a fixed time, lax.while_loop until the last has left.

An array cannot shrink inside a compiled loop, so the particles that have left move on until the last one has.
"""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import Contender, Outcome, passage_outcome, spread_outcome
from benchmarks.equations import equation
from benchmarks.works import Problem, Work

jax.config.update("jax_enable_x64", True)

PACKAGES = ("jax", "jaxlib")


def contenders(work: Work) -> list[Contender]:
    problem = work.problem
    if problem.boundary is not None:
        particles = min(work.particles, 2048 // min(problem.dimension, 4))
        return [Contender("JAX while_loop", "all", particles, lambda seed: passage(problem, particles, seed))]
    particles = min(work.particles, max(512, 8192 // problem.dimension))
    return [Contender("JAX scan", "all", particles, lambda seed: spread(problem, particles, seed))]


def _start(problem: Problem, particles: int, first: tuple) -> tuple:
    x = jnp.repeat(jnp.array(problem.start)[:, None], particles, axis=1)
    x = x if problem.dimension > 1 else x[0]
    return x, tuple(jnp.full_like(x, value) for value in first)


def spread(problem: Problem, particles: int, seed: int) -> Outcome:
    return spread_outcome(problem, _spread(problem, particles)(seed))


def passage(problem: Problem, particles: int, seed: int) -> Outcome:
    return passage_outcome(_passage(problem, particles)(seed))


@cache
def _spread(problem: Problem, particles: int) -> Callable:
    step, first = equation(problem, jnp, column=jnp.asarray)
    between = problem.steps // problem.records

    @jax.jit
    def run(seed):
        key = jax.random.key(seed)
        start, memory = _start(problem, particles, first)

        def once(carried, n):
            x, memory = carried
            return step(x, memory, jax.random.normal(jax.random.fold_in(key, n), x.shape, x.dtype), n), None

        def to_next_record(carried, steps):
            carried, _ = jax.lax.scan(once, carried, steps)
            return carried, jnp.atleast_2d((carried[0] - start) ** 2).mean(0)

        steps = jnp.arange(1, problem.steps + 1).reshape(problem.records, between)
        return jax.lax.scan(to_next_record, (start, memory), steps)[1]

    return lambda seed: np.asarray(run(seed))


@cache
def _passage(problem: Problem, particles: int) -> Callable:
    step, first = equation(problem, jnp, column=jnp.asarray)

    def inside(carried):
        return (carried[2] == 0).any()

    def once(key, carried):
        x, memory, taken, n = carried
        x, memory = step(x, memory, jax.random.normal(jax.random.fold_in(key, n), x.shape, x.dtype), n)
        out = (x if x.ndim == 1 else x[0]) >= problem.boundary.position
        return x, memory, jnp.where(out & (taken == 0), n, taken), n + 1

    @jax.jit
    def run(seed):
        x, memory = _start(problem, particles, first)
        begun = (x, memory, jnp.zeros(particles, int), 1)
        return jax.lax.while_loop(inside, partial(once, jax.random.key(seed)), begun)[2]

    return lambda seed: np.asarray(run(seed))
