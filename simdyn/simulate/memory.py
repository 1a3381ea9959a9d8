"""Requests that do not fit the memory, or the doubles: refused in one line that names what there is too much of."""

import contextlib
import functools
import inspect
import math
import numbers
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from simdyn.model.records import InvalidInput, too_large_to_compute

Simulation = TypeVar("Simulation", bound=Callable[..., Any])


def told_if_too_large(simulate: Simulation) -> Simulation:
    """Turn a want of memory into InvalidInput that names what there is too much of, and overflow into one that says so."""
    signature = inspect.signature(simulate)

    @functools.wraps(simulate)
    def told(*arguments: Any, **options: Any) -> Any:
        try:
            return simulate(*arguments, **options)
        except ArithmeticError:
            raise too_large_to_compute(*signature.bind(*arguments, **options).args[:3]) from None
        except (MemoryError, ValueError) as failure:
            if isinstance(failure, ValueError) and not _SAYS_TOO_LARGE.search(str(failure)):
                raise
            asked = signature.bind(*arguments, **options).arguments
            raise InvalidInput(f"not enough memory: take fewer {most_of(asked)}") from None

    return cast(Simulation, told)


def check_memory(needed: float, **asked: Any) -> None:
    """Refuse, before anything is allocated, what needs more bytes than this machine has; `asked` is what there is so much of.

    Without it the system grants the memory, and ends the process once it is used.
    """
    if needed > (there := memory()):
        raise InvalidInput(
            f"not enough memory: take fewer {most_of(asked)}: they need {needed / 1e9:.3g} GB, there are {there / 1e9:.3g}"
        )


@functools.cache
def memory() -> float:
    """Bytes of memory this process may use; infinite where the system does not say."""
    limits = [math.inf]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        limits.append(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    with contextlib.suppress(ValueError, OSError):  # of a container, or of a job of a cluster; "max" is no number
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


_SAYS_TOO_LARGE = re.compile("array is too big|Maximum allowed")


def most_of(asked: Mapping[str, Any]) -> str:
    """Of particles, lanes, bins and records that were asked for, the name of what there is most of."""
    sizes = {name: how_many(asked.get(name) or 0) for name in ("particles", "lanes")}
    sizes |= {"bins": how_many(asked.get("edges", ())), "records": how_many(asked.get("record_at", ()))}
    return max(sizes, key=lambda name: sizes[name])


def how_many(given: Any) -> float:
    """The number itself, or the length of what was given in its place, whatever it holds."""
    if isinstance(given, numbers.Real):
        return float(given)
    with contextlib.suppress(TypeError):
        return len(given)
    return 1
