"""A study that has run: its cells with what was measured and what is known, as tables and files."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simdyn._sources import physics_fingerprint
from simdyn.estimate import Estimate
from simdyn.model.landscapes import dimension
from simdyn.study.cells import Cell, digest, plain
from simdyn.study.origin import origin
from simdyn.study.schema import Claim, StudyFile
from simdyn.study.users import code_of, hashes_of_code


@dataclass(frozen=True)
class Finished:
    """A cell, what was measured and what theory and exact numerics say; or why it has no numbers."""

    cell: Cell
    key: str
    measured: dict[str, Any]
    known: dict[str, Any]
    #: why the cell has no numbers, in one line; empty where it has them
    failed: str = ""

    def lacks(self, samples: bool) -> str:
        """Why the cell is of no use to a claim, be it one that looks at what was simulated (`samples`); empty where it is."""
        if self.failed or not (samples and self.cell.simulate):
            return self.failed
        return str(self.measured.get("unbounded") or "")

    @property
    def in_time(self) -> bool:
        """Whether theory and exact answers are in time, as for SDEs, rather than in steps."""
        return hasattr(self.cell.dynamics, "dt")

    def escape_time(self, in_time: bool | None = None) -> Estimate:
        """Mean escape time in the unit of theory and exact answers, or in time or steps as asked; infinite, with a finite
        low end, where the particles that left are too few to tell it (see `measure`)."""
        in_time = self.in_time if in_time is None else in_time
        unit = self.measured["time_step"] if in_time else 1.0
        found = (self.measured[part] for part in ("value", "low", "high"))
        value, low, high = (math.inf if part is None else unit * part for part in found)
        return Estimate(value, low, high, self.measured["level"])


@dataclass
class StudyResult:
    """All cells of a study, and the verdicts on its claims once judged."""

    name: str
    study: StudyFile
    cells: list[Finished]
    verdicts: list[Any] = field(default_factory=list)
    #: what else went wrong, one line each: a claim that cannot be tried, a figure that cannot be drawn
    troubles: list[str] = field(default_factory=list)

    def series(self, name: str) -> list[Finished]:
        """The cells of one series, in the order of its sweep."""
        return [finished for finished in self.cells if finished.cell.series == name]

    def usable(self, samples: bool) -> "StudyResult":
        """The same study with the cells that are of use to a claim, see `Finished.lacks`."""
        return dataclasses.replace(self, cells=[done for done in self.cells if not done.lacks(samples)])

    def failures(self) -> list[str]:
        """All that failed, one line each."""
        cells = [f"{done.cell.where}: {done.failed}" for done in self.cells if done.failed]
        return [f"{self.name}: {line}" for line in (*cells, *self.troubles)]

    def tried(self, *tests: str) -> list[tuple[Claim, dict[str, Any]]]:
        """The claims tried by one of these tests, each with its evidence by series; not those that had nothing to be tried on."""
        evidence = {verdict.claim: verdict.evidence for verdict in self.verdicts}
        claims = [claim for claim in self.study.claims if claim.test in tests]
        return [(claim, evidence[claim.name]) for claim in claims if claim.series in evidence.get(claim.name, {})]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Tidy rows: one per cell, or one per record and coordinate of a displacement, or per record of a density.

        They hold nothing that differs between two equal runs on one machine; how long a cell took is in `provenance`.
        """
        for finished in self.cells:
            base = {
                "study": self.name,
                "series": finished.cell.series,
                **{f"{kind}.{path}": value for kind in _KINDS for path, value in _flat(getattr(finished.cell, kind))},
                **{f"sweep.{path}": value for path, value in finished.cell.point.items()},
                "particles": finished.cell.ensemble.particles,
                "seed": finished.cell.seed,
            }
            if finished.failed:
                yield {**base, "key": finished.key, "failed": finished.failed}
                continue
            for row in _ROWS[finished.cell.measure](finished):
                yield {**base, **row, "particle_steps": finished.measured["particle_steps"], "key": finished.key}

    def csv(self) -> str:
        """The rows as CSV, columns in order of first appearance."""
        rows = list(self.rows())
        columns = list(dict.fromkeys(column for row in rows for column in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def provenance(self) -> str:
        """Where the numbers come from, as JSON: the study, who wrote this file, and of every cell its records and key, and by
        which versions, on which machine, when and in how many seconds it was simulated and its references were found."""
        content = {
            "study": self.name,
            "title": self.study.title,
            "claim": self.study.claim,
            **origin(),
            **({"ran_as": ran_as(self.study)} if code_of(self.study) else {}),
            "cells": [
                {
                    "key": done.key,
                    "series": done.cell.series,
                    "point": done.cell.point,
                    **done.cell.identity(),
                    **({"failed": done.failed} if done.failed else {}),
                    **({"simulated": _made(done.measured)} if done.cell.simulate else {}),
                    "references": _made(done.known),
                }
                for done in self.cells
            ],
            "warnings": sorted({text for done in self.cells for text in done.known.get("warnings", [])}),
            **({"failures": failures} if (failures := self.failures()) else {}),
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
        }
        return json.dumps(content, indent=1) + "\n"


def ran_as(study: StudyFile) -> dict[str, Any]:
    """What decides a study's verdicts, found without running code of a user's own that it names: hashes."""
    return {
        "physics": physics_fingerprint(),
        "study": digest(study.model_dump(mode="json")),
        "code": hashes_of_code(study),
    }


def _made(content: dict[str, Any]) -> Any:
    """Who made what is stored, and in how many seconds; None where it is missing or does not say."""
    made = content.get("made")
    return made and {**made, "wall_time": content.get("wall_time")}


def bin_shares(finished: Finished) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the particles, and those expected, in each bin and, the last one, outside of all: (records, bins + 1) each."""
    counted = np.array(finished.measured["counts"]) / finished.measured["particles"]
    expected = np.array(finished.known["shares"])
    outside = [np.clip(1.0 - shares.sum(axis=1, keepdims=True), 0.0, 1.0) for shares in (counted, expected)]
    return np.hstack([counted, outside[0]]), np.hstack([expected, outside[1]])


_KINDS = ("dynamics", "landscape", "noise")


def _flat(record: Any) -> Iterator[tuple[str, Any]]:
    yield "kind", type(record).__qualname__.rpartition("<locals>.")[2]  # the name alone may have got a number
    for name in record._fields:
        value = getattr(record, name)
        if hasattr(value, "_fields"):
            yield from ((f"{name}.{path}", inner) for path, inner in _flat(value))
        else:
            yield name, value if not isinstance(value, tuple) else " ".join(str(entry) for entry in plain(value))


def _escape_rows(finished: Finished) -> Iterator[dict[str, Any]]:
    row: dict[str, Any] = {"unit": "time" if finished.in_time else "steps"}
    if finished.cell.simulate:
        measured, time = finished.measured, finished.escape_time()
        row |= {"estimate": measured["value"] and time.value, "low": time.low, "high": time.high}
        row |= {name: measured[name] for name in ("censored", "exponential", "exponential_distance", "exponential_p")}
        row["time_step"] = measured["time_step"]
    yield row | {name: finished.known[name] for name in ("theory", "action", "prefactor", "exact", "exact_error")}


def _displacement_rows(finished: Finished) -> Iterator[dict[str, Any]]:
    measured, known = finished.measured, finished.known
    for r, step in enumerate(finished.cell.ensemble.record_at or []):
        for j in range(dimension(finished.cell.landscape)):
            row: dict[str, Any] = {"step": step, "coordinate": j}
            if finished.cell.simulate:
                value, half = measured["msd"][r][j], 1.959964 * measured["stderr"][r][j]
                row |= {"estimate": value, "low": value - half, "high": value + half}
            drift, diffusion = (known[part] and known[part][r][j] for part in ("drift", "diffusion"))
            yield row | {
                "theory": None if drift is None else drift + diffusion,
                "theory_drift": drift,
                "exact": known["exact"] and known["exact"][r][j],
            }


def _density_rows(finished: Finished) -> Iterator[dict[str, Any]]:
    measured = finished.measured
    shares, expected = bin_shares(finished)
    for r, step in enumerate(measured["record_at"]):
        yield {
            "step": step,
            "estimate": float(np.abs(shares[r] - expected[r]).sum() / 2.0),
            "unit": "total variation distance to the Fokker-Planck equation",
            "outside": measured["outside"][r],
        }


_ROWS = {"escape": _escape_rows, "displacement": _displacement_rows, "density": _density_rows}
