"""What a user's function takes from around it: globals and closed-over values, through all that it calls.

Numba makes constants of them when it compiles, so that a global changed later, as in a notebook, would have no effect.
"""

import dis
import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np

from simdyn._sources import is_installed

#: Instead of a hash, where something has a value that cannot be told from another.
UNKNOWN = "unknown"


class Surroundings:
    """What a function uses, and all that it calls in turn.

    `values` holds name -> hash: numbers, words, arrays, records and containers of them are told by their values, functions
    by their code, what the package or an installed library brings along by its name; UNKNOWN is what cannot be followed.
    `helpers` are the functions among them that Numba compiles on their own, once; `kept` names those that it keeps on disk.
    """

    def __init__(self, function: Callable) -> None:
        self.values: dict[str, str] = {}
        self.helpers: list[Callable] = []
        self.kept: list[str] = []
        self._seen: set[int] = set()
        self._read(getattr(function, "__name__", "function"), function, frozenset())

    def _read(self, name: str, thing: Any, asked: frozenset[str]) -> None:
        """Note what a name stands for; `asked` are the attributes that whoever uses it may ask it for."""
        if isinstance(compiled := getattr(thing, "py_func", None), types.FunctionType):
            self.helpers.append(compiled)
            if _is_kept(thing):
                self.kept.append(name)
            thing = compiled
        elif not isinstance(thing, types.FunctionType):
            thing = getattr(thing, "__wrapped__", thing)  # as functools.cache leaves it
        if isinstance(thing, types.FunctionType) and not is_installed(thing.__code__.co_filename):
            if id(thing) not in self._seen:
                self._seen.add(id(thing))
                self._function(name, thing)
        elif isinstance(thing, (types.ModuleType, type)) and not _is_theirs(thing) and not hasattr(thing, "_fields"):
            self.values[name] = _hash(thing.__name__)
            for attribute in sorted(asked & vars(thing).keys()):
                self._read(f"{name}.{attribute}", vars(thing)[attribute], asked)
        elif (
            isinstance(thing, (types.ModuleType, type))
            or callable(thing)
            and hasattr(thing, "__name__")
            and _is_theirs(thing)
        ):
            self.values[name] = _hash(f"{_module_of(thing)}.{thing.__name__}")
        else:
            try:
                told = _told(thing)
            except RecursionError:  # a list that contains itself
                told = None
            self.values[name] = UNKNOWN if told is None else _hash(told)

    def _function(self, name: str, function: types.FunctionType) -> None:
        codes = list(_codes(function.__code__))
        self.values[name] = _hash(repr([(code.co_code, _constants(code), code.co_names) for code in codes]))
        named = [_names(code) for code in codes]
        values = {key: function.__globals__[key] for used, _ in named for key in used if key in function.__globals__}
        asked = frozenset(attribute for _, attributes in named for attribute in attributes)
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                values[variable] = cell.cell_contents
            except ValueError:  # not bound yet
                continue
        values |= {f"{name}'s defaults": function.__defaults__} if function.__defaults__ else {}
        for key in sorted(values):
            self._read(key, values[key], asked)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


@functools.cache
def _names(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The globals that a function uses, and the attributes it asks anything for: a record's field may be called as a global."""
    used, asked = set(), set()
    for instruction in dis.get_instructions(code):
        if "GLOBAL" in instruction.opname or instruction.opname == "LOAD_NAME":
            used.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
            asked.add(instruction.argval)
    return frozenset(used), frozenset(asked)


def _constants(code: types.CodeType) -> list[str]:
    return [_told(each) or repr(each) for each in code.co_consts if not isinstance(each, types.CodeType)]


def _is_theirs(thing: Any) -> bool:
    """Whether a module, class or function is the package's, Python's or an installed library's."""
    module = thing if isinstance(thing, types.ModuleType) else sys.modules.get(getattr(thing, "__module__", None) or "")
    return module is not None and module.__name__ != "__main__" and is_installed(getattr(module, "__file__", None))


def _is_kept(dispatcher: Any) -> bool:
    return type(getattr(dispatcher, "_cache", None)).__name__ == "FunctionCache"  # cache=True


def _module_of(thing: Any) -> str:
    return str(getattr(thing, "__module__", "")).partition("@")[0]  # whatever the folder of a user's module


def _told(value: Any) -> str | None:
    """A value in words that tell it from every other; None where there are none."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, range, Fraction, Decimal)):
        return repr(value)
    if isinstance(value, PurePath):
        return f"path {value.name}"  # wherever it is on this machine
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        return f"{value.dtype.str} {np.shape(value)} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    elif isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    elif not isinstance(value, (tuple, list)):
        return None
    parts = [_told(part) for part in value]
    return None if None in parts else f"{type(value).__name__}{parts}"


def _hash(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:16]
