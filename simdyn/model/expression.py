"""A landscape from a formula: `Expression("(x**2 - 1)**2 + a*x", a=0.1)`, its derivatives found by sympy.

The text is read with Python's own parser and rebuilt from a short list of what a formula may hold; it is never evaluated.
Each formula becomes a record class of its own, whose constants are its fields, so that another value of a constant is not
another compilation.
"""

import ast
import collections
import linecache
import math
from typing import Any

from simdyn.model import formula_source
from simdyn.model.formula_size import check_size, shortened, terms_when_expanded
from simdyn.model.landscapes import curvature, dimension, gradient, value
from simdyn.model.records import InvalidInput, number, unknown

LETTERS = ("x", "y", "z", "w")
FUNCTIONS = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs", "erf",
)  # fmt: skip
_LONGEST = 2000  # characters
_MOST = 64  # coordinates
_LARGEST_POWER = 64
_MOST_TERMS = 500  # of a polynomial that is multiplied out in search of a shorter form
_RESERVED = (*FUNCTIONS, "pi", "formula", "kind", "self")

# Formula -> its class. They stay for ever, as do the functions registered on them: Numba would take a class that happens to
# get the address of a forgotten one for the same.
_KNOWN: dict[str, type] = {}


def Expression(formula: str = "", /, **constants: float) -> Any:
    """The landscape L(x, y, ...) = formula: a record, its gradient and curvature derived and compiled like any other's.

    Coordinates are x, y, z, w or x0, x1, x2, ..., without gaps; other names are `constants` and must be given their values.
    A formula holds numbers, pi, + - * / **, and sin cos tan asin acos atan sinh cosh tanh exp log sqrt abs erf. The slope of
    abs is its sign, 0 at the kink, where the curvature's spike is left out. Where a formula is not real, as log(x) below 0,
    it must not be asked. Needs sympy, the extra `formula`.

    Raises InvalidInput for what is not such a formula, names without a value, and values without a name.

    >>> well = Expression("height*((x/width)**2 - 1)**2", height=2, width=1)
    >>> well
    Expression('height * ((x / width) ** 2 - 1) ** 2', height=2.0, width=1.0)
    >>> float(gradient(well, {(0, 0): 0.5}, 0, 0))
    -3.0
    """
    formula = constants.pop("formula", formula)  # type: ignore[assignment]  # as a study file gives it
    if not isinstance(formula, str) or not formula.strip():
        raise InvalidInput(f"Expression needs a formula, such as '(x**2 - 1)**2', not {formula!r}")
    tree = _tree(formula)
    made = _KNOWN.get(ast.unparse(tree)) or _class_of(tree, constants)
    fields = made._fields  # type: ignore[attr-defined]
    for name in constants:
        if name not in fields:
            raise InvalidInput(f"Expression: {unknown('constant', name, fields or ['none: the formula has no names'])}")
    if missing := [name for name in fields if name not in constants]:
        raise InvalidInput(f"Expression: the formula needs values of its constants {', '.join(missing)}")
    values = (number(f"Expression: {name}", constants[name]) for name in fields)
    return tuple.__new__(made, values)


# ---------------------------------------------------------------------------------------------------- reading it


def _tree(formula: str) -> ast.expr:
    """The formula as Python reads it, checked to be one."""
    if len(formula) > _LONGEST:
        raise InvalidInput(f"Expression: a formula may have {_LONGEST} characters, not {len(formula)}")
    if "#" in formula:  # Python would drop the rest of the formula, its later lines too
        raise InvalidInput("Expression: a formula holds no comments: '#' would drop all that follows it")
    try:
        tree = ast.parse(" ".join(formula.split()), mode="eval").body
        for node in ast.walk(tree):
            _check(node)
        ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as failure:
        if isinstance(failure, InvalidInput):
            raise
        reason = getattr(failure, "msg", None) or "nested too deeply"
        raise InvalidInput(f"Expression: '{formula}' is not a formula: {reason}") from None
    return tree


def _check(node: ast.AST) -> None:
    """Refuse, by name, whatever a formula may not hold."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
        raise InvalidInput("Expression: write powers as x**2, not x^2")
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise InvalidInput(f"Expression: {unknown('function', ast.unparse(node.func), FUNCTIONS)}")
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise InvalidInput(f"Expression: {node.func.id} takes one value, not '{ast.unparse(node)}'")
    elif isinstance(node, ast.Constant):
        if type(node.value) not in (int, float) or not math.isfinite(_as_float(node.value)):
            raise InvalidInput(f"Expression: a formula holds finite real numbers, not {ast.unparse(node)[:40]}")
    elif not isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Name, ast.operator, ast.unaryop, ast.expr_context)) or (
        isinstance(node, ast.operator) and not isinstance(node, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow))
        or isinstance(node, ast.unaryop) and not isinstance(node, (ast.UAdd, ast.USub))
    ):  # fmt: skip
        what = f"'{ast.unparse(node)}'" if isinstance(node, ast.expr) else type(node).__name__
        raise InvalidInput(f"Expression: a formula holds numbers, names, + - * / ** and functions, not {what}")


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _names(tree: ast.expr, constants: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The coordinates, in order, and the constants of a formula."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called} - {"pi"}
    letters = [name for name in LETTERS if name in used]
    numbered = [name for name in used if name[0] == "x" and name[1:].isdecimal() and name[1:].isascii()]
    if letters and numbered:
        raise InvalidInput(f"Expression: coordinates are x, y, z, w or x0, x1, ..., not {letters[0]} and {numbered[0]}")
    if not letters and not numbered:
        raise InvalidInput(f"Expression: '{ast.unparse(tree)}' has no coordinate: they are x, y, z, w or x0, x1, ...")
    count = LETTERS.index(letters[-1]) + 1 if letters else max(int(name[1:]) for name in numbered) + 1
    if count > _MOST:
        raise InvalidInput(f"Expression: a formula may have {_MOST} coordinates, not {count}")
    coordinates = list(LETTERS[:count]) if letters else [f"x{j}" for j in range(count)]
    if gaps := [name for name in coordinates if name not in used]:
        raise InvalidInput(
            f"Expression: the formula has {coordinates[-1]} but not {gaps[0]}; name coordinates in order"
        )
    others = sorted(used - set(coordinates))
    for name in sorted({*others, *constants}):
        if name in coordinates or name in LETTERS or name in numbered:
            raise InvalidInput(f"Expression: {name} is a coordinate; give the constant another name")
        if name in _RESERVED or name.startswith("_"):
            raise InvalidInput(f"Expression: a constant cannot be called {name}; give it another name")
    for name in others:
        if name not in constants:
            near = unknown("name", name, [*coordinates, *constants, *FUNCTIONS, "pi"])
            raise InvalidInput(f"Expression: {near}; a constant is given its value: Expression(..., {name}=1.0)")
    return coordinates, others


# ---------------------------------------------------------------------------------------------------- building it


def _class_of(tree: ast.expr, constants: dict[str, Any]) -> type:
    """The record class of a formula, with its functions registered."""
    coordinates, names = _names(tree, constants)
    check_size(tree, coordinates)
    formula = ast.unparse(tree)
    try:
        import sympy
    except ImportError:
        raise InvalidInput("Expression needs sympy: pip install 'simdyn-lab[formula]'") from None
    symbols = {name: sympy.Symbol(name, real=True) for name in (*coordinates, *names)}
    try:
        expression = _symbolic(tree, symbols, sympy)
        for power in expression.atoms(sympy.Pow):  # products of powers among them
            _within_powers(power)
        small = terms_when_expanded(tree) <= _MOST_TERMS
        source = formula_source.written(expression, [symbols[name] for name in coordinates], small)
    except formula_source.NotReal as failure:
        raise InvalidInput(f"Expression: '{shortened(formula)}' {failure}") from None
    except RecursionError:
        raise InvalidInput(f"Expression: '{shortened(formula)}' is nested too deeply") from None
    except (OverflowError, MemoryError, ZeroDivisionError, ValueError) as failure:
        reason = f"{type(failure).__name__}: {failure}"
        raise InvalidInput(f"Expression: '{shortened(formula)}' cannot be differentiated: {reason}") from None

    # The class's name carries the formula, and so does a study's cell; its module is not the package's, so that kernels
    # made from it are not kept for the next process.
    made: Any = type(
        f"Expression({formula!r})",
        (collections.namedtuple("Fields", names),),
        {
            "__slots__": (),
            "__module__": "<formula>",
            "__doc__": f"L = {formula}",
            "__repr__": lambda self: (
                f"Expression({', '.join([repr(formula), *(f'{n}={v!r}' for n, v in self._asdict().items())])})"
            ),
            "__reduce__": lambda self: (_again, (formula, self._asdict())),
            "__eq__": lambda self, other: type(self) is type(other) and tuple.__eq__(self, other),
            "__ne__": lambda self, other: not made.__eq__(self, other),
            "__hash__": lambda self: hash((formula, *self)),
        },
    )
    place = f"<landscape {formula}>"
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)  # for tracebacks
    functions: dict[str, Any] = {"math": math, "__name__": "<formula>"}
    exec(compile(source, place, "exec"), functions)
    value.on(made)(functions["value"])
    gradient.on(made)(functions["gradient"])
    curvature.on(made)(functions["curvature"])
    size = len(coordinates)
    dimension.on(made)(lambda landscape: size)
    _KNOWN[formula] = made
    return made


def _again(formula: str, constants: dict[str, float]) -> Any:
    """For copies and pickles."""
    return Expression(formula, **constants)


def _symbolic(node: ast.expr, symbols: dict[str, Any], sympy: Any) -> Any:
    """A checked tree as a sympy expression; numbers are taken as the decimals they are written as."""
    if isinstance(node, ast.Constant):
        return sympy.Rational(str(node.value))
    if isinstance(node, ast.Name):
        return sympy.pi if node.id == "pi" else symbols[node.id]
    if isinstance(node, ast.Call):
        function = sympy.Abs if node.func.id == "abs" else getattr(sympy, node.func.id)  # type: ignore[attr-defined]
        return function(_symbolic(node.args[0], symbols, sympy))
    if isinstance(node, ast.UnaryOp):
        operand = _symbolic(node.operand, symbols, sympy)
        return -operand if isinstance(node.op, ast.USub) else operand
    assert isinstance(node, ast.BinOp)
    left, right = _symbolic(node.left, symbols, sympy), _symbolic(node.right, symbols, sympy)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Mult):
        return left * right
    if isinstance(node.op, ast.Div):
        # What is zero, as sin(1)**2 + cos(1)**2 - 1, has some 1e-130 of it left.
        if right == 0 or (right.is_number and not right.is_Rational and abs(right.evalf()) < 1e-100):
            raise formula_source.NotReal("divides by zero")
        return left / right
    if right.is_number and abs(float(right) if right.is_real else math.inf) > _LARGEST_POWER:
        raise formula_source.NotReal(f"has a power beyond {_LARGEST_POWER}")
    if left.is_number and left.is_real and left != 0 and right.is_number:
        size = abs(float(right) * math.log(abs(float(left))))
        if size > 700.0:
            raise formula_source.NotReal("has a number beyond what a double can hold")
    return _within_powers(left**right)


def _within_powers(expression: Any) -> Any:
    """An expression that is returned if it has no power beyond the largest, as of powers of powers."""
    raised = expression.is_Pow and expression.exp.is_number and not expression.base.is_number
    if raised and not abs(float(expression.exp)) <= _LARGEST_POWER:
        raise formula_source.NotReal(f"has a power beyond {_LARGEST_POWER}")
    return expression
