"""What takes part: a contender's run of a problem, what it finds, and whether that is the right physics."""

import importlib
import math
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np

from benchmarks.works import Problem, Work

SIGMAS = 5.0  # combined standard errors that a contender may be off

PEERS = (
    "numpy_vectors",
    "numba_loops",
    "jax_loops",
    "torch_vectors",
    "diffrax_solver",
    "torchsde_solver",
    "optax_adam",
    "openmm_forces",
)  # modules of `benchmarks.peers`, each with PACKAGES and contenders(work)


class Outcome(NamedTuple):
    """Particle-steps that were asked for, and means with standard errors: (1,) steps to passage, or (records,) squared
    displacement, averaged over the coordinates."""

    particle_steps: float
    mean: np.ndarray
    error: np.ndarray


class Contender(NamedTuple):
    """`run(seed)` does a work from start to end with so many particles."""

    name: str
    threads: str
    particles: int
    run: Callable[[int], Outcome]
    remark: str = ""


def passage_outcome(steps: Any) -> Outcome:
    """Of every particle's steps to passage."""
    steps = np.asarray(steps, dtype=float)
    return Outcome(steps.sum(), _column(steps.mean()), _column(steps.std() / math.sqrt(steps.size)))


def spread_outcome(problem: Problem, squares: Any) -> Outcome:
    """Of every particle's squared displacement, averaged over its coordinates, (records, particles)."""
    squares = np.atleast_2d(np.asarray(squares, dtype=float))
    particles = squares.shape[1]
    return Outcome(particles * problem.steps, squares.mean(1), squares.std(1) / math.sqrt(particles))


def _column(value: Any) -> np.ndarray:
    return np.array([float(value)])


def pooled(outcomes: list[Outcome]) -> Outcome:
    """Of independent outcomes alike in size."""
    mean = np.mean([outcome.mean for outcome in outcomes], axis=0)
    error = np.sqrt(np.sum([outcome.error**2 for outcome in outcomes], axis=0)) / len(outcomes)
    return Outcome(sum(outcome.particle_steps for outcome in outcomes), mean, error)


def deviation(found: Outcome, expected: Outcome) -> float:
    """How far apart two outcomes are where they are furthest, in combined standard errors; what is not finite is infinitely
    far."""
    with np.errstate(all="ignore"):
        apart = np.abs(found.mean - expected.mean) / np.hypot(found.error, expected.error)
    return float(np.max(np.where(np.isfinite(apart), apart, np.inf)))


def resolution(found: Outcome, expected: Outcome) -> float:
    """The relative deviation that would just be refused, where the check is bluntest."""
    return float(np.max(SIGMAS * np.hypot(found.error, expected.error) / np.abs(expected.mean)))


def refusal(found: Outcome, expected: Outcome) -> str | None:
    """Why an outcome is not the same physics; None if it is."""
    worst = deviation(found, expected)
    if worst <= SIGMAS:
        return None
    n = int(np.argmax(np.abs(found.mean - expected.mean) / np.hypot(found.error, expected.error)))
    return f"finds {found.mean[n]:.6g} instead of {expected.mean[n]:.6g}, {worst:.1f} standard errors away"


def installed_peers() -> tuple[list[Any], list[str]]:
    """The peers' modules, and a word about each that is absent."""
    modules, skipped = [], []
    for name in PEERS:
        try:
            modules.append(importlib.import_module(f"benchmarks.peers.{name}"))
        except ImportError as failure:
            skipped.append(f"{name.split('_')[0]} is left out: {failure}")
    return modules, skipped


def versions_of(packages: Any) -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def gather(work: Work, modules: list[Any]) -> list[Contender]:
    """Everybody who can do a work."""
    return [contender for module in modules for contender in module.contenders(work)]
