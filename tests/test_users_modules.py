"""Code of a user's own that studies name: whose it is, when it runs, what it is told apart by."""

import json
import os
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from click.testing import CliRunner
from study_tools import ESCAPE, changed, fake_measure, write

import simdyn as sd
from simdyn.cli import main
from simdyn.model.vetting import ModelWarning
from simdyn.study import run as study_run
from simdyn.study.cells import expand
from simdyn.study.files import find_studies
from simdyn.study.users import code_of, hashes_of_code

PHYSICS = """
from typing import NamedTuple
import simdyn as sd
{imports}

@sd.record("landscape")
class Well(NamedTuple):
    '''(x^2 - 1)^2, times a number from elsewhere.'''

    barrier: float = 1.0

@sd.value.on(Well)
def value(well, x, i):
    return {factor} * well.barrier * (x[0, i] ** 2 - 1.0) ** 2

@sd.gradient.on(Well)
def gradient(well, x, j, i):
    return {factor} * well.barrier * 4.0 * x[0, i] * (x[0, i] ** 2 - 1.0)

@sd.curvature.on(Well)
def curvature(well, x, j, i):
    return {factor} * well.barrier * (12.0 * x[0, i] ** 2 - 4.0)

@sd.minimum.on(Well)
def minimum(well):
    import numpy as np
    return np.array([-1.0])

@sd.saddle.on(Well)
def saddle(well):
    import numpy as np
    return np.array([0.0])
"""


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Every test in a folder of its own; what it loads and registers is forgotten after it."""
    monkeypatch.chdir(tmp_path)
    registry = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    yield
    forget()
    for kind, known in registry.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)


def forget(*more):
    for name in [name for name in sys.modules if "@" in name or name in more]:
        del sys.modules[name]


def put(path, imports="", factor="1.0", **study):
    """A study that names the record of a module of a user's own, beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "phys.py").write_text(PHYSICS.format(imports=imports, factor=factor))
    table = {**changed(ESCAPE, "landscape", {"kind": "phys:Well", "barrier": 1.0}), **study}
    table = changed(changed(table, "series/0/sweep", {"landscape.barrier": [1.0, 1.5, 2.0]}), "series/0/exact", False)
    table["claims"][0]["options"] = {"variable": "landscape.barrier", "power": 1.0, "rival": 2.0}
    return write(path, table)


def slope(cell):
    return float(sd.gradient_at(cell.landscape, 2.0)[0])


def keys(*studies):
    """The keys of the first cell of every study, all modules loaded anew."""
    forget("elsewhere", "elsewhere.inner")
    return [study_run.cell_key(expand(name, study)[0]) for name, study in find_studies(studies).items()]


def test_of_two_modules_of_one_name_each_serves_its_own_folder(tmp_path):
    one = put(tmp_path / "one/one.toml", "from helper import FACTOR", "FACTOR")
    two = put(tmp_path / "two/two.toml", "import helper", "helper.FACTOR")
    (tmp_path / "one/helper.py").write_text("FACTOR = 2.0")
    (tmp_path / "two/helper.py").write_text("FACTOR = 3.0")
    cells = {name: expand(name, study)[0] for name, study in find_studies([one, two]).items()}
    assert slope(cells["one"]) == 2.0 * 24.0 and slope(cells["two"]) == 3.0 * 24.0
    assert cells["one"].identity()["landscape"]["kind"] == "phys.Well", "whatever the folder"
    assert set(cells["one"].users) == {"phys", "helper", "Well"}
    assert "phys" not in sys.modules and "helper" not in sys.modules
    (tmp_path / "one/helper.py").write_text("FACTOR = 20.0")
    (again, *_) = expand("one", find_studies([one])["one"])
    assert slope(again) == slope(cells["one"]) and again.users == cells["one"].users, "what is loaded is not edited"
    (tmp_path / "one/helper.py").write_text("FACTOR = 2.0")
    (tmp_path / "elsewhere").mkdir()
    before = keys(one, two)
    (tmp_path / "one").rename(tmp_path / "elsewhere/one")
    assert keys(tmp_path / "elsewhere/one/one.toml", two) == before and before[0] != before[1]


def test_a_package_beside_the_study_and_imports_of_every_kind(tmp_path):
    imports = (
        "import lib.inner, lib.inner as same\nfrom lib import FACTOR\nfrom lib.inner import FACTOR as again\n"
        "import lib.deep.below\nimport random\nassert lib.inner is same and FACTOR == again\n"
        "def late():\n    from late import FACTOR\n    return FACTOR"
    )
    study = put(tmp_path / "here/study.toml", imports, "FACTOR")
    for name, text in {
        "lib/__init__.py": "from .inner import FACTOR\nfrom . import inner",
        "lib/inner.py": "import lib\nFACTOR = 2.0",
        "lib/deep/below.py": "from ..inner import FACTOR",  # a folder without __init__
        "late.py": "FACTOR = 5.0",
        "random.py": "",
        "unrelated.py": "",
        "numpy/matters.txt": "no module",
    }.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (cell, *_) = expand("study", find_studies([study])["study"])
    assert slope(cell) == 2.0 * 24.0
    (before,) = keys(study)
    for name, seen in [("lib/inner.py", True), ("lib/deep/below.py", True), ("late.py", True), ("unrelated.py", False)]:
        path = tmp_path / "here" / name
        text = path.read_text()
        path.write_text(text + "\n# edited\n")
        assert (keys(study) != [before]) == seen, name
        path.write_text(text)
    assert keys(study) == [before]


def test_what_a_module_depends_on_is_in_its_cells_keys(tmp_path, monkeypatch):
    """A helper module in another folder, by way of another, data that are read while it loads, data that it names."""
    (tmp_path / "lib/elsewhere").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "lib")])
    imports = (
        'import elsewhere\nfrom pathlib import Path\nDEPENDS_ON = ["named.csv"]\n'
        'READ = float(Path(__file__).with_name("read.csv").read_text())'
    )
    study = put(tmp_path / "here/study.toml", imports, "READ")
    for name, text in {
        "lib/elsewhere/__init__.py": "from elsewhere import inner",
        "lib/elsewhere/inner.py": "FACTOR = 1.0",
        "here/named.csv": "1.0",
        "here/read.csv": "1.0",
    }.items():
        (tmp_path / name).write_text(text)
    seen = [keys(study)]
    table = changed(ESCAPE, "landscape", {"kind": "elsewhere.inner:Well"})  # of a package that Python finds by itself
    forget("elsewhere", "elsewhere.inner")
    (found,) = find_studies([write(tmp_path / "here/inner.toml", table)]).values()
    assert code_of(found) == {"elsewhere.inner": tmp_path / "lib/elsewhere/inner.py"} and "elsewhere" not in sys.modules
    (tmp_path / "lib/elsewhere/inner.py").write_text("FACTOR = 2.0")
    seen.append(keys(study))
    (tmp_path / "here/named.csv").write_text("2.0")
    seen.append(keys(study))
    (tmp_path / "here/read.csv").write_text("2.0")
    seen.append(keys(study))
    assert len({key for (key,) in seen}) == 4 and keys(study) == seen[-1]
    (tmp_path / "here/named.csv").unlink()
    with pytest.raises(sd.InvalidInput, match=r"phys: DEPENDS_ON: .*named.csv cannot be read: No such file"):
        keys(study)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("import importlib\nmath = importlib.import_module('ma' + 'th')", "phys: what line 34 imports is not known"),
        ("def late():\n    return open('data.csv').read()", "phys: what line 34 reads is not known"),
        (
            "CLOCK = object()\n@sd.dimension.on(Well)\ndef size(well):\n    return 1 if CLOCK else 2",
            "its dimension uses CLOCK",
        ),
    ],
)
def test_what_cannot_be_followed_is_said(tmp_path, more, words):
    study = put(tmp_path / "study.toml")
    with (tmp_path / "phys.py").open("a") as file:
        file.write(more)
    with pytest.warns(ModelWarning, match=words):
        keys(study)


def test_a_list_of_data_that_only_the_code_knows_is_refused(tmp_path):
    study = put(tmp_path / "study.toml", "DEPENDS_ON = [name for name in ('a', 'b')]")
    with pytest.raises(
        sd.InvalidInput, match=r'phys: DEPENDS_ON must be a list of files as it stands there, such as \["d'
    ):
        keys(study)


# ------------------------------------------------------------------------------------------------- when it runs


def simdyn(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="simdyn")


TRACE = "open('trace', 'a').close()"


@pytest.mark.filterwarnings("default::simdyn.model.vetting.ModelWarning")
def test_only_a_run_runs_a_users_code_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    trace = tmp_path / "trace"
    study = put(tmp_path / "here/own.toml", TRACE + "\ndef late():\n    return open('data.csv')")
    done = simdyn("list", study)
    assert done.exit_code == 0 and "own: A tiny study (3 cells)" in done.stdout
    for command in ("show", "plot"):
        assert simdyn(command, study).exit_code == 2
    done = simdyn("run", study, "--no-user-code")
    path = tmp_path / "here/phys.py"
    assert done.exit_code == 2
    assert done.stderr == f"simdyn: own: it names code of its own, {path}: --no-user-code forbids to run it\n"
    done = simdyn("check", study, "--no-user-code")
    assert done.exit_code == 2
    assert done.stderr == f"{study}: it names code of its own, {path}: --no-user-code forbids to run it\n"
    assert not trace.exists() and not os.path.exists("results")
    done = simdyn("check", study)
    assert done.exit_code == 0 and done.stdout == f"{study}: nothing is wrong\n" and trace.exists()
    assert done.stderr.startswith(f"simdyn: runs code of your own: {path}\n")
    forget()
    done = simdyn("run", study, "--quiet", "--workers", 1)
    assert done.exit_code == 0, done.output
    says, warns = done.stderr.splitlines()
    assert says == f"simdyn: runs code of your own: {path}" and warns.startswith(
        "simdyn: phys: what line 6 reads is not"
    )
    assert trace.exists()
    forget()
    trace.unlink()
    shown = simdyn("show", study)
    assert shown.exit_code == 0 and "power: " in shown.stdout and "agrees if near" in shown.stdout
    done = simdyn("plot", study)
    assert done.exit_code == 2 and done.stderr.endswith("a figure needs to run it, which --user-code allows\n")
    assert not trace.exists(), "shown and refused from what is written"
    assert simdyn("show", study, "--user-code").stdout == shown.stdout
    assert trace.exists()


def test_the_table_of_a_plain_sweep_is_shown_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    study = put(tmp_path / "own.toml")
    table = tomllib.loads(study.read_text())
    write(study, {key: value for key, value in table.items() if key not in ("claims", "figure")})
    assert simdyn("run", study, "--quiet", "--workers", 1).exit_code == 0
    forget()
    (tmp_path / "phys.py").write_text((source := (tmp_path / "phys.py").read_text()) + "\n1/0\n")
    assert simdyn("show", study).exit_code == 2
    (tmp_path / "phys.py").write_text(source)
    shown = simdyn("show", study)
    assert shown.exit_code == 0 and shown.stdout.count("SGD") >= 3
    assert not [name for name in sys.modules if name.startswith("phys@")], "shown from what is written"
    assert simdyn("show", study, "--user-code").stdout == shown.stdout
    (tmp_path / "results/own.csv").unlink()
    assert "own.csv: is missing or damaged; use simdyn run first" in simdyn("show", study).stderr


def test_what_is_shown_is_what_ran(tmp_path, monkeypatch):
    monkeypatch.setattr(study_run, "measure", fake_measure)
    study = put(tmp_path / "own.toml")
    assert simdyn("run", study, "--quiet", "--workers", 1).exit_code == 0
    forget()
    source, text = (tmp_path / "phys.py").read_text(), study.read_text()
    (tmp_path / "phys.py").write_text(source + "\n# edited\n")
    assert "own: what has changed since it ran is phys; use simdyn run" in simdyn("show", study).stderr
    (tmp_path / "phys.py").write_text(source)
    study.write_text(text.replace("A tiny study", "Another study"))
    assert "own: the study has changed since it ran" in simdyn("show", study).stderr
    study.write_text(text)
    assert simdyn("show", study).exit_code == 0
    written = json.loads((tmp_path / "results/own.json").read_text())
    for other in ({**written, "ran_as": {**written["ran_as"], "physics": "another"}}, {"verdicts": []}):
        (tmp_path / "results/own.json").write_text(json.dumps(other))
        assert "own: simdyn itself has changed since it ran" in simdyn("show", study).stderr
    (tmp_path / "results/own.json").write_text("[]")
    assert "own.json: is damaged; use simdyn run first" in simdyn("show", study).stderr


def test_a_file_beside_a_study_that_does_not_name_it_runs_for_nobody(tmp_path):
    names = {"matplotlib", "antigravity", "simdyn"}
    for name in names:
        (tmp_path / f"{name}.py").write_text(TRACE)
    studies = find_studies(
        [write(tmp_path / "none.toml", ESCAPE), put(tmp_path / "own.toml")]
    )  # its module imports simdyn
    path = list(sys.path)
    for name, study in studies.items():
        expand(name, study)
    assert sys.path == path and not (tmp_path / "trace").exists()
    for name in names:
        assert tmp_path not in Path(PathFinder.find_spec(name).origin).parents


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("os:stat_result", "os is of Python's own library, which has no records"),
        ("os.path:join", "os.path is of Python's own library"),
        ("sys:version_info", "sys is of Python's own library"),
        ("antigravity:Well", "antigravity is of Python's own library"),
        ("no_such_module:Well", "there is no module no_such_module beside the study or where you are"),
        ("../phys:Well", "there is no module ../phys"),
        (".phys:Well", "there is no module .phys"),
        (":Well", "there is no module "),
    ],
)
def test_a_module_that_has_no_records_is_refused_before_it_is_loaded(tmp_path, kind, words):
    study = write(tmp_path / "own.toml", changed(ESCAPE, "series/0/dynamics/kind", kind))
    for command in ("run", "show", "plot"):
        done = simdyn(command, study)
        assert done.exit_code == 2 and words in done.stderr and done.stderr.count("\n") == 1
    assert simdyn("list", study).exit_code == 0
    (found,) = find_studies([study]).values()
    with pytest.raises(sd.InvalidInput, match=words.replace(".", r"\.")):
        expand("own", found)


def test_code_is_found_wherever_a_study_names_it(tmp_path):
    table = changed(ESCAPE, "series/0/sweep", {"landscape.landscape.kind": ["DoubleWell", "swept:Well"]})
    table = changed(table, "landscape/landscape/kind", "inner:Well")
    table["ensemble"] = {"boundary": {"kind": "boundary:Exit"}}
    table["series"][0]["product"] = {"noise": [{"kind": "whole:Noise", "size": size} for size in (1.0, 2.0)]}
    names = ["swept", "whole", "inner", "boundary"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(TRACE)
    (study,) = find_studies([write(tmp_path / "own.toml", table)]).values()
    assert {name: path.name for name, path in code_of(study).items()} == {name: f"{name}.py" for name in names}
    assert set(hashes_of_code(study)) == set(names) and not (tmp_path / "trace").exists()
