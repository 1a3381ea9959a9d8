"""Records from a user's own file, named `module:Name` in a study: found, checked, and part of a cell's identity."""

import contextlib
import hashlib
import importlib
import itertools
import os
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from simdyn._sources import SAID_ELSEWHERE, is_fingerprinted
from simdyn._surroundings import UNKNOWN
from simdyn.model.records import REGISTRY, InvalidInput, unknown
from simdyn.study.followed import hashes_of
from simdyn.study.modules import file_of, load, marked, unmarked
from simdyn.study.schema import StudyFile

_FOLDERS: ContextVar[tuple[Path, ...]] = ContextVar("folders", default=())


@contextlib.contextmanager
def looking_in(*folders: Path | None) -> Iterator[None]:
    """Meanwhile modules are looked for in these folders, a study's own and where the command was called, in their order."""
    before = _FOLDERS.set(tuple(folder for folder in folders if folder is not None))
    try:
        yield
    finally:
        _FOLDERS.reset(before)


def names_of_users(tables: Any, field: str = "") -> list[str]:
    """All `module:Name` that a study's tables name as a kind of record, in their order."""
    if isinstance(tables, dict):
        return [name for key, inner in tables.items() for name in names_of_users(inner, key.rpartition(".")[2])]
    if isinstance(tables, (list, tuple)):
        return [name for inner in tables for name in names_of_users(inner, field)]
    return [tables] if field == "kind" and isinstance(tables, str) and ":" in tables else []


def code_of(study: StudyFile) -> dict[str, Path]:
    """The files of the modules that a study names, by the modules' names, found without running anything.

    Raises InvalidInput, with a line for each, for modules that are not there or that are Python's own.
    """
    found, missing = code_there(study)
    if missing:
        raise InvalidInput(*missing)
    return found


def code_there(study: StudyFile) -> tuple[dict[str, Path], list[str]]:
    """As `code_of`, and what is wrong with the modules that cannot be loaded, instead of raising it."""
    found, missing = {}, list[str]()
    with looking_in(study.folder, Path.cwd()):
        for name in names_of_users(study.model_dump()):
            try:
                found[_module(name)] = _place("kind", name)[1]
            except InvalidInput as failure:
                missing += failure.lines
    return found, list(dict.fromkeys(missing))


def hashes_of_code(study: StudyFile) -> dict[str, str]:
    """Hashes of the modules that a study names and of what they depend on; nothing is run. See `followed.hashes_of`."""
    with looking_in(study.folder, Path.cwd()):
        places = [(_module(name), _place("kind", name)) for name in names_of_users(study.model_dump())]
    return hashes_of((marked(folder, module) if folder else module, file) for module, (folder, file) in places)


def _module(name: str) -> str:
    return name.partition(":")[0]


def _place(kind: str, name: str) -> tuple[Path | None, Path]:
    """The folder that serves a user's module, None for an installed one, and its file or its package's."""
    module = _module(name)
    for folder in _FOLDERS.get():
        if (file := file_of(folder, module)) is not None:
            return folder, file
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        raise InvalidInput(f"{kind} '{name}': {module} is of Python's own library, which has no records")
    if (loaded := sys.modules.get(module)) is not None:
        return None, Path(getattr(loaded, "__file__", None) or module)
    if (file := _installed_file(module)) is None:
        raise InvalidInput(f"{kind} '{name}': there is no module {module} beside the study or where you are")
    return None, file


def _installed_file(module: str) -> Path | None:
    """The file of a module that an import statement would find; packages around it are not loaded."""
    parts, spec, places = module.split("."), None, None
    for n, part in enumerate(parts):
        spec = PathFinder.find_spec(".".join(parts[: n + 1]), places) if part else None
        if spec is None:
            return None
        places = spec.submodule_search_locations or []
    return None if spec is None else Path(spec.origin or parts[-1])


def _load(kind: str, name: str) -> ModuleType:
    """The module of `module:Name`, as its code makes it; raises InvalidInput where it cannot be loaded."""
    module = _module(name)
    folder, _ = _place(kind, name)
    try:
        return importlib.import_module(module) if folder is None else load(folder, module)
    except ModuleNotFoundError as failure:
        missing = unmarked(failure.name or "")
        if module == missing or module.startswith(f"{missing}."):
            raise InvalidInput(
                f"{kind} '{name}': there is no module {module} beside the study or where you are"
            ) from None
        raise InvalidInput(
            f"{kind} '{name}': {module} needs {missing}, which is neither beside it nor installed"
        ) from None
    except Exception as failure:
        reason = " ".join(str(failure).split())
        raise InvalidInput(f"{kind} '{name}': {module} fails to load: {type(failure).__name__}: {reason}") from None


def users_record(kind: str, name: str) -> Any:
    """The record class `module:Name` of a kind, or a finished record made there, such as an Expression.

    Raises InvalidInput, in one line, where there is none or it cannot be loaded.
    """
    source, attribute = _load(f"{kind}.kind", name), name.partition(":")[2]
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


def users_sources(*records: Any) -> dict[str, str]:
    """For records, and those inside them, of which the package does not know all: hashes of what they may depend on.

    These are their modules' files, files that register a function for them, all that these import or say they read, and,
    under a record's name, its functions with the globals that they use. Warns (ModelWarning) of what cannot be followed.
    """
    found: dict[str, set[str]] = {}
    for name, its_hash in itertools.chain.from_iterable(map(_sources_of, records)):
        found.setdefault(name, set()).add(its_hash)
    return {name: "+".join(sorted(both)) for name, both in sorted(found.items())}


def _sources_of(record: Any) -> Iterator[tuple[str, str]]:
    if not hasattr(record, "_fields"):
        return
    for field in record:
        yield from _sources_of(field)
    kind = type(record)
    if kind.__module__ == "<formula>":  # what a formula has written is told by its text
        return
    files = SAID_ELSEWHERE.get(kind, set()) | SAID_ELSEWHERE.get(object, set())
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is not None and not is_fingerprinted(file):
        files = {*files, file}
    modules = [(_module_at(file), Path(file)) for file in sorted(filter(os.path.isfile, files))]
    yield from hashes_of(modules).items()
    if functions := _functions_hash(kind):
        yield kind.__qualname__, functions


def _module_at(file: str) -> str:
    """The name of the module that has been loaded from a file."""
    named = (name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None) == file)
    return next(named, Path(file).stem)


def _functions_hash(kind: type) -> str | None:
    """Hash of what a user's functions for a record type say and use; None if there are none."""
    from simdyn._jit import surroundings_of
    from simdyn.model.vetting import ModelWarning

    found = {}
    for function, around in surroundings_of(kind).items():
        found[function] = sorted(around.values.items())
        if lost := [name for name, value in around.values.items() if value == UNKNOWN]:
            warnings.warn(
                f"{kind.__qualname__}: its {function} uses {', '.join(lost)}, a change of which will not be noticed:"
                " it is no number, word, array or record",
                ModelWarning,
                stacklevel=2,
            )
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16] if found else None
