"""What a formula costs beside the same landscape written by hand: `python benchmarks/expression.py [particles] [rounds]`.

Both run through the whole engine on one thread, taking turns in every round; the ratio is of the best times. They draw the
same numbers, so they must also show the same mean squared displacement.
"""

import statistics
import sys
import time
from typing import NamedTuple

import click
import numpy as np

import simdyn as sd

STEPS = 2000


class Bent(NamedTuple):
    """A valley along a parabola: L = (x^2 - 1)^2 + stiffness (y - x^2)^2, by hand."""

    stiffness: float


@sd.value.on(Bent)
def bent_value(bent, x, i):
    return (x[0, i] * x[0, i] - 1.0) ** 2 + bent.stiffness * (x[1, i] - x[0, i] * x[0, i]) ** 2


@sd.gradient.on(Bent)
def bent_gradient(bent, x, j, i):
    square = x[0, i] * x[0, i]
    if j == 0:
        return 4.0 * x[0, i] * (square - 1.0 - bent.stiffness * (x[1, i] - square))
    return 2.0 * bent.stiffness * (x[1, i] - square)


@sd.curvature.on(Bent)
def bent_curvature(bent, x, j, i):
    if j == 0:
        return (12.0 + 12.0 * bent.stiffness) * (x[0, i] * x[0, i]) - 4.0 - 4.0 * bent.stiffness * x[1, i]
    return 2.0 * bent.stiffness


@sd.dimension.on(Bent)
def bent_dimension(bent):
    return 2


class Coupled(NamedTuple):
    """Six double wells in a row, L = Sum (x_j^2 - 1)^2 + coupling/2 Sum (x_{j+1} - x_j)^2, by hand."""

    coupling: float


@sd.value.on(Coupled)
def coupled_value(coupled, x, i):
    total = (x[0, i] * x[0, i] - 1.0) ** 2
    for j in range(1, 6):
        total += (x[j, i] * x[j, i] - 1.0) ** 2 + 0.5 * coupled.coupling * (x[j, i] - x[j - 1, i]) ** 2
    return total


@sd.gradient.on(Coupled)
def coupled_gradient(coupled, x, j, i):
    slope = 4.0 * x[j, i] * (x[j, i] * x[j, i] - 1.0)
    if j > 0:
        slope += coupled.coupling * (x[j, i] - x[j - 1, i])
    if j < 5:
        slope -= coupled.coupling * (x[j + 1, i] - x[j, i])
    return slope


@sd.curvature.on(Coupled)
def coupled_curvature(coupled, x, j, i):
    neighbours = 2.0 if 0 < j < 5 else 1.0
    return 12.0 * x[j, i] * x[j, i] - 4.0 + neighbours * coupled.coupling


@sd.dimension.on(Coupled)
def coupled_dimension(coupled):
    return 6


class OfTheDiagonal(NamedTuple):
    """C_j = max(|d^2 L/dx_j^2|/batch_size, floor): what `LocalNoise` costs, which is refused on coupled coordinates."""

    batch_size: float
    floor: float


@sd.variance.on(OfTheDiagonal)
def diagonal_variance(noise, landscape, x, j, i):
    return max(abs(sd.curvature(landscape, x, j, i)) * (1.0 / noise.batch_size), noise.floor)


IN_A_ROW = "+".join([*(f"(x{j}**2 - 1)**2" for j in range(6)), *(f"coupling/2*(x{j + 1} - x{j})**2" for j in range(5))])

PAIRS = {
    "double well": (
        sd.DoubleWell(1.0, 1.0),
        sd.Expression("height*((x/width)**2 - 1)**2", height=1.0, width=1.0),
        sd.ConstantNoise(2 / 3),
    ),
    "double well, noise of the place": (
        sd.DoubleWell(1.0, 1.0),
        sd.Expression("height*((x/width)**2 - 1)**2", height=1.0, width=1.0),
        sd.LocalNoise(6.0, 0.1),
    ),
    "bent valley, two coordinates": (
        Bent(0.5),
        sd.Expression("(x**2 - 1)**2 + k*(y - x**2)**2", k=0.5),
        sd.ConstantNoise(2 / 3),
    ),
    "valley, two coordinates": (
        sd.Valley(1.0, 1.0, (2.0,)),
        sd.Expression("(x**2 - 1)**2 + k*y**2/2", k=2.0),
        sd.ConstantNoise(2 / 3),
    ),
    "valley, six coordinates, noise of the place": (
        sd.Valley(1.0, 1.0, (2.0, 1.5, 1.0, 2.5, 3.0)),
        sd.Expression("(x0**2 - 1)**2 + (2*x1**2 + 1.5*x2**2 + x3**2 + 2.5*x4**2 + 3*x5**2)/2"),
        sd.LocalNoise(6.0, 0.1),
    ),
    "six coupled wells, noise of the place": (
        Coupled(0.5),
        sd.Expression(IN_A_ROW, coupling=0.5),
        OfTheDiagonal(6.0, 0.1),
    ),
}


def timed(landscape, noise, particles):
    """Seconds per particle-step, and the mean squared displacement."""
    began = time.process_time()  # others may want the machine too
    found = sd.displacement(
        sd.Overdamped(0.005), landscape, noise, start=0.0, particles=particles, record_at=[STEPS], workers=1,
        progress=False,
    )  # fmt: skip
    return (time.process_time() - began) / (particles * STEPS), found.msd


def main():
    particles = int(sys.argv[1]) if len(sys.argv) > 1 else 16384
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    click.echo("| landscape | by hand, ns | formula, ns | ratio, best | ratio, median |\n|---|---|---|---|---|")
    for name, (by_hand, formula, noise) in PAIRS.items():
        for landscape in (by_hand, formula):
            timed(landscape, noise, 64)  # compiles
        expected = timed(by_hand, noise, particles)[1]
        times: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * rounds):
            is_formula = turn % 4 in (1, 2)
            seconds, msd = timed(formula if is_formula else by_hand, noise, particles)
            times[is_formula].append(1e9 * seconds)
            # The same to rounding, which chaos multiplies at the top of the barrier in a few particles.
            if not np.allclose(msd, expected, rtol=0.01):
                raise SystemExit(f"{name}: {msd} and {expected}")
        hand, made = times[False], times[True]
        best, median = min(made) / min(hand), statistics.median(made) / statistics.median(hand)
        click.echo(f"| {name} | {min(hand):.2f} | {min(made):.2f} | {best:.2f} | {median:.2f} |")


if __name__ == "__main__":
    main()
