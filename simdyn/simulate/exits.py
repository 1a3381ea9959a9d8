"""What the engine watches for while it moves the lanes: nothing, a boundary, or a boundary with the Brownian bridge."""

from typing import Any, NamedTuple

import numpy as np

from simdyn._jit import generic, inlined
from simdyn.model.boundaries import axis, outside, position
from simdyn.model.noise import variance
from simdyn.simulate.lanes import C0, C1, C2, C3, FIRST, SECOND
from simdyn.simulate.rng import draw_chances


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
def draw_chance(exit, words, chance, width):
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
def no_chance(exit, words, chance, width):
    pass


@draw_chance.on(Bridged)
def bridge_chance(exit, words, chance, width):
    draw_chances(words[C0], words[C1], words[C2], words[C3], chance[FIRST], chance[SECOND], width)


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
