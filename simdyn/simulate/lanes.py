"""The lanes that carry particles: their rows, their clocks, and how a particle gets into one.

A lane holds one particle; a row holds one quantity of all lanes, so that the loop over lanes vectorises. Steps go in
pairs because one random draw gives two normals. Positions alternate between two sets of rows, `A` before the pair and
after it, `B` in the middle, so a step never overwrites what another coordinate's gradient still has to read.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic, generic_helper, helper, inlined, lane_helper
from simdyn.simulate.rng import fill_stream_words, next_bits, normal_parts, stream_word


class Cargo(NamedTuple):
    """What the lanes carry, in few arrays, since each that is handed on costs compile time; their rows' names stand below.

    Of one type for all methods: what puts a particle into a lane, and takes it out, is compiled once.
    """

    rows: Any  # (rows, d, width): positions, and what a pair of steps needs on the way
    memory: Any  # (rows, d, width), of the method
    words: Any  # (4, 8 or 12, width): the generators' state, of steps and of an exit's chance; words drawn ahead
    mark: Any  # (width,)


class Normals(NamedTuple):
    """The random numbers of a pair of steps, as `draws` has them."""

    square: Any  # (d, width): of the radius, where it is still to be multiplied by
    sine: Any  # (d, width), for the first step; (1, width) where a coordinate's are used up before the next one's are drawn
    cosine: Any  # (d, width), for the second


class Lanes(NamedTuple):
    """The cargo, and what only a sweep needs."""

    cargo: Cargo
    memory: Any  # the cargo's, as a tuple of (d, width): rows that a loop knows apart
    chance: Any  # (3, width)
    singles: Any  # (2, d, 2 width): the rows of sines and cosines seen as singles, of which the first half is used; or nothing


# Rows: PULL and PUSH, the gradient and the noise, for `Staged` and `Turned` only, the last three, a point below the
# rotation and both there, for `Turned`.
A, B, SQUARE, SINE, COSINE, PULL, PUSH, INNER, INNER_PULL, INNER_PUSH = range(10)
S0, S1, S2, S3, C0, C1, C2, C3, W0, W1, W2, W3 = range(12)  # words
WORDS_AHEAD = 4  # that a noise may draw at once: one way through the generators' state for so many
STEPS, MOMENTUM, CHANCE = range(3)  # salts: streams of a particle that are independent of each other
FIRST, SECOND, SHARED = range(3)  # chance


def make_lanes(dimension: int, width: int, rows: int, memory_rows: int, words: int = C0) -> Lanes:
    """Rows for `width` lanes; `words`: `C0` rows of them, `W0` if an exit wants chance, `W3 + 1` if the noise draws ahead."""
    memory = aligned_zeros((memory_rows, dimension, width))
    cargo = Cargo(
        rows=aligned_zeros((rows, dimension, width)),
        memory=memory,
        words=aligned_zeros((words, width), np.uint64),
        mark=np.zeros(width, np.int8),
    )
    singles = cargo.rows[SINE : COSINE + 1].view(np.float32) if words > W0 else ()
    return Lanes(cargo, tuple(memory), aligned_zeros((3, width)), singles)


def aligned_zeros(shape: tuple[int, ...], kind: type = np.float64) -> np.ndarray:
    """Zeros that begin at a cache line, so that a vector never straddles two: W1 runs a third faster."""
    count = math.prod(shape)
    room: np.ndarray = np.zeros(count + _LINE // 8, kind)
    skip = -room.ctypes.data % _LINE // 8
    return room[skip : skip + count].reshape(shape)


_LINE = 64  # bytes of a cache line, and of the widest vector


@inlined
def turn_of(normals, j):
    """Which row of sines is coordinate j's."""
    return j if normals.sine.shape[0] > 1 else 0


# ------------------------------------------------------------------------------------------------------ clocks


AHEAD = 16  # pairs of steps that one call of a sweep may do: calls cost as much as a tenth of a pair


class SharedClock(NamedTuple):
    """The schedule's coefficients when all lanes are at the same step: (2 AHEAD, 4), step by coefficient."""

    table: Any


class LaneClock(NamedTuple):
    """One set of coefficients per lane: (2, 4, width), for one pair of steps, or for all once they have matured; columns:
    the numbers of the coefficients that ever change."""

    table: Any
    columns: Any


def make_clock(schedule: np.ndarray, width: int | None = None) -> Any:
    """A clock for a schedule (coefficients, steps): for all lanes at once, or for `width` lanes of different ages."""
    if width is None or schedule.shape[1] == 1:
        return SharedClock(np.zeros((2 * AHEAD, 4)))
    table = np.zeros((2, 4, width))
    table[:, : len(schedule)] = schedule[:, -1:]
    return LaneClock(table, np.flatnonzero(np.ptp(schedule, axis=1) > 0.0))


@generic
def clock_at(clock, pair, half, i):
    """The four coefficients of the first (0) or second (1) step of a pair from now, for lane i."""


@clock_at.on(SharedClock)
def shared_clock_at(clock, pair, half, i):
    n = 2 * pair + half
    return clock.table[n, 0], clock.table[n, 1], clock.table[n, 2], clock.table[n, 3]


@clock_at.on(LaneClock)
def lane_clock_at(clock, pair, half, i):
    return clock.table[half, 0, i], clock.table[half, 1, i], clock.table[half, 2, i], clock.table[half, 3, i]


@generic_helper
def set_clock(clock, schedule, birth, done, youngest, width):
    """Fill the clock from the schedule (coefficients, steps) after `done` pairs, and return for how many pairs it will do.

    birth: each lane's first pair; youngest: the latest of them.
    """


@set_clock.on(SharedClock)
def set_shared_clock(clock, schedule, birth, done, youngest, width):
    last = schedule.shape[1] - 1
    if last == 0 and done > 0:
        return AHEAD  # nothing changes, and it has been said
    for k in range(schedule.shape[0]):
        for n in range(2 * AHEAD):
            age = 2 * done + n
            clock.table[n, k] = schedule[k, age if age < last else last]
    return AHEAD


@lane_helper
def fill_lane_clock(table, columns, schedule, birth, done, width):
    last = schedule.shape[1] - 1
    for n in range(columns.size):
        k = columns[n]
        for i in range(width):
            age = 2 * (done - birth[i])
            table[0, k, i] = schedule[k, min(age, last)]
            table[1, k, i] = schedule[k, min(age + 1, last)]


@set_clock.on(LaneClock)
def set_lane_clock(clock, schedule, birth, done, youngest, width):
    last = schedule.shape[1] - 1
    if 2 * (done - youngest) > last + 1:
        return AHEAD  # every lane has reached the schedule's limit, and its row says so already
    fill_lane_clock(clock.table, clock.columns, schedule, birth, done, width)
    return 1


# ------------------------------------------------------------------------------------------------ one particle


class Launch(NamedTuple):
    """How a particle begins: seed, start (d,), memory (rows, d), deviation (d,) of a random momentum (size 0: none)."""

    seed: Any
    start: Any
    memory: Any
    deviation: Any


@inlined
def put_stream(words, i, seed, particle, salt, row):
    """Start stream `salt` of a particle in lane i, in four rows of words from `row` on."""
    for n in range(4):
        words[row + n, i] = stream_word(seed, np.uint64(particle), np.uint64(salt), np.uint64(n))


@helper
def put_particle(cargo, i, particle, launch, pairs):
    """Start `particle` afresh in lane i, when the lanes have done so many pairs of steps."""
    words = cargo.words
    for j in range(launch.start.size):
        cargo.rows[A, j, i] = launch.start[j]
        for r in range(cargo.memory.shape[0]):
            cargo.memory[r, j, i] = launch.memory[r, j]
    for stream in (MOMENTUM, CHANCE, STEPS):
        if (stream == MOMENTUM and launch.deviation.size == 0) or (stream == CHANCE and words.shape[0] == C0):
            continue
        put_stream(words, i, launch.seed, particle, stream, C0 if stream == CHANCE else S0)
        if stream == MOMENTUM:
            for j in range(launch.start.size):
                w, sine, _ = normal_parts(next_bits(words[S0], words[S1], words[S2], words[S3], i))
                cargo.memory[0, j, i] += launch.deviation[j] * (math.sqrt(w) * sine)
    if words.shape[0] > W0:
        # What the other lanes have left of the words drawn ahead; a pair takes one for each coordinate.
        for n in range((pairs * launch.start.size - 1) % WORDS_AHEAD + 1, WORDS_AHEAD):
            words[W0 + n, i] = next_bits(words[S0], words[S1], words[S2], words[S3], i)


@helper
def put_particles(cargo, width, first, launch):
    """Start the particles from `first` on afresh, one in each of `width` lanes, with steps ahead of them but no exit."""
    if launch.deviation.size > 0:
        for i in range(width):
            put_particle(cargo, i, first + i, launch, 0)
        return
    for j in range(launch.start.size):
        cargo.rows[A, j, :] = launch.start[j]
        for r in range(cargo.memory.shape[0]):
            cargo.memory[r, j, :] = launch.memory[r, j]
    for n in range(4):
        fill_stream_words(cargo.words[S0 + n], launch.seed, first, STEPS, n, width)


@helper
def move_lane(cargo, source, target):
    """Let lane `target` carry what lane `source` does."""
    for r in range(cargo.rows.shape[0]):
        for j in range(cargo.rows.shape[1]):
            cargo.rows[r, j, target] = cargo.rows[r, j, source]
    for r in range(cargo.memory.shape[0]):
        for j in range(cargo.rows.shape[1]):
            cargo.memory[r, j, target] = cargo.memory[r, j, source]
    for n in range(cargo.words.shape[0]):
        cargo.words[n, target] = cargo.words[n, source]
    cargo.mark[target] = cargo.mark[source]
