"""Minima selection: the odds of the flat minimum, two settings of the axes side by side, and a chain of many minima."""

from typing import Any

import numpy as np

from simdyn.model.geometry import curvatures_at, minimum
from simdyn.study.figures.canvas import (
    COLOURS,
    MARKERS,
    THEORY,
    Axes,
    Figure,
    NullFormatter,
    ScalarFormatter,
    bars,
    some,
)
from simdyn.study.kinds import kind
from simdyn.study.results import StudyResult
from simdyn.study.schema import Claim
from simdyn.study.verdicts import option

_SHARES = (0.5, 0.7, 0.9, 0.97, 0.99, 0.997, 0.999)
_WHITE: dict[str, Any] = {"color": "0.25", "linestyle": ":", "linewidth": 1.1}


@kind("selection", "prefers_alike", "prefers_more", "exponent", "tau_slope")
def selection(result: StudyResult, options: dict[str, Any]) -> Figure:
    """Left: log odds and share of time of the flat minimum, the series of each claim and the one it is compared with,
    small at the second setting. Right: escape times against the curvature of the minimum that is left, at the first one.

    Dashed: theory's coefficient and prefactor, its constant free; dotted: where no exponent is claimed, tau ~ 1/H.
    """
    figure = Figure(figsize=(11.6, 4.9), layout="constrained")
    _odds(figure.add_subplot(1, 2, 1), some(result.tried("prefers_more", "prefers_alike")))
    right = figure.add_subplot(1, 2, 2)
    for n, (claim, evidence) in enumerate(result.tried("exponent", "tau_slope")):
        _chain(right, result, claim, evidence[claim.series], n)
    right.plot([], [], **THEORY, label="theory, with prefactor")
    right.plot([], [], **_WHITE, label="$1/H$")
    right.set(xscale="log", yscale="log", xlabel="curvature $H$ of the minimum", ylabel="mean escape time (steps)")
    right.xaxis.set_major_formatter(ScalarFormatter())
    right.xaxis.set_minor_formatter(NullFormatter())
    right.set_xticks(ticks := [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0], [f"{tick:g}" for tick in ticks])
    right.margins(x=0.08, y=0.08)
    right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7.8)
    figure.suptitle(result.study.title, fontsize=11)
    return figure


def _odds(axes: Axes, tried: list[tuple[Claim, dict[str, Any]]]) -> None:
    claims = [claim for claim, _ in tried]
    for n, (_, evidence) in enumerate(tried):
        colour, marker = COLOURS[n % len(COLOURS)], MARKERS[n % len(MARKERS)]
        for second, found in enumerate(evidence.values()):
            for hollow, (value, low, high, _) in enumerate(reversed(found["log_ratio"])):
                axes.errorbar(
                    n - 0.3 + 0.36 * second + 0.18 * hollow, value, yerr=[[value - low], [high - value]], fmt=marker,
                    color=colour, markersize=4.0 if second else 6.5, capsize=2.5, elinewidth=1.0,
                    markerfacecolor="white" if hollow else colour,
                )  # fmt: skip
    names = [option(claim, "than").rsplit(", ", 1) for claim in claims]
    axes.set_xticks(range(len(claims)), [first.replace(", ", ",\n") for first, _ in names])
    axes.plot([], [], "o", color="0.35", label=names[0][1])
    axes.plot([], [], "o", color="0.35", markerfacecolor="white", label=claims[0].series.rsplit(", ", 1)[1])
    axes.plot([], [], "o", color="0.35", markersize=3.5, label="second setting")
    axes.legend(loc="upper right", fontsize=8)
    axes.set_ylabel(r"$\log(\tau_{\mathrm{flat}}/\tau_{\mathrm{sharp}})$, at the highest barrier")
    axes.margins(y=0.12)
    shares = axes.twinx()
    shares.set_ylim(axes.get_ylim())
    low, high = axes.get_ylim()
    ticks = {np.log(share / (1.0 - share)): f"{share:g}" for share in _SHARES}
    seen = {odds: share for odds, share in ticks.items() if low < odds < high}
    shares.set_yticks(list(seen), list(seen.values()))
    shares.spines["right"].set_visible(True)
    shares.grid(False)
    shares.set_ylabel("share of time in the flat minimum")


def _chain(axes: Axes, result: StudyResult, claim: Claim, found: dict[str, Any], n: int) -> None:
    cells = [done.cell for done in result.series(claim.series)]
    x = np.array([curvatures_at(cell.landscape, minimum(cell.landscape))[0] for cell in cells])
    log_tau, stderr = np.array(found["log_tau"]), np.array(found["stderr"])
    axes.errorbar(
        x, np.exp(log_tau), yerr=bars(log_tau, stderr), fmt=MARKERS[n % len(MARKERS)], color=COLOURS[n % len(COLOURS)],
        markersize=5.0, capsize=2.5, elinewidth=1.0, label=claim.series,
    )  # fmt: skip
    line, style = -np.log(x), _WHITE
    if claim.test == "exponent":
        fit, power = found["corrected"], abs(float(option(claim, "power")))
        line = fit["coefficient_theory"] * np.array(found["k"]) ** -power + np.array(fit["log_prefactor"])
        style = THEORY
    order = np.argsort(x)
    axes.plot(x[order], np.exp(line + np.average(log_tau - line, weights=1.0 / stderr**2))[order], zorder=1, **style)
