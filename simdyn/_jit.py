"""What the rest of the project knows of Numba.

`generic`, a function that dispatches on the type of its first argument both in Python and in compiled code; `kernel`,
`inlined` and their kin, the only decorators that compile; and views of a point. `_compilers` says how they compile, `_kernels`
where compiled kernels are kept.
"""

import functools
import inspect
import linecache
import operator
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numba
from numba.core import config, types
from numba.extending import overload

from simdyn._compilers import (
    DEEP,
    HELPER,
    INLINED,
    KEPT_HALF_WIDTH,
    KEPT_HELPER,
    KEPT_LOOP,
    KERNEL,
    LANE_LOOP,
    OPTIONS,
)
from simdyn._kernels import RUNNING, KernelCache
from simdyn._sources import is_fingerprinted, note_origin
from simdyn._surroundings import Surroundings

JIT_ENABLED = not config.DISABLE_JIT

#: What Numba raises when it cannot compile a function.
CompilationFailed = (numba.core.errors.NumbaError, numba.core.errors.UnsupportedBytecodeError)


def probe(function: Any, *arguments: Any) -> str | None:
    """Why and where a generic function of these arguments cannot be compiled, in words; None if it can."""
    names = ", ".join(f"a{n}" for n in range(len(arguments)))
    call = eval(f"lambda {names}: function({names})", {"function": function})  # starred arguments do not compile
    try:
        numba.njit(**OPTIONS)(call).compile(tuple(map(numba.typeof, arguments)))
    except Exception as failure:  # Numba's own, or what Python says of a function inside
        reason = _reason_of(str(failure)) or "use numbers, math and the record's fields alone"
        source = function.registered.get(type(arguments[0]), function).__code__.co_filename
        places = re.findall(rf'File ".*{re.escape(os.path.basename(source))}", line (\d+)', str(failure))
        line = linecache.getline(source, int(places[0])).strip() if places else ""
        quoted = f"'{line}': " if line else ""
        where = f" (line {places[0]} of {source})" if places else ""
        return f"{quoted}{reason}{where}"
    return None


def _reason_of(failure: str) -> str:
    """The line of Numba's long report that says what it cannot do with a user's function; empty if there is none."""
    lines = [line.strip() for line in failure.splitlines()]
    first = next((n for n, line in enumerate(lines) if "raised a specific error" in line), -1)
    told = [line for line in lines[first + 1 :] if line and "Failed in nopython mode pipeline" not in line]
    if not told:
        return ""
    reason = " ".join(told[:2]).replace(">>> ", "") if told[0].endswith("for signature:") else told[0]
    return re.sub(r"^\w+Error: | at 0x[0-9a-f]+|\.? Raised from .*| from '[^']*'", "", reason).rstrip(".")


# --------------------------------------------------------------------------------------------------- compiling


def kernel(function: Callable) -> Callable:
    """Compile `function` on its first call for each combination of types, release the GIL, and keep the result."""
    return _kept(numba.njit(nogil=True, no_cfunc_wrapper=True, pipeline_class=KERNEL, **OPTIONS)(function))


def _kept(dispatcher: Any) -> Any:
    if JIT_ENABLED:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


def lane_loop(function: Callable) -> Callable:
    """Compile a function whose array arguments never overlap: the loop over lanes that must vectorise."""
    return numba.njit(**LANE_LOOP)(function)


def deep_lane_loop(function: Callable) -> Callable:
    """The same for a loop that waits for the processor's divider: more vectors side by side."""
    return numba.njit(**DEEP)(function)


def inlined(function: Callable) -> Callable:
    """Compile a scalar helper that is always inlined into its compiled caller."""
    return numba.njit(**INLINED)(function)


def helper(function: Callable) -> Callable:
    """Compile what a kernel calls now and then: on its own and kept, so that the next kernel finds it ready."""
    return _kept(numba.njit(**KEPT_HELPER)(function))


def lane_helper(function: Callable) -> Callable:
    """A lane loop that knows no records: compiled on its own and kept."""
    return _kept(numba.njit(**KEPT_LOOP)(function))


def half_width_helper(function: Callable) -> Callable:
    """The same for a loop that computes in single precision."""
    return _kept(numba.njit(**KEPT_HALF_WIDTH)(function))


# Record classes by name. Numba's dispatcher tells named tuples apart by the class's name and the fields' types alone, so
# that two classes of one name would run the kernels of whichever came first: a record edited in a notebook, its old physics.
_NAMED: dict[str, type] = {}


def _name_apart(record_type: type) -> None:
    """Give a record class a number after its name if another class has it; the package's own keep theirs."""
    name, count = record_type.__name__, 1
    other = _NAMED.get(name, record_type)
    if record_type.__module__.startswith("simdyn.") > other.__module__.startswith("simdyn."):
        _NAMED[name] = record_type
        _name_apart(other)
    while _NAMED.setdefault(record_type.__name__, record_type) is not record_type:
        count += 1
        record_type.__name__ = f"{name}_{count}"


def how_to_say(name: str, record_type: type, argument: str) -> str:
    """The decorator, as a user may copy it, that registers a record's own `name`; `argument` is what such records are called."""
    written = record_type.__qualname__.rpartition(".")[2]
    if not written.isidentifier():  # a formula's class
        written = f"type({argument})"
    elif record_type.__module__.partition(".")[0] == "simdyn":
        written = f"simdyn.{written}"
    return f"@simdyn.{name}.on({written})"


#: Every generic function.
GENERICS: list[Any] = []

# A user's function that has been compiled, by itself or as a part of another -> the values of what it then used.
_COMPILED: dict[Callable, dict[str, str]] = {}


def _said_by_users(record_type: type) -> Iterator[tuple[str, Callable]]:
    """A user's functions for a record type, by the generic functions that they answer."""
    for function in GENERICS:
        said = function.registered.get(record_type)
        if said is not None and not is_fingerprinted(_file_of(said)):
            yield function.__name__, said


def surroundings_of(record_type: type) -> dict[str, Surroundings]:
    """What a user's functions for a record type use, by the generic functions that they answer."""
    return {name: Surroundings(said) for name, said in _said_by_users(record_type)}


def changed_since_compiled(record_type: type) -> Iterator[tuple[str, str]]:
    """Generic functions of a record type that have been compiled, with what they use that has changed since."""
    for name, said in _said_by_users(record_type):
        for each in (said, *Surroundings(said).helpers):
            now = Surroundings(each).values if each in _COMPILED else {}
            changed = [used for used, told in _COMPILED.get(each, {}).items() if now.get(used) != told]
            if changed:
                yield name, min(changed, key=lambda used: (used not in now, used))


def generic(signature: Callable) -> Any:
    """A generic scalar function, inlined into its compiled caller. See `_generic`."""
    return _generic(signature, INLINED)


def generic_helper(signature: Callable) -> Any:
    """A generic function called now and then. See `_generic`."""
    return _generic(signature, HELPER)


def _generic(signature: Callable, options: dict[str, Any]) -> Any:
    """Turn `signature` into a function that dispatches on the type of its first argument.

    ``@f.on(Record)`` registers the implementation for a record type, ``@f.otherwise`` the one for all the rest.
    The same name works in Python and in compiled code; ``f.knows(Record)`` tells whether a record has its own.
    A record that is not registered raises TypeError with one line naming the function and the record.
    """
    implementations: dict[type, Callable] = {}
    fallback: list[Callable] = []
    fallen_back: set[type] = set()  # in compiled code, which will not ask again
    name = signature.__name__
    wanted = list(inspect.signature(signature).parameters)

    def implementation(record_type: type) -> Callable:
        if record_type in implementations:
            return implementations[record_type]
        if fallback:
            return fallback[0]
        raise TypeError(
            f"{record_type.__name__} does not say its {name}: register one with {how_to_say(name, record_type, wanted[0])}"
        )

    @functools.wraps(signature)
    def dispatch(record: Any, *arguments: Any) -> Any:
        return implementation(type(record))(record, *arguments)

    def on(*record_types: type) -> Callable:
        def register(function: Callable) -> Callable:
            given = list(inspect.signature(function).parameters)
            if len(given) != len(wanted):
                raise TypeError(
                    f"{record_types[0].__name__}: its {name} must take ({', '.join(wanted)}), not ({', '.join(given)})"
                )
            for record_type in record_types:
                if record_type in implementations:
                    raise TypeError(
                        f"{record_type.__name__} already has its {name}; give your variant a record of its own"
                    )
                if record_type in fallen_back or (record_type in RUNNING and not is_fingerprinted(_file_of(function))):
                    raise TypeError(
                        f"{record_type.__name__} has been simulated without its own {name}: register it before that"
                    )
            note_origin(record_types, _file_of(function), sys._getframe(1).f_code.co_filename)
            implementations.update(dict.fromkeys(record_types, function))
            for record_type in record_types:
                _name_apart(record_type)
            return function

        return register

    def otherwise(function: Callable) -> Callable:
        if fallback:
            raise TypeError(f"{name} already has what it is otherwise; register yours with @simdyn.{name}.on(Record)")
        note_origin((object,), _file_of(function), sys._getframe(1).f_code.co_filename)
        fallback.append(function)
        return function

    def compiled(record: types.Type, *arguments: types.Type) -> Callable:
        record_type = getattr(record, "instance_class", type(record))
        if record_type not in implementations:
            fallen_back.add(record_type)
        function = implementation(record_type)
        if not is_fingerprinted(_file_of(function)):
            for each in (function, *Surroundings(function).helpers):
                _COMPILED.setdefault(each, Surroundings(each).values)
        return function

    dispatch.on = on
    dispatch.otherwise = otherwise
    dispatch.knows = lambda record_type: record_type in implementations
    dispatch.registered = implementations
    overload(dispatch, jit_options=options, strict=False)(compiled)
    GENERICS.append(dispatch)
    return dispatch


def _file_of(function: Any) -> str:
    return getattr(getattr(function, "__code__", None), "co_filename", "")


# ------------------------------------------------------------------------------------------ views of a point


class Scaled(NamedTuple):
    """A point seen through a change of scale: ``Scaled(x, s)[j, i]`` is ``s * x[j, i]``."""

    x: Any
    scale: float

    def __getitem__(self, index):
        return self.x[index] * self.scale


class Shifted(NamedTuple):
    """A point seen from further along coordinate 0: ``Shifted(x, s)[0, i]`` is ``x[0, i] - s``."""

    x: Any
    shift: float

    def __getitem__(self, index):
        return self.x[index] - self.shift if index[0] == 0 else self.x[index]


class Transformed(NamedTuple):
    """A point seen through a matrix (d, d): ``Transformed(x, m)[j, i]`` is ``sum_n m[j, n] x[n, i]``."""

    x: Any
    matrix: Any

    def __getitem__(self, index):
        return _transformed_coordinate(self.x, self.matrix, index)


def _transformed_coordinate(x, matrix, index):
    j, i = index
    total = 0.0
    for n in range(matrix.shape[1]):
        total += matrix[j, n] * x[n, i]
    return total


@overload(operator.getitem, jit_options=INLINED)
def _getitem_of_a_view(point, index):
    if not isinstance(point, types.BaseNamedTuple) or not isinstance(index, types.BaseTuple):
        return None
    if point.instance_class is Scaled:
        return lambda point, index: point.x[index] * point.scale
    if point.instance_class is Shifted:
        return lambda point, index: point.x[index] - point.shift if index[0] == 0 else point.x[index]
    if point.instance_class is Transformed:
        return lambda point, index: _compiled_coordinate(point.x, point.matrix, index)
    return None


_compiled_coordinate = inlined(_transformed_coordinate)
