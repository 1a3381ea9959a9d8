"""Compiled kernels on disk: where they are kept, and which may be."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from numba.core import types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from simdyn._compilers import COLLECTOR_AT_REST
from simdyn._sources import SAID_ELSEWHERE, is_fixed_by_fingerprint, kernel_cache_directory, kernel_fingerprint


class _FingerprintLocator(_CacheLocator):
    _py_file = "simdyn"  # which Numba names where it warns of what cannot be kept

    def get_cache_path(self) -> str:
        return str(kernel_cache_directory())

    def get_source_stamp(self) -> str:
        return kernel_fingerprint()

    def get_disambiguator(self) -> str:
        return "simdyn"

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> "_FingerprintLocator":
        return cls()


class _KernelCacheImpl(CompileResultCacheImpl):
    def __init__(self, py_func: Callable) -> None:
        self._lineno = py_func.__code__.co_firstlineno
        self._locator = _FingerprintLocator()
        self._filename_base = self.get_filename_base(
            f"{py_func.__module__}.{py_func.__qualname__}", getattr(sys, "abiflags", "")
        )


class KernelCache(FunctionCache):
    """Keeps a kernel only if the fingerprint sees all that the records in its signature say and do.

    It does not see a user's module, so a kernel built from one, or with a user's function for one of the package's
    records, is compiled anew in each process: old physics can never run.
    """

    _impl_class = _KernelCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with COLLECTOR_AT_REST:  # a process's first question makes Numba load all that it can compile
            return super().load_overload(sig, target_context) if may_be_kept(sig) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        if may_be_kept(sig):
            try:
                super().save_overload(sig, data)
            except OSError:  # a full disk costs the next process a compilation, nothing more
                self.disable()


RUNNING: set[type] = set()  # the package's record types that kernels of this process know


def may_be_kept(sig: Any) -> bool:
    found = set(_record_types(sig.args if hasattr(sig, "args") else sig))
    RUNNING.update(filter(is_fixed_by_fingerprint, found))
    return object not in SAID_ELSEWHERE and all(map(is_fixed_by_fingerprint, found))


def _record_types(kinds: Any) -> Iterator[type]:
    for kind in kinds:
        if isinstance(kind, types.BaseNamedTuple):
            yield kind.instance_class
        if isinstance(kind, types.BaseTuple):
            yield from _record_types(kind)
