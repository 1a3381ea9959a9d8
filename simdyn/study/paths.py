"""Paths of fields in a study's tables, such as "landscape.sharpness": which there are, and a value put at one."""

from collections.abc import Iterable, Iterator
from typing import Any

from simdyn.model.records import REGISTRY, InvalidInput, nearest
from simdyn.study.schema import Bins, Ensemble

_OPEN = ".*"  # ends a path below which any field may be: of records that this package does not know


def paths_in(tables: dict[str, Any]) -> Iterator[str]:
    """The paths that a sweep may name: fields of the records that `tables` name, of the ensemble, entries of lists."""
    for kind in ("dynamics", "landscape", "noise"):
        yield kind
        yield from _below(kind, kind, tables[kind])
    yield "ensemble"
    for field in Ensemble.model_fields:
        yield f"ensemble.{field}"
    yield from (f"ensemble.bins.{field}" for field in Bins.model_fields)
    for field, value in tables["ensemble"].items():
        yield from _below(f"ensemble.{field}", field, value)


def _below(path: str, kind: str, value: Any) -> Iterator[str]:
    """The paths below one: entries of a list, fields of a record of a kind, those it has by default among them."""
    if isinstance(value, list):
        yield from (f"{path}.{n}" for n in range(len(value)))
    if not isinstance(value, dict):
        return
    name = value.get("kind")
    if kind in REGISTRY:
        made = REGISTRY[kind].get(name) if isinstance(name, str) else None
        yield from (f"{path}.{field}" for field in getattr(made, "_fields", ()))
        if made is None and name != "Expression":
            yield path + _OPEN
    for field, inner in value.items():
        yield f"{path}.{field}"
        yield from _below(f"{path}.{field}", field if field in REGISTRY else kind, inner)


def check_path(path: str, known: list[str], swept: Iterable[str]) -> None:
    """Refuse a path that leads nowhere, with the nearest one that does; below what is itself swept all may be right."""
    opened = [other.removesuffix("kind").removesuffix(".") + "." for other in swept if other != path]
    opened += [other.removesuffix("*") for other in known if other.endswith(_OPEN)]
    if path in known or any(path.startswith(place) for place in opened):
        return
    there = [other for other in known if not other.endswith(_OPEN)]
    if f"{path.rpartition('.')[0]}.0" in there:
        return  # an entry of a list, whose number `put` checks
    near = nearest(path, there)
    if near is None:
        near = next((other for other in there if other.split(".")[-1] == path.split(".")[-1]), None)
    groups = dict.fromkeys(other.split(".")[0] for other in there)
    hint = f"did you mean '{near}'?" if near else f"it may be {', '.join(f'{group}.…' for group in groups)}"
    raise InvalidInput(f"path '{path}' is unknown; {hint}")


def put(tables: dict[str, Any], path: str, value: Any) -> None:
    """Set the field at a dotted path, the entry of a list by its number, or a whole record; raises InvalidInput if there
    is no table on the way."""
    *parents, field = path.split(".")
    if not parents and (field == "ensemble" or not isinstance(value, dict)):
        what = "" if field == "ensemble" else ", or its values must be records { kind = ... }"
        raise InvalidInput(f"path '{path}' must name a field, such as {_EXAMPLES[field]}{what}")
    table: Any = tables
    for parent in parents:
        inner = table.get(parent)
        if inner is None and parent == "bins":
            inner = table[parent] = {}
        if not isinstance(inner, dict) and not (isinstance(inner, list) and parent == parents[-1]):
            raise InvalidInput(f"path '{path}' is unknown; '{parent}' is no table in which a field could be")
        table = inner
    if not isinstance(table, list):
        table[field] = value
    elif field.isdecimal() and int(field) < len(table):
        table[int(field)] = value
    else:
        raise InvalidInput(f"path '{path}' must end in the number of an entry, 0 to {len(table) - 1}")


_EXAMPLES = {
    "dynamics": "dynamics.learning_rate",
    "landscape": "landscape.barrier",
    "noise": "noise.batch_size",
    "ensemble": "ensemble.particles",
}
