"""The files that a user's module depends on: those it imports, wherever they lie, and those it says it reads.

Nothing is run: sources are read, and an import statement anywhere in one is followed to the file that it means, unless that
is Python's own or an installed library's. Files of data are named by a line `DEPENDS_ON = ["data.csv"]`, their paths
relative to the module's.
"""

import ast
import hashlib
import importlib.util
import sys
import warnings
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from simdyn._sources import is_installed
from simdyn.model.records import InvalidInput
from simdyn.study.modules import LOADED, file_of, folder_of, marked, serves, unmarked

_COMPUTED_IMPORTS = {"import_module", "__import__", "run_path", "run_module", "spec_from_file_location"}
#: Of what a module reads while it loads, its functions use the values, which are seen; not so of what they read themselves.
_READERS = {"open", "loadtxt", "genfromtxt", "fromfile", "memmap", "read_text", "read_bytes", "read_csv"}


class _Source(NamedTuple):
    """What a file of code says of others."""

    hash: str
    imports: tuple[str, ...]
    data: tuple[tuple[str, str], ...]  # name, hash


def hashes_of(modules: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """Name -> hash of the modules given, by name and file, of all that they import in turn, and of the data they name.

    A module that is loaded has the hash of its source as it was then. Raises InvalidInput for data that are not there;
    warns (ModelWarning) of imports by a name that only the code knows.
    """
    found: dict[str, set[str]] = {}
    seen: set[Path] = set()
    waiting = list(modules)
    while waiting:
        name, path = waiting.pop()
        path = path.resolve()
        if path in seen or not path.is_file():  # as of a notebook's module, which has none
            continue
        seen.add(path)
        source = _read(name, path)
        for told, its_hash in ((unmarked(name), source.hash), *source.data):
            found.setdefault(told, set()).add(its_hash)
        for imported in source.imports:
            waiting += _files(imported, name, path)
    return {name: "+".join(sorted(both)) for name, both in sorted(found.items())}


def _files(imported: str, name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The user's files that run where the module `name` imports another, packages around it first."""
    folder, parts = folder_of(name), imported.split(".")
    prefixes = [".".join(parts[: n + 1]) for n in range(len(parts))]
    if folder is not None and serves(folder, imported):
        prefixes = [marked(folder, prefix) for prefix in prefixes]
    elif parts[0] == "simdyn" or parts[0] in sys.stdlib_module_names:
        return
    for prefix in prefixes:
        file = _place(prefix)
        ours = parts[0] == name.partition(".")[0]  # of the same package, which may be an installed one
        if file is not None and (ours or not is_installed(file)):
            yield prefix, Path(file)


def _place(module: str) -> str | None:
    """The file of a module by its name in `sys.modules`, loaded or not."""
    if (loaded := sys.modules.get(module)) is not None:
        return getattr(loaded, "__file__", None)
    if (folder := folder_of(module)) is not None:
        file = file_of(folder, unmarked(module))
        return None if file is None else str(file)
    parent = module.rpartition(".")[0]
    inside = getattr(sys.modules.get(parent), "__path__", None)
    if parent and inside is None:
        return None
    spec = PathFinder.find_spec(module, inside)
    return spec.origin if spec is not None and spec.has_location else None


# A module's name -> the spec that it was loaded by, which loading it again makes anew, and its source as it was then.
_READ: dict[str, tuple[Any, _Source]] = {}


def _read(name: str, path: Path) -> _Source:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        return _source(name, path.read_bytes(), path, None)
    if name not in _READ or _READ[name][0] is not spec:
        _READ[name] = spec, _source(name, path.read_bytes(), path, LOADED.get(path))
    return _READ[name][1]


def _source(name: str, content: bytes, path: Path, as_loaded: str | None) -> _Source:
    try:
        tree = ast.parse(content) if path.suffix == ".py" else ast.Module([], [])
    except (SyntaxError, ValueError):  # a module that has been loaded was none of those
        tree = ast.Module([], [])
    data = tuple(
        (given, _hash_of_data(unmarked(name), path.parent / given)) for given in _declared(unmarked(name), tree)
    )
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = tuple(dict.fromkeys(_imports(unmarked(name), package, tree, warn=not data)))
    return _Source(as_loaded or hashlib.sha256(content).hexdigest()[:16], imports, data)


def _imports(told: str, package: str, tree: ast.Module, warn: bool) -> Iterator[str]:
    """The names of all modules that a source imports, and of what it takes from them; `warn` of what its text does not tell."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    later = {id(inner) for node in ast.walk(tree) if isinstance(node, functions) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                origin = importlib.util.resolve_name("." * node.level + origin, package) if package else origin
            yield from (origin, *(f"{origin}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in _COMPUTED_IMPORTS and isinstance(given := next(iter(node.args), None), ast.Constant):
                yield str(given.value)
            elif warn and called in _COMPUTED_IMPORTS:
                _warn_of(told, f"line {node.lineno} imports")
            elif warn and called in _READERS and id(node) in later:
                _warn_of(told, f"line {node.lineno} reads")


def _warn_of(told: str, what: str) -> None:
    from simdyn.model.vetting import ModelWarning

    words = 'is not known from its text, and an edit there will not be noticed; name the files: DEPENDS_ON = ["file"]'
    warnings.warn(f"{told}: what {what} {words}", ModelWarning, stacklevel=2)


def _declared(told: str, tree: ast.Module) -> list[str]:
    """The names in a module's line DEPENDS_ON = [...]."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "DEPENDS_ON" for target in targets):
            try:
                names = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError):
                names = None
            if not (isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)):
                raise InvalidInput(
                    f'{told}: DEPENDS_ON must be a list of files as it stands there, such as ["data.csv"]'
                )
            return list(names)
    return []


def _hash_of_data(told: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as failure:
        raise InvalidInput(f"{told}: DEPENDS_ON: {path} cannot be read: {failure.strerror}") from None
