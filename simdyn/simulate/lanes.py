"""The lanes that carry particles, and one pair of steps for all of them.

A lane holds one particle; a row holds one quantity of all lanes, so that the loop over lanes vectorises. Steps go in
pairs because one random draw gives two normals. Three layouts share one protocol, `sweep`:

- `Line`, one coordinate: both steps of the pair in one loop;
- `Space`, many coordinates that do not feel each other inside a step: one loop per coordinate and step;
- `Staged`, a rotated landscape or a method whose coordinates feel each other: gradients first, then the steps.

Positions alternate between two sets of rows, `a` before the pair and after it, `b` in the middle, so a step never
overwrites what another coordinate's gradient still has to read.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic, generic_helper, helper, inlined, lane_helper, lane_loop
from simdyn.model.boundaries import axis, outside, position
from simdyn.model.dynamics.protocol import observe, step
from simdyn.model.landscapes import gradient
from simdyn.model.noise import kick, variance
from simdyn.simulate.rng import draw_chances, draw_normals, next_bits, normal_parts, stream_word


class Lanes(NamedTuple):
    """The rows, in few arrays, since each that is handed on costs compile time; their names stand below."""

    rows: Any  # (rows, d, width): positions, and what a pair of steps needs on the way
    memory: Any  # of the method: a tuple of (d, width)
    words: Any  # (4, width): the generators' state
    chance: Any  # (3, width)
    mark: Any  # (width,)


A, B, RADIUS, SINE, COSINE, PULL, PUSH, INNER = range(8)  # rows; the last three for `Staged` only
S0, S1, S2, S3 = range(4)  # words
FIRST, SECOND, SHARED = range(3)  # chance


def make_lanes(dimension: int, width: int, memory_rows: int, staged: bool) -> Lanes:
    """Rows for `width` lanes."""
    return Lanes(
        rows=np.zeros((8 if staged else 5, dimension, width)),
        memory=tuple(np.zeros((dimension, width)) for _ in range(memory_rows)),
        words=np.zeros((4, width), np.uint64),
        chance=np.zeros((3, width)),
        mark=np.zeros(width, np.int64),
    )


# ------------------------------------------------------------------------------------------------------ clocks


class SharedClock(NamedTuple):
    """The schedule's coefficients when all lanes are at the same step: (2, 4), step of the pair by coefficient."""

    table: Any


class LaneClock(NamedTuple):
    """One set of coefficients per lane: (2, 4, width)."""

    table: Any


@generic
def clock_at(clock, half, i):
    """The four coefficients of the first (0) or second (1) step of the pair, for lane i."""


@clock_at.on(SharedClock)
def shared_clock_at(clock, half, i):
    return clock.table[half, 0], clock.table[half, 1], clock.table[half, 2], clock.table[half, 3]


@clock_at.on(LaneClock)
def lane_clock_at(clock, half, i):
    return clock.table[half, 0, i], clock.table[half, 1, i], clock.table[half, 2, i], clock.table[half, 3, i]


@generic_helper
def set_clock(clock, schedule, birth, pairs, youngest, width):
    """Fill the clock for the next pair from the schedule (coefficients, steps); `birth` is each lane's first pair."""


@set_clock.on(SharedClock)
def set_shared_clock(clock, schedule, birth, pairs, youngest, width):
    last = schedule.shape[1] - 1
    for k in range(schedule.shape[0]):
        clock.table[0, k] = schedule[k, min(2 * pairs, last)]
        clock.table[1, k] = schedule[k, min(2 * pairs + 1, last)]


@set_clock.on(LaneClock)
def set_lane_clock(clock, schedule, birth, pairs, youngest, width):
    last = schedule.shape[1] - 1
    if 2 * (pairs - youngest) > last + 1:
        return  # every lane has reached the schedule's limit, and its row says so already
    for k in range(schedule.shape[0]):
        for i in range(width):
            age = 2 * (pairs - birth[i])
            clock.table[0, k, i] = schedule[k, min(age, last)]
            clock.table[1, k, i] = schedule[k, min(age + 1, last)]


# ------------------------------------------------------------------------------------------------------- exits


class Nowhere(NamedTuple):
    """No exit: nothing is watched, not even divergence."""

    unused: float = 0.0


class Plain(NamedTuple):
    """Out when the boundary says so at the end of a step."""

    boundary: Any


class Bridged(NamedTuple):
    """Out also when the path within the step was: with the Brownian bridge's probability, see `bridged_passed`."""

    boundary: Any
    dt: float


@generic
def watches(exit):
    """Whether the lanes' marks are wanted at all."""


@generic
def draw_chance(exit, lanes, width):
    """For an exit that needs chance: two values of -2 ln U per lane, one per step of the pair."""


@generic
def passed(exit, landscape, noise, before, after, i, w):
    """Whether the particle in lane i has left in the step from `before` to `after`."""


@watches.on(Nowhere)
def _watches_not(exit):
    return False


@watches.otherwise
def _watches(exit):
    return True


@draw_chance.otherwise
def no_chance(exit, lanes, width):
    pass


@draw_chance.on(Bridged)
def bridge_chance(exit, lanes, width):
    words, chance = lanes.words, lanes.chance
    draw_chances(words[S0], words[S1], words[S2], words[S3], chance[FIRST], chance[SECOND], width)


@passed.on(Nowhere)
def never_passed(exit, landscape, noise, before, after, i, w):
    return False


@passed.on(Plain)
def plainly_passed(exit, landscape, noise, before, after, i, w):
    return outside(exit.boundary, landscape, after, i)


@passed.on(Bridged)
def bridged_passed(exit, landscape, noise, before, after, i, w):
    """U < exp(-2 (b - x)(b - y)/(2D dt)) for a step from x to y, both below b; source: Mannella, Phys. Lett. A 254 (1999)."""
    j = axis(exit.boundary)
    gap = position(exit.boundary) - before[j, i]
    rest = position(exit.boundary) - after[j, i]
    return (rest <= 0.0) | (4.0 * gap * rest < w * variance(noise, landscape, before, j, i) * exit.dt)


@inlined
def is_lost(x):
    return not (abs(x) < np.inf)


# ------------------------------------------------------------------------------------------------------ sweeps


class Line(NamedTuple):
    """One coordinate."""

    unused: float = 0.0


class Space(NamedTuple):
    """Independent coordinates."""

    unused: float = 0.0


class Staged(NamedTuple):
    """Gradients of all coordinates first; `matrix` is the landscape's rotation, (0, 0) for none, and `back` its inverse."""

    matrix: Any
    back: Any


@generic_helper
def sweep(layout, lanes, clock, dynamics, landscape, noise, exit, width):
    """Move the first `width` lanes by a pair of steps.

    Sets ``mark``: 0, or 1 or 2 for the step of the pair after which a lane was outside or no longer finite. Returns the
    marks combined: zero when there is nothing to look at.
    """


@helper
def draw(rows, words, width):
    """The random numbers of the next pair of steps, in a loop of their own.

    With the steps in the same loop one long chain of dependent operations fills the processor's window, and neither half
    is done while the other waits (W1: about -10 %).
    """
    draw_normals(words[S0], words[S1], words[S2], words[S3], rows[RADIUS], rows[SINE], rows[COSINE], width)


@sweep.on(Line)
def sweep_line(layout, lanes, clock, dynamics, landscape, noise, exit, width):
    draw(lanes.rows, lanes.words, width)
    draw_chance(exit, lanes, width)
    rows, chance = lanes.rows, lanes.chance
    return line_steps(
        rows[A], rows[B], lanes.memory, rows[RADIUS], rows[SINE], rows[COSINE], chance[FIRST], chance[SECOND],
        lanes.mark, clock, dynamics, landscape, noise, exit, width
    )  # fmt: skip


@lane_loop
def line_steps(
    a, b, memory, w, sine, cosine, first_w, second_w, mark, clock, dynamics, landscape, noise, exit, width
):  # fmt: skip
    marks = 0
    for i in range(width):
        pull = gradient(landscape, a, 0, i)
        push = kick(noise, landscape, a, 0, i, w[0, i], sine[0, i])
        b[0, i] = step(dynamics, clock_at(clock, 0, i), 0.0, a[0, i], pull, push, memory, 0, i)
        first = passed(exit, landscape, noise, a, b, i, first_w[i]) | is_lost(b[0, i])
        pull = gradient(landscape, b, 0, i)
        push = kick(noise, landscape, b, 0, i, w[0, i], cosine[0, i])
        a[0, i] = step(dynamics, clock_at(clock, 1, i), 0.0, b[0, i], pull, push, memory, 0, i)
        if watches(exit):
            second = passed(exit, landscape, noise, b, a, i, second_w[i]) | is_lost(a[0, i])
            code = 1 if first else (2 if second else 0)
            mark[i] = code
            marks |= code
    return marks


@sweep.on(Space)
def sweep_space(layout, lanes, clock, dynamics, landscape, noise, exit, width):
    draw(lanes.rows, lanes.words, width)
    draw_chance(exit, lanes, width)
    rows, marks = lanes.rows, 0
    for half in range(2):
        source, target, trig = rows[A + half], rows[B - half], rows[SINE + half]
        space_step(source, target, lanes.memory, rows[RADIUS], trig, half, clock, dynamics, landscape, noise, width)
        marks = look(source, target, lanes.chance[half], lanes.mark, half, landscape, noise, exit, width)
    return marks


@lane_loop
def space_step(source, target, memory, w, trig, half, clock, dynamics, landscape, noise, width):
    for j in range(source.shape[0]):
        for i in range(width):
            pull = gradient(landscape, source, j, i)
            push = kick(noise, landscape, source, j, i, w[j, i], trig[j, i])
            target[j, i] = step(dynamics, clock_at(clock, half, i), 0.0, source[j, i], pull, push, memory, j, i)


@lane_loop
def look(before, after, chance, mark, half, landscape, noise, exit, width):
    """Mark who is outside or lost after the first (0) or second (1) step of the pair."""
    marks = 0
    if watches(exit):
        for i in range(width):
            earlier = mark[i] if half == 1 else 0
            now = half + 1 if passed(exit, landscape, noise, before, after, i, chance[i]) else 0
            mark[i] = earlier if earlier != 0 else now
        for j in range(after.shape[0]):
            for i in range(width):
                now = half + 1 if is_lost(after[j, i]) else 0
                code = mark[i] if mark[i] != 0 else now
                mark[i] = code
                marks |= code
    return marks


@sweep.on(Staged)
def sweep_staged(layout, lanes, clock, dynamics, landscape, noise, exit, width):
    draw(lanes.rows, lanes.words, width)
    draw_chance(exit, lanes, width)
    rows, marks, shared = lanes.rows, 0, lanes.chance[SHARED]
    pull, push, inner = rows[PULL], rows[PUSH], rows[INNER]
    for half in range(2):
        source, target, trig = rows[A + half], rows[B - half], rows[SINE + half]
        if layout.matrix.shape[0] > 0:
            turn(layout.back, source, inner, width)
            feel(inner, pull, push, rows[RADIUS], trig, landscape, noise, width)
            turn(layout.matrix, pull, inner, width)
            turn(layout.matrix, push, pull, width)
            move(source, target, inner, pull, lanes.memory, shared, half, clock, dynamics, width)
        else:
            feel(source, pull, push, rows[RADIUS], trig, landscape, noise, width)
            move(source, target, pull, push, lanes.memory, shared, half, clock, dynamics, width)
        marks = look(source, target, lanes.chance[half], lanes.mark, half, landscape, noise, exit, width)
    return marks


@lane_loop
def feel(point, pull, push, w, trig, landscape, noise, width):
    """Gradient and noise of every coordinate at `point`, into the rows pull and push."""
    for j in range(point.shape[0]):
        for i in range(width):
            pull[j, i] = gradient(landscape, point, j, i)
            push[j, i] = kick(noise, landscape, point, j, i, w[j, i], trig[j, i])


@lane_loop
def move(source, target, pull, push, memory, shared, half, clock, dynamics, width):
    """One step of every coordinate from the rows pull and push, after all coordinates have been observed."""
    share = 1.0 / source.shape[0]
    for i in range(width):
        shared[i] = 0.0
    for j in range(source.shape[0]):
        for i in range(width):
            shared[i] += share * observe(dynamics, pull[j, i], push[j, i], memory, j, i)
    for j in range(source.shape[0]):
        for i in range(width):
            now = clock_at(clock, half, i)
            target[j, i] = step(dynamics, now, shared[i], source[j, i], pull[j, i], push[j, i], memory, j, i)


@lane_helper
def turn(matrix, source, target, width):
    """target = matrix source, lane by lane."""
    for j in range(source.shape[0]):
        for i in range(width):
            target[j, i] = 0.0
        for n in range(source.shape[0]):
            for i in range(width):
                target[j, i] += matrix[j, n] * source[n, i]


# ------------------------------------------------------------------------------------------------ one particle


class Launch(NamedTuple):
    """How a particle begins: seed, start (d,), memory (rows, d), deviation (d,) of a random momentum (size 0: none)."""

    seed: Any
    start: Any
    memory: Any
    deviation: Any


@helper
def put_stream(words, i, seed, particle, salt):
    for n in range(4):
        words[n, i] = stream_word(seed, np.uint64(particle), np.uint64(salt), np.uint64(n))


@helper
def put_particle(lanes, i, particle, launch):
    """Start `particle` afresh in lane i."""
    words, salt = lanes.words, 0
    for j in range(launch.start.size):
        lanes.rows[A, j, i] = launch.start[j]
        for r in range(len(lanes.memory)):
            lanes.memory[r][j, i] = launch.memory[r, j]
    if launch.deviation.size > 0:
        # A stream of its own, so that the steps draw the same numbers with and without a random momentum.
        put_stream(words, i, launch.seed, particle, salt + 1)
        for j in range(launch.start.size):
            w, sine, _ = normal_parts(next_bits(words[S0], words[S1], words[S2], words[S3], i))
            lanes.memory[0][j, i] += launch.deviation[j] * (math.sqrt(w) * sine)
    put_stream(words, i, launch.seed, particle, salt)


@helper
def move_lane(lanes, source, target):
    """Let lane `target` carry what lane `source` does."""
    for r in range(lanes.rows.shape[0]):
        for j in range(lanes.rows.shape[1]):
            lanes.rows[r, j, target] = lanes.rows[r, j, source]
    for r in range(len(lanes.memory)):
        for j in range(lanes.rows.shape[1]):
            lanes.memory[r][j, target] = lanes.memory[r][j, source]
    for n in range(lanes.words.shape[0]):
        lanes.words[n, target] = lanes.words[n, source]
    lanes.mark[target] = lanes.mark[source]
