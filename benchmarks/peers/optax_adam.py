"""optax: its Adam on one large vector, inside JAX's lax.scan."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.contenders import Contender, spread_outcome
from benchmarks.works import ADAM, Problem, Work

jax.config.update("jax_enable_x64", True)

PACKAGES = ("optax", "jax")


def contenders(work: Work) -> list[Contender]:
    if work.problem != ADAM:
        return []
    particles = min(work.particles, 8192)
    run = _spread(work.problem, particles)
    return [Contender("optax", "all", particles, lambda seed: spread_outcome(work.problem, np.asarray(run(seed))))]


@cache
def _spread(problem: Problem, particles: int) -> Callable:
    rate, beta1, beta2, eps, _ = problem.dynamics
    adam = optax.adam(rate, beta1, beta2, eps)
    start = problem.start[0]

    @jax.jit
    def run(seed):
        key = jax.random.key(seed)

        def once(carried, n):
            x, state = carried
            z = jax.random.normal(jax.random.fold_in(key, n), x.shape, x.dtype)
            gradient = 4.0 * x * (x * x - 1.0) + jnp.sqrt(jnp.abs(12.0 * x * x - 4.0)) * z
            updates, state = adam.update(gradient, state)
            return (optax.apply_updates(x, updates), state), None

        x = jnp.full(particles, start)
        (x, _), _ = jax.lax.scan(once, (x, adam.init(x)), jnp.arange(1, problem.steps + 1))
        return (x - start) ** 2

    return run
