"""Figures of escape times."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from simdyn.study.figures.canvas import (
    COLOURS,
    EXACT,
    MARKERS,
    THEORY,
    Axes,
    Figure,
    NullFormatter,
    ScalarFormatter,
    Z,
    grid,
    points,
    some,
)
from simdyn.study.kinds import Exponents, kind
from simdyn.study.results import Finished, StudyResult
from simdyn.study.verdicts import option


@kind("exponent", "exponent", options=Exponents)
def exponent(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One column per claim: log tau against the swept field's power with theory's slope, residuals of both fits below."""
    tried = some(result.tried("exponent"))
    claims = [claim for claim, _ in tried]
    rivals = [claim for claim in claims if claim.series in options.get("rival", [])]
    count = len(claims) + len(rivals)
    columns = min(count, int(options.get("columns", 5)))
    blocks = -(-count // columns)
    figure, axes = grid(columns, 2.75, (2.5, 1.15), blocks)
    evidence = {claim.name: found for claim, found in tried}
    labels = options.get("labels", {})
    for n, claim in enumerate(claims):
        top, bottom = axes[2 * (n // columns), n % columns], axes[2 * (n // columns) + 1, n % columns]
        _exponent_panel(claim, evidence[claim.name], top, bottom, n, labels)
        if n % columns == 0:
            top.set_ylabel(r"$\log\tau = -\log\Gamma$  (steps)")
            bottom.set_ylabel("residual")
    for n, claim in enumerate(rivals, len(claims)):
        top, bottom = axes[2 * (n // columns), n % columns], axes[2 * (n // columns) + 1, n % columns]
        _rival_panel(claim, evidence[claim.name][claim.series], top, bottom, claims.index(claim), labels)
    for n in range(count, blocks * columns):
        axes[2 * (n // columns), n % columns].set_visible(False)
        axes[2 * (n // columns) + 1, n % columns].set_visible(False)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _exponent_panel(
    claim: Any, evidence: dict[str, Any], top: Axes, bottom: Axes, n: int, labels: dict[str, str]
) -> None:
    found = evidence[claim.series]
    power = abs(float(option(claim, "power")))
    for number, here in enumerate(evidence.values()):
        x, y, stderr = (np.array(here[part]) for part in ("k", "log_tau", "stderr"))
        x = x**-power
        order = np.argsort(x)
        fit = here["corrected"]
        line = fit["coefficient_theory"] * x + np.array(fit["log_prefactor"])
        # Theory's coefficient and prefactor; the free constant puts the line through the points.
        offset = np.average(y - line, weights=1.0 / stderr**2)
        shade: dict[str, Any] = {"markerfacecolor": "white"} if number else {}
        top.errorbar(
            x, y, yerr=Z * stderr, fmt=MARKERS[n % 7], color=COLOURS[n % 7], markersize=4.5, capsize=2.5, **shade
        )
        top.plot(x[order], (line + offset)[order], **THEORY)
        if "exact_log_tau" in here:
            top.plot(x, here["exact_log_tau"], "x", color="black", markersize=5.5, markeredgewidth=0.9, zorder=4)
        straight = here["raw"]["coefficient"][0] * x + here["raw"]["constant"][0]
        top.plot(x[order], straight[order], color=COLOURS[n % 7], linewidth=0.9, linestyle=":")
        if number == 0:
            for label, style in (("raw", ":"), ("corrected", "-")):
                residual = np.array(here[label]["residuals"])
                bottom.errorbar(
                    x[order],
                    residual[order],
                    yerr=Z * stderr[order],
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
    top.margins(y=0.28)
    variable = option(claim, "variable")
    bottom.set_xlabel(labels.get(f"{variable}^{option(claim, 'power'):g}", f"{variable}^{option(claim, 'power'):g}"))
    if n == 0:
        low, high = bottom.get_ylim()
        bottom.set_ylim(low, high + 0.4 * (high - low))  # room for the legend, in one row above the bars
        bottom.legend(loc="upper left", ncols=2, fontsize=7.5, borderaxespad=0.2)
        top.plot([], [], **THEORY, label="theory, with prefactor")
        top.plot([], [], color="0.4", linewidth=0.9, linestyle=":", label="straight fit")
        if "exact_log_tau" in found:
            top.plot([], [], "x", color="black", markersize=5.5, markeredgewidth=0.9, label="exact chain")
        if len(evidence) > 1:
            hollow: dict[str, Any] = {"color": "0.4", "markerfacecolor": "white", "markersize": 4.5}
            top.plot([], [], "o", **hollow, label="second setting")
        top.legend(loc="lower right", fontsize=7.0, labelspacing=0.3, borderaxespad=0.2)


def _rival_panel(claim: Any, here: dict[str, Any], top: Axes, bottom: Axes, n: int, labels: dict[str, str]) -> None:
    """The same points against the rival's power: a straight line there would speak for the rival."""
    rival = float(option(claim, "rival") * np.sign(option(claim, "power")))
    k, y, stderr = (np.array(here[part]) for part in ("k", "log_tau", "stderr"))
    x = k**-rival
    slope, constant = np.polyfit(x, y, 1, w=1.0 / stderr)
    order = np.argsort(x)
    points(top, x, y, Z * stderr, n)
    top.plot(x[order], (slope * x + constant)[order], color=COLOURS[n % 7], linewidth=0.9, linestyle=":")
    points(bottom, x, y - slope * x - constant, Z * stderr, n)
    bottom.axhline(0.0, color="0.25", linewidth=0.8)
    top.set_title(f"{claim.name} against the rival")
    name = f"{option(claim, 'variable')}^{option(claim, 'rival'):g}"
    bottom.set_xlabel(labels.get(name, name))


@kind("limits", "limit", "escape_ratio", "asymptotic")
def limits(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Discrete times against their step and the SDE's answer; then measured SDE escape over formula and exact answer."""
    tried = result.tried("limit")
    ratios = [claim for claim in result.study.claims if claim.test in ("escape_ratio", "asymptotic")]
    figure = Figure(figsize=(3.5 * (len(tried) + 1), 3.6), layout="constrained")
    panels = figure.subplots(1, len(tried) + 1, squeeze=False)[0]
    for n, (claim, found) in enumerate(tried):
        evidence = found[claim.series]
        times = np.array(evidence["time"])
        steps, axes = np.array(evidence["step"]), panels[n]
        goal, low, high = evidence["target"][:3]
        points(axes, steps, times[:, 0] / goal, np.abs(times[:, 1:3].T - times[:, 0]) / goal, n, claim.series)
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
            measured = [done.escape_time() for done in known]
            y = np.array([estimate.value for estimate in measured]) / reference
            bars = np.abs(np.array([[e.low, e.high] for e in measured]).T / reference - y)
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
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", fontsize=7.5)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


@kind("prefactor", "escape_slope")
def prefactor(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Measured over formula against a ratio of curvatures, with the slopes that the noise conventions predict."""
    claim, tried = some(result.tried("escape_slope"))[0]
    figure = Figure(figsize=(5.2, 4.0), layout="constrained")
    axes = figure.subplots()
    ratio = np.array([])
    for n, name in enumerate(tried):
        cells: Iterable[Finished] = result.series(name)
        swept = np.array([done.cell.point[option(claim, "variable")] for done in cells])
        ratio = (swept / option(claim, "scale", 1.0)) ** option(claim, "power", 1.0)
        theory = np.array([done.known["theory"] for done in cells])
        found = [done.escape_time() for done in cells]
        y = np.array([estimate.value for estimate in found]) / theory
        bars = np.abs(np.array([[e.low, e.high] for e in found]).T / theory - y)
        points(axes, ratio, y, bars, n, f"{name}, ensemble")
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
