"""Tests of claims on escape times."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from simdyn.estimate import (
    Estimate,
    compare_exponents,
    fit_free_exponent,
    fit_line,
    fit_sharpness,
    raw_slope,
    relative_deviation,
)
from simdyn.study.results import StudyResult
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.verdicts import (
    AGREES,
    DISAGREES,
    UNDECIDED,
    Finding,
    needed,
    option,
    percent,
    swept,
    trial,
    within,
    worst,
)


def _not_zero(value: float) -> float:
    if value == 0.0:
        raise ValueError("should be a number other than 0")
    return value


Power = Annotated[float, AfterValidator(_not_zero)]


class Exponents(Strict):
    """Options of a claim on a power."""

    variable: Name = Field(description="The path of the swept field u.")
    power: Power = Field(description="The claimed power of u, not 0.")
    rival: Power = Field(description="The power that the free one's interval must leave out.")
    near: bool = Field(
        False,
        description=(
            "Whether the free power's interval must also come to within the tolerance of the claimed power, not only leave"
            " out the rival."
        ),
    )


@trial("exponent", "escape", Exponents, least=3)
def exponent(result: StudyResult, claim: Claim, name: str) -> Finding:
    """log tau = A u^power + c along a sweep of u: A against theory's, and the power left free, against a rival's.

    Plain: log tau as it is; corrected: theory's log prefactor taken off first. Plain
    agreement that the correction undoes is none: the prefactor's bend has made up for a wrong coefficient.
    """
    cells = result.series(name)
    power, rival = float(option(claim, "power")), float(option(claim, "rival"))
    u = swept(cells, option(claim, "variable"))
    k = u if power < 0 else 1.0 / u
    p, q = abs(power), rival * np.sign(power)
    logs = [done.escape_time().log() for done in cells]
    log_tau = np.array([log.value for log in logs])
    stderr = np.array([log.standard_error for log in logs])
    coefficients = needed(cells, "action", claim) * k**p
    coefficient = float(coefficients.mean())
    known = np.log(needed(cells, "prefactor", claim))
    outcomes: dict[str, str] = {}
    evidence: dict[str, Any] = {}
    words: list[str] = []
    for label, prefactor in (("raw", np.zeros_like(known)), ("corrected", known)):
        fit = fit_sharpness(k, log_tau, stderr, p, prefactor)
        other = fit_sharpness(k, log_tau, stderr, q, prefactor)
        free = fit_free_exponent(k, log_tau, stderr, prefactor)
        preferred = compare_exponents(k, log_tau, stderr, {f"{power:g}": (p, prefactor), f"{rival:g}": (q, prefactor)})
        deviation = relative_deviation(fit.coefficient, coefficient)
        sign = np.sign(power)
        interval = sorted((sign * free.exponent.low, sign * free.exponent.high))
        apart = not interval[0] <= rival <= interval[1] and abs(sign * free.exponent.value - power) < abs(
            sign * free.exponent.value - rival
        )
        outcomes[label] = within(deviation, claim.tolerance)
        if option(claim, "near", False) and within(relative_deviation(free.exponent, p), claim.tolerance) == DISAGREES:
            outcomes[label] = DISAGREES
        if not apart:
            beyond = interval[0] <= power <= interval[1]
            outcomes[label] = UNDECIDED if beyond else DISAGREES
        ratio = other.rms / fit.rms
        words.append(
            f"{label}: A/theory {1 + deviation.value:.3f} ± {deviation.half_width:.3f},"
            f" power {sign * free.exponent.value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}],"
            f" rival's residual {ratio:.2g} times as large"
        )
        evidence[label] = {
            "coefficient": list(fit.coefficient),
            "coefficient_theory": coefficient,
            "constant": list(fit.constant),
            "residuals": fit.residuals.tolist(),
            "rms": fit.rms,
            "rival_rms": other.rms,
            "power": [sign * free.exponent.value, *interval],
            "preferred": preferred.preferred,
            "decisiveness": preferred.decisiveness,
            "log_prefactor": prefactor.tolist(),
        }
    if outcomes["raw"] == AGREES != outcomes["corrected"]:
        outcomes["raw"] = UNDECIDED
        words.append("agrees only while theory's prefactor is left out")
    if all(done.known.get("exact") is not None for done in cells):
        exact = np.log([done.known["exact"] for done in cells])
        fit, free = fit_sharpness(k, exact, stderr, p, known), fit_free_exponent(k, exact, stderr, known)
        ratio, exponent_found = fit.coefficient.value / coefficient, sign_of(power) * free.exponent.value
        words.append(f"exact answers, corrected: A/theory {ratio:.3f}, power {exponent_found:.3f}")
        evidence["exact_log_tau"] = exact.tolist()
    evidence["k"], evidence["log_tau"], evidence["stderr"] = k.tolist(), log_tau.tolist(), stderr.tolist()
    if np.all(log_tau > 0):
        naive = raw_slope(k, log_tau, stderr).slope
        evidence["log_log_slope"] = list(naive)
        words.append(f"slope of log log tau in log k {naive.value:.2f}")
    return Finding(outcomes["raw"], outcomes["corrected"], "; ".join(words), evidence)


def sign_of(power: float) -> float:
    """1 or -1."""
    return 1.0 if power > 0 else -1.0


class Against(Strict):
    """Options of a claim on a ratio."""

    against: Literal["theory", "exact"] = Field("theory", description="What the measured time is held against.")
    corrected: Literal["theory", "exact"] | None = Field(
        None, description="What it is held against once corrected: the other one; no correction where it is left out."
    )


@trial("escape_ratio", "escape", Against)
def escape_ratio(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Measured over a known mean escape time, cell by cell."""
    cells = result.series(name)
    against = option(claim, "against", "theory")
    columns = [against, *filter(None, [option(claim, "corrected", "")])]
    outcomes, words, evidence = [], [], {}
    for column in columns:
        known = needed(cells, column, claim)
        ratios = [relative_deviation(done.escape_time(), value) for done, value in zip(cells, known, strict=True)]
        outcomes.append(worst([within(ratio, claim.tolerance) for ratio in ratios]))
        extreme = max(ratios, key=lambda ratio: abs(ratio.value))
        words.append(f"measured/{column} - 1: {_range(ratios)}, worst {percent(extreme)}")
        evidence[column] = [list(ratio) for ratio in ratios]
    return Finding(outcomes[0], outcomes[1] if len(outcomes) > 1 else None, "; ".join(words), evidence)


@trial("asymptotic", "escape", least=2)
def asymptotic(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Measured over an asymptotic formula, cell by cell; corrected: its limit for high barriers, a line in 1/action.

    A formula that is a limit is not refuted by a deviation that vanishes as 1/action, its next order.
    """
    cells = result.series(name)
    theory, action = (needed(cells, column, claim) for column in ("theory", "action"))
    ratios = [relative_deviation(done.escape_time(), value) for done, value in zip(cells, theory, strict=True)]
    values = np.array([ratio.value for ratio in ratios])
    fit = fit_line(1.0 / action, values, np.array([ratio.standard_error for ratio in ratios]))
    plain = worst([within(ratio, claim.tolerance) for ratio in ratios])
    numbers = (
        f"measured/theory - 1: {_range(ratios)} (each ± {100 * ratios[0].half_width:.1f}); limit of high barriers"
        f" {percent(fit.intercept)}, next order {fit.slope.value:+.2f} ± {fit.slope.half_width:.2f} over the exponent"
    )
    evidence = {"ratio": [list(ratio) for ratio in ratios], "limit": list(fit.intercept), "next": list(fit.slope)}
    return Finding(plain, within(fit.intercept, claim.tolerance), numbers, evidence)


def _range(ratios: list[Estimate]) -> str:
    values = [100.0 * ratio.value for ratio in ratios]
    return f"{min(values):+.1f} to {max(values):+.1f} %"


class Slope(Strict):
    """Options of a claim on what a prefactor misses."""

    variable: Name = Field(description="The path of the swept field.")
    expected: float = Field(description="The claimed slope.")
    corrected: float = Field(description="The slope once corrected.")
    scale: float = Field(1.0, gt=0, description="What the field is divided by.")
    power: Power = Field(1.0, description="The power of field/scale whose logarithm the slope is against, not 0.")


@trial("escape_slope", "escape", Slope, least=2)
def escape_slope(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Slope of log(measured/theory) against the log of a swept field: what the formula's prefactor misses."""
    cells = result.series(name)
    u = option(claim, "power", 1.0) * np.log(swept(cells, option(claim, "variable")) / option(claim, "scale", 1.0))
    theory = needed(cells, "theory", claim)
    logs = [done.escape_time().log() for done in cells]
    values = np.array([log.value for log in logs]) - np.log(theory)
    slope = fit_line(u, values, np.array([log.standard_error for log in logs])).slope
    outcomes = []
    for target in (float(option(claim, "expected")), float(option(claim, "corrected"))):
        off = Estimate(slope.value - target, slope.low - target, slope.high - target, slope.level)
        outcomes.append(within(off, claim.tolerance))
    numbers = f"slope {slope.value:.3f} ± {slope.half_width:.3f}, claimed {option(claim, 'expected'):g}"
    evidence: dict[str, Any] = {"slope": list(slope), "log_ratio": values.tolist(), "log_variable": u.tolist()}
    if all(done.known.get("exact") is not None for done in cells):
        exact = np.log(needed(cells, "exact", claim)) - np.log(theory)
        evidence["exact_log_ratio"] = exact.tolist()
        evidence["exact_slope"] = float(np.polyfit(u, exact, 1)[0])
        numbers += f", of the exact chain {evidence['exact_slope']:.3f}"
    return Finding(outcomes[0], outcomes[1], numbers, evidence)


class Limit(Strict):
    """Options of a claim on the limit of small steps."""

    variable: Name = Field(description="The path of the swept step.")
    target: Name = Field(description="The series of one cell whose answer is the limit.")
    target_again: Name | None = Field(None, description="The same for the second setting, needed with `again`.")
    order: float = Field(1.0, gt=0, description="The power of the step in which the deviation vanishes.")


@trial("limit", "escape", Limit, formula=False, least=2)
def limit(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Mean escape time in continuous time as a swept step goes to zero, against a target series' answer, exact or measured."""
    cells = result.series(name)
    step = swept(cells, option(claim, "variable"))
    aim_at = option(claim, "target" if name == claim.series else "target_again")
    (target,) = result.series(aim_at)
    times = [done.escape_time(in_time=True) for done in cells]
    fit = fit_line(
        step ** float(option(claim, "order", 1.0)),
        np.array([time.value for time in times]),
        np.array([time.standard_error for time in times]),
    )
    goal = target.known.get("exact")
    measured = aim = target.escape_time(in_time=True)
    if goal is not None:
        exact = goal if target.in_time else goal * target.measured["time_step"]
        aim = Estimate(exact, exact, exact, measured.level)
    spread = np.hypot(fit.intercept.half_width / aim.value, aim.half_width / aim.value)
    off = fit.intercept.value / aim.value - 1.0
    deviation = Estimate(off, off - spread, off + spread, measured.level)
    source = "exact" if goal is not None else "measured"
    largest = times[int(np.argmax(step))].value / aim.value - 1.0
    numbers = (
        f"limit {fit.intercept.value:.4g} ± {fit.intercept.half_width:.2g} against {source} {aim.value:.4g}:"
        f" {percent(deviation)} (at the largest step {100 * largest:+.1f} %)"
    )
    evidence = {
        "step": step.tolist(),
        "time": [list(time) for time in times],
        "intercept": list(fit.intercept),
        "slope": list(fit.slope),
        "target": list(aim),
    }
    return Finding(within(deviation, claim.tolerance), None, numbers, evidence)
