"""Speed of the engine through its public functions: `python benchmarks/engine.py [particles] [rounds]`.

Prints a Markdown table of particle-steps per second, cold (an empty kernel cache, so compilation counts) and warm, on one
thread and on two, beside the same simulations written with NumPy and as a plain Numba loop. All contenders take turns in
every round; each must show the same mean as the engine within five standard errors.
"""

import math
import os
import platform
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

os.environ["SIMDYN_CACHE_DIR"] = tempfile.mkdtemp(prefix="simdyn-benchmark-")

import click
import numba
import numpy as np

import simdyn as sd

STEPS = 2000
WELL, NOISE = sd.DoubleWell(1.0, 1.0), sd.ConstantNoise(2 / 3)


class Outcome(NamedTuple):
    """Particle-steps done, and the mean of what was measured with its standard error."""

    work: float
    mean: float
    error: float


def outcome(values: np.ndarray, work: float) -> Outcome:
    """Of one number per particle."""
    return Outcome(work, float(values.mean()), float(values.std() / math.sqrt(values.size)))


# ------------------------------------------------------------------------------------------------ the engine


def spread(dynamics, noise):
    def run(particles, workers):
        found = sd.displacement(
            dynamics, WELL, noise, start=-1.0, particles=particles, record_at=[STEPS], workers=workers, progress=False
        )
        return Outcome(particles * STEPS, found.msd[0, 0], found.stderr[0, 0])

    return run


def passage(particles, workers):
    found = sd.escape_times(
        sd.Overdamped(0.005), WELL, NOISE, sd.Beyond(0.0), start=-1.0,
        particles=particles, bridge=False, workers=workers, progress=False,
    )  # fmt: skip
    return outcome(found.steps, float(found.steps.sum()))


# ---------------------------------------------------------------------------------- one step, for NumPy and Numba


def overdamped(x, v, m, z, n):
    return x - 0.005 * 4 * x * (x * x - 1) + math.sqrt(2 / 3 * 0.005) * z, v, m


def inertial(x, v, m, z, n):
    before = v - 0.02 * 4 * x * (x * x - 1)
    after = math.exp(-0.02) * before + math.sqrt((1 - math.exp(-0.04)) / 3) * z
    return x + 0.01 * (before + after), after, m


def adam(x, v, m, z, n):
    g = 4 * x * (x * x - 1) + np.sqrt(np.abs(12 * x * x - 4)) * z
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return x - 0.003 * m / (1 - 0.9**n) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8), v, m


def with_numpy(move, first_velocity):
    def run(particles):
        random = np.random.default_rng(1)
        x, v, m = np.full(particles, -1.0), np.full(particles, first_velocity), np.zeros(particles)
        for n in range(1, STEPS + 1):
            x, v, m = move(x, v, m, random.standard_normal(particles), n)
        return outcome((x + 1) ** 2, particles * STEPS)

    return run


def numpy_passage(particles):
    random, x = np.random.default_rng(1), np.full(particles, -1.0)
    taken, alive, n = np.zeros(particles), np.arange(particles), 0
    while alive.size:
        n += 1
        x, _, _ = overdamped(x, 0.0, 0.0, random.standard_normal(x.size), n)
        out = x >= 0.0
        if out.any():
            taken[alive[out]] = n
            x, alive = x[~out], alive[~out]
    return outcome(taken, taken.sum())


def with_numba(move, first_velocity, escape=False):
    move = numba.njit(move)

    @numba.njit
    def loop(particles):
        found, work = np.empty(particles), 0
        for i in range(particles):
            x, v, m, n = -1.0, first_velocity, 0.0, 0
            while (x < 0.0) if escape else (n < STEPS):
                n += 1
                x, v, m = move(x, v, m, np.random.standard_normal(), n)
            found[i] = n if escape else (x + 1) ** 2
            work += n
        return found, work

    return lambda particles: outcome(*loop(particles))


# ------------------------------------------------------------------------------------------------------ the table

WORKS = {
    "W1 overdamped, spread": (
        spread(sd.Overdamped(0.005), NOISE), with_numpy(overdamped, 0.0), with_numba(overdamped, 0.0)
    ),
    "W2 overdamped, first passage": (passage, numpy_passage, with_numba(overdamped, 0.0, escape=True)),
    "W3 inertial, spread": (spread(sd.Inertial(0.02), NOISE), with_numpy(inertial, 0.0), with_numba(inertial, 0.0)),
    "W4 Adam, noise of the place": (
        spread(sd.Adam(0.003), sd.LocalNoise(1.0, 0.0)), with_numpy(adam, 0.0), with_numba(adam, 0.0)
    ),
}  # fmt: skip


def timed(run, *arguments):
    """Seconds it took, and the outcome."""
    began = time.perf_counter()
    found = run(*arguments)
    return time.perf_counter() - began, found


def measure(name, particles, rounds):
    """One row of the table."""
    engine, plain, looped = WORKS[name]
    few = min(particles, 4096)  # of the slow contenders
    cold, _ = timed(engine, 64, 1)
    looped(64)
    contenders = {
        "engine, 1 thread": lambda: engine(particles, 1),
        "engine, 2 threads": lambda: engine(particles, 2),
        "NumPy": lambda: plain(few),
        "Numba loop": lambda: looped(few),
    }
    rates: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, run in contenders.items():
            seconds, found = timed(run)
            rates[contender].append(found.work / seconds)
            if contender == "engine, 1 thread":
                expected = found
            elif abs(found.mean - expected.mean) > 5 * math.hypot(found.error, expected.error):
                raise SystemExit(f"{name}: {contender} finds {found}, the engine {expected}")
    shown = [f"{max(found):.2e} ({statistics.median(found):.2e})" for found in rates.values()]
    return [name, f"{cold:.1f} s", *shown, f"{max(rates['engine, 1 thread']) / max(rates['NumPy']):.1f}"]


def processor():
    """Its name, where the system tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    particles = int(sys.argv[1]) if len(sys.argv) > 1 else 65536
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    click.echo(f"{processor()}, {os.cpu_count()} processors; Python {platform.python_version()}, NumPy {np.__version__}, "
          f"Numba {numba.__version__}; {particles} particles, {rounds} rounds.\n"
          "Particle-steps per second, best (median).\n")  # fmt: skip
    heads = ["work", "first call", "engine, 1 thread", "engine, 2 threads", "NumPy", "Numba loop", "engine/NumPy"]
    click.echo(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in WORKS:
        click.echo(f"| {' | '.join(measure(name, particles, rounds))} |")


if __name__ == "__main__":
    main()
