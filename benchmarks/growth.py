"""How time and memory grow: linearly with particles, steps and dimension, and memory not at all with steps.

`python -m benchmarks.growth PARTICLES STEPS DIMENSION` is the child: a fresh process per point, so that its peak of memory is
its own. Momentum on a saddle, the mean squared displacement after the last step, one thread.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import optimize, stats

from benchmarks import fresh

DECADES = range(5)
SWEEPS = {
    "particles": [(1024 * 10**k, 400, 1) for k in DECADES],
    "steps": [(1024, 200 * 10**k, 1) for k in DECADES],
    "dimension": [(256, 400, 10**k) for k in DECADES],
}
REPEATS = 5


def measure(say: Callable[[str], None]) -> dict:
    """Per sweep: the sizes, seconds of every call, peak memory in bytes, and the power of the size with which time grows."""
    found: dict = {}
    with TemporaryDirectory(prefix="simdyn-growth-") as cache:
        child_of = ["-m", "benchmarks.growth"]
        for dimension in ("1", "2"):  # compiles, which takes memory of its own
            fresh.run([*child_of, "256", "10", dimension], Path(cache))
        idle = fresh.answer([*child_of, "256", "10", "1"], Path(cache))["peak_bytes"]
        for name, points in SWEEPS.items():
            runs = [fresh.answer([*child_of, *map(str, point)], Path(cache)) for point in points]
            sizes = [int(np.prod(point)) for point in points]
            found[name] = {
                "points": points,
                "sizes": [size // (sizes[0] // points[0][list(SWEEPS).index(name)]) for size in sizes],
                "seconds": [run["seconds"] for run in runs],
                "peak_bytes": [run["peak_bytes"] for run in runs],
            }
            found[name] |= power_of_time(found[name])
            say(f"  time grows as {name} to the {found[name]['time_power'][0]:.3f}")
        found["idle_bytes"] = idle
    return found


def power_of_time(sweep: dict) -> dict:
    """The power p of time = fixed + unit size^p, as (value, low, high) at 95 %, and the fixed cost, in seconds.

    Least squares of the logarithms of the medians: five points and three unknowns, so the interval is Student's with two
    degrees of freedom and holds what the machine's neighbours do.
    """
    sizes, seconds = np.asarray(sweep["sizes"], float), np.median(sweep["seconds"], axis=1)

    def logarithm(size, fixed, unit, power):
        return np.logaddexp(fixed, unit + power * np.log(size))

    guess = (np.log(seconds[0]) - 1.0, np.log(seconds[-1] / sizes[-1]), 1.0)
    # A fixed cost below a ten-thousandth of the least time is none.
    bounds = ([np.log(seconds[0]) - 10.0, -np.inf, 0.0], [np.log(seconds[0]), np.inf, np.inf])
    found, covariance = optimize.curve_fit(logarithm, sizes, np.log(seconds), guess, bounds=bounds)
    half = float(stats.t.ppf(0.975, len(sizes) - 3) * np.sqrt(covariance[2, 2]))
    power = float(found[2])
    return {
        "time_power": [power, power - half, power + half],
        "fixed": float(np.exp(found[0])),
    }


def child(particles: int, steps: int, dimension: int) -> dict:
    import simdyn as sd

    saddle = sd.Saddle(tuple(np.linspace(-0.1, 0.9, dimension).tolist()) if dimension > 1 else (-0.001,))
    seconds = []
    for repeat in range(REPEATS + 1):
        began = time.perf_counter()
        sd.displacement(
            sd.Momentum(1e-5, 0.9, 0.1), saddle, sd.ConstantNoise(1.0), start=0.0, particles=particles,
            record_at=[steps], seed=repeat, workers=1, progress=False,
        )  # fmt: skip
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[1:], "peak_bytes": peak_memory()}


def peak_memory() -> int:
    """Of this process, in bytes. Linux counts a parent's memory too in what getrusage tells, but not in its status file."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(child(*map(int, sys.argv[1:]))))  # noqa: T201
