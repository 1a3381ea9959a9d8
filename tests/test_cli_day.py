"""What a user meets on an ordinary day: landscapes without a saddle, nobody that escapes, odd terminals, leftovers, long runs."""

import csv
import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from study_tools import DENSITY, ESCAPE, SPREAD, changed, fake_measure, measured_escape, write
from test_cli import SERIES, elsewhere, refusal, simdyn  # noqa: F401

from simdyn.cli import main
from simdyn.study import figures
from simdyn.study import run as study_run
from simdyn.study.references import formula


@pytest.fixture
def quick(monkeypatch):
    """Runs in no time: measurements by a stand-in, formulas alone, no figures."""
    monkeypatch.setattr(study_run, "measure", fake_measure)
    monkeypatch.setattr(study_run, "refer", lambda cell: {"exact": None, "exact_error": None, **formula(cell)})
    monkeypatch.setattr(figures, "draw_study", lambda result, directory: [])


# ------------------------------------------------------------------------------------- landscapes without a saddle

BOWL = {
    **ESCAPE,
    "landscape": {"kind": "Expression", "formula": "k*x**2/2 + c*x", "k": 1.0, "c": 0.0},
    "noise": {"kind": "ConstantNoise", "variance": 1.0},
    "ensemble": {"particles": 64, "boundary": {"kind": "Beyond", "position": 1.0}},
    "series": [{**SERIES, "sweep": {"landscape.k": [1.0, 2.0, 4.0]}}],
    "claims": [
        {**ESCAPE["claims"][0], "test": "log_slope", "options": {"variable": "landscape.k", "expected": -1.0}},
    ],
    "figure": {"kind": "scaling"},
}


def test_a_landscape_needs_no_saddle_where_nothing_looks_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", lambda cell, *rest: measured_escape(100.0 / cell.landscape.k))
    monkeypatch.setattr(figures, "draw_study", lambda result, directory: [])
    done = simdyn("run", write(tmp_path / "bowl.toml", changed(BOWL, "series/0/exact", False)))
    assert done.exit_code == 0 and "agrees" in done.stdout, done.output


def test_where_a_study_needs_a_saddle_or_minimum_it_says_before_what_to_write(tmp_path):
    def refused(**changes):
        return refusal(tmp_path, {**BOWL, **changes})

    line = refused(ensemble={"particles": 64, "exit": 1.0})
    assert "no saddle found along coordinate 0; give ensemble.boundary instead of exit, such as boundary = {" in line
    line = refused(landscape={**BOWL["landscape"], "k": 0.0}, series=[{**SERIES, "sweep": {"landscape.c": [1.0, 2.0]}}])
    assert "no minimum found by descent; give ensemble.start, one number per coordinate" in line
    line = refused(noise={"kind": "TwoPieceNoise", "batch_size": 1.0})
    assert "no saddle found" in line and "take a noise that does not look for it" in line and "@" not in line
    options = {"expected": 0.0, "rival": 1.0}
    claims = [{**SPREAD["claims"][0], "test": "curvature_slope", "options": options}]
    series = [{"name": "SGD", "dynamics": SERIES["dynamics"]}]
    line = refused(measure="displacement", ensemble=SPREAD["ensemble"], series=series, claims=claims)
    assert "no saddle found along coordinate 0; give ensemble.start" in line
    ensemble = {**SPREAD["ensemble"], "start": 0.0}
    line = refused(measure="displacement", ensemble=ensemble, series=series, claims=claims)
    assert "no saddle found along coordinate 0; test 'curvature_slope' looks at it, take another" in line


# ------------------------------------------------------------------------------------------------------ runs


def test_a_study_that_may_not_end_is_warned_of_before(tmp_path, monkeypatch, quick):
    monkeypatch.setattr(study_run, "forecast", lambda cells, workers: f"{len(cells)} cells may take 3 days")
    write(tmp_path / "tiny.toml", ESCAPE)
    assert simdyn("run", "tiny.toml").stderr.startswith("simdyn: 5 cells may take 3 days\n")
    assert simdyn("run", "tiny.toml").stderr.startswith("simdyn: 0 cells")  # what is there takes no time
    assert simdyn("run", "tiny.toml", "--quiet").stderr == ""


def test_nobody_escapes(tmp_path, monkeypatch):
    """A bound is a result: no cell has failed, and a claim that needs a number is undecided."""
    monkeypatch.setattr(study_run, "refer", lambda cell: {"exact": None, "exact_error": None, **formula(cell)})
    done = simdyn("run", write(tmp_path / "tiny.toml", changed(ESCAPE, "ensemble/max_steps", 2)))
    assert done.exit_code == 1 and "undecided" in done.stdout
    assert done.stderr.splitlines()[-2:] == [
        "simdyn: 1 failed:", "  tiny: its figure cannot be drawn: none of what it shows is there"
    ]  # fmt: skip
    (verdict,) = json.loads((tmp_path / "results/tiny.json").read_text())["verdicts"]
    assert "landscape.sharpness = 1.0: no particle escaped within max_steps = 2" in verdict["notes"][0]
    with (tmp_path / "results/tiny.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["low"]) == pytest.approx(2 * 64 / np.log(20.0))
            assert row["estimate"] == row["exponential"] == "" and row["high"] == "inf" and row["censored"] == "64"


@pytest.mark.parametrize("stream", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_cannot_print_a_character_gets_another(tmp_path, quick, stream):
    study = write(tmp_path / "tiny.toml", changed(ESCAPE, "claims/0/says", "as α —"))
    done = CliRunner(charset=stream).invoke(main, ["run", str(study), "--quiet"])
    assert done.exit_code == 0, done.output
    assert ("+- 0" in done.stdout) == (stream == "ascii") and ("α" in done.stdout) == (stream == "utf-8")
    assert "\\u03b1" in done.stdout or stream == "utf-8"


def test_more_numbers_than_a_cell_can_keep_are_refused_before_it_runs(tmp_path):
    line = refusal(tmp_path, changed(DENSITY, "ensemble/bins/bins", 10**9))
    assert "take fewer bins: 2 records of 1000000000 bins are 2000000000 numbers" in line


def test_clean_lists_what_nothing_needs_and_deletes_it_when_told(tmp_path, quick):
    for name, seed in (("kept", 1), ("gone", 2)):
        assert simdyn("run", write(tmp_path / f"{name}.toml", changed(ESCAPE, "ensemble/seed", seed))).exit_code == 0
    for place in ("results/cells/ab", "results", "figures"):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / ".unfinished-x").write_bytes(b"half a ce")
    cells = set((tmp_path / "results/cells").rglob("*.json"))
    clean = ("clean", "kept.toml")
    assert simdyn(*clean).stdout == "Nothing to delete.\n"  # all of it may still be written
    for path in (
        path for folder in ("results", "figures") for path in (tmp_path / folder).rglob("*") if path.is_file()
    ):
        os.utime(path, (1e9, 1e9))
    done = simdyn(*clean)
    *lines, total = done.stdout.splitlines()
    assert len(lines) == 3 + 10 and total.startswith("13 files, ") and total.endswith(": --yes deletes them.")
    assert sum("unfinished, of a run that was killed" in line for line in lines) == 3
    assert sum("a cell of none of the studies" in line for line in lines) == 10
    assert set((tmp_path / "results/cells").rglob("*.json")) == cells
    assert simdyn("clean", "kept.toml", "gone.toml").stdout.splitlines()[-1].startswith("3 files")
    assert simdyn(*clean, "--yes").stdout.endswith(": deleted.\n")
    assert len(set((tmp_path / "results/cells").rglob("*.json"))) == len(cells) - 10
    assert simdyn(*clean).stdout == "Nothing to delete.\n"
    assert simdyn("show", "kept.toml").exit_code == 0 and (tmp_path / "results/gone.csv").exists()
    assert not list(tmp_path.rglob(".unfinished-*")) and not (tmp_path / "results/cells/ab").exists()
