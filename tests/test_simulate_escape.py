"""First passage: known means, censoring, divergence, boundaries in any direction, and the Brownian bridge."""

import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import integrate, special

import simdyn as sd
from simdyn.simulate.crew import Budget

WELL = sd.DoubleWell(1.3, 0.9)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))


def deviations(escapes, expected):
    """How many of its own standard errors a sample's mean number of steps is from `expected`."""
    assert not escapes.censored.any() and not escapes.diverged.any()
    return (escapes.steps.mean() - expected) / (escapes.steps.std() / math.sqrt(escapes.steps.size))


def passage_time(potential, diffusion, start, end):
    """Mean first passage of the overdamped SDE from `start` to `end`, by quadrature."""

    def weight(y):
        below = integrate.quad(lambda z: math.exp(-(potential(z) - potential(y)) / diffusion), y - 12, y, limit=200)[0]
        return below / diffusion

    return integrate.quad(weight, start, end, limit=200)[0]


# ------------------------------------------------------------------------------------------------- known means


def test_mean_of_the_discrete_chain(seed):
    """Overdamped steps of 0.005 in a quartic well of height 1 at T = 1/3: 2750.5 steps to the top, exactly."""
    step, temperature = 0.005, 1 / 3
    noise = sd.ConstantNoise(2 * temperature / step)  # SGD is Euler-Maruyama with D = eta C/2
    run = sd.escape_times(
        sd.SGD(step), sd.DoubleWell(), noise, sd.Beyond(0.0), -1.0, particles=2**17, max_steps=10**6, seed=seed
    )
    assert abs(deviations(run, 2750.5)) < 5
    diffusion = passage_time(lambda x: (x * x - 1) ** 2, temperature, -1.0, 0.0) / step
    assert abs(deviations(run, diffusion)) > 5, "the discrete chain's mean is not the diffusion's"
    assert run.mean().low < 2750.5 * 1.02 and run.mean().high > 2750.5 * 0.98
    assert run.times == pytest.approx(run.steps * step)
    assert run.particle_steps == run.steps.sum()


def test_noise_five_percent_off_is_rejected(seed):
    noise = sd.ConstantNoise(0.95 * 2 / 3 / 0.005)
    run = sd.escape_times(
        sd.SGD(0.005), sd.DoubleWell(), noise, sd.Beyond(0.0), -1.0, particles=2**14, max_steps=10**6, seed=seed
    )
    assert abs(deviations(run, 2750.5)) > 5


# --------------------------------------------------------------------------------------------- Brownian bridge


def bridged(step, particles, seed, max_steps=10**6, curvature=1.0, boundary=1.5, bridge=None):
    return sd.escape_times(
        sd.Overdamped(step), sd.Quadratic((curvature,)), sd.ConstantNoise(2.0), sd.Beyond(boundary), 0.0,
        particles=particles, max_steps=max_steps, seed=seed, bridge=bridge,
    )  # fmt: skip


def test_free_motion_with_a_bridge_is_exact_at_any_step(seed):
    """P(T <= t) = erfc(b / sqrt(4 D t)) of Brownian motion, at the end of every step, however coarse."""
    step, particles, most = 0.3, 2**16, 7
    with_bridge = bridged(step, particles, seed, most, curvature=1e-12, boundary=1.0)
    without = bridged(step, particles, seed, most, curvature=1e-12, boundary=1.0, bridge=False)
    assert with_bridge.bridged and not without.bridged
    for n in (1, 2, 3, 6, 7):
        expected = special.erfc(1.0 / math.sqrt(4 * n * step))
        error = math.sqrt(expected * (1 - expected) / particles)
        gone = [np.mean((run.steps <= n) & ~run.censored) for run in (with_bridge, without)]
        assert abs(gone[0] - expected) < 5 * error
        assert abs(gone[1] - expected) > 5 * error


BRIDGED_IN_SPACE = """
import sys, numpy as np, simdyn as sd
run = sd.escape_times(
    sd.Overdamped(0.3), sd.Quadratic((1.0, 1e-12)), sd.ConstantNoise(2.0), sd.Beyond(1.0, coordinate=1), 0.0,
    particles=3000, max_steps=4, seed=int(sys.argv[1]), progress=False,
)
print(*[np.mean((run.steps <= n) & ~run.censored) for n in (1, 2, 3, 4)])
"""


def test_a_bridge_along_another_coordinate(run_python, seed):
    """The same law, free motion along coordinate 1; without the compiler, to spare a kernel."""
    for n, gone in enumerate(run_python(BRIDGED_IN_SPACE, seed, NUMBA_DISABLE_JIT="1").split(), start=1):
        expected = special.erfc(1.0 / math.sqrt(4 * n * 0.3))
        assert abs(float(gone) - expected) < 5 * math.sqrt(expected * (1 - expected) / 3000)


def test_harmonic_passage_time_by_quadrature(seed):
    step = 0.01
    expected = passage_time(lambda x: x * x / 2, 1.0, 0.0, 1.5) / step
    assert abs(deviations(bridged(step, 2**13, seed), expected)) < 5
    assert abs(deviations(bridged(step, 2**13, seed, bridge=False), expected)) > 5


@pytest.mark.parametrize(
    ("dynamics", "landscape", "boundary"),
    [
        (sd.SGD(0.1), WELL, sd.Beyond(0.0)),
        (sd.Inertial(0.1), WELL, sd.Beyond(0.0)),
        (sd.Overdamped(0.1), VALLEY, sd.BeyondPlane((1.0, 0.0, 0.0))),
        (sd.Overdamped(0.1), sd.Rotated(VALLEY), sd.Beyond(0.0)),
    ],
)
def test_the_bridge_is_refused_where_it_does_not_hold(dynamics, landscape, boundary):
    with pytest.raises(sd.InvalidInput, match="bridge"):
        sd.escape_times(dynamics, landscape, sd.ConstantNoise(1.0), boundary, sd.minimum(landscape), bridge=True)


# --------------------------------------------------------------------------------------------------- censoring

ADAM = (sd.Adam(0.2, 0.9, 0.99), VALLEY, sd.ConstantNoise((20.0, 2.0, 5.0)))


@pytest.mark.parametrize("max_steps", [1, 2, 101, 102, 1000, 1001])
@pytest.mark.parametrize("methods", [(sd.SGD(0.05), WELL, sd.ConstantNoise(20.0)), ADAM], ids=["sgd", "adam"])
def test_censoring_only_cuts_off(methods, max_steps, seed):
    start = sd.minimum(methods[1])
    options = {"boundary": sd.Beyond(0.0), "start": start, "particles": 500, "seed": seed}
    whole = sd.escape_times(*methods, max_steps=10**6, **options)
    cut = sd.escape_times(*methods, max_steps=max_steps, **options)
    assert not whole.censored.any()
    np.testing.assert_array_equal(cut.steps, np.minimum(whole.steps, max_steps))
    np.testing.assert_array_equal(cut.censored, whole.steps > max_steps)
    assert not cut.diverged.any()
    assert cut.restricted_mean().value == pytest.approx(np.minimum(whole.steps, max_steps).mean())


def test_the_mean_asks_which_law(seed):
    """From near the top most leave at once and the others settle in the well: no exponential."""
    noise = sd.ConstantNoise(2 / 3 / 0.005)
    near = sd.SGD(0.005), sd.DoubleWell(), noise, sd.Beyond(0.0), -0.1
    whole = sd.escape_times(*near, particles=2000, max_steps=10**6, seed=seed)
    assert whole.mean() == sd.estimate.mean_with_standard_error(whole.steps)
    assert whole.mean().half_width > 1.3 * sd.estimate.mean_lifetime(whole.steps).half_width
    cut = sd.escape_times(*near, particles=2000, max_steps=200, seed=seed)
    with pytest.raises(sd.InvalidInput, match=r"not exponential, .* beyond 200, .* restricted mean"):
        cut.mean()
    assert cut.restricted_mean().high < 0.5 * whole.mean().low


def test_a_mean_extrapolated_by_little_is_warned_of_where_it_was_asked_for(seed):
    steps = np.ceil(np.random.default_rng(seed).gamma(3.0, 100.0, size=2000)).astype(np.int64)
    none = np.zeros(2000, bool)
    cut = sd.Escapes(np.minimum(steps, 800), steps > 800, none, 1.0, 800, False)
    with pytest.warns(sd.estimate.NotExponentialWarning, match="beyond 800") as caught:
        mean = cut.mean()
    assert caught[0].filename == __file__
    assert mean.low < 300.5 < mean.high and mean.low == cut.restricted_mean().low
    with pytest.raises(sd.InvalidInput, match="none of 9 escaped up to 5"):
        sd.Escapes(np.full(9, 5), np.ones(9, bool), np.zeros(9, bool), 1.0, 5, False).mean()


# -------------------------------------------------------------------------------------------------- divergence


def test_divergence_is_neither_escape_nor_survival(seed):
    """Every fate against the replayed path: outside and finite, or not finite, whichever comes first."""
    methods, start = (sd.SGD(0.6), WELL, sd.ConstantNoise(4.0)), -0.9
    boundary = sd.Beyond(1e150)  # far away: reached by some on their way to infinity, in one jump from -1e53 or so
    with pytest.warns(sd.InstabilityWarning):
        run = sd.escape_times(*methods, boundary, start, particles=200, max_steps=201, seed=seed)
    paths = sd.trajectories(*methods, start, particles=200, record_at=range(1, 202), seed=seed)[:, :, 0]
    for path, steps, censored, diverged in zip(paths, run.steps, run.censored, run.diverged, strict=True):
        over = ~np.isfinite(path) | (path >= boundary.position)
        first = np.argmax(over) if over.any() else None
        assert censored == (first is None) and steps == (201 if first is None else first + 1)
        assert diverged == (first is not None and not np.isfinite(path[first]))
    assert run.diverged.any() and not (run.diverged | run.censored).all() and not (run.diverged & run.censored).any()
    with pytest.raises(sd.InvalidInput, match="diverged_as_escaped"):
        run.mean()
    with pytest.raises(sd.InvalidInput, match="diverged"):
        run.exponential_check()
    assert run.mean(diverged_as_escaped=True).value <= run.mean(diverged_as_escaped=False).value


def test_a_step_that_overshoots_the_minimum_is_warned_of_and_one_that_does_not_is_not(seed):
    """Curvature 8 at the minimum: 2/eta below and above it; a method without a limit, a landscape without a known well."""
    well = sd.DoubleWell(1.0, 1.0)
    rest = sd.ConstantNoise(0.1), sd.Beyond(0.0), -1.0
    cut = {"particles": 32, "max_steps": 4, "seed": seed}
    with pytest.warns(sd.InstabilityWarning, match="SGD: its step is unstable .* curvature 8 exceeds 7.69"):
        sd.escape_times(sd.SGD(0.26), well, *rest, **cut)
    with pytest.warns(sd.InstabilityWarning, match="curvature 16 exceeds 15.2"):
        sd.escape_times(sd.Momentum(0.25), sd.Sharpened(well, 2.0), *rest[:2], -0.7, **cut)
    sd.escape_times(sd.SGD(0.24), well, *rest, **cut)
    sd.escape_times(sd.Adam(0.26), well, *rest, **cut)
    sd.escape_times(sd.SGD(30.0), sd.Saddle((-1.0, 1.0)), rest[0], sd.Beyond(1.0), 0.5, **cut)


def stiff(transverse):
    """SGD that is stable along coordinate 0; across, it diverges where eta H > 2."""
    return sd.SGD(0.01), sd.Rotated(sd.Valley(1.0, 1.0, (1.0, transverse)), 0.0), sd.ConstantNoise(1.0)


def test_divergence_across_the_escape_direction_is_seen(seed):
    """Coordinate 0 stays near its minimum while another runs away: not alive, not escaped."""
    start, plane = (-1.0, 0.0, 0.1), sd.BeyondPlane((1.0, 0.0, 0.0))
    calm = sd.escape_times(*stiff(150.0), plane, start, particles=100, max_steps=400, seed=seed)
    assert calm.censored.all() and not calm.diverged.any()
    for transverse in (1e4, 1e300):
        with pytest.warns(sd.InstabilityWarning, match=r"unstable at the minimum of Rotated, whose curvature 1"):
            wild = sd.escape_times(*stiff(transverse), plane, start, particles=100, max_steps=400, seed=seed)
        assert wild.diverged.all() and not wild.censored.any()
        path = sd.trajectories(*stiff(transverse), start, record_at=range(1, int(wild.steps[0]) + 1), seed=seed)[0]
        assert np.isfinite(path[:-1]).all() and not np.isfinite(path[-1]).all()
        assert abs(path[-1, 0] + 1) < 1 or not np.isfinite(path[-1, 0])


def test_displacement_reports_divergence(seed):
    with pytest.warns(sd.DivergenceWarning, match="of 100 particles diverged"):
        run = sd.displacement(
            sd.SGD(3.0), WELL, sd.ConstantNoise(1.0), -0.9, particles=100, record_at=[1, 200], seed=seed
        )
    assert run.diverged.all() and np.isfinite(run.msd[0]).all() and not np.isfinite(run.msd[1]).any()


def test_densities_count_the_diverged_as_above_and_report_them(seed):
    wild = sd.SGD(3.0), WELL, sd.ConstantNoise(1.0), -0.9
    with pytest.warns(sd.DivergenceWarning, match="100 of 100 particles diverged"):
        run = sd.densities(*wild, edges=[-1.0, 0.0, 1.0], particles=100, record_at=[200], seed=seed)
    assert run.diverged.all()
    assert run.above[0] == 100 and run.below[0] == 0 and run.counts.sum() == 0


# -------------------------------------------------------------------------------------------------- boundaries


def test_beyond_watches_the_coordinate_it_names(seed):
    boundary, start = sd.Beyond(0.6, coordinate=2), (-0.9, 0.0, 0.0)
    run = sd.escape_times(*ADAM, boundary, start, particles=60, max_steps=2000, seed=seed)
    assert not run.censored.all()
    paths = sd.trajectories(*ADAM, start, particles=60, record_at=range(1, 2001), seed=seed)
    over = paths[:, :, 2] >= 0.6
    expected = np.where(over.any(axis=1), 1 + over.argmax(axis=1), 2000)
    np.testing.assert_array_equal(run.steps, expected)
    np.testing.assert_array_equal(run.censored, ~over.any(axis=1))


def through_the_pass(dynamics, angle, particles, seed):
    """Escapes over the saddle of a valley turned by `angle`, gradient and noise with it."""
    turned = sd.Rotated(VALLEY, angle)
    plane, start = sd.plane_through_saddle(turned), sd.minimum(turned)
    return sd.escape_times(dynamics, turned, sd.FrozenNoise(1.0), plane, start, particles=particles, seed=seed)


def difference(one, other):
    """Of two samples' means, in standard errors."""
    errors = [run.steps.var() / run.steps.size for run in (one, other)]
    return (one.steps.mean() - other.steps.mean()) / math.sqrt(sum(errors))


def test_sgd_does_not_feel_a_rotation_and_adam_does(seed):
    upright, turned, other = (
        through_the_pass(sd.SGD(0.05), *more) for more in ((0.0, 4096, seed), (0.7, 4096, seed), (0.7, 4096, seed + 1))
    )
    assert np.mean(upright.steps == turned.steps) > 0.99  # the same noise, turned: the same path but for rounding
    assert abs(difference(upright, other)) < 5
    adam = sd.Adam(0.4, 0.9, 0.99)
    assert abs(difference(through_the_pass(adam, 0.0, 2048, seed), through_the_pass(adam, 0.7, 2048, seed + 1))) > 5


def test_a_plane_is_crossed_where_its_normal_says(seed):
    turned = sd.Rotated(VALLEY, 0.7)
    plane, start = sd.BeyondPlane((0.3, -0.2, 0.9), 0.4), (-0.5, 0.3, 0.1)
    methods = (sd.SGD(0.05), turned, sd.FrozenNoise(1.0))
    run = sd.escape_times(*methods, plane, start, particles=20, max_steps=5000, seed=seed)
    assert not run.censored.all()
    for particle in range(20):
        record_at = range(1, int(run.steps[particle]) + 1)
        path = sd.trajectories(*methods, start, particles=[particle], record_at=record_at, seed=seed)[0]
        over = path @ np.array(plane.normal) >= plane.offset
        assert not over[:-1].any() and over[-1] == (not run.censored[particle])


# --------------------------------------------------------------------------------------- progress, interruption


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_rises_to_the_total(seed, workers):
    calls = []
    sd.escape_times(
        sd.SGD(0.005), sd.DoubleWell(), sd.ConstantNoise(2 / 3 / 0.005), sd.Beyond(0.0), -1.0,
        particles=2**19, seed=seed, workers=workers, progress=lambda *call: calls.append(call),
    )  # fmt: skip
    done = [call[0] for call in calls]
    assert len(calls) > 1 and done == sorted(done) and calls[-1] == (2**19, 2**19)
    assert {total for _, total in calls} == {2**19}
    calls.clear()
    sd.displacement(
        sd.SGD(0.05), WELL, sd.ConstantNoise(1.0), -0.9, particles=500, workers=workers,
        progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert calls[-1] == (500, 500)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_progress_function_stops_the_run(workers):
    def fail(done, total):
        raise RuntimeError("enough")

    began = time.perf_counter()
    with pytest.raises(RuntimeError, match="enough"):
        endless(max_steps=10**7, progress=fail, workers=workers)
    assert time.perf_counter() - began < 10


def test_a_budget_grows_only_where_it_was_used_up():
    """A kernel that ends early, its queue dry, says nothing of how long the whole budget would have taken."""
    budget, sizes = Budget(100), []
    for used_up in (True, False, True, False, False, True):
        with budget as size:
            sizes.append(size)
            budget.used_up = used_up
    assert sizes == [100, 100, 100, 200, 200, 200] and budget.size == 400  # the first call may have compiled


def endless(max_steps=10**15, **options):
    """No particle ever arrives."""
    noise, top = sd.ConstantNoise(0.01), sd.Beyond(0.0)
    return sd.escape_times(sd.SGD(0.05), WELL, noise, top, -0.9, particles=4096, max_steps=max_steps, **options)


INTERRUPTED = """
import sys, simdyn as sd, test_simulate_escape as here
sd.escape_times(sd.SGD(0.05), here.WELL, sd.ConstantNoise(0.01), sd.Beyond(0.0), -0.9, particles=64, max_steps=10)
print("ready", flush=True)
here.endless(workers=int(sys.argv[1]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_interruption_returns_promptly(workers):
    here = os.path.dirname(__file__)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(here), here])}
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(workers)],
        env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(0.7)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        began = time.perf_counter()
        try:
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()
        took = time.perf_counter() - began
    assert process.returncode != 0 and re.search("KeyboardInterrupt", errors)
    assert took < 1.5
