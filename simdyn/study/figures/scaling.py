"""Figures of how escape times scale."""

from typing import Any

import numpy as np

from simdyn.study.figures.canvas import (
    COLOURS,
    THEORY,
    Axes,
    Figure,
    NullFormatter,
    ScalarFormatter,
    bars,
    points,
    some,
)
from simdyn.study.kinds import Scalings, kind
from simdyn.study.results import StudyResult
from simdyn.study.schema import Claim
from simdyn.study.verdicts import option


@kind("scaling", "log_slope", "tau_slope", options=Scalings)
def scaling(result: StudyResult, options: dict[str, Any]) -> Figure:
    """One panel per claim: escape times against the swept field, the straight fit, and the claimed slope dashed."""
    claims = some(result.tried("log_slope", "tau_slope"))
    columns = min(len(claims), int(options.get("columns", 3)))
    lines = -(-len(claims) // columns)
    figure = Figure(figsize=(3.3 * columns + 0.4, 2.9 * lines + 0.6), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for n, (claim, evidence) in enumerate(claims):
        axes = panels[n // columns, n % columns]
        for number, (name, found) in enumerate(evidence.items()):
            _series(axes, claim, found, 2 * (n % 3) + number, name)
        variable = option(claim, "variable")
        axes.set(title=claim.name, xlabel=options.get("labels", {}).get(claim.name, variable), yscale="log")
        if n % columns == 0:
            axes.set_ylabel("mean escape time (steps)")
        axes.plot([], [], **THEORY, label="claimed slope")
        axes.margins(y=0.45)
        axes.legend(loc="best", fontsize=7.2)
    for n in range(len(claims), lines * columns):
        panels[n // columns, n % columns].set_visible(False)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _series(axes: Axes, claim: Claim, found: dict[str, Any], colour: int, name: str) -> None:
    u, log_tau, stderr = (np.array(found[part]) for part in ("u", "log_tau", "stderr"))
    logarithmic = bool(option(claim, "logarithmic", True))
    x = np.log(u) if logarithmic else u
    order = np.argsort(x)
    expected = float(option(claim, "expected"))
    points(axes, u, np.exp(log_tau), bars(log_tau, stderr), colour, f"{name}: slope {found['slope'][0]:.2f}")
    middle = np.average(log_tau - expected * x, weights=1.0 / stderr**2)
    axes.plot(u[order], np.exp(expected * x + middle)[order], **THEORY)
    fit = found["intercept"][0] + found["slope"][0] * x
    axes.plot(u[order], np.exp(fit)[order], color=COLOURS[colour % len(COLOURS)], linewidth=0.9, linestyle=":")
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(u, [f"{value:.2g}" for value in u])
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_formatter(ScalarFormatter())
