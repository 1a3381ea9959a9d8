"""Studies from end to end: what is written, what is remembered, what a kill leaves."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from conftest import HERE
from study_tools import DENSITY, ESCAPE, SPREAD, changed, fake_measure, write

from simdyn.cli import main
from simdyn.model.records import InvalidInput
from simdyn.study import figures
from simdyn.study import run as study_run
from simdyn.study.references import formula

# Real and quick: three cells of some hundred steps.
QUICK = changed(ESCAPE, "landscape/landscape/barrier", 0.3)
QUICK = changed(QUICK, "series/0/dynamics/learning_rate", 0.05)
QUICK = changed(QUICK, "series/0/sweep", {"landscape.sharpness": [1.0, 1.4, 2.0]})


@pytest.fixture
def simdyn(tmp_path, monkeypatch):
    """The command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == code, done.output
        return done

    return run


@pytest.fixture
def measured(monkeypatch):
    """The cells that are measured, by a stand-in."""
    cells = []

    def measure(cell, workers=None, progress=None):
        cells.append(cell)
        return fake_measure(cell)

    monkeypatch.setattr(study_run, "measure", measure)
    monkeypatch.setattr(study_run, "refer", lambda cell: {"exact": None, "exact_error": None, **formula(cell)})
    return cells


@pytest.fixture
def undrawn(monkeypatch):
    """Runs without figures, which take longer than all the rest."""
    monkeypatch.setattr(figures, "draw_study", lambda result, directory: [])


def stored(folder):
    """Every stored file with its identity on disk."""
    found = {}
    for path in sorted((folder / "results/cells").rglob("*.json")):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mtime_ns)
    return found


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------------- end to end


def test_a_small_study_end_to_end(simdyn, tmp_path):
    study = write(tmp_path / "tiny.toml", QUICK)
    done = simdyn("run", study)
    table = rows(tmp_path / "results/tiny.csv")
    assert [float(row["sweep.landscape.sharpness"]) for row in table] == [1.0, 1.4, 2.0]
    for row in table:
        assert row["study"] == "tiny" and row["series"] == "SGD" and row["dynamics.kind"] == "SGD"
        assert row["landscape.kind"] == "Sharpened" and float(row["landscape.landscape.barrier"]) == 0.3
        assert float(row["dynamics.learning_rate"]) == 0.05 and int(row["particles"]) == 64 and row["unit"] == "steps"
        low, value, high, exact = (float(row[name]) for name in ("low", "estimate", "high", "exact"))
        assert low < value < high and float(row["theory"]) > 0
        spread = (high - low) / 2 / 1.96
        assert abs(value - exact) < 5 * spread + float(row["exact_error"])
        assert int(row["particle_steps"]) >= 64
        assert 0 <= int(row["seed"]) < 2**64 and len(row["key"]) == 32
    provenance = json.loads((tmp_path / "results/tiny.json").read_text())
    assert provenance["study"] == "tiny" and [cell["key"] for cell in provenance["cells"]] == [r["key"] for r in table]
    assert {"simdyn-lab", "physics", "python", "numpy", "scipy", "numba"} <= set(provenance["versions"])
    for cell in provenance["cells"]:
        for made in (cell["simulated"], cell["references"]):
            assert made["versions"] == provenance["versions"] and made["machine"] == provenance["machine"]
            assert made["written"] <= provenance["written"] and 0.0 <= made["wall_time"] < 600.0
    (verdict,) = provenance["verdicts"]
    assert verdict["claim"] == "power" and verdict["rule"] == "agrees if near"
    assert verdict["verdict"] in done.stdout and "A/theory" in done.stdout
    assert any("exponential" in note for note in verdict["notes"])
    assert verdict["verdict"] in (tmp_path / "results/verdicts.md").read_text()
    assert (tmp_path / "figures/tiny.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "figures/tiny.svg").read_text()

    before, table = stored(tmp_path), (tmp_path / "results/tiny.csv").read_bytes()
    again = simdyn("run", study)
    assert stored(tmp_path) == before and (tmp_path / "results/tiny.csv").read_bytes() == table
    assert again.stdout == done.stdout
    shutil.rmtree(tmp_path / "results")
    simdyn("run", study)
    assert (tmp_path / "results/tiny.csv").read_bytes() == table


@pytest.mark.parametrize(("table", "lines"), [(SPREAD, 3 * 3), (DENSITY, 2)], ids=["displacement", "density"])
def test_the_other_measures_end_to_end(simdyn, tmp_path, table, lines):
    simdyn("run", write(tmp_path / "tiny.toml", table))
    found = rows(tmp_path / "results/tiny.csv")
    assert len(found) == lines and all(float(row["estimate"]) >= 0 for row in found)
    assert (tmp_path / "figures/tiny.png").stat().st_size > 10_000


def test_times_of_sdes_are_told_in_the_unit_of_theory(simdyn, tmp_path, measured, undrawn):
    table = changed(ESCAPE, "series/0/dynamics", {"kind": "Overdamped", "dt": 0.05})
    table = changed(table, "noise", {"kind": "ConstantNoise", "variance": 0.4})
    table = changed(table, "series/0/sweep", {"landscape.sharpness": [0.3, 0.4, 0.5, 0.7, 1.0]})  # small steps
    simdyn("run", write(tmp_path / "tiny.toml", table), "--workers", "1")  # one after the other
    for row, cell in zip(rows(tmp_path / "results/tiny.csv"), measured, strict=True):
        steps = fake_measure(cell)["value"]
        assert row["unit"] == "time" and float(row["estimate"]) == pytest.approx(0.05 * steps)
        assert float(row["low"]) < float(row["estimate"]) < float(row["high"])


# --------------------------------------------------------------------------------------------- what is remembered


def test_a_changed_study_measures_what_changed(simdyn, tmp_path, measured, undrawn):
    study = tmp_path / "tiny.toml"

    def run(table):
        measured.clear()
        simdyn("run", write(study, table))
        return len(measured)

    assert run(ESCAPE) == 5
    assert run(ESCAPE) == 0
    assert run(changed(ESCAPE, "title", "Another title")) == 0
    assert run(changed(ESCAPE, "claims/0/tolerance", 0.3)) == 0
    sweep = {"landscape.sharpness": [1.0, 1.2, 1.5, 1.9, 2.4, 2.5]}
    assert run(changed(ESCAPE, "series/0/sweep", sweep)) == 1 and measured[0].landscape.sharpness == 2.4
    assert run(changed(ESCAPE, "ensemble/seed", 2)) == 5
    assert run(changed(ESCAPE, "ensemble/particles", 65)) == 5
    assert run(ESCAPE) == 0


def test_each_cell_keeps_who_made_it(simdyn, tmp_path, measured, undrawn, monkeypatch):
    """Another version that adds a cell, and writes the file anew, has made that cell alone."""
    study = tmp_path / "tiny.toml"
    simdyn("run", write(study, ESCAPE))
    other = {"written": "2001-01-01T00:00:00Z", "versions": {"simdyn-lab": "another"}, "machine": {"system": "else"}}
    monkeypatch.setattr(study_run, "origin", lambda: other)
    sweep = {"landscape.sharpness": [1.0, 1.2, 1.5, 1.9, 2.4, 2.5]}
    simdyn("run", write(study, changed(ESCAPE, "series/0/sweep", sweep)))
    cells = json.loads((tmp_path / "results/tiny.json").read_text())["cells"]
    for part in ("simulated", "references"):
        assert [cell[part]["versions"]["simdyn-lab"] == "another" for cell in cells] == [0, 0, 0, 0, 1, 0]
        assert cells[4][part]["machine"] == {"system": "else"} and cells[3][part]["written"] > "2026"
    assert cells[4]["simulated"]["wall_time"] == 0.5


def test_the_order_of_studies_and_their_names_do_not_matter(simdyn, tmp_path, measured, undrawn):
    write(tmp_path / "a/one.toml", ESCAPE)
    write(tmp_path / "a/two.toml", SPREAD)
    simdyn("run", tmp_path / "a/one.toml", tmp_path / "a/two.toml")
    tables = {name: rows(tmp_path / f"results/{name}.csv") for name in ("one", "two")}
    before = stored(tmp_path)
    count = len(measured)
    simdyn("run", tmp_path / "a/two.toml", tmp_path / "a/one.toml")
    simdyn("run", tmp_path / "a")
    simdyn("run", tmp_path / "a", tmp_path / "a/one.toml")
    write(tmp_path / "b/three.toml", ESCAPE)
    simdyn("run", tmp_path / "b")
    assert len(measured) == count and stored(tmp_path) == before
    assert tables == {name: rows(tmp_path / f"results/{name}.csv") for name in ("one", "two")}


def test_a_damaged_cell_is_measured_again_and_said(simdyn, tmp_path, measured, undrawn):
    study = write(tmp_path / "tiny.toml", ESCAPE)
    simdyn("run", study)
    table = rows(tmp_path / "results/tiny.csv")
    before = stored(tmp_path)
    broken = tmp_path / "results/cells" / table[2]["key"][:2] / f"{table[2]['key']}.json"
    broken.write_bytes(broken.read_bytes()[:-7])
    shown = simdyn("show", study).stdout
    assert "UNDECIDED" in shown and "sharpness = 1.5: what is stored of it is damaged" in shown
    measured.clear()
    done = simdyn("run", study)
    assert f"cell {table[2]['key']} was damaged and has been computed again" in done.stderr
    assert len(measured) == 1 and rows(tmp_path / "results/tiny.csv") == table
    after = stored(tmp_path)
    assert [name for name in after if after[name] != before[name]] == [broken.name]


def test_show_and_plot_need_a_run_and_measure_nothing(simdyn, tmp_path, measured):
    study = write(tmp_path / "tiny.toml", ESCAPE)
    for command in ("show", "plot"):
        refused = simdyn(command, study, code=2)
        assert refused.stderr == "simdyn: tiny: nothing of it has run yet; use simdyn run first\n"
    assert sorted(tmp_path.iterdir()) == [study]
    simdyn("run", study)
    measured.clear()
    before = stored(tmp_path)
    shown = simdyn("show", study).stdout
    assert "rule:  agrees if near" in shown and "claim: the power is -1" in shown and "AGREES" in shown
    picture = (tmp_path / "figures/tiny.svg").read_bytes()
    (tmp_path / "figures/tiny.svg").unlink()
    drawn = simdyn("plot", study, "--figures", "elsewhere").stdout.split()
    assert [(tmp_path / name).exists() for name in drawn] == [True, True]
    assert (tmp_path / "elsewhere/tiny.svg").read_bytes() == picture
    assert not measured and stored(tmp_path) == before


# ------------------------------------------------------------------------------------------------------- what fails


@pytest.fixture
def failing(monkeypatch):
    """A stand-in for measurements that fails in cells of some sharpness."""

    def measure(cell, workers=None, progress=None):
        if cell.landscape.sharpness == 1.5:
            raise KeyError("a bug")
        if cell.landscape.sharpness == 2.4:
            raise InvalidInput("64 of 64 particles diverged")
        return fake_measure(cell)

    monkeypatch.setattr(study_run, "measure", measure)
    monkeypatch.setattr(study_run, "refer", lambda cell: {"exact": None, "exact_error": None, **formula(cell)})


def test_a_failed_cell_is_left_out_and_the_rest_goes_on(simdyn, tmp_path, failing):
    sweep = {"landscape.sharpness": [1.0, 1.2, 1.5, 1.9, 2.4]}
    one = write(tmp_path / "one.toml", changed(ESCAPE, "series/0/sweep", sweep))
    two = write(tmp_path / "two.toml", changed(ESCAPE, "series/0/sweep", {"landscape.sharpness": [1.0, 1.2, 1.9]}))
    done = simdyn("run", one, two, code=1)
    head, *lines = done.stderr[done.stderr.index("simdyn: ") :].splitlines()
    assert head == "simdyn: 2 failed:" and lines == [
        "  one: series 'SGD' at landscape.sharpness = 1.5: internal error: KeyError: 'a bug'",
        "  one: series 'SGD' at landscape.sharpness = 2.4: 64 of 64 particles diverged",
    ]
    table = rows(tmp_path / "results/one.csv")
    assert [bool(row["failed"]) for row in table] == [bool(not row["estimate"]) for row in table] == [0, 0, 1, 0, 1]
    assert table[4]["failed"] == "64 of 64 particles diverged" and "failed" not in rows(tmp_path / "results/two.csv")[0]
    provenance = json.loads((tmp_path / "results/one.json").read_text())
    assert [bool(cell["simulated"]) for cell in provenance["cells"]] == [True, True, False, True, False]
    assert [f"  {line}" for line in provenance["failures"]] == lines
    (verdict,) = provenance["verdicts"]
    assert verdict["verdict"] == "undecided" and "A/theory" in verdict["numbers"] and len(verdict["notes"]) >= 2
    assert verdict["notes"][1].endswith("at landscape.sharpness = 2.4: 64 of 64 particles diverged")
    assert json.loads((tmp_path / "results/two.json").read_text())["verdicts"][0]["verdict"] == "agrees once corrected"
    assert (tmp_path / "figures/one.png").exists() and (tmp_path / "figures/two.png").exists()

    shown = simdyn("show", one).stdout
    assert "UNDECIDED" in shown and "sharpness = 1.5: it has not run yet, or failed" in shown and "A/theory" in shown
    assert simdyn("run", one, two, "--fail-fast", code=1).stderr == "simdyn: internal error: KeyError: 'a bug'\n"


def test_what_has_run_is_shown_while_the_rest_has_not(simdyn, tmp_path, measured, undrawn, monkeypatch):
    one, two = write(tmp_path / "one.toml", ESCAPE), tmp_path / "two.toml"
    simdyn("run", one)
    three = write(tmp_path / "three.toml", changed(ESCAPE, "ensemble/seed", 7))
    more = {"landscape.sharpness": [*ESCAPE["series"][0]["sweep"]["landscape.sharpness"], 3.0]}
    write(two, changed(ESCAPE, "series/0/sweep", more))
    done = simdyn("show", one, two, three)
    assert done.stderr == "simdyn: three: nothing of it has run yet; use simdyn run first\n"
    assert "AGREES" in done.stdout and "UNDECIDED" in done.stdout and "A/theory" in done.stdout
    assert "sharpness = 3.0: it has not run yet" in done.stdout
    monkeypatch.setattr(
        study_run, "reference_key", lambda cell: "0" * 32
    )  # a run that was killed before it came to these
    done = simdyn("show", one)
    assert "AGREES" in done.stdout and "exact answers" not in done.stdout


def test_a_figure_that_cannot_be_drawn_is_said_and_not_fatal(simdyn, tmp_path, measured, monkeypatch):
    study = write(tmp_path / "tiny.toml", ESCAPE)
    (tmp_path / "figures").mkdir()
    old = tmp_path / "figures/tiny.svg"
    old.write_text("of an earlier run")
    monkeypatch.setattr(figures.canvas, "find_figure", lambda options: 1 / 0)
    done = simdyn("run", study, code=1)
    assert "tiny: its figure cannot be drawn: ZeroDivisionError: division by zero" in done.stderr and not old.exists()
    assert "agrees" in done.stdout and (tmp_path / "results/tiny.json").exists()


# ------------------------------------------------------------------------------------------------- kills and crowds

# A program that measures as always but dwells on every cell, so that a signal finds it in the middle.
SLOWLY = """
import pathlib, sys, time
from simdyn.cli import main
from simdyn.study import run
def measure(cell, workers=None, progress=None, measure=run.measure, pause=float(sys.argv.pop())):
    pathlib.Path("measuring").touch()
    found = measure(cell, workers, progress)
    for _ in range(int(20 * pause)):
        time.sleep(0.05)
        progress(0, 1)
    return found
run.measure = measure
main(sys.argv[1:], prog_name="simdyn")
"""


def start(folder, *arguments, pause="0.4"):
    path = os.pathsep.join([str(HERE.parent), str(HERE)])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SLOWLY, "run", *map(str, arguments), pause],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(process, happened):
    for _ in range(3000):
        if happened():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    raise AssertionError("nothing happened in a minute")


def test_a_killed_run_continues_where_it_was(simdyn, tmp_path, monkeypatch):
    study = write(tmp_path / "tiny.toml", QUICK)
    process = start(tmp_path, study)
    wait_for(process, lambda: stored(tmp_path))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    survived = stored(tmp_path)
    assert survived and not (tmp_path / "results/tiny.csv").exists()
    simdyn("run", study)
    after = stored(tmp_path)
    assert len(after) > len(survived) and survived.items() <= after.items()
    simdyn("run", study, "--results", "whole/results", "--workers", "1")
    assert rows(tmp_path / "results/tiny.csv") == rows(tmp_path / "whole/results/tiny.csv")


def test_an_interrupted_run_says_so_in_one_line(tmp_path):
    study = write(tmp_path / "tiny.toml", QUICK)
    process = start(tmp_path, study, pause="20")
    wait_for(process, (tmp_path / "measuring").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert err == "simdyn: interrupted; finished cells are kept, run again to continue\n" and out == ""


def test_two_runs_at_once_share_a_folder(simdyn, tmp_path):
    study = write(tmp_path / "tiny.toml", QUICK)
    other = start(tmp_path, study, "--quiet", pause="0.2")
    wait_for(other, (tmp_path / "measuring").exists)
    simdyn("run", study)
    out, err = other.communicate(timeout=60)
    assert other.returncode == 0 and err == "" and "Verdicts" in out
    assert len(rows(tmp_path / "results/tiny.csv")) == 3
    assert not list(tmp_path.rglob(".unfinished-*"))
