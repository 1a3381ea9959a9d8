"""Records from a user's own file, named `module:Name` in a study: found, checked, and part of a cell's identity."""

import functools
import hashlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any

from simdyn._sources import SAID_ELSEWHERE, is_fingerprinted
from simdyn.model.records import REGISTRY, InvalidInput, unknown


def look_in(*places: Path) -> None:
    """Let modules be found in these folders too, before all others: a study's own and where the command was called."""
    for place in reversed(places):
        folder = str(place.resolve())
        if folder not in sys.path:
            sys.path.insert(0, folder)


def users_record(kind: str, name: str) -> Any:
    """The record class `module:Name` of a kind, or a finished record made there, such as an Expression.

    Raises InvalidInput, in one line, where there is none or it cannot be loaded.
    """
    module, _, attribute = name.partition(":")
    try:
        source = importlib.import_module(module)
    except ModuleNotFoundError as failure:
        if failure.name and module.split(".")[0] == failure.name.split(".")[0]:
            raise InvalidInput(
                f"{kind}.kind '{name}': there is no module {module} beside the study or where you are"
            ) from None
        raise InvalidInput(f"{kind}.kind '{name}': {module} needs {failure.name}, which is not installed") from None
    except Exception as failure:
        reason = " ".join(str(failure).split())
        raise InvalidInput(
            f"{kind}.kind '{name}': {module} fails to load: {type(failure).__name__}: {reason}"
        ) from None
    found = getattr(source, attribute, None)
    finished = found if isinstance(found, tuple) and hasattr(found, "_fields") else None
    found = found if finished is None else type(found)
    if not (isinstance(found, type) and hasattr(found, "_fields")):
        own = [key for key, value in vars(source).items() if isinstance(value, type) and hasattr(value, "_fields")]
        raise InvalidInput(f"{kind}.kind '{name}': {unknown('record', attribute, own or ['(it has none)'])}")
    kinds = [other for other, known in REGISTRY.items() if found in known.values()]
    if kinds and kind not in kinds:
        raise InvalidInput(f"{kind}.kind '{name}': {attribute} is not registered as a {kind}")
    return found if finished is None else finished


def users_sources(record: Any) -> dict[str, str]:
    """For a record, and those inside it, of which the package does not know all: hashes of the files it may depend on.

    These are its module's file, files that register a function for it, and every loaded module from the same folders or
    below them.
    """
    if not hasattr(record, "_fields"):
        return {}
    found = {name: source for field in record for name, source in users_sources(field).items()}
    kind = type(record)
    files = SAID_ELSEWHERE.get(kind, set()) | SAID_ELSEWHERE.get(object, set())
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is not None and not is_fingerprinted(file):
        files = {*files, file}
    for file in filter(os.path.isfile, files):  # what a formula has written is told by its text
        found |= _sources_beside(file)
    return found


def _sources_beside(file: str) -> dict[str, str]:
    found = {}
    folder = _resolved(file).parent
    installed = "site-packages" in folder.parts
    for name, loaded in sorted(sys.modules.items()):
        path = getattr(loaded, "__file__", None)
        if path and str(path).endswith(".py") and folder in _resolved(path).parents:
            if "site-packages" in _resolved(path).parts and not installed:
                continue  # of an environment that lies beside the user's file
            found[name] = _as_loaded(name, loaded, path)
    return found


def _as_loaded(name: str, module: Any, path: Any) -> str:
    """Hash of a module's source as it was when first seen: what is edited later does not run before it is loaded anew."""
    spec = getattr(module, "__spec__", None)
    if name not in _LOADED or _LOADED[name][0] is not spec:
        _LOADED[name] = spec, hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    return _LOADED[name][1]


_LOADED: dict[str, tuple[Any, str]] = {}  # by a module's name: the spec it was loaded by, which reloading makes anew


@functools.cache  # links are followed for hundreds of modules, by every cell
def _resolved(path: Any) -> Path:
    return Path(path).resolve()
