"""Which source files decide what a simulation computes, and where kernels compiled from them are kept."""

import functools
import hashlib
import os
import platform
import tempfile
import time
from pathlib import Path

_PACKAGE = Path(__file__).parent
_PHYSICS = ("_jit.py", "model", "simulate")
_KERNELS = (*_PHYSICS, "exact")
_UNUSED_AFTER = 30 * 24 * 3600.0


@functools.cache
def physics_fingerprint() -> str:
    """Hash of every source file that decides what a simulation computes: sixteen hexadecimal digits."""
    return _fingerprint(_PHYSICS)


@functools.cache
def kernel_fingerprint() -> str:
    """Hash of every source file that a compiled kernel can depend on, exact methods' too."""
    return _fingerprint(_KERNELS)


def _fingerprint(names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        place = _PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def kernel_cache_directory() -> Path:
    """Where compiled kernels are kept: $SIMDYN_CACHE_DIR, or the user's cache directory, by source hash."""
    root = os.environ.get("SIMDYN_CACHE_DIR")
    if root is None:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "simdyn")
    directory = Path(root) / "kernels" / f"{kernel_fingerprint()}-{platform.machine()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.touch()
        _remove_unused(directory.parent)
    except OSError:
        directory = Path(tempfile.mkdtemp(prefix="simdyn-kernels-"))
    return directory


def _remove_unused(parent: Path) -> None:
    """Delete the kernels of sources that no process has asked for in a month."""
    for directory in parent.iterdir():
        if time.time() - directory.stat().st_mtime > _UNUSED_AFTER:
            for path in directory.iterdir():
                path.unlink(missing_ok=True)
            directory.rmdir()
