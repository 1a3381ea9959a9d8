"""The lanes that carry particles: their rows, their clocks, and how a particle gets into one.

A lane holds one particle; a row holds one quantity of all lanes, so that the loop over lanes vectorises. Steps go in
pairs because one random draw gives two normals. Positions alternate between two sets of rows, `A` before the pair and
after it, `B` in the middle, so a step never overwrites what another coordinate's gradient still has to read.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import helper, inlined
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
    ahead: Any  # of a noise that draws ahead `Ahead`, else nothing
    chance: Any  # (3, width)


class Ahead(NamedTuple):
    """Rows of the cargo seen as numbers half as wide."""

    singles: Any  # (2, d, 2 width): sines and cosines in single precision, in the first half
    halves: Any  # (WORDS_AHEAD, 2 width): the halves of the words drawn ahead


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
    ahead = Ahead(cargo.rows[SINE : COSINE + 1].view(np.float32), cargo.words[W0:].view(np.int32))
    return Lanes(cargo, tuple(memory), ahead if words > W0 else (), aligned_zeros((3, width)))


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


class Clock(NamedTuple):
    """The schedule's coefficients, (2 AHEAD, 4), step by coefficient: all lanes are at the same step.

    A row of them per lane, for lanes of different ages, made a step under Adam half as long again.
    """

    table: Any


def make_clock() -> Clock:
    return Clock(np.zeros((2 * AHEAD, 4)))


@inlined
def clock_at(clock, pair, half):
    """The four coefficients of the first (0) or second (1) step of a pair from now."""
    n = 2 * pair + half
    return clock.table[n, 0], clock.table[n, 1], clock.table[n, 2], clock.table[n, 3]


@helper
def set_clock(clock, schedule, done):
    """Fill the clock from the schedule (coefficients, steps) after `done` pairs, for the next `AHEAD`."""
    last = schedule.shape[1] - 1
    if last == 0 and done > 0:
        return  # nothing changes, and it has been said
    for k in range(schedule.shape[0]):
        for n in range(2 * AHEAD):
            age = 2 * done + n
            clock.table[n, k] = schedule[k, age if age < last else last]


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
    """Start the particles from `first` on afresh, one in each of `width` lanes."""
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
        if cargo.words.shape[0] > C0:
            fill_stream_words(cargo.words[C0 + n], launch.seed, first, CHANCE, n, width)


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
