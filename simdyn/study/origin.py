"""Who made a result: versions, machine and time, kept with every cell."""

import platform
import time
from functools import cache
from importlib.metadata import version
from typing import Any

from simdyn import __version__
from simdyn._sources import physics_fingerprint


def origin() -> dict[str, Any]:
    """The versions and the machine of this process, and the time (UTC), as plain JSON."""
    return {"written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **_versions()}


@cache
def _versions() -> dict[str, Any]:
    packages = {name: version(name) for name in ("numpy", "scipy", "numba")}
    return {
        "versions": {
            "simdyn-lab": __version__,
            "physics": physics_fingerprint(),
            "python": platform.python_version(),
            **packages,
        },
        "machine": {"system": platform.system(), "processor": platform.machine()},
    }
