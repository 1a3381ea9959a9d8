"""Figures of made-up results: drawn without a warning, everything inside, nothing on top of a title."""

import dataclasses
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from study_tools import (
    CLOSING,
    DENSITY,
    ESCAPE,
    SPREAD,
    VALIDITY,
    WELL,
    changed,
    fake_measure,
    measured_escape,
    result_of,
)

from simdyn.model.records import InvalidInput
from simdyn.study import figures
from simdyn.study.figures import canvas
from simdyn.study.kinds import FIGURES, find_figure
from simdyn.study.references import formula
from simdyn.study.verdicts import judge
from simdyn.theory import ValidityWarning

SERIES = ESCAPE["series"][0]
CLAIM = ESCAPE["claims"][0]
AGAIN = {**SERIES, "name": "SGD, smaller step", "dynamics": {"kind": "SGD", "learning_rate": 0.015}}

EXPONENT = changed(changed(ESCAPE, "series", [SERIES, AGAIN]), "claims/0/again", "SGD, smaller step")
EXPONENT = changed(EXPONENT, "claims", [{**EXPONENT["claims"][0], "name": f"claim {n}"} for n in range(3)])
EXPONENT["figure"] = {
    "kind": "exponent", "columns": 2, "rival": ["SGD"],
    "labels": {"landscape.sharpness^-1": "sharpness $k^{-1}$"},
}  # fmt: skip

CURVATURE = changed(SPREAD, "landscape/curvatures", [-1.0, 0.3, -0.1, 0.03, -0.01])
CURVATURE = changed(CURVATURE, "claims/0/test", "curvature_slope")
CURVATURE = changed(CURVATURE, "claims/0/options", {"expected": 1.0, "rival": 0.0})
CURVATURE = changed(CURVATURE, "figure", {"kind": "curvature"})

PREFACTOR = changed(changed(EXPONENT, "claims", [EXPONENT["claims"][0]]), "claims/0/test", "escape_slope")
PREFACTOR = changed(
    PREFACTOR, "claims/0/options", {"variable": "landscape.sharpness", "expected": 0.0, "corrected": 1.0}
)
PREFACTOR["figure"] = {"kind": "prefactor"}

SDES = {"kind": "Overdamped", "dt": 0.01}
LIMIT_SWEEP = {"dynamics.learning_rate": [0.02, 0.01, 0.005], "noise.variance": [20.0, 40.0, 80.0]}
LIMITS = {
    **ESCAPE,
    "landscape": ESCAPE["landscape"]["landscape"],
    "noise": {"kind": "ConstantNoise", "variance": 0.4},
    "series": [
        {"name": "SGD", "dynamics": SERIES["dynamics"], "sweep": LIMIT_SWEEP},
        {"name": "SDE", "dynamics": SDES},
        {"name": "barriers", "dynamics": SDES, "sweep": {"noise.variance": [0.5, 0.4, 0.3]}},
    ],
    "claims": [
        {**CLAIM, "test": "limit", "options": {"variable": "dynamics.learning_rate", "target": "SDE"}},
        {**CLAIM, "name": "Kramers", "series": "barriers", "test": "asymptotic", "options": {}},
    ],
    "figure": {"kind": "limits"},
}
GROWTH = changed(SPREAD, "series", [{**SPREAD["series"][0], "name": name} for name in ("SGD", "another", "a third")])

TURNOVER = {
    **changed(LIMITS, "figure", {"kind": "turnover"}),
    "series": [
        {
            "name": name,
            "dynamics": {"kind": "Inertial", "dt": 0.02},
            "sweep": {"dynamics.damping": [1.0, 4.0, 10.0], "noise.variance": [0.4, 1.6, 4.0]},
        }
        for name in ("a", "b")
    ],
    "claims": [
        {**LIMITS["claims"][1], "test": "escape_ratio", "series": "a", "again": "b", "options": {"against": "exact"}}
    ],
}
SCALING = changed(changed(EXPONENT, "claims", [EXPONENT["claims"][0]]), "claims/0/test", "log_slope")
SCALING = changed(SCALING, "claims/0/options", {"variable": "landscape.sharpness", "expected": -1.0})
SCALING = changed(
    SCALING, "claims", [SCALING["claims"][0], {**SCALING["claims"][0], "name": "linear", "options": {
        "variable": "landscape.sharpness", "expected": -1.0, "logarithmic": False}}]
)  # fmt: skip
SCALING["figure"] = {"kind": "scaling", "columns": 2, "labels": {"linear": "sharpness $k$"}}
_TURNED = {"variable": "landscape.barrier", "than": "SGD, wells, aligned"}
_SGD_WELLS = {**CLOSING["series"][0], "name": "SGD, wells, aligned"}
_SHARPENED = {**SERIES, "landscape": WELL, "noise": ESCAPE["noise"], "ensemble": {"exit": 1.0}}
SELECTION = {
    **CLOSING,
    "series": [_SGD_WELLS, {**_SGD_WELLS, "name": "SGD, wells, turned"}, _SHARPENED],
    "claims": [
        {**CLAIM, "name": "alike", "test": "prefers_alike", "series": "SGD, wells, turned", "options": _TURNED},
        {**CLAIM, "name": "chain"},
        {**CLAIM, "name": "white", "test": "tau_slope", "options": {
            "variable": "landscape.sharpness", "expected": 2.0, "rival": 7.0}},
    ],
    "figure": {"kind": "selection"},
}  # fmt: skip
TABLES = {
    "selection": SELECTION,
    "scaling": SCALING,
    "growth": GROWTH,
    "curvature": CURVATURE,
    "density": DENSITY,
    "exponent": EXPONENT,
    "limits": LIMITS,
    "prefactor": PREFACTOR,
    "validity": VALIDITY,
    "turnover": TURNOVER,
    "closing": CLOSING,
}


def measured(cell):
    if "wells" in cell.series:
        power = 2.0 if "sign" not in cell.series and cell.landscape.left_curvature < 4.0 else 1.0
        return measured_escape(np.exp(5.0 * power * cell.landscape.barrier))
    if cell.series.endswith("saddle"):
        return measured_escape(30.0 * abs(cell.landscape.curvatures[0]) ** (-0.3 if "sign" in cell.series else -1.0))
    return {**fake_measure(cell), "time_step": float(cell.dynamics[0])}


def known(cell):
    if cell.measure == "density":
        bins = cell.ensemble.bins.bins
        return {"shares": np.full((len(cell.ensemble.record_at), bins), 1.0 / bins).tolist()}
    if cell.measure == "displacement":
        return {"exact": None, **formula(cell)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        found = formula(cell)
    if "theory" not in found:
        return {"exact": None, **found}
    rates = {name: factor * found["theory"] for name, factor in (("uniform", 1.0), ("spatial diffusion", 0.9))}
    return {**found, "exact": 1.02 * found["theory"], "exact_error": 0.0, "rates": rates}


def drawn(table):
    result = result_of(table, measured, known)
    result.verdicts = judge(result)
    options = {key: value for key, value in table["figure"].items() if key != "kind"}
    with mpl.rc_context(canvas.STYLE):
        figure = find_figure(table["figure"]).draw(result, options)
        FigureCanvasAgg(figure).draw()
    return result, figure


def test_every_kind_is_looked_at():
    find_figure({"kind": "growth"})
    assert set(TABLES) == set(FIGURES)


@pytest.mark.parametrize("kind", TABLES)
def test_a_figure_is_whole(kind):
    _, figure = drawn(TABLES[kind])
    renderer = figure.canvas.get_renderer()
    page = figure.bbox.padded(1)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = [axes.title.get_window_extent(renderer) for axes in shown if axes.title.get_text()]
    for axes in shown:
        ticks = {*axes.get_xticklabels(which="both"), *axes.get_yticklabels(which="both")}
        texts = [text for text in axes.findobj(Text) if text.get_visible() and text.get_text() and text not in ticks]
        boxes = {text.get_text(): text.get_window_extent(renderer) for text in texts}
        for axis in (axes.xaxis, axes.yaxis):
            if (box := axis.get_tightbbox(renderer)) is not None:  # none where it is shared and shows nothing
                boxes[axis.axis_name] = box
        for what, box in boxes.items():
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, (what, box)
        legend = axes.get_legend()
        assert not legend or not any(legend.get_window_extent(renderer).overlaps(title) for title in titles)
    assert not any(one.overlaps(other) for n, one in enumerate(titles) for other in titles[:n])
    assert shown[-1].get_xlabel() and shown[0].get_ylabel()


@pytest.mark.parametrize("kind", TABLES)
def test_a_figure_is_drawn_from_what_there_is(kind):
    """With one cell missing, with one series, and with none: then it says so."""
    whole = result_of(TABLES[kind], measured, known)
    first = whole.cells[0].cell.series
    for lost in (lambda n, cell: n == 1, lambda n, cell: cell.series == first, lambda n, cell: True):
        cells = [dataclasses.replace(c, failed="no" if lost(n, c.cell) else "") for n, c in enumerate(whole.cells)]
        result = dataclasses.replace(whole, cells=cells)
        result.verdicts = judge(result)
        there = result.usable(samples=True)
        draw = find_figure(TABLES[kind]["figure"]).draw
        options = {key: value for key, value in TABLES[kind]["figure"].items() if key != "kind"}
        try:
            assert isinstance(draw(there, options), figures.canvas.Figure)
        except InvalidInput as failure:
            assert "none of what it shows is there" in str(failure)
            assert not there.cells or len(result.tried(*FIGURES[kind].tests)) < len(result.verdicts)


def test_a_figure_is_written_twice_alike(tmp_path):
    result, _ = drawn(PREFACTOR)
    paths = figures.draw_study(result, tmp_path)
    assert [path.name for path in paths] == ["test.png", "test.svg"]
    first = [path.read_bytes() for path in paths]
    assert first[0].startswith(b"\x89PNG") and first[1].rstrip().endswith(b"</svg>")
    assert [path.read_bytes() for path in figures.draw_study(result, tmp_path)] == first


def test_a_figure_of_one_panel_and_of_many_series():
    few = changed(LIMITS, "claims", [LIMITS["claims"][1]])
    _, figure = drawn(few)
    assert len(figure.axes) == 1
    many = changed(LIMITS, "series", [*LIMITS["series"], *({**LIMITS["series"][2], "name": f"b{n}"} for n in range(9))])
    claims = [{**LIMITS["claims"][1], "name": f"K{n}", "series": f"b{n}"} for n in range(9)]
    _, figure = drawn(changed(many, "claims", claims))
    assert len(figure.axes) == 1


def many_methods(count):
    """CLOSING with so many methods, all at the same place, and a control."""
    names = [f"method {n}" for n in range(count)]
    series = [{**each, "name": each["name"].replace("SGD", name)} for name in names for each in CLOSING["series"][::2]]
    claims = [
        {**each, **{key: each[key].replace("SGD", name) for key in ("name", "series")}}
        for name in names
        for each in CLOSING["claims"][:2]
    ]
    control = {**CLOSING["claims"][2], "name": "control"}
    figure = {"kind": "closing", "methods": {name: [f"{name} selects", f"{name} escapes"] for name in names}}
    return {**CLOSING, "series": [*series, *CLOSING["series"]], "claims": [*claims, control], "figure": figure}


@pytest.mark.parametrize("count", [1, 4, 19])
def test_names_of_methods_at_one_place_do_not_cover_each_other(count):
    _, figure = drawn(many_methods(count))
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()
    names = {text.get_text(): text for text in axes.texts if text.get_text().startswith(("method", "control"))}
    assert set(names) == {*(f"method {n}" for n in range(count)), "control"}
    boxes = [Text.get_window_extent(text, renderer) for text in names.values()]
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])
    assert all(box.x0 > axes.get_window_extent(renderer).x1 for box in boxes)


def test_methods_lie_where_they_were_measured():
    _, figure = drawn(CLOSING)
    drawn_at = [np.array(line.get_xydata())[0] for line in figure.axes[0].lines if len(line.get_xydata()) == 1]
    for place in ([-1.0, 1.0], [-0.3, 0.0]):
        assert any(np.allclose(point, place) for point in drawn_at), place


def test_long_records_stay_small_and_show_both_ends(tmp_path):
    table = changed(SPREAD, "ensemble/record_at", list(range(1, 5001)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        result = result_of(table, fake_measure, known)
    result.verdicts = judge(result)
    _, picture = figures.draw_study(result, tmp_path)
    assert picture.stat().st_size < 2_000_000  # 4.5 MB as it is measured
    x = np.arange(1e6)
    shown = canvas._shown(x[::-1])
    assert shown.size <= 1000 and {x[::-1][shown].min(), x[::-1][shown].max()} == {0.0, 999_999.0}
    assert canvas._shown(x[:1000]).tolist() == list(range(1000))
    ahead = np.sort(x[::-1][shown])
    assert ahead[20] < 50 and np.diff(ahead).max() < 2500  # close at the beginning, nowhere far apart
