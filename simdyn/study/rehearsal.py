"""What can be told before anything runs: cells that cannot start, claims that cannot be tried, figures that cannot be drawn."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simdyn.model.landscapes import dimension
from simdyn.model.records import InvalidInput, unknown
from simdyn.study.cells import Cell, expand_all, unless_found
from simdyn.study.complaints import Table, complaints
from simdyn.study.figures import check_text
from simdyn.study.kinds import find_figure
from simdyn.study.measure import rehearse
from simdyn.study.references import formula
from simdyn.study.schema import (
    MEASURES,
    Claim,
    Ensemble,
    StudyFile,
    checked,
    confused_names,
    read_table,
    study_from,
    tables_in,
)
from simdyn.study.users import code_there
from simdyn.study.verdicts import find_test, looks_at_samples, series_of


def check_study(study: StudyFile, cells: list[Cell]) -> None:
    """Refuse what would fail half-way, in one line that names the series, claim or figure."""
    for line in [*_of_series(cells), *_of_claims(study, cells)]:
        raise InvalidInput(line)


def check_tables(study: StudyFile) -> None:
    """Refuse tables inside a study that are wrong in themselves, before its cells are made: all of them at once."""
    if lines := wrong_tables(study.model_dump()):
        raise InvalidInput(*lines)


def examine(path: Path, say: Callable[[str], None] = lambda text: None, user_code: bool = True) -> list[str]:
    """All that is wrong with a study file, in lines that name the field, series, claim or figure; none where nothing is.

    Runs the code of a user's own that the study names, and says before which files that is; without `user_code` it is refused.
    """
    try:
        table = read_table(path)
    except InvalidInput as failure:
        return list(failure.lines)
    schema = complaints(StudyFile, table, str(path))
    lines = [*confused_names(table), *wrong_tables(table)]
    if not schema:
        lines += _wrong_cells(path, study_from(table, path), not lines, say, user_code)
    return list(dict.fromkeys([*schema, *(f"{path}: {line}" for line in lines)]))


def _wrong_cells(path: Path, study: StudyFile, right: bool, say: Callable[[str], None], user_code: bool) -> list[str]:
    """What is wrong with a study's cells and, if it is `right` elsewhere, with its claims and figure, which are about them."""
    code, missing = code_there(study)
    named = ", ".join(dict.fromkeys(map(str, code.values())))
    if code and not user_code:
        return [f"it names code of its own, {named}: --no-user-code forbids to run it", *missing]
    if code:
        say(f"simdyn: runs code of your own: {named}")
    cells, wrong = expand_all(str(path), study)
    lines = [line.removeprefix(f"{path}: ") for line in wrong]
    lines += _of_series(cells)
    return lines + (list(_of_claims(study, cells)) if right and not lines else [])


def wrong_tables(table: Table) -> list[str]:
    """What is wrong with the ensembles, the options of claims and the figure of a table that may be wrong elsewhere too."""
    lines = complaints(Ensemble, table.get("ensemble", {}), "ensemble") if _is_table(table, "ensemble") else []
    for series in tables_in(table, "series"):
        if _is_table(series, "ensemble"):
            lines += complaints(Ensemble, series["ensemble"], f"series '{series.get('name')}': ensemble")
    for claim in tables_in(table, "claims"):
        if isinstance(claim.get("test"), str):
            lines += _lines(f"claim '{claim.get('name')}'", _check_options_of, claim, table.get("measure"))
    if _is_table(table, "figure"):
        lines += _lines("figure", _check_options_of_figure, table["figure"])
    return lines


def _is_table(table: Table, field: str) -> bool:
    return isinstance(table.get(field), dict)


def _check_options_of(claim: Table, measure: Any) -> None:
    trial = find_test(claim["test"])
    if measure in MEASURES and measure != trial.measure:
        raise InvalidInput(f"test '{claim['test']}' is about measure = '{trial.measure}', not '{measure}'")
    if _is_table(claim, "options") or "options" not in claim:
        checked(trial.options, claim.get("options", {}), "options")


def _check_options_of_figure(figure: Table) -> None:
    options = {key: value for key, value in figure.items() if key != "kind"}
    checked(find_figure(figure).options, options, f"kind '{figure['kind']}'")


def _of_series(cells: list[Cell]) -> Iterator[str]:
    """What keeps cells from starting, each complaint of a series once."""
    told: set[str] = set()
    for cell in cells:
        for line in _lines(f"series '{cell.series}'", rehearse, cell):
            if line not in told:
                told.add(line)
                yield line


def _of_claims(study: StudyFile, cells: list[Cell]) -> Iterator[str]:
    """What keeps claims from being tried and the figure from being drawn."""
    for claim in study.claims:
        yield from _lines(f"claim '{claim.name}'", _check_claim, claim, study, cells)
    if study.figure is not None:
        yield from _lines("figure", _check_figure, study, cells)


def _check_map(claim: Claim, study: StudyFile, cells: list[Cell]) -> None:
    """Refuse a map on which several cells of a series would lie at one place, or that has no numbers along its axes."""
    series = next(series for series in study.series if series.name == claim.series)
    axes = [] if claim.test == "displacement_validity" else [*list(series.sweep)[:1], *list(series.across)[:1]]
    if claim.test == "validity" and not series.sweep:
        raise InvalidInput(f"kind 'validity' needs a sweep in series '{series.name}', along which its map runs")
    places = [tuple(cell.point[path] for path in axes) for cell in cells]
    if any(not isinstance(value, (int, float)) for place in places for value in place):
        raise InvalidInput(f"kind 'validity' needs numbers along {' and '.join(axes)} in series '{series.name}'")
    if len(set(places)) < len(places):
        along = " and ".join(axes) or "step and curvature"
        raise InvalidInput(
            f"kind 'validity' would show several cells of series '{series.name}' at one place of {along}"
        )


def _lines(where: str, check: Callable, *arguments: Any) -> list[str]:
    """What a check refuses."""
    try:
        check(*arguments)
    except InvalidInput as failure:
        return [f"{where}: {line}" for line in failure.lines]
    except ArithmeticError:
        return [f"{where}: a number is too large or too small to compute with"]
    return []


def _check_claim(claim: Claim, study: StudyFile, cells: list[Cell]) -> None:
    trial = find_test(claim.test)
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
        if not trial.several and getattr(options, "variable", None) is not None:
            _check_distinct(options.variable, found)
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
    for field in getattr(options, "where", {}):
        known = [path for path, value in cells[0].point.items() if isinstance(value, (int, float))]
        known += ["step", "curvature"] if cells[0].measure == "displacement" else []
        if field not in known:
            raise InvalidInput(unknown("options.where", field, known or ["(no number is swept)"]))
    records = cells[0].ensemble.record_at or []
    if getattr(options, "at", None) is not None and options.at not in records:
        raise InvalidInput(f"options.at must be one of the recorded steps, {records}, not {options.at}")
    if getattr(options, "since", None) is not None and options.since > records[-1]:
        raise InvalidInput(f"options.since must be at most the last recorded step, {records[-1]}, not {options.since}")


def _check_distinct(variable: str, cells: list[Cell]) -> None:
    """Refuse a fit along a field that several cells have the same value of: it would mix what differs otherwise."""
    seen: dict[Any, Cell] = {}
    for cell in cells:
        twin = seen.setdefault(value := cell.point[variable], cell)
        if twin is not cell:
            other = [path for path in cell.point if cell.point[path] != twin.point[path]]
            differ = f"differ in {' and '.join(other)}, and one fit would mix them" if other else "are the same twice"
            raise InvalidInput(
                f"options.variable '{variable}': cells of series '{cell.series}' at the same value, {value}, {differ}: give"
                " each such value a series of its own"
            )


def _check_figure(study: StudyFile, cells: list[Cell]) -> None:
    options = study.figure or {}
    figure = find_figure(options)
    _check_options_of_figure(options)
    if not any(claim.test in figure.tests for claim in study.claims):
        raise InvalidInput(f"kind '{options['kind']}' shows claims tried by {' or '.join(figure.tests)}: none is")
    if figure.single and len(cells) > len(study.series):
        raise InvalidInput(f"kind '{options['kind']}' shows series of one cell: leave out sweep")
    if options.get("coordinate", 0) >= min(dimension(cell.landscape) for cell in cells):
        raise InvalidInput(f"coordinate must be below the landscape's dimension, not {options['coordinate']}")
    if options["kind"] == "validity":
        for claim in study.claims:
            if claim.test in figure.tests:
                _check_map(claim, study, _cells_of(claim.series, cells))
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
