"""Cells without a number: claims that need them, and what is measured of a cell of which too few particles escape."""

import dataclasses

import numpy as np
import pytest
from study_tools import ESCAPE, changed, result_of
from test_study_verdicts import power_law, verdict_of

from simdyn.estimate import NotExponentialWarning, mean_lifetime
from simdyn.model.records import InvalidInput
from simdyn.simulate.results import Escapes
from simdyn.study.measure import _law as measure_law
from simdyn.study.measure import _mean as measure_mean
from simdyn.study.verdicts import CORRECTED, UNDECIDED, judge


def test_a_claim_that_needs_what_is_not_there_is_undecided_and_says_so():
    table = changed(ESCAPE, "series", [*ESCAPE["series"], {**ESCAPE["series"][0], "name": "finer"}])
    table = changed(table, "claims/0/again", "finer")
    whole = result_of(table, power_law())
    assert judge(whole)[0].verdict == CORRECTED
    unbounded = {"value": None, "high": None, "unbounded": "nobody left", "exponential": None}
    for n, (lost, why) in enumerate([({"failed": "it broke"}, "it broke"), ({"measured": unbounded}, "nobody left")]):
        cells = [dataclasses.replace(cell, **lost) if n == 7 else cell for n, cell in enumerate(whole.cells)]
        result = dataclasses.replace(whole, cells=cells)
        (verdict,) = judge(result)
        assert verdict.verdict == UNDECIDED and set(verdict.evidence) == {"SGD", "finer"}
        assert verdict.notes[0] == f"without series 'finer' at landscape.sharpness = 1.5: {why}"
        assert bool(result.failures()) == (n == 0)
    result = dataclasses.replace(whole, cells=[dataclasses.replace(cell, failed="no") for cell in whole.cells])
    (verdict,) = judge(result)
    assert verdict.verdict == UNDECIDED and verdict.numbers == "not tried; again (finer): not tried"
    assert len(verdict.notes) == 4 and verdict.notes[3] == "and 7 cells more"


def test_too_few_escapes_to_know_their_law_decide_nothing():
    verdict = verdict_of(ESCAPE, power_law(exponential=None))
    assert (
        verdict.verdict == UNDECIDED
        and "too few escapes to tell whether times are exponential in 5 of 5" in verdict.notes[0]
    )


def escapes(left, times=50):
    """What a simulation of ten particles might have found of which the first `left` have left, each after so many steps."""
    steps = np.array([times] * left + [1000] * (10 - left))
    inside = np.arange(10) >= left
    return Escapes(steps, inside, np.zeros(10, bool), 0.1, 1000, False)


def test_a_cell_with_one_escape_or_none_has_an_interval(monkeypatch):
    with pytest.warns(NotExponentialWarning, match="assumed, not shown"):  # which a run leaves to the verdict's notes
        one = measure_mean(escapes(1))
    expected = mean_lifetime(escapes(1).steps, escapes(1).censored)
    assert [one[part] for part in ("value", "low", "high")] == list(expected[:3]) and one["unbounded"] is None
    assert measure_law(escapes(1))["exponential"] is None and measure_law(escapes(1))["survival"] == [0.9]
    few = Escapes(np.array([100, 300, 700, 1000]), np.arange(4) > 2, np.zeros(4, bool), 0.1, 1000, False)
    assert (
        few.exponential_check().exponential and measure_law(few)["exponential"] is None
    )  # not contradicted, not shown
    assert measure_law(few)["exponential_p"] == few.exponential_check().p_value
    none = measure_mean(escapes(0))
    assert none["value"] is None and none["high"] is None and none["low"] == pytest.approx(10_000 / np.log(20.0))
    assert (
        "no particle escaped within max_steps = 1000" in none["unbounded"] and "(one-sided, 95 %)" in none["unbounded"]
    )
    assert measure_law(escapes(0))["survival"] == []
    # The bound is where none would leave in 5 % of the runs.
    assert np.exp(-10_000 / none["low"]) == pytest.approx(0.05)


def test_where_the_mean_is_refused_for_its_law_the_restricted_mean_bounds_it(monkeypatch):
    def refused(self, level=0.95):
        raise InvalidInput("the times are not exponential")

    monkeypatch.setattr(Escapes, "mean", refused)
    found = measure_mean(escapes(5))
    assert found["value"] is None and found["unbounded"].endswith("the times are not exponential (one-sided, 95 %)")
    assert found["low"] == escapes(5).restricted_mean(0.9).low < 525.0
