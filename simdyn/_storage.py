"""A folder of the user's own for compiled kernels. Loading a kernel runs what its file says, so nothing is read that
somebody else may have written, or that is not as it was written."""

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import warnings
from pathlib import Path

from simdyn._sources import kernel_fingerprint

_UNUSED_AFTER = 30 * 24 * 3600.0
_ABANDONED_AFTER = 24 * 3600.0
_UNFINISHED = ".unfinished-"
# Through no link, and without waiting for a pipe; systems have some of these or others.
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_CHECKSUM = hashlib.sha256().digest_size


class KernelCacheWarning(UserWarning):
    """Compiled kernels are not kept where they should be, or one that was kept is of no use: it is compiled anew."""


@functools.cache
def kernel_cache_directory() -> Path | None:
    """Where compiled kernels are kept, by source hash: under $SIMDYN_CACHE_DIR, or in the user's cache directory.

    Where that cannot be written, or others can write to it, KernelCacheWarning says so, and a folder of the user's own
    below the system's temporary one takes its place; None where there is no such folder either.
    """
    root = os.environ.get("SIMDYN_CACHE_DIR")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "simdyn")
    owner = os.geteuid() if hasattr(os, "geteuid") else "kernels"
    spare = Path(tempfile.gettempdir()) / f"simdyn-{owner}"
    directory, reason = _private_folder(Path(root).absolute())
    if directory is None:
        directory, _ = _private_folder(spare)
        instead = f"they are kept in {spare}" if directory else "none are kept, and every process compiles its own"
        _tell(f"compiled kernels are not kept in {root}: {reason}; {instead}")
    return directory


def _private_folder(root: Path) -> tuple[Path | None, str]:
    """The folder for kernels of these sources below `root`, made if need be; or None and what is wrong with it."""
    folders = (root, root / "kernels", root / "kernels" / f"{kernel_fingerprint()}-{platform.machine()}")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            # A link to a folder of the user's own is the user's doing, but in a folder for everybody it may be anybody's.
            status = folder.lstat() if folder.parent == Path(tempfile.gettempdir()) else folder.stat()
            if (reason := _not_private(status)) is not None:
                return None, f"{folder} {reason}"
        if not os.access(folders[-1], os.W_OK | os.X_OK):
            return None, f"{folders[-1]} cannot be written"
        os.utime(folders[-1])
    except OSError as failure:
        return None, f"{failure.filename}: {failure.strerror}"
    _remove_unused(folders[1], folders[2])
    return folders[-1], ""


def _not_private(status: os.stat_result) -> str | None:
    """How others may have a say in a file or folder, in words; None where the system knows no owners."""
    if not hasattr(os, "geteuid"):
        return None
    if stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid():
        return "belongs to somebody else"
    return "can be written by others (chmod go-w)" if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else None


def _remove_unused(parent: Path, current: Path) -> None:
    """Delete the kernels of sources that no process has asked for in a month, and what killed processes have left unfinished.

    What else lies there is left alone.
    """
    now = time.time()
    with contextlib.suppress(OSError):  # another process may be at it too
        for directory in parent.iterdir():
            status = directory.lstat()
            ours = re.fullmatch(r"[0-9a-f]{16}-\w+", directory.name) and stat.S_ISDIR(status.st_mode)
            if ours and now - status.st_mtime > _UNUSED_AFTER:
                shutil.rmtree(directory, ignore_errors=True)
        for file in current.glob(f"{_UNFINISHED}*"):
            if now - file.lstat().st_mtime > _ABANDONED_AFTER:
                file.unlink(missing_ok=True)


def read_private(path: Path) -> bytes | None:
    """What `write_private` has written to a file; None, with a warning, where it is damaged or may be somebody else's."""
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as failure:
        _tell(f"{path}: {failure.strerror}; the kernel is compiled anew")
        return None
    try:
        status = os.fstat(handle)
        reason = _not_private(status) if stat.S_ISREG(status.st_mode) else "is no file"
        if reason is None:
            data = b"".join(iter(lambda: os.read(handle, 2**24), b""))
            if _checksum(path, data[_CHECKSUM:]) == data[:_CHECKSUM]:
                return data[_CHECKSUM:]
            reason = "is damaged"
    except OSError as failure:
        reason = f"cannot be read: {failure.strerror}"
    finally:
        os.close(handle)
    _tell(f"{path} {reason}; the kernel is compiled anew")
    return None


def write_private(path: Path, content: bytes) -> bool:
    """Write a file that only the user may read and write, whole or not at all, with a checksum; whether that went well."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
        with os.fdopen(handle, "wb") as file:
            file.write(_checksum(path, content) + content)
        os.replace(temporary, path)
    except OSError as failure:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        _tell(f"{path}: cannot be written: {failure.strerror}; the next process compiles the kernel anew")
        return False
    return True


def _checksum(path: Path, content: bytes) -> bytes:
    """Of the name too: another kernel's file, whole as it is, would be wrong in this one's place."""
    return hashlib.sha256(path.name.encode() + b"\0" + content).digest()


def tell_useless(path: Path, failure: Exception) -> None:
    """Warn of a file that is whole but cannot be loaded."""
    _tell(f"{path} cannot be loaded ({type(failure).__name__}); the kernel is compiled anew")


def _tell(words: str) -> None:
    warnings.warn(" ".join(words.split()), KernelCacheWarning, stacklevel=2)
