"""The command line: what it says, and that a mistake costs one line, exit code 2 and nothing written."""

import errno
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import HERE
from study_tools import DENSITY, ESCAPE, SPREAD, changed, fake_measure, write

from simdyn import __version__
from simdyn.cli import main
from simdyn.model.vetting import ModelWarning
from simdyn.study import figures, files, store
from simdyn.study import run as study_run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def simdyn(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="simdyn")


def complaint(*arguments, written=()):
    """The one line in which a request is refused; nothing may have been written."""
    done = simdyn(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("simdyn: ") and "Error" not in line and "internal" not in line
    assert not os.path.exists("results") and not os.path.exists("figures")
    return line.removeprefix("simdyn: ")


def refusal(tmp_path, table):
    return complaint("run", write(tmp_path / "tiny.toml", table))


# ------------------------------------------------------------------------------------------------------- it speaks


def test_help_names_the_commands():
    for arguments in (["--help"], ["-h"], []):
        done = simdyn(*arguments)
        assert done.exit_code == 0 and all(word in done.stdout for word in ("run", "list", "show", "plot", "clean"))
    for command in ("run", "list", "show", "plot", "clean"):
        done = simdyn(command, "--help")
        assert done.exit_code == 0 and "PATHS" in done.stdout


def test_version():
    assert simdyn("--version").stdout == f"simdyn, version {__version__}\n"


def test_help_loads_nothing_heavy(run_python):
    program = """
import sys
from simdyn.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert not end.code
assert not {"numba", "numpy", "scipy", "matplotlib", "pydantic", "rich"} & set(sys.modules), sorted(sys.modules)
"""
    assert "Commands:" in run_python(program)


def test_list_tells_claims_and_cells(tmp_path):
    write(tmp_path / "some/one.toml", ESCAPE)
    write(tmp_path / "some/two.toml", SPREAD)
    done = simdyn("list", "some")
    assert done.exit_code == 0 and done.stderr == ""
    assert "one: A tiny study (5 cells)" in done.stdout and "two: A tiny study (1 cells)" in done.stdout
    assert "  power: the power is -1" in done.stdout
    assert sorted(os.listdir()) == ["some"]


def test_a_broken_pipe_is_not_an_error_message(tmp_path, monkeypatch):
    write(tmp_path / "tiny.toml", ESCAPE)
    monkeypatch.setattr(
        files, "find_studies", lambda paths: (_ for _ in ()).throw(BrokenPipeError(errno.EPIPE, "Broken"))
    )
    done = simdyn("list", "tiny.toml")
    assert done.exit_code == 1 and done.stderr == ""


@pytest.mark.parametrize("asked", [False, True])
def test_warnings_of_libraries_are_not_shown_unless_asked_for(monkeypatch, asked):
    def warning(paths):
        warnings.simplefilter("always")
        np.log(np.zeros(1))
        warnings.warn("no glyph", UserWarning, stacklevel=1)
        warnings.warn("the gradient\nis not the slope", ModelWarning, stacklevel=1)
        return {}

    monkeypatch.setattr(files, "find_studies", warning)
    monkeypatch.setattr("sys.warnoptions", ["default"] if asked else [])
    shown = warnings.showwarning
    done = simdyn("list", "nix")
    assert done.exit_code == 0 and done.stderr.splitlines()[-1] == "simdyn: the gradient is not the slope"
    assert len(done.stderr.splitlines()) == (3 if asked else 1)
    assert warnings.showwarning is shown


# --------------------------------------------------------------------------------------------- what a file may say

SERIES = ESCAPE["series"][0]
TWICE = [SERIES, {**SERIES, "name": "again"}]
SDE = {"kind": "Overdamped", "dt": 0.01}


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        # misspelt keys: the nearest right one
        ("tilte", "x", ["tiny.toml", "'tilte' is unknown; did you mean 'title'?"]),
        ("mesure", "escape", ["'mesure' is unknown; did you mean 'measure'?"]),
        ("series/0/dynamcs", {}, ["series.0", "'dynamcs' is unknown; did you mean 'dynamics'?"]),
        ("ensemble/partcles", 5, ["tiny", "ensemble", "'partcles' is unknown; did you mean 'particles'?"]),
        ("claims/0/tolerence", 0.1, ["claims.0", "did you mean 'tolerance'?"]),
        ("claims/0/options/variabel", "x", ["claim 'power'", "options", "did you mean 'variable'?"]),
        ("landscape/sharpnes", 1.0, ["tiny", "Sharpened", "did you mean 'sharpness'?"]),
        ("landscape/landscape/barier", 1.0, ["DoubleWell", "did you mean 'barrier'?"]),
        ("landscape/landscape/kind", "DoubelWell", ["landscape.kind", "did you mean 'DoubleWell'?"]),
        ("noise/kind", "FrozeNoise", ["noise.kind", "did you mean 'FrozenNoise'?"]),
        ("series/0/dynamics/kind", "sgd", ["dynamics.kind", "SGD"]),
        ("series/0/dynamics/kind", "Zwerg", ["dynamics.kind", "it may be", "SGD", "Adam"]),
        ("figure/kind", "exponnent", ["figure", "did you mean 'exponent'?"]),
        ("figure/colums", 3, ["figure", "did you mean 'columns'?"]),
        ("claims/0/test", "exponnent", ["claim 'power'", "did you mean 'exponent'?"]),
        ("claims/0/series", "SDG", ["tiny.toml", "claim 'power'", "did you mean 'SGD'?"]),
        ("claims/0/again", "SDG", ["claim 'power'", "did you mean 'SGD'?"]),
        ("measure", "escpe", ["tiny.toml", "measure", "'escape', 'displacement' or 'density'"]),
        # what is missing
        ("title", None, ["tiny.toml", "title is missing"]),
        ("series", [], ["series should have at least one entry"]),
        ("claims", [], ["figure", "shows claims tried by exponent: none is"]),
        ("noise/kind", None, ["noise.kind is missing", "ConstantNoise"]),
        ("landscape/landscape", None, ["Sharpened needs landscape"]),
        ("ensemble/exit", None, ["exit", "boundary"]),
        ("claims/0/rule", None, ["claims.0.rule is missing"]),
        ("claims/0/options/variable", None, ["claim 'power'", "options: variable is missing"]),
        ("claims/0/options/rival", None, ["claim 'power'", "options: rival is missing"]),
        ("figure/kind", None, ["figure", "kind", "exponent"]),
        # wrong types
        ("title", 3, ["title should be a valid string, not 3"]),
        ("series", {"name": "SGD"}, ["series should be a valid list"]),
        ("landscape", 3, ["landscape should be a table, not 3"]),
        ("landscape/landscape", 3, ["Sharpened: landscape must be a record such as"]),
        ("landscape/landscape/barrier", "high", ["DoubleWell: barrier", "positive number", "'high'"]),
        ("landscape/landscape/barrier", True, ["DoubleWell: barrier", "positive number"]),
        ("landscape/landscape/barrier", [1.0], ["DoubleWell: barrier"]),
        ("landscape/landscape/kind", ["DoubleWell"], ["landscape.kind"]),
        ("figure/kind", ["exponent"], ["figure"]),
        ("figure/columns", "two", ["figure", "columns should be a valid integer, not 'two'"]),
        ("series/0/sweep", {"landscape.sharpness": 1.0}, ["sweep.landscape.sharpness should be a valid list"]),
        ("claims/0/options/power", "minus one", ["claim 'power'", "power should be a valid number"]),
        ("ensemble/start", "minimun", ["ensemble", "start should be", '"minimum" or "saddle"', "'minimun'"]),
        ("ensemble/start", True, ["start should be a number"]),
        ("ensemble/start_momentum", "statonary", ["start_momentum should be", '"stationary"']),
        ("ensemble/start_momentum", {"kind": "Stationary", "scale": "1"}, ["start_momentum should be", "scale"]),
        ("ensemble/start_momentum", {"kind": "Stationary"}, ["start_momentum should be", "scale"]),
        # numbers out of range
        ("series/0/dynamics/learning_rate", -0.1, ["SGD: learning_rate must be a positive number, not -0.1"]),
        ("series/0/dynamics/learning_rate", 0, ["SGD: learning_rate must be a positive number"]),
        ("series/0/dynamics/learning_rate", np.inf, ["SGD: learning_rate", "inf"]),
        ("series/0/dynamics/learning_rate", 1e200, ["series 'SGD'", "unstable", "smaller step"]),
        ("series/0/dynamics/learning_rate", np.nan, ["SGD: learning_rate", "nan"]),
        ("series/0/dynamics", {"kind": "Adam", "learning_rate": 0.1, "beta1": 1.0}, ["Adam: beta1", "[0, 1)", "1.0"]),
        ("series/0/dynamics", {"kind": "Adam", "learning_rate": 0.1, "beta2": -0.1}, ["Adam: beta2", "[0, 1)"]),
        ("noise/batch_size", 0.0, ["FrozenNoise: batch_size must be a positive number"]),
        ("ensemble/particles", 0, ["particles should be greater than 0, not 0"]),
        ("ensemble/particles", 1e3, ["particles should be a valid integer, not 1000.0"]),
        ("ensemble/particles", 10**30, ["particles should be less than"]),
        ("ensemble/seed", -1, ["seed should be greater than or equal to 0, not -1"]),
        ("ensemble/seed", 2**64, ["seed should be less than 18446744073709551616"]),
        ("ensemble/seed", 1e3, ["seed should be a valid integer, not 1000.0"]),
        ("ensemble/max_steps", 2**63, ["max_steps should be less than"]),
        ("ensemble/exit", np.nan, ["exit should be a finite number"]),
        ("ensemble/start", np.inf, ["start should be a number"]),
        ("ensemble/start", [-1.0, 0.0], ["tiny", "series 'SGD'", "start", "1"]),
        ("ensemble/start", 1.5, ["tiny", "series 'SGD'", "start: 1.5 is already beyond the boundary"]),
        ("ensemble/exit", -2.0, ["series 'SGD'", "already beyond the boundary"]),
        ("ensemble/boundary", {"kind": "Beyond", "position": 0.0}, ["either exit", "or a boundary"]),
        ("ensemble/bridge", True, ["series 'SGD'", "bridge", "Overdamped"]),
        ("claims/0/tolerance", 0.0, ["claims.0.tolerance should be greater than 0"]),
        ("claims/0/tolerance", np.inf, ["claims.0.tolerance should be a finite number"]),
        ("claims/0/options/rival", 0, ["claim 'power'", "rival should be a number other than 0"]),
        ("figure/columns", 0, ["figure", "columns should be greater than 0"]),
        # sweeps
        ("series/0/sweep", {"landscap.sharpness": [1.0, 1.1, 1.2]}, ["series 'SGD'", "sweep", "did you mean 'landscape."]),
        ("series/0/sweep", {"landscape.sharpnes": [1.0, 1.1, 1.2]}, ["series 'SGD'", "did you mean 'landscape.sharpness'?"]),
        ("series/0/sweep", {"landscape": [1.0, 1.1, 1.2]}, ["series 'SGD'", "sweep", "must name a field"]),
        ("series/0/sweep", {"barrier": [1.0, 1.1, 1.2]}, ["sweep", "did you mean 'landscape.landscape.barrier'?"]),
        ("series/0/across", {"noise.barch_size": [1.0, 1.1]}, ["across", "did you mean 'noise.batch_size'?"]),
        ("series/0/product", {"ensemble.partciles": [10, 20]}, ["product", "did you mean 'ensemble.particles'?"]),
        ("series/0/product", {"landscape.sharpness": [1.0]}, ["'landscape.sharpness' is swept in sweep and in product"]),
        ("series/0/product", {"noise.batch_size": [1.0, 1.1]}, ["claim 'power'", "differ in noise.batch_size"]),
        ("series/0/sweep", {"ensemble": [{}]}, ["sweep", "must name a field, such as ensemble.particles"]),
        ("series/0/sweep", {"landscape.sharpness": {"from": 1.0, "count": 3}}, ["sharpness: to is missing"]),
        ("series/0/sweep", {"landscape.sharpness": {"from": 1.0, "to": 1.0, "count": 3}}, ["must differ, both are 1.0"]),
        ("series/0/sweep", {"landscape.sharpness": {"from": 0, "to": 1, "count": 3, "spacing": "log"}}, ["one sign"]),
        ("series/0/sweep", {"landscape.sharpness": {"from": 1, "to": 2, "cuont": 3}}, ["did you mean 'count'?"]),
        ("series/0/sweep", {"landscape.sharpness.x": [1.0, 1.1]}, ["series 'SGD'", "sweep", "path"]),
        ("series/0/sweep", {"landscape.sharpness": []}, ["sweep.landscape.sharpness should have at least one entry"]),
        ("series/0/sweep", {"landscape.sharpness": [1, 2, 3], "noise.batch_size": [1, 2]}, ["equally long", "3", "2"]),
        ("series/0/sweep", {"landscape.sharpness": [1.0, 1.2, -1.5]}, ["series 'SGD'", "sharpness", "-1.5"]),
        ("series/0/sweep", {"landscape.sharpness": [1.0, 1.2]}, ["claim 'power'", "needs 3 cells", "has 2"]),
        ("series/0/sweep", {"landscape.sharpness": [1.0, 1.2, 1.2]}, ["claim 'power'", "must take 3 values"]),
        ("series/0/sweep", {"ensemble.bridge": [False, False, False]}, ["claim 'power'", "options.variable"]),
        # names, and claims that cannot be tried
        ("series", [SERIES, SERIES], ["tiny.toml", "series", "'SGD' is used twice"]),
        ("claims", ESCAPE["claims"] * 2, ["tiny.toml", "claims", "'power' is used twice"]),
        ("claims/0/again", "SGD", ["claim 'power'", "again must be another series"]),
        ("claims/0/options/variable", "landscape.sharpnes", ["claim 'power'", "did you mean 'landscape.sharpness'?"]),
        ("claims/0/test", "growth", ["claim 'power'", "measure = 'displacement', not 'escape'"]),
        ("figure", {"kind": "growth"}, ["figure", "growth"]),
        ("figure/rival", ["SDG"], ["figure", "did you mean 'SGD'?"]),
        ("landscape", {"kind": "Quadratic", "curvatures": [1.0]}, ["tiny", "series 'SGD'"]),
        ("title", "falls as $x_$", ["figure", "'falls as $x_$' cannot be drawn", "dollar"]),
        ("measure", "displacement", ["claim 'power'", "'exponent' is about measure = 'escape', not 'displacement'"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_costs_one_line(tmp_path, place, value, words):
    line = refusal(tmp_path, changed(ESCAPE, place, value))
    assert "tiny" in line and all(word in line for word in words), line


@pytest.mark.parametrize(
    ("table", "place", "value", "words"),
    [
        (SPREAD, "ensemble/record_at", [10, 5], ["series 'SGD'", "record_at", "increase"]),
        (SPREAD, "ensemble/record_at", [1.5], ["ensemble", "record_at.0 should be a valid integer"]),
        (SPREAD, "ensemble/record_at", [], ["record_at is missing"]),
        (SPREAD, "ensemble/record_at", [0], ["record_at"]),
        (SPREAD, "claims/0/options", {"since": 100}, ["claim 'growth'", "options.since", "40"]),
        (SPREAD, "series/0/sweep", {"noise.batch_size": [1, 2]}, ["claim 'growth'", "one cell"]),
        (SPREAD, "noise", {"kind": "ConstantNoise", "variance": [1.0, 2.0]}, ["series 'SGD'", "variance"]),
        (
            SPREAD,
            "noise",
            {"kind": "StudentNoise", "variance": 1.0, "degrees": 3.0},
            ["series 'SGD'", "standard error"],
        ),
        (SPREAD, "noise", {"kind": "StableNoise", "scale": 1.0}, ["series 'SGD'", "order below 1.5", "no mean square"]),
        (SPREAD, "figure/coordinate", 3, ["figure", "coordinate"]),
        (SPREAD, "figure/ratio", [1.0], ["figure", "ratio"]),
        (DENSITY, "ensemble/bins", None, ["bins is missing"]),
        (DENSITY, "ensemble/bins/low", 3.0, ["series 'Overdamped'", "bins.low must be below high"]),
        (DENSITY, "ensemble/bins/coordinate", 1, ["series 'Overdamped'", "bins.coordinate must be below 1"]),
        (DENSITY, "ensemble/bins/bins", 0, ["bins.bins should be greater than 0"]),
        (DENSITY, "ensemble/bins/hgih", 0, ["bins", "did you mean 'high'?"]),
        (DENSITY, "series/0/dynamics", {"kind": "SGD", "learning_rate": 0.1}, ["Overdamped", "one dimension"]),
        (changed(ESCAPE, "series", TWICE), "claims/0/options/target", "again", ["'target' is unknown"]),
    ],
)
def test_a_mistake_in_other_studies_costs_one_line(tmp_path, table, place, value, words):
    line = refusal(tmp_path, changed(table, place, value))
    assert "tiny" in line and all(word in line for word in words), line


LIMIT = changed(changed(ESCAPE, "series", [*TWICE, {"name": "SDE", "dynamics": SDE}]), "claims/0/test", "limit")
LIMIT = changed(changed(LIMIT, "figure", {"kind": "limits"}), "claims/0/options", {"variable": "landscape.sharpness"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["target is missing"]),
        ({"target": "SDEs"}, ["options.target", "did you mean 'SDE'?"]),
        ({"target": "again"}, ["options.target must be a series of one cell"]),
        ({"target": "SDE", "order": -1}, ["order should be greater than 0"]),
    ],
)
def test_a_limit_needs_its_target(tmp_path, options, words):
    table = changed(LIMIT, "claims/0/options", {**LIMIT["claims"][0]["options"], **options})
    line = refusal(tmp_path, table)
    assert "claim 'power'" in line and all(word in line for word in words), line
    line = refusal(tmp_path, changed(changed(table, "claims/0/again", "again"), "claims/0/options/target", "SDE"))
    assert "target_again is missing" in line or "order" in line


# --------------------------------------------------------------------------------------------------- files, places


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title = ", "is not TOML"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "is not UTF-8 text"),
        (b"x = " + b"[" * 100_000, "is not TOML"),
        (b"title = 'a'\ntitle = 'b'", "is not TOML"),
    ],
    ids=["broken", "binary", "deep", "twice"],
)
def test_a_file_that_is_no_study(tmp_path, content, words):
    (tmp_path / "bad.toml").write_bytes(content)
    line = complaint("run", "bad.toml")
    assert line.startswith("bad.toml: ") and words in line


def test_files_and_folders_that_are_not_there(tmp_path):
    assert complaint("run", "nix.toml") == "nix.toml: there is no such file or folder"
    assert complaint("run").startswith("experiments: ")
    (tmp_path / "empty").mkdir()
    assert "no study (*.toml)" in complaint("list", "empty")
    (tmp_path / "folder.toml").mkdir()
    assert "folder.toml" in complaint("run", "folder.toml")
    (tmp_path / "empty/folder.toml").mkdir()
    assert complaint("run", "empty").startswith("empty/folder.toml: cannot be read: Is a directory")


def test_one_name_for_two_studies(tmp_path):
    write(tmp_path / "a/same.toml", ESCAPE)
    write(tmp_path / "b/same.toml", ESCAPE)
    assert complaint("run", "a", "b") == "b/same.toml: another study is called same too"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--result", "x"], "No such option"),
        (["rnu"], "No such command"),
        (["run", "--workers", "0"], "workers"),
        (["run", "--workers", "many"], "workers"),
        (["--nope"], "No such option"),
        (["run", "--results"], "--results"),
    ],
)
def test_usage(arguments, words):
    assert words in complaint(*arguments)


def test_a_place_that_is_a_file(tmp_path):
    write(tmp_path / "tiny.toml", ESCAPE)
    for option in ("--results", "--figures"):
        assert "is a file" in complaint("run", "tiny.toml", option, "tiny.toml")
        assert "tiny.toml is a file, not a folder" in complaint("run", "tiny.toml", option, "tiny.toml/inside")


def test_a_place_that_may_not_be_read_or_written(tmp_path, monkeypatch):
    write(tmp_path / "tiny.toml", ESCAPE)
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK)
    assert complaint("run", "tiny.toml") == "results: cannot be written"
    (tmp_path / "locked").mkdir()

    def forbidden(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", forbidden)
    assert complaint("run", "locked") == "locked: Permission denied"


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    write(tmp_path / "tiny.toml", ESCAPE)
    usage = study_run.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(study_run.shutil, "disk_usage", lambda place: usage._replace(free=10**6))
    assert "only 1 MB are free" in complaint("run", "tiny.toml")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up(tmp_path, monkeypatch, step):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path / "tiny.toml", ESCAPE)
    monkeypatch.setattr(study_run, "measure", fake_measure)
    monkeypatch.setattr(store.os, step, full)
    done = simdyn("run", "tiny.toml")
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 2 and line.startswith("simdyn: tiny: ") and "No space left on device" in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "tiny.toml"]


# --------------------------------------------------------------------------------------- what only the run can tell


def told(tmp_path, table):
    """The line of a study that fails while it runs, told to stop there."""
    write(tmp_path / "tiny.toml", table)
    done = simdyn("run", "tiny.toml", "--fail-fast", "--quiet")
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 2 and done.stdout == "", done.output
    assert line.startswith("simdyn: tiny: series 'SGD'") and "internal" not in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "tiny.toml"]
    return line


def test_more_particles_than_memory(tmp_path):
    assert "not enough memory: take fewer particles" in told(tmp_path, changed(ESCAPE, "ensemble/particles", 10**12))
    assert "not enough memory" in told(tmp_path, changed(SPREAD, "ensemble/particles", 10**12 - 1))


def test_particles_that_diverge(tmp_path):
    table = changed(SPREAD, "landscape", {"kind": "DoubleWell", "barrier": 1.0, "width": 1.0})
    table = changed(table, "series/0/dynamics/learning_rate", 1.0)
    table = changed(changed(table, "ensemble/start", 1.5), "ensemble/record_at", [100])
    assert "64 of 64 particles diverged: take a smaller step" in told(tmp_path, table)
    table = changed(changed(DENSITY, "series/0/dynamics/dt", 3.0), "series/0/name", "SGD")
    table["claims"][0]["series"] = "SGD"
    assert "64 of 64 particles diverged: take a smaller step" in told(tmp_path, table)


def test_a_step_that_overshoots_the_minimum(tmp_path):
    line = told(tmp_path, changed(ESCAPE, "series/0/dynamics/learning_rate", 5.0))
    assert "SGD: its step is unstable at the minimum" in line and line.endswith("take a smaller step")


def test_a_bug_is_one_line_too(tmp_path, monkeypatch):
    def broken(cell, workers=None, progress=None):
        raise KeyError("a\nbug")

    write(tmp_path / "tiny.toml", ESCAPE)
    monkeypatch.setattr(study_run, "measure", broken)
    done = simdyn("run", "tiny.toml", "--fail-fast")
    assert done.exit_code == 1 and done.stderr == "simdyn: internal error: KeyError: 'a\\nbug'\n"
    done = simdyn("run", "tiny.toml", "--quiet")
    assert done.exit_code == 1 and done.stderr.startswith("simdyn: 6 failed:\n  tiny: series 'SGD' at landscape.sharp")
    assert "1.9: internal error: KeyError" in done.stderr and "none of what it shows is there" in done.stderr


# ------------------------------------------------------------------------------------------------------ odd but right


def test_odd_names_and_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    name = "Größe, α/β \"quoted\", 'x' | y $ \\ " + "long " * 30
    table = changed(changed(ESCAPE, "series/0/name", name), "claims/0/series", name)
    table = changed(changed(table, "claims/0/name", name), "title", name)
    write(tmp_path / "a folder/s p a c e é.toml", table)
    done = simdyn("run", "a folder", "--results", "r/ä b/c")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "figures/s p a c e é.png").exists()
    provenance = json.loads((tmp_path / "r/ä b/c/s p a c e é.json").read_text())
    assert provenance["verdicts"][0]["claim"] == name
    head, rule, *lines = (tmp_path / "r/ä b/c/verdicts.md").read_text().splitlines()
    assert all(line.replace(r"\|", "").count("|") == head.count("|") for line in [rule, *lines])


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_tiny_and_huge_numbers_are_run_or_refused(tmp_path, scale):
    table = changed(SPREAD, "landscape/curvatures", [-scale, scale, 2 * scale])
    table = changed(table, "series/0/dynamics/learning_rate", 1e-3 / scale)
    done = simdyn("run", write(tmp_path / "tiny.toml", table))
    assert done.exit_code in (0, 1, 2), done.output
    assert "internal" not in done.output


def test_figures_say_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    monkeypatch.setattr(figures, "draw_study", lambda result, directory: [])
    write(tmp_path / "tiny.toml", ESCAPE)
    done = simdyn("run", "tiny.toml", "--quiet")
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "Figures in figures, tables and provenance in results."


def test_a_saddle_without_curvature_has_nothing_to_compare_with(tmp_path):
    write(tmp_path / "flat.toml", changed(SPREAD, "landscape", {"kind": "Saddle", "curvatures": [0.0]}))
    done = simdyn("run", "flat.toml")
    assert done.exit_code == 1 and "flat: claim 'growth' cannot be tried on series 'SGD': its reference" in done.stderr
    assert "at step 1, coordinate 0, is 0: nothing to compare with" in done.stderr and "undecided" in done.stdout


def test_a_byte_order_mark_and_links_in_a_circle(tmp_path):
    plain = write(tmp_path / "plain.toml", ESCAPE).read_bytes()
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + plain)
    assert simdyn("list", "marked.toml").exit_code == 0
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "round.toml").symlink_to("round.toml")
    done = simdyn("list", "loop")
    assert done.exit_code == 2 and "round.toml: cannot be read: it is a link that leads nowhere" in done.stderr


@pytest.mark.parametrize("module", ["simdyn", "simdyn.cli"])
def test_the_program_runs_as_a_module(run_python, module):
    program = "import runpy, sys; sys.argv = ['x', '--version']; runpy.run_module('MODULE', run_name='__main__')"
    assert "simdyn, version" in run_python(program.replace("MODULE", module))


def test_the_folder_where_it_is_called_serves_it_nothing(tmp_path):
    for name in ("click", "rich", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('somebody else's code')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "simdyn", "--version"], cwd=tmp_path, capture_output=True, text=True,
        env={**environment, "PYTHONPATH": str(HERE.parent)}, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"simdyn, version {__version__}\n", done.stderr
