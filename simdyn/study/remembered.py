"""What a run has found, as it was written down: for studies with code of a user's own, which only a run runs."""

import contextlib
import csv
import json
from pathlib import Path
from typing import Any

from simdyn.model.records import InvalidInput
from simdyn.study.results import ran_as
from simdyn.study.schema import StudyFile
from simdyn.study.verdicts import Verdict


def remembered_verdicts(name: str, study: StudyFile, results: Path) -> list[Verdict]:
    """The verdicts in a study's provenance, without running its code.

    Raises InvalidInput where it has not run yet, or where the study, its code or what that depends on has changed since.
    """
    path = results / f"{name}.json"
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        before, verdicts = (
            written.get("ran_as", {"physics": None}),
            [Verdict(**verdict) for verdict in written["verdicts"]],
        )
    except FileNotFoundError:
        raise InvalidInput(f"{name}: not all of it has run yet; use simdyn run first") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(f"{path}: is damaged; use simdyn run first") from None
    now = ran_as(study)
    if now["physics"] != before["physics"]:
        raise InvalidInput(f"{name}: simdyn itself has changed since it ran; use simdyn run first")
    if now["study"] != before["study"]:
        raise InvalidInput(f"{name}: the study has changed since it ran; use simdyn run first")
    files = sorted({*now["code"], *before["code"]})
    if changed := [file for file in files if now["code"].get(file) != before["code"].get(file)]:
        raise InvalidInput(f"{name}: what has changed since it ran is {', '.join(changed)}; use simdyn run first")
    return verdicts


def remembered_rows(name: str, results: Path) -> list[dict[str, Any]]:
    """The rows of a study's table as they were written, numbers as numbers and None for what is not there."""
    path = results / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{column: _read(text) for column, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        raise InvalidInput(f"{path}: is missing or damaged; use simdyn run first") from None
    return rows


def _read(text: str) -> Any:
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text)
    return text or None
