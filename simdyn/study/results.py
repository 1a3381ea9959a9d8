"""A study that has run: its cells with what was measured and what is known, as tables and files."""

import csv
import io
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from simdyn import __version__
from simdyn._sources import physics_fingerprint
from simdyn.estimate import Estimate
from simdyn.model.landscapes import dimension
from simdyn.study.cells import Cell, digest, plain
from simdyn.study.schema import StudyFile
from simdyn.study.users import code_of, hashes_of_code


@dataclass(frozen=True)
class Finished:
    """A cell, what was measured and what theory and exact numerics say."""

    cell: Cell
    key: str
    measured: dict[str, Any]
    known: dict[str, Any]

    @property
    def in_time(self) -> bool:
        """Whether theory and exact answers are in time, as for SDEs, rather than in steps."""
        return hasattr(self.cell.dynamics, "dt")

    def escape_time(self, in_time: bool | None = None) -> Estimate:
        """Mean escape time in the unit of theory and exact answers, or in time or steps as asked."""
        in_time = self.in_time if in_time is None else in_time
        unit = self.measured["time_step"] if in_time else 1.0
        value, low, high = (unit * self.measured[part] for part in ("value", "low", "high"))
        return Estimate(value, low, high, self.measured["level"])


@dataclass
class StudyResult:
    """All cells of a study, and the verdicts on its claims once judged."""

    name: str
    study: StudyFile
    cells: list[Finished]
    verdicts: list[Any] = field(default_factory=list)

    def series(self, name: str) -> list[Finished]:
        """The cells of one series, in the order of its sweep."""
        return [finished for finished in self.cells if finished.cell.series == name]

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
        """Where the numbers come from: the study, its cells' records, keys and seconds, versions, machine; JSON."""
        content = {
            "study": self.name,
            "title": self.study.title,
            "claim": self.study.claim,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": {
                "simdyn-lab": __version__,
                "physics": physics_fingerprint(),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scipy": version("scipy"),
                "numba": version("numba"),
            },
            **({"ran_as": ran_as(self.study)} if code_of(self.study) else {}),
            "machine": {"system": platform.system(), "processor": platform.machine()},
            "cells": [
                {
                    "key": done.key,
                    "series": done.cell.series,
                    "point": done.cell.point,
                    "wall_time": round(done.measured["wall_time"], 4),
                    **done.cell.identity(),
                }
                for done in self.cells
            ],
            "warnings": sorted({text for done in self.cells for text in done.known.get("warnings", [])}),
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
        row |= {"estimate": time.value, "low": time.low, "high": time.high}
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
