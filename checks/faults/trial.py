"""One small study, how it is run, and how a run is judged against an undisturbed one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result

from simdyn.cli import main
from simdyn.study.store import UNFINISHED, Store

LONGEST = 300.0  # seconds that a run may take before it counts as hanging

STUDY = """title = "Two series, for harm to be done to"
claim = "log tau grows as k^-1 for SGD."
measure = "escape"

[landscape]
kind = "Sharpened"
landscape = { kind = "DoubleWell", barrier = 1.0, width = 1.0 }
sharpness = 1.0

[noise]
kind = "FrozenNoise"
batch_size = 1.0

[ensemble]
particles = 500
seed = 1
exit = 1.0

[[series]]
name = "small steps"
dynamics = { kind = "SGD", learning_rate = 0.04 }
sweep = { "landscape.sharpness" = [1.0, 1.1, 1.2, 1.35, 1.5, 1.65] }

[[series]]
name = "large steps"
dynamics = { kind = "SGD", learning_rate = 0.05 }
sweep = { "landscape.sharpness" = [1.0, 1.1, 1.2, 1.35, 1.5, 1.65] }

[[claims]]
name = "SGD"
says = "SGD: log tau = 2 B dL/(eta H_ae k)"
test = "exponent"
series = "small steps"
tolerance = 0.2
rule = "agrees if |A/theory - 1| plus half its interval is below 20 % and the free power's interval leaves out the rival"
correction = "corrected: theory's prefactor"
options = { variable = "landscape.sharpness", power = -1.0, rival = -0.5 }

[figure]
kind = "exponent"
"""


class Count:
    """How often something was tried, how often it held, and what failed, with how to repeat it."""

    def __init__(self, name: str) -> None:
        self.name, self.tried, self.held = name, 0, 0
        self.failed: list[str] = []
        self.notes: list[str] = []

    def add(self, repeat: str, troubles: list[str], times: int = 1) -> None:
        """`times` attempts, judged together."""
        self.tried += times
        self.held += 0 if troubles else times
        self.failed += [f"{self.name}, {repeat}: {trouble}" for trouble in troubles]


class Undisturbed(NamedTuple):
    """A study, the kernel cache that its runs share, and what it gives when nothing goes wrong."""

    study: Path
    cache: Path
    place: Path
    csv: bytes
    shown: str
    seconds: float


def start(study: Path, cache: Path, place: Path, prepare: Callable[[], None] | None = None) -> subprocess.Popen:
    """A run of the study into a place, in a group of processes of its own."""
    command = [sys.executable, "-m", "simdyn", *arguments("run", study, place)]
    pipes: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        command, env={**os.environ, "SIMDYN_CACHE_DIR": str(cache)}, start_new_session=True, preexec_fn=prepare, **pipes
    )


def arguments(command: str, study: Path, place: Path) -> list[str]:
    """The words of the command line."""
    words = [command, str(study), "--results", str(place / "results")]
    return words if command == "show" else [*words, "--figures", str(place / "figures"), *_MORE[command]]


_MORE = {"run": ["--workers", "1", "--quiet"], "clean": ["--yes"]}


def here(command: str, study: Path, place: Path) -> Result:
    """A command in this process, which saves it the start."""
    return CliRunner().invoke(main, arguments(command, study, place))


def undisturbed(study: Path, cache: Path, place: Path, compiled: bool = False) -> Undisturbed:
    """What the study gives; its time is that of a run with kernels that are there already, `compiled` or made first."""
    if not compiled:
        told(start(study, cache, place / "first"))
    began = time.monotonic()
    if troubles := told(start(study, cache, place / "second")):
        raise RuntimeError(f"the study does not run even undisturbed: {troubles[0]}")
    seconds = time.monotonic() - began
    csv = (place / "second/results" / f"{study.stem}.csv").read_bytes()
    shown = here("show", study, place / "second").stdout
    return Undisturbed(study, cache, place / "second", csv, shown, seconds)


def told(process: subprocess.Popen) -> list[str]:
    """What is wrong with how a run has ended that should have gone well."""
    try:
        _, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [f"still running after {LONGEST:g} s"]
    return ending(process.returncode, err)


def ending(code: int, err: str) -> list[str]:
    """What is wrong with an exit code and what was said, where all should have gone well."""
    wrong = ["a traceback"] if "Traceback" in err or "internal error" in err else []
    last = err.strip().splitlines()[-1:] or ["nothing said"]
    return wrong + ([f"ended by signal {-code}"] if code < 0 else [f"exit code {code}: {last[0]}"] if code else [])


def refusal(code: int, err: str) -> list[str]:
    """What is wrong with how a run was refused: it should be one line, and an exit code that is not 0."""
    wrong = ending(0, err)
    lines = [line for line in err.splitlines() if line.strip()]
    if code <= 0:
        wrong.append(f"exit code {code} instead of a refusal")
    return wrong if len(lines) == 1 else [*wrong, f"{len(lines)} lines instead of one: {' / '.join(lines)}"]


def table(whole: Undisturbed, place: Path) -> list[str]:
    """What is wrong with the table of results in a place: it should be that of the undisturbed run, byte for byte."""
    path = place / "results" / f"{whole.study.stem}.csv"
    if not path.exists():
        return ["no CSV"]
    return [] if path.read_bytes() == whole.csv else ["another CSV"]


def half_written(place: Path) -> list[str]:
    """Stored cells that are not as they were written."""
    store = Store(place / "results/cells")
    for path in store.directory.glob("*/*.json"):
        store.get(path.stem)
    return [f"cell {key} is damaged" for key in store.damaged]


def unfinished(place: Path) -> list[Path]:
    """Files that a run has begun to write."""
    return sorted(place.rglob(f"{UNFINISHED}*"))
