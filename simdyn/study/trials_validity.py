"""Tests of claims on where a formula holds: held against exact answers, nothing simulated."""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from simdyn.estimate import Estimate
from simdyn.model.geometry import curvatures_at
from simdyn.model.records import InvalidInput, unknown
from simdyn.study.results import StudyResult
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.trials_displacement import formula_total
from simdyn.study.verdicts import Finding, option, trial, within, worst

LEVELS = (0.01, 0.05, 0.20)  # relative deviations that a validity table asks for
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class Region(Strict):
    """Options of a claim on validity: where, by swept field from low to high, the formula is claimed to hold, and which
    of the known formulas is meant."""

    where: dict[Name, Range] = {}
    formula: Name = "theory"


class Point(NamedTuple):
    """formula/exact - 1 with its numerical error, at a point of a map."""

    at: dict[str, float]
    deviation: float
    error: float


@trial("validity", "escape", Region, formula=False, samples=False)
def validity(result: StudyResult, claim: Claim, name: str) -> Finding:
    """A formula's mean escape time over the exact one, over a map. options: where, formula."""
    points = []
    for done in result.series(name):
        known, exact = formula_value(done.known, option(claim, "formula", "theory")), done.known["exact"]
        if known is not None and exact is not None:
            error = done.known["exact_error"] / exact
            points.append(Point(dict(done.cell.point), known / exact - 1.0, error))
    return _found(points, len(result.series(name)), claim)


def formula_value(known: dict[str, Any], formula: str) -> float | None:
    """The mean escape time by the formula of that name: "theory", or one of the rate theories; None where it refused."""
    if formula == "theory":
        return known["theory"]
    rates = known.get("rates") or {}
    if formula not in rates:
        raise InvalidInput(unknown("options.formula", formula, ["theory", *rates]))
    return rates[formula]


@trial("displacement_validity", "displacement", Region, samples=False)
def displacement_validity(result: StudyResult, claim: Claim, name: str) -> Finding:
    """The formula's mean squared displacement over the exact one. options: where, by "step" and "curvature", |H_i|."""
    points = [Point(at, deviation, 0.0) for at, deviation in _displacement_points(result, name)]
    return _found(points, len(points), claim)


def _displacement_points(result: StudyResult, name: str) -> Iterator[tuple[dict[str, float], float]]:
    for done in result.series(name):
        if done.known["exact"] is None:
            raise InvalidInput(done.known["exact_refused"])
        ratio = formula_total(done) / np.array(done.known["exact"]) - 1.0
        sizes = np.abs(curvatures_at(done.cell.landscape, done.cell.start))
        for r, step in enumerate(done.cell.ensemble.record_at or []):
            for j, size in enumerate(sizes):
                yield {**done.cell.point, "step": float(step), "curvature": float(size)}, float(ratio[r, j])


def _found(points: list[Point], asked: int, claim: Claim) -> Finding:
    if not points:
        raise InvalidInput("no point of the map has both a formula and an exact answer")
    where = option(claim, "where", {})
    for field in where:
        if field not in points[0].at:
            raise InvalidInput(unknown("options.where", field, list(points[0].at)))
    claimed = [p for p in points if all(low <= p.at[field] <= high for field, (low, high) in where.items())]
    if not claimed:
        raise InvalidInput("options.where leaves no point of the map")
    deviations = [Estimate(p.deviation, p.deviation - p.error, p.deviation + p.error, 1.0) for p in claimed]
    counts = ", ".join(
        f"{sum(abs(p.deviation) + p.error <= level for p in points)} within {100 * level:g} %" for level in LEVELS
    )
    values = [100.0 * p.deviation for p in claimed]
    numbers = f"formula/exact - 1: {min(values):+.1f} to {max(values):+.1f} % where claimed ({len(claimed)} points); of"
    numbers += f" all {len(points)} points {counts}"
    if len(points) < asked:
        numbers += f"; {asked - len(points)} without an answer"
    evidence = {"points": [[p.at, p.deviation, p.error] for p in points], "where": where}
    return Finding(worst([within(deviation, claim.tolerance) for deviation in deviations]), None, numbers, evidence)
