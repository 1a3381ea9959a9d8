"""Published batteries on the project's own bits, through a pipe: TestU01 (L'Ecuyer and Simard) and dieharder (Brown).

What a battery has found is kept in `results/random_numbers`, under a name that changes with the bits.
"""

import functools
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from checks.random_numbers.streams import ORDERS, VIEWS, Stream
from checks.random_numbers.verdicts import Result

HERE = Path(__file__).parent
KEPT = Path("results/random_numbers")
_LIBRARIES = (
    ["-ltestu01", "-ltestu01probdist", "-ltestu01mylib"],  # as Debian names them
    ["-ltestu01", "-lprobdist", "-lmylib"],  # as its authors do
)


def dieharder() -> list[str] | None:
    """The command that runs dieharder on a pipe, or None where it is not installed."""
    found = shutil.which("dieharder")
    return [found, "-a", "-g", "200"] if found else None


@functools.cache
def testu01() -> str | None:
    """The program that runs TestU01's small or crush on a pipe, compiled now; None where the library is not installed."""
    program = KEPT / "testu01"
    KEPT.mkdir(parents=True, exist_ok=True)
    for libraries in _LIBRARIES:
        source = [str(HERE / "testu01.c"), "-I/usr/include/testu01"]
        command = ["cc", "-O2", *source, "-o", str(program), *libraries, "-lm"]
        if shutil.which("cc") and subprocess.run(command, capture_output=True).returncode == 0:
            return str(program.resolve())
    return None


def read(output: str) -> list[tuple[str, float]]:
    """(test, p-value) of each line that has them: dieharder's `test|ntup|tsamples|psamples|p|verdict`, or `p, tab, test`."""
    found = []
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1].isdigit():
            found.append((f"{cells[0]} {cells[1]}", float(cells[4])))
        elif line.count("\t") == 1:
            p, test = line.split("\t")
            found.append((test, float(p)))
    return found


def kept(name: str, order: int, view: int, first: int = 0) -> Path:
    """Where a battery's findings on an order and view are kept; another place once the bits change."""
    words = Stream(ORDERS[order]._replace(first=first)).words()
    mark = zlib.crc32(list(VIEWS.values())[view](words).tobytes())
    return KEPT / f"{name}-{order}-{view}-{mark:08x}.txt"


def run(name: str, command: list[str], order: int, view: int, first: int = 0) -> list[Result]:
    """A battery's p-values on one order and view, from what has been kept if it is there."""
    place = kept(name, order, view, first)
    if not place.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        pour = [sys.executable, "-m", "checks.random_numbers.pour", str(order), str(view), str(first)]
        with subprocess.Popen(pour, stdout=subprocess.PIPE) as source:
            done = subprocess.run(command, stdin=source.stdout, capture_output=True, text=True, check=True)
            assert source.stdout is not None
            source.stdout.close()  # the source sees it, and ends
        place.with_suffix(".part").write_text(done.stdout)
        place.with_suffix(".part").replace(place)
    data = f"{name}: {ORDERS[order].name}, {list(VIEWS)[view]}"
    counted: dict[str, int] = {}
    results = []
    for test, p in read(place.read_text()):
        counted[test] = counted.get(test, 0) + 1
        results.append(Result(test if counted[test] == 1 else f"{test}, once more ({counted[test]})", data, p))
    return results
