"""A user's modules, loaded by their paths: the folder they lie in serves them, and nobody else.

A folder on `sys.path` would serve everybody: a `matplotlib.py` beside a study would run instead of the library, and of two
folders with a `physics.py` each, one would serve both. So a module `physics` of a folder is called `physics@1a2b3c4d` where
Python keeps modules, after its folder, and an import statement in it looks there for what lies beside it.
"""

import builtins
import hashlib
import importlib
import re
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

_FOLDERS: dict[str, Path] = {}  # by the mark that the names of their modules carry

#: Path of a source file -> hash of what was loaded from it, which an edit since then does not change.
LOADED: dict[Path, str] = {}


def file_of(folder: Path, name: str) -> Path | None:
    """The file of the module `name` of a folder, found without running anything; None if there is none."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    place = folder.joinpath(*name.split("."))
    beside = (place.with_name(place.name + ending) for ending in (".py", *EXTENSION_SUFFIXES))
    return next((file for file in (place / "__init__.py", *beside) if file.is_file()), None)


def load(folder: Path, name: str) -> ModuleType:
    """The module `name` of a folder, loaded once however often it is asked for; raises what its code raises."""
    return importlib.import_module(marked(folder, name))


def marked(folder: Path, name: str) -> str:
    """What a module of a folder is called in `sys.modules`."""
    folder = folder.resolve()
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    _FOLDERS[mark] = folder
    top, dot, rest = name.partition(".")
    return f"{top}@{mark}{dot}{rest}"


def unmarked(name: str) -> str:
    """What a module, or something whose name begins with its module's, is called by its user."""
    return re.sub("@[0-9a-f]{8}", "", name)


def folder_of(name: str) -> Path | None:
    """The folder that serves a module of this name in `sys.modules`; None for those that Python finds by itself."""
    return _FOLDERS.get(name.partition(".")[0].partition("@")[2])


def serves(folder: Path, name: str) -> bool:
    """Whether a folder's own modules mean one of its own by `name`."""
    top = name.partition(".")[0]
    if top == "simdyn":
        return False
    return file_of(folder, top) is not None or ((folder / top).is_dir() and PathFinder.find_spec(top) is None)


def _import_for(folder: Path) -> Callable:
    """What an import statement does in the modules of a folder."""

    def import_(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
        if level == 0 and serves(folder, name):
            name = marked(folder, name)
        return builtins.__import__(name, globals, locals, fromlist, level)

    return import_


class _Loader(SourceFileLoader):
    """Runs the source as it stands there, not what Python has kept of an earlier one."""

    def get_code(self, fullname: str) -> Any:
        source = self.get_data(self.path)
        LOADED[Path(self.path)] = hashlib.sha256(source).hexdigest()[:16]
        return self.source_to_code(source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        folder = folder_of(module.__name__)
        assert folder is not None
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": _import_for(folder)}
        super().exec_module(module)


class _Extension(ExtensionFileLoader):
    """Machine code, which goes by the name that it was compiled with."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return super().create_module(ModuleSpec(unmarked(spec.name), self, origin=self.path))


class _Finder:
    """Finds the modules of users' folders."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if (folder := folder_of(name)) is None:
            return None
        file, place = file_of(folder, unmarked(name)), folder.joinpath(*unmarked(name).split("."))
        if file is None and place.is_dir():
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        if file is None:
            return None
        loader: Any = (_Loader if file.suffix == ".py" else _Extension)(name, str(file))
        return spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=[str(place)] if file.name == "__init__.py" else None
        )


# Before the others: what a package of a folder contains they would find too, and load as everybody's.
sys.meta_path.insert(0, _Finder)
