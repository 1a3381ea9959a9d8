"""What can be told before anything runs: cells that cannot start, claims that cannot be tried, figures that cannot be drawn."""

import warnings
from typing import Any

import numpy as np

from simdyn.model.landscapes import dimension
from simdyn.model.records import InvalidInput, unknown
from simdyn.study.cells import Cell, unless_found
from simdyn.study.figures import check_text
from simdyn.study.kinds import find_figure
from simdyn.study.measure import rehearse
from simdyn.study.references import formula
from simdyn.study.schema import Claim, StudyFile, checked
from simdyn.study.verdicts import find_test, looks_at_samples, series_of


def check_study(study: StudyFile, cells: list[Cell]) -> None:
    """Refuse what would fail half-way, in one line that names the series, claim or figure."""
    for cell in cells:
        _named(f"series '{cell.series}'", rehearse, cell)
    for claim in study.claims:
        _named(f"claim '{claim.name}'", _check_claim, claim, study, cells)
    _named("figure", _check_figure, study, cells)


def _named(where: str, check: Any, *arguments: Any) -> None:
    try:
        check(*arguments)
    except InvalidInput as failure:
        raise InvalidInput(f"{where}: {failure}") from None
    except ArithmeticError:
        raise InvalidInput(f"{where}: a number is too large or too small to compute with") from None


def _check_claim(claim: Claim, study: StudyFile, cells: list[Cell]) -> None:
    trial = find_test(claim.test)
    if study.measure != trial.measure:
        raise InvalidInput(f"test '{claim.test}' is about measure = '{trial.measure}', not '{study.measure}'")
    samples = looks_at_samples(claim)
    tried = [_cells_of(name, cells) for name in filter(None, (claim.series, claim.again))]
    for found in tried:
        if samples and not found[0].simulate:
            raise InvalidInput(
                f"test '{claim.test}' looks at simulations, and the study says simulate = false for '{found[0].series}'"
            )
    if trial.point is not None:
        with unless_found(f"test '{claim.test}' looks at it, take another"):
            for cell in (cell for name in series_of(claim) for cell in cells if cell.series == name):
                trial.point(cell.landscape)
    options = checked(trial.options, claim.options, "options")
    for found in tried:
        if trial.single and len(found) > 1:
            raise InvalidInput(f"test '{claim.test}' is about a series of one cell, '{found[0].series}' sweeps")
        if len(found) < trial.least:
            raise InvalidInput(f"test '{claim.test}' needs {trial.least} cells, '{found[0].series}' has {len(found)}")
        if trial.formula and getattr(options, "against", "theory") == "theory":
            _check_formula(found)
        _check_options(options, found, trial.least)
    if claim.again and getattr(options, "target", None) and not options.target_again:
        raise InvalidInput("options.target_again is missing: again is held against it")
    for field in ("than", "than_again"):
        if (name := getattr(options, field, None)) is not None:
            _cells_of(name, cells, f"options.{field}")
    if claim.again and getattr(options, "than", None) and not options.than_again:
        raise InvalidInput("options.than_again is missing: again is held against it")
    for field in ("target", "target_again", "without"):
        if (name := getattr(options, field, None)) is not None and len(_cells_of(name, cells, f"options.{field}")) > 1:
            raise InvalidInput(f"options.{field} must be a series of one cell, '{name}' sweeps")


def _cells_of(name: str, cells: list[Cell], what: str = "series") -> list[Cell]:
    found = [cell for cell in cells if cell.series == name]
    if not found:
        raise InvalidInput(unknown(what, name, list(dict.fromkeys(cell.series for cell in cells))))
    return found


def _check_formula(cells: list[Cell]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells:
            refused = formula(cell).get("theory_refused")
            if refused:
                raise InvalidInput(f"there is no formula for series '{cell.series}': {refused}")


def _check_options(options: Any, cells: list[Cell], least: int) -> None:
    variable = getattr(options, "variable", None)
    if variable is not None:
        if variable not in cells[0].point:
            raise InvalidInput(unknown("options.variable", variable, list(cells[0].point) or ["(nothing is swept)"]))
        values = [cell.point[variable] for cell in cells]
        if getattr(options, "magnitude", False):
            values = [abs(value) if isinstance(value, (int, float)) else value for value in values]
        if any(isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0 for value in values):
            raise InvalidInput(f"options.variable '{variable}' must be swept over positive numbers, not {values}")
        if np.unique(values).size < least:
            raise InvalidInput(f"options.variable '{variable}' must take {least} values at least, not {values}")
    records = cells[0].ensemble.record_at or []
    if getattr(options, "at", None) is not None and options.at not in records:
        raise InvalidInput(f"options.at must be one of the recorded steps, {records}, not {options.at}")
    if getattr(options, "since", None) is not None and options.since > records[-1]:
        raise InvalidInput(f"options.since must be at most the last recorded step, {records[-1]}, not {options.since}")


def _check_figure(study: StudyFile, cells: list[Cell]) -> None:
    figure = find_figure(study.figure)
    options = {key: value for key, value in study.figure.items() if key != "kind"}
    checked(figure.options, options, f"kind '{study.figure['kind']}'")
    if not any(claim.test in figure.tests for claim in study.claims):
        raise InvalidInput(f"kind '{study.figure['kind']}' shows claims tried by {' or '.join(figure.tests)}: none is")
    if figure.single and len(cells) > len(study.series):
        raise InvalidInput(f"kind '{study.figure['kind']}' shows series of one cell: leave out sweep")
    if options.get("coordinate", 0) >= min(dimension(cell.landscape) for cell in cells):
        raise InvalidInput(f"coordinate must be below the landscape's dimension, not {options['coordinate']}")
    for name in options.get("rival", []):
        _cells_of(name, cells, "rival")
    named = {claim.name: claim.test for claim in study.claims}
    for method, pair in options.get("methods", {}).items():
        check_text(method)
        for name, test in zip(pair, figure.tests, strict=True):
            if named.get(name) != test:
                raise InvalidInput(f"methods.{method}: '{name}' is no claim tried by {test}")
    texts = [study.title, *options.get("labels", {}).values()]
    for text in [*texts, *(series.name for series in study.series), *(claim.name for claim in study.claims)]:
        check_text(text)
