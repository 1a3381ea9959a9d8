"""Results on disk: one file per finished cell, written whole or not at all, with a checksum of its key and content."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from simdyn.model.records import InvalidInput

UNFINISHED = ".unfinished-"  # how names of files begin that are being written


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there complete or not at all, even if the machine stops half-way.

    Raises InvalidInput, in one line, when the disk is full or the place cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as failure:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise InvalidInput(f"{path}: cannot be written: {failure.strerror}") from None


class Store:
    """Finished cells by key. A key is a hash of everything that determines the content."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.damaged: list[str] = []

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"

    def __contains__(self, key: str) -> bool:
        """Whether something is stored under `key`, damaged or not."""
        return self._path(key).exists()

    def get(self, key: str) -> Any:
        """The content stored under `key`; None if there is none or it is damaged, which is noted in `damaged`.

        Raises InvalidInput where it may not be read.
        """
        try:
            checksum, _, body = self._path(key).read_text(encoding="utf-8").partition("\n")
        except FileNotFoundError:
            return None
        except PermissionError as failure:
            raise InvalidInput(f"{failure.filename}: cannot be read: {failure.strerror}") from None
        except (OSError, UnicodeDecodeError):
            self.damaged.append(key)
            return None
        if _checksum(key, body) != checksum:
            self.damaged.append(key)
            return None
        return json.loads(body)

    def put(self, key: str, content: Any) -> None:
        """Store JSON content under `key`."""
        body = json.dumps(content, allow_nan=True)
        write_whole(self._path(key), _checksum(key, body) + "\n" + body)


def _checksum(key: str, body: str) -> str:
    """Of the key too: the content of another cell, whole as it is, would be wrong here."""
    return hashlib.sha256(f"{key}\n{body}".encode()).hexdigest()
