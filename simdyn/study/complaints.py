"""What is wrong with a table, every field of it at once, in lines that name the field and what it may be."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from simdyn.model.records import InvalidInput, nearest, unknown

Table = dict[str, Any]


class Strict(BaseModel):
    """Tables whose every key is known and of the right type; numbers are finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Words(NamedTuple):
    """What a field may be, in words, where its type says it badly: a mark in the field's annotation."""

    text: str


def checked(model: type[BaseModel], table: Any, where: str) -> Any:
    """`table` as a `model`, or InvalidInput with a line for every field that is wrong, and what it may be."""
    try:
        return model.model_validate(table)
    except ValidationError as failure:
        raise InvalidInput(*_told(model, table, where, failure)) from None


def complaints(model: type[BaseModel], table: Any, where: str) -> list[str]:
    """The lines of what is wrong with a table as a `model`; none where nothing is."""
    try:
        checked(model, table, where)
    except InvalidInput as failure:
        return list(failure.lines)
    return []


def _told(model: type[BaseModel], table: Any, where: str, failure: ValidationError) -> list[str]:
    lines, meant = [], set()
    # Unknown fields come first: what one of them was meant to be is not missing as well.
    for error in sorted(failure.errors(), key=lambda error: error["type"] != "extra_forbidden"):
        place = tuple(part for part in error["loc"] if part != "[key]")
        owner, name = place[:-1], ".".join(map(str, place)) or "it"
        if (worded := _worded(model, table, place)) is not None:
            lines.append(worded)
        elif error["type"] == "extra_forbidden":
            known = _fields(_model_at(model, owner))
            meant.add((owner, nearest(str(place[-1]), known)))
            lines.append(unknown(".".join([*map(str, owner), "field"]), str(place[-1]), known))
        elif error["type"] == "missing":
            if (owner, place[-1]) not in meant:
                lines.append(f"{name} is missing")
        elif error["type"] == TOLD:
            lines.append(f"{name}: {error['msg']}")
        else:
            words = _WORDS.get(error["type"]) or error["msg"].removeprefix("Input ").removeprefix("String ")
            lines.append(f"{name} {words.removeprefix('Value error, ')}, not {error['input']!r}")
    return [f"{where}: {line}" for line in dict.fromkeys(lines)]


#: the type of an error whose message says it all, the value included
TOLD = "told"

_WORDS = {
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "too_short": "should have at least one entry",
}


def _worded(model: type[BaseModel], table: Any, place: tuple) -> str | None:
    """The line of the outermost field on the way to `place` that says in words what it may be; None where none does."""
    given = table
    for depth, (part, (_, field)) in enumerate(zip(place, _way(model, place), strict=False), 1):
        if not isinstance(given, list) and not (isinstance(given, dict) and part in given):
            return None  # it is missing, and is told so
        given = given[part]
        words = next((mark.text for mark in field.metadata if isinstance(mark, Words)), None) if field else None
        if words is not None:
            return f"{'.'.join(map(str, place[:depth]))} should be {words}, not {given!r}"
    return None


def _way(model: Any, place: tuple) -> Iterator[tuple[Any, Any]]:
    """The model and the field met at each part of an error's location."""
    for part in place:
        fields = getattr(model, "model_fields", {})
        field = next((field for name, field in fields.items() if part in (name, field.alias)), None)
        yield model, field
        if field is not None:
            model = _inner_model(field.annotation)


def _model_at(model: Any, place: tuple) -> Any:
    """The model that an error's location leads to."""
    for owner, field in _way(model, place):
        model = owner if field is None else _inner_model(field.annotation)
    return model


def _inner_model(annotation: Any) -> Any:
    """The model inside an annotation such as list[Model] or Model | None; the annotation itself where there is none."""
    while not hasattr(annotation, "model_fields") and getattr(annotation, "__args__", None):
        inside = annotation.__args__
        annotation = next((each for each in inside if hasattr(each, "model_fields")), inside[0])
    return annotation


def _fields(model: Any) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
