"""The two loops over time: `spread`, moments at chosen steps, and `escape`, first passage.

Both keep their whole state outside and return after a budget of steps, so that Python can show progress and be interrupted.
They know no method, landscape or noise; those come in as records.
"""

from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import helper, kernel
from simdyn.simulate.lanes import A, B, move_lane, put_particle, set_clock
from simdyn.simulate.sweeps import sweep

QUANTITIES = 3  # displacement, its square, its fourth power


class Recorder(NamedTuple):
    """What `spread` writes at the steps `at`, increasing: sums (records, 3, d) over the batch's particles; counts
    (records, bins + 2) of one coordinate, the first and last for what lies below and above; paths (records, d, width).
    A recorder of size zero is off."""

    at: Any
    sums: Any
    counts: Any
    low: float
    bin_width: float
    coordinate: int
    paths: Any


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
    state,
    budget,
):
    """Carry one batch of particles on by at most `budget` pairs of steps.

    state: pairs done, next record, first particle, particles in the batch. Returns True when the last record is written.
    """
    width = scratch.size
    first, count = state[2], state[3]
    if state[0] == 0 and state[1] == 0:
        for i in range(width):
            put_particle(lanes, i, first + i, launch)
        if recorder.at[0] == 0:
            write(lanes.rows[A], state[1], count, launch.start, recorder, scratch)
            state[1] += 1
    end = state[0] + budget
    while state[1] < recorder.at.size and state[0] < end:
        ahead = set_clock(clock, schedule, recorder.at, state[0], state[0], width)
        # The record may be in the middle of a pair, whose first positions are in B.
        due = (recorder.at[state[1]] + 1) // 2 - state[0]
        state[0] += sweep(
            layout,
            lanes,
            clock,
            dynamics,
            landscape,
            noise,
            exit,
            width,
            min(ahead, due),
        )
        done = 2 * state[0]
        if recorder.at[state[1]] == done - 1:
            write(lanes.rows[B], state[1], count, launch.start, recorder, scratch)
            state[1] += 1
        if state[1] < recorder.at.size and recorder.at[state[1]] == done:
            write(lanes.rows[A], state[1], count, launch.start, recorder, scratch)
            state[1] += 1
    return state[1] == recorder.at.size


@helper
def write(x, r, count, start, recorder, scratch):
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
            recorder.sums[r, quantity, j] = scratch[0]
    if recorder.counts.size > 0:
        bins = recorder.counts.shape[1] - 2
        for i in range(count):
            place = np.floor((x[recorder.coordinate, i] - recorder.low) / recorder.bin_width)
            # A comparison that is false for nan: what is not finite counts as above.
            bin_number = int(max(place, -1.0)) if place < bins else bins
            recorder.counts[r, bin_number + 1] += 1
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
    """Carry one worker's lanes on by at most `budget` pairs of steps, refilling each that falls free from the queue.

    numbers: pairs done, next particle, end of the queue, lanes alive, whether more particles may be had from Python when
    the queue is dry (then it returns to ask), particles finished. Writes first-passage steps and fates by particle.
    """
    numbers, owner, birth = queue
    capacity = owner.size
    while numbers[ALIVE] < capacity and numbers[NEXT] < numbers[END]:
        enter(numbers[ALIVE], lanes, launch, queue)
        numbers[ALIVE] += 1
    width = lanes_to_run(numbers[ALIVE], capacity)
    # Idle lanes run along with the rest; they start where every particle does, with a stream nobody reads.
    for i in range(numbers[ALIVE], width):
        put_particle(lanes, i, i, launch)
    youngest, deadline = numbers[PAIRS], 0
    end = numbers[PAIRS] + budget
    while numbers[PAIRS] < end:
        if 2 * numbers[PAIRS] >= deadline:
            for i in range(numbers[ALIVE] - 1, -1, -1):
                if 2 * (numbers[PAIRS] - birth[i]) >= max_steps:
                    leave(i, max_steps + 1, lanes, launch, queue, max_steps, steps, fate)
            deadline = max_steps + 2 * first_birth(numbers, birth)
            width = lanes_to_run(numbers[ALIVE], capacity)
            youngest = numbers[PAIRS]
        if numbers[ALIVE] == 0 or (numbers[HUNGRY] != 0 and numbers[NEXT] == numbers[END]):
            return
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
            min(ahead, due),
        )
        numbers[PAIRS] += abs(done)
        if done > 0:
            continue
        # Downwards, so that the last lane alive, which takes a retired one's place, has been seen already.
        for i in range(width - 1, -1, -1):
            code = lanes.mark[i]
            if code == 0:
                continue
            if i >= numbers[ALIVE]:
                put_particle(lanes, i, i, launch)
                continue
            leave(
                i,
                2 * (numbers[PAIRS] - birth[i]) - 2 + code,
                lanes,
                launch,
                queue,
                max_steps,
                steps,
                fate,
            )
        width = lanes_to_run(numbers[ALIVE], capacity)
        youngest = numbers[PAIRS]


@helper
def lanes_to_run(alive, capacity):
    """Whole vectors of lanes: a multiple of 32, so that every lane takes the same path through the loop."""
    return min(capacity, (alive + 31) // 32 * 32)


@helper
def enter(i, lanes, launch, queue):
    """The next particle of the queue begins in lane i."""
    numbers, owner, birth = queue
    put_particle(lanes, i, numbers[NEXT], launch)
    owner[i] = numbers[NEXT]
    birth[i] = numbers[PAIRS]
    numbers[NEXT] += 1


@helper
def leave(i, at, lanes, launch, queue, max_steps, steps, fate):
    """Lane i's particle is done at step `at`; the next in the queue takes the lane, or the last lane alive moves in."""
    numbers, owner, birth = queue
    steps[owner[i]] = min(at, max_steps)
    fate[owner[i]] = CENSORED if at > max_steps else fate_of(lanes, i)
    numbers[FINISHED] += 1
    if numbers[NEXT] < numbers[END]:
        enter(i, lanes, launch, queue)
        return
    numbers[ALIVE] -= 1
    last = numbers[ALIVE]
    if last != i:
        move_lane(lanes, last, i)
        owner[i] = owner[last]
        birth[i] = birth[last]
    put_particle(lanes, last, last, launch)


@helper
def first_birth(numbers, birth):
    first = numbers[PAIRS]
    for i in range(numbers[ALIVE]):
        first = min(first, birth[i])
    return first


@helper
def fate_of(lanes, i):
    for j in range(lanes.rows.shape[1]):
        x = lanes.rows[B if lanes.mark[i] == 1 else A, j, i]
        if not (abs(x) < np.inf):
            return DIVERGED
    return ESCAPED
