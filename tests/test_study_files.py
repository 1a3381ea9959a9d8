"""The study files that come with the package: valid, planned, with rules, and what their claims need."""

import runpy
import tomllib

import pytest
from click.testing import CliRunner
from conftest import HERE
from study_tools import ESCAPE, changed, write

import simdyn as sd
from simdyn.model.records import InvalidInput
from simdyn.study.cells import expand
from simdyn.study.files import find_studies
from simdyn.study.kinds import FIGURES, find_figure
from simdyn.study.references import refer
from simdyn.study.run import plan
from simdyn.study.schema import checked, read_study
from simdyn.study.verdicts import TESTS, find_test

FOLDERS = [HERE.parent / "experiments", HERE / "studies"]
EXPERIMENTS = sorted(FOLDERS[0].glob("*.toml"))
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.toml"))
WANTED = {
    "msd_growth", "msd_curvature", "escape_sharpness", "escape_hyperparameters", "langevin_limits", "fokker_planck",
    "noise_convention", "heavy_tails", "turnover", "validity", "validity_displacement", "sharpness_of_optimizers",
    "closing_table", "minima_selection", "saddle_escape", "validity_adaptive",
}  # fmt: skip


def test_the_wanted_studies_are_there():
    assert set(find_studies(FOLDERS[:1])) == WANTED, "name the new study here"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_plans_and_its_claims_are_complete(path):
    studies = find_studies([path])
    (study,) = studies.values()
    cells = plan(studies)[path.stem]
    assert {cell.series for cell in cells} == {series.name for series in study.series}
    assert study.standing.strip() and study.title.strip()
    find_figure(study.figure)
    for claim in study.claims:
        trial = find_test(claim.test)
        checked(trial.options, claim.options, claim.name)
        assert "agrees if" in claim.rule
        assert claim.tolerance <= 0.2
        if "corrected:" in claim.rule:
            assert claim.correction
    used = {name for claim in study.claims for name in (claim.series, claim.again)}
    used |= {value for claim in study.claims for value in claim.options.values() if isinstance(value, str)}
    assert {series.name for series in study.series} <= used, "a series that no claim looks at"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_escape_claims_stand_at_a_second_setting(path):
    table = tomllib.loads(path.read_text())
    if table["measure"] == "escape" and table.get(
        "simulate", True
    ):  # without a simulation there is a whole map of settings
        assert all(claim.get("again") for claim in table["claims"])


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_tolerance_is_the_one_the_rule_names(path):
    (study,) = find_studies([path]).values()
    for claim in study.claims:
        percent, number = f"{100 * claim.tolerance:g} %", f"{claim.tolerance:g}"
        assert percent in claim.rule or number in claim.rule, (claim.name, claim.rule, claim.tolerance)


def test_every_test_and_figure_is_used_or_at_least_said():
    find_test("growth")
    find_figure({"kind": "growth"})
    for trial in TESTS.values():
        assert trial.find.__doc__ and trial.options.__doc__
    for figure in FIGURES.values():
        assert figure.draw.__doc__ and set(figure.tests) <= set(TESTS)


def test_exact_answers_are_found_before_by_a_command():
    """What it prints is the series' line: the answers that a run finds by itself, to the digits of their errors."""
    main = runpy.run_path(str(HERE.parent / "docs" / "exact_answers.py"))["main"]
    done = CliRunner().invoke(main, [str(HERE / "studies" / "small.toml"), "SGD"])
    *_, line = done.output.splitlines()
    series = tomllib.loads(line)
    assert done.exit_code == 0 and list(series) == ["exact"]
    for cell, (value, error) in zip(
        expand("small", read_study(HERE / "studies" / "small.toml")), series["exact"], strict=True
    ):
        known = refer(cell)
        assert value == pytest.approx(known["exact"], rel=1e-5) and error < 1e-5 * value
    done = CliRunner().invoke(main, [str(HERE / "studies" / "small.toml"), "Adam"])
    assert done.exit_code == 2 and "has no series 'Adam'; it has SGD" in done.output


def test_adams_stated_answers_agree_where_units_make_them_the_same():
    """Adam divides by its gradient's size and the theory's noise grows with the curvature: eta sqrt(k)/width and barrier B
    say it all. Answers of both studies that stand at (nearly) the same two numbers are compared."""
    found = {}
    for name in ("escape_sharpness", "escape_hyperparameters"):
        for cell in expand(name, read_study(FOLDERS[0] / f"{name}.toml")):
            if cell.series.startswith("Adam"):
                well, k = (cell.landscape, 1.0) if cell.landscape.__class__ is sd.DoubleWell else cell.landscape
                step = cell.dynamics.learning_rate * k**0.5 / well.width
                place = round(step, 3), round(well.barrier * cell.noise.batch_size, 3)
                found.setdefault(place, []).append((step, cell.exact))
    same = [answers for answers in found.values() if len(answers) > 1]
    assert sum(map(len, found.values())) == 48 and len(same) >= 7
    for (one, (value, error)), *others in same:
        for other, (again, its_error) in others:
            # d log tau/d log eta is at most the exponent, 10 here.
            assert abs(value / again - 1.0) < error / value + its_error / again + 10.0 * abs(one / other - 1.0)


def test_exact_answers_may_be_found_before(tmp_path):
    count = len(ESCAPE["series"][0]["sweep"]["landscape.sharpness"])
    answers = [[10.0 + n, 0.1] for n in range(count)]
    study = read_study(write(tmp_path / "given.toml", changed(ESCAPE, "series/0/exact", answers)))
    for cell, (value, error) in zip(expand("given", study), answers, strict=False):
        known = refer(cell)
        assert (known["exact"], known["exact_error"]) == (value, error) and known["theory"] > 0.0
    study = read_study(write(tmp_path / "given.toml", changed(ESCAPE, "series/0/exact", answers[1:])))
    with pytest.raises(InvalidInput, match=f"exact lists {count - 1} answers, and there are {count} cells"):
        expand("given", study)
