"""Verdicts on which minima are preferred and how fast saddles are left, on made-up measurements."""

import numpy as np
import pytest
from study_tools import CLOSING, changed, judged, measured_escape, result_of, study_of

from simdyn.estimate import Estimate
from simdyn.model.records import InvalidInput
from simdyn.study.cells import expand
from simdyn.study.rehearsal import check_study
from simdyn.study.trials_selection import nearer, pairs
from simdyn.study.verdicts import AGREES, DISAGREES, UNDECIDED


def wells(power=1.0, odds=0.7, half=0.02, **more):
    """tau_flat = e^odds tau_sharp^(1 + power), tau_sharp = e^(5 barrier)."""

    def measured(cell):
        log_sharp = 5.0 * cell.landscape.barrier
        flat = cell.landscape.left_curvature < cell.landscape.right_curvature
        return measured_escape(np.exp(odds + (1.0 + power) * log_sharp if flat else log_sharp), half, **more)

    return measured


def saddles(slope=-1.0, half=0.02, **more):
    def measured(cell):
        return measured_escape(30.0 * abs(cell.landscape.curvatures[0]) ** slope, half, **more)

    return measured


def verdict_of(claim, by_series, table=CLOSING):
    """The verdict on one claim when the series it looks at are measured so."""
    claims = [each for each in table["claims"] if each["name"] == claim]
    table = changed(table, "claims", claims)

    def measured(cell):
        return by_series[cell.series](cell) if cell.series in by_series else measured_escape(10.0)

    (verdict,) = judged(result_of(table, measured, lambda cell: {}))
    return verdict


@pytest.mark.parametrize(
    ("value", "half", "outcome"),
    [(1.0, 0.1, AGREES), (1.6, 0.2, AGREES), (0.8, 0.05, AGREES), (0.8, 0.1, UNDECIDED), (0.7, 0.01, UNDECIDED),
     (0.4, 0.2, DISAGREES), (0.0, 0.1, DISAGREES), (-0.7, 0.1, DISAGREES), (0.4, 0.4, UNDECIDED)],
)  # fmt: skip
def test_a_number_is_nearer_to_one_of_two(value, half, outcome):
    estimate = Estimate(value, value - half, value + half, 0.95)
    assert nearer(estimate, 1.0, 0.4, 0.05) == outcome
    other = {AGREES: DISAGREES, DISAGREES: AGREES, UNDECIDED: UNDECIDED}
    assert nearer(estimate, 0.4, 1.0, 0.05) == other[outcome]


@pytest.mark.parametrize(
    ("power", "half", "outcome"),
    [(1.0, 0.02, AGREES), (1.3, 0.02, AGREES), (0.4, 0.02, DISAGREES), (0.0, 0.02, DISAGREES), (-1.0, 0.02, DISAGREES),
     (-0.5, 0.02, DISAGREES), (0.7, 0.02, UNDECIDED), (1.0, 0.5, UNDECIDED)],
)  # fmt: skip
def test_an_exponential_preference(power, half, outcome):
    verdict = verdict_of("SGD selects", {"SGD, wells": wells(power, half=half)})
    assert verdict.verdict == outcome
    value, low, high = verdict.evidence["SGD, wells"]["value"][:3]
    assert value == pytest.approx(power, abs=1e-9) and low < power < high


@pytest.mark.parametrize("odds", [-2.0, 0.0, 5.0])
def test_large_odds_that_do_not_grow_with_the_barrier_are_no_exponential_preference(odds):
    verdict = verdict_of("SGD selects", {"SGD, wells": wells(0.0, odds)})
    assert verdict.verdict == DISAGREES
    assert verdict.evidence["SGD, wells"]["log_ratio"][-1][0] == pytest.approx(odds)


def test_the_interval_of_a_preference_covers_it():
    generator = np.random.default_rng(3)
    inside = 0

    def noisy(cell):
        found = wells(0.5, half=0.05)(cell)
        factor = np.exp(0.05 / 1.96 * generator.standard_normal())
        return {**found, **{part: factor * found[part] for part in ("value", "low", "high")}}

    for _ in range(200):
        low, high = verdict_of("SGD selects", {"SGD, wells": noisy}).evidence["SGD, wells"]["value"][1:3]
        inside += low < 0.5 < high
    assert 0.95 * 200 - 5.0 * np.sqrt(0.95 * 0.05 * 200) < inside  # widened by chi square, so it covers a little more


def test_the_way_back_is_told_by_the_curvature_whatever_the_order():
    turned = changed(CLOSING, "series/0/across/landscape.left_curvature", [2.0, 8.0])
    turned = changed(turned, "series/0/across/landscape.right_curvature", [8.0, 2.0])
    for table in (CLOSING, turned):
        table = changed(table, "series", table["series"][:1])
        found = pairs(result_of(table, wells(), lambda cell: {}), "SGD, wells", "landscape.barrier")
        assert list(found) == [0.6, 0.8, 1.0]
        for pair in found.values():
            assert pair.sharp.cell.landscape.left_curvature == 8.0 > pair.flat.cell.landscape.left_curvature
            assert pair.log_ratio().value > 0.0


def test_two_ways_out_of_minima_alike_are_no_pair():
    alike = changed(CLOSING, "series/0/across/landscape.left_curvature", [8.0, 8.0])
    with pytest.raises(
        InvalidInput, match=r"a sharp minimum and out of a flat one, not 2 out of curvatures \[8.0, 8.0\]"
    ):
        verdict_of("SGD selects", {"SGD, wells": wells()}, alike)


def test_escapes_that_remember_are_noted_and_decide_all_the_same():
    verdict = verdict_of("SGD selects", {"SGD, wells": wells(exponential=False)})
    assert verdict.verdict == AGREES and "not exponential in 6 of 6 cells" in verdict.notes[0]


MORE = {
    **CLOSING,
    "claims": [
        {
            **CLOSING["claims"][0], "name": "more", "test": "prefers_more", "tolerance": 0.1,
            "options": {"variable": "landscape.barrier", "than": "sign, wells"},
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("odds", "half", "outcome"),
    [
        (1.0, 0.02, AGREES),
        (0.7, 0.02, DISAGREES),
        (-1.0, 0.02, DISAGREES),
        (0.8, 0.02, UNDECIDED),
        (1.0, 0.5, UNDECIDED),
    ],
)
def test_one_method_prefers_flat_minima_more_than_another(odds, half, outcome):
    measured = {"SGD, wells": wells(0.4, odds, half), "sign, wells": wells(0.4, 0.7, half)}
    assert verdict_of("more", measured, MORE).verdict == outcome


ALIKE = changed(MORE, "claims/0/test", "prefers_alike")


@pytest.mark.parametrize(
    ("odds", "half", "outcome"),
    [(0.7, 0.02, AGREES), (0.72, 0.02, AGREES), (0.79, 0.02, UNDECIDED), (0.9, 0.02, DISAGREES), (0.5, 0.02, DISAGREES),
     (0.7, 0.5, UNDECIDED)],
)  # fmt: skip
def test_two_methods_prefer_flat_minima_alike(odds, half, outcome):
    measured = {"SGD, wells": wells(0.4, odds, half), "sign, wells": wells(0.4, 0.7, half)}
    verdict = verdict_of("more", measured, ALIKE)
    assert verdict.verdict == outcome
    found = verdict.evidence["SGD, wells"]
    for (share, low, high, _), (value, *_) in zip(found["share_flat"], found["log_ratio"], strict=True):
        assert low < share < high and share / (1.0 - share) == pytest.approx(np.exp(value))
    sharp, flat = found["tau_sharp_flat"][0]
    assert flat[0] / sharp[0] == pytest.approx(np.exp(found["log_ratio"][0][0]))


@pytest.mark.parametrize(
    ("slope", "half", "outcome"),
    [(-1.0, 0.02, AGREES), (-1.2, 0.02, AGREES), (-0.5, 0.02, DISAGREES), (0.0, 0.02, DISAGREES), (1.0, 0.02, DISAGREES),
     (-0.75, 0.02, UNDECIDED), (-1.0, 0.7, UNDECIDED)],
)  # fmt: skip
def test_a_slope_of_times_against_a_curvature(slope, half, outcome):
    verdict = verdict_of("SGD escapes", {"SGD, saddle": saddles(slope, half)})
    assert verdict.verdict == outcome
    assert verdict.evidence["SGD, saddle"]["value"][0] == pytest.approx(slope)


def test_times_at_saddles_need_no_exponential_law_but_all_particles():
    assert verdict_of("SGD escapes", {"SGD, saddle": saddles(exponential=False)}).verdict == AGREES
    with pytest.raises(InvalidInput, match="all particles must have left"):
        verdict_of("SGD escapes", {"SGD, saddle": saddles(censored=3)})


# ---------------------------------------------------------------------------------------------------- before a run


def checked(table):
    study = study_of(table)
    cells = expand("test", study)
    check_study(study, cells)
    return cells


def test_an_entry_of_a_list_is_swept_by_its_number():
    cells = [cell for cell in checked(CLOSING) if cell.series == "SGD, saddle"]
    assert [cell.landscape.curvatures for cell in cells] == [(-0.01, 1.0), (-0.1, 1.0), (-0.3, 1.0), (-1.0, 1.0)]
    assert len({cell.seed for cell in cells}) == 4


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("series/2/sweep", {"landscape.curvatures.2": [-0.1]}, "must end in the number of an entry, 0 to 1"),
        ("series/2/sweep", {"landscape.curvatures.0.1": [-0.1]}, "path 'landscape.curvatures.0.1'"),
        ("claims/1/options/magnitude", False, "must be swept over positive numbers"),
        ("claims/1/options/slope", 1.0, "slope"),
        ("claims/0/options/rival", None, "options: rival is missing"),
        ("figure/methods/SGD", ["SGD escapes", "SGD selects"], "'SGD escapes' is no claim tried by preference"),
        ("figure/methods/SGD", ["SGD selects"], "methods"),
        ("figure/methods", None, "methods is missing"),
    ],
)
def test_what_cannot_be_tried_or_drawn_is_told_before_anything_runs(place, value, reason):
    with pytest.raises(InvalidInput, match=reason):
        checked(changed(CLOSING, place, value))


def test_another_series_to_compare_with_must_be_there():
    with pytest.raises(InvalidInput, match=r"options.than.*sgn, wells"):
        checked({**changed(MORE, "claims/0/options/than", "sgn, wells"), "figure": CLOSING["figure"]})
    again = changed(changed(MORE, "claims/0/again", "sign, wells"), "figure", CLOSING["figure"])
    with pytest.raises(InvalidInput, match=r"options\.than_again is missing"):
        checked(again)


def test_expected_and_rival_must_differ():
    with pytest.raises(InvalidInput, match="must differ"):
        verdict_of("SGD selects", {"SGD, wells": wells()}, changed(CLOSING, "claims/0/options/rival", 1.0))
