"""Learning rates of closing_table.toml: prints, for every optimizer, the rate that each of the study's two rules gives.

Same escape time: from the sharp well of the study, its barrier `BARRIER`, the mean first passage to the flat minimum
takes `STEPS` steps, the method's memory settled at the start (but `COLD`). Same spread: in a quadratic well of the flat
well's curvature (and the bath's) the stationary variance along the escape direction is `VARIANCE`. Both are found by
bisection of log(rate) on simulations with one seed; three digits are kept. AdaBound's final rate is tied to its rate;
AdaiV2's dampening is 0.5 (1 is Adai). What is searched for is not what the study claims.
"""

import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import simdyn as sd

BARRIER, STEPS = 0.45, 1000
VARIANCE = 0.03
SHARP, FLAT, BATH = 8.0, 2.0, 4.0
NOISES = {"local": sd.LocalNoise(batch_size=1.0), "white": sd.ConstantNoise(variance=4.0)}
METHODS: dict[str, Callable[[float], Any]] = {
    **{
        name: getattr(sd, name)
        for name in ("SGD", "Momentum", "Nesterov", "Adai", "AdaiW", "Padam", "Adam", "AdamW", "AMSGrad")
    },
    **{name: getattr(sd, name) for name in ("RAdam", "Yogi", "RMSProp", "SignSGD")},
    "AdaiV2": lambda rate: sd.AdaiV2(learning_rate=rate, dampening=0.5),
    "AdaBound": lambda rate: sd.AdaBound(learning_rate=rate, final_rate=rate),
}
# SGD has no memory, the highest v that the others keep never settles.
COLD = (sd.SGD, sd.AMSGrad, sd.Padam)


def escapes_sooner(method: Any, noise: Any) -> bool:
    """Whether the mean escape from the sharp well takes fewer than `STEPS` steps."""
    well = sd.UnequalWells(barrier=BARRIER, left_curvature=SHARP, right_curvature=FLAT, saddle_curvature=4.0)
    landscape = sd.WithBath(well, (BATH,))
    bottom = sd.minimum(landscape)
    found = sd.escape_times(
        method,
        landscape,
        noise,
        sd.Beyond(_flat_bottom()),
        bottom,
        particles=4000,
        max_steps=20 * STEPS,
        seed=1,
        start_momentum=None if isinstance(method, COLD) else "stationary",
    )
    return bool(found.diverged.any() or found.steps.mean() < STEPS)


def _flat_bottom() -> float:
    return math.sqrt(2.0 * BARRIER * (1.0 / FLAT + 1.0 / 4.0))


def spreads_more(method: Any, noise: Any) -> bool:
    """Whether the stationary variance in the flat well exceeds `VARIANCE`."""
    well = sd.Quadratic((FLAT, BATH))
    found = sd.displacement(method, well, noise, 0.0, particles=4000, record_at=[4000, 4500, 5000], seed=1)
    return bool(found.diverged.any() or not np.mean(found.msd[:, 0]) < VARIANCE)


def bisect(too_large: Callable[[float], bool], low: float = 1e-4, high: float = 1.0) -> float:
    """The rate where `too_large` begins to hold."""
    for _ in range(14):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if too_large(middle) else (middle, high)
    return float(f"{math.sqrt(low * high):.3g}")


def main() -> None:
    """Print the table of rates."""
    warnings.simplefilter("ignore", sd.DivergenceWarning)
    for kind, noise in NOISES.items():
        for name, make in METHODS.items():
            if kind == "local" or name in ("SGD", "Adam"):
                rates = [
                    bisect(lambda rate, make=make, noise=noise, rule=rule: rule(make(rate), noise))  # type: ignore[misc]
                    for rule in (escapes_sooner, spreads_more)
                ]
                sys.stdout.write(f"{name:10s} {kind}  same escape time {rates[0]:<8g} same spread {rates[1]:g}\n")


if __name__ == "__main__":
    main()
