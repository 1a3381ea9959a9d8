"""Figures of displacements and densities."""

from typing import Any

import numpy as np

from simdyn.study.figures.canvas import COLOURS, EXACT, MARKERS, THEORY, Figure, Z, grid, points, some
from simdyn.study.kinds import Growth, kind
from simdyn.study.results import Finished, StudyResult
from simdyn.study.trials_displacement import corrected_total, formula_total


@kind("growth", "growth", options=Growth, single=True)
def growth(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One column per series: displacement against iterations, and below it measurement and exact answer over the formula."""
    names = some([series.name for series in result.study.series if result.series(series.name)])
    figure, axes = grid(len(names), 2.7, (2.6, 1.3))
    for n, name in enumerate(names):
        (cell,) = result.series(name)
        steps, top, bottom = np.array(cell.measured["record_at"], dtype=float), axes[0, n], axes[1, n]
        j = int(options.get("coordinate", 0))
        msd, stderr = np.array(cell.measured["msd"])[:, j], np.array(cell.measured["stderr"])[:, j]
        formula, corrected = formula_total(cell)[:, j], corrected_total(cell)
        points(top, steps, msd, Z * stderr, n, "ensemble")
        top.plot(steps, formula, **THEORY, label="formula")
        points(bottom, steps, msd / formula, Z * stderr / formula, n)
        bottom.axhline(1.0, **THEORY)
        if corrected is not None:
            words = "exact" if cell.known["exact"] is not None else "v fixed"
            top.plot(steps, corrected[:, j], **EXACT, label=words)
            bottom.plot(steps, corrected[:, j] / formula, **EXACT)
        top.set(xscale="log", yscale="log", title=name)
        bottom.set(xlabel="iterations T", ylim=options.get("ratio", (0.5, 1.5)))
        top.legend(loc="upper left")
    axes[0, 0].set_ylabel(r"mean squared displacement $\langle\Delta\theta_i^2\rangle$")
    axes[1, 0].set_ylabel("over formula")
    figure.suptitle(result.study.title, fontsize=11)
    return figure


@kind("curvature", "curvature_slope", single=True)
def curvature(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Displacement against curvature: total on the left, drift alone on the right where a claim isolates it."""
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, (claim, evidence) in enumerate(some(result.tried("curvature_slope"))):
        here = evidence[claim.series]
        (cell,) = result.series(claim.series)
        unit = cell.cell.dynamics.learning_rate**2
        sizes, value, stderr, formula, counts = (
            np.array(here[part]) for part in ("curvature", "value", "stderr", "formula", "counts")
        )
        axes = right if "without" in claim.options else left
        slope, low, high = here["slope"][:3]
        label = f"{claim.name}: slope {slope:.2f} ± {(high - low) / 2:.2f}"
        half = np.array([np.minimum(Z * stderr, 0.9 * np.abs(value)), Z * stderr])
        points(axes, sizes[counts], value[counts] / unit, half[:, counts] / unit, n, label)
        rest = ~counts & (value > 0)
        axes.plot(
            sizes[rest], value[rest] / unit, MARKERS[n % 7], color=COLOURS[n % 7], markerfacecolor="white", markersize=4
        )
        axes.plot(sizes, formula / unit, color=COLOURS[n % 7], linestyle=(0, (5, 2)), linewidth=1.2)
    for axes, title in ((left, "total"), (right, "drift alone: stationary momentum less none")):
        axes.set(xscale="log", yscale="log", title=title, xlabel=r"curvature $|H_i|$")
        axes.plot([], [], **THEORY, label="formula")
        axes.plot([], [], "o", color="0.4", markerfacecolor="white", markersize=4, label="not in the fit")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14))
    left.set_ylabel(r"$\langle\Delta\theta_i^2\rangle/\eta^2$")
    figure.suptitle(result.study.title, fontsize=11)
    return figure


@kind("density", "density", single=True)
def density(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One panel per record, a block per series: histogram with error bars over the exact density."""
    cells = some([cell for series in result.study.series for cell in result.series(series.name)])
    columns = max(min(len(cell.measured["record_at"]), 3 if len(cells) == 1 else 6) for cell in cells)
    lines = [-(-len(cell.measured["record_at"]) // columns) for cell in cells]
    figure = Figure(figsize=(min(3.2, 15.0 / columns) * columns, 2.5 * sum(lines) + 0.5), layout="constrained")
    panels = figure.subplots(sum(lines), columns, squeeze=False, sharex=True)
    for n, cell in enumerate(cells):
        block = panels[sum(lines[:n]) : sum(lines[: n + 1])]
        _densities(cell, block, n, len(cells) > 1)
    for axes in panels[-1]:
        axes.set_xlabel(r"$\theta$")
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _densities(cell: Finished, panels: np.ndarray, n: int, named: bool) -> None:
    at, edges = cell.measured["record_at"], np.array(cell.measured["edges"])
    centres, width = (edges[1:] + edges[:-1]) / 2.0, edges[1] - edges[0]
    for r, step in enumerate(at):
        axes = panels.flat[r]
        share = np.array(cell.measured["counts"][r]) / cell.measured["particles"]
        stderr = np.sqrt(share * (1.0 - share) / cell.measured["particles"])
        points(axes, centres, share / width, Z * stderr / width, n, "ensemble")
        axes.plot(centres, np.array(cell.known["shares"][r]) / width, **EXACT, label="equation")
        time = f"t = {step * cell.measured['time_step']:g}"
        axes.set_title(f"{cell.cell.series}, {time}" if named else time)
    for line in panels:
        line[0].set_ylabel("density")
    for axes in panels.flat[len(at) :]:
        axes.set_visible(False)
    panels.flat[0].legend(loc="upper right")
