"""Tests of claims on displacements and densities."""

import numpy as np
from pydantic import Field

from simdyn.estimate import Estimate, log_log_slope
from simdyn.model.geometry import curvatures_at, saddle
from simdyn.model.records import InvalidInput
from simdyn.study.results import Finished, StudyResult, bin_shares
from simdyn.study.schema import Claim, Name, Strict
from simdyn.study.verdicts import (
    AGREES,
    UNDECIDED,
    Finding,
    option,
    records,
    trial,
    within,
    worst,
)

NORMAL = 1.959964  # half of a 95 % interval, in standard errors


class Since(Strict):
    """Options of a claim on growth."""

    since: int = Field(1, ge=0, description="The first step that counts.")


@trial("growth", "displacement", Since, single=True)
def growth(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Mean squared displacement over the formula's, from a step on, all coordinates together.

    Corrected: the exact moments of a linear dynamics, or of Adam and Adai with
    v held still.
    """
    (cell,) = result.series(name)
    since = int(option(claim, "since", 1))
    formula, corrected = formula_total(cell), corrected_total(cell)
    outcomes, words, evidence = [], [], {}
    for label, reference in (("formula", formula), ("corrected", corrected)):
        if reference is None:
            continue
        deviations = [
            _deviation(cell, r, j, reference[r, j]) for r, j in records(cell) if cell.measured["record_at"][r] >= since
        ]
        outcomes.append(worst([within(deviation, claim.tolerance) for deviation in deviations]))
        values = [100.0 * deviation.value for deviation in deviations]
        half = 100.0 * max(deviation.half_width for deviation in deviations)
        words.append(f"measured/{label} - 1: {min(values):+.1f} to {max(values):+.1f} % (each ± {half:.1f})")
        evidence[label] = values
    return Finding(outcomes[0], outcomes[1] if len(outcomes) > 1 else None, "; ".join(words), evidence)


def _deviation(cell: Finished, r: int, j: int, reference: float) -> Estimate:
    if not reference > 0.0:
        raise InvalidInput(
            f"its reference at step {cell.measured['record_at'][r]}, coordinate {j}, is {reference:g}: nothing to compare with"
        )
    value, half = cell.measured["msd"][r][j] / reference - 1.0, NORMAL * cell.measured["stderr"][r][j] / reference
    return Estimate(value, value - half, value + half, 0.95)


def formula_total(cell: Finished) -> np.ndarray:
    """The paper's formula, drift and diffusion together, (records, d)."""
    if cell.known["drift"] is None:
        raise InvalidInput(f"series '{cell.cell.series}': {cell.known.get('theory_refused', 'there is no formula')}")
    return np.array(cell.known["drift"]) + np.array(cell.known["diffusion"])


def corrected_total(cell: Finished) -> np.ndarray | None:
    """What the formula should have been: exact moments, or those for v held still; None where there is neither."""
    known = cell.known["exact"] or cell.known.get("frozen_v")
    return None if known is None else np.array(known)


def curvature_sizes(cell: Finished) -> np.ndarray:
    """|H_i| at the saddle, (d,)."""
    return np.abs(curvatures_at(cell.cell.landscape, saddle(cell.cell.landscape)))


def drift_alone(result: StudyResult, running: Finished, without: str, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared displacement carried by the start's momentum at record r, and its standard error, (d,) each.

    A run with stationary momentum less one without, on the same noise. A particle moves u + w, the momentum's part and the
    noise's, independent and normal with variances a and b: the difference u^2 + 2 u w has mean a and variance 2 a^2 + 4 a b.
    """
    (rest,) = result.series(without)
    diffusion = np.array(rest.measured["msd"][r])
    drift = np.array(running.measured["msd"][r]) - diffusion
    guess = np.maximum(drift, 1e-6 * diffusion)
    return drift, np.sqrt((2.0 * guess**2 + 4.0 * guess * diffusion) / running.cell.ensemble.particles)


def slope_points(result: StudyResult, claim: Claim, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a curvature claim is about: |H_i|, displacement, its standard error and the formula's, (d,) each."""
    (cell,) = result.series(name)
    at = cell.measured["record_at"]
    r = at.index(option(claim, "at", at[-1]))
    if "without" in claim.options:
        value, stderr = drift_alone(result, cell, claim.options["without"], r)
        formula = np.array(cell.known["drift"])[r]
    else:
        value, stderr = np.array(cell.measured["msd"][r]), np.array(cell.measured["stderr"][r])
        formula = formula_total(cell)[r]
    return curvature_sizes(cell), value, stderr, formula


class CurvatureSlope(Strict):
    """Options of a claim on curvature."""

    expected: float = Field(0.0, description="The claimed slope.")
    rival: float = Field(description="The slope that the interval must leave out.")
    at: int | None = Field(None, description="The recorded step that is looked at; the last where it is left out.")
    without: Name | None = Field(
        None,
        description="A series of one cell without the start's momentum: what it lacks, the drift alone, is looked at.",
    )
    at_least: float = Field(1e-300, description="The smallest curvature that counts, in units of their mean.")
    at_most: float = Field(1e300, description="The largest curvature that counts, in units of their mean.")


@trial("curvature_slope", "displacement", CurvatureSlope, single=True, point=saddle)
def curvature_slope(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Slope of log MSD against log |H_i|, all points weighted alike; the interval covers their scatter about the line."""
    sizes, value, stderr, formula = slope_points(result, claim, name)
    share = sizes / sizes.mean()
    counts = (share >= option(claim, "at_least", 1e-300)) & (share <= option(claim, "at_most", 1e300)) & (value > 0)
    if counts.sum() < 3:
        raise InvalidInput(f"claim '{claim.name}': fewer than three curvatures with a positive displacement are left")
    typical = np.sqrt(np.mean((stderr[counts] / value[counts]) ** 2))
    slope = log_log_slope(sizes[counts], value[counts], typical * value[counts]).slope
    expected, rival = float(option(claim, "expected", 0.0)), float(option(claim, "rival"))
    off = Estimate(slope.value - expected, slope.low - expected, slope.high - expected, slope.level)
    outcome = within(off, claim.tolerance)
    if outcome == AGREES and slope.contains(rival):
        outcome = UNDECIDED
    local = np.polyfit(np.log(sizes[counts]), np.log(formula[counts]), 1)[0]
    numbers = (
        f"slope {slope.value:.3f} ± {slope.half_width:.3f} over {int(counts.sum())} curvatures, claimed {expected:g},"
        f" the formula's own {local:.3f}"
    )
    evidence = {
        "slope": list(slope),
        "curvature": sizes.tolist(),
        "value": value.tolist(),
        "stderr": stderr.tolist(),
        "formula": formula.tolist(),
        "counts": counts.tolist(),
    }
    return Finding(outcome, None, numbers, evidence)


@trial("density", "density", formula=False, single=True)
def density(result: StudyResult, claim: Claim, name: str) -> Finding:
    """Total variation distance between histogram and Fokker-Planck equation, less what sampling alone gives, at every record.

    What lies outside of the bins counts as one more of them. Raises InvalidInput where the equation has less than half of
    its probability inside: such bins try nothing.
    """
    (cell,) = result.series(name)
    particles = cell.measured["particles"]
    shares, expected = bin_shares(cell)
    if np.any(expected[:, -1] > 0.5):
        step = cell.measured["record_at"][int(np.argmax(expected[:, -1]))]
        raise InvalidInput(
            f"the bins hold {1.0 - expected[:, -1].max():.2g} of the expected probability at step {step}: take wider ones"
        )
    distances, noise, outcomes = [], [], []
    for r in range(len(expected)):
        stderr = np.sqrt(expected[r] * (1.0 - expected[r]) / particles)
        distances.append(float(np.abs(shares[r] - expected[r]).sum() / 2.0))
        # The absolute value of a normal error has mean sqrt(2/pi) and variance 1 - 2/pi.
        noise.append(float(np.sqrt(2.0 / np.pi) * stderr.sum() / 2.0))
        half = float(NORMAL * np.sqrt((1.0 - 2.0 / np.pi) * (stderr**2).sum()) / 2.0)
        excess = max(distances[r] - noise[r], 0.0)
        # Noise as large as the tolerance hides what it should show.
        hidden = noise[r] >= claim.tolerance > excess
        outcomes.append(
            UNDECIDED if hidden else within(Estimate(excess, excess - half, excess + half, 0.95), claim.tolerance)
        )
    sampling = noise[int(np.argmax(distances))]
    numbers = f"distance {max(distances):.4f} at most, of which sampling {sampling:.4f}; tolerance {claim.tolerance}"
    return Finding(worst(outcomes), None, numbers, {"distance": distances, "sampling": noise})
