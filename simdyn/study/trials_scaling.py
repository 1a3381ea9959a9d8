"""Tests of how escape times scale along a sweep, without any formula for them."""

from typing import Any

import numpy as np
from pydantic import Field

from simdyn.estimate import Estimate, LineFit, fit_line
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.trials_escape import Power
from simdyn.study.verdicts import Finding, option, swept, trial, within


class Scaling(Strict):
    """Options of a claim on the slope of log tau."""

    variable: Name = Field(description="The path of the swept field.")
    expected: float = Field(description="The claimed slope.")
    scale: float = Field(1.0, gt=0, description="What the field is divided by.")
    power: Power = Field(1.0, description="The power of field/scale that u is, not 0.")
    logarithmic: bool = Field(
        True,
        description=(
            "Whether the slope is against log u, the exponent of a power law, or against u itself, that of an exponential."
        ),
    )


def straight(cells: list[Finished], u: np.ndarray, logarithmic: bool = True) -> tuple[LineFit, dict[str, Any]]:
    """The line of log tau in log u, or in u itself, and the evidence that a figure of it draws."""
    logs = [done.escape_time().log() for done in cells]
    log_tau, stderr = [log.value for log in logs], [log.standard_error for log in logs]
    fit = fit_line(np.log(u) if logarithmic else u, log_tau, stderr)
    evidence = {
        "u": u.tolist(),
        "log_tau": log_tau,
        "stderr": stderr,
        "slope": list(fit.slope),
        "intercept": list(fit.intercept),
        "residuals": fit.residuals.tolist(),
    }
    return fit, evidence


@trial("log_slope", "escape", Scaling, formula=False, least=3)
def log_slope(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Slope of log tau against u = (field/scale)^power, or against log u, less the claimed one."""
    cells = result.series(name)
    u = (swept(cells, option(claim, "variable")) / option(claim, "scale", 1.0)) ** option(claim, "power", 1.0)
    fit, evidence = straight(cells, u, option(claim, "logarithmic", True))
    slope, expected = fit.slope, float(option(claim, "expected"))
    off = Estimate(slope.value - expected, slope.low - expected, slope.high - expected, slope.level)
    numbers = (
        f"slope {slope.value:.3f} ± {slope.half_width:.3f}, claimed {expected:g};"
        f" tau changes {np.exp(np.ptp(evidence['log_tau'])):.3g} times while the field changes {u.max() / u.min():.3g} times"
    )
    return Finding(within(off, claim.tolerance), None, numbers, evidence)
