"""Property-based: the simulator within five standard errors of the exact answer over a seeded random sample of settings."""

import math
import os

import numpy as np
import pytest

import simdyn as sd

CASES = int(os.environ.get("SIMDYN_TEST_CASES", "5"))  # per dynamics


def draw(random, kind):
    """A random method with a barrier of 2 to 4 temperatures, and where it leaves: from short of the saddle to beyond."""
    barrier, width = random.uniform(0.5, 2.0), random.uniform(0.7, 1.5)
    bend = 8.0 * barrier / width**2
    action, step = random.uniform(2.0, 4.0), random.uniform(0.05, 0.3) / bend  # eta H_a
    exit = sd.Beyond(width * random.uniform(-0.2, 0.9))
    well, level = sd.DoubleWell(barrier, width), 2.0 * barrier / action  # 2 D
    if kind == "SGD":
        return sd.SGD(step), well, sd.ConstantNoise(level / step), exit
    if kind == "Momentum":
        beta1 = random.uniform(0.2, 0.8)
        return sd.Momentum(step, beta1, 1.0 - beta1), well, sd.ConstantNoise(level / step), exit
    return sd.Overdamped(step / 20.0), well, sd.ConstantNoise(level), exit


@pytest.mark.parametrize("case", range(CASES))
@pytest.mark.parametrize("kind", ["SGD", "Momentum", "Overdamped"])
def test_simulation_and_exact_answer_agree(kind, case, seed):
    random = np.random.default_rng((seed, case, len(kind)))
    dynamics, well, noise, exit = draw(random, kind)
    start = -well.width * random.uniform(0.8, 1.2)
    run = sd.escape_times(dynamics, well, noise, exit, start, particles=2**14, max_steps=10**8, seed=seed + case)
    mean, error = run.steps.mean(), run.steps.std() / math.sqrt(run.steps.size)
    if kind == "Overdamped":  # what is simulated is the bridged scheme
        found = sd.exact.mean_first_passage_of_scheme(dynamics, well, noise, exit, start, bridge=True)
    else:
        found = sd.exact.mean_first_passage(dynamics, well, noise, exit, start)
    assert abs(mean - found.value) < 5.0 * error + found.error
    assert abs(mean - 1.1 * found.value) > 5.0 * error + found.error, "ten percent would not be seen"
