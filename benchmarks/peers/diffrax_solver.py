"""diffrax: Euler steps of the overdamped equation; a first passage by its events, one solution per particle.

The noise is UnsafeBrownianPath, its fastest, which steps of fixed size may use.
"""

from collections.abc import Callable
from functools import cache

import diffrax
import jax
import jax.numpy as jnp
import lineax
import numpy as np

from benchmarks.contenders import Contender, passage_outcome, spread_outcome
from benchmarks.works import OVERDAMPED, PASSAGE, Problem, Work

jax.config.update("jax_enable_x64", True)

PACKAGES = ("diffrax", "jax")
_LONGEST = 200_000  # steps, seventy times the mean: nobody is left inside by then


def contenders(work: Work) -> list[Contender]:
    problem = work.problem
    if problem == OVERDAMPED:
        particles = min(work.particles, 8192)
        run = _spread(problem, particles)
        return [Contender("diffrax", "all", particles, lambda seed: spread_outcome(problem, np.asarray(run(seed))))]
    if problem == PASSAGE:
        particles = min(work.particles, 512)
        run = _passage(problem, particles)
        return [Contender("diffrax", "all", particles, lambda seed: passage_outcome(np.asarray(run(seed))))]
    return []


def _drift(t, x, _):
    return -4.0 * x * (x * x - 1.0)


@cache
def _spread(problem: Problem, particles: int) -> Callable:
    dt, root = problem.dynamics.dt, problem.noise.variance**0.5

    @jax.jit
    def run(seed):
        path = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct((particles,), jnp.float64), jax.random.key(seed))
        noise = diffrax.ControlTerm(lambda t, x, _: lineax.DiagonalLinearOperator(jnp.full_like(x, root)), path)
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(_drift), noise), diffrax.Euler(), 0.0, problem.steps * dt, dt,
            jnp.full(particles, problem.start[0]), max_steps=problem.steps + 1, adjoint=diffrax.DirectAdjoint(),
        )  # fmt: skip
        return (solution.ys[-1] - problem.start[0]) ** 2

    return run


@cache
def _passage(problem: Problem, particles: int) -> Callable:
    dt, root = problem.dynamics.dt, problem.noise.variance**0.5
    leaves = diffrax.Event(lambda t, x, *_, **__: x >= problem.boundary.position)

    def alone(key):
        path = diffrax.UnsafeBrownianPath((), key)
        noise = diffrax.ControlTerm(lambda t, x, _: root, path)
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(_drift), noise), diffrax.Euler(), 0.0, _LONGEST * dt, dt,
            jnp.array(problem.start[0]), event=leaves, max_steps=_LONGEST + 1, adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        return solution.stats["num_steps"]

    return jax.jit(lambda seed: jax.vmap(alone)(jax.random.split(jax.random.key(seed), particles)))
