"""Writes docs/study-format.md from the schema itself: `python docs/study_format.py`, after a change of what a study may say."""

import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import simdyn as sd
from simdyn.study.cells import registered
from simdyn.study.complaints import Strict, Words
from simdyn.study.kinds import FIGURES, find_figure
from simdyn.study.schema import Bins, Claim, Ensemble, Running, Series, StudyFile
from simdyn.study.spread import Spread, Values
from simdyn.study.starter import STARTER
from simdyn.study.verdicts import TESTS, find_test

PAGE = Path(__file__).parent / "study-format.md"
_VALUES = typing.get_args(Values)[1:]  # what marks the values of a sweep
_NUMBERS = {int: ("whole number", "whole numbers"), float: ("number", "numbers"), str: ("text", "texts")}


def page() -> str:
    """The whole page."""
    find_test("growth")
    find_figure({"kind": "growth"})  # all tests and figures are known from here on
    lines = [
        "# The format of a study",
        "",
        "A study is a TOML file. `simdyn new` writes one to begin with, `simdyn check FILE` finds all that is wrong with one,",
        "`simdyn run FILE` runs it. This page is written from the program's own schema by `python docs/study_format.py`.",
        "",
        *_section("## The study", StudyFile),
        *_section("## `[ensemble]`", Ensemble),
        *_section("### `ensemble.bins`", Bins),
        *_section("### `ensemble.start_momentum` as a table", Running),
        *_section("## `[[series]]`", Series),
        *_section("### A range of values", Spread),
        *_section("## `[[claims]]`", Claim),
        "## Tests",
        "",
        *_tests(),
        "## Figures",
        "",
        "`figure = { kind = ... }`, with the options of that kind.",
        "",
        *_figures(),
        "## Records",
        "",
        "A record is a table: `kind` names it, the rest are its fields; a record may hold another,",
        '`{ kind = "Rotated", landscape = { kind = "Saddle", curvatures = [-1.0, 1.0] }, angle = 0.5 }`. One of your own is',
        'named `kind = "module:Name"`: see [extending](extending.md).',
        "",
        *_records(),
        "## A study to begin with",
        "",
        "```toml",
        STARTER.rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, model: type[Strict]) -> list[str]:
    return [title, "", prose(model), "", *table_of(model)]


def _tests() -> Iterator[str]:
    for name, trial in sorted(TESTS.items(), key=lambda item: (item[1].measure, item[0])):
        needs = [f'of `measure = "{trial.measure}"`']
        needs += ["on a series of one cell"] if trial.single else []
        needs += [f"on {trial.least} cells at least"] if trial.least > 1 else []
        needs += ["with a formula"] if trial.formula else []
        if trial.measure == "escape" and trial.memoryless:
            needs.append("undecided where escape times are not exponential")
        yield from (f"### `{name}`", "", f"{prose(trial.find)}", "", f"A test {', '.join(needs)}.", "")
        yield from table_of(trial.options)


def _figures() -> Iterator[str]:
    for name, figure in sorted(FIGURES.items()):
        shown = " or ".join(f"`{test}`" for test in figure.tests)
        single = ", on series of one cell" if figure.single else ""
        yield from (f"### `{name}`", "", prose(figure.draw), "", f"It shows claims tried by {shown}{single}.", "")
        yield from table_of(figure.options)


def _records() -> Iterator[str]:
    for kind in ("landscape", "noise", "dynamics", "boundary"):
        known = registered(kind)
        ours = [name for name in sd._NAMES if name in known and known[name] is getattr(sd, name)]
        rows = [(f"`{name}`", _fields_of(known[name]), _first_of(prose(known[name]))) for name in ours]
        yield from (f"### {kind.capitalize()}", "", *markdown(("kind", "fields", "meaning"), rows))


def _first_of(text: str) -> str:
    return text.split("\n\n")[0].removesuffix(", with")


def _fields_of(made: Any) -> str:
    """A record's fields with their defaults, as a study gives them."""
    if not hasattr(made, "_fields"):
        return "`formula`, and a value for each of its constants"
    defaults = made._field_defaults
    told = (f"`{name} = {toml(defaults[name])}`" if name in defaults else f"`{name}`" for name in made._fields)
    return ", ".join(told)


def table_of(model: type[Strict]) -> list[str]:
    """A table of a model's fields; nothing where it has none."""
    rows = [
        (f"`{field.alias or name}`", kind_of(field), default_of(field), field.description or "")
        for name, field in model.model_fields.items()
    ]
    return markdown(("field", "may be", "default", "meaning"), rows) if rows else []


def default_of(field: FieldInfo) -> str:
    """What a field is where it is left out."""
    if field.default is PydanticUndefined:
        return "needed"
    return "none" if field.default in (None, "") or field.default in ({}, []) else f"`{toml(field.default)}`"


def kind_of(field: FieldInfo) -> str:
    """What a field may be, in words."""
    return in_words(field.annotation, field.metadata)


def in_words(annotation: Any, marks: Iterable[Any] = (), many: bool = False) -> str:
    """A type in words; `marks` are the bounds and other marks that come with it."""
    marks = list(marks)
    worded = next((mark.text for mark in marks if isinstance(mark, Words)), None)
    if worded is not None:
        return worded
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        if inside[1:] == _VALUES:
            return "lists or ranges" if many else "a list or a range"
        return in_words(inside[0], _flat(inside[1:]) + marks, many)
    if origin is typing.Literal:
        return " or ".join(f"`{toml(value)}`" for value in inside)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(in_words(each, marks, many) for each in inside if each is not type(None))
    if origin is list:
        length = next((mark.max_length for mark in marks if hasattr(mark, "max_length")), None)
        return f"{'lists' if many else 'a list'} of {f'{length} ' if length else ''}{in_words(inside[0], many=True)}"
    if origin is dict:
        return "a table" if inside[1] is Any else f"a table of {in_words(inside[1], many=True)}"
    if annotation is bool:
        return "true or false"
    if annotation in _NUMBERS:
        bounds = _bounds(marks)
        article = "" if many else "" if annotation is str else "a "
        return f"{article}{_NUMBERS[annotation][many]}{bounds if annotation is not str else ''}"
    return "tables" if many else "a table"


def _flat(marks: Iterable[Any]) -> list[Any]:
    """Bounds as one by one, those inside of a Field among them."""
    return [inner for mark in marks for inner in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]


def _bounds(marks: list[Any]) -> str:
    """Lower bounds in words; upper ones are those of the machine."""
    for mark in marks:
        if hasattr(mark, "gt"):
            return f" above {mark.gt}"
        if hasattr(mark, "ge"):
            return f" from {mark.ge}"
    return ""


def toml(value: Any) -> str:
    """A value as a study writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    return f"{value:.0e}".replace("e+", "e") if isinstance(value, int) and value >= 10**9 else repr(value)


def prose(documented: Any) -> str:
    """A docstring as paragraphs of one line each."""
    paragraphs = inspect.cleandoc(documented.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def markdown(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table, and an empty line."""
    body = (f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in rows)
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *body, ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
