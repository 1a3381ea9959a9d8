"""Same seed, same bits: for any threads and lanes, alone or among others, compiled, kept from another process, or not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import simdyn as sd

WELL = sd.DoubleWell(1.3, 0.9)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))
TURNED = sd.Rotated(VALLEY, 0.6)
EACH = sd.ConstantNoise((20.0, 2.0, 5.0))
PARTICLES, MOST = 777, 1001  # neither a multiple of any width; odd, so that the last pair of steps is cut

ESCAPES = {
    "sgd": (sd.SGD(0.05), WELL, sd.ConstantNoise(20.0), sd.Beyond(0.0), -0.9),
    "adam": (sd.Adam(0.2, 0.9, 0.99), VALLEY, EACH, sd.Beyond(0.0), (-0.9, 0.0, 0.0)),
    "adabound": (  # its memory counts a particle's own steps, also in a lane that has been refilled
        sd.AdaBound(0.2, 0.02, 0.05, 0.9, 0.99),
        WELL,
        sd.ConstantNoise(20.0),
        sd.Beyond(0.0),
        -0.9,
    ),
    "adam, rotated": (
        sd.Adam(0.2, 0.9, 0.99),
        TURNED,
        EACH,
        sd.plane_through_saddle(TURNED),
        tuple(sd.minimum(TURNED)),
    ),
    "overdamped, bridged": (sd.Overdamped(0.05), sd.Quadratic((1.0,)), sd.ConstantNoise(2.0), sd.Beyond(1.5), 0.0),
}
SINGLE = ", single precision"
# Words are drawn ahead; in three coordinates four do for one pair of steps and a third.
ESCAPES |= {name + SINGLE: ESCAPES[name] for name in ("sgd", "overdamped, bridged")}
ESCAPES["momentum" + SINGLE] = (sd.Momentum(0.05, 0.9, 0.1), VALLEY, EACH, sd.Beyond(0.0), (-0.9, 0.0, 0.0))
SPREADS = {
    "sgd": (sd.SGD(0.05), WELL, sd.ConstantNoise(2.0), -0.9),
    "adam": (sd.Adam(0.05), VALLEY, EACH, (-0.9, 0.3, -0.2)),
    "adai, rotated": (sd.Adai(0.02, 0.2, 0.9), TURNED, EACH, (-0.9, 0.3, -0.2)),
}
# the other optimizers share their kernels with the cases of test_simulate_rules
SPREADS |= {
    type(dynamics).__name__: (dynamics, VALLEY, EACH, (-0.9, 0.3, -0.2))
    for dynamics in (
        sd.Nesterov(0.02),
        sd.SignSGD(0.02, 0.8),
        sd.RMSProp(0.02, 0.9),
        sd.AdamW(0.02, weight_decay=0.3),
        sd.AMSGrad(0.02, 0.9, 0.9),
        sd.Padam(0.02, 0.9, 0.9),
        sd.AdaBound(0.02, 0.03, 0.2),
        sd.Yogi(0.02, 0.9, 0.9),
        sd.RAdam(0.02, 0.9, 0.9),
        sd.AdaiW(0.02, weight_decay=0.3),
        sd.AdaiV2(0.02, dampening=0.4),
    )
}
SPREADS |= {name + SINGLE: SPREADS[name] for name in ("adam", "adai, rotated", "Nesterov")}
RECORDS = [0, 1, 2, 33, 120]
WORK = [(1, 32), (2, 64), (3, 128), (2, 256), (3, None)]  # workers, lanes


def precision(name):
    return "single" if name.endswith(SINGLE) else "double"


def escape(name, seed, workers=1, lanes=64, particles=PARTICLES, max_steps=MOST):
    return sd.escape_times(
        *ESCAPES[name], particles=particles, max_steps=max_steps, seed=seed, workers=workers, lanes=lanes,
        noise_precision=precision(name),
    )  # fmt: skip


def spread(name, seed, workers=1, lanes=64, particles=PARTICLES, **options):
    return sd.displacement(
        *SPREADS[name], particles=particles, record_at=RECORDS, seed=seed, workers=workers, lanes=lanes,
        noise_precision=precision(name), **options,
    )  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_do_not_depend_on_workers_or_lanes(name, seed):
    first = escape(name, seed)
    assert 0 < first.censored.sum() < PARTICLES or name.startswith(("sgd", "overdamped, bridged"))
    # All lanes at once, so that none is refilled, is another kernel for Adam and its kin: one of them shows that it is the same.
    for workers, lanes in WORK[:-1] if name in ("adam, rotated", "adabound") else WORK:
        again = escape(name, seed, workers, lanes)
        for field in ("steps", "censored", "diverged"):
            np.testing.assert_array_equal(getattr(again, field), getattr(first, field))


@pytest.mark.parametrize("name", SPREADS)
def test_moments_do_not_depend_on_workers_or_lanes(name, seed):
    first = spread(name, seed)
    assert np.all(first.msd[1:] > 0)
    for workers, lanes in WORK:
        again = spread(name, seed, workers, lanes)
        for field in ("mean", "mean_stderr", "msd", "stderr", "diverged"):
            np.testing.assert_array_equal(getattr(again, field), getattr(first, field))


def test_random_momentum_does_not_depend_on_workers_or_lanes(seed):
    for name in ("adam", "adam" + SINGLE):
        first = spread(name, seed, start_momentum="stationary")
        again = spread(name, seed, workers=3, lanes=128, start_momentum="stationary")
        np.testing.assert_array_equal(again.msd, first.msd)


def test_densities_do_not_depend_on_workers_or_lanes_and_count_every_particle(seed):
    options = {"edges": np.linspace(-1.5, 0.5, 9), "particles": PARTICLES, "record_at": RECORDS, "seed": seed}
    first = sd.densities(*SPREADS["sgd"], workers=1, lanes=32, **options)
    again = sd.densities(*SPREADS["sgd"], workers=3, lanes=128, **options)
    np.testing.assert_array_equal(again.counts, first.counts)
    assert np.all(first.counts.sum(axis=1) + first.below + first.above == PARTICLES)
    paths = sd.trajectories(*SPREADS["sgd"], particles=PARTICLES, record_at=RECORDS, seed=seed)[:, :, 0]
    for counts, positions in zip(first.counts, paths.T, strict=True):
        np.testing.assert_array_equal(counts, np.histogram(positions, first.edges)[0])


def test_every_method_is_repeated():
    met = {type(case[0]) for case in [*ESCAPES.values(), *SPREADS.values()]}
    ours = {method for method in sd.REGISTRY["dynamics"].values() if method.__module__.startswith("simdyn.")}
    assert ours - met <= {sd.Momentum, sd.Adai, sd.Inertial}, "add the new method to SPREADS"


@pytest.mark.parametrize("name", ESCAPES)
def test_twice_the_particles_begin_with_the_smaller_run(name, seed):
    more, fewer = (escape(name, seed, 2, particles=particles) for particles in (300, 150))
    np.testing.assert_array_equal(more.steps[:150], fewer.steps)


def test_another_seed_is_another_run(seed):
    assert np.mean(escape("sgd", seed).steps == escape("sgd", seed + 1).steps) < 0.1
    assert np.all(spread("sgd", seed).msd[1:] != spread("sgd", seed + 1).msd[1:])


def test_nothing_is_known_of_the_scatter_of_one_particle_and_an_empty_bin_is_not_sure_to_be(seed):
    one = spread("sgd", seed, particles=1)
    assert np.isnan(one.stderr).all() and np.isnan(one.mean_stderr).all() and np.isfinite(one.msd).all()
    counts, outside = np.array([[0, 400, 600]]), np.zeros(1, np.int64)
    found = sd.Densities(np.array([1]), np.arange(4) / 2.0, counts, outside, outside, np.zeros(1000, bool), 1.0, 1000)
    assert found.stderr[0, 1:] == pytest.approx(2.0 * np.sqrt(0.24 / 1000), rel=2e-3)  # the binomial one
    assert found.stderr[0, 0] == pytest.approx(2.0 * np.sqrt(0.5) / 1000, rel=2e-3)
    # A bin that holds a share of 8 standard errors would be empty once in 300 times, so that the error is of the right size.
    assert 0.003 < (1.0 - 8.0 * found.stderr[0, 0] / 2.0) ** 1000 < 0.02


@pytest.mark.parametrize("name", SPREADS)
def test_moments_are_those_of_the_replayed_particles(name, seed):
    run = spread(name, seed, particles=100)
    paths = sd.trajectories(
        *SPREADS[name], particles=100, record_at=RECORDS, seed=seed, noise_precision=precision(name)
    )  # fmt: skip
    moved = paths - paths[:, :1]
    np.testing.assert_allclose(run.mean, moved.mean(axis=0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(run.msd, (moved**2).mean(axis=0), rtol=1e-12)
    # Adam's first step has one size, so its square has next to no spread: hence the absolute allowance.
    np.testing.assert_allclose(run.stderr, (moved**2).std(axis=0, ddof=1) / 10, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(run.mean_stderr, moved.std(axis=0, ddof=1) / 10, rtol=1e-8, atol=1e-11)
    alone = sd.trajectories(
        *SPREADS[name], particles=[70, 3], record_at=RECORDS[1:], seed=seed, noise_precision=precision(name)
    )  # fmt: skip
    np.testing.assert_array_equal(alone, paths[[70, 3], 1:])


@pytest.mark.parametrize("name", ["sgd", "adam", "adabound", "sgd" + SINGLE, "momentum" + SINGLE])
def test_particles_escape_where_their_replayed_paths_do(name, seed):
    run = escape(name, seed)
    chosen = [0, 1, 5, 31, 32, 200, 776]  # also such as entered a refilled lane
    *methods, boundary, start = ESCAPES[name]
    paths = sd.trajectories(
        *methods, start, particles=chosen, record_at=range(1, MOST + 1), seed=seed, noise_precision=precision(name)
    )  # fmt: skip
    for path, particle in zip(paths, chosen, strict=True):
        beyond = path[:, boundary.coordinate] >= boundary.position
        assert run.censored[particle] == (not beyond.any())
        assert run.steps[particle] == (1 + np.argmax(beyond) if beyond.any() else MOST)


# --------------------------------------------------------------------------------------- without the compiler

UNCOMPILED = """
import json, sys
import numpy as np
import simdyn as sd
from simdyn._jit import JIT_ENABLED
import test_simulate_repeatable as here
seed = int(sys.argv[1])
assert not JIT_ENABLED
steps = {name: here.escape(name, seed, particles=40, max_steps=61, workers=2, lanes=32).steps.tolist() for name in here.ESCAPES}
moments = {name: here.spread(name, seed, particles=40, workers=2, lanes=32).msd.tolist() for name in here.SPREADS}
print(json.dumps([steps, moments]))
"""


def test_the_same_without_the_compiler(run_python, seed):
    steps, moments = json.loads(run_python(UNCOMPILED, seed, NUMBA_DISABLE_JIT="1"))
    for name, plain in steps.items():
        np.testing.assert_array_equal(plain, escape(name, seed, particles=40, max_steps=61).steps, err_msg=name)
    for name, plain in moments.items():
        rtol = 1e-9 if precision(name) == "double" else 1e-5
        np.testing.assert_allclose(plain, spread(name, seed, particles=40).msd, rtol=rtol, err_msg=name)


# ------------------------------------------------------------------------------------------------ kept kernels

USERS_LANDSCAPE = """
from typing import NamedTuple
import simdyn as sd

@sd.record("landscape", stiffness=sd.model.records.POSITIVE)
class Spring(NamedTuple):
    stiffness: float

@sd.value.on(Spring)
def spring_value(spring, x, i):
    return {factor} * 0.5 * spring.stiffness * x[0, i] ** 2

@sd.gradient.on(Spring)
def spring_gradient(spring, x, j, i):
    return {factor} * spring.stiffness * x[0, i]

@sd.curvature.on(Spring)
def spring_curvature(spring, x, j, i):
    return {factor} * spring.stiffness
"""

# Prints, for our landscape and for the user's: how many functions were compiled, and where a still particle goes.
COUNTING = """
import json, sys
import numba.core.event as event
import simdyn as sd
import simdyn.simulate.ensemble
import simdyn.model.records
from users_landscape import Spring
from simdyn._sources import physics_fingerprint
from simdyn._storage import kernel_cache_directory
answers = []
for landscape in (sd.Quadratic((2.0,)), Spring(2.0)):
    with event.install_recorder("numba:compile") as compiled:
        path = sd.trajectories(sd.SGD(0.1), landscape, sd.ConstantNoise(0.0), 1.0, record_at=[1])
    kept = sorted(place.name for place in kernel_cache_directory().iterdir())
    answers.append([len(compiled.buffer), path.item(), kept])
print(json.dumps([physics_fingerprint(), answers]))
"""


def test_kernels_are_kept_for_the_next_process_and_a_users_own_are_not(run_python, tmp_path):
    module = tmp_path / "users_landscape.py"

    def run(factor):
        module.write_text(USERS_LANDSCAPE.format(factor=factor))
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        return json.loads(run_python(COUNTING, also=[tmp_path], SIMDYN_CACHE_DIR=str(tmp_path / "kept")))

    fingerprint, (ours, users) = run(factor=1.0)
    again, (ours_again, users_again) = run(factor=3.0)
    assert fingerprint == again
    assert ours[0] > 0 and ours_again[0] == 0, "the second process compiled what the first had kept"
    assert ours[1] == ours_again[1] == pytest.approx(0.8)
    assert users[0] > 0 and users_again[0] > 0
    assert users[1] == pytest.approx(0.8) and users_again[1] == pytest.approx(0.4), "old physics ran"
    assert ours[2] and users[2] == ours[2] and users_again[2] == ours[2], "a kernel with a user's landscape was kept"


NUMBERS = """
import sys
import simdyn as sd
well, valley = sd.DoubleWell(1.0, 1.0), sd.Valley(1.0, 1.0, (2.0, 3.0))
REQUESTS = {
    "adam": (sd.Adam(0.05), well, sd.ConstantNoise(1.0), -1.0),
    "local": (sd.Adam(0.05), well, sd.LocalNoise(1.0, 0.1), -1.0),
    "momentum": (sd.Momentum(0.05), valley, sd.ConstantNoise(1.0), [-1.0, 0.0, 0.0]),
}
for name in sys.argv[1:]:
    spread = sd.displacement(*REQUESTS[name], particles=500, record_at=[1, 20], seed=5, lanes=32, workers=1)
    print(spread.mean.tobytes().hex(), spread.msd.tobytes().hex())
"""


def test_bits_do_not_depend_on_what_was_compiled_or_found_before(run_python, tmp_path):
    """A loop stands in the machine code of each kernel that contains it; which of the copies runs must not matter."""
    names = ("adam", "local", "momentum")
    compiled, found = (run_python(NUMBERS, *names, SIMDYN_CACHE_DIR=str(tmp_path / "kept")) for _ in range(2))
    alone = run_python(NUMBERS, names[-1], SIMDYN_CACHE_DIR=str(tmp_path / "alone"))
    assert compiled == found and len(found.split()) == 2 * len(names)
    assert found.endswith(alone) and len(alone.split()) == 2


# Of the package's own noise, with what a user says about it: how many functions were compiled, and where a particle goes.
SAID_OF_OURS = """
import json, sys
import numba.core.event as event
import simdyn as sd
from simdyn._storage import kernel_cache_directory
from simdyn.study.users import users_sources
import users_noise
with event.install_recorder("numba:compile") as compiled:
    path = sd.trajectories(sd.SGD(0.1), sd.Quadratic((2.0,)), sd.LocalNoise(1.0), 1.0, record_at=[1])
kept = [place.name for place in kernel_cache_directory().iterdir() if "engine.spread-" in place.name]
print(json.dumps([len(compiled.buffer), path.item(), len(kept), sorted(users_sources(sd.LocalNoise()))]))
"""
SILENT = ""
REGISTERS = """
import simdyn as sd
@sd.kick.on(sd.LocalNoise)
def still(noise, landscape, x, j, i, w, trig):
    return 0.0
"""


def test_a_users_function_for_a_record_of_the_package_is_neither_kept_nor_lost(run_python, tmp_path):
    def run(source):
        (tmp_path / "users_noise.py").write_text(source)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        return json.loads(run_python(SAID_OF_OURS, also=[tmp_path], SIMDYN_CACHE_DIR=str(tmp_path / "kept")))

    registered = run(REGISTERS)
    assert registered[0] > 0 and registered[1] == pytest.approx(0.8)
    assert registered[2] == 0, "a kernel with a user's function was kept"
    assert registered[3] == ["LocalNoise", "users_noise"], "a study would not see its edits"
    plain = run(SILENT)
    assert plain[1] != pytest.approx(0.8), "the user's function of another process ran"
    assert plain[2] > 0 and plain[3] == []
    again = run(SILENT)
    assert again[0] == 0 and again[1] == plain[1]
    registered = run(REGISTERS)
    assert registered[0] > 0 and registered[1] == pytest.approx(0.8), "a kept kernel ran instead of the user's function"


def test_nothing_is_kept_once_a_user_says_how_it_is_otherwise():
    import numba

    from simdyn import _sources
    from simdyn._jit import generic
    from simdyn._kernels import may_be_kept

    @generic
    def loudness(record, x):
        """Of the test."""

    signature = (numba.typeof(WELL),)
    assert may_be_kept(signature)
    loudness.otherwise(lambda record, x: 1.0)
    try:
        assert not may_be_kept(signature)
    finally:
        del _sources.SAID_ELSEWHERE[object]
    with pytest.raises(TypeError, match=r"already has what it is otherwise"):
        sd.kick.otherwise(lambda noise, landscape, x, j, i, w, trig: 0.0)


def test_a_function_registered_after_the_record_has_run_is_refused(seed):
    sd.trajectories(sd.SGD(0.1), WELL, sd.LocalNoise(1.0, 0.5), -1.0, record_at=[1], seed=seed)
    with pytest.raises(TypeError, match="LocalNoise has been simulated without its own kick"):
        sd.kick.on(sd.LocalNoise)(lambda noise, landscape, x, j, i, w, trig: 0.0)


def test_a_record_beside_the_fingerprinted_sources_is_not_the_packages_own():
    from simdyn._sources import is_fingerprinted, is_fixed_by_fingerprint
    from simdyn.theory.passage import Passage

    assert not is_fixed_by_fingerprint(Passage) and is_fixed_by_fingerprint(sd.DoubleWell)
    assert is_fingerprinted(sd.model.noise.__file__) and not is_fingerprinted(sd.theory.__file__)
    assert not is_fingerprinted("<string>") and not is_fingerprinted(None)


def test_a_users_record_is_found_inside_wrappers():
    import numba
    from test_model_landscapes import Tilted  # not of the package

    from simdyn._kernels import may_be_kept

    for record, ours in (
        (sd.Sharpened(WELL, 2.0), True),
        (Tilted(1.0), False),
        (sd.Sharpened(Tilted(1.0), 2.0), False),
        (sd.Sharpened(sd.Sharpened(Tilted(1.0), 2.0), 2.0), False),
    ):
        assert may_be_kept((numba.float64, numba.typeof(record))) == ours


@pytest.mark.parametrize(
    "file",
    [
        "_jit.py",
        "_bits.py",
        "_compilers.py",
        "model/landscapes.py",
        "model/dynamics/adam.py",
        "simulate/engine.py",
        "simulate/rng.py",
    ],
)
def test_editing_a_source_changes_the_fingerprint(file, package_copy):
    place, fingerprint = package_copy
    before = fingerprint()
    path = place / "simdyn" / file
    source = path.read_text()
    path.write_text(source + "\n# edited\n")
    edited = fingerprint()
    path.write_text(source)
    assert edited != before == fingerprint()


def test_a_new_source_file_changes_the_fingerprint_and_another_room_does_not(package_copy):
    place, fingerprint = package_copy
    before = fingerprint()
    (place / "simdyn" / "estimate" / "intervals.py").write_text("# edited\n")
    assert fingerprint() == before
    (place / "simdyn" / "model" / "dynamics" / "new.py").write_text("")
    assert fingerprint() != before


@pytest.fixture
def package_copy(tmp_path, monkeypatch):
    """A copy of the package to edit, and its fingerprint as computed now."""
    from simdyn import _sources

    shutil.copytree(Path(sd.__file__).parent, tmp_path / "simdyn", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_sources, "_PACKAGE", tmp_path / "simdyn")
    return tmp_path, _sources.physics_fingerprint.__wrapped__
