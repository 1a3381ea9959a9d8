"""The public simulations: escape times, displacements, densities and paths of an ensemble.

On one machine the same seed gives bit-identical arrays for any number of workers and lanes, and 2 N particles begin with
the N of the smaller run: particle i's numbers come from (seed, i) alone. Every function takes

- dynamics, landscape, noise: records; an SDE reads the noise as 2D per unit time;
- start: one number for all coordinates or one per coordinate;
- start_momentum: None, at rest; "stationary", as if the method had been running for ever; or numbers, one for all coordinates
  or one per coordinate: the method's own m, an SDE's momentum. Zeros are rest. Any other m is taken for a proper average: what
  corrects one that begins with zero, m/(1 - beta1^t) or Adai's m/(1 - prod mu), is left out; v begins with zero all the same;
- seed: a whole number in [0, 2^64); workers: threads, by default one per processor;
- progress: None, a bar on the terminal when it takes long, elsewhere a line every so often; False, none; or a function of
  (done, total);
- lanes: particles side by side in a worker, a power of two from 32; changes the speed, never the result;
- noise_precision: "double", or "single" for normals in single precision (states stay in double): variances are the same to a
  millionth, each normal but for the far tails to a few; overdamped and inertial motion run 1.4 to 1.5 times as fast, first
  passage 1.3 to 1.4, Adam with noise of the place 1.1 (vectors of 512 bits) to 1.4 (256).

All raise `InvalidInput`, in one line, for a request that makes no sense, and warn with `ModelWarning` where a record of a
user's own contradicts itself and where TwoPieceNoise may be met past the saddle of wells that differ.
"""

import math
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from simdyn._jit import JIT_ENABLED
from simdyn.model.dynamics.protocol import time_step
from simdyn.model.records import INDEX, InvalidInput, number
from simdyn.simulate import engine
from simdyn.simulate.crew import Budget, run_crew
from simdyn.simulate.exits import Bridged, Nowhere
from simdyn.simulate.lanes import make_clock
from simdyn.simulate.memory import check_memory, how_many, told_if_too_large
from simdyn.simulate.moments import displacement_index, unknown_moments
from simdyn.simulate.queues import Cohorts, Portions
from simdyn.simulate.results import (
    Densities,
    DivergenceWarning,
    Escapes,
    HeavyTailWarning,
    InstabilityWarning,
    Spread,
)
from simdyn.simulate.setup import (
    WIDE_COHORT,
    WIDEST,
    WIDEST_COHORT,
    Setup,
    check_chosen,
    check_count,
    check_edges,
    check_records,
    choose_lanes,
    choose_workers,
    prepare,
    prepare_exit,
)
from simdyn.simulate.sums import TreeSum, sum_of_tree
from simdyn.simulate.troubles import instability, told_if_not_compiled


@told_if_too_large
def escape_times(
    dynamics: Any,
    landscape: Any,
    noise: Any,
    boundary: Any,
    start: Any,
    particles: int = 4096,
    max_steps: int = 10**7,
    seed: int = 1,
    workers: int | None = None,
    progress: Any = None,
    bridge: bool | None = None,
    start_momentum: Any = None,
    lanes: int | None = None,
    noise_precision: str = "double",
) -> Escapes:
    """First-passage times of `particles` particles through `boundary`; see the module for the common arguments.

    A step is seen at its end only. For `Overdamped` with a `Beyond` boundary the Brownian bridge between the ends is taken
    into account, on by default: a step from x to y, both short of b, has crossed with probability
    exp(-2 (b - x)(b - y)/(2D dt)); ``bridge=False`` leaves it out. Nothing else has such a correction: for an optimizer
    the discrete chain is the truth. Particles inside after `max_steps` are censored.

    Warns with `InstabilityWarning` when the step is unstable at the landscape's own minimum (see `stability_limit`).
    """
    particles, max_steps = (
        check_count("particles", particles),
        check_count("max_steps", max_steps),
    )
    check_memory(9.0 * particles, particles=particles)
    exit = prepare_exit(dynamics, landscape, boundary, start, bridge)
    setup = prepare(dynamics, landscape, noise, start, start_momentum, seed, max_steps, noise_precision, boundary)
    if (words := instability(dynamics, landscape)) is not None:
        warnings.warn(words, InstabilityWarning, stacklevel=3)
    workers = choose_workers(workers, particles)
    width = choose_lanes(lanes, setup, -(-particles // workers), WIDEST_COHORT if setup.ages else WIDEST)
    steps, fate = np.zeros(particles, np.int64), np.zeros(particles, np.uint8)
    of_one_age = setup.ages and (width >= WIDE_COHORT or width * workers >= particles)
    waiting = (Cohorts if of_one_age else Portions)(particles, workers, width)
    finished: list[np.ndarray] = []

    def work(stopped: Any) -> None:
        rows, clock = setup.lanes(width, exit), make_clock(setup.schedule, None if of_one_age else width)
        queue = engine.Queue(np.zeros(6, np.int64), np.zeros(width, np.int64), np.zeros(width, np.int64))
        finished.append(queue.numbers)
        budget = Budget(64 * width)
        while not stopped():
            waiting.refill(queue.numbers)
            if queue.numbers[engine.ALIVE] == 0 and queue.numbers[engine.NEXT] == queue.numbers[engine.END]:
                return
            with budget as work_now, np.errstate(all="ignore"):
                budget.used_up = engine.escape(
                    *_moving(setup, rows, clock), exit, setup.launch, queue, max_steps, steps, fate, work_now
                )  # fmt: skip

    with told_if_not_compiled(setup, exit):
        run_crew(work, workers, lambda: int(sum(n[engine.FINISHED] for n in finished)), particles, progress)
    return Escapes(
        steps=steps,
        censored=fate == engine.CENSORED,
        diverged=fate == engine.DIVERGED,
        time_step=time_step(dynamics),
        max_steps=max_steps,
        bridged=isinstance(exit, Bridged),
    )


@told_if_too_large
def displacement(
    dynamics: Any,
    landscape: Any,
    noise: Any,
    start: Any,
    particles: int = 65536,
    record_at: Sequence[int] | np.ndarray | int = (1, 10, 100),
    seed: int = 1,
    workers: int | None = None,
    progress: Any = None,
    start_momentum: Any = None,
    lanes: int | None = None,
    noise_precision: str = "double",
) -> Spread:
    """Mean and mean squared displacement from `start` at the steps `record_at` (increasing, 0 allowed), with standard
    errors; see the module for the common arguments. Memory does not grow with the number of steps.

    Warns with `DivergenceWarning` when particles have left the finite numbers, and with `HeavyTailWarning` when the tails of the
    noise are so heavy that moments of the displacement are infinite (see `tail_index`); their places are nan.
    """
    particles, at = check_count("particles", particles), check_records(record_at)
    setup = prepare(dynamics, landscape, noise, start, start_momentum, seed, int(at[-1]), noise_precision)
    if (words := unknown_moments(setup, noise, particles, at)) is not None:
        warnings.warn(words, HeavyTailWarning, stacklevel=3)
    _check_recorders(particles, at, workers, 8 * engine.QUANTITIES * setup.size)
    total = TreeSum()
    diverged = np.zeros(particles, bool)

    def recorder(batches: int, width: int) -> engine.Recorder:
        return _recorder(at, sums=np.zeros((batches, at.size, engine.QUANTITIES, setup.size)))

    def collect(portion: int, written: engine.Recorder) -> None:
        total.add(portion, sum_of_tree(written.sums))

    _run_portions(setup, recorder, collect, particles, int(at[-1]), diverged, workers, progress, lanes)
    with np.errstate(all="ignore"):
        mean, msd, fourth = np.moveaxis(total.value() / particles, 1, 0)
        freedom = particles - 1 if particles > 1 else np.nan  # the scatter of one particle is unknown, not zero
        mean_stderr = np.sqrt(np.maximum(msd - mean**2, 0.0) / freedom)
        stderr = np.sqrt(np.maximum(fourth - msd**2, 0.0) / freedom)
    index = displacement_index(setup)
    for order, found in ((1, mean), (2, msd), (2, mean_stderr), (4, stderr)):
        if index <= order:
            found[at > 0] = math.nan
    _warn_of(diverged)
    return Spread(at, mean, mean_stderr, msd, stderr, diverged, time_step(dynamics), particles)


@told_if_too_large
def densities(
    dynamics: Any,
    landscape: Any,
    noise: Any,
    start: Any,
    edges: Sequence[float] | np.ndarray,
    coordinate: int = 0,
    particles: int = 65536,
    record_at: Sequence[int] | np.ndarray | int = (1, 10, 100),
    seed: int = 1,
    workers: int | None = None,
    progress: Any = None,
    start_momentum: Any = None,
    lanes: int | None = None,
    noise_precision: str = "double",
) -> Densities:
    """Histograms of one coordinate at the steps `record_at`, in the equal bins between `edges` (bins + 1,).

    Warns with `DivergenceWarning` when particles have left the finite numbers.
    """
    particles, at = check_count("particles", particles), check_records(record_at)
    setup = prepare(dynamics, landscape, noise, start, start_momentum, seed, int(at[-1]), noise_precision)
    coordinate = int(number("coordinate", coordinate, INDEX, whole=True))
    if coordinate >= setup.size:
        raise InvalidInput(f"coordinate must be below {setup.size}, not {coordinate}")
    _check_recorders(particles, at, workers, 8 * int(how_many(edges)), edges=edges)
    edges = check_edges(edges)
    widths = np.diff(edges)
    counts, diverged = np.zeros((at.size, widths.size + 2), np.int64), np.zeros(particles, bool)
    lock = threading.Lock()

    def recorder(batches: int, width: int) -> engine.Recorder:
        return _recorder(
            at,
            counts=np.zeros_like(counts),
            low=float(edges[0]),
            bin_width=float(widths.mean()),
            coordinate=coordinate,
        )

    def collect(portion: int, written: engine.Recorder) -> None:
        with lock:
            np.add(counts, written.counts, out=counts)

    _run_portions(setup, recorder, collect, particles, int(at[-1]), diverged, workers, progress, lanes)
    _warn_of(diverged)
    return Densities(
        at,
        edges,
        counts[:, 1:-1],
        counts[:, 0],
        counts[:, -1],
        diverged,
        time_step(dynamics),
        particles,
    )


@told_if_too_large
def trajectories(
    dynamics: Any,
    landscape: Any,
    noise: Any,
    start: Any,
    particles: Sequence[int] | int = 1,
    record_at: Sequence[int] | np.ndarray | int = (1, 10, 100),
    seed: int = 1,
    start_momentum: Any = None,
    noise_precision: str = "double",
) -> np.ndarray:
    """Positions, (particles, records, d), at the steps `record_at`: of the first so many particles, or of those whose
    numbers are listed. Particle i moves exactly as in the other simulations with the same seed, so one that did something
    odd can be replayed alone.
    """
    at = check_records(record_at)
    setup = prepare(dynamics, landscape, noise, start, start_momentum, seed, int(at[-1]), noise_precision)
    check_memory(8.0 * how_many(particles) * at.size * setup.size, particles=particles, record_at=at)
    chosen = check_chosen(particles)
    paths = np.empty((len(chosen), at.size, setup.size))
    width = 32 if JIT_ENABLED else 1

    def work(stopped: Any) -> None:
        for k, particle in enumerate(chosen):
            recorder = _recorder(at, paths=np.zeros((at.size, setup.size, width)))
            state = np.array([0, 0, particle, particle, particle + 1])
            if _carry(setup, setup.lanes(width), recorder, state, np.zeros(0, bool), Budget(), stopped):
                paths[k] = recorder.paths[:, :, 0]

    with told_if_not_compiled(setup):
        run_crew(work, 1, lambda: 0, len(chosen), False)
    return paths


def _warn_of(diverged: np.ndarray) -> None:
    if diverged.any():
        text = f"{int(diverged.sum())} of {diverged.size} particles diverged"
        warnings.warn(text, DivergenceWarning, stacklevel=4)


# ------------------------------------------------------------------------------------------------- portions


def _moving(setup: Setup, rows: Any, clock: Any) -> tuple:
    return (
        setup.layout,
        rows,
        clock,
        setup.schedule,
        setup.dynamics,
        setup.landscape,
        setup.noise,
    )


def _recorder(at: np.ndarray, **wanted: Any) -> engine.Recorder:
    off = {
        "sums": np.zeros((0, 0, 0, 0)),
        "counts": np.zeros((0, 0), np.int64),
        "low": 0.0,
        "bin_width": 1.0,
        "coordinate": 0,
        "paths": np.zeros((0, 0, 0)),
    }
    return engine.Recorder(at=at, **{**off, **wanted})


def _check_recorders(particles: int, at: np.ndarray, workers: Any, bytes_per_record: int, **asked: Any) -> None:
    """Refuse what does not fit the memory: every worker writes records of its own, to be added to those of all."""
    least = (choose_workers(workers, particles) + 1.0) * at.size * bytes_per_record
    check_memory(particles + least, particles=particles, record_at=at, **asked)


def _carry(
    setup: Setup,
    rows: Any,
    recorder: engine.Recorder,
    state: np.ndarray,
    lost: np.ndarray,
    budget: Budget,
    stopped: Any,
) -> bool:
    """Carry the particles of `state` (see `engine.spread`) through all records; False if stopped on the way."""
    clock, scratch = make_clock(setup.schedule), np.zeros(rows.cargo.mark.size)
    moving = _moving(setup, rows, clock)
    while not stopped():
        with budget as pairs, np.errstate(all="ignore"):
            finished = engine.spread(*moving, Nowhere(), setup.launch, recorder, scratch, lost, state, pairs)
            budget.used_up = not finished
        if finished:
            return True
    return False


def _run_portions(
    setup: Setup,
    make_recorder: Any,
    collect: Any,
    particles: int,
    last_step: int,
    lost: np.ndarray,
    workers: Any,
    progress: Any,
    lanes: Any,
) -> None:
    workers = choose_workers(workers, particles)
    width = choose_lanes(lanes, setup, -(-particles // workers))
    batches = -(-particles // width)
    # A power of two, for the tree of sums, and small enough that all workers end together.
    size = 1 << min(6, max(1, batches // (8 * workers)).bit_length() - 1)
    portions = iter(range(-(-batches // size)))
    lock = threading.Lock()
    states: list[np.ndarray] = []

    def work(stopped: Any) -> None:
        rows, budget = setup.lanes(width), Budget()  # one for all portions: its first calls are short
        while not stopped():
            with lock:
                portion = next(portions, None)
            if portion is None:
                return
            first, recorder = portion * size * width, make_recorder(size, width)
            state = np.array([0, 0, first, first, min(first + size * width, particles)])
            states.append(state)
            if _carry(setup, rows, recorder, state, lost, budget, stopped):
                collect(portion, recorder)

    def done() -> int:
        """In particles; one on its way counts for the share of its steps."""
        gone = ((s, s[engine.FIRST] + 2 * s[engine.DONE] / last_step * width) for s in states)
        return int(sum(min(place, s[engine.LAST]) - s[engine.ORIGIN] for s, place in gone))

    with told_if_not_compiled(setup):
        run_crew(work, workers, done, particles, progress)
