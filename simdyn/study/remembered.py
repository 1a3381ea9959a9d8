"""Verdicts of a run as they were written down: for studies with code of a user's own, which only a run runs."""

import json
from pathlib import Path

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
