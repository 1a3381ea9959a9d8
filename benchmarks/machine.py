"""Where it was measured."""

import os
import platform
from typing import Any

from benchmarks.contenders import versions_of


def processor() -> str:
    """Its name, where the system tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def vectors() -> str:
    """The widest vectors of double-precision numbers."""
    import llvmlite.binding

    features = llvmlite.binding.get_host_cpu_features()
    return next((name for flag, name in _VECTORS if features.get(flag)), "none known")


_VECTORS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sve", "SVE"), ("neon", "NEON"), ("sse2", "SSE2"))


def describe(packages: Any) -> dict[str, Any]:
    """Processor, threads, system, versions."""
    return {
        "processor": processor(),
        "vectors": vectors(),
        "processors": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": versions_of(packages),
    }


def load() -> float | None:
    """How busy the machine has been in the last minute, in processors; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
