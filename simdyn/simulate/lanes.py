"""The lanes that carry particles: their rows, their clocks, and how a particle gets into one.

A lane holds one particle; a row holds one quantity of all lanes, so that the loop over lanes vectorises. Steps go in
pairs because one random draw gives two normals. Positions alternate between two sets of rows, `A` before the pair and
after it, `B` in the middle, so a step never overwrites what another coordinate's gradient still has to read.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic, generic_helper, helper, lane_helper
from simdyn.simulate.rng import next_bits, normal_parts, stream_word


class Lanes(NamedTuple):
    """The rows, in few arrays, since each that is handed on costs compile time; their names stand below."""

    rows: Any  # (rows, d, width): positions, and what a pair of steps needs on the way
    memory: Any  # of the method: a tuple of (d, width)
    words: Any  # (8, width): the state of the generators, four of the steps' noise and four of an exit's chance
    chance: Any  # (3, width)
    mark: Any  # (width,)


A, B, RADIUS, SINE, COSINE, PULL, PUSH, INNER = range(8)  # rows; the last three for `Staged` only
S0, S1, S2, S3, C0, C1, C2, C3 = range(8)  # words
STEPS, MOMENTUM, CHANCE = range(3)  # salts: streams of a particle that are independent of each other
FIRST, SECOND, SHARED = range(3)  # chance


def make_lanes(dimension: int, width: int, memory_rows: int, staged: bool) -> Lanes:
    """Rows for `width` lanes."""
    return Lanes(
        rows=np.zeros((8 if staged else 5, dimension, width)),
        memory=tuple(np.zeros((dimension, width)) for _ in range(memory_rows)),
        words=np.zeros((8, width), np.uint64),
        chance=np.zeros((3, width)),
        mark=np.zeros(width, np.int64),
    )


# ------------------------------------------------------------------------------------------------------ clocks


AHEAD = 16  # pairs of steps that one call of a sweep may do: calls cost as much as a tenth of a pair


class SharedClock(NamedTuple):
    """The schedule's coefficients when all lanes are at the same step: (2 AHEAD, 4), step by coefficient."""

    table: Any


class LaneClock(NamedTuple):
    """One set of coefficients per lane: (2, 4, width), for one pair of steps, or for all once they have matured."""

    table: Any


@generic
def clock_at(clock, pair, half, i):
    """The four coefficients of the first (0) or second (1) step of a pair from now, for lane i."""


@clock_at.on(SharedClock)
def shared_clock_at(clock, pair, half, i):
    n = 2 * pair + half
    return clock.table[n, 0], clock.table[n, 1], clock.table[n, 2], clock.table[n, 3]


@clock_at.on(LaneClock)
def lane_clock_at(clock, pair, half, i):
    return (
        clock.table[half, 0, i],
        clock.table[half, 1, i],
        clock.table[half, 2, i],
        clock.table[half, 3, i],
    )


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
            clock.table[n, k] = schedule[k, min(2 * done + n, last)]
    return AHEAD


@lane_helper
def fill_lane_clock(table, schedule, birth, done, width):
    last = schedule.shape[1] - 1
    for k in range(schedule.shape[0]):
        for i in range(width):
            age = 2 * (done - birth[i])
            table[0, k, i] = schedule[k, min(age, last)]
            table[1, k, i] = schedule[k, min(age + 1, last)]


@set_clock.on(LaneClock)
def set_lane_clock(clock, schedule, birth, done, youngest, width):
    last = schedule.shape[1] - 1
    if 2 * (done - youngest) > last + 1:
        return AHEAD  # every lane has reached the schedule's limit, and its row says so already
    fill_lane_clock(clock.table, schedule, birth, done, width)
    return 1


# ------------------------------------------------------------------------------------------------ one particle


class Launch(NamedTuple):
    """How a particle begins: seed, start (d,), memory (rows, d), deviation (d,) of a random momentum (size 0: none)."""

    seed: Any
    start: Any
    memory: Any
    deviation: Any


@helper
def put_stream(words, i, seed, particle, salt, row):
    """Start stream `salt` of a particle in lane i, in four rows of words from `row` on."""
    for n in range(4):
        words[row + n, i] = stream_word(seed, np.uint64(particle), np.uint64(salt), np.uint64(n))


@helper
def put_particle(lanes, i, particle, launch):
    """Start `particle` afresh in lane i."""
    words, stream, noise, chance = (
        lanes.words,
        STEPS,
        S0,
        C0,
    )  # variables: each literal would be compiled for
    for j in range(launch.start.size):
        lanes.rows[A, j, i] = launch.start[j]
        for r in range(len(lanes.memory)):
            lanes.memory[r][j, i] = launch.memory[r, j]
    if launch.deviation.size > 0:
        put_stream(words, i, launch.seed, particle, stream + MOMENTUM, noise)
        for j in range(launch.start.size):
            w, sine, _ = normal_parts(next_bits(words[S0], words[S1], words[S2], words[S3], i))
            lanes.memory[0][j, i] += launch.deviation[j] * (math.sqrt(w) * sine)
    put_stream(words, i, launch.seed, particle, stream + CHANCE, chance)
    put_stream(words, i, launch.seed, particle, stream, noise)


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
