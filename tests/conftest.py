"""What the tests share: the seed, and how to run a program in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Before NumPy is loaded: tests run side by side, and threads of linear algebra that wait for a processor spin.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

HERE = Path(__file__).parent
SEED = int(os.environ.get("SIMDYN_TEST_SEED", "1"))


@pytest.fixture(scope="session")
def seed():
    """The seed of statistical tests; another one by SIMDYN_TEST_SEED."""
    return SEED


@pytest.fixture(scope="session")
def run_python():
    """Run a program in a fresh process that sees the package and this directory; returns what it printed."""

    def run(program, *arguments, package=HERE.parent, also=(), **environment):
        path = os.pathsep.join(str(place) for place in [package, HERE, *also])
        # PYTHONSAFEPATH keeps the current directory, and with it another copy of the package, out of the way.
        variables = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **environment}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
            env=variables, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
