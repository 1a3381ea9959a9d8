"""From measured cells to verdicts: each test tries one kind of claim by the rule its study file wrote down.

agrees: within the tolerance, interval included. agrees once corrected: only after a correction the claim names.
disagrees: outside the tolerance by more than the interval. undecided: the interval is too wide to say, or a condition
(exponential escape times, a second setting) does not hold. A tight interval alone never refutes an asymptotic formula.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from simdyn.estimate import Estimate
from simdyn.model.records import InvalidInput, unknown
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import Claim, Strict

AGREES, CORRECTED, DISAGREES, UNDECIDED = "agrees", "agrees once corrected", "disagrees", "undecided"


class Finding(NamedTuple):
    """What a test found on one series: an outcome as claimed, one once corrected (None: no correction), numbers, evidence."""

    plain: str
    corrected: str | None
    numbers: str
    evidence: dict[str, Any]


@dataclass
class Verdict:
    """A claim judged, with its numbers, and what it took into account."""

    study: str
    claim: str
    says: str
    verdict: str
    numbers: str
    rule: str
    notes: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain JSON."""
        return asdict(self)


Test = Callable[[StudyResult, Claim, str], Finding]


class NoOptions(Strict):
    """Of a test or figure that takes none."""


class Trial(NamedTuple):
    """A test and what it needs: the measure it is about, its claims' options, a formula, so many cells or a single one,
    whether it looks at what was simulated, whether it means anything only where escapes have no memory, the point of the
    landscape, `minimum` or `saddle`, that it looks at, and whether it takes several cells at one value of its variable."""

    find: Test
    measure: str
    options: type[Strict]
    formula: bool
    least: int
    single: bool
    samples: bool
    memoryless: bool
    point: Callable[[Any], Any] | None
    several: bool


TESTS: dict[str, Trial] = {}


def trial(
    name: str,
    measure: str,
    options: type[Strict] = NoOptions,
    formula: bool = True,
    least: int = 1,
    single: bool = False,
    samples: bool = True,
    memoryless: bool = True,
    point: Callable[[Any], Any] | None = None,
    several: bool = False,
) -> Callable[[Test], Test]:
    """Register a test under the name that study files use."""

    def register(test: Test) -> Test:
        TESTS[name] = Trial(test, measure, options, formula, least, single, samples, memoryless, point, several)
        return test

    return register


def find_test(name: str) -> Trial:
    """The test of that name; raises InvalidInput with the nearest right one."""
    from simdyn.study import (  # noqa: F401  they register themselves
        trials_displacement,
        trials_escape,
        trials_scaling,
        trials_selection,
        trials_validity,
    )

    if name not in TESTS:
        raise InvalidInput(unknown("test", name, list(TESTS)))
    return TESTS[name]


def judge(result: StudyResult) -> list[Verdict]:
    """Verdicts on all claims of a study. A claim that cannot be tried is undecided, and noted among the result's troubles."""
    return [_judge(result, claim) for claim in result.study.claims]


def series_of(claim: Claim) -> list[str]:
    """The series that a claim is about, and those it is held against."""
    others = [claim.options.get(name) for name in ("target", "target_again", "than", "than_again", "without")]
    return list(dict.fromkeys(filter(None, (claim.series, claim.again, *others))))


def looks_at_samples(claim: Claim) -> bool:
    """Whether a claim is tried on what was simulated."""
    return find_test(claim.test).samples or claim.options.get("reference") == "simulation"


def _judge(result: StudyResult, claim: Claim) -> Verdict:
    samples = looks_at_samples(claim)
    needed_cells = [done for name in series_of(claim) for done in result.series(name)]
    lacking = [f"{done.cell.where}: {why}" for done in needed_cells if (why := done.lacks(samples))]
    there = result.usable(samples)
    notes, outcomes, numbers, evidence = list[str](), list[str](), list[str](), dict[str, Any]()
    for series in filter(None, (claim.series, claim.again)):
        again = f"again ({series}): " if series == claim.again else ""
        try:
            finding = _find(there, claim, series)
        except Exception as failure:
            outcomes.append(UNDECIDED)
            numbers.append(f"{again}not tried")
            if not lacking:
                notes.append(f"cannot be tried on series '{series}': {_reason(claim, failure)}")
                result.troubles.append(f"claim '{claim.name}' {notes[-1]}")
        else:
            outcomes.append(_outcome(finding))
            numbers.append(again + finding.numbers)
            evidence[series] = finding.evidence
    outcome = outcomes[0]
    if claim.again and set(outcomes) == {AGREES, CORRECTED}:
        outcome = CORRECTED
    elif claim.again and outcomes[1] != outcome:
        notes.append(f"{outcome} at first, {outcomes[1]} at the second setting")
        outcome = UNDECIDED
    if lacking:
        notes[:] = [f"without {lack}" for lack in lacking[:_TOLD]]
        notes += [f"and {len(lacking) - _TOLD} cells more"] if len(lacking) > _TOLD else []
        outcome = UNDECIDED
    if result.study.measure == "escape":
        outcome = _conditions(there, claim, outcome, notes)
    if outcome == CORRECTED and claim.correction:
        notes.append(claim.correction)
    return Verdict(result.name, claim.name, claim.says, outcome, "; ".join(numbers), claim.rule, notes, evidence)


_TOLD = 3  # cells that are missing, in a verdict's notes


def _find(there: StudyResult, claim: Claim, series: str) -> Finding:
    test = find_test(claim.test)
    if len(there.series(series)) < test.least:
        raise InvalidInput(f"it needs {test.least} cells, '{series}' has {len(there.series(series))}")
    return test.find(there, claim, series)


def _reason(claim: Claim, failure: Exception) -> str:
    reason = str(failure).removeprefix(f"claim '{claim.name}': ")
    return reason if isinstance(failure, ValueError) else f"internal error: {type(failure).__name__}: {reason}"


def _outcome(finding: Finding) -> str:
    if finding.plain == AGREES or finding.corrected is None:
        return finding.plain
    if finding.corrected == AGREES:
        return CORRECTED
    return finding.plain if finding.plain == finding.corrected else UNDECIDED


def _conditions(result: StudyResult, claim: Claim, outcome: str, notes: list[str]) -> str:
    tried = [done for name in filter(None, (claim.series, claim.again)) for done in result.series(name)]
    cells = [done for done in tried if done.cell.simulate]
    if not cells:
        return outcome
    told = [done for done in cells if done.measured["exponential"] is not None]
    exponential = [done for done in told if done.measured["exponential"]]
    worst = max((done.measured["exponential_distance"] for done in told), default=0.0)
    if len(exponential) == len(cells):
        tolerance = cells[0].measured["exponential_tolerance"]
        notes.append(
            f"escape times exponential in all {len(cells)} cells (largest distance {worst:.3f}, allowed {tolerance})"
        )
        return outcome
    if len(exponential) < len(told):
        count = len(told) - len(exponential)
        notes.append(f"escape times not exponential in {count} of {len(cells)} cells (largest distance {worst:.3f})")
    if len(told) < len(cells):
        notes.append(
            f"too few escapes to tell whether times are exponential in {len(cells) - len(told)} of {len(cells)} cells"
        )
    return UNDECIDED if find_test(claim.test).memoryless else outcome


# ----------------------------------------------------------------------------------------- what tests share


def within(deviation: Estimate, tolerance: float) -> str:
    """The rule of a coefficient: |deviation| plus half the interval below the tolerance agrees; apart by more disagrees."""
    size, half = abs(deviation.value), deviation.half_width
    if size + half < tolerance:
        return AGREES
    return DISAGREES if size - half > tolerance else UNDECIDED


def worst(outcomes: list[str]) -> str:
    """The outcome of several that must all hold."""
    for outcome in (DISAGREES, UNDECIDED, CORRECTED):
        if outcome in outcomes:
            return outcome
    return AGREES


def percent(estimate: Estimate) -> str:
    """A relative deviation as text: +3.1 ± 0.4 %."""
    return f"{100 * estimate.value:+.1f} ± {100 * estimate.half_width:.1f} %"


def swept(cells: list[Finished], variable: str) -> np.ndarray:
    """The values of a swept field along a series."""
    for done in cells:
        if variable not in done.cell.point:
            raise InvalidInput(
                unknown("claims.options.variable", variable, list(done.cell.point) or ["(nothing is swept)"])
            )
    return np.array([done.cell.point[variable] for done in cells], dtype=float)


def option(claim: Claim, name: str, default: Any = None) -> Any:
    """An option of a claim; without a default it must be there."""
    if name not in claim.options and default is None:
        raise InvalidInput(f"claim '{claim.name}': options.{name} is missing")
    return claim.options.get(name, default)


def needed(cells: list[Finished], what: str, claim: Claim) -> np.ndarray:
    """A number that theory or exact numerics must have given in every cell."""
    for done in cells:
        if done.known.get(what) is None:
            reason = done.known.get(f"{what}_refused") or done.known.get("theory_refused") or "there is none"
            raise InvalidInput(f"claim '{claim.name}' needs {what}: {reason}")
    return np.array([done.known[what] for done in cells], dtype=float)


def records(finished: Finished) -> Iterator[tuple[int, int]]:
    """(record, coordinate) of every displacement in a cell, records at step 0 left out."""
    for r, step in enumerate(finished.measured["record_at"]):
        if step > 0:
            yield from ((r, j) for j in range(len(finished.measured["msd"][r])))
