"""What exact answers cost: `python benchmarks/exact.py [rounds]`. Seconds, best of several, after a first call.

Each answer is printed with its own estimate of its error.
"""

import sys
import time
import warnings

import click

import simdyn as sd
from simdyn import exact

WELL, TOP, FAR = sd.DoubleWell(1.0, 1.0), sd.Beyond(0.0), sd.Beyond(1.0)
VALLEY = sd.Rotated(sd.Valley(1.0, 1.0, (4.0,)), 0.5)
PLANE = sd.plane_through_saddle(VALLEY)


def passage(dynamics, noise, boundary, landscape=WELL):
    """A mean first passage from the minimum."""
    return lambda: exact.mean_first_passage(dynamics, landscape, noise, boundary, sd.minimum(landscape))


ANSWERS = {
    "overdamped, 5 temperatures": passage(sd.Overdamped(0.01), sd.ConstantNoise(0.4), TOP),
    "overdamped, 100 temperatures": passage(sd.Overdamped(0.01), sd.ConstantNoise(0.02), TOP),
    "overdamped in the plane, rotated": passage(sd.Overdamped(0.01), sd.ConstantNoise(0.4), PLANE, VALLEY),
    "SGD, exponent 10": passage(sd.SGD(0.025), sd.FrozenNoise(1.0), TOP),
    "SGD, exponent 70 (tau 1e31)": passage(sd.SGD(0.1), sd.ConstantNoise(0.285), TOP),
    "Momentum 0.9, exponent 10": passage(sd.Momentum(0.05, 0.9, 0.1), sd.ConstantNoise(4.0), TOP),
    "Momentum 0.95, exponent 30": passage(sd.Momentum(0.0625, 0.95, 0.05), sd.ConstantNoise(1.07), TOP),
    "Klein-Kramers, gamma/omega 1e-3": passage(sd.Inertial(0.01, 1.0, 0.002), sd.ConstantNoise(0.0008), TOP),
    "Klein-Kramers, gamma/omega 1": passage(sd.Inertial(0.01, 1.0, 2.0), sd.ConstantNoise(0.8), FAR),
    "Klein-Kramers, gamma/omega 1e3": passage(sd.Inertial(0.01, 1.0, 2000.0), sd.ConstantNoise(800.0), FAR),
    "Klein-Kramers, 15 temperatures, 3e-3": passage(sd.Inertial(0.01, 1.0, 0.006), sd.ConstantNoise(0.0008), FAR),
    "Adam, beta1 0, beta2 0.99": passage(sd.Adam(0.1, 0.0, 0.99), sd.FrozenNoise(1.0), TOP),
    "Adam, beta1 0.9, beta2 0.99": passage(sd.Adam(0.15, 0.9, 0.99), sd.FrozenNoise(1.0), TOP),
}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    warnings.simplefilter("ignore")
    click.echo("| answer | value | stated relative error | first call, s | best, s |\n|---|---|---|---|---|")
    for name, ask in ANSWERS.items():
        times = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            found = ask()
            times.append(time.perf_counter() - began)
        error = found.error / found.value
        click.echo(f"| {name} | {found.value:.6g} | {error:.0e} | {times[0]:.2f} | {min(times[1:] or times):.2f} |")


if __name__ == "__main__":
    main()
