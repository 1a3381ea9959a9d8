"""From a symbolic landscape to the source of its three functions, written as one would write them by hand.

What depends on constants alone is computed first, where the compiler moves it out of the loop; polynomials are put in
Horner's form where that loses no accuracy; whole powers become products; what occurs twice is computed once.
"""

import itertools
import math
from typing import Any

_HORNER_DEGREE = 8
_MOST_TO_FACTOR = 1000  # operations: beyond, looking for common factors takes longer than all the rest
_KNOWN = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "erf")


class NotReal(Exception):
    """A formula without a real value or derivative, in words."""


def written(expression: Any, coordinates: list[Any], expanded: bool = True) -> str:
    """Source of ``value(landscape, x, i)``, ``gradient(landscape, x, j, i)`` and ``curvature(landscape, x, j, i)``.

    `expression` is sympy's, `coordinates` its symbols in order; every other symbol is a field of the landscape. expanded:
    whether polynomials are multiplied out in search of a shorter form, which takes for ever where they have many terms.
    Raises NotReal where the value or a derivative cannot be a real number.
    """
    import sympy

    slopes = [_slope(sympy, expression, coordinate) for coordinate in coordinates]
    bends = [_slope(sympy, slope, coordinate) for slope, coordinate in zip(slopes, coordinates, strict=True)]
    for part in (expression, *slopes, *bends):
        _check_real(sympy, part)

    lines = ["def value(landscape, x, i):", *_body(sympy, expression, coordinates)]
    for name, parts in (("gradient", slopes), ("curvature", bends)):
        shortest = [_shortest(sympy, part, coordinates, expanded) for part in parts]
        lines += ["", "", f"def {name}(landscape, x, j, i):", *_chosen(_runs(sympy, shortest, coordinates), "")]
    return "\n".join(lines) + "\n"


def _runs(sympy: Any, parts: list[Any], coordinates: list[Any]) -> list[tuple[int, list[str]]]:
    """The parts' statements, each with the coordinate it is good up to.

    Coordinates in a row that say the same of themselves and their neighbours share theirs: every branch is a loop over
    lanes of its own, and beyond a few of them the compiler leaves the branching inside.
    """
    relative = [_body(sympy, part, coordinates, own) for own, part in enumerate(parts)]
    found = []
    for _, run in itertools.groupby(range(len(parts)), key=relative.__getitem__):
        first, *others = run
        if others:
            found.append((others[-1] + 1, relative[first]))
        else:  # a place known beforehand is read faster than one counted from j
            found.append((first + 1, _body(sympy, parts[first], coordinates)))
    return found


def _chosen(runs: list[tuple[int, list[str]]], indent: str) -> list[str]:
    """Branch to one of several by halves, which the compiler takes out of the loop over lanes."""
    if len(runs) == 1:
        return [indent + line for line in runs[0][1]]
    half = len(runs) // 2
    return [
        f"{indent}    if j < {runs[half - 1][0]}:",
        *_chosen(runs[:half], indent + "    "),
        *_chosen(runs[half:], indent),
    ]


def _slope(sympy: Any, expression: Any, coordinate: Any) -> Any:
    """The derivative; the spikes of a kink are left out."""
    return sympy.diff(expression, coordinate).replace(sympy.DiracDelta, lambda *arguments: sympy.Integer(0))


def _check_real(sympy: Any, expression: Any) -> None:
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise NotReal("is not finite")
    # sqrt(-1 - x**2) is never real; sqrt(x) is where x is positive, which nobody can know here.
    if expression.has(sympy.I) or any(
        part.is_real is False for part in sympy.preorder_traversal(expression) if part.is_Pow or part.is_Function
    ):
        raise NotReal("is not real")
    for part in expression.atoms(sympy.Function, sympy.Derivative, sympy.Integral):
        if type(part).__name__ not in (*_KNOWN, "Abs", "sign"):
            raise NotReal(f"cannot be differentiated in real numbers: {type(part).__name__} comes up")


def _shortest(sympy: Any, expression: Any, coordinates: list[Any], expanded: bool) -> Any:
    """The expression as it is, or factored, or in Horner's form: whichever takes the fewest operations."""
    candidates = [expression]
    if expression.count_ops() <= _MOST_TO_FACTOR:
        candidates.append(sympy.factor_terms(expression))
    if expanded and expression.is_polynomial(*coordinates) and not _is_shifted(expression, coordinates):
        used = [coordinate for coordinate in coordinates if expression.has(coordinate)]
        polynomial = sympy.Poly(expression, *used) if used else None
        if polynomial is not None and polynomial.total_degree() <= _HORNER_DEGREE:
            candidates.append(_horner(sympy, polynomial.as_dict(), used))
    return min(candidates, key=lambda candidate: _Writer(sympy, coordinates).cost_of(candidate))


def _is_shifted(expression: Any, coordinates: list[Any]) -> bool:
    """Whether it holds a factor such as (x - 100): multiplied out, digits would cancel."""
    for part in _sums_inside(expression):
        constant, rest = part.as_independent(*coordinates, as_Add=True)
        if constant != 0 and any(rest.coeff(coordinate) != 0 for coordinate in coordinates):
            return True
    return False


def _sums_inside(expression: Any) -> list[Any]:
    """The sums inside products and powers, at any depth."""
    found, todo = [], [(expression, False)]
    while todo:
        part, inside = todo.pop()
        if part.is_Add and inside:
            found.append(part)
        todo += [(argument, inside or part.is_Mul or part.is_Pow) for argument in part.args]
    return found


def _horner(sympy: Any, terms: dict[tuple[int, ...], Any], coordinates: list[Any]) -> Any:
    """A polynomial, {powers: coefficient}, nested in its first coordinate by the gaps between its powers, and so on."""
    if not coordinates:
        return terms.get((), sympy.Integer(0))
    first, *rest = coordinates
    by_power: dict[int, dict[tuple[int, ...], Any]] = {}
    for powers, coefficient in terms.items():
        by_power.setdefault(powers[0], {})[powers[1:]] = coefficient
    total, above = sympy.Integer(0), 0
    for power in sorted(by_power, reverse=True):
        inner = _horner(sympy, by_power[power], rest)
        total = inner if total == 0 else sympy.Add(sympy.Mul(first ** (above - power), total, evaluate=False), inner)
        above = power
    return sympy.Mul(first**above, total, evaluate=False) if above else total


# --------------------------------------------------------------------------------------------------------- writing


def _body(sympy: Any, expression: Any, coordinates: list[Any], own: int | None = None) -> list[str]:
    """Statements that compute and return an expression; coordinates are counted from `own`, which is j, if given."""
    writer = _Writer(sympy, coordinates, own)
    shared, (reduced,) = sympy.cse([expression], order="none")
    for symbol, part in shared:
        writer.known[symbol] = writer.place(part)
        if not part.has(*coordinates) and not any(part.has(moving) for moving in writer.moving):
            continue
        writer.moving.append(symbol)
    writer.lines.append(f"    return {writer.place(reduced)}")
    return writer.lines


def _as_double(part: Any) -> float:
    """A number as a double; raises NotReal where it is too large for one, or so small that nothing of it would be left."""
    value = float(part)
    if not math.isfinite(value) or (value == 0.0 and part != 0):
        raise NotReal("has a number beyond what a double can hold")
    return value


class _Writer:
    """Writes statements, one operation each, and remembers where every part is."""

    def __init__(self, sympy: Any, coordinates: list[Any], own: int | None = None) -> None:
        self.sympy, self.coordinates, self.own = sympy, coordinates, own
        self.moving = list(coordinates)  # what changes from lane to lane
        self.lines: list[str] = []
        self.known: dict[Any, str] = {}  # where each part is
        self.said: dict[str, str] = {}  # and each statement's result
        self.cost = 0.0

    def cost_of(self, expression: Any) -> float:
        """What an expression costs per lane: additions and products 1, roots and quotients 8, functions 20."""
        self.place(expression)
        return self.cost

    def place(self, part: Any) -> str:
        """Where the value of a part is: a name or a number; statements for it are written if there are none yet."""
        if part not in self.known:
            self.known[part] = self._write(part)
        return self.known[part]

    def _name(self, text: str, cost: float) -> str:
        name = f"t{len(self.lines)}"
        self.lines.append(f"    {name} = {text}")
        self.cost += cost
        return name

    def _write(self, part: Any) -> str:
        if part.is_number:
            return repr(_as_double(part))
        if part.is_Symbol:
            if part in self.coordinates:
                return self._name(f"x[{self._index(part)}, i]", 0.0)
            return f"landscape.{part.name}"
        price = 1.0 if part.has(*self.moving) else 0.0
        if part.is_Add:
            return self._sum(part, price)
        if part.is_Mul:
            return self._product(part, price)
        if part.is_Pow:
            return self._power(part, price)
        name = type(part).__name__
        inner = self.place(part.args[0])
        if name == "Abs":
            return self._name(f"abs({inner})", price)
        if name == "sign":
            return self._name(f"1.0 if {inner} > 0.0 else (-1.0 if {inner} < 0.0 else 0.0)", 2.0 * price)
        return self._name(f"math.{name}({inner})", 20.0 * price)

    def _index(self, coordinate: Any) -> str:
        index = self.coordinates.index(coordinate)
        if self.own is None:
            return str(index)
        return "j" if index == self.own else f"j {'+' if index > self.own else '-'} {abs(index - self.own)}"

    def _apart(self, part: Any) -> tuple[list[Any], list[Any]]:
        """Arguments that are the same in every lane, and those that change."""
        fixed = [argument for argument in part.args if not argument.has(*self.moving)]
        return fixed, [argument for argument in part.args if argument.has(*self.moving)]

    def _sum(self, part: Any, price: float) -> str:
        fixed, moving = self._apart(part)
        if fixed and moving and len(fixed) > 1:
            return self._chain([*moving, part.func(*fixed)], price)
        return self._chain([*moving, *fixed], price)

    def _chain(self, terms: list[Any], price: float) -> str:
        # A term that is subtracted comes last, so that the sum begins with one that is not.
        terms = sorted(terms, key=lambda term: term.could_extract_minus_sign() and term.is_Mul)
        total = self.place(terms[0])
        for term in terms[1:]:
            less = term.is_number and term < 0 or term.is_Mul and term.args[0] == -1
            total = self._name(f"{total} {'-' if less else '+'} {self.place(-term if less else term)}", price)
        return total

    def _product(self, part: Any, price: float) -> str:
        fixed, moving = self._apart(part)
        if not fixed or not moving:
            return self._factors(part.args, price)
        factor = fixed[0] if len(fixed) == 1 else self.sympy.Mul(*fixed)
        if factor == -1:
            return self._name(f"-{self._factors(moving, price)}", price)
        # The factor meets a sum's coefficients or a coordinate first: fewer products follow each other.
        return self._factors([factor, *moving], price)

    def _factors(self, factors: Any, price: float) -> str:
        total = ""
        for factor in factors:
            place = self.place(factor)
            total = self._name(f"{total} * {place}", price) if total else place
        return total

    def _power(self, part: Any, price: float) -> str:
        base, exponent = part.args
        if exponent.is_Integer:
            return self._raised(self.place(base), int(exponent), price)
        if exponent.is_Rational and exponent.q == 2:
            root = self._once(f"math.sqrt({self.place(base)})", 8.0 * price)
            return self._raised(root, int(exponent.p), price)
        if base == self.sympy.E:
            return self._name(f"math.exp({self.place(exponent)})", 20.0 * price)
        return self._name(f"{self.place(base)} ** {self.place(exponent)}", 40.0 * price)

    def _raised(self, place: str, exponent: int, price: float) -> str:
        """A whole power, by squaring; of the reciprocal where it is negative."""
        square = place if exponent > 0 else self._once(f"1.0 / {place}", 8.0 * price)
        exponent, result = abs(exponent), ""
        while exponent:
            if exponent & 1:
                result = self._once(f"{result} * {square}", price) if result else square
            exponent >>= 1
            if exponent:
                square = self._once(f"{square} * {square}", price)
        return result

    def _once(self, text: str, price: float) -> str:
        """A statement that may have been written already."""
        if text not in self.said:
            self.said[text] = self._name(text, price)
        return self.said[text]
