"""Compiled kernels on disk: which may be kept, under which names, and how they are found again."""

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite
import numba
from numba.core import types
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from simdyn._compilers import COLLECTOR_AT_REST
from simdyn._sources import SAID_ELSEWHERE, is_fingerprinted, is_fixed_by_fingerprint
from simdyn._storage import kernel_cache_directory, read_private, tell_useless, write_private

_VERSIONS = (numba.__version__, llvmlite.__version__, sys.version)


class KernelCache(NullCache):
    """Keeps a kernel only if the fingerprint sees the function, and all that the records in its signature say and do.

    It does not see a user's module, so a kernel built from one, or with a user's function for one of the package's
    records, is compiled anew in each process: old physics can never run.

    A file holds one function for one signature; its name is a hash of all that tells one from another, so that processes
    that write at the same time cannot get their files mixed up as by an index that numbers them.
    """

    def __init__(self, function: Callable) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._file = function.__code__.co_filename

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with COLLECTOR_AT_REST:  # a process's first question makes Numba load all that it can compile
            target_context.refresh()
            place = self._place(sig, target_context.codegen())
            content = read_private(place) if place else None
            if place is None or content is None:
                return None
            try:
                kept_sig, payload = pickle.loads(content)
                return CompileResult._rebuild(target_context, *payload) if kept_sig == sig else None
            except Exception as failure:  # written by a library that calls itself the same, and is another
                tell_useless(place, failure)
                return None

    def save_overload(self, sig: Any, cres: Any) -> None:
        if cres.library.has_dynamic_globals or any(not part.can_cache for part in cres.lifted):
            return  # it holds addresses of this process
        if place := self._place(sig, cres.library.codegen):
            write_private(place, dumps((sig, cres._reduce())))

    def _place(self, sig: Any, codegen: Any) -> Any:
        """The file of a signature; None where it may not be kept, or there is nowhere to keep it."""
        if not (may_be_kept(sig) and is_fingerprinted(self._file)) or (directory := kernel_cache_directory()) is None:
            return None
        told = repr((self._name, str(sig), codegen.magic_tuple(), _VERSIONS))
        return directory / f"{self._name}-{hashlib.sha256(told.encode()).hexdigest()[:20]}.nbc"


RUNNING: set[type] = set()  # the package's record types that kernels of this process know


def may_be_kept(sig: Any) -> bool:
    """Whether the fingerprint sees all that the records of a signature say and do."""
    found = set(_record_types(sig.args if hasattr(sig, "args") else sig))
    RUNNING.update(filter(is_fixed_by_fingerprint, found))
    return object not in SAID_ELSEWHERE and all(map(is_fixed_by_fingerprint, found))


def _record_types(kinds: Any) -> Iterator[type]:
    for kind in kinds:
        if isinstance(kind, types.BaseNamedTuple):
            yield kind.instance_class
        if isinstance(kind, types.BaseTuple):
            yield from _record_types(kind)
