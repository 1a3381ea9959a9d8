"""docs/optimizers.md names every dynamics, with its fields and their defaults."""

import inspect
import re

import pytest
from conftest import HERE

from simdyn.study.cells import registered

TEXT = (HERE.parent / "docs" / "optimizers.md").read_text(encoding="utf-8")
RULES, MEASURED = TEXT.split("## What was measured")
DYNAMICS = {name: made for name, made in registered("dynamics").items() if made.__module__.startswith("simdyn.")}
#: records whose row refers to another one's fields
AS = {"AdamW": "Adam", "AMSGrad": "Adam", "AdaiW": "Adai", "AdaiV2": "Adai"}


def row(text, name):
    (found,) = re.findall(rf"^\| {name} \|.*$", text, re.MULTILINE)
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_no_row_is_of_something_else():
    for text in (RULES, MEASURED):
        assert set(re.findall(r"^\| (\w+) \|", text, re.MULTILINE)) - {"dynamics"} == set(DYNAMICS)


@pytest.mark.parametrize("name", DYNAMICS)
def test_a_row_tells_the_fields_and_their_defaults(name):
    fields = row(RULES, name)[2]
    if name in AS:
        assert fields.startswith(f"as {AS[name]}")
    known = DYNAMICS[AS[name]]._fields if name in AS else ()
    for field in DYNAMICS[name]._fields:
        if field in known or field == "learning_rate":
            continue
        default = DYNAMICS[name]._field_defaults.get(field, inspect.Parameter.empty)
        told = re.search(rf"{field}(?: [a-zA-Z])? ?([\d./e-]+|true|false)?(?:,|$| )", fields)
        assert told, field
        if default is not inspect.Parameter.empty:
            value = told.group(1)
            value = (
                {"true": 1.0, "false": 0.0, "1/8": 0.125}.get(value)
                if value[0] in "tf" or "/" in value
                else float(value)
            )
            assert value == float(default), (field, fields)
    assert all(row(MEASURED, name))
