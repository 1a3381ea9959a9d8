"""The measured columns of optimizers.md: distance from published implementations, and speed beside Adam's.

`python docs/optimizers.py` prints, for every optimizer, the largest distance from each recorded path of
tests/data/peers.json, in positions of order 1, and its time per step over Adam's: one thread, two coordinates of a saddle,
constant noise, turns taken with Adam, the best of several. Another machine gives other ratios.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import simdyn as sd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from sequence import follow, gradients  # noqa: E402

STEPS, PARTICLES, ROUNDS = 1000, 4096, 9


def distances() -> None:
    """Largest distance from the peers' positions."""
    table = json.loads((HERE.parent / "tests" / "data" / "peers.json").read_text())
    for entry in table["paths"]:
        ours = follow(getattr(sd, entry["method"])(**entry["fields"]), gradients())[table["steps"]]
        off = np.max(np.abs(ours - entry["positions"]))
        sys.stdout.write(f"{entry['method']:10s} {entry['name']:26s} {entry['peer']} {entry['version']}: {off:.0e}\n")


def seconds(dynamics: object) -> float:
    """Processor time per particle-step."""
    began = time.process_time()
    sd.displacement(
        dynamics, sd.Saddle((-0.01, 0.02)), sd.ConstantNoise(1.0), start=0.0, particles=PARTICLES, record_at=[STEPS],
        workers=1, progress=False,
    )  # fmt: skip
    return (time.process_time() - began) / (PARTICLES * STEPS)


def speeds() -> None:
    """Best time over Adam's best time."""
    adam = sd.Adam(1e-3)
    for name, made in sorted(sd.REGISTRY["dynamics"].items()):
        dynamics = made(1e-3)
        seconds(dynamics)
        seconds(adam)
        rounds = [(seconds(dynamics), seconds(adam)) for _ in range(ROUNDS)]
        own, its = (min(each[n] for each in rounds) for n in (0, 1))
        sys.stdout.write(f"{name:10s} {1e9 * own:6.2f} ns, over Adam's {own / its:.2f}\n")


if __name__ == "__main__":
    distances()
    speeds()
