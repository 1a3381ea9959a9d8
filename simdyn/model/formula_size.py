"""How large a formula's derivatives can become, told from the formula alone: what would take sympy minutes is refused before.

Sizes are counts of operations, numbers and names, where nothing is simplified; sympy's own count may be three times as high.
"""

import ast
import math
from typing import NamedTuple

from simdyn.model.records import InvalidInput

# Of a slope and a curvature, and of all of them together: sympy takes some ten seconds for as many.
LARGEST = 10_000
LARGEST_OF_ALL = 60_000


class Size(NamedTuple):
    """Of an expression, its slope and its curvature along one coordinate; 0 for a slope or curvature that is 0."""

    own: int
    slope: int
    bend: int


def check_size(tree: ast.expr, coordinates: list[str]) -> None:
    """Raise InvalidInput for a formula whose derivatives would be too large."""
    sizes = [size_along(tree, coordinate) for coordinate in coordinates]
    each = [size.slope + size.bend for size in sizes]
    for count, limit in ((max(each), LARGEST), (sum(each), LARGEST_OF_ALL)):
        if count > limit:
            raise InvalidInput(
                f"Expression: the derivatives of '{shortened(ast.unparse(tree))}' have up to {count} operations, and may have"
                f" {limit}: take fewer factors, functions nested less deeply, or fewer coordinates"
            )


def shortened(formula: str) -> str:
    """A formula as messages quote it."""
    return formula if len(formula) <= 60 else f"{formula[:40]} ... {formula[-15:]}"


def size_along(node: ast.expr, coordinate: str) -> Size:
    """The sizes of a checked formula along a coordinate."""
    if isinstance(node, ast.Name):
        return Size(1, int(node.id == coordinate), 0)
    if isinstance(node, ast.Constant):
        return Size(1, 0, 0)
    if isinstance(node, ast.UnaryOp):
        return size_along(node.operand, coordinate)
    if isinstance(node, ast.Call):
        return _composed(size_along(node.args[0], coordinate))
    assert isinstance(node, ast.BinOp)
    left, right = size_along(node.left, coordinate), size_along(node.right, coordinate)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        return Size(left.own + right.own + 1, left.slope + right.slope, left.bend + right.bend)
    if isinstance(node.op, ast.Mult):
        return _product(left, right)
    if isinstance(node.op, ast.Div):
        return _product(left, _composed(right))
    if right.slope == 0:
        inner = _composed(left)
        return inner._replace(own=inner.own + right.own)
    return _composed(_product(_composed(left), right))  # u^v = exp(v log u)


def _product(left: Size, right: Size) -> Size:
    slope = bool(left.slope) * (left.slope + right.own) + bool(right.slope) * (left.own + right.slope)
    bend = bool(left.bend) * (left.bend + right.own) + bool(right.bend) * (left.own + right.bend)
    if left.slope and right.slope:
        bend += left.slope + right.slope
    return Size(left.own + right.own + 1, slope, bend)


def _composed(inner: Size) -> Size:
    """f(u): f'(u) u' and f''(u) u'^2 + f'(u) u''."""
    if inner.slope == 0:
        return Size(inner.own + 1, 0, 0)
    bend = inner.own + inner.slope + (inner.own + inner.bend if inner.bend else 0) + 3
    return Size(inner.own + 1, inner.own + inner.slope + 2, bend)


def terms_when_expanded(node: ast.expr) -> float:
    """How many terms a formula may have when it is multiplied out; infinite where that means nothing."""
    if isinstance(node, ast.UnaryOp):
        return terms_when_expanded(node.operand)
    if not isinstance(node, ast.BinOp):
        return 1.0
    left, right = terms_when_expanded(node.left), terms_when_expanded(node.right)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        return left + right
    if isinstance(node.op, ast.Mult):
        return left * right
    if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and isinstance(node.right.value, int):
        return float(math.comb(int(left) + node.right.value - 1, node.right.value)) if left < 1e6 else math.inf
    return left
