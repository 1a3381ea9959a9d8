"""What is computed: problems, as simdyn's own records, and works, a problem with a number of particles."""

from typing import Any, NamedTuple

import numpy as np

import simdyn as sd


class Problem(NamedTuple):
    """Particles that begin at rest at `start`: their displacement at `records` equally spaced times up to `steps`, or, with
    a boundary, their first passage through it, all of them."""

    dynamics: Any
    landscape: Any
    noise: Any
    start: tuple[float, ...]
    steps: int = 0
    records: int = 1
    boundary: Any = None

    @property
    def dimension(self) -> int:
        return len(self.start)


class Work(NamedTuple):
    """One row of the table."""

    name: str
    title: str
    problem: Problem
    particles: int
    rounds: int = 5


WELL, TOP, BATH = sd.DoubleWell(1.0, 1.0), sd.Beyond(0.0), sd.ConstantNoise(2 / 3)  # temperature 1/3, barrier 3 T
VALLEY = sd.Valley(1.0, 1.0, tuple(np.linspace(0.5, 4.5, 9).tolist()))
SADDLE = sd.Saddle(tuple(np.linspace(-0.1, 0.9, 100).tolist()))
FLOOR = (-1.0, *[0.0] * 9)

OVERDAMPED = Problem(sd.Overdamped(0.005), WELL, BATH, (-1.0,), steps=2000)
PASSAGE = Problem(sd.Overdamped(0.005), WELL, BATH, (-1.0,), boundary=TOP)
INERTIAL = Problem(sd.Inertial(0.02, 1.0, 1.0), WELL, BATH, (-1.0,), steps=2000)
ADAM = Problem(sd.Adam(0.003), WELL, sd.LocalNoise(1.0, 0.0), (-1.0,), steps=2000)
ADAM_VALLEY = Problem(sd.Adam(0.2), VALLEY, sd.ConstantNoise(8.0), FLOOR, boundary=TOP)
ADAI_VALLEY = Problem(sd.Adai(0.06), VALLEY, sd.ConstantNoise(8.0), FLOOR, boundary=TOP)
MOMENTUM_SADDLE = Problem(
    sd.Momentum(0.01, 0.9, 0.1), SADDLE, sd.ConstantNoise(1.0), (0.0,) * 100, steps=1000, records=100
)

WORKS = (
    Work("W1", "overdamped, spread", OVERDAMPED, 65536),
    Work("W2", "overdamped, first passage", PASSAGE, 65536),
    Work("W3", "inertial (BAOAB), spread", INERTIAL, 65536),
    Work("W4", "Adam, noise of the place, spread", ADAM, 65536),
    Work("W5a", "Adam, first passage, 10 dimensions", ADAM_VALLEY, 4096),
    Work("W5b", "Adai, first passage, 10 dimensions", ADAI_VALLEY, 4096),
    Work("W6", "Momentum, 100 records, 100 dimensions", MOMENTUM_SADDLE, 2048),
    Work("W1, 1,000", "overdamped, spread, 1,000 particles", OVERDAMPED, 1000, rounds=9),
    Work("W1, 100", "overdamped, spread, 100 particles", OVERDAMPED, 100, rounds=9),
    Work("W2, 1,000", "overdamped, first passage, 1,000 particles", PASSAGE, 1000, rounds=9),
    Work("W2, 100", "overdamped, first passage, 100 particles", PASSAGE, 100, rounds=9),
)


def exact_mean() -> float:
    """W2's mean number of steps: the Markov chain x -> x - dt L' + sqrt(2 D dt) z, which is SGD's of rate dt and noise
    2 D/dt, solved by quadrature."""
    dt, noise = PASSAGE.dynamics.dt, PASSAGE.noise.variance
    chain = sd.exact.mean_first_passage(sd.SGD(dt), WELL, sd.ConstantNoise(noise / dt), TOP, -1.0)
    return chain.value
