"""The benchmark times nobody whose physics is wrong; without any of its peers."""

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import simdyn as sd

sys.path.insert(0, str(Path(__file__).parent.parent))  # the benchmarks are no part of the package that is installed

from benchmarks import growth, report, rounds, studies
from benchmarks.contenders import Contender, Outcome, passage_outcome, refusal
from benchmarks.peers import numpy_vectors, simdyn_engine
from benchmarks.rounds import race
from benchmarks.works import (
    ADAI_VALLEY,
    ADAM,
    ADAM_VALLEY,
    INERTIAL,
    MOMENTUM_SADDLE,
    OVERDAMPED,
    PASSAGE,
    Work,
    exact_mean,
)

PARTICLES = 2048
SHORT = [
    OVERDAMPED._replace(steps=200),
    INERTIAL._replace(steps=200),
    ADAM._replace(steps=100),
    ADAI_VALLEY._replace(steps=100, boundary=None),
    ADAM_VALLEY._replace(steps=100, boundary=None),
    MOMENTUM_SADDLE._replace(steps=100, records=10),
]


def louder(noise, factor):
    """The noise with its variance times a factor; noise of the place, from a batch smaller by it."""
    if hasattr(noise, "variance"):
        return noise._replace(variance=noise.variance * factor)
    return noise._replace(batch_size=noise.batch_size / factor)


@pytest.mark.parametrize("problem", SHORT, ids=lambda problem: f"{type(problem.dynamics).__name__}-{problem.dimension}")
def test_the_same_physics_passes_and_a_wrong_factor_is_refused(problem, seed):
    right = simdyn_engine.solve(problem, 4 * PARTICLES, seed, None)
    assert refusal(numpy_vectors.spread(problem, PARTICLES, seed), right) is None
    if isinstance(problem.dynamics, type(ADAM.dynamics)):  # which divides by the size of the noise
        wrong = problem._replace(dynamics=problem.dynamics._replace(learning_rate=1.5 * problem.dynamics.learning_rate))
    else:
        wrong = problem._replace(noise=louder(problem.noise, 2.0))  # the forgotten 2 of 2 D
    words = refusal(numpy_vectors.spread(wrong, PARTICLES, seed), right)
    assert words is not None and "standard errors away" in words


def test_first_passages_seen_between_the_steps_are_refused(seed):
    """The mean of W2 is known: the chain's, seen at the ends of its steps; the diffusion's own is less."""
    mean = exact_mean()
    assert mean == pytest.approx(2750.5, abs=0.05)
    known = Outcome(1.0, np.array([mean]), np.array([0.0]))
    assert refusal(simdyn_engine.solve(PASSAGE, 65536, seed, None), known) is None
    dynamics, landscape, noise, start, *_, boundary = PASSAGE
    bridged = sd.escape_times(dynamics, landscape, noise, boundary, start, particles=65536, seed=seed, bridge=True)
    assert refusal(passage_outcome(bridged.steps), known) is not None


def test_wrong_physics_is_told_and_its_time_is_not():
    right = Outcome(100.0, np.array([1.0, 2.0]), np.array([0.1, 0.1]))
    contenders = {
        "right": lambda seed: right,
        "wrong once": lambda seed: right._replace(mean=np.array([1.0, 3.0])),
        "a little wrong": lambda seed: right._replace(mean=np.array([1.5, 2.0])),  # seen in all rounds together only
        "not a number": lambda seed: right._replace(mean=np.array([1.0, math.nan])),
        "fails": lambda seed: 1 / 0,
    }
    work = Work("W", "a test", OVERDAMPED, 1, rounds=8)
    known = right._replace(error=np.array([0.05, 0.05]))
    entries = race(
        work, [Contender(name, "1", 1, run) for name, run in contenders.items()], lambda: known, 9.0, lambda word: None
    )
    assert [bool(entry["rates"]) for entry in entries] == [True, False, False, False, False]
    assert [entry["refused"] is None for entry in entries] == [True, False, False, False, False]
    text = report._one_work(entries)
    assert text.count("is not timed") == 4 and "ZeroDivisionError" in text


def test_the_budget_ends_a_slow_contender(monkeypatch):
    monkeypatch.setattr(rounds, "timed", lambda run, seed: (0.02, run(seed)))
    right = Outcome(1.0, np.array([1.0]), np.array([0.1]))
    slow = Contender("slow", "1", 1, lambda seed: right)
    for budget, asked in ((9.0, 5), (0.01, 1), (0.001, 0)):  # all of them, the one that everybody has, and none at all
        (entry,) = race(Work("W", "a test", OVERDAMPED, 1), [slow], lambda: right, budget, lambda word: None)
        assert len(entry["seconds"]) == asked


def test_a_power_is_found_with_an_interval_that_holds_it():
    sizes = [10**k for k in range(1, 6)]
    noise = np.random.default_rng(1).normal(1.0, 0.01, (5, 5))

    def found(power):
        times = 1e-4 + 1e-6 * np.array(sizes)[:, None] ** power
        return growth.power_of_time({"sizes": sizes, "seconds": (times * noise).tolist()})

    straight, bent = found(1.0), found(1.1)
    assert straight["time_power"][1] < 1.0 < straight["time_power"][2]
    assert bent["time_power"][1] > 1.0 and abs(bent["fixed"] / 1e-4 - 1.0) < 0.05


def test_time_spent_compiling_is_counted_once():
    started, ended = SimpleNamespace(is_start=True), SimpleNamespace(is_start=False)
    nested = [(1.0, started), (2.0, started), (3.0, ended), (4.0, ended), (6.0, started), (7.0, ended)]
    assert studies.outermost(nested) == [(1.0, 4.0), (6.0, 7.0)]
    assert studies.overlap([(0.0, 2.0), (3.0, 6.5)], studies.outermost(nested)) == 1.0 + 1.0 + 0.5
