"""Studies that hold formulas against exact answers: maps, claims on where a formula holds, nothing simulated."""

import csv
import io

import numpy as np
import pytest
from study_tools import ESCAPE, SPREAD, VALIDITY, changed, judged, result_of, study_of

from simdyn.model.records import InvalidInput
from simdyn.study import run as study_run
from simdyn.study.cells import expand
from simdyn.study.references import formula
from simdyn.study.rehearsal import check_study
from simdyn.study.verdicts import AGREES, DISAGREES, UNDECIDED


def verdict_of(off, error=0.0, table=VALIDITY):
    """The verdict when the formula is off by `off(point)` relative to an exact answer with that error."""

    def known(cell):
        found = formula(cell)
        exact = found["theory"] / (1.0 + off(cell.point))
        return {**found, "exact": exact, "exact_error": error * exact}

    (verdict,) = judged(result_of(table, lambda cell: {"wall_time": 0.0, "particle_steps": 0}, known))
    return verdict


def test_a_map_takes_every_value_of_one_sweep_at_every_value_of_the_other():
    points = [cell.point for cell in expand("test", study_of(VALIDITY))]
    assert len(points) == 6
    assert [point["landscape.barrier"] for point in points] == [2.0, 4.0] * 3
    assert all(point["noise.batch_size"] == 20 * point["dynamics.learning_rate"] for point in points)
    assert all(not cell.simulate for cell in expand("test", study_of(VALIDITY)))


def test_a_formula_is_judged_only_where_it_is_claimed():
    assert verdict_of(lambda point: 0.03).verdict == AGREES
    elsewhere = verdict_of(lambda point: 0.5 if point["dynamics.learning_rate"] > 0.005 else -0.03)
    assert elsewhere.verdict == AGREES
    assert "-3.0 to -3.0 % where claimed (4 points)" in elsewhere.numbers
    assert "all 6 points 0 within 1 %, 4 within 5 %, 4 within 20 %" in elsewhere.numbers
    here = verdict_of(lambda point: 0.07 if point["dynamics.learning_rate"] == 0.0025 else 0.0)
    assert here.verdict == DISAGREES
    assert verdict_of(lambda point: 0.04, error=0.02).verdict == UNDECIDED


def test_points_without_an_answer_are_counted_and_a_map_without_any_is_refused():
    def known(cell, none=False):
        found = formula(cell)
        return {
            **found,
            "exact": None if none or cell.point["landscape.barrier"] > 2 else found["theory"],
            "exact_error": 0.0,
        }

    (verdict,) = judged(result_of(VALIDITY, lambda cell: {}, known))
    assert verdict.verdict == AGREES and "3 without an answer" in verdict.numbers
    with pytest.raises(InvalidInput, match="no point of the map"):
        judged(result_of(VALIDITY, lambda cell: {}, lambda cell: known(cell, True)))


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        ("series/0/across", {"dynamics.learning_rate": [0.1]}, "in sweep and in across"),
        ("series/0/across", {"landscape.barrier": [1.0], "landscape.width": [1.0, 2.0]}, "equally long"),
        ("series/0/across", {"landscape.barier": [1.0]}, "barrier"),
        ("claims/0/options", {"were": {}}, "where"),
        ("claims/0/test", "escape_ratio", "simulate = false"),
    ],
)
def test_mistakes_are_told_before_anything_runs(place, value, word):
    table = changed(VALIDITY, place, value)
    with pytest.raises(InvalidInput, match=word):
        study = study_of(table)
        check_study(study, expand("test", study))


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        ("claims/0/options", {"where": {"landscape.barier": [0.0, 1.0]}}, "landscape.barrier"),
        ("claims/0/options", {"where": {"landscape.barrier": [0.0, 1.0]}}, "no point"),
        ("claims/0/options", {"formula": "Kramer"}, "theory"),
    ],
)
def test_a_claim_about_no_point_or_no_formula_is_refused(place, value, word):
    with pytest.raises(InvalidInput, match=word):
        verdict_of(lambda point: 0.0, table=changed(VALIDITY, place, value))


def test_displacements_are_judged_by_step_and_curvature():
    table = changed(SPREAD, "simulate", False)
    table = changed(table, "figure", {"kind": "validity"})
    claim = {**SPREAD["claims"][0], "test": "displacement_validity", "options": {"where": {"step": [2, 40]}}}
    table = changed(table, "claims", [claim])

    def known(cell):
        found = formula(cell)
        exact = np.array(found["drift"]) + np.array(found["diffusion"])
        exact[0] *= 2.0  # at step 1, where nothing is claimed
        return {**found, "exact": exact.tolist()}

    (verdict,) = judged(result_of(table, lambda cell: {}, known))
    assert verdict.verdict == AGREES and "all 9 points 6 within 1 %" in verdict.numbers


def test_such_a_study_runs_and_is_remembered_without_a_particle(tmp_path):
    study = study_of(VALIDITY)
    places, events = study_run.Places(tmp_path / "results", tmp_path / "figures"), []
    (first,) = study_run.run({"map": study}, places, 1, lambda *event: events.append(event))
    assert sum(done.measured["particle_steps"] for done in first.cells) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results/map.csv").read_text())))
    assert len(rows) == 6 and all(float(row["exact"]) > 0 and "estimate" not in row for row in rows)
    assert (tmp_path / "figures/map.png").stat().st_size > 0
    fresh = [detail[1] for event, detail in events if event == "done"]
    assert fresh == [True] * 6
    events.clear()
    study_run.run({"map": study}, places, 1, lambda *event: events.append(event))
    assert [detail[1] for event, detail in events if event == "done"] == [False] * 6
    assert study_run.recall({"map": study}, places)[0].verdicts == first.verdicts


def test_a_simulated_study_may_make_a_claim_on_validity():
    table = changed(ESCAPE, "claims/0", {**VALIDITY["claims"][0], "options": {}})
    study = study_of(changed(table, "figure", {"kind": "validity"}))
    check_study(study, expand("test", study))


def test_a_series_may_be_simulated_where_there_is_no_exact_answer():
    table = changed(VALIDITY, "series/0/simulate", True)
    table = changed(table, "claims/0/options", {"reference": "simulation"})
    study = study_of(table)
    cells = expand("test", study)
    assert all(cell.simulate for cell in cells)
    check_study(study, cells)

    def measured(half):
        def of(cell):
            value = formula(cell)["theory"] / 1.03
            interval = {"value": value, "low": value * (1.0 - half), "high": value * (1.0 + half), "level": 0.95}
            law = {"exponential": True, "exponential_distance": 0.0, "exponential_tolerance": 0.05}
            return {**interval, **law, "time_step": 1.0, "wall_time": 0.0, "particle_steps": 0}

        return of

    for half, outcome in ((0.01, AGREES), (0.03, UNDECIDED)):
        (verdict,) = judged(result_of(table, measured(half), lambda cell: {**formula(cell), "exact": None}))
        assert verdict.verdict == outcome
        assert (
            f"formula/simulation - 1: +3.0 to +3.0 % where claimed (6 points, each ± {103 * half:.1f})"
            in verdict.numbers
        )
    with pytest.raises(InvalidInput, match="simulate = false for 'SGD'"):
        study = study_of(changed(table, "series/0/simulate", False))
        check_study(study, expand("test", study))


def test_displacements_may_be_held_against_v_held_still_or_against_simulation():
    table = changed(SPREAD, "series/0/dynamics", {"kind": "Adam", "learning_rate": 1e-4})
    table = changed(table, "figure", {"kind": "validity"})

    def finding(reference, known, measured):
        claim = {**SPREAD["claims"][0], "test": "displacement_validity", "options": {"reference": reference}}
        (verdict,) = judged(result_of(changed(table, "claims", [claim]), measured, known))
        return verdict.numbers

    def total(cell):
        found = formula(cell)
        return np.array(found["drift"]) + np.array(found["diffusion"])

    def known(cell):
        return {**formula(cell), "exact": None, "exact_refused": "not linear", "frozen_v": (total(cell) / 1.2).tolist()}

    def measured(cell):
        return {"msd": (total(cell) / 1.1).tolist(), "stderr": (0.01 * total(cell) / 1.1).tolist()}

    assert "formula/frozen v - 1: +20.0 to +20.0 %" in finding("frozen v", known, measured)
    simulated = finding("simulation", known, measured)
    assert "formula/simulation - 1: +10.0 to +10.0 %" in simulated and "each ± 2.2)" in simulated
    with pytest.raises(InvalidInput, match="not linear"):
        finding("exact", known, measured)
    with pytest.raises(InvalidInput, match="no v to hold"):
        finding("frozen v", lambda cell: {**known(cell), "frozen_v": None}, measured)
