"""A user's own landscape, noise and optimizer: the full engine, named in a study, mistakes told before anything runs."""

import sys
from typing import NamedTuple

import numba
import numpy as np
import pytest
from study_tools import ESCAPE, changed, run_study, study_of, write

import simdyn as sd
from simdyn.model.records import checked_record
from simdyn.model.vetting import is_users
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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's module, imported for this test alone."""
    (tmp_path / "my_physics.py").write_text(OWN.format(sign="-1.0"))
    monkeypatch.syspath_prepend(tmp_path)
    registry = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    yield __import__("my_physics")
    sys.modules.pop("my_physics", None)
    for kind, known in registry.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)


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


def test_a_gradient_that_is_not_the_slope_is_warned_of(tmp_path, monkeypatch):
    (tmp_path / "wrong_physics.py").write_text(OWN.format(sign="1.0").replace("Cosine", "Uphill"))
    monkeypatch.syspath_prepend(tmp_path)
    registry = {kind: dict(known) for kind, known in sd.REGISTRY.items()}
    wrong = __import__("wrong_physics")
    with pytest.warns(sd.ModelWarning, match=r"^Uphill: at .* its gradient is 0\.84.*value give -0\.84"):
        sd.trajectories(sd.SGD(0.1), wrong.Uphill(1.0), sd.ConstantNoise(0.1), 1.0, record_at=[1])
    for kind, known in registry.items():
        sd.REGISTRY[kind].clear()
        sd.REGISTRY[kind].update(known)


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
    assert set(before) == {"my_physics"}
    (tmp_path / "my_physics.py").write_text(OWN.format(sign="-1.0") + "\n# edited\n")
    assert users_sources(own.Cosine()) == before, "what is loaded is not edited"
    del sys.modules["my_physics"]
    assert users_sources(__import__("my_physics").Cosine()) != before


def cosine_study():
    """A study of the user's landscape: three learning rates, a few particles."""
    table = changed(ESCAPE, "landscape", {"kind": "my_physics:Cosine", "depth": 1.0})
    table = changed(table, "noise", {"kind": "ConstantNoise", "variance": 20.0})
    table["ensemble"] = {"particles": 64, "seed": 1, "exit": 0.5, "max_steps": 100000}
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
