"""What it costs to begin: imports, the command line, and the first simulation of a new combination of records.

`python -m benchmarks.startup WORK` is the child that simulates in a fresh process and prints what it took.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fresh
from benchmarks.rounds import summary

COMMANDS = {
    "Python alone": ["-c", "pass"],
    "import simdyn": ["-c", "import simdyn"],
    "simdyn --help": ["-m", "simdyn", "--help"],
    "simdyn list, a study": ["-m", "simdyn", "list", "experiments/msd_growth.toml"],
}
COMBINATIONS = ("W1", "W2", "W4", "W5b")


def measure(repeats: int, say: Callable[[str], None]) -> dict:
    """Seconds, (median, least, greatest), of the commands; of the first simulation of each combination in a process: nothing
    compiled; the kernels that combinations share compiled by another one; and all of it compiled by an earlier process."""
    found: dict = {"commands": {}, "combinations": {}}
    with TemporaryDirectory(prefix="simdyn-startup-") as folder:
        for name, arguments in COMMANDS.items():
            fresh.run(arguments, Path(folder))
            found["commands"][name] = summary([fresh.run(arguments, Path(folder))[0] for _ in range(repeats)])
            say(f"  {name}: {found['commands'][name][0]:.2f} s")
    for name in COMBINATIONS:
        cases: dict[str, list[float]] = {"cold": [], "another known": [], "warm": []}
        for _ in range(repeats):
            with TemporaryDirectory(prefix="simdyn-startup-") as empty:
                cases["cold"].append(_first_call(name, empty))
                cases["warm"].append(_first_call(name, empty))
            with TemporaryDirectory(prefix="simdyn-startup-") as used:
                _first_call("neighbour", used)
                cases["another known"].append(_first_call(name, used))
        found["combinations"][name] = {case: summary(seconds) for case, seconds in cases.items()}
        say(f"  first call of {name}: " + ", ".join(f"{case} {min(s):.2f} s" for case, s in cases.items()))
    return found


def _first_call(name: str, cache: str) -> float:
    return fresh.answer(["-m", "benchmarks.startup", name], Path(cache))


def child(name: str) -> float:
    """Seconds that a few particles take whose only cost is what is compiled and loaded, imports apart."""
    import simdyn as sd
    from benchmarks.peers.simdyn_engine import solve
    from benchmarks.works import OVERDAMPED, PASSAGE, WORKS

    sd.escape_times, sd.displacement  # noqa: B018  loads the engine, which is no part of the first call
    problem = next((work.problem for work in WORKS if work.name == name), None)
    if problem is None:  # a neighbour: other records, the same kinds of loop
        for problem in (OVERDAMPED, PASSAGE):
            solve(problem._replace(dynamics=sd.SGD(0.005), noise=sd.ConstantNoise(100.0)), 64, 1, 1)
        return 0.0
    began = time.perf_counter()
    solve(problem, 64, 1, 1)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1])))  # noqa: T201
