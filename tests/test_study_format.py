"""The format of study files: all mistakes at once, ranges, products, sweeps of records, plain sweeps, a starter."""

import csv
import json
import os
import runpy
import tomllib

import pytest
from click.testing import CliRunner
from conftest import HERE
from study_tools import DENSITY, ESCAPE, SPREAD, VALIDITY, changed, fake_measure, study_of, write

import simdyn as sd
from simdyn.cli import main
from simdyn.model.records import InvalidInput
from simdyn.study import run as study_run
from simdyn.study.cells import count_cells, expand
from simdyn.study.complaints import Strict
from simdyn.study.kinds import FIGURES
from simdyn.study.rehearsal import examine
from simdyn.study.schema import Bins
from simdyn.study.starter import STARTER
from simdyn.study.verdicts import TESTS


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def simdyn(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="simdyn")


def sweep_of(where, values):
    """A study whose one series sweeps this alone."""
    table = changed(changed(ESCAPE, "series/0/sweep", {}), "claims", [])
    del table["figure"]
    return changed(table, f"series/0/{where}", values)


def points(table):
    found = [cell.point for cell in expand("test", study_of(table))]
    assert count_cells("test", study_of(table)) == len(found)
    return found


# --------------------------------------------------------------------------------------------- everything at once

MISTAKES = [
    ("tilte", "x", "field 'tilte' is unknown; did you mean 'title'?"),
    ("title", None, None),  # it is the one misspelt
    ("noise", None, "noise is missing"),
    ("ensemble/partcles", 5, "ensemble: field 'partcles' is unknown; did you mean 'particles'?"),
    ("ensemble/seed", -1, "ensemble: seed should be greater than or equal to 0, not -1"),
    ("series/0/ensemble", {"start": "minimun"}, "series 'SGD': ensemble: start should be a number, one per coordinate"),
    ("series/0/dynamcs", {}, "series.0.field 'dynamcs' is unknown; did you mean 'dynamics'?"),
    ("claims/0/tolerance", "ten", "claims.0.tolerance should be a valid number, not 'ten'"),
    ("claims/0/options/variabel", 1, "claim 'power': options: field 'variabel' is unknown; did you mean 'variable'?"),
    ("claims/0/options/power", 0, "claim 'power': options: power should be a number other than 0, not 0"),
    ("claims/0/series", "SDG", "claim 'power': series 'SDG' is unknown; did you mean 'SGD'?"),
    ("figure/colums", 2, "figure: kind 'exponent': field 'colums' is unknown; did you mean 'columns'?"),
]


def test_all_mistakes_are_told_at_once(tmp_path):
    table = ESCAPE
    for place, value, _ in MISTAKES:
        table = changed(table, place, value)
    path = write(tmp_path / "tiny.toml", table)
    done = simdyn("check", path, write(tmp_path / "right.toml", ESCAPE))
    lines = done.stderr.splitlines()
    assert done.exit_code == 2 and done.stdout.splitlines() == [f"{tmp_path}/right.toml: nothing is wrong"]
    wanted = [words for *_, words in MISTAKES if words]
    assert len(lines) == len(wanted)
    for words in wanted:
        assert any(line.startswith(f"{path}: {words}") for line in lines), (words, lines)
    done = simdyn("run", path)
    assert done.exit_code == 2 and done.stderr.splitlines() == [f"simdyn: {line}" for line in lines]
    assert sorted(os.listdir()) == ["right.toml", "tiny.toml"]


def test_what_a_rehearsal_finds_is_told_of_every_series_and_cell(tmp_path):
    series = ESCAPE["series"][0]
    others = [
        {**series, "name": "fast", "dynamics": {"kind": "SGD", "learning_rate": 9.0}, "sweep": {}},
        {**series, "name": "wrong", "dynamics": {"kind": "SGD"}, "noise": {"kind": "FrozenNoise", "batch_size": "1"}},
        {**series, "name": "swept", "sweep": {"landscape.sharpness": [1.0, -1.0, -2.0]}},
        {**series, "name": "far", "ensemble": {"start": 7.0}, "sweep": {}},
    ]
    lines = examine(write(tmp_path / "tiny.toml", {**ESCAPE, "series": [series, *others]}))
    assert [line.removeprefix(f"{tmp_path}/tiny.toml: ")[:70] for line in lines] == [
        "series 'wrong': SGD needs learning_rate",
        "series 'wrong': FrozenNoise: batch_size must be a positive number, not '1'"[:70],
        "series 'swept': Sharpened: sharpness must be a positive number, not -1.0"[:70],
        "series 'swept': Sharpened: sharpness must be a positive number, not -2.0"[:70],
        "series 'fast': SGD: its step is unstable at the minimum of Sharpened, ",
        "series 'far': start: 7.0 is already beyond the boundary Beyond(positio"[:70],
    ]
    shared = changed(changed(ESCAPE, "landscape/sharpnes", 1.0), "series", [series, {**series, "name": "again"}])
    (line,) = examine(write(tmp_path / "tiny.toml", shared))
    assert "series 'SGD' and 1 more: Sharpened: field 'sharpnes' is unknown; did you mean 'sharpness'?" in line


def test_what_is_no_study_at_all(tmp_path):
    (tmp_path / "bad.toml").write_text("title = ")
    assert "is not TOML" in simdyn("check", "bad.toml").stderr
    for text in (
        "",
        "series = 3\nclaims = [1, 2]\nfigure = []",
        "[series]\n[claims]",
        "claims = [{test = 1, options = 2}]",
    ):
        (tmp_path / "bad.toml").write_text(text)
        lines = examine(tmp_path / "bad.toml")
        assert f"{tmp_path}/bad.toml: measure is missing" in lines and len(lines) >= 5
    done = simdyn("check", "nix.toml")
    assert done.exit_code == 2 and done.stderr == "simdyn: nix.toml: there is no such file or folder\n"


# ----------------------------------------------------------------------------------------------- what may be swept


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"from": 1.0, "to": 2.0, "count": 5}, [1.0, 1.25, 1.5, 1.75, 2.0]),
        ({"from": 2.0, "to": 1, "count": 2, "spacing": "linear"}, [2.0, 1.0]),
        ({"from": 0.1, "to": 10.0, "count": 5, "spacing": "log"}, [0.1, 0.316227766017, 1.0, 3.16227766017, 10.0]),
        ({"from": 1, "to": 4, "count": 4}, [1, 2, 3, 4]),
        ({"from": 1, "to": 100, "count": 3, "spacing": "log"}, [1, 10, 100]),
        ({"from": 1, "to": 2, "count": 3}, [1.0, 1.5, 2.0]),
        ({"from": 0.1, "to": 0.3, "count": 3}, [0.1, 0.2, 0.3]),
    ],
)
def test_a_range_is_spread_out_evenly(given, values):
    found = [point["landscape.sharpness"] for point in points(sweep_of("sweep", {"landscape.sharpness": given}))]
    assert found == values and [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"from": -1.0, "to": 1.0, "count": 3, "spacing": "log"}, "ends of one sign"),
        ({"from": 0.0, "to": 1.0, "count": 1}, "count should be greater than or equal to 2"),
        ({"from": -1e308, "to": 1e308, "count": 3}, "too large"),
        (
            {"from": "1", "to": True, "count": 3.0, "spacing": "cubic"},
            "from should be a finite number.*; to .* not True; count",
        ),
        ({"start": 1}, "field 'start' is unknown; .*; from is missing; to is missing; count is missing"),
    ],
)
def test_a_range_that_is_none_is_refused(given, words):
    with pytest.raises(InvalidInput, match=words):
        points(sweep_of("across", {"landscape.sharpness": given}))


def test_products_take_every_combination():
    sharpness, batch, particles = [1.0, 1.5], [1.0, 2.0, 3.0], [64, 128]
    table = sweep_of("product", {"noise.batch_size": batch, "ensemble.particles": particles})
    table = changed(table, "series/0/sweep", {"landscape.sharpness": sharpness})
    wanted = [(k, b, n) for k in sharpness for b in batch for n in particles]
    cells = expand("test", study_of(table))
    assert [(c.landscape.sharpness, c.noise.batch_size, c.ensemble.particles) for c in cells] == wanted
    table = changed(table, "series/0/across", {"dynamics.learning_rate": [0.01, 0.02]})
    assert len(points(table)) == 24
    with pytest.raises(InvalidInput, match="would have 4000000 cells"):
        count = {"from": 1, "to": 2000, "count": 2000}
        points(sweep_of("product", {"noise.batch_size": count, "ensemble.particles": count}))


def test_whole_records_are_swept(tmp_path):
    noises = [{"kind": "ConstantNoise", "variance": 2.0}, {"kind": "FrozenNoise", "batch_size": 1.0}]
    table = changed(sweep_of("product", {"noise": noises}), "series/0/sweep", {"landscape.sharpness": [1.0, 2.0]})
    cells = expand("test", study_of(table))
    assert [cell.noise for cell in cells] == [sd.ConstantNoise(2.0), sd.FrozenNoise(1.0)] * 2
    assert [cell.point["noise"] for cell in cells[:2]] == ["ConstantNoise(variance=2.0)", "FrozenNoise(batch_size=1.0)"]
    assert len({cell.seed for cell in cells}) == 4
    fields = changed(
        table, "series/0/across", {"noise.variance": [1.0, 3.0]}
    )  # put into the record, whose order is no matter
    fields = changed(fields, "series/0/product", {"noise": noises[:1]})
    assert [cell.noise.variance for cell in expand("test", study_of(fields))] == [1.0, 3.0] * 2
    inner = [{"kind": "DoubleWell", "barrier": 2.0, "width": 1.0}, {"kind": "MatchedParabolas", "barrier": 1.0}]
    cells = expand("test", study_of(sweep_of("sweep", {"landscape.landscape": inner[:1], "dynamics": [
        {"kind": "Momentum", "learning_rate": 0.1}]})))  # fmt: skip
    assert cells[0].landscape == sd.Sharpened(sd.DoubleWell(2.0, 1.0), 1.0) and cells[0].dynamics == sd.Momentum(0.1)
    with pytest.raises(InvalidInput, match="did you mean 'ConstantNoise'"):
        points(sweep_of("sweep", {"noise": [{"kind": "ConstNoise"}]}))
    with pytest.raises(InvalidInput, match=r"must name a field, such as .*, or its values must be records"):
        points(sweep_of("sweep", {"noise": [1.0]}))


@pytest.mark.parametrize(
    ("where", "values", "words"),
    [
        (
            "product",
            {"noise.batch_size": [0.1, 0.2]},
            "several cells of series 'SGD' at one place of dynamics.learning_rate",
        ),
        ("sweep", {}, "needs a sweep in series 'SGD'"),
        (
            "sweep",
            {"noise": [{"kind": "ConstantNoise", "variance": 0.1 * n} for n in (1, 2)]},
            "needs numbers along noise",
        ),
    ],
)
def test_a_map_has_a_place_for_every_cell(tmp_path, where, values, words):
    table = changed(VALIDITY, "series/0/sweep", {"dynamics.learning_rate": [0.0025, 0.005]})
    table = changed(changed(table, f"series/0/{where}", values), "claims/0/options", {})
    (line,) = examine(write(tmp_path / "map.toml", table))
    assert "figure: kind 'validity'" in line and words in line


# -------------------------------------------------------------------------------------------------- plain sweeps


@pytest.mark.parametrize("table", [ESCAPE, SPREAD, DENSITY], ids=["escape", "displacement", "density"])
def test_a_study_without_claims_or_figure_is_a_plain_sweep_with_a_table(tmp_path, monkeypatch, table):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    plain = {key: value for key, value in table.items() if key not in ("claims", "figure", "claim", "standing")}
    path = write(tmp_path / "plain.toml", changed(plain, "series/0/exact", False))
    done = simdyn("run", path, "--quiet")
    assert done.exit_code == 0, done.output
    assert "A tiny study" in done.stdout and "estimate" in done.stdout and "verdict" not in done.stdout
    assert done.stdout.splitlines()[-1] == "Tables and provenance in results." and not os.path.exists("figures")
    rows = list(csv.DictReader((tmp_path / "results/plain.csv").read_text().splitlines()))
    assert rows and json.loads((tmp_path / "results/plain.json").read_text())["verdicts"] == []
    assert done.stdout.count(table["series"][0]["name"]) >= len(rows)
    shown = simdyn("show", path)
    assert shown.exit_code == 0 and "estimate" in shown.stdout
    plotted = simdyn("plot", path)
    assert plotted.exit_code == 0 and plotted.output == "simdyn: plain: it asks for no figure\n"
    assert simdyn("clean", path).stdout == "Nothing to delete.\n"
    assert simdyn("list", path).stdout.startswith("plain: A tiny study")


def test_the_table_says_why_a_cell_failed_and_bounds_what_too_few_escapes_tell(tmp_path, monkeypatch):
    def measure(cell, *rest):
        if cell.point["landscape.sharpness"] == 1.2:
            raise MemoryError
        few = {"value": None, "high": None} if cell.point["landscape.sharpness"] == 1.0 else {}
        return {**fake_measure(cell), **few}

    monkeypatch.setattr(study_run, "measure", measure)
    path = write(
        tmp_path / "plain.toml", sweep_of("sweep", {"landscape.sharpness": {"from": 1.0, "to": 1.4, "count": 3}})
    )
    assert simdyn("list", path).stdout == "plain: A tiny study (3 cells)\n"
    done = simdyn("run", path, "--quiet")
    assert done.exit_code == 1 and done.stderr.startswith("simdyn: 1 failed:\n  plain: series 'SGD' at ")
    bounded, failed, whole = (line for line in done.stdout.splitlines() if "│ SGD" in line)
    assert "not enough memory: take fewer particles" in failed and "above" in bounded and "above" not in whole
    shown = simdyn("show", path).stdout
    assert "above 2." in shown and "it has not run yet, or failed" in shown and shown.count("│ SGD") == 3


def test_claims_without_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    done = simdyn("run", write(tmp_path / "tiny.toml", changed(ESCAPE, "figure", None)), "--quiet")
    assert done.exit_code == 0 and "the power is -1" in done.stdout and not os.path.exists("figures")


# ------------------------------------------------------------------------------------------------- a study to begin with


def test_a_starter_is_written_and_nothing_overwritten(tmp_path):
    done = simdyn("new")
    assert done.exit_code == 0 and (tmp_path / "my_study.toml").read_text() == STARTER
    assert examine(tmp_path / "my_study.toml") == []
    comments = [line for line in STARTER.splitlines() if "#" in line]
    assert len(comments) > 12 and tomllib.loads(STARTER)["claims"]
    (tmp_path / "my_study.toml").write_text("mine")
    done = simdyn("new", "my_study.toml")
    assert done.exit_code == 2 and done.stderr.startswith("simdyn: my_study.toml: is there already")
    assert (tmp_path / "my_study.toml").read_text() == "mine"
    write(tmp_path / "old.toml", ESCAPE)
    assert simdyn("new", "other", "--like", "old.toml").exit_code == 0
    assert (tmp_path / "other.toml").read_text() == (tmp_path / "old.toml").read_text()
    assert simdyn("new", "third", "--like", "nix.toml").stderr == "simdyn: nix.toml: No such file or directory\n"
    assert not (tmp_path / "third.toml").exists()


# ------------------------------------------------------------------------------------------------- the reference

FORMAT = runpy.run_path(str(HERE.parent / "docs" / "study_format.py"))


def test_the_reference_is_what_the_schema_says(monkeypatch):
    page = FORMAT["page"]()
    assert page == FORMAT["PAGE"].read_text(encoding="utf-8"), "run: python docs/study_format.py"
    for name in (*TESTS, *FIGURES):
        assert f"### `{name}`" in page
    for kind, known in sd.REGISTRY.items():
        ours = [name for name, made in known.items() if made.__module__.startswith("simdyn.")]
        assert ours and all(f"| `{name}` |" in page for name in ours), kind
    monkeypatch.setattr(Bins.model_fields["bins"], "description", "something else")
    assert FORMAT["page"]() != page


def strict_models(model=Strict):
    return [found for inner in model.__subclasses__() for found in (inner, *strict_models(inner))]


def test_every_field_option_and_test_says_what_it_is():
    shown = FORMAT["page"]()
    for model in strict_models():
        assert model.__doc__ and model.__doc__.rstrip().endswith("."), model
        for name, field in model.model_fields.items():
            assert (field.description or "").endswith((".", "?")), (model, name)
            assert field.description.replace("|", "\\|") in shown, (model, name)
