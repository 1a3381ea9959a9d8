"""Landscapes from formulas: derivatives, the same runs as by hand, refusals, and that an edited formula never runs old."""

import ast
import copy
import json
import pickle
import sys

import numba
import numpy as np
import pytest
from study_tools import ESCAPE, changed, run_study, write
from test_model_landscapes import compiled, curvature_error, gradient_error, points_of

import simdyn as sd
from simdyn._kernels import may_be_kept
from simdyn.model.formula_size import size_along
from simdyn.study.cells import build, digest, expand, plain
from simdyn.study.schema import StudyFile, checked

sympy = pytest.importorskip("sympy")

FORMULAS = [
    ("(x**2 - 1)**2 + 0.3*y**2*x", {}, 2),
    ("height*((x/width)**2 - 1)**2", {"height": 1.3, "width": 0.9}, 1),
    ("(1 - x)**2 + 100*(y - x**2)**2", {}, 2),
    ("exp(-x**2/2)*sin(k*y) + sqrt(1 + z**2)/(1 + x**2)", {"k": 2.0}, 3),
    ("(x - 0.5)**4*y + tanh(x*y)*cosh(z/3)**-2 + (w + x*z)**3", {}, 4),
    ("x0**2*x1 + log(2 + x1**2)*(2 + x2)**1.5 + atan(x2 - x0) + erf(x1)/(2 + sin(x0))", {}, 3),
    ("a*x**8 - x**5 + x/7 - 2", {"a": 0.25}, 1),
    ("(1.7 + x/4)**2.5 + (2 + x)**-0.5 + 2**x + (3 + x)**x", {}, 1),
    ("abs(x - 5)*x + abs(x*y + 9)", {}, 2),
    ("-x**2 + cos(pi*x)*asin(x/2) + acos(y/2) + tan(y/2) - sinh(x)", {}, 2),
]


@pytest.mark.parametrize(("formula", "constants", "size"), FORMULAS)
def test_derivatives_are_those_of_the_value(formula, constants, size, seed):
    landscape = sd.Expression(formula, **constants)
    assert sd.dimension(landscape) == size
    for point in points_of(landscape, size, seed, 8):
        names = {**constants, **dict(zip("xyzw", point, strict=False)), **{f"x{j}": point[j] for j in range(size)}}
        functions = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
        functions |= {
            "asin": np.arcsin,
            "acos": np.arccos,
            "atan": np.arctan,
            "erf": np.vectorize(__import__("math").erf),
        }
        known = eval(formula, functions, names)  # the test's own formulas
        assert sd.value_at(landscape, point) == pytest.approx(known, rel=1e-13, abs=1e-13)
        assert gradient_error(landscape, point) < 1
        assert curvature_error(landscape, point) < 1
        assert gradient_error(landscape, point, lambda *a: 1.001 * sd.gradient_at(*a) + 1e-4) > 1
        for j in range(size):
            x = point.reshape(-1, 1)
            plainly = sd.value(landscape, x, 0), sd.gradient(landscape, x, j, 0), sd.curvature(landscape, x, j, 0)
            np.testing.assert_allclose(compiled(landscape, x, j), plainly, rtol=1e-12, atol=1e-13)


def test_a_well_far_away_loses_no_digits():
    """Multiplied out, ((x - 1000)^2 - 1)^2 would have an error of 1e-4 in its slope."""
    far, near = sd.Expression("((x - 1000)**2 - 1)**2"), sd.Expression("(x**2 - 1)**2")
    for x in (0.25, 0.875, 1.0):
        assert sd.gradient_at(far, 1000 + x) == pytest.approx(sd.gradient_at(near, x), rel=1e-14, abs=1e-13)


def test_a_kink_has_its_sign_for_slope_and_no_spike():
    kink = sd.Expression("abs(x)")
    assert [float(sd.gradient_at(kink, x)[0]) for x in (-2.0, 0.0, 3.0)] == [-1.0, 0.0, 1.0]
    assert sd.curvatures_at(kink, 0.0) == 0.0


WELL = sd.DoubleWell(1.3, 0.9)
FORMULA = sd.Expression("height*((x/width)**2 - 1)**2", height=1.3, width=0.9)


def test_the_runs_are_those_of_the_double_well(seed):
    noise = sd.LocalNoise(4.0, 0.5)
    runs = [
        sd.trajectories(sd.Momentum(0.01), landscape, noise, -0.9, particles=8, record_at=range(1, 60), seed=seed)
        for landscape in (WELL, FORMULA)
    ]
    assert np.std(runs[0]) > 0.01
    np.testing.assert_allclose(*runs, rtol=1e-8, atol=1e-9)


def test_it_serves_wherever_a_landscape_does(seed):
    assert sd.minimum(FORMULA) == pytest.approx(-0.9) and sd.saddle(FORMULA) == pytest.approx(0.0, abs=1e-8)
    bent = sd.Expression("(x**2 - 1)**2 + k*(y - x**2)**2", k=0.5)
    np.testing.assert_allclose(sd.minimum(bent), [-1.0, 1.0], atol=1e-9)
    both = sd.Sharpened(sd.Rotated(bent, 0.4), 2.0)
    bottom = sd.minimum(both)
    assert all(np.abs(sd.gradient_at(both, point)).max() < 1e-8 for point in (bottom, sd.saddle(both)))
    beyond = sd.plane_through_saddle(both, 0.1)
    run = sd.escape_times(
        sd.SGD(0.1), both, sd.ConstantNoise(8.0), beyond, start=bottom, particles=32, max_steps=10**4, seed=seed
    )
    assert not run.censored.any()


def test_a_formula_is_one_class_and_another_is_another():
    one, same = sd.Expression("a*x**2 + y**2", a=1), sd.Expression("(a * x**2) + (y**2)", a=2.0)
    other = sd.Expression("a*x**4 + y**2", a=1.0)
    assert type(one) is type(same) and type(one) is not type(other)
    assert one != other and one != same and one == sd.Expression("a*x**2+y**2", a=1.0) and hash(one) != hash(other)
    assert one.a == 1.0 and repr(same) == "Expression('a * x ** 2 + y ** 2', a=2.0)"
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert copied == one and type(copied) is type(one)
    cells = {digest(plain(landscape)) for landscape in (one, same, other, sd.Sharpened(other, 2.0))}
    assert len(cells) == 4 and "a * x ** 4" in json.dumps(plain(other))


def test_two_formulas_with_the_same_constants_do_not_run_each_other():
    """Numba tells named tuples apart by name and types of fields alone."""
    ends = [
        sd.trajectories(sd.SGD(0.1), sd.Expression(formula, a=1.0), sd.ConstantNoise(0.0), 1.0, record_at=[1])[0, 0, 0]
        for formula in ("a*x**2/2", "a*x**3")
    ]
    np.testing.assert_allclose(ends, [0.9, 0.7], rtol=1e-14)


def test_kernels_of_formulas_are_not_kept():
    for landscape, kept in ((FORMULA, False), (sd.Sharpened(FORMULA, 2.0), False), (sd.Sharpened(WELL, 2.0), True)):
        assert may_be_kept((numba.typeof(landscape), numba.typeof(1.0))) is kept


REFUSED = [
    ("", {}, "needs a formula"),
    (None, {}, "needs a formula"),
    ("a*x**2", {}, "'a' is unknown.*Expression\\(..., a=1.0\\)"),
    ("widht*x**2", {"width": 1.0}, "'widht' is unknown; did you mean 'width'"),
    ("x**2", {"a": 1.0}, "constant 'a' is unknown"),
    ("a*x**2", {"a": "big"}, "a must be a finite number"),
    ("a*x**2", {"a": 1.0, "b": 2.0}, "constant 'b' is unknown"),
    ("1 + pi", {}, "has no coordinate"),
    ("y*x1", {}, "not y and x1"),
    ("x + z", {}, "has z but not y"),
    ("x0 + x2", {}, "has x2 but not x1"),
    ("x**2 + y", {"y": 1.0}, "y is a coordinate"),
    ("x99", {}, "may have 64 coordinates, not 100"),
    ("sin*x", {"sin": 1.0}, "a constant cannot be called sin"),
    ("_a*x", {"_a": 1.0}, "cannot be called _a"),
    ("sine(x)", {}, "function 'sine' is unknown; did you mean"),
    ("sin(x, x)", {}, "sin takes one value"),
    ("x^2", {}, r"write powers as x\*\*2"),
    ("2 x", {}, "is not a formula: invalid syntax"),
    ("x**2 +", {}, "is not a formula"),
    ("L = x**2", {}, "is not a formula"),
    ("x < 1", {}, "not 'x < 1'"),
    ("x % 2", {}, "not Mod"),
    ("1j*x", {}, "finite real numbers, not 1j"),
    ("'a'*x", {}, "finite real numbers"),
    ("1e999*x", {}, "finite real numbers"),
    ("x.real", {}, "not 'x.real'"),
    ("__import__('os').getcwd()", {}, "function .* is unknown"),
    ("(lambda: x)()", {}, "function .* is unknown"),
    ("[x for x in (1, 2)]", {}, "a formula holds numbers, names"),
    ("sqrt(-1)*x", {}, "is not real"),
    ("sqrt(-1 - x**2)", {}, "is not real"),
    ("x/0", {}, "divides by zero"),
    ("x/(sin(1)**2 + cos(1)**2 - 1)", {}, "divides by zero"),
    ("x**2 # the well\n + 3*x", {}, "holds no comments"),
    ("x**2 + #", {}, "holds no comments"),
    ("x*exp(700)*exp(700)", {}, "beyond what a double"),
    ("x*cosh(1000)", {}, "beyond what a double"),
    ("x*exp(-1000)", {}, "beyond what a double"),
    ("x*exp(exp(exp(exp(10))))", {}, "cannot be differentiated"),
    ("((((x**64)**64)**64)**64)**64", {}, "power beyond 64"),
    ("x**40*x**40", {}, "power beyond 64"),
    ("log(0)*x", {}, "is not finite"),
    ("x**1000", {}, "power beyond 64"),
    ("9**9**9**9*x", {}, "power beyond 64"),
    ("(9.9e99**60)*x", {}, "beyond what a double"),
    ("x**(2**x)" + "+x" * 2000, {}, "may have 2000 characters"),
    ("(" * 900 + "x" + ")" * 900, {}, "is not a formula"),
    ("-" * 1900 + "x", {}, "is not a formula|nested too deeply"),
]


@pytest.mark.parametrize(("formula", "constants", "words"), REFUSED, ids=[str(case[0])[:20] for case in REFUSED])
def test_what_is_not_a_formula_is_refused_in_one_line(formula, constants, words):
    with pytest.raises(sd.InvalidInput, match=words) as caught:
        sd.Expression(formula, **constants)
    assert "\n" not in str(caught.value)


#: that kept sympy busy for longer than half a minute each
HUGE = [
    "*".join(f"(x-{n})" for n in range(1, 60)),
    "*".join(f"(x-a{n})" for n in range(30)),
    "*".join(f"sin(x+{n})" for n in range(40)),
    "sin(" * 100 + "x" + ")" * 100,
    "sqrt(1+" * 40 + "x**2" + ")" * 40,
    "x" + "/(1+x" * 40 + ")" * 40,
    "**".join(["(1+x)"] * 40),
]


@pytest.mark.parametrize("formula", HUGE, ids=[formula[:12] for formula in HUGE])
def test_a_formula_too_large_to_differentiate_is_refused_in_one_line(formula, monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)  # it is not even asked
    with pytest.raises(
        sd.InvalidInput, match=r"derivatives of '.* \.\.\. .*' have up to \d{5,} operations, and may"
    ) as caught:
        sd.Expression(formula, **({f"a{n}": 1.0 for n in range(30)} if "a0" in formula else {}))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("formula", "constants", "size"), FORMULAS)
def test_sizes_of_derivatives_are_bounds(formula, constants, size):
    """What is refused by its size is at least as large: the bound is never below sympy's own count of a derivative."""
    tree = ast.parse(formula, mode="eval").body
    names = {name: sympy.Symbol(name, real=True) for name in (*constants, *"xyzw", *(f"x{j}" for j in range(3)))}
    expression = sympy.sympify(formula, locals={**names, "abs": sympy.Abs})
    for symbol in expression.free_symbols - {names[name] for name in constants}:
        found = size_along(tree, symbol.name)
        for bound, order in ((found.own, 0), (found.slope, 1), (found.bend, 2)):
            assert sympy.diff(expression, symbol, order).count_ops() <= 3 * bound + 2


@pytest.mark.parametrize("formula", ["(x+y+z+w)**64", "(" + "+".join(f"x{n}" for n in range(40)) + ")**4"])
def test_a_power_of_many_terms_is_not_multiplied_out(formula):
    landscape = sd.Expression(formula)
    point = np.full(sd.dimension(landscape), 0.01)
    assert sd.gradient_at(landscape, point) == pytest.approx(gradient_of_power(formula, point), rel=1e-12)


def gradient_of_power(formula, point):
    power = int(formula.rsplit("**")[-1])
    return np.full(len(point), power * point.sum() ** (power - 1))


def test_a_formula_that_is_not_real_where_it_starts_is_told():
    with pytest.raises(sd.InvalidInput, match=r"Expression.* its .* fails: ValueError"):
        sd.trajectories(sd.SGD(0.1), sd.Expression("x - log(x)"), sd.ConstantNoise(0.1), -1.0, record_at=[1])


def test_without_sympy_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(sd.InvalidInput, match=r"pip install 'simdyn-lab\[formula\]'"):
        sd.Expression("x**2 + 0.123*x")


def test_sympy_is_loaded_by_a_formula_alone(run_python):
    program = """
import sys, simdyn as sd
from simdyn.study.cells import registered
registered("landscape"), sd.Expression, sd.escape_times
before = "sympy" in sys.modules
sd.Expression("x**2")
print(before, "sympy" in sys.modules)
"""
    assert run_python(program).split() == ["False", "True"]


# ------------------------------------------------------------------------------------------------------- in studies


def study_with(landscape):
    table = changed(ESCAPE, "landscape", landscape)
    table = changed(table, "noise", {"kind": "ConstantNoise", "variance": 8.0})
    table["ensemble"] = {"particles": 64, "seed": 1, "exit": 0.5, "max_steps": 100000}
    table = changed(table, "series/0/sweep", {"dynamics.learning_rate": [0.05, 0.07, 0.1]})
    table["series"][0]["exact"] = False
    table["claims"][0]["options"] = {"variable": "dynamics.learning_rate", "power": -1.0, "rival": -0.5}
    return table


def test_a_study_sweeps_a_constant_of_a_formula():
    table = study_with({"kind": "Expression", "formula": "h*(x**2 - 1)**2", "h": 1.0})
    table = changed(table, "series/0/sweep", {"landscape.h": [0.5, 1.0, 2.0]})
    cells = expand("test", checked(StudyFile, table, "test"))
    assert [cell.landscape.h for cell in cells] == [0.5, 1.0, 2.0] and cells[0].start == pytest.approx([-1.0])
    assert len({cell.seed for cell in cells}) == 3
    with pytest.raises(sd.InvalidInput, match="needs a formula"):
        build("landscape", {"kind": "Expression", "h": 1.0})
    with pytest.raises(sd.InvalidInput, match="did you mean 'Expression'"):
        build("landscape", {"kind": "Expresion"})


def test_a_study_of_a_formula_sees_its_edits(run_python, tmp_path):
    """End to end, in new processes, with one cache of kernels and one store of results: by way of a user's file, which is
    edited, and then by the formula itself, whose results are there already."""
    write(tmp_path / "studies/own.toml", study_with({"kind": "my_formula:WELL"}))
    source = 'import simdyn as sd\nWELL = sd.Sharpened(sd.Expression("h*(x**2 - 1)**2", h=1.0), 1.0)\n'
    (tmp_path / "studies/my_formula.py").write_text(source)
    first, values = run_study(run_python, tmp_path)
    (tmp_path / "studies/my_formula.py").write_text(source.replace('**2"', '**2/2"'))
    edited, others = run_study(run_python, tmp_path)
    assert first == edited == [True] * 3 and others[0] < 0.5 * values[0]
    formula = {"kind": "Expression", "formula": "h*(x**2 - 1)**2", "h": 1}
    write(tmp_path / "studies/own.toml", study_with({"kind": "Sharpened", "landscape": formula, "sharpness": 1.0}))
    again, remembered = run_study(run_python, tmp_path)
    assert again == [False] * 3 and remembered == values


def test_a_finished_record_in_a_study_takes_no_fields(tmp_path, monkeypatch):
    (tmp_path / "finished.py").write_text('import simdyn as sd\nWELL = sd.Expression("x**2")\nSTEP = sd.SGD(0.1)\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert build("landscape", {"kind": "finished:WELL"}) == sd.Expression("x**2")
    with pytest.raises(sd.InvalidInput, match="takes no fields"):
        build("landscape", {"kind": "finished:WELL", "a": 1.0})
    with pytest.raises(sd.InvalidInput, match="not registered as a landscape"):
        build("landscape", {"kind": "finished:STEP"})
    sys.modules.pop("finished")
