"""docs/extending.md does what it says: its blocks, as printed, are a user's file, a program and a study."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from study_tools import ESCAPE

import simdyn as sd
from simdyn.study.cells import expand
from simdyn.study.schema import StudyFile, checked
from simdyn.study.users import users_sources

pytest.importorskip("sympy")
TEXT = (Path(__file__).parent.parent / "docs/extending.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
STUDY = tomllib.loads(re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL).group(1))


def test_each_is_about_ten_lines():
    *definitions, _ = BLOCKS
    assert len(definitions) == 7
    for block in definitions:
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith(("import", "from"))]
        assert len(lines) <= 13, block


@pytest.mark.parametrize("compiler", ["0", "1"])
def test_the_program_runs_as_printed(run_python, tmp_path, compiler):
    *definitions, program = BLOCKS
    (tmp_path / "my_physics.py").write_text("\n\n".join(definitions))
    if compiler == "1":
        program = program.replace("256", "2").replace("100_000", "100")
    printed = run_python(program, also=[tmp_path], NUMBA_DISABLE_JIT=compiler)
    assert "(95 %)" in printed and "[-3.14159" in printed


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "my_physics.py").write_text("\n\n".join(BLOCKS[:-1]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_physics", raising=False)
    registry = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    yield __import__("my_physics")
    sys.modules.pop("my_physics", None)
    for kind, known in registry.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)


def test_the_study_names_what_the_file_has(own):
    claim = {**ESCAPE["claims"][0], "series": "clipped"}
    cells = expand("test", checked(StudyFile, {**ESCAPE, **STUDY, "claims": [claim]}, "test"))
    assert len(cells) == 4
    assert type(cells[0].dynamics) is own.Clipped and type(cells[0].landscape) is own.Cosine
    assert type(cells[0].boundary) is own.PastTurns and cells[0].start == pytest.approx([-3.14159265], abs=1e-6)
    assert users_sources(cells[0].landscape).keys() == {"my_physics", "Cosine"}
    assert [cell.landscape.depth for cell in cells[2:]] == [0.5, 1.0]


def test_the_rate_that_changes_is_followed(own, seed):
    """Under noise of variance 1 alone the mean squared displacement is the sum of the squared rates."""
    expected = np.cumsum((0.1 / (1.0 + np.arange(1, 101) / 10.0)) ** 2)[[9, 99]]
    method, flat, noise = own.Cooling(0.1, 10.0), sd.Saddle((0.0,)), sd.ConstantNoise(1.0)
    found = sd.displacement(method, flat, noise, 0.0, particles=16384, record_at=[10, 100], seed=seed)
    error = 5 * found.stderr[:, 0]
    assert expected[1] == pytest.approx(0.0861, abs=5e-5), "0.820 if the first step's rate were kept"
    assert np.all(np.abs(found.msd[:, 0] - expected) < error) and np.all(error < 0.1 * expected)


def test_contributing_shows_a_landscape_that_runs():
    """The snippets of CONTRIBUTING.md are complete: every name they use is imported in them or in one above."""
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    registry = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    names = {"__name__": "contributing"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    well = names["Cosine"]()
    assert sd.gradient_at(well, 1.0) == pytest.approx(0.8414709848)
    for kind, known in registry.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)
