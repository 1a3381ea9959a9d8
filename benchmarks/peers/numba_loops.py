"""Numba as written at first: a loop over particles, one over steps, np.random inside; on one thread, and with prange."""

import math
import os
from collections.abc import Callable
from functools import cache

import numba
import numpy as np

from benchmarks.contenders import Contender, Outcome, passage_outcome, spread_outcome
from benchmarks.equations import coefficients, equation
from benchmarks.works import ADAI_VALLEY, ADAM_VALLEY, MOMENTUM_SADDLE, Problem, Work

PACKAGES = ("numba",)
FORGET = "no seed: every thread's generator begins where it likes"


def contenders(work: Work) -> list[Contender]:
    particles = min(work.particles, 8192 // min(work.problem.dimension, 8))

    def run(parallel: bool) -> Callable[[int], Outcome]:
        return lambda seed: solve(work.problem, particles, seed, parallel)

    found = [Contender("Numba loop", "1", particles, run(False))]
    if (os.cpu_count() or 1) > 1 and particles >= 1000:
        found.append(Contender("Numba loop", "all", particles, run(True), FORGET))
    return found


def solve(problem: Problem, particles: int, seed: int, parallel: bool) -> Outcome:
    found = _loop(problem, parallel)(particles, seed)
    return passage_outcome(found) if problem.boundary is not None else spread_outcome(problem, found)


@cache
def _loop(problem: Problem, parallel: bool) -> Callable:
    """The compiled loop (particles, seed) -> what is measured of every particle."""
    if problem.dimension == 1:
        loop = _passage_on_a_line if problem.boundary is not None else _spread_on_a_line
    else:
        loop = _IN_SPACE[problem]
    return numba.njit(parallel=parallel)(loop(problem))


def _spread_on_a_line(problem: Problem) -> Callable:
    step, first = equation(problem, np, prepare=numba.njit)
    start, steps = problem.start[0], problem.steps

    def loop(particles, seed):
        np.random.seed(seed)
        found = np.empty(particles)
        for i in numba.prange(particles):
            x, memory = start, first
            for n in range(1, steps + 1):
                x, memory = step(x, memory, np.random.standard_normal(), n)
            found[i] = (x - start) ** 2
        return found

    return loop


def _passage_on_a_line(problem: Problem) -> Callable:
    step, first = equation(problem, np, prepare=numba.njit)
    start, position = problem.start[0], problem.boundary.position

    def loop(particles, seed):
        np.random.seed(seed)
        found = np.empty(particles)
        for i in numba.prange(particles):
            x, memory, n = start, first, 0
            while x < position:
                n += 1
                x, memory = step(x, memory, np.random.standard_normal(), n)
            found[i] = n
        return found

    return loop


def _adam_passage(problem: Problem) -> Callable:
    rate, beta1, beta2, eps = problem.dynamics[:4]
    linear, cubic = map(np.array, coefficients(problem.landscape))
    start, position, deviation = np.array(problem.start), problem.boundary.position, math.sqrt(problem.noise.variance)

    def loop(particles, seed):
        np.random.seed(seed)
        found = np.empty(particles)
        for i in numba.prange(particles):
            x, m, v, n = start.copy(), np.zeros(start.size), np.zeros(start.size), 0
            while x[0] < position:
                n += 1
                first, second = 1.0 - beta1**n, 1.0 - beta2**n
                for j in range(start.size):
                    g = x[j] * (linear[j] + cubic[j] * x[j] * x[j]) + deviation * np.random.standard_normal()
                    m[j] = beta1 * m[j] + (1.0 - beta1) * g
                    v[j] = beta2 * v[j] + (1.0 - beta2) * g * g
                    x[j] -= rate * m[j] / first / (math.sqrt(v[j] / second) + eps)
            found[i] = n
        return found

    return loop


def _adai_passage(problem: Problem) -> Callable:
    rate, beta0, beta2, eps = problem.dynamics
    linear, cubic = map(np.array, coefficients(problem.landscape))
    start, position, deviation = np.array(problem.start), problem.boundary.position, math.sqrt(problem.noise.variance)

    def loop(particles, seed):
        np.random.seed(seed)
        found = np.empty(particles)
        for i in numba.prange(particles):
            x, g, n = start.copy(), np.zeros(start.size), 0
            m, v, product = np.zeros(start.size), np.zeros(start.size), np.ones(start.size)
            while x[0] < position:
                n += 1
                total = 0.0
                for j in range(start.size):
                    g[j] = x[j] * (linear[j] + cubic[j] * x[j] * x[j]) + deviation * np.random.standard_normal()
                    v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j]
                    total += v[j]
                for j in range(start.size):
                    mu = min(max(1.0 - beta0 * v[j] * start.size / total, 0.0), 1.0 - eps)
                    m[j] = mu * m[j] + (1.0 - mu) * g[j]
                    product[j] *= mu
                    x[j] -= rate * m[j] / (1.0 - product[j])
            found[i] = n
        return found

    return loop


def _momentum_spread(problem: Problem) -> Callable:
    rate, beta1, beta3 = problem.dynamics
    linear, _ = map(np.array, coefficients(problem.landscape))
    start, deviation = np.array(problem.start), math.sqrt(problem.noise.variance)
    records, between = problem.records, problem.steps // problem.records

    def loop(particles, seed):
        np.random.seed(seed)
        found = np.zeros((records, particles))
        for i in numba.prange(particles):
            x, m = start.copy(), np.zeros(start.size)
            for record in range(records):
                for _ in range(between):
                    for j in range(start.size):
                        g = linear[j] * x[j] + deviation * np.random.standard_normal()
                        m[j] = beta1 * m[j] + beta3 * g
                        x[j] -= rate * m[j]
                for j in range(start.size):
                    found[record, i] += (x[j] - start[j]) ** 2 / start.size
        return found

    return loop


_IN_SPACE = {ADAM_VALLEY: _adam_passage, ADAI_VALLEY: _adai_passage, MOMENTUM_SADDLE: _momentum_spread}
