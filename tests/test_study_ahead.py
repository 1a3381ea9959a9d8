"""The second process that works ahead of a run: what it finds, how it ends, and that the run does not depend on it."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from conftest import HERE
from study_tools import ESCAPE, changed, write

from simdyn.cli import main
from simdyn.simulate import engine
from simdyn.study import ahead
from simdyn.study import run as study_run
from simdyn.study.files import find_studies

SERIES, POINTS = 6, 3


def several(**more):
    """A study of six series of three cells each, real and quick."""
    series = [
        {
            "name": f"SGD {n}",
            "dynamics": {"kind": "SGD", "learning_rate": 0.05 + 0.002 * n},
            "sweep": {"landscape.sharpness": [1.0, 1.4, 2.0]},
        }
        for n in range(SERIES)
    ]
    table = changed(ESCAPE, "landscape/landscape/barrier", 0.3)
    return {**changed(table, "claims/0/series", "SGD 0"), "series": series, **more}


def cells_of(path):
    return [cell for name, study in find_studies([path]).items() for cell in study_run.expand(name, study)]


def test_it_finds_the_references(tmp_path):
    cells = cells_of(write(tmp_path / "six.toml", several(simulate=False)))
    store = study_run.open_store(tmp_path)
    ahead.work_ahead(cells, store)
    found = [store.get(study_run.reference_key(cell)) for cell in cells]
    assert len(found) == SERIES * POINTS
    assert all(one["exact"] > 0.0 and one["made"]["versions"]["simdyn-lab"] for one in found)
    assert found[1]["exact"] == study_run.refer(cells[1])["exact"]


def test_what_it_cannot_do_is_left_to_the_run(tmp_path, monkeypatch):
    cells = cells_of(write(tmp_path / "six.toml", several(simulate=False)))

    def refer(cell):
        if cell is cells[1]:
            raise study_run.InvalidInput("no")
        return {"exact": 1.0}

    monkeypatch.setattr(ahead, "refer", refer)
    store = study_run.open_store(tmp_path)
    ahead.work_ahead(cells, store)
    found = [store.get(study_run.reference_key(cell)) for cell in cells]
    assert [one is None for one in found] == [False, True] + [False] * (SERIES * POINTS - 2)


def test_it_compiles_what_the_run_will_need(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "refer", lambda cell: {})
    table = changed(several(), "series/1/dynamics", {"kind": "Padam", "learning_rate": 0.01})
    table = changed(table, "series/1/noise", {"kind": "ConstantNoise", "variance": 8.0})
    cells = cells_of(write(tmp_path / "six.toml", table))
    ahead.work_ahead(cells, study_run.open_store(tmp_path))
    assert any("Padam" in str(kernel) for kernel in engine.escape.signatures)


def test_nothing_is_compiled_for_what_is_there(tmp_path, monkeypatch):
    cells = cells_of(write(tmp_path / "six.toml", several()))
    store, compiled = study_run.open_store(tmp_path), []
    monkeypatch.setattr(ahead, "compile_for", compiled.append)
    monkeypatch.setattr(ahead, "refer", lambda cell: {})
    for cell in cells[: 4 * POINTS]:
        store.put(study_run.cell_key(cell), {})
    ahead.work_ahead(cells, store)
    assert compiled == cells[4 * POINTS :: POINTS]


def test_it_ends_with_the_run_however_that_ends(tmp_path):
    """The run's end closes the pipe it listens to, even if the run is killed and can say nothing."""
    path = write(tmp_path / "six.toml", several())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    command = [sys.executable, "-P", "-m", "simdyn.study.ahead", str(tmp_path), str(path)]
    second = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    second.stdin.close()
    assert second.wait(timeout=60) == 0


@pytest.mark.parametrize("workers", [["--workers", "1"], ["--workers", "2"]])
def test_a_run_with_and_without_it_says_the_same(tmp_path, monkeypatch, workers):
    monkeypatch.chdir(tmp_path)
    started = []
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    popen = subprocess.Popen
    monkeypatch.setattr(
        ahead.subprocess, "Popen", lambda *args, **more: started.append(popen(*args, **more)) or started[0]
    )
    write(tmp_path / "six.toml", several())
    done = CliRunner().invoke(main, ["run", "six.toml", *workers])
    assert done.exit_code == 0, done.output
    assert len(started) == (0 if workers[1] == "1" else 1)
    assert all(process.poll() is not None for process in started)
    rows = (tmp_path / "results/six.csv").read_text().splitlines()
    assert len(rows) == SERIES * POINTS + 1
