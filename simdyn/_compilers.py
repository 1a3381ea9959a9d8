"""Numba's compiler as the project uses it: its options, its last stages, and what each kind of function is compiled with."""

import gc
from typing import Any

import llvmlite.binding
from llvmlite import ir
from llvmlite.binding import Linkage
from numba.core import event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.cpu import CPUTargetOptions
from numba.core.lowering import Lower
from numba.core.options import TargetOptions
from numba.core.typed_passes import BaseNativeLowering, NativeLowering

# One division under Numba's default error model adds a raising branch and kills vectorisation. Only `contract`
# of the fast-math flags is allowed: fused multiply-adds are worth a quarter of the run time, while anything
# that assumes finite numbers or reorders sums would hide divergence and break reproducibility.
OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "fastmath": {"contract"}, "boundscheck": False}

# Numba has the `noalias` flag but no option that sets it. Without it a lane loop over a dozen rows needs more
# run-time overlap checks than LLVM is willing to emit, and stays scalar.
CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")


class _NoCollection(event.Listener):
    """Lets Python's collector rest while Numba starts or compiles, one function at a time and those it calls within it.

    It would look for cycles among a few hundred thousand living objects time and again, 6 % of the compile time. The depth
    needs no lock of its own: Numba compiles, looks for kept kernels, and tells of it, under one that all threads share.
    """

    def __init__(self) -> None:
        self._depth, self._was_enabled = 0, False

    def on_start(self, event: Any) -> None:
        if not self._depth:
            self._was_enabled = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if not self._depth and self._was_enabled:
            gc.enable()

    def __enter__(self) -> None:
        self.on_start(None)

    def __exit__(self, *_: Any) -> None:
        self.on_end(None)


COLLECTOR_AT_REST = _NoCollection()
event.register("numba:compile", COLLECTOR_AT_REST)


# ------------------------------------------------------------------------------------------------ the last stage


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


class _DeepLower(_InterleavedLower):
    """For loops that wait for roots and quotients one after another: more vectors at once fill the time."""

    wishes = {"llvm.loop.interleave.count": 2 * _SIDE_BY_SIDE}


class _HalfWidthLower(_InterleavedLower):
    """For numbers half as wide as a double: twice as many in a vector."""

    wishes = {**_InterleavedLower.wishes, "llvm.loop.vectorize.width": _SINGLES}


class _Part(JITCodeLibrary):
    """What only other functions contain: no machine code of its own, which nobody would run (a tenth of a first call)."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def codegen(self) -> Any:
        """What Numba hands a function's environment to, once it has been compiled."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Give the variable a place, which all who contain this share: it leads to the Python objects that a `print` needs."""
        module = self._codegen._create_empty_module(name)
        variable = ir.GlobalVariable(module, ir.IntType(8).as_pointer(), name)
        variable.linkage, variable.initializer = "common", ir.Constant(variable.value_type, None)
        self._codegen._engine.add_module(llvmlite.binding.parse_assembly(str(module)))
        self._codegen._engine.finalize_object()
        self._codegen.set_env(name, environment)


class _SelfContained(JITCodeLibrary):
    """Machine code that calls its own copies of the functions in it, and no other kernel's.

    The copies differ: each was optimised once more by whoever contains it, and the last bit of a sum of products hangs on
    which product that leaves in front. Which of them ran was settled by what else had been compiled or loaded before.
    """

    def _finalize_final_module(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.internal
        super()._finalize_final_module()


def _compiler_with(lower: type, library: type) -> type:
    """Numba's compiler with another class for the last stage, from its own representation to LLVM's."""

    @register_pass(mutates_CFG=True, analysis_only=False)
    class Lowering(BaseNativeLowering):
        _name = f"{lower.__name__}{library.__name__}"
        lowering_class = lower

        def run_pass(self, state: Any) -> bool:
            state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()  # what is to be kept
            return super().run_pass(state)

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list:
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            manager.passes = [(Lowering if one is NativeLowering else one, why) for one, why in manager.passes]
            manager.finalize()
            return [manager]

    return Compiler


KERNEL = _compiler_with(_CompactLower, _SelfContained)


def _inner(lower: type, library: type = _Part, **options: Any) -> dict[str, Any]:
    """For what only compiled code calls: entry points from Python and C would cost a third of the compile time.

    Numba keeps machine code or nothing on disk, so what is kept is a library of the ordinary kind.
    """
    return {
        "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": False,
        "pipeline_class": _compiler_with(lower, library), **OPTIONS, **options,
    }  # fmt: skip


INLINED = _inner(Lower, forceinline=True)  # for `overload` too
HELPER = _inner(_CompactLower)
KEPT_HELPER = _inner(_CompactLower, JITCodeLibrary)
LANE_LOOP = _inner(_InterleavedLower, noalias=True)
DEEP = _inner(_DeepLower, noalias=True)
KEPT_LOOP = _inner(_InterleavedLower, JITCodeLibrary, noalias=True)
KEPT_HALF_WIDTH = _inner(_HalfWidthLower, JITCodeLibrary, noalias=True)
