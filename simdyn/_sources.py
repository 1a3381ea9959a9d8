"""Which source files decide what a simulation computes."""

import functools
import hashlib
import sys
import sysconfig
from pathlib import Path

_PACKAGE = Path(__file__).parent
_PHYSICS = ("_jit.py", "_bits.py", "_compilers.py", "_kernels.py", "model", "simulate")
_KERNELS = (*_PHYSICS, "_storage.py", "exact")  # a kernel's file is read as it was written


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


#: record type -> files outside of these sources that say something about it; under `object`, about every record
SAID_ELSEWHERE: dict[type, set[str]] = {}


@functools.cache
def is_fingerprinted(file: str | None) -> bool:
    """Whether a source file is one that the fingerprint sees."""
    if file is None:
        return False
    place = Path(file).resolve()
    return any(place == ours or ours in place.parents for ours in (_PACKAGE.resolve() / name for name in _KERNELS))


@functools.cache
def is_installed(file: str | None) -> bool:
    """Whether a module's file, None for one without, is the package's own, the standard library's or an installed library's."""
    if file is None or file.startswith("<frozen "):
        return True
    place = Path(file).resolve()
    if {"site-packages", "dist-packages"}.intersection(place.parts):
        return True
    theirs = (Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib"))
    return any(folder in place.parents for folder in (_PACKAGE.resolve(), *theirs))


def note_origin(record_types: tuple[type, ...], *files: str) -> None:
    """Remember which files say something about records, where the fingerprint does not see them."""
    for file in files:
        if not is_fingerprinted(file):
            for record_type in record_types:
                SAID_ELSEWHERE.setdefault(record_type, set()).add(file)


def is_fixed_by_fingerprint(record_type: type) -> bool:
    """Whether the fingerprint sees everything that a record type says and does."""
    module = sys.modules.get(record_type.__module__)
    ours = is_fingerprinted(getattr(module, "__file__", None))
    return ours and record_type not in SAID_ELSEWHERE and object not in SAID_ELSEWHERE
