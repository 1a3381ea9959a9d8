"""What landscapes, noises, dynamics and boundaries have in common: they are named tuples of checked numbers."""

import difflib
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple, TypeVar

Record = TypeVar("Record", bound=type)


class InvalidInput(ValueError):
    """A request that cannot be carried out, told in one line that names the field and what it may be.

    Where several things are wrong at once, each has its own line in `lines`.
    """

    def __init__(self, *messages: str) -> None:
        # An array quoted in a message may have brought lines of its own.
        self.lines = tuple(" ".join(message.split()) for message in messages)
        super().__init__("; ".join(self.lines))


class Allowed(NamedTuple):
    """What a number may be: a test and the words for it."""

    words: str
    test: Callable[[Any], bool]


ANY = Allowed("a finite number", lambda value: True)
POSITIVE = Allowed("a positive number", lambda value: value > 0)
NON_NEGATIVE = Allowed("zero or a positive number", lambda value: value >= 0)
FRACTION = Allowed("a number in [0, 1)", lambda value: 0 <= value < 1)
UNIT = Allowed("a number in (0, 1)", lambda value: 0 < value < 1)
COUNT = Allowed("a positive whole number", lambda value: value >= 1)
INDEX = Allowed("a whole number from 0", lambda value: value >= 0)

LARGEST_COUNT = 2**62

#: kind -> name -> record class: what a study file may name, and what the registry-driven tests examine; see `record`.
REGISTRY: dict[str, dict[str, type]] = {"landscape": {}, "noise": {}, "dynamics": {}, "boundary": {}}

#: kind -> generic functions, one of which a record must answer to serve as that kind; filled where they are defined.
ANSWERS: dict[str, list[Any]] = {kind: [] for kind in REGISTRY}


def record(kind: str, **allowed: Allowed) -> Callable[[Record], Record]:
    """Register a NamedTuple class under `kind`, and check and coerce its fields whenever one is made.

    The package's own are registered under their names, a user's as `module:Name`: called as one of the package's it takes
    nothing from it.

    Whole numbers become floats where the annotation says float, since ``1`` and ``1.0`` would be two types and two
    compilations; sequences become tuples. A field outside what `allowed` says raises `InvalidInput`.
    """

    def decorate(cls: Record) -> Record:
        name = cls.__name__ if cls.__module__.startswith("simdyn.") else f"{cls.__module__}:{cls.__name__}"
        REGISTRY[kind][name] = checked_record(**allowed)(cls)
        return cls

    return decorate


def checked_record(**allowed: Allowed) -> Callable[[Record], Record]:
    """Check and coerce the fields of a NamedTuple class whenever one is made, without registering it; see `record`."""

    def decorate(cls: Record) -> Record:
        fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
        hints = typing.get_type_hints(cls)
        for name in allowed:
            if name not in fields:
                raise TypeError(f"{cls.__name__} has no field {name}")

        def new(this: type, /, *args: Any, **kwargs: Any) -> Any:
            values = _bind(this, fields, args, kwargs)
            checked = (
                _coerce(f"{cls.__name__}: {name}", value, hints[name], allowed.get(name, ANY))
                if name not in REGISTRY
                else check_kind(name, value, f"{cls.__name__}: ")
                for name, value in zip(fields, values, strict=True)
            )
            return tuple.__new__(this, checked)

        def replace(self: Any, /, **changes: Any) -> Any:
            return type(self)(**{**self._asdict(), **changes})

        new.__doc__ = cls.__doc__
        cls.__new__ = new  # type: ignore[method-assign]
        # Nothing makes a record but through the checks.
        cls._make = classmethod(lambda this, values: this(*values))  # type: ignore[attr-defined]
        cls._replace = cls.__replace__ = replace  # type: ignore[attr-defined]
        return cls

    return decorate


def check_kind(kind: str, given: Any, where: str = "") -> Any:
    """`given`, or InvalidInput where it is not a record that can serve as `kind`."""
    if isinstance(given, type) and hasattr(given, "_fields"):
        fields = ", ".join(given._fields)
        raise InvalidInput(f"{where}{kind} must be a record with its numbers: {given.__name__}({fields})")
    if not (isinstance(given, tuple) and hasattr(given, "_fields")):
        examples = ", ".join([name for name in REGISTRY[kind] if ":" not in name][:3])
        raise InvalidInput(f"{where}{kind} must be a record{f' such as {examples}' if examples else ''}, not {given!r}")
    name = type(given).__name__
    other = next((other for other, known in REGISTRY.items() if other != kind and type(given) in known.values()), None)
    if other is not None:
        raise InvalidInput(f"{where}{kind} must be a {kind} record, but {name} is a {other}")
    if not any(answer.knows(type(given)) for answer in ANSWERS[kind]):
        wanted = ANSWERS[kind][0].__name__
        from simdyn._jit import how_to_say  # records alone cost no Numba

        said = how_to_say(wanted, type(given), kind)
        raise InvalidInput(f"{where}{kind}: {name} does not say its {wanted}: register one with {said}")
    return given


def _bind(cls: type, fields: tuple[str, ...], args: tuple, kwargs: dict) -> list:
    if len(args) > len(fields):
        raise InvalidInput(f"{cls.__name__} takes {len(fields)} values ({', '.join(fields)}), not {len(args)}")
    given = dict(zip(fields, args, strict=False))
    for name, value in kwargs.items():
        if name not in fields:
            raise InvalidInput(unknown(f"{cls.__name__}: field", name, fields))
        if name in given:
            raise InvalidInput(f"{cls.__name__}: {name} is given twice")
        given[name] = value
    defaults = cls._field_defaults  # type: ignore[attr-defined]
    missing = [name for name in fields if name not in given and name not in defaults]
    if missing:
        raise InvalidInput(f"{cls.__name__} needs {', '.join(missing)}")
    return [given[name] if name in given else defaults[name] for name in fields]


def too_large_to_compute(*records: Any) -> InvalidInput:
    """The line that answers an overflow or a division by zero inside a record's functions."""
    return InvalidInput(f"a number is too large or too small to compute with: {', '.join(map(str, records))}")


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """The line that answers a misspelt name: the nearest right one, or all of them."""
    near = nearest(name, known)
    hint = f"did you mean '{near}'?" if near else f"it may be {', '.join(known)}"
    return f"{what} '{name}' is unknown; {hint}"


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that a misspelt one is nearest to; None where none is near."""
    return next(iter(difflib.get_close_matches(str(name), known, n=1)), None)


def _coerce(where: str, value: Any, hint: Any, allowed: Allowed) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        branches = typing.get_args(hint)
        is_sequence = isinstance(value, Sequence) and not isinstance(value, str) or hasattr(value, "__array__")
        is_sequence = is_sequence and getattr(value, "ndim", 1) > 0
        sequence = [branch for branch in branches if typing.get_origin(branch) is tuple]
        return _coerce(where, value, sequence[0] if is_sequence else branches[0], allowed)
    if origin is tuple:
        return _coerce_tuple(where, value, typing.get_args(hint), allowed)
    if hint is bool:
        if not isinstance(value, bool):
            raise InvalidInput(f"{where} must be true or false, not {value!r}")
        return value
    if hint in (float, int):
        return number(where, value, allowed, whole=hint is int)
    if not (hint is Any or hasattr(hint, "_fields") or isinstance(hint, TypeVar)):
        told = getattr(hint, "__name__", str(hint))
        raise InvalidInput(
            f"{where} is declared as {told}, and a record's fields may be float, int, bool, tuple[float, ...] or a record;"
            " say a choice by a number"
        )
    if not (isinstance(value, tuple) and hasattr(value, "_fields")):
        raise InvalidInput(f"{where} must be a record, not {value!r}")
    return value


def _coerce_tuple(where: str, value: Any, members: tuple, allowed: Allowed) -> tuple:
    if isinstance(value, (str, bytes, Mapping, Set)) or not hasattr(value, "__iter__"):
        raise InvalidInput(f"{where} must be a sequence, each {allowed.words}, not {value!r}")
    values = tuple(value)
    if members[-1] is not Ellipsis and len(values) != len(members):
        raise InvalidInput(f"{where} must have {len(members)} entries, not {len(values)}")
    if not values:
        raise InvalidInput(f"{where} must have at least one entry")
    return tuple(_coerce(f"{where}[{n}]", entry, members[0], allowed) for n, entry in enumerate(values))


def number(where: str, value: Any, allowed: Allowed = ANY, whole: bool = False) -> Any:
    """`value` as a float (an int if `whole`), or InvalidInput naming `where` and what it may be."""
    try:
        # NumPy's scalars too: a complex one would lose its imaginary part, a text would be read.
        if isinstance(value, (bool, str, bytes)) or getattr(value, "ndim", False) or kind_of(value) not in "iufO":
            raise TypeError
        result = float(value) + 0.0 if not whole or isinstance(value, float) else value  # -0.0 is 0.0
        if whole:
            if int(value) != value:
                raise TypeError
            result = int(value)
    except (TypeError, ValueError, OverflowError):
        wanted = COUNT.words if whole and allowed is ANY else allowed.words
        raise InvalidInput(f"{where} must be {wanted}, not {value!r}") from None
    if whole and result >= LARGEST_COUNT:
        raise InvalidInput(f"{where} must be {allowed.words} below 2^62, not {value!r}")
    if not math.isfinite(result) or not allowed.test(result):
        raise InvalidInput(f"{where} must be {allowed.words}, not {value!r}")
    return result


def flag(where: str, given: Any) -> bool:
    """True or False, or InvalidInput: a text such as "no" would count as true."""
    if not isinstance(given, bool) and (kind_of(given) != "b" or getattr(given, "ndim", False)):
        raise InvalidInput(f"{where} must be True or False, not {given!r}")
    return bool(given)


def kind_of(value: Any) -> str:
    """NumPy's letter for what an array or one of its scalars holds: i, u, f are numbers, O is anything, as all else is."""
    return getattr(getattr(value, "dtype", None), "kind", "O")
