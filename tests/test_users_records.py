"""A user's own landscape, noise and optimizer: the full engine, named in a study, mistakes told before anything runs."""

import sys
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from study_tools import ESCAPE, changed, run_study, study_of, write

import simdyn as sd
from simdyn._jit import JIT_ENABLED, _name_apart
from simdyn._surroundings import UNKNOWN, Surroundings
from simdyn.model.records import checked_record
from simdyn.model.vetting import check_unchanged, is_users
from simdyn.simulate.setup import prepare
from simdyn.study.cells import build
from simdyn.study.run import cell_key, plan
from simdyn.study.users import users_record, users_sources

OWN = '''
import math
from typing import NamedTuple
import simdyn as sd

@sd.record("landscape")
class Cosine(NamedTuple):
    """L(x) = depth (1 + cos x): wells at -pi and pi, a saddle at 0."""

    depth: float = 1.0

@sd.value.on(Cosine)
def cosine_value(well, x, i):
    return well.depth * (1.0 + math.cos(x[0, i]))

@sd.gradient.on(Cosine)
def cosine_gradient(well, x, j, i):
    return {sign} * well.depth * math.sin(x[0, i])

@sd.curvature.on(Cosine)
def cosine_curvature(well, x, j, i):
    return -well.depth * math.cos(x[0, i])

@sd.record("noise")
class Growing(NamedTuple):
    """C = level (1 + x^2)."""

    level: float

@sd.variance.on(Growing)
def growing_variance(noise, landscape, x, j, i):
    return noise.level * (1.0 + x[0, i] ** 2)

@sd.record("dynamics")
class SignStep(NamedTuple):
    """theta -= eta sign(g)."""

    learning_rate: float = 0.05

@sd.step.on(SignStep)
def sign_step(method, clock, shared, x, gradient, kick, memory, j, i):
    return x - method.learning_rate * math.copysign(1.0, gradient + kick)

@sd.record("boundary")
class Parity(NamedTuple):
    """Past `turns` half turns to the right."""

    turns: float

@sd.outside.on(Parity)
def past_turns(boundary, landscape, x, i):
    return x[0, i] >= math.pi * boundary.turns
'''


compiled = pytest.mark.skipif(not JIT_ENABLED, reason="Python looks globals up when it runs")


@pytest.fixture
def registry():
    """What a test registers is forgotten after it."""
    before = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    yield
    for kind, known in before.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)


@pytest.fixture
def own(tmp_path, monkeypatch, registry):
    """A user's module, imported for this test alone."""
    (tmp_path / "my_physics.py").write_text(OWN.format(sign="-1.0"))
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("my_physics")
    sys.modules.pop("my_physics", None)


def test_own_records_get_the_full_engine(own, seed):
    methods = (own.SignStep(0.8), own.Cosine(1.0), own.Growing(3.0))
    run = sd.escape_times(*methods, own.Parity(0.0), start=-np.pi, particles=64, max_steps=10**5, seed=seed)
    assert not run.censored.any()
    again = sd.escape_times(
        *methods, own.Parity(0.0), start=-np.pi, particles=32, max_steps=10**5, seed=seed, workers=1
    )
    np.testing.assert_array_equal(again.steps, run.steps[:32])
    path = sd.trajectories(*methods, -np.pi, particles=1, record_at=range(1, int(run.steps[0]) + 1), seed=seed)[0]
    assert (path[:-1] < 0).all() and path[-1] >= 0
    np.testing.assert_allclose(np.abs(np.diff(path[:, 0])), 0.8)
    assert sd.minimum(own.Cosine()) == pytest.approx(-np.pi)
    assert is_users(sd.Sharpened(own.Cosine(), 2.0)) and not is_users(sd.Sharpened(sd.DoubleWell(), 2.0))


def test_a_method_that_hides_what_is_no_number_diverges_all_the_same(own):
    """As a sign does; what shows it is wrapped as it is, and moves as before where there are numbers."""
    method, memory = own.SignStep(0.25), (np.zeros((1, 1)),)
    stepped = prepare(method, own.Cosine(), own.Growing(1.0), 1.0, None, 1, 1).dynamics
    for gradient, kick in ((1.0, np.nan), (np.nan, 0.2), (np.inf, -np.inf), (0.3, -0.7)):
        hidden, seen = (sd.step(one, (0.0,) * 4, 0.0, 0.6, gradient, kick, memory, 0, 0) for one in (method, stepped))
        assert np.isfinite(hidden)
        assert seen == hidden if np.isfinite(gradient + kick) else np.isnan(seen)
    assert prepare(sd.SGD(0.1), own.Cosine(), own.Growing(1.0), 1.0, None, 1, 1).dynamics == sd.SGD(0.1)


def test_a_gradient_that_is_not_the_slope_is_warned_of(tmp_path, monkeypatch, registry):
    (tmp_path / "wrong_physics.py").write_text(OWN.format(sign="1.0").replace("Cosine", "Uphill"))
    monkeypatch.syspath_prepend(tmp_path)
    wrong = __import__("wrong_physics")
    with pytest.warns(sd.ModelWarning, match=r"^Uphill: at .* its gradient is 0\.84.*value give -0\.84"):
        sd.trajectories(sd.SGD(0.1), wrong.Uphill(1.0), sd.ConstantNoise(0.1), 1.0, record_at=[1])


def opened(well, x, j, i):
    with open(__file__) as file:
        return 2.0 * well.height * x[0, i] + 0 * len(file.name)


def landscape_with(gradient, name="Own"):
    """A landscape of the test's own with that gradient; of one name there is one in a process, the next gets a number."""
    from typing import NamedTuple

    class Own(NamedTuple):
        height: float

    Own.__name__ = name

    sd.value.on(Own)(lambda well, x, i: well.height * x[0, i] ** 2)
    sd.gradient.on(Own)(gradient)
    sd.curvature.on(Own)(lambda well, x, j, i: 2.0 * well.height)
    return Own(1.0)


@pytest.mark.parametrize(
    ("name", "gradient", "words"),
    [
        ("Silent", lambda well, x, j, i: None, "must return a number, not None"),
        ("Row", lambda well, x, j, i: x[0], "must return a number"),
        ("Misspelt", lambda well, x, j, i: well.hight, "fails: AttributeError"),
        ("TooFar", lambda well, x, j, i: x[1, i], "fails: IndexError"),
        (
            "Mixed",
            lambda well, x, j, i: [2.0 * well.height * x[0, i], "a", {}][0],
            "cannot be compiled: .*: .* \\(line \\d+ of",
        ),
        (
            "Evaluated",
            lambda well, x, j, i: 2.0 * eval("x[0, i]"),
            "cannot be compiled: .*: Untyped global name 'eval'",
        ),
        ("Opened", opened, "cannot be compiled: .*(not supported|unsupported)"),
    ],
)
def test_a_function_that_does_not_work_is_told_in_one_line(name, gradient, words):
    with pytest.raises(sd.InvalidInput, match=rf"^{name}: its gradient {words}") as caught:
        sd.trajectories(sd.SGD(0.1), landscape_with(gradient, name), sd.ConstantNoise(0.1), 1.0, record_at=[1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dynamics", [sd.SGD(0.1), sd.Adam(0.1)])
@pytest.mark.parametrize(
    ("wrap", "options"),
    [
        (lambda own: own, {}),
        (lambda own: sd.ScaledNoise(own, 2.0), {}),
        (lambda own: own, {"noise_precision": "single"}),
    ],
)
def test_a_noise_that_cannot_be_compiled_is_named_whatever_is_around_it(dynamics, wrap, options):
    class Own(NamedTuple):
        level: float

    sd.variance.on(Own)(lambda noise, landscape, x, j, i: [noise.level, "a", {}][0])
    with pytest.raises(sd.InvalidInput, match=r"^Own(_\d+)?: its variance cannot be compiled") as caught:
        sd.displacement(dynamics, sd.Quadratic((1.0,)), wrap(Own(1.0)), 0.0, particles=32, record_at=[1], **options)
    assert "\n" not in str(caught.value)


def test_a_record_defined_again_is_not_taken_for_the_first():
    """As when a notebook's cell is run again: Numba's dispatcher goes by the class's name and its fields' types."""
    slope = numba.njit(lambda landscape, x: sd.gradient(landscape, x, 0, 0))
    x = np.ones((1, 1))
    first = landscape_with(lambda well, x, j, i: 2.0 * well.height * x[0, i])
    assert slope(first, x) == 2.0
    again = landscape_with(lambda well, x, j, i: 3.0 * well.height * x[0, i])
    assert slope(again, x) == 3.0 and slope(first, x) == 2.0
    assert type(first).__qualname__ == type(again).__qualname__ and type(first).__name__ != type(again).__name__


# As in a notebook: a record whose gradient uses globals by way of a helper that is compiled on its own.
NOTEBOOK = """
from typing import NamedTuple
import numba, numpy as np, simdyn as sd
A, TABLE, WORDS = 2.0, np.array([1.0, 3.0]), {"a": [1, (2.0, {3, 4})]}

@numba.njit
def helper(x):
    return A * x

def used_by_python_alone():
    return WORDS["a"]

class Own(NamedTuple):
    height: float
"""
FUNCTIONS = """
sd.gradient.on(Own)(lambda well, x, j, i: well.height * helper(x[j, i]) * TABLE[0])
"""


@compiled
def test_a_global_that_has_changed_since_it_was_compiled_is_refused():
    """Numba makes constants of globals: what was compiled would go on with the old ones."""
    names = {"__name__": "notebook"}
    slope, x = numba.njit(lambda landscape, x: sd.gradient(landscape, x, 0, 0)), np.ones((1, 1))

    def cell(text, *words):
        """Run a notebook's cell, then what follows is refused in these words, or is not."""
        exec(text, names)
        if not words:
            check_unchanged(sd.Sharpened(names["Own"](1.0), 2.0))
            return slope(names["Own"](1.0), x)
        with pytest.raises(sd.InvalidInput, match=rf"^Own: its gradient uses {words[0]}, which has changed since"):
            check_unchanged(sd.Sharpened(names["Own"](1.0), 2.0))
        return None

    assert cell(NOTEBOOK + FUNCTIONS) == 2.0
    assert cell("def used_by_python_alone(): pass") == cell("A = 1.0 + 1.0") == 2.0
    assert cell("height = j = 1.0") == cell("height = j = 2.0") == 2.0, "a field and an argument, called as globals"
    cell("A = 3.0", "A")
    cell("A = 2.0; TABLE[0] = 2.0", "TABLE")
    cell("TABLE[0] = 1.0; compiled = helper\ndef helper(x): return 3.0 * x", "helper")
    define = NOTEBOOK[NOTEBOOK.index("class") :] + FUNCTIONS
    assert cell("helper = compiled\n" + define) == 2.0
    cell("A = 3.0\n" + define, "A")  # the record is new, but the helper has been compiled with the old one
    assert cell(NOTEBOOK.replace("A, TABLE", "_, TABLE") + FUNCTIONS) == 3.0


@compiled
def test_what_a_function_uses_is_told_by_its_value():
    names = {"__name__": "notebook"}
    exec(NOTEBOOK + "def all_of_it(): return used_by_python_alone(), helper(A), TABLE, np.sin, something", names)
    before = Surroundings(names["all_of_it"])
    assert before.helpers == [names["helper"].py_func]
    assert set(before.values) == {"all_of_it", "used_by_python_alone", "WORDS", "helper", "A", "TABLE", "np"}
    names["WORDS"]["a"][1][1].add(5)
    after = Surroundings(names["all_of_it"]).values
    assert [name for name in after if after[name] != before.values[name]] == ["WORDS"]
    endless = []
    endless.append(endless)
    for unknown in (object(), endless, np.array([object()])):
        names["something"] = unknown
        assert Surroundings(names["all_of_it"]).values["something"] == UNKNOWN
    for known in (np.clip, len, NamedTuple, Path("a/b"), Decimal(1), lru_cache(lambda: 1), np.float32(2.0), range(3)):
        names["something"] = known
        assert UNKNOWN not in Surroundings(names["all_of_it"]).values.values(), known


@compiled
def test_a_helper_that_numba_keeps_on_disk_is_warned_of(tmp_path, monkeypatch):
    class Own(NamedTuple):
        height: float

    helper = numba.njit(lambda x: 2.0 * x)
    sd.gradient.on(Own)(lambda well, x, j, i: helper(x[j, i]))
    check_unchanged(Own(1.0))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    helper = numba.njit(cache=True)(landscape_with)  # never called
    with pytest.warns(sd.ModelWarning, match="^.*Own: its gradient uses helper, which Numba keeps on disk"):
        check_unchanged(Own(1.0))


def test_a_record_called_like_one_of_the_packages_takes_nothing_from_it(registry):
    class DoubleWell(NamedTuple):
        """Of the test."""

        barrier: float

    sd.record("landscape")(DoubleWell)
    sd.value.on(DoubleWell)(lambda well, x, i: well.barrier * x[0, i] ** 2)
    assert type(build("landscape", {"kind": "DoubleWell", "barrier": 1.0})) is sd.DoubleWell
    assert sd.REGISTRY["landscape"][f"{__name__}:DoubleWell"] is DoubleWell
    assert sd.DoubleWell.__name__ == "DoubleWell" != DoubleWell.__name__, "Numba would take one for the other"
    first, packages = (type("Fresh", (), {"__module__": module}) for module in ("mine", "simdyn.fresh"))
    _name_apart(first)  # before the package's is loaded
    _name_apart(packages)
    assert packages.__name__ == "Fresh" != first.__name__


def test_a_wrong_signature_is_told_when_it_is_registered():
    with pytest.raises(TypeError, match=r"^Short: its gradient must take \(landscape, x, j, i\), not \(well, x\)"):
        landscape_with(lambda well, x: 0.0, "Short")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:Cosine", "there is no module no_such_module"),
        ("my_physics:Cosin", "did you mean 'Cosine'"),
        ("my_physics:math", "record 'math' is unknown"),
        ("my_physics:Growing", "not registered as a landscape"),
    ],
)
def test_a_name_in_a_study_that_leads_nowhere(own, name, words):
    with pytest.raises(sd.InvalidInput, match=words):
        users_record("landscape", name)


def test_sources_of_users_records_and_of_what_they_import(own, tmp_path):
    assert users_sources(sd.Sharpened(sd.DoubleWell(), 2.0)) == {}
    before = users_sources(sd.Sharpened(own.Cosine(), 2.0))
    assert set(before) == {"my_physics", "Cosine"}
    (tmp_path / "my_physics.py").write_text(OWN.format(sign="-1.0") + "\n# edited\n")
    assert users_sources(own.Cosine()) == before, "what is loaded is not edited"
    del sys.modules["my_physics"]
    assert users_sources(__import__("my_physics").Cosine()) != before


def cosine_study():
    """A study of the user's landscape: three learning rates, a few particles."""
    table = changed(ESCAPE, "landscape", {"kind": "my_physics:Cosine", "depth": 1.0})
    table = changed(table, "noise", {"kind": "ConstantNoise", "variance": 20.0})
    # On both sides: who left to the left alone would wander for ever, and the mean be unknown.
    table["ensemble"] = {"particles": 64, "seed": 1, "max_steps": 100000}
    table["ensemble"]["boundary"] = {"kind": "OutsideBall", "radius": 1.5 * np.pi, "centre": -np.pi}
    sweep = {"dynamics.learning_rate": [0.05, 0.07, 0.1]}
    table = changed(changed(table, "series/0/sweep", sweep), "series/0/exact", False)
    table["claims"][0]["options"] = {"variable": "dynamics.learning_rate", "power": -1.0, "rival": -0.5}
    return table


def test_what_is_edited_while_a_study_runs_is_not_what_ran(own, tmp_path):
    """Cells are kept under the source that is loaded."""
    studies = {"own": study_of(cosine_study())}
    before = {cell_key(cell) for cell in plan(studies)["own"]}
    source = (tmp_path / "my_physics.py").read_text()
    (tmp_path / "my_physics.py").write_text(source + "\n# edited\n")
    assert before == {cell_key(cell) for cell in plan(studies)["own"]}, "the old source still runs"
    del sys.modules["my_physics"]
    assert before.isdisjoint(cell_key(cell) for cell in plan(studies)["own"])


def test_a_study_names_a_users_records_and_sees_their_edits(run_python, tmp_path):
    """Run in new processes: what is remembered of an edited file is computed anew, and not by old physics."""
    write(tmp_path / "studies/own.toml", cosine_study())

    def run(source):
        (tmp_path / "studies/my_physics.py").write_text(source)
        return run_study(run_python, tmp_path)

    first, values = run(OWN.format(sign="-1.0"))
    assert first == [True] * 3
    again, remembered = run(OWN.format(sign="-1.0"))
    assert again == [False] * 3 and remembered == values
    edited, changed_values = run(OWN.format(sign="-0.5"))
    assert edited == [True] * 3 and changed_values[0] < 0.6 * values[0]  # half the slope, half the exponent of 4


def test_a_field_that_no_record_can_have_is_told_in_one_line():
    class Choosing(NamedTuple):
        mode: str
        rates: list[float] = [1.0]

    checked = checked_record()(Choosing)
    for given, words in (
        (("fast",), r"^Choosing: mode is declared as str, .* float, int, bool, tuple.* say a choice by a number"),
        ((1.0,), r"^Choosing: mode is declared as str"),
    ):
        with pytest.raises(sd.InvalidInput, match=words):
            checked(*given)


def test_a_misspelt_public_name_has_the_nearest_right_one():
    for wrong, right in (
        ("Adm", "Adam"),
        ("escape_time", "escape_times"),
        ("theroy", "theory"),
        ("DoubelWell", "DoubleWell"),
    ):
        with pytest.raises(AttributeError, match=f"no attribute '{wrong}'; did you mean '{right}'"):
            getattr(sd, wrong)
    for strange in ("_private", "xyz123"):
        with pytest.raises(AttributeError, match=f"no attribute '{strange}'$"):
            getattr(sd, strange)
    assert dir(sd) == sorted(dir(sd)) and "Adm" not in dir(sd) and not hasattr(sd, "Adm")
