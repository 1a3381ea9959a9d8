"""The rules of verdicts on made-up measurements: what holds is accepted, what is 10 % off or of another power is not."""

import numpy as np
import pytest
from study_tools import DENSITY, ESCAPE, SPREAD, changed, judged, measured_escape, result_of

from simdyn.estimate import Estimate
from simdyn.model.records import InvalidInput
from simdyn.study.references import formula, refer
from simdyn.study.verdicts import (
    AGREES,
    CORRECTED,
    DISAGREES,
    UNDECIDED,
    Finding,
    _outcome,
    judge,
    within,
    worst,
)


def verdict_of(table, measured, known=None):
    (verdict,) = judged(result_of(table, measured, known))
    return verdict


def estimate(value, half):
    return Estimate(value, value - half, value + half, 0.95)


@pytest.mark.parametrize(
    ("value", "half", "outcome"),
    [
        (0.0, 0.01, AGREES), (0.07, 0.02, AGREES), (-0.07, 0.02, AGREES), (0.09, 0.02, UNDECIDED),
        (-0.11, 0.02, UNDECIDED), (0.13, 0.02, DISAGREES), (-0.13, 0.02, DISAGREES), (0.0, 0.2, UNDECIDED),
        (0.1, 0.0, UNDECIDED), (5.0, 10.0, UNDECIDED),
    ],
)  # fmt: skip
def test_a_coefficient_agrees_inside_disagrees_outside_and_is_open_between(value, half, outcome):
    assert within(estimate(value, half), 0.10) == outcome


def test_an_interval_without_an_end_decides_nothing():
    assert within(Estimate(0.0, -0.1, np.inf, 0.95), 0.10) == UNDECIDED


def test_all_must_hold():
    assert worst([AGREES, AGREES]) == AGREES
    assert worst([AGREES, CORRECTED]) == CORRECTED
    assert worst([CORRECTED, UNDECIDED, AGREES]) == UNDECIDED
    assert worst([UNDECIDED, DISAGREES, AGREES]) == DISAGREES


@pytest.mark.parametrize(
    ("plain", "corrected", "outcome"),
    [
        (AGREES, None, AGREES), (DISAGREES, None, DISAGREES), (AGREES, DISAGREES, AGREES),
        (DISAGREES, AGREES, CORRECTED), (UNDECIDED, AGREES, CORRECTED), (DISAGREES, DISAGREES, DISAGREES),
        (DISAGREES, UNDECIDED, UNDECIDED), (UNDECIDED, DISAGREES, UNDECIDED),
    ],
)  # fmt: skip
def test_a_correction_counts_only_where_the_claim_as_made_does_not_hold(plain, corrected, outcome):
    assert _outcome(Finding(plain, corrected, "", {})) == outcome


# ------------------------------------------------------------------------------------------------ escape: exponent


def power_law(factor=1.0, power=1.0, prefactor=True, half=0.01, **more):
    """Times with theory's action times `factor`, its power of k changed, theory's prefactor or none."""

    def measured(cell):
        known = formula(cell)
        k = cell.landscape.sharpness
        action = factor * known["action"] * k ** (1.0 - power)
        return measured_escape(np.exp(action) * (known["prefactor"] if prefactor else 100.0), half, **more)

    return measured


#: exponents so high that the prefactor bends nothing much
HIGH = changed(ESCAPE, "series/0/dynamics/learning_rate", 0.004)
#: exponents so low that it does
LOW = changed(ESCAPE, "noise/batch_size", 0.65)


def test_theorys_law_agrees():
    verdict = verdict_of(HIGH, power_law())
    assert verdict.verdict == AGREES and "A/theory 1.0" in verdict.numbers
    assert "exponential in all 5 cells" in verdict.notes[0]


def test_a_law_bent_by_its_prefactor_agrees_once_corrected_and_says_how():
    table = changed(LOW, "claims/0/correction", "corrected: theory's prefactor")
    verdict = verdict_of(table, power_law())
    assert verdict.verdict == CORRECTED and verdict.notes[-1] == "corrected: theory's prefactor"


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_coefficient_15_percent_off_disagrees(factor):
    assert verdict_of(HIGH, power_law(factor)).verdict == DISAGREES


@pytest.mark.parametrize("table", [HIGH, ESCAPE, LOW], ids=["high", "middle", "low"])
@pytest.mark.parametrize("factor", [0.8, 0.85, 0.9, 1.1, 1.15, 1.2])
def test_a_coefficient_10_percent_off_is_not_agreed_even_where_the_prefactor_makes_up_for_it(factor, table):
    assert verdict_of(table, power_law(factor)).verdict in (UNDECIDED, DISAGREES)


@pytest.mark.parametrize("prefactor", [False, True])
def test_the_rivals_law_is_rejected(prefactor):
    assert verdict_of(ESCAPE, power_law(power=0.5, prefactor=prefactor)).verdict == DISAGREES


NEAR = changed(HIGH, "claims/0/options/near", True)


@pytest.mark.parametrize(
    ("power", "half", "near", "far"),
    [(1.0, 0.01, AGREES, AGREES), (0.96, 0.01, AGREES, AGREES), (0.8, 0.01, DISAGREES, AGREES), (0.8, 0.5, AGREES, AGREES)],
)  # fmt: skip
def test_a_power_that_is_surely_not_the_claimed_one_refutes_where_the_power_is_the_claim(power, half, near, far):
    """At a coefficient that theory has right, a power a fifth off tells the rival apart all the same."""

    def measured(cell):
        known = formula(cell)
        k = cell.landscape.sharpness
        middle = 1.0 / (power * 1.5 ** (1.0 - power))  # so that the slope in 1/k, midway, is theory's
        return measured_escape(known["prefactor"] * np.exp(middle * known["action"] * k ** (1.0 - power)), half)

    assert verdict_of(NEAR, measured).verdict == near
    assert verdict_of(HIGH, measured).verdict == far


@pytest.mark.parametrize(("power", "sign"), [(1.0, 1.0), (0.5, -1.0)])
def test_the_other_way_round_a_claim_of_the_root_is_refused_where_the_power_is_one(power, sign):
    options = {"variable": "landscape.sharpness", "power": -0.5, "rival": -1.0}
    verdict = verdict_of(changed(ESCAPE, "claims/0/options", options), power_law(power=power, prefactor=False))
    assert (verdict.verdict == DISAGREES) == (sign > 0)


def test_wide_intervals_decide_nothing():
    assert verdict_of(LOW, power_law(half=0.8)).verdict == UNDECIDED


def test_a_claim_on_a_rising_power():
    table = changed(HIGH, "landscape", {"kind": "DoubleWell", "barrier": 1.0, "width": 1.0})
    table = changed(table, "series/0/sweep", {"noise.batch_size": [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]})
    options = {"variable": "noise.batch_size", "power": 1.0, "rival": 0.5}
    table = changed(table, "claims/0/options", options)

    def measured(cell, power=1.0):
        known = formula(cell)
        return measured_escape(known["prefactor"] * np.exp(62.5 * cell.noise.batch_size**power))

    assert verdict_of(table, measured).verdict == AGREES
    assert verdict_of(table, lambda cell: measured(cell, 0.5)).verdict == DISAGREES
    opposite = changed(table, "claims/0/options/rival", -1.0)  # a rival that falls where the claim rises
    assert verdict_of(opposite, measured).verdict == AGREES
    assert verdict_of(opposite, lambda cell: measured(cell, -1.0)).verdict == DISAGREES


def test_times_that_are_not_exponential_decide_nothing():
    verdict = verdict_of(HIGH, power_law(exponential=False, exponential_distance=0.2))
    assert verdict.verdict == UNDECIDED and "not exponential in 5 of 5 cells" in verdict.notes[0]


def twice(first, second):
    """HIGH and the same again at a smaller step, measured by one law each."""
    again = {**HIGH["series"][0], "name": "again", "dynamics": {"kind": "SGD", "learning_rate": 0.003}}
    table = changed(changed(HIGH, "series", [HIGH["series"][0], again]), "claims/0/again", "again")
    return verdict_of(table, lambda cell: (first if cell.series == "SGD" else second)(cell))


def test_a_claim_must_hold_again():
    right, wrong = power_law(), power_law(1.2)
    assert twice(right, right).verdict == AGREES
    assert twice(wrong, wrong).verdict == DISAGREES
    verdict = twice(right, wrong)
    assert verdict.verdict == UNDECIDED and "agrees at first, disagrees at the second" in verdict.notes[0]
    assert set(verdict.evidence) == {"SGD", "again"} and "again (again):" in verdict.numbers
    assert twice(wrong, right).verdict == UNDECIDED
    assert twice(right, power_law(exponential=False)).verdict == UNDECIDED


# --------------------------------------------------------------------------------- escape: ratio, limit, prefactor

RATIO = changed(changed(ESCAPE, "claims/0/test", "escape_ratio"), "claims/0/options", {"corrected": "exact"})


def known_twice(cell):
    """Theory's number and an exact one 30 % above."""
    known = formula(cell)
    return {**known, "exact": 1.3 * known["theory"], "exact_error": 0.0}


@pytest.mark.parametrize(
    ("factor", "outcome"), [(1.0, AGREES), (1.05, AGREES), (1.3, CORRECTED), (1.15, DISAGREES), (0.8, DISAGREES)]
)
def test_a_ratio(factor, outcome):
    def measured(cell):
        return measured_escape(factor * formula(cell)["theory"])

    assert verdict_of(RATIO, measured, known_twice).verdict == outcome


def test_a_ratio_must_hold_in_every_cell():
    def measured(cell):
        return measured_escape((1.3 if cell.landscape.sharpness == 1.2 else 1.0) * formula(cell)["theory"])

    assert verdict_of(changed(RATIO, "claims/0/options", {}), measured, known_twice).verdict == DISAGREES


@pytest.mark.parametrize(
    ("first", "next_order", "outcome"),
    [(0.0, 0.0, AGREES), (0.0, 1.5, CORRECTED), (0.2, 0.0, DISAGREES), (-0.6, 1.5, DISAGREES)],
)
def test_an_asymptotic_formula_is_held_in_its_limit(first, next_order, outcome):
    table = changed(changed(ESCAPE, "claims/0/test", "asymptotic"), "claims/0/options", {})

    def measured(cell):
        known = formula(cell)
        return measured_escape(known["theory"] * (1.0 + first + next_order / known["action"]), 0.005)

    assert verdict_of(table, measured).verdict == outcome


def test_a_wide_interval_does_not_confirm_an_asymptotic_formula():
    table = changed(changed(ESCAPE, "claims/0/test", "asymptotic"), "claims/0/options", {})
    assert verdict_of(table, lambda cell: measured_escape(1.5 * formula(cell)["theory"], 0.6)).verdict == UNDECIDED


SLOPE = {"variable": "landscape.sharpness", "expected": 0.0, "corrected": 1.0}


@pytest.mark.parametrize(
    ("slope", "half", "outcome"),
    [(0.0, 0.01, AGREES), (1.0, 0.01, CORRECTED), (0.5, 0.01, DISAGREES), (-0.3, 0.01, DISAGREES), (0.1, 0.5, UNDECIDED)],
)  # fmt: skip
def test_what_a_prefactor_misses(slope, half, outcome):
    table = changed(changed(ESCAPE, "claims/0/test", "escape_slope"), "claims/0/options", SLOPE)

    def measured(cell):
        return measured_escape(formula(cell)["theory"] * 1.7 * cell.landscape.sharpness**slope, half)

    assert verdict_of(table, measured).verdict == outcome


def test_the_slope_is_against_the_scaled_field_to_its_power():
    options = {**SLOPE, "power": 2.0, "scale": 3.0}
    table = changed(changed(ESCAPE, "claims/0/test", "escape_slope"), "claims/0/options", options)

    def measured(cell):
        return measured_escape(formula(cell)["theory"] * cell.landscape.sharpness**2.0)

    verdict = verdict_of(table, measured)
    assert verdict.verdict == CORRECTED and verdict.numbers.startswith("slope 1.000")


LIMIT = {
    **ESCAPE,
    "landscape": ESCAPE["landscape"]["landscape"],
    "noise": {"kind": "ConstantNoise", "variance": 0.4},
    "series": [
        {
            "name": "SGD",
            "dynamics": {"kind": "SGD", "learning_rate": 0.02},
            "sweep": {"dynamics.learning_rate": [0.02, 0.015, 0.01, 0.005]},
        },
        {"name": "SDE", "dynamics": {"kind": "Overdamped", "dt": 0.005}},
    ],
    "claims": [
        {**ESCAPE["claims"][0], "test": "limit", "options": {"variable": "dynamics.learning_rate", "target": "SDE"}}
    ],
}


@pytest.mark.parametrize("target", ["exact", "measured"])
@pytest.mark.parametrize(
    ("goal", "half", "outcome"), [(100.0, 0.01, AGREES), (125.0, 0.01, DISAGREES), (125.0, 0.4, UNDECIDED)]
)
def test_a_limit_of_small_steps(target, goal, half, outcome):
    def measured(cell):
        if cell.series == "SDE":
            return measured_escape(goal / 0.005, 0.01, time_step=0.005)
        rate = cell.dynamics.learning_rate
        return measured_escape(100.0 * (1.0 + 8.0 * rate) / rate, half, time_step=rate)

    def known(cell):
        return {"exact": goal if target == "exact" and cell.series == "SDE" else None, "exact_error": None}

    verdict = verdict_of(LIMIT, measured, known)
    assert verdict.verdict == outcome and f"against {target}" in verdict.numbers


def test_steps_of_an_sde_are_times_once():
    table = changed(LIMIT, "series/0/dynamics", {"kind": "Overdamped", "dt": 0.02})
    table = changed(table, "series/0/sweep", {"dynamics.dt": [0.02, 0.01, 0.005]})
    table = changed(table, "claims/0/options/variable", "dynamics.dt")

    def measured(cell):
        return measured_escape(100.0 / cell.dynamics.dt, 0.01, time_step=cell.dynamics.dt)

    assert verdict_of(table, measured, lambda cell: {"exact": 100.0}).verdict == AGREES


def test_a_number_that_theory_refused_is_named():
    known = {"action": None, "theory_refused": "there is no such formula"}
    result = result_of(ESCAPE, power_law(), lambda cell: known)
    (verdict,) = judge(result)
    assert verdict.verdict == UNDECIDED and verdict.numbers == "not tried" and not verdict.evidence
    (line,) = result.failures()
    assert line.startswith("test: claim 'power' cannot be tried on series 'SGD'") and line.endswith("no such formula")


# ---------------------------------------------------------------------------------------- displacements, densities


def spread(factor=1.0, slope=1.0, half=0.01):
    def measured(cell):
        curvature = np.abs(np.array(cell.landscape.curvatures))
        steps = np.array(cell.ensemble.record_at, dtype=float)
        msd = factor * 1e-6 * steps[:, None] * curvature**slope
        return {"record_at": cell.ensemble.record_at, "msd": msd.tolist(), "stderr": (half * msd / 1.96).tolist()}

    return measured


@pytest.mark.parametrize(
    ("factor", "half", "outcome"),
    [(1.0, 0.01, AGREES), (1.08, 0.01, AGREES), (1.12, 0.01, DISAGREES), (0.5, 0.01, DISAGREES), (1.0, 0.5, UNDECIDED)],
)
def test_growth(factor, half, outcome):
    assert verdict_of(SPREAD, spread(factor, half=half), formula_only).verdict == outcome


def formula_only(cell):
    return {"exact": None, **formula(cell)}


def test_growth_once_corrected_and_from_a_step_on():
    def known(cell):
        found = formula_only(cell)
        return {**found, "exact": (2.0 * np.array(found["diffusion"])).tolist()}

    assert verdict_of(SPREAD, spread(2.0), known).verdict == CORRECTED

    def late(cell):
        found = spread()(cell)
        found["msd"][0] = [5.0 * value for value in found["msd"][0]]
        return found

    assert verdict_of(SPREAD, late, formula_only).verdict == DISAGREES
    assert verdict_of(changed(SPREAD, "claims/0/options", {"since": 10}), late, formula_only).verdict == AGREES


CURVATURE = changed(SPREAD, "landscape/curvatures", [-1.0, 0.3, -0.1, 0.03, -0.01])
CURVATURE = changed(CURVATURE, "claims/0/test", "curvature_slope")
CURVATURE = changed(CURVATURE, "claims/0/options", {"expected": 1.0, "rival": 0.0})


@pytest.mark.parametrize(
    ("slope", "half", "outcome"),
    [(1.0, 0.01, AGREES), (0.0, 0.01, DISAGREES), (0.85, 0.01, DISAGREES), (1.15, 0.01, DISAGREES), (1.0, 0.9, UNDECIDED)],
)  # fmt: skip
def test_a_slope_against_curvature(slope, half, outcome):
    assert verdict_of(CURVATURE, spread(slope=slope, half=half), formula_only).verdict == outcome


def test_a_slope_at_one_of_the_records_over_some_curvatures():
    def measured(cell):
        found = spread()(cell)
        found["msd"][-1] = [1e-6] * 5
        found["msd"][1][0] = 1.0
        return found

    options = {"expected": 1.0, "rival": 0.0, "at": 10, "at_most": 2.0}
    assert verdict_of(CURVATURE, measured, formula_only).verdict == DISAGREES
    assert verdict_of(changed(CURVATURE, "claims/0/options", options), measured, formula_only).verdict == AGREES


@pytest.fixture(scope="module")
def shares():
    cells = result_of(DENSITY, lambda cell: {}, refer).cells
    return np.array(cells[0].known["shares"])


@pytest.mark.parametrize(
    ("shift", "particles", "outcome"),
    [(0.0, 10**6, AGREES), (0.005, 10**6, AGREES), (0.1, 10**6, DISAGREES), (0.1, 10**7, DISAGREES), (0.0, 10**3, UNDECIDED)],
)  # fmt: skip
def test_a_density(shares, shift, particles, outcome):
    table = changed(DENSITY, "claims/0/tolerance", 0.01)
    generator = np.random.default_rng(1)

    def measured(cell):
        moved = (1.0 - shift) * shares + shift * np.roll(shares, 5, axis=1)
        left = np.clip(1.0 - moved.sum(axis=1, keepdims=True), 0.0, None)
        drawn = generator.multinomial(particles, np.hstack((moved, left)) / (moved.sum(axis=1, keepdims=True) + left))
        return {"particles": particles, "counts": drawn[:, :-1].tolist()}

    assert verdict_of(table, measured, lambda cell: {"shares": shares.tolist()}).verdict == outcome


@pytest.mark.parametrize(("outside", "outcome"), [(0.0, AGREES), (0.1, DISAGREES)])
def test_a_density_counts_what_lies_outside_of_the_bins(shares, outside, outcome):
    """A tenth of the particles gone from the bins, a tenth off in each: half of the distance is outside."""
    particles = 10**7
    inside = np.rint((1.0 - outside) * shares * particles).astype(int)
    table = changed(DENSITY, "claims/0/tolerance", 0.07)
    verdict = verdict_of(
        table,
        lambda cell: {"particles": particles, "counts": inside.tolist()},
        lambda cell: {"shares": shares.tolist()},
    )
    assert verdict.verdict == outcome


def test_a_density_is_not_tried_on_bins_that_hold_nothing(shares):
    def measured(cell):
        return {"particles": 100, "counts": np.zeros(shares.shape, int).tolist(), "record_at": cell.ensemble.record_at}

    with pytest.raises(InvalidInput, match=r"the bins hold .* of the expected probability at step 10: take wider ones"):
        verdict_of(DENSITY, measured, lambda cell: {"shares": (1e-9 * shares).tolist()})


# ---------------------------------------------------------------------------------------------- escape: log slope

HEAVY = {
    **ESCAPE,
    "landscape": {"kind": "MatchedParabolas", "barrier": 1.0, "minimum_curvature": 4.0, "saddle_curvature": 4.0},
    "noise": {"kind": "StableNoise", "scale": 0.1, "alpha": 1.5},
    "series": [
        {
            "name": "SGD",
            "dynamics": {"kind": "SGD", "learning_rate": 0.02},
            "sweep": {"landscape.barrier": [0.5, 1.0, 2.0, 4.0]},
        }
    ],
    "claims": [
        {
            **ESCAPE["claims"][0],
            "test": "log_slope",
            "options": {"variable": "landscape.barrier", "expected": 1.5, "scale": 2.0, "power": 2.0},
        }
    ],
}


@pytest.mark.parametrize(
    ("exponent", "half", "outcome"),
    [(1.5, 0.01, AGREES), (1.45, 0.01, AGREES), (1.2, 0.01, DISAGREES), (0.0, 0.01, DISAGREES), (1.5, 0.5, UNDECIDED)],
)
def test_a_power_law_without_a_formula(exponent, half, outcome):
    def measured(cell):
        return measured_escape(700.0 * (cell.landscape.barrier / 2.0) ** (2.0 * exponent), half)

    verdict = verdict_of(HEAVY, measured)
    assert verdict.verdict == outcome and f"slope {exponent:.3f}" in verdict.numbers


def test_an_exponential_is_told_from_a_power_law():
    options = {"variable": "landscape.barrier", "expected": 1.0, "scale": 0.5, "logarithmic": False}
    table = changed(HEAVY, "claims/0/options", options)
    assert (
        verdict_of(table, lambda cell: measured_escape(30.0 * np.exp(cell.landscape.barrier / 0.5))).verdict == AGREES
    )
    assert verdict_of(table, lambda cell: measured_escape(30.0 * cell.landscape.barrier)).verdict == DISAGREES
