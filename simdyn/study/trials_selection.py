"""Tests of claims on which minimum is preferred, and on how a time depends on a curvature where no formula is asked.

The verdict is which of two numbers a measured one is nearer to: the paper's words "slow or fast, sharp or flat" are no
numbers, theory's limits for the two are.
"""

from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from simdyn.estimate import Estimate, fit_line
from simdyn.model.geometry import curvatures_at, minimum
from simdyn.model.records import InvalidInput
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.trials_scaling import straight
from simdyn.study.verdicts import AGREES, DISAGREES, UNDECIDED, Finding, option, swept, trial, within


def nearer(estimate: Estimate, expected: float, rival: float, margin: float) -> str:
    """Whether the whole interval is nearer to `expected` than to `rival`, by `margin` of their distance beyond half way."""
    share = (np.array([estimate.low, estimate.high]) - rival) / (expected - rival)
    if share.min() > 0.5 + margin:
        return AGREES
    return DISAGREES if share.max() < 0.5 - margin else UNDECIDED


class Pair(NamedTuple):
    """The two ways between two minima: out of the sharper one and out of the flatter one."""

    sharp: Finished
    flat: Finished

    def log_ratio(self) -> Estimate:
        """log(tau_flat/tau_sharp): the logarithm of the odds of being in the flat minimum, when time has passed."""
        return _difference(self.flat.escape_time().log(), self.sharp.escape_time().log())


def _difference(one: Estimate, other: Estimate) -> Estimate:
    value, half = one.value - other.value, float(np.hypot(one.half_width, other.half_width))
    return Estimate(value, value - half, value + half, one.level)


def pairs(result: StudyResult, name: str, variable: str) -> dict[float, Pair]:
    """The cells of a series by the value of a swept field, two of each: they start in minima of unlike curvature."""
    cells = result.series(name)
    grouped: dict[float, list[Finished]] = {}
    for value, done in zip(swept(cells, variable), cells, strict=True):
        grouped.setdefault(float(value), []).append(done)
    found = {}
    for value, group in sorted(grouped.items()):
        sharpness = [float(curvatures_at(done.cell.landscape, minimum(done.cell.landscape))[0]) for done in group]
        if len(group) != 2 or sharpness[0] == sharpness[1]:
            raise InvalidInput(
                f"at {variable} = {value:g} there must be two cells, out of a sharp minimum and out of a flat one, not"
                f" {len(group)} out of curvatures {sharpness}"
            )
        sharp, flat = sorted(group, key=lambda done: -sharpness[group.index(done)])
        found[value] = Pair(sharp, flat)
    return found


class _Apart(Strict):
    """Options of a claim that a number is nearer to one value than to another."""

    variable: Name = Field(description="The path of the swept field.")
    expected: float = Field(description="The number that is claimed.")
    rival: float = Field(description="The number that the measured one must not be nearer to.")


class Preference(_Apart):
    """Options of a claim on the preference for flat minima."""


@trial("preference", "escape", Preference, formula=False, least=2, memoryless=False, point=minimum, several=True)
def preference(result: StudyResult, claim: Claim, name: str) -> Finding:
    """The power p of tau_flat ~ tau_sharp^(1 + p) as a swept barrier grows: how exponentially flat minima are preferred.

    p = 0: the odds tau_flat : tau_sharp do not grow with the barrier, the preference is polynomial in the curvatures; p > 0:
    they grow exponentially with it. A learning rate and the barrier's height cancel in p where both escapes are
    activated, so it can be compared between methods.
    """
    found = pairs(result, name, option(claim, "variable"))
    u = np.array(list(found))
    ways = {
        way: fit_line(u, [log.value for log in logs], [log.standard_error for log in logs]).slope
        for way in Pair._fields
        for logs in [[getattr(pair, way).escape_time().log() for pair in found.values()]]
    }
    sharp, flat = ways["sharp"], ways["flat"]
    if sharp.low <= 0.0:
        raise InvalidInput(f"the time to leave the sharp minimum does not grow with {option(claim, 'variable')}")
    power = flat.value / sharp.value
    half = float(np.hypot(flat.half_width, power * sharp.half_width)) / sharp.value
    estimate = Estimate(power - 1.0, power - 1.0 - half, power - 1.0 + half, sharp.level)
    odds = [pair.log_ratio() for pair in found.values()]
    share = share_flat(odds[-1])
    numbers = (
        f"tau_flat ~ tau_sharp^(1 + p), p {estimate.value:.2f} ± {estimate.half_width:.2f}, claimed"
        f" {option(claim, 'expected'):g} rather than {option(claim, 'rival'):g}; log(tau_flat/tau_sharp)"
        f" {odds[0].value:.2f} to {odds[-1].value:.2f} ± {odds[-1].half_width:.2f}, share of time in the flat"
        f" minimum {_range(share)}"
    )
    evidence: dict[str, Any] = {
        "value": list(estimate),
        "variable": u.tolist(),
        "log_ratio": [list(each) for each in odds],
        "log_sharp": [pair.sharp.escape_time().log().value for pair in found.values()],
        "share_flat": list(share),
    }
    return Finding(nearer(estimate, *_between(claim)), None, numbers, evidence)


def share_flat(odds: Estimate) -> Estimate:
    """tau_flat/(tau_flat + tau_sharp) from the logarithm of the odds: the share of time that is spent in the flat minimum
    where a method's memory is short beside both times."""
    value, low, high = (float(1.0 / (1.0 + np.exp(-end))) for end in odds[:3])
    return Estimate(value, low, high, odds.level)


def _range(share: Estimate) -> str:
    digits = 2 - int(np.floor(np.log10(share.half_width)))
    return f"{share.value:.{digits}f} [{share.low:.{digits}f}, {share.high:.{digits}f}]"


def _between(claim: Claim) -> tuple[float, float, float]:
    expected, rival = float(option(claim, "expected")), float(option(claim, "rival"))
    if expected == rival:
        raise InvalidInput(f"options.expected and options.rival must differ, both are {expected:g}")
    return expected, rival, claim.tolerance


class Than(Strict):
    """Options of a claim that one series prefers flat minima more than another, or as much."""

    variable: Name = Field(description="The path of the swept field, at whose largest value series are compared.")
    than: Name = Field(description="The series that it is compared with.")
    than_again: Name | None = Field(None, description="The same for the second setting, needed with `again`.")


class _Compared(NamedTuple):
    """By how much the log odds of two series differ at the largest value of a swept field, in words and as evidence."""

    more: Estimate
    numbers: str
    evidence: dict[str, Any]


def _compared(result: StudyResult, claim: Claim, name: str) -> _Compared:
    found = []
    for series in (name, option(claim, "than" if name == claim.series else "than_again")):
        by_value = pairs(result, series, option(claim, "variable"))
        found.append(by_value[max(by_value)])
    one, other = (pair.log_ratio() for pair in found)
    more, shares = _difference(one, other), [share_flat(one), share_flat(other)]
    times = [[way.escape_time() for way in pair] for pair in found]
    numbers = (
        f"log(tau_flat/tau_sharp) {one.value:.2f} ± {one.half_width:.2f} against {other.value:.2f} ±"
        f" {other.half_width:.2f}: more by {more.value:+.2f} ± {more.half_width:.2f}; share of time in the flat minimum"
        f" {_range(shares[0])} against {_range(shares[1])}; tau_sharp, tau_flat {times[0][0].value:.3g},"
        f" {times[0][1].value:.3g} against {times[1][0].value:.3g}, {times[1][1].value:.3g} steps"
    )
    evidence = {
        "value": list(more),
        "log_ratio": [list(one), list(other)],
        "share_flat": [list(share) for share in shares],
        "tau_sharp_flat": [[list(time) for time in pair] for pair in times],
    }
    return _Compared(more, numbers, evidence)


@trial("prefers_more", "escape", Than, formula=False, least=2, memoryless=False, point=minimum, several=True)
def prefers_more(result: StudyResult, claim: Claim, name: str) -> Finding:
    """log(tau_flat/tau_sharp) less that of another series, at the largest value of a swept field: above the tolerance?"""
    found = _compared(result, claim, name)
    outcome = UNDECIDED
    if found.more.low > claim.tolerance:
        outcome = AGREES
    elif found.more.high < claim.tolerance:
        outcome = DISAGREES
    return Finding(outcome, None, found.numbers, found.evidence)


@trial("prefers_alike", "escape", Than, formula=False, least=2, memoryless=False, point=minimum, several=True)
def prefers_alike(result: StudyResult, claim: Claim, name: str) -> Finding:
    """log(tau_flat/tau_sharp) less that of another series, at the largest value of a swept field: below the tolerance in size?"""
    found = _compared(result, claim, name)
    return Finding(within(found.more, claim.tolerance), None, found.numbers, found.evidence)


class TauSlope(_Apart):
    """Options of a claim on the slope of log tau."""

    magnitude: bool = Field(
        False, description="Whether the field's size counts, not its sign: curvatures of saddles are negative."
    )


@trial("tau_slope", "escape", TauSlope, formula=False, least=3, memoryless=False)
def tau_slope(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Slope of log tau against the log of a swept field, no formula asked.

    The mean of all times needs no exponential law as long as none is censored, and neither does its interval.
    """
    cells = result.series(name)
    if any(done.measured["censored"] for done in cells):
        raise InvalidInput("all particles must have left: the mean of censored times needs a law")
    u = np.abs(swept(cells, option(claim, "variable")))
    fit, evidence = straight(cells, u)
    slope, order = fit.slope, np.argsort(u)
    ends = np.diff(np.array(evidence["log_tau"])[order]) / np.diff(np.log(u)[order])
    numbers = (
        f"slope of log tau {slope.value:.2f} ± {slope.half_width:.2f}, local {ends[0]:.2f} to {ends[-1]:.2f}, claimed"
        f" {option(claim, 'expected'):g} rather than {option(claim, 'rival'):g}"
    )
    evidence |= {"value": list(slope), "log_variable": np.log(u).tolist()}
    return Finding(nearer(slope, *_between(claim)), None, numbers, evidence)
