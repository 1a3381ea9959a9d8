"""Pairs of steps for all lanes, and the exits they are watched for. The layouts share one protocol, `sweep`:

- `Line`, one coordinate: both steps of the pair in one loop;
- `Space`, many coordinates that do not feel each other inside a step: one loop per coordinate and step;
- `Apart`, the same for a method that divides, also on a line: of two steps in one loop the second would wait for the roots
  of the first, longer than the processor can look ahead (Adam with local noise: a seventh slower);
- `Staged`, a method whose coordinates feel each other: gradients first, then the steps; `Turned` on a rotated landscape.
"""

from typing import Any, NamedTuple

from simdyn._jit import deep_lane_loop, generic, generic_helper, inlined, lane_helper, lane_loop
from simdyn.model.dynamics.protocol import observe, step
from simdyn.model.landscapes import gradient
from simdyn.model.noise import kick
from simdyn.simulate.draws import draw, normals_in, square
from simdyn.simulate.exits import draw_chance, is_lost, passed, watches
from simdyn.simulate.lanes import (
    FIRST,
    INNER,
    INNER_PULL,
    INNER_PUSH,
    PULL,
    PUSH,
    SECOND,
    SHARED,
    A,
    B,
    clock_at,
    turn_of,
)  # fmt: skip


class Line(NamedTuple):
    """One coordinate."""

    unused: float = 0.0


class Space(NamedTuple):
    """Independent coordinates."""

    unused: float = 0.0


class Apart(NamedTuple):
    """Independent coordinates of a method that divides."""

    unused: float = 0.0


class Staged(NamedTuple):
    """Gradients of all coordinates first."""

    unused: float = 0.0


class Turned(NamedTuple):
    """The same on a rotated landscape: `matrix` is its rotation, `back` the inverse."""

    matrix: Any
    back: Any


@generic_helper
def sweep(layout, lanes, clock, dynamics, landscape, noise, exit, width, done, pairs):
    """Move the first `width` lanes, after `done` pairs of steps, by up to `pairs`, ending early after one in which somebody left.

    Sets ``mark``: 0, or 1 or 2 for the step of the last pair after which a lane was outside; what is no longer finite is
    marked at the second step, if not at the first. Returns the number of pairs done, negative when there are marks to look at.
    """


@sweep.on(Line)
def sweep_line(layout, lanes, clock, dynamics, landscape, noise, exit, width, done, pairs):
    cargo, rows = lanes.cargo, lanes.cargo.rows
    return line_pairs(
        rows[A], rows[B], lanes.memory, normals_in(noise, lanes, rows.shape[1]), cargo.words, lanes.chance, cargo.mark,
        clock, dynamics, landscape, noise, exit, width, done, pairs
    )  # fmt: skip


@lane_loop
def line_pairs(
    a, b, memory, normals, words, chance, mark, clock, dynamics, landscape, noise, exit, width, done, pairs
):  # fmt: skip
    """`sweep` on a line: one call for all pairs, since a call with so many arrays takes as long as a pair of 16 lanes."""
    w, sine, cosine = normals.square, normals.sine, normals.cosine
    for pair in range(pairs):
        draw(noise, normals, words, 0, done + pair, width)
        draw_chance(exit, words, chance, width)
        hit = False
        for i in range(width):
            now = clock_at(clock, pair, 0, i)
            b[0, i] = stepped(dynamics, landscape, noise, now, a, w, sine[0, i], memory, 0, i)
            first = passed(exit, landscape, noise, a, b, i, chance[FIRST, i])
            now = clock_at(clock, pair, 1, i)
            a[0, i] = stepped(dynamics, landscape, noise, now, b, w, cosine[0, i], memory, 0, i)
            if watches(exit):
                second = passed(exit, landscape, noise, b, a, i, chance[SECOND, i]) | is_lost(a[0, i])
                mark[i] = (1 if first else 0) | (2 if second else 0)
                hit |= first | second
        if hit:
            return -1 - pair
    return pairs


@inlined
def stepped(dynamics, landscape, noise, now, x, w, trig, memory, j, i):
    """Where a step takes coordinate j of the particle in lane i."""
    pull = gradient(landscape, x, j, i)
    push = kick(noise, landscape, x, j, i, square(noise, w, j, i), trig)
    return step(dynamics, now, 0.0, x[j, i], pull, push, memory, j, i)


@sweep.on(Space)
def sweep_space(layout, lanes, clock, dynamics, landscape, noise, exit, width, done, pairs):
    cargo, rows = lanes.cargo, lanes.cargo.rows
    return space_pairs(
        layout, rows[A], rows[B], lanes.memory, normals_in(noise, lanes, 1), cargo.words,
        lanes.chance, cargo.mark, clock, dynamics, landscape, noise, exit, width, done, pairs
    )  # fmt: skip


@sweep.on(Apart)
def sweep_apart(layout, lanes, clock, dynamics, landscape, noise, exit, width, done, pairs):
    cargo, rows = lanes.cargo, lanes.cargo.rows
    return apart_pairs(
        layout, rows[A], rows[B], lanes.memory, normals_in(noise, lanes, rows.shape[1]), cargo.words,
        lanes.chance, cargo.mark, clock, dynamics, landscape, noise, exit, width, done, pairs
    )  # fmt: skip


def independent_pairs(
    layout, a, b, memory, normals, words, chance, mark,
    clock, dynamics, landscape, noise, exit, width, done, pairs
):  # fmt: skip
    """`sweep` for coordinates that do not feel each other inside a step: as on a line one call, but a loop per step."""
    for pair in range(pairs):
        draw_before(layout, noise, normals, words, done + pair, width)
        draw_chance(exit, words, chance, width)
        hit = False
        for half in range(2):
            source, target = (a, b) if half == 0 else (b, a)
            for j in range(a.shape[0]):
                if half == 0:
                    draw_on_the_way(layout, noise, normals, words, j, done + pair, width)
                trig = normals.sine[turn_of(normals, j)] if half == 0 else normals.cosine[j]
                for i in range(width):
                    now = clock_at(clock, pair, half, i)
                    target[j, i] = stepped(
                        dynamics, landscape, noise, now, source, normals.square, trig[i], memory, j, i
                    )
            hit = look(source, target, chance[half], mark, half, landscape, noise, exit, width)
        if hit:
            return -1 - pair
    return pairs


space_pairs, apart_pairs = lane_loop(independent_pairs), deep_lane_loop(independent_pairs)


@generic
def draw_before(layout, noise, normals, words, pair, width):
    """The random numbers of all coordinates for a pair of steps: where the steps' loop has no registers to spare for that."""


@generic
def draw_on_the_way(layout, noise, normals, words, j, pair, width):
    """Those of coordinate j just before its first step, so that one row of sines serves all in turn.

    Many rows go through a farther cache: a hundred coordinates of Momentum took a tenth longer.
    """


@draw_before.on(Apart)
def draw_all(layout, noise, normals, words, pair, width):
    for j in range(normals.cosine.shape[0]):
        draw(noise, normals, words, j, pair, width)


@draw_on_the_way.on(Space)
def draw_next(layout, noise, normals, words, j, pair, width):
    draw(noise, normals, words, j, pair, width)


@draw_before.on(Space)
def _not_before(layout, noise, normals, words, pair, width):
    pass


@draw_on_the_way.on(Apart)
def _not_on_the_way(layout, noise, normals, words, j, pair, width):
    pass


def _look(before, after, chance, mark, half, landscape, noise, exit, width):
    """Mark who is outside or lost after the first (0) or second (1) step of the pair."""
    hit = False
    if watches(exit):
        for i in range(width):
            earlier = mark[i] if half == 1 else 0
            mark[i] = earlier | (half + 1 if passed(exit, landscape, noise, before, after, i, chance[i]) else 0)
        for j in range(after.shape[0]):
            for i in range(width):
                code = mark[i] | (half + 1 if is_lost(after[j, i]) else 0)
                mark[i] = code
                hit |= code != 0
    return hit


look, look_aside = inlined(_look), lane_loop(_look)  # within a loop over pairs, and on its own


# ---------------------------------------------------------------------------------- coordinates that feel each other


@sweep.on(Staged, Turned)
def sweep_staged(layout, lanes, clock, dynamics, landscape, noise, exit, width, done, pairs):
    rows, normals = lanes.cargo.rows, normals_in(noise, lanes, lanes.cargo.rows.shape[1])
    for pair in range(pairs):
        for j in range(rows.shape[1]):
            draw(noise, normals, lanes.cargo.words, j, done + pair, width)
        draw_chance(exit, lanes.cargo.words, lanes.chance, width)
        hit = False
        for half in range(2):
            source, target = rows[A + half], rows[B - half]
            trig = normals.sine if half == 0 else normals.cosine
            feel_all(layout, rows, source, normals.square, trig, landscape, noise, width)
            move(
                source, target, rows[PULL], rows[PUSH], lanes.memory, lanes.chance[SHARED],
                pair, half, clock, dynamics, width
            )  # fmt: skip
            hit = look_aside(source, target, lanes.chance[half], lanes.cargo.mark, half, landscape, noise, exit, width)
        if hit:
            return -1 - pair
    return pairs


@generic
def feel_all(layout, rows, source, w, trig, landscape, noise, width):
    """Gradient and noise at `source`, into their rows."""


@feel_all.on(Staged)
def feel_there(layout, rows, source, w, trig, landscape, noise, width):
    feel(source, rows[PULL], rows[PUSH], w, trig, landscape, noise, width)


@feel_all.on(Turned)
def feel_below_the_rotation(layout, rows, source, w, trig, landscape, noise, width):
    inner, pull, push = rows[INNER], rows[INNER_PULL], rows[INNER_PUSH]
    turn(layout.back, source, inner, width)
    feel(inner, pull, push, w, trig, landscape, noise, width)
    turn(layout.matrix, pull, rows[PULL], width)
    turn(layout.matrix, push, rows[PUSH], width)


@lane_loop
def feel(point, pull, push, w, trig, landscape, noise, width):
    """Gradient and noise of every coordinate at `point`, into the rows pull and push."""
    for j in range(point.shape[0]):
        for i in range(width):
            pull[j, i] = gradient(landscape, point, j, i)
            push[j, i] = kick(noise, landscape, point, j, i, square(noise, w, j, i), trig[j, i])


@lane_loop
def move(source, target, pull, push, memory, shared, pair, half, clock, dynamics, width):
    """One step of every coordinate from the rows pull and push, after all coordinates have been observed."""
    share = 1.0 / source.shape[0]
    for i in range(width):
        shared[i] = 0.0
    for j in range(source.shape[0]):
        for i in range(width):
            shared[i] += share * observe(dynamics, pull[j, i], push[j, i], memory, j, i)
    for j in range(source.shape[0]):
        for i in range(width):
            now = clock_at(clock, pair, half, i)
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
