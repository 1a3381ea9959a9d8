"""Deliberate errors that the same code must refuse."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from checks.random_numbers.normals import BLOCK, Law, Pairs, Particles
from checks.random_numbers.streams import ORDERS, UNMIXED, UNSCRAMBLED
from checks.random_numbers.tails import far_tails
from checks.random_numbers.verdicts import SUSPICIOUS, Result, is_outside


class Refusal(NamedTuple):
    """A deliberate error, how many statistics of how many are suspicious, and the most extreme of them."""

    what: str
    suspicious: int
    statistics: int
    worst: Result

    @property
    def refused(self) -> bool:
        return self.suspicious > 0


def refusal(what: str, results: list[Result]) -> Refusal:
    """What the statistics say of an error."""
    suspicious = sum(is_outside(result.p, SUSPICIOUS) for result in results)
    return Refusal(what, suspicious, len(results), min(results, key=lambda result: min(result.p, 1.0 - result.p)))


def scaled(factor: float, draws: int, seed: int) -> list[Result]:
    """The law of normals that are too wide by a factor."""
    law, particles = Law(), Particles(seed)
    for _ in range(-(-draws // BLOCK)):
        law.add(factor * particles.block())
    return law.results("normals one by one")


def correlated(correlation: float, draws: int, seed: int) -> list[Result]:
    """The pairs of normals of a draw of which the cosine's knows the sine's."""
    pairs, particles, rest = Pairs(), Particles(seed), math.sqrt(1.0 - correlation**2)
    for _ in range(-(-draws // BLOCK)):
        z = particles.block()
        sine, cosine = z[::2], z[1::2]
        pairs.add(sine, correlation * sine + rest * cosine)
    return pairs.results("sine and cosine of a draw")


def power(damage: float, draws: int, far: int, seed: int, bits: Callable[..., list[Result]]) -> list[Refusal]:
    """All deliberate errors, at the sizes of the check itself."""
    one_particle, first_words = ORDERS[0], next(o for o in ORDERS if o.name == "first word of every particle")
    some: Any = ("low and high", "low and high, reversed")
    return [
        refusal("a linear generator: xoshiro256 without its scrambler", bits(one_particle, 1, some, UNSCRAMBLED)),
        refusal("streams begun from seed and particle number without mixing", bits(first_words, 1, some, UNMIXED)),
        refusal(f"normals too wide by {damage:g}", scaled(1.0 + damage, draws, seed)),
        refusal(f"a correlation of {damage:g} between the normals of a draw", correlated(damage, draws, seed)),
        refusal("one particle in 1000 is its neighbour's copy", copied(1000, draws // 10, seed)),
        refusal("heavy tails that end where the 32 bits of U do", far_tails(seed, far, cut=True)),
    ]


def copied(one_in: int, draws: int, seed: int) -> list[Result]:
    """Neighbouring particles of which some have the same normals."""
    pairs, particles = Pairs(), Particles(seed)
    chooser = np.random.default_rng(seed)
    for _ in range(-(-draws // BLOCK)):
        z = particles.block()
        other = np.roll(z, 1, axis=1)
        same = chooser.random(z.shape[1]) < 1.0 / one_in
        other[:, same] = z[:, same]
        pairs.add(z, other)
    return pairs.results("particles i and i + 1")
