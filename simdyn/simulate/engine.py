"""The two loops over time: `spread`, moments at chosen steps, and `escape`, first passage.

Both keep their whole state outside and return after a budget of steps, so that Python can show progress and be interrupted.
They know no method, landscape or noise; those come in as records. Where they choose the smaller of two they say it by hand:
Numba compiles a function for each `min`.
"""

from typing import Any, NamedTuple

import numpy as np

from simdyn._bits import BLOCK, highest_bit, marked_lanes
from simdyn._jit import helper, inlined, kernel
from simdyn.simulate.exits import is_lost
from simdyn.simulate.lanes import A, B, move_lane, put_particle, put_particles, set_clock
from simdyn.simulate.sweeps import sweep

QUANTITIES = 3  # displacement, its square, its fourth power


class Recorder(NamedTuple):
    """What `spread` writes at the steps `at`, increasing: sums (batches, records, 3, d) over the particles of each batch,
    one batch a width of lanes; counts (records, bins + 2) of one coordinate, the first and last for what lies below and
    above; paths (records, d, width) of the last batch. A recorder of size zero is off."""

    at: Any
    sums: Any
    counts: Any
    low: float
    bin_width: float
    coordinate: int
    paths: Any


DONE, RECORD, FIRST, ORIGIN, LAST = range(5)  # the numbers of a portion's state


@kernel
def spread(
    layout,
    lanes,
    clock,
    schedule,
    dynamics,
    landscape,
    noise,
    exit,
    launch,
    recorder,
    scratch,
    lost,
    state,
    budget,
):
    """Carry a portion of the particles on, batch by batch, by at most `budget` pairs of steps.

    state: pairs done, next record, first particle of the batch, first and end of the portion. Sets lost (particles,),
    where it has a size, for those that have left the finite numbers by the last record. Returns True when all is written.
    """
    width = scratch.size
    while state[FIRST] < state[LAST]:
        batch, left = (state[FIRST] - state[ORIGIN]) // width, state[LAST] - state[FIRST]
        count = left if left < width else width
        if state[DONE] == 0 and state[RECORD] == 0:
            put_particles(lanes.cargo, width, state[FIRST], launch)
            if recorder.at[0] == 0:
                write(lanes.cargo.rows[A], batch, state[RECORD], count, launch.start, recorder, scratch)
                state[RECORD] += 1
        end = state[DONE] + budget
        while state[RECORD] < recorder.at.size and state[DONE] < end:
            ahead = set_clock(clock, schedule, recorder.at, state[DONE], state[DONE], width)
            # The record may be in the middle of a pair, whose first positions are in B.
            due = (recorder.at[state[RECORD]] + 1) // 2 - state[DONE]
            pairs = due if due < ahead else ahead
            state[DONE] += sweep(layout, lanes, clock, dynamics, landscape, noise, exit, width, state[DONE], pairs)
            budget -= pairs
            done = 2 * state[DONE]
            if recorder.at[state[RECORD]] == done - 1:
                write(lanes.cargo.rows[B], batch, state[RECORD], count, launch.start, recorder, scratch)
                state[RECORD] += 1
            if state[RECORD] < recorder.at.size and recorder.at[state[RECORD]] == done:
                write(lanes.cargo.rows[A], batch, state[RECORD], count, launch.start, recorder, scratch)
                state[RECORD] += 1
        if state[RECORD] < recorder.at.size:
            return False
        if lost.size > 0:
            note_lost(lanes.cargo.rows[B if recorder.at[-1] % 2 == 1 else A], state[FIRST], count, lost)
        state[DONE] = state[RECORD] = 0
        state[FIRST] += width
    return True


@helper
def note_lost(x, first, count, lost):
    """Mark the particles of the first `count` lanes whose position is not finite."""
    for j in range(x.shape[0]):
        for i in range(count):
            lost[first + i] |= is_lost(x[j, i])


@helper
def write(x, batch, r, count, start, recorder, scratch):
    """Write record r of the first `count` lanes."""
    width = scratch.size
    for quantity in range(QUANTITIES if recorder.sums.size > 0 else 0):
        for j in range(x.shape[0]):
            for i in range(width):
                moved = x[j, i] - start[j]
                if quantity > 0:
                    moved *= moved
                if quantity > 1:
                    moved *= moved
                scratch[i] = moved if i < count else 0.0
            # Neighbours first: the tree of additions depends on the particles' numbers alone, not on the width.
            size = width
            while size > 1:
                size //= 2
                for i in range(size):
                    scratch[i] = scratch[2 * i] + scratch[2 * i + 1]
            recorder.sums[batch, r, quantity, j] = scratch[0]
    if recorder.counts.size > 0:
        bins = recorder.counts.shape[1] - 2
        for i in range(count):
            place = np.floor((x[recorder.coordinate, i] - recorder.low) / recorder.bin_width)
            # Comparisons are false for nan: what is not finite counts as above.
            if place < 0.0:
                recorder.counts[r, 0] += 1
            elif place < bins:
                recorder.counts[r, np.int64(place) + 1] += 1
            else:
                recorder.counts[r, bins + 1] += 1
    if recorder.paths.size > 0:
        for j in range(x.shape[0]):
            for i in range(count):
                recorder.paths[r, j, i] = x[j, i]


class Queue(NamedTuple):
    """State of one worker: numbers (see `escape`), the particle and the first pair of each lane."""

    numbers: Any
    owner: Any
    birth: Any


ESCAPED, CENSORED, DIVERGED = 1, 2, 3
PAIRS, NEXT, END, ALIVE, HUNGRY, FINISHED = range(6)  # the numbers of a Queue


@kernel
def escape(
    layout,
    lanes,
    clock,
    schedule,
    dynamics,
    landscape,
    noise,
    exit,
    launch,
    queue,
    max_steps,
    steps,
    fate,
    budget,
):
    """Carry one worker's lanes on by about `budget` pairs of steps of one lane, refilling from the queue each that falls free.

    numbers: pairs done, next particle, end of the queue, lanes alive, whether more particles may be had from Python when
    the queue is dry (then it returns to ask), particles finished. With a `SharedClock` of a schedule that changes, all lanes
    must have been put in at the pair 0. Writes first-passage steps and fates by particle; returns whether the budget was
    what ended it.
    """
    numbers, owner, birth = queue
    capacity = owner.size
    while numbers[ALIVE] < capacity and numbers[NEXT] < numbers[END]:
        put_particle(lanes.cargo, numbers[ALIVE], numbers[NEXT], launch, numbers[PAIRS])
        owner[numbers[ALIVE]] = numbers[NEXT]
        birth[numbers[ALIVE]] = numbers[PAIRS]
        numbers[ALIVE] += 1
        numbers[NEXT] += 1
    width = lanes_to_run(numbers[ALIVE], capacity)
    # Idle lanes run along with the rest; they start where every particle does, with a stream nobody reads.
    for i in range(numbers[ALIVE], width):
        put_particle(lanes.cargo, i, i, launch, numbers[PAIRS])
    youngest, deadline = numbers[PAIRS], 0
    while budget > 0:
        if 2 * numbers[PAIRS] >= deadline:
            for i in range(numbers[ALIVE] - 1, -1, -1):
                if 2 * (numbers[PAIRS] - birth[i]) >= max_steps:
                    leave(i, lanes.cargo, launch, queue, max_steps, steps, fate)
            deadline = max_steps + 2 * first_birth(numbers, birth)
            width = lanes_to_run(numbers[ALIVE], capacity)
            youngest = numbers[PAIRS]
        if numbers[ALIVE] == 0 or (numbers[HUNGRY] != 0 and numbers[NEXT] == numbers[END]):
            return False
        ahead = set_clock(clock, schedule, birth, numbers[PAIRS], youngest, width)
        due = (deadline + 1) // 2 - numbers[PAIRS]
        done = sweep(
            layout,
            lanes,
            clock,
            dynamics,
            landscape,
            noise,
            exit,
            width,
            numbers[PAIRS],
            due if due < ahead else ahead,
        )
        numbers[PAIRS] += abs(done)
        budget -= abs(done) * width
        if done > 0:
            continue
        # Downwards, so that the last lane alive, which takes a retired one's place, has been seen already.
        for block in range(width - BLOCK, -1, -BLOCK):
            marked = marked_lanes(lanes.cargo.mark, block)
            while marked != 0:
                lane = highest_bit(marked)
                marked ^= 1 << lane
                i = block + lane
                if i < numbers[ALIVE]:
                    leave(i, lanes.cargo, launch, queue, max_steps, steps, fate)
                else:
                    put_particle(lanes.cargo, i, i, launch, numbers[PAIRS])
        width = lanes_to_run(numbers[ALIVE], capacity)
        youngest = numbers[PAIRS]
    return True


@inlined
def lanes_to_run(alive, capacity):
    """Whole vectors of lanes, so that every lane takes the same path through the loop."""
    width = (alive + BLOCK - 1) // BLOCK * BLOCK
    return width if width < capacity else capacity


@helper
def leave(i, cargo, launch, queue, max_steps, steps, fate):
    """Lane i's particle is done; the next in the queue takes the lane, or the last lane alive moves in."""
    numbers, owner, birth = queue
    x = cargo.rows
    first, lost = cargo.mark[i] & 1 != 0, False  # whether it left in the first step of the pair, and to nowhere
    for j in range(x.shape[1]):
        # What is lost then is marked, at the latest, after the second step, since no method comes back from there.
        first |= is_lost(x[B, j, i])
    for j in range(x.shape[1]):
        lost |= is_lost(x[B if first else A, j, i])
    at = 2 * (numbers[PAIRS] - birth[i]) - (1 if first else 0)
    in_time = cargo.mark[i] != 0 and at <= max_steps
    steps[owner[i]] = at if in_time else max_steps
    fate[owner[i]] = (DIVERGED if lost else ESCAPED) if in_time else CENSORED
    numbers[FINISHED] += 1
    lane, particle = i, numbers[NEXT]
    if particle < numbers[END]:
        numbers[NEXT] += 1
        owner[i] = particle
        birth[i] = numbers[PAIRS]
    else:
        numbers[ALIVE] -= 1
        lane = particle = numbers[ALIVE]
        if lane != i:
            move_lane(cargo, lane, i)
            owner[i] = owner[lane]
            birth[i] = birth[lane]
    put_particle(cargo, lane, particle, launch, numbers[PAIRS])


@helper
def first_birth(numbers, birth):
    first = numbers[PAIRS]
    for i in range(numbers[ALIVE]):
        if birth[i] < first:
            first = birth[i]
    return first
