"""Python in a fresh process, with a kernel cache of one's own: what start-up and memory have to be measured in."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def run(arguments: list[str], cache: Path) -> tuple[float, str]:
    """Seconds that `python arguments` takes from start to end, and what it prints."""
    environment = {**os.environ, "SIMDYN_CACHE_DIR": str(cache)}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
    return seconds, done.stdout


def answer(arguments: list[str], cache: Path) -> Any:
    """The JSON that `python arguments` prints last."""
    return json.loads(run(arguments, cache)[1].strip().splitlines()[-1])
