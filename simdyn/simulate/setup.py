"""From what a user asks to what the engine runs: checked numbers, settled records, rows and clocks."""

import os
from typing import Any, NamedTuple

import numpy as np

from simdyn._bits import BLOCK
from simdyn.model.arrays import numbers, point_of
from simdyn.model.boundaries import Beyond, boundary_dimension, outside, settle_boundary
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.protocol import (
    begin,
    begin_running,
    divides,
    observe,
    schedule,
    schedule_with_momentum,
    time_step,
)
from simdyn.model.geometry import gradient_at
from simdyn.model.kicks import vet_noise
from simdyn.model.landscapes import dimension, frame
from simdyn.model.noise import has_variance, inner_name, is_gaussian, settle, variance_at, warn_if_mirrored
from simdyn.model.records import COUNT, INDEX, InvalidInput, check_kind, checked_record, flag, number
from simdyn.model.vetting import check_unchanged, dimension_hint, is_users, tried, vet_landscape, vetted
from simdyn.simulate.candid import candid
from simdyn.simulate.exits import Bridged, Plain
from simdyn.simulate.lanes import (
    C0,
    INNER,
    INNER_PUSH,
    PULL,
    W0,
    W3,
    Lanes,
    Launch,
    make_lanes,
)
from simdyn.simulate.roots import with_quick_roots
from simdyn.simulate.schedules import coefficients, table_from_start, table_of_running
from simdyn.simulate.single import draws_ahead, with_precision
from simdyn.simulate.sweeps import Apart, Line, Space, Staged, Turned

# Of rows per worker: about a second-level cache. In a hundred dimensions short loops cost more than the way to the third:
# with a quarter of it SGD took 15 % longer, Adam 5 %.
_LANE_BYTES = 1024 * 1024
WIDEST = 1024
# Where lanes are begun together and not refilled one by one: the last to leave run among few, a loss that is less than what
# lanes of all ages cost from so many on.
WIDEST_COHORT, WIDE_COHORT = 4096, 2048


@checked_record()
class Stationary(NamedTuple):
    """Start as a method that has been running for ever, its momentum `scale` times a stationary one.

    The momentum is normal, with the variance that noise gives it, and averages of squares stand at their mean: of noise that is
    not Gaussian the second moments are those of a stationary start, the law is not.
    With scale 0 the momentum is zero but averages and bias corrections are settled: the difference of two mean squared
    displacements, scale 1 less scale 0, is what inertia alone has carried (the drift).
    """

    scale: float = 1.0


class Setup(NamedTuple):
    """All that the engine needs but the rows, which each worker has for itself."""

    layout: Any
    schedule: np.ndarray
    dynamics: Any
    landscape: Any
    noise: Any
    launch: Launch
    size: int

    def lanes(self, width: int, exit: Any = None) -> Lanes:
        """Fresh rows for `width` lanes."""
        words = W3 + 1 if draws_ahead(self.noise) else W0 if isinstance(exit, Bridged) else C0
        return make_lanes(self.size, width, self.rows, len(self.launch.memory), words)

    @property
    def rows(self) -> int:
        """How many rows the layout needs for each coordinate, memory apart."""
        return {Line: PULL, Space: PULL, Apart: PULL, Staged: INNER, Turned: INNER_PUSH + 1}[type(self.layout)]

    @property
    def ages(self) -> bool:
        """Whether the method's coefficients change with a particle's own step."""
        return self.schedule.shape[1] > 1


def prepare(
    dynamics: Any,
    landscape: Any,
    noise: Any,
    start: Any,
    start_momentum: Any,
    seed: int,
    last_step: int,
    noise_precision: str = "double",
    boundary: Any = None,
) -> Setup:
    """Check the request and settle its records; raises InvalidInput in one line that names what is wrong.

    boundary: where particles leave, if anywhere; some of what there is to warn of then does not matter.
    """
    for kind, given in (
        ("dynamics", dynamics),
        ("landscape", landscape),
        ("noise", noise),
    ):
        check_kind(kind, given)
        check_unchanged(given)
    size = dimension(landscape)
    seed = check_seed(seed)
    point = point_of("start", start, size, dimension_hint(landscape))
    inner, matrix = frame(landscape)
    inner_point = point if matrix is None else matrix.T @ point
    if is_users(inner):
        vet_landscape(inner, inner_point)
    stepped = _stepped(dynamics)
    settled = settle(noise, inner)
    warn_if_mirrored(noise, landscape, boundary)
    vet_noise(settled, inner, inner_point)
    if isinstance(dynamics, (Overdamped, Inertial)) and not is_gaussian(settled):
        raise InvalidInput(f"noise: {type(dynamics).__name__} is driven by Gaussian noise, not by {inner_name(noise)}")
    spread = variance_at(settled, inner, inner_point)
    if not has_variance(settled):
        if start_momentum is not None and isinstance(start_momentum, (str, Stationary)):
            raise InvalidInput(f"start_momentum: {inner_name(noise)} has no finite variance to be stationary with")
    elif not np.all(np.isfinite(spread)) or np.any(spread < 0):
        raise InvalidInput(f"noise: its variance at the start is {spread}, it must be finite and not negative")
    if matrix is not None and has_variance(settled):
        spread = np.diag(matrix @ np.diag(spread) @ matrix.T).copy()
    drawn, layout = with_precision(settled, noise_precision), _layout(dynamics, size, matrix)
    if isinstance(layout, Apart):
        drawn = with_quick_roots(drawn)
    momentum = _start_momentum(start_momentum, size, matrix)
    memory, deviation = _memory(dynamics, gradient_at(landscape, point), spread, momentum)
    return Setup(
        layout=layout,
        schedule=_schedule(dynamics, momentum, last_step),
        dynamics=_arrays(stepped),
        landscape=_arrays(inner),
        noise=_arrays(drawn),
        launch=Launch(np.uint64(seed), point, memory, deviation),
        size=size,
    )


def _stepped(dynamics: Any) -> Any:
    """The method as the engine steps it; a user's is tried before it is compiled."""
    if not is_users(dynamics):
        return dynamics
    memory = tuple(np.full((1, 1), row[0]) for row in _begun(dynamics, np.zeros(1), np.ones(1)))
    clock = (*coefficients(dynamics, schedule, np.ones(1))[:, 0].tolist(), 0.0, 0.0, 0.0)[:4]
    vetted(dynamics, "time_step", lambda: time_step(dynamics))
    return candid(dynamics, clock, memory)


def _layout(dynamics: Any, size: int, matrix: np.ndarray | None) -> Any:
    if matrix is not None:
        return Turned(np.ascontiguousarray(matrix), np.ascontiguousarray(matrix.T))
    if observe.knows(type(dynamics)):
        return Staged()
    if divides(dynamics):
        return Apart()
    return Line() if size == 1 else Space()


def _start_momentum(given: Any, size: int, matrix: np.ndarray | None) -> Stationary | np.ndarray:
    """A stationary start, or the momentum's numbers (d,), zeros at rest."""
    if isinstance(given, str):
        if given != "stationary":
            raise InvalidInput(f"start_momentum must be 'stationary' or numbers, not {given!r}")
        given = Stationary()
    if not isinstance(given, Stationary):
        return np.zeros(size) if given is None else check_point("start_momentum", given, size)
    if matrix is not None:
        raise InvalidInput("start_momentum: 'stationary' is not known for rotated landscapes; give numbers")
    return given


def _memory(
    dynamics: Any, slope: np.ndarray, variance: np.ndarray, momentum: Stationary | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Memory at the start (rows, d), and the deviation of a random momentum (d,), of size 0 where there is none."""
    if not isinstance(momentum, Stationary):
        return _begun(dynamics, momentum, slope), np.zeros(0)
    memory, deviation = begin_running(dynamics, slope, variance)
    if not np.all(np.isfinite(deviation)):
        raise InvalidInput(f"start_momentum: the stationary momentum of {dynamics} is not finite")
    return np.ascontiguousarray(memory), momentum.scale * np.ascontiguousarray(deviation)


def _begun(dynamics: Any, momentum: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The memory that a method begins with, (rows, d) floats."""
    if not is_users(dynamics):
        return np.ascontiguousarray(begin(dynamics, momentum, slope))
    rows = tried(dynamics, "begin", lambda: np.array(begin(dynamics, momentum, slope), dtype=float))
    if rows.ndim != 2 or rows.shape[1] != len(momentum):
        name, size = type(dynamics).__name__, len(momentum)
        raise InvalidInput(f"{name}: its begin must return (rows, {size}) numbers, not of shape {rows.shape}")
    return rows


def _schedule(dynamics: Any, momentum: Stationary | np.ndarray, last_step: int) -> np.ndarray:
    """The coefficients (k, n) of a particle's first steps; those after them stay what the last are."""
    if isinstance(momentum, Stationary):
        return table_of_running(dynamics)
    return table_from_start(dynamics, schedule_with_momentum if np.any(momentum != 0.0) else schedule, last_step)


def _arrays(record: Any) -> Any:
    """The record with its tuples of numbers as arrays, so that it compiles once whatever their length."""
    if not hasattr(record, "_fields"):
        return np.array(record, dtype=float) if isinstance(record, tuple) else record
    values = (_arrays(field) for field in record)
    return tuple.__new__(type(record), values)


# ------------------------------------------------------------------------------------------------------- exits


def prepare_exit(dynamics: Any, landscape: Any, boundary: Any, start: Any, bridge: bool | None) -> Any:
    """The exit that the engine watches; raises InvalidInput for one that makes no sense or has been passed already."""
    check_kind("boundary", boundary)
    check_unchanged(boundary)
    size = dimension(landscape)
    needed = boundary_dimension(boundary)
    if needed > size:
        raise InvalidInput(f"boundary: {type(boundary).__name__} needs {needed} coordinates, the landscape has {size}")
    point = check_point("start", start, size)
    if outside(boundary, landscape, point.reshape(-1, 1), 0):
        raise InvalidInput(f"start: {start} is already beyond the boundary {boundary}")
    settled = _arrays(settle_boundary(boundary, landscape))
    bridge = None if bridge is None else flag("bridge", bridge)
    bridgeable = isinstance(dynamics, Overdamped) and isinstance(boundary, Beyond) and frame(landscape)[1] is None
    if bridge and not bridgeable:
        raise InvalidInput(
            "bridge: the correction holds for Overdamped with Beyond on an unrotated landscape only; leave it out"
        )
    if bridgeable and (bridge is None or bridge):
        return Bridged(settled, dynamics.dt)
    return Plain(settled)


# ------------------------------------------------------------------------------------------------------ checks


def check_count(where: str, value: Any) -> int:
    """A positive whole number below 2^62."""
    return int(number(where, value, COUNT, whole=True))


def check_seed(seed: Any) -> int:
    """A whole number in [0, 2^64)."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**64:
        raise InvalidInput(f"seed must be a whole number from 0 to 2^64 - 1, not {seed!r}")
    return int(seed)


def check_point(where: str, given: Any, size: int) -> np.ndarray:
    """A number for all coordinates or one per coordinate, as (size,) floats."""
    return point_of(where, given, size)


def check_records(record_at: Any) -> np.ndarray:
    """Steps to record at: increasing whole numbers from 0, as int64."""
    checked = numbers("record_at", record_at, "whole numbers of steps")
    given = np.atleast_1d(np.asarray(record_at))  # as it is, for floats do not hold all of them
    if given.ndim != 1 or given.size == 0 or np.any(checked != np.floor(checked)):
        raise InvalidInput(f"record_at must be whole numbers of steps, not {record_at!r}")
    # Neighbours are compared, not subtracted: differences of large whole numbers overflow.
    if given[0] < 0 or np.any(given[1:] <= given[:-1]) or given[-1] >= 2**62 or given[-1] == 0:
        raise InvalidInput(f"record_at must increase, from 0 or later to a step of at least 1, not {record_at!r}")
    return given.astype(np.int64)


def check_edges(edges: Any) -> np.ndarray:
    """Edges of equal bins, increasing, (bins + 1,)."""
    given = numbers("edges", edges, "at least two increasing numbers, equally spaced")
    widths = np.diff(given) if given.ndim == 1 else np.zeros(0)
    if widths.size == 0 or widths[0] <= 0 or not np.allclose(widths, widths[0], rtol=1e-9):
        raise InvalidInput(f"edges must be at least two increasing numbers, equally spaced, not {edges!r}")
    return given


def check_chosen(particles: Any) -> list[int]:
    """Numbers of particles: those listed, or the first so many."""
    if np.ndim(particles) == 0:
        return list(range(check_count("particles", particles)))
    chosen = [int(number(f"particles[{n}]", particle, INDEX, whole=True)) for n, particle in enumerate(particles)]
    return chosen


def choose_workers(workers: int | None, particles: int) -> int:
    """How many threads: as asked, or one per processor, but never one with less than a vector of particles."""
    if workers is None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    else:
        available = check_count("workers", workers)
    return max(1, min(available, -(-particles // BLOCK)))


def choose_lanes(lanes: int | None, setup: Setup, particles_per_worker: int, widest: int = WIDEST) -> int:
    """How many lanes a worker has: a power of two that fits the cache and is not much more than it has particles."""
    if lanes is not None:
        width = check_count("lanes", lanes)
        if width & (width - 1) or width < BLOCK:
            # Fewer than whole vectors would take the scalar path, which rounds differently.
            raise InvalidInput(f"lanes must be a power of two from {BLOCK}, not {lanes!r}")
        return width
    rows = setup.size * (setup.rows - 1 + len(setup.launch.memory)) + 6
    width = BLOCK
    while 2 * width * rows * 8 <= _LANE_BYTES and width < particles_per_worker and width < widest:
        width *= 2
    return width
