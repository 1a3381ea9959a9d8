"""Figures of where formulas hold, and of the rate over all damping."""

from typing import Any

import numpy as np

from simdyn.study.figures.canvas import MARKERS, Axes, BoundaryNorm, Figure, ListedColormap, Rectangle, some
from simdyn.study.kinds import Maps, kind
from simdyn.study.results import StudyResult

# Classes of formula/exact, as in the table: within 1, 5 and 20 %, within a factor of two, beyond; too low to too high.
_EDGES = (0.0, 0.5, 0.8, 0.95, 0.99, 1.01, 1.05, 1.25, 2.0, np.inf)
_SHADES = ("#08519c", "#3182bd", "#6baed6", "#c6dbef", "#ffffff", "#fee0b6", "#fdb863", "#e08214", "#b35806")
_DARK = (0, 1, 7, 8)


@kind("validity", "validity", "displacement_validity", options=Maps)
def validity(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One map per claim: formula over what it is held against, in classes, with the ratio written in, and half its
    interval where that shows; a frame where it is claimed."""
    claims = some(result.tried("validity", "displacement_validity"))
    columns = min(len(claims), int(options.get("columns", 3)))
    lines = -(-len(claims) // columns)
    figure = Figure(figsize=(4.1 * columns, 3.3 * lines + 0.9), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    shown: Any = None
    for (claim, evidence), axes in zip(claims, panels.flat, strict=False):
        shown = _map(axes, evidence[claim.series], *_axes_of(result, claim, options), options)
        axes.set_title(claim.name)
    for axes in panels.flat[len(claims) :]:
        axes.set_visible(False)
    bar = figure.colorbar(shown, ax=panels, location="bottom", shrink=0.8, aspect=40, ticks=np.arange(1, len(_SHADES)))
    bar.ax.set_xticklabels([f"{edge:g}" for edge in _EDGES[1:-1]], fontsize=8)
    bar.ax.tick_params(length=0)
    bar.set_label("formula over exact, or over what the panel names")
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _axes_of(result: StudyResult, claim: Any, options: dict[str, Any]) -> tuple[str, str]:
    """The swept fields along the two axes of a claim's map: the first of `sweep` and of `across`."""
    if claim.test == "displacement_validity":
        return "step", "curvature"
    series = next(series for series in result.study.series if series.name == claim.series)
    return next(iter(series.sweep)), next(iter(series.across), "")


def _map(axes: Axes, evidence: dict[str, Any], x: str, y: str, options: dict[str, Any]) -> Any:
    points = [(at[x], at.get(y, 0.0), 1.0 + deviation, error) for at, deviation, error in evidence["points"]]
    across, up = (sorted({point[n] for point in points}) for n in (0, 1))
    ratios, errors = np.full((2, len(up), len(across)), np.nan)
    for one, other, ratio, error in points:
        ratios[up.index(other), across.index(one)] = ratio
        errors[up.index(other), across.index(one)] = error
    classes = np.where(np.isnan(ratios), np.nan, np.searchsorted(_EDGES, ratios, side="right") - 0.5)
    shades = ListedColormap(_SHADES).with_extremes(bad="0.8")
    shown = axes.pcolormesh(
        np.ma.masked_invalid(classes),
        cmap=shades,
        norm=BoundaryNorm(np.arange(len(_SHADES) + 1), len(_SHADES)),
        edgecolors="0.85",
        linewidth=0.4,
    )
    small = 6.0 if len(across) > 9 else 7.0
    for row, column in zip(*np.nonzero(np.isfinite(ratios)), strict=True):
        ratio = ratios[row, column]
        text = (
            f"{ratio:.3f}"
            if abs(ratio - 1.0) < 0.0095
            else f"{ratio:.2f}"
            if ratio < 10.0
            else f"{ratio:.0f}"
            if ratio < 1000.0
            else f"{ratio:.0e}"
        )
        if errors[row, column] > 0.005:
            text += f"\n±{errors[row, column]:.2f}"
        colour = "white" if int(classes[row, column]) in _DARK else "0.1"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=small, color=colour)
    _frame(axes, evidence["where"], ((x, across), (y, up)))
    labels, scale = options.get("labels", {}), options.get("scale", {})
    axes.set_xticks(np.arange(len(across)) + 0.5, [f"{value * scale.get(x, 1.0):g}" for value in across], fontsize=7.5)
    axes.set_yticks(np.arange(len(up)) + 0.5, [f"{value * scale.get(y, 1.0):g}" for value in up], fontsize=7.5)
    axes.tick_params(length=0)
    if len(across) > 7:
        axes.tick_params(axis="x", labelrotation=45)
    axes.set_xlabel(labels.get(x, x))
    axes.set_ylabel(labels.get(y, y))
    axes.grid(False)
    return shown


def _frame(axes: Axes, where: dict[str, Any], fields: tuple[tuple[str, list[float]], ...]) -> None:
    """A frame around the points where the formula is claimed to hold."""
    corners = []
    for field, values in fields:
        low, high = where.get(field, (-np.inf, np.inf))
        inside = [n for n, value in enumerate(values) if low <= value <= high]
        corners.append((inside[0], inside[-1] + 1))
    (left, right), (bottom, top) = corners
    frame = Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor="black", linewidth=1.8)
    frame.set_clip_on(False)
    axes.add_patch(frame)


# ------------------------------------------------------------------------------------------------------ turnover

_THEORIES: dict[str, tuple[Any, str]] = {
    "uniform": ("-", "#000000"),
    "Pollak-Grabert-Hanggi": ("--", "#0072B2"),
    "Mel'nikov-Meshkov": ("-.", "#D55E00"),
    "spatial diffusion": (":", "#009E73"),
    "energy diffusion": ((0, (1, 1)), "#CC79A7"),
    "transition state": ((0, (4, 3)), "#E69F00"),
}


@kind("turnover", "escape_ratio", "validity")
def turnover(result: StudyResult, options: dict[str, Any]) -> Figure:
    """The rate 1/tau against damping: simulation, exact answer and theories; below, all over the exact answer."""
    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1.0))
    named = [claim.again if n else claim.series for claim in result.study.claims[:1] for n in range(2)]
    series = some([name for name in named if name and result.series(name)])
    first = sorted(result.series(series[0]), key=lambda done: float(done.cell.dynamics.damping))
    damping = np.array([float(done.cell.dynamics.damping) for done in first])
    exact = np.array([done.known["exact"] for done in first], dtype=float)
    top.plot(damping, 1.0 / exact, color="0.7", linewidth=4.0, label="exact, Klein and Kramers", zorder=1)
    for name, (style, colour) in _THEORIES.items():
        times = np.array([(done.known["rates"] or {}).get(name, np.nan) for done in first], dtype=float)
        top.plot(damping, 1.0 / times, linestyle=style, color=colour, linewidth=1.2, label=name)
        bottom.plot(damping, exact / times, linestyle=style, color=colour, linewidth=1.2)
    for n, name in enumerate(series):
        cells = [done for done in result.series(name) if done.cell.simulate]
        gamma = np.array([float(done.cell.dynamics.damping) for done in cells])
        found = [done.escape_time() for done in cells]
        rate = np.array([1.0 / time.value for time in found])
        half = np.array([[rate[k] - 1.0 / t.high, 1.0 / t.low - rate[k]] for k, t in enumerate(found)]).T
        known = np.array([done.known["exact"] for done in cells], dtype=float)
        marks: dict[str, Any] = {"fmt": MARKERS[n], "color": "black", "markersize": 4.5, "capsize": 2.5, "zorder": 5}
        marks["markerfacecolor"] = "white" if n else "black"
        top.errorbar(gamma, rate, yerr=half, label=name, **marks)
        bottom.errorbar(gamma, rate * known, yerr=half * known, **marks)
    bottom.axhline(1.0, color="0.7", linewidth=4.0, zorder=1)
    top.set(xscale="log", yscale="log", ylabel=r"escape rate $1/\tau$")
    top.set_ylim(0.5 / exact.max(), 3.0 / exact.min())
    bottom.set(xlabel=r"damping $\gamma$", ylabel="over exact", ylim=(0.7, 2.0))
    top.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.suptitle(result.study.title, fontsize=11)
    return figure
