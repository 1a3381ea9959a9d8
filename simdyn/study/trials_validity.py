"""Tests of claims on where a formula holds: held against exact answers, or simulation where there are none."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from simdyn.estimate import Estimate
from simdyn.model.geometry import curvatures_at
from simdyn.model.records import InvalidInput, unknown
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.trials_displacement import NORMAL, formula_total
from simdyn.study.verdicts import Finding, option, trial, within, worst

LEVELS = (0.01, 0.05, 0.20)  # relative deviations that a validity table asks for
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class Region(Strict):
    """Options of a claim on the validity of an escape formula."""

    where: dict[Name, Range] = Field(
        {}, description="Where it is claimed to hold: [low, high] by the path of a swept field; everywhere if left out."
    )
    formula: Name = Field(
        "theory", description="Which formula is meant: theory, or one of the rate theories by its name."
    )
    reference: Literal["exact", "simulation"] = Field("exact", description="What it is held against.")


class SpreadRegion(Strict):
    """Options of a claim on the validity of a displacement formula."""

    where: dict[Name, Range] = Field(
        {},
        description=(
            'Where it is claimed to hold: [low, high] by the path of a swept field, by "step" or by "curvature", |H_i|;'
            " everywhere if left out."
        ),
    )
    reference: Literal["exact", "frozen v", "simulation"] = Field(
        "exact", description='What it is held against; "frozen v" are exact moments with v held still.'
    )


class Point(NamedTuple):
    """formula/reference - 1 at a point of a map, and half the width of its interval."""

    at: dict[str, float]
    deviation: float
    error: float


@trial("validity", "escape", Region, formula=False, samples=False, memoryless=False)  # means are compared as they are
def validity(result: StudyResult, claim: Claim, name: str) -> Finding:
    """A formula's mean escape time over the exact or simulated one, over a map."""
    points = []
    for done in result.series(name):
        known = formula_value(done.known, option(claim, "formula", "theory"))
        reference = _escape_reference(done, option(claim, "reference", "exact"))
        if known is not None and reference is not None:
            value, error = reference
            ratio = known / value
            points.append(Point(dict(done.cell.point), ratio - 1.0, ratio * error / value))
    return _found(points, len(result.series(name)), claim)


def _escape_reference(done: Finished, reference: str) -> tuple[float, float] | None:
    """Value and error of what the formula is held against; None where it refused."""
    if reference == "simulation":
        time = done.escape_time()
        return time.value, time.half_width
    return None if done.known["exact"] is None else (done.known["exact"], done.known["exact_error"])


def formula_value(known: dict[str, Any], formula: str) -> float | None:
    """The mean escape time by the formula of that name: "theory", or one of the rate theories; None where it refused."""
    if formula == "theory":
        return known["theory"]
    rates = known.get("rates") or {}
    if formula not in rates:
        raise InvalidInput(unknown("options.formula", formula, ["theory", *rates]))
    return rates[formula]


@trial("displacement_validity", "displacement", SpreadRegion, samples=False)
def displacement_validity(result: StudyResult, claim: Claim, name: str) -> Finding:
    """The formula's mean squared displacement over the exact or simulated one."""
    points = list(_displacement_points(result, name, option(claim, "reference", "exact")))
    return _found(points, len(points), claim)


def _displacement_points(result: StudyResult, name: str, reference: str) -> Iterator[Point]:
    for done in result.series(name):
        value, error = _displacement_reference(done, reference)
        ratio = formula_total(done) / value
        sizes = np.abs(curvatures_at(done.cell.landscape, done.cell.start))
        for r, step in enumerate(done.cell.ensemble.record_at or []):
            for j, size in enumerate(sizes):
                at = {**done.cell.point, "step": float(step), "curvature": float(size)}
                yield Point(at, float(ratio[r, j] - 1.0), float(ratio[r, j] * error[r, j] / value[r, j]))


def _displacement_reference(done: Finished, reference: str) -> tuple[np.ndarray, np.ndarray]:
    """Value and error of what the formula is held against, (records, d) each."""
    if reference == "simulation":
        return np.array(done.measured["msd"]), NORMAL * np.array(done.measured["stderr"])
    known = done.known["exact" if reference == "exact" else "frozen_v"]
    if known is None:
        raise InvalidInput(done.known["exact_refused"] if reference == "exact" else "there is no v to hold still")
    return np.array(known), np.zeros(np.shape(known))


def _found(points: list[Point], asked: int, claim: Claim) -> Finding:
    if not points:
        raise InvalidInput("no point of the map has both a formula and an answer to hold it against")
    where = option(claim, "where", {})
    for field in where:
        if field not in points[0].at:
            raise InvalidInput(unknown("options.where", field, list(points[0].at)))
    claimed = [p for p in points if all(low <= p.at[field] <= high for field, (low, high) in where.items())]
    if not claimed:
        raise InvalidInput("options.where leaves no point of the map")
    reference = option(claim, "reference", "exact")
    sampled = reference == "simulation"
    deviations = [
        Estimate(p.deviation, p.deviation - p.error, p.deviation + p.error, 0.95 if sampled else 1.0) for p in claimed
    ]
    counts = ", ".join(
        f"{sum(abs(p.deviation) + p.error <= level for p in points)} within {100 * level:g} %" for level in LEVELS
    )
    values = [100.0 * p.deviation for p in claimed]
    numbers = (
        f"formula/{reference} - 1: {min(values):+.1f} to {max(values):+.1f} % where claimed ({len(claimed)} points"
    )
    if sampled:
        numbers += f", each ± {100.0 * max(p.error for p in claimed):.1f}"
    numbers += f"); of all {len(points)} points {counts}"
    if len(points) < asked:
        numbers += f"; {asked - len(points)} without an answer"
    evidence = {"points": [[p.at, p.deviation, p.error] for p in points], "where": where}
    return Finding(worst([within(deviation, claim.tolerance) for deviation in deviations]), None, numbers, evidence)
