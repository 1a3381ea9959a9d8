"""Everything the project knows about Numba.

Three things live here: `generic`, a function that dispatches on the type of its first argument both in
Python and in compiled code; `kernel` and `inlined`, the only decorators that compile; and the on-disk cache
of compiled kernels, whose directory carries a hash of every source file a kernel can depend on.
"""

import functools
import inspect
import linecache
import operator
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import config, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.cpu import CPUTargetOptions
from numba.core.lowering import Lower
from numba.core.options import TargetOptions
from numba.core.typed_passes import BaseNativeLowering, NativeLowering
from numba.extending import overload

from simdyn._kernels import RUNNING, KernelCache
from simdyn._sources import (
    is_fingerprinted,
    note_origin,
)

# One division under Numba's default error model adds a raising branch and kills vectorisation. Only `contract`
# of the fast-math flags is allowed: fused multiply-adds are worth a quarter of the run time, while anything
# that assumes finite numbers or reorders sums would hide divergence and break reproducibility.
_OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "fastmath": {"contract"}, "boundscheck": False}

# Numba has the `noalias` flag but no option that sets it. Without it a lane loop over a dozen rows needs more
# run-time overlap checks than LLVM is willing to emit, and stays scalar.
CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")

JIT_ENABLED = not config.DISABLE_JIT

#: What Numba raises when it cannot compile a function.
CompilationFailed = numba.core.errors.NumbaError


def probe(function: Any, *arguments: Any) -> str | None:
    """Where a generic function of these arguments cannot be compiled, in words; None if it can."""
    names = ", ".join(f"a{n}" for n in range(len(arguments)))
    call = eval(f"lambda {names}: function({names})", {"function": function})  # starred arguments do not compile
    try:
        numba.njit(**_OPTIONS)(call).compile(tuple(map(numba.typeof, arguments)))
    except CompilationFailed as failure:
        source = function.registered.get(type(arguments[0]), function).__code__.co_filename
        places = re.findall(rf'File ".*{re.escape(os.path.basename(source))}", line (\d+)', str(failure))
        if not places:
            return "use numbers, math and the record's fields alone"
        return f"'{linecache.getline(source, int(places[0])).strip()}' (line {places[0]} of {source})"
    return None


# --------------------------------------------------------------------------------------------------- compiling


def kernel(function: Callable) -> Callable:
    """Compile `function` on its first call for each combination of types, release the GIL, and keep the result."""
    return _kept(numba.njit(nogil=True, no_cfunc_wrapper=True, pipeline_class=_COMPACT, **_OPTIONS)(function))


def _kept(dispatcher: Any) -> Any:
    if JIT_ENABLED:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


# What only compiled code calls needs no entry points from Python and C: they would cost a third of the compile time.
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": False, **_OPTIONS}
INLINED: dict[str, Any] = {**_INNER, "forceinline": True}  # for `overload` too


class _CompactLower(Lower):
    """For what runs now and then: small code compiles fast, and is not compiled again inside each of its callers."""

    def post_lower(self) -> None:
        super().post_lower()
        self.function.attributes.add("noinline")
        self.function.attributes.add("optsize")


_FEATURES = llvmlite.binding.get_host_cpu_features()

# Vectors that run side by side in a loop: while one waits for its roots and sums another goes on, and with sixteen
# registers two share the constants, which have to be loaded anew each time round (W1: -17 % alone).
_SIDE_BY_SIDE = 2

# Singles in a vector. LLVM takes as many lanes as the widest number of a loop fills a vector with, half of them if that is
# the generator's word.
_SINGLES = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx2") else 4


class _InterleavedLower(Lower):
    """Tells LLVM how many vectors to run side by side in every loop."""

    wishes = {"llvm.loop.interleave.count": _SIDE_BY_SIDE}

    def post_lower(self) -> None:
        super().post_lower()
        self.function.attributes.add("noinline")
        # LLVM halves the vectors of processors that Numba names and that have 512 bits; elsewhere this means nothing.
        # It is a pair of strings, which the attribute set does not know but prints as LLVM reads it.
        set.add(self.function.attributes, '"prefer-vector-width"="512"')
        seen = set()
        for block in self.function.blocks:
            seen.add(block)
            if seen.intersection(getattr(block.terminator, "operands", ())):  # it jumps back: a loop ends here
                wishes = [
                    self.module.add_metadata([ir.MetaDataString(self.module, wish), ir.IntType(32)(value)])
                    for wish, value in self.wishes.items()
                ]
                loop = ir.MDValue(self.module, wishes, name=str(len(self.module.metadata)))
                loop.operands = (loop, *wishes)  # LLVM knows a loop by a node that names itself
                block.terminator.set_metadata("llvm.loop", loop)


class _HalfWidthLower(_InterleavedLower):
    """For numbers half as wide as a double: twice as many in a vector."""

    wishes = {**_InterleavedLower.wishes, "llvm.loop.vectorize.width": _SINGLES}


def _compiler_with(lower: type) -> type:
    """Numba's compiler with another class for the last stage, from its own representation to LLVM's."""

    @register_pass(mutates_CFG=True, analysis_only=False)
    class Lowering(BaseNativeLowering):
        _name = lower.__name__
        lowering_class = lower

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list:
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            manager.passes = [(Lowering if one is NativeLowering else one, why) for one, why in manager.passes]
            manager.finalize()
            return [manager]

    return Compiler


_COMPACT = _compiler_with(_CompactLower)
_LANE_LOOP: dict[str, Any] = {"noalias": True, "pipeline_class": _compiler_with(_InterleavedLower), **_INNER}
_HALF_WIDTH: dict[str, Any] = {**_LANE_LOOP, "pipeline_class": _compiler_with(_HalfWidthLower)}
_HELPER: dict[str, Any] = {"pipeline_class": _COMPACT, **_INNER}


def lane_loop(function: Callable) -> Callable:
    """Compile a function whose array arguments never overlap: the loop over lanes that must vectorise."""
    return numba.njit(**_LANE_LOOP)(function)


def inlined(function: Callable) -> Callable:
    """Compile a scalar helper that is always inlined into its compiled caller."""
    return numba.njit(**INLINED)(function)


def helper(function: Callable) -> Callable:
    """Compile what a kernel calls now and then: on its own and kept, so that the next kernel finds it ready."""
    return _kept(numba.njit(**_HELPER)(function))


def lane_helper(function: Callable) -> Callable:
    """A lane loop that knows no records: compiled on its own and kept."""
    return _kept(numba.njit(**_LANE_LOOP)(function))


def half_width_helper(function: Callable) -> Callable:
    """The same for a loop that computes in single precision."""
    return _kept(numba.njit(**_HALF_WIDTH)(function))


# Record classes by name. Numba's dispatcher tells named tuples apart by the class's name and the fields' types alone, so
# that two classes of one name would run the kernels of whichever came first: a record edited in a notebook, its old physics.
_NAMED: dict[str, type] = {}


def _name_apart(record_type: type) -> None:
    """Give a record class a number after its name if another class has it."""
    name, count = record_type.__name__, 1
    while _NAMED.setdefault(record_type.__name__, record_type) is not record_type:
        count += 1
        record_type.__name__ = f"{name}_{count}"


def generic(signature: Callable) -> Any:
    """A generic scalar function, inlined into its compiled caller. See `_generic`."""
    return _generic(signature, INLINED)


def generic_helper(signature: Callable) -> Any:
    """A generic function called now and then. See `_generic`."""
    return _generic(signature, _HELPER)


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
            f"{record_type.__name__} does not say its {name}: register one with @{name}.on({record_type.__name__})"
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
            raise TypeError(f"{name} already has what it is otherwise; register yours with @{name}.on(Record)")
        note_origin((object,), _file_of(function), sys._getframe(1).f_code.co_filename)
        fallback.append(function)
        return function

    def compiled(record: types.Type, *arguments: types.Type) -> Callable:
        record_type = getattr(record, "instance_class", type(record))
        if record_type not in implementations:
            fallen_back.add(record_type)
        return implementation(record_type)

    dispatch.on = on
    dispatch.otherwise = otherwise
    dispatch.knows = lambda record_type: record_type in implementations
    dispatch.registered = implementations
    overload(dispatch, jit_options=options, strict=False)(compiled)
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
