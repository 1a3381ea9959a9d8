"""Figures of a study: measurements as points with error bars, theory as dashed lines, exact answers as solid ones.

The only file that imports matplotlib. Colours are Okabe and Ito's, told apart by the colour-blind; series also differ in marker.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import NullFormatter, ScalarFormatter

from simdyn.model.records import InvalidInput
from simdyn.study.kinds import Exponents, Growth, find_figure, kind
from simdyn.study.results import Finished, StudyResult
from simdyn.study.store import write_whole
from simdyn.study.trials_displacement import corrected_total, formula_total
from simdyn.study.verdicts import option

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
THEORY: dict[str, Any] = {"color": "0.25", "linestyle": (0, (5, 2)), "linewidth": 1.3}
EXACT: dict[str, Any] = {"color": "black", "linestyle": "-", "linewidth": 1.1}
_STYLE: Any = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "simdyn",
    "figure.dpi": 100,
}
_Z = 1.959964


def check_text(text: str) -> None:
    """Refuse text whose mathematics ($...$) cannot be drawn."""
    if text.replace(r"\$", "").count("$") % 2 == 0 and "$" in text:
        try:
            MathTextParser("path").parse(text)
        except ValueError as failure:
            raise InvalidInput(f"'{text}' cannot be drawn, write \\$ for a dollar: {failure}") from None


def draw_study(result: StudyResult, directory: Path) -> list[Path]:
    """Draw a study's figure as PNG and SVG; returns the files written."""
    options = {key: value for key, value in result.study.figure.items() if key != "kind"}
    with mpl.rc_context(_STYLE):
        figure = find_figure(result.study.figure).draw(result, options)
        FigureCanvasAgg(figure)
        paths = []
        extras: dict[str, dict[str, Any]] = {"png": {"dpi": 160}, "svg": {"metadata": {"Date": None}}}
        for suffix, extra in extras.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, bbox_inches="tight", **extra)
            path = directory / f"{result.name}.{suffix}"
            write_whole(path, buffer.getvalue())
            paths.append(path)
    return paths


def _points(axes: Axes, x: Any, y: Any, half: Any, n: int, label: str | None = None) -> None:
    axes.errorbar(
        x,
        y,
        yerr=half,
        fmt=MARKERS[n % len(MARKERS)],
        color=COLOURS[n % len(COLOURS)],
        markersize=4.5,
        capsize=2.5,
        elinewidth=1.0,
        label=label,
    )


def _grid(columns: int, width: float, heights: tuple[float, ...], blocks: int = 1) -> tuple[Figure, np.ndarray]:
    """Columns of panels in blocks, one below the other; the panels of a block share their horizontal axis."""
    lines = heights * blocks
    figure = Figure(figsize=(width * columns + 0.4, sum(lines) + 0.9), layout="constrained")
    axes = figure.subplots(len(lines), columns, squeeze=False, height_ratios=lines)
    for top in range(0, len(lines), len(heights)):
        for column in range(columns):
            for below in range(top + 1, top + len(heights)):
                axes[below, column].sharex(axes[top, column])
            for above in range(top, top + len(heights) - 1):
                axes[above, column].tick_params(labelbottom=False)
    return figure, axes


# ------------------------------------------------------------------------------------------------ displacements


@kind("growth", "growth", options=Growth, single=True)
def growth(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One column per series: displacement against iterations, and below it measurement and exact answer over the formula."""
    names = [series.name for series in result.study.series]
    figure, axes = _grid(len(names), 2.7, (2.6, 1.3))
    for n, name in enumerate(names):
        (cell,) = result.series(name)
        steps, top, bottom = np.array(cell.measured["record_at"], dtype=float), axes[0, n], axes[1, n]
        j = int(options.get("coordinate", 0))
        msd, stderr = np.array(cell.measured["msd"])[:, j], np.array(cell.measured["stderr"])[:, j]
        formula, corrected = formula_total(cell)[:, j], corrected_total(cell)
        _points(top, steps, msd, _Z * stderr, n, "ensemble")
        top.plot(steps, formula, **THEORY, label="formula")
        _points(bottom, steps, msd / formula, _Z * stderr / formula, n)
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
    for n, claim in enumerate(claim for claim in result.study.claims if claim.test == "curvature_slope"):
        found = next(verdict for verdict in result.verdicts if verdict.claim == claim.name)
        here = found.evidence[claim.series]
        (cell,) = result.series(claim.series)
        unit = cell.cell.dynamics.learning_rate**2
        sizes, value, stderr, formula, counts = (
            np.array(here[part]) for part in ("curvature", "value", "stderr", "formula", "counts")
        )
        axes = right if "without" in claim.options else left
        slope, low, high = here["slope"][:3]
        label = f"{claim.name}: slope {slope:.2f} ± {(high - low) / 2:.2f}"
        half = np.array([np.minimum(_Z * stderr, 0.9 * np.abs(value)), _Z * stderr])
        _points(axes, sizes[counts], value[counts] / unit, half[:, counts] / unit, n, label)
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
    """One panel per record: histogram with error bars over the Fokker-Planck equation."""
    (cell,) = result.cells
    at, edges = cell.measured["record_at"], np.array(cell.measured["edges"])
    centres, width = (edges[1:] + edges[:-1]) / 2.0, edges[1] - edges[0]
    columns = min(len(at), 3)
    lines = -(-len(at) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.5 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for r, step in enumerate(at):
        axes = panels.flat[r]
        share = np.array(cell.measured["counts"][r]) / cell.measured["particles"]
        stderr = np.sqrt(share * (1.0 - share) / cell.measured["particles"])
        _points(axes, centres, share / width, _Z * stderr / width, 0, "ensemble")
        axes.plot(centres, np.array(cell.known["shares"][r]) / width, **EXACT, label="Fokker-Planck")
        axes.set_title(f"t = {step * cell.measured['time_step']:g}")
        if r % columns == 0:
            axes.set_ylabel("density")
        if r >= len(at) - columns:
            axes.set_xlabel(r"$\theta$")
    for axes in panels.flat[len(at) :]:
        axes.set_visible(False)
    panels.flat[0].legend(loc="upper right")
    figure.suptitle(result.study.title, fontsize=11)
    return figure


# ------------------------------------------------------------------------------------------------- escape times


@kind("exponent", "exponent", options=Exponents)
def exponent(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One column per claim: log tau against the swept field's power with theory's slope, residuals of both fits below."""
    claims = [claim for claim in result.study.claims if claim.test == "exponent"]
    rivals = [claim for claim in claims if claim.series in options.get("rival", [])]
    count = len(claims) + len(rivals)
    columns = min(count, int(options.get("columns", 5)))
    blocks = -(-count // columns)
    figure, axes = _grid(columns, 2.75, (2.5, 1.15), blocks)
    for n, claim in enumerate(claims):
        top, bottom = axes[2 * (n // columns), n % columns], axes[2 * (n // columns) + 1, n % columns]
        found = next(verdict for verdict in result.verdicts if verdict.claim == claim.name)
        labels = options.get("labels", {})
        _exponent_panel(result, claim, found.evidence, top, bottom, n, labels)
        if n % columns == 0:
            top.set_ylabel(r"$\log\tau = -\log\Gamma$  (steps)")
            bottom.set_ylabel("residual")
    for n, claim in enumerate(rivals, len(claims)):
        top, bottom = axes[2 * (n // columns), n % columns], axes[2 * (n // columns) + 1, n % columns]
        found = next(verdict for verdict in result.verdicts if verdict.claim == claim.name)
        _rival_panel(claim, found.evidence[claim.series], top, bottom, claims.index(claim), options.get("labels", {}))
    for n in range(count, blocks * columns):
        axes[2 * (n // columns), n % columns].set_visible(False)
        axes[2 * (n // columns) + 1, n % columns].set_visible(False)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _exponent_panel(
    result: StudyResult, claim: Any, evidence: dict[str, Any], top: Axes, bottom: Axes, n: int, labels: dict[str, str]
) -> None:
    found = evidence[claim.series]
    power = abs(float(option(claim, "power")))
    for number, name in enumerate(filter(None, (claim.series, claim.again))):
        here = evidence[name]
        x, y, stderr = (np.array(here[part]) for part in ("k", "log_tau", "stderr"))
        x = x**-power
        order = np.argsort(x)
        fit = here["corrected"]
        line = fit["coefficient_theory"] * x + np.array(fit["log_prefactor"])
        # Theory's coefficient and prefactor; the free constant puts the line through the points.
        offset = np.average(y - line, weights=1.0 / stderr**2)
        shade: dict[str, Any] = {"markerfacecolor": "white"} if number else {}
        top.errorbar(
            x, y, yerr=_Z * stderr, fmt=MARKERS[n % 7], color=COLOURS[n % 7], markersize=4.5, capsize=2.5, **shade
        )
        top.plot(x[order], (line + offset)[order], **THEORY)
        straight = here["raw"]["coefficient"][0] * x + here["raw"]["constant"][0]
        top.plot(x[order], straight[order], color=COLOURS[n % 7], linewidth=0.9, linestyle=":")
        if number == 0:
            for label, style in (("raw", ":"), ("corrected", "-")):
                residual = np.array(here[label]["residuals"])
                bottom.errorbar(
                    x[order],
                    residual[order],
                    yerr=_Z * stderr[order],
                    color=COLOURS[n % 7] if label == "corrected" else "0.55",
                    linestyle=style,
                    marker=MARKERS[n % 7],
                    markersize=3,
                    capsize=2,
                    linewidth=0.9,
                    label=label,
                )
    bottom.axhline(0.0, color="0.25", linewidth=0.8)
    raw, corrected = found["raw"], found["corrected"]
    text = "\n".join(
        f"{label}: A/theory {fit['coefficient'][0] / fit['coefficient_theory']:.2f}, power {fit['power'][0]:.2f}"
        for label, fit in (("raw", raw), ("corrected", corrected))
    )
    top.text(0.03, 0.97, text, transform=top.transAxes, va="top", fontsize=7.6)
    top.set_title(claim.name)
    top.margins(y=0.22)
    variable = option(claim, "variable")
    bottom.set_xlabel(labels.get(f"{variable}^{option(claim, 'power'):g}", f"{variable}^{option(claim, 'power'):g}"))
    if n == 0:
        bottom.legend(loc="best", fontsize=7.5)
        top.plot([], [], **THEORY, label="theory, with prefactor")
        top.plot([], [], color="0.4", linewidth=0.9, linestyle=":", label="straight fit")
        if claim.again:
            hollow: dict[str, Any] = {"color": "0.4", "markerfacecolor": "white", "markersize": 4.5}
            top.plot([], [], "o", **hollow, label="second setting")
        top.legend(loc="lower right", fontsize=7.5)


def _rival_panel(claim: Any, here: dict[str, Any], top: Axes, bottom: Axes, n: int, labels: dict[str, str]) -> None:
    """The same points against the rival's power: a straight line there would speak for the rival."""
    rival = float(option(claim, "rival") * np.sign(option(claim, "power")))
    k, y, stderr = (np.array(here[part]) for part in ("k", "log_tau", "stderr"))
    x = k**-rival
    slope, constant = np.polyfit(x, y, 1, w=1.0 / stderr)
    order = np.argsort(x)
    _points(top, x, y, _Z * stderr, n)
    top.plot(x[order], (slope * x + constant)[order], color=COLOURS[n % 7], linewidth=0.9, linestyle=":")
    _points(bottom, x, y - slope * x - constant, _Z * stderr, n)
    bottom.axhline(0.0, color="0.25", linewidth=0.8)
    top.set_title(f"{claim.name} against the rival")
    name = f"{option(claim, 'variable')}^{option(claim, 'rival'):g}"
    bottom.set_xlabel(labels.get(name, name))


@kind("limits", "limit", "escape_ratio", "asymptotic")
def limits(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Discrete times against their step and the SDE's answer; then measured SDE escape over formula and exact answer."""
    tried = [claim for claim in result.study.claims if claim.test == "limit"]
    ratios = [claim for claim in result.study.claims if claim.test in ("escape_ratio", "asymptotic")]
    figure = Figure(figsize=(3.5 * (len(tried) + 1), 3.6), layout="constrained")
    panels = figure.subplots(1, len(tried) + 1, squeeze=False)[0]
    for n, claim in enumerate(tried):
        evidence = next(verdict for verdict in result.verdicts if verdict.claim == claim.name).evidence[claim.series]
        times = np.array(evidence["time"])
        steps, axes = np.array(evidence["step"]), panels[n]
        goal, low, high = evidence["target"][:3]
        _points(axes, steps, times[:, 0] / goal, np.abs(times[:, 1:3].T - times[:, 0]) / goal, n, claim.series)
        grid = np.linspace(0.0, steps.max(), 50)
        fit = evidence["intercept"][0] + evidence["slope"][0] * grid ** float(option(claim, "order", 1.0))
        axes.plot(grid, fit / goal, color=COLOURS[n % 7], linewidth=1.0, label="fit")
        axes.axhline(1.0, **EXACT, label=option(claim, "target"))
        axes.axhspan(low / goal, high / goal, color="0.85", zorder=0)
        axes.set(xlabel=r"learning rate $\eta$", title=claim.name, xlim=(0.0, None))
        axes.legend(loc="best")
    panels[0].set_ylabel("mean escape time over the SDE's")
    axes = panels[-1]
    for n, name in enumerate(dict.fromkeys(claim.series for claim in ratios), len(tried)):
        for column, fill, word in (("theory", COLOURS[n % 7], "Kramers"), ("exact", "white", "exact")):
            known = [done for done in result.series(name) if None not in (done.known[column], done.known["action"])]
            if not known:
                continue
            x = np.array([float(done.known["action"]) for done in known])
            reference = np.array([done.known[column] for done in known])
            found = [done.escape_time() for done in known]
            y = np.array([estimate.value for estimate in found]) / reference
            bars = np.abs(np.array([[e.low, e.high] for e in found]).T / reference - y)
            style: dict[str, Any] = {
                "markerfacecolor": fill,
                "markersize": 4.5,
                "capsize": 2.5,
                "color": COLOURS[n % 7],
            }
            axes.errorbar(
                x,
                y,
                yerr=bars,
                fmt=MARKERS[n % 7],
                label=f"{type(known[0].cell.dynamics).__name__} over {word}",
                **style,
            )
    axes.axhline(1.0, **EXACT)
    axes.set(xlabel=r"barrier $\Delta L/T$", title="SDEs: measured over known")
    axes.margins(y=0.35)
    axes.legend(loc="upper right", fontsize=7.5)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


@kind("prefactor", "escape_slope")
def prefactor(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Measured over formula against a ratio of curvatures, with the slopes that the noise conventions predict."""
    claim = next(claim for claim in result.study.claims if claim.test == "escape_slope")
    figure = Figure(figsize=(5.2, 4.0), layout="constrained")
    axes = figure.subplots()
    ratio = np.array([])
    for n, name in enumerate(filter(None, (claim.series, claim.again))):
        cells: Iterable[Finished] = result.series(name)
        swept = np.array([done.cell.point[option(claim, "variable")] for done in cells])
        ratio = (swept / option(claim, "scale", 1.0)) ** option(claim, "power", 1.0)
        theory = np.array([done.known["theory"] for done in cells])
        found = [done.escape_time() for done in cells]
        y = np.array([estimate.value for estimate in found]) / theory
        bars = np.abs(np.array([[e.low, e.high] for e in found]).T / theory - y)
        _points(axes, ratio, y, bars, n, f"{name}, ensemble")
        exact = np.array([done.known["exact"] for done in cells], dtype=float) / theory  # none is a gap
        axes.plot(ratio, exact, color=COLOURS[n % 7], linewidth=1.1, label=f"{name}, exact chain")
    for slope, word, style in ((0.0, "Klimontovich", "-."), (0.5, "Stratonovich", ":"), (1.0, "Ito", "--")):
        axes.plot(ratio, ratio**slope, color="0.35", linestyle=style, linewidth=1.1, label=f"{word}: slope {slope:g}")
    axes.set(xscale="log", yscale="log", xlabel=r"$|H_b|/H_a$", ylabel="mean escape time over the attributed formula")
    axes.set_xticks(ratio, [f"{value:.3g}" for value in ratio])
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper left", fontsize=8)
    axes.set_title(result.study.title, fontsize=10.5)
    return figure
