"""The closing map: which saddles are left fast against which minima are preferred, one point per method."""

from typing import Any

import numpy as np

from simdyn.study.figures.canvas import COLOURS, MARKERS, Axes, Figure, some
from simdyn.study.kinds import Closing, kind
from simdyn.study.results import StudyResult


@kind("closing", "preference", "tau_slope", options=Closing)
def closing(result: StudyResult, options: dict[str, Any]) -> Figure:
    """A point with error bars per method: power of the preference for flat minima against the slope of log tau at saddles.

    Hollow and joined: the second setting. Lines half way between what the claims expect and their rivals divide the map;
    preferences that belong to no method (a control) are horizontal lines.
    """
    figure = Figure(figsize=(10.2, 6.4), layout="constrained")
    axes = figure.subplots()
    tried = result.tried("preference", "tau_slope")
    claims, evidence = {claim.name: claim for claim, _ in tried}, {claim.name: found for claim, found in tried}
    asked: dict[str, list[str]] = options["methods"]
    methods = {method: asked[method] for method in some([m for m, pair in asked.items() if set(pair) <= set(claims)])}
    marked = []
    for n, (method, (up, along)) in enumerate(methods.items()):
        colour, marker = COLOURS[n % len(COLOURS)], MARKERS[(n + n // len(COLOURS)) % len(MARKERS)]
        settings = zip(*([found["value"] for found in evidence[name].values()] for name in (along, up)), strict=False)
        places = [(x[:3], y[:3]) for x, y in settings]
        axes.plot([x[0] for x, _ in places], [y[0] for _, y in places], color=colour, linewidth=0.7, zorder=2)
        for hollow, (x, y) in enumerate(places):
            axes.errorbar(
                x[0], y[0], xerr=_bars(x), yerr=_bars(y), fmt=marker, color=colour, markersize=6.0, capsize=2.0,
                elinewidth=0.9, markerfacecolor="white" if hollow else colour, zorder=4 - hollow,
            )  # fmt: skip
        marked.append((method, places[0][0][0], places[0][1][0], colour))
    _divide(axes, claims, methods)
    taken = {name for pair in asked.values() for name in pair}
    for name, claim in claims.items():
        if claim.test == "preference" and name not in taken:
            height = evidence[name][claim.series]["value"][0]
            axes.axhline(height, color="0.35", linewidth=1.0, linestyle=":", zorder=1)
            marked.append((name, np.nan, height, "0.35"))
    axes.margins(x=0.12, y=0.12)
    _name(axes, marked)
    axes.plot([], [], "o", color="0.3", label="first rule for the learning rate")
    axes.plot([], [], "o", color="0.3", markerfacecolor="white", label="second rule")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    axes.set_xlabel(
        r"from the saddle: slope of $\log\tau$ against $\log|H_-|$   (slow $\leftarrow$ $\rightarrow$ fast)"
    )
    axes.set_ylabel(
        r"minima: $p$ of $\tau_{\mathrm{flat}}\sim\tau_{\mathrm{sharp}}^{1+p}$   (sharp $\leftarrow$ $\rightarrow$ flat)"
    )
    axes.set_title(result.study.title, fontsize=11)
    return figure


def _bars(estimate: list[float]) -> list[list[float]]:
    value, low, high = estimate
    return [[value - low], [high - value]]


def _divide(axes: Axes, claims: dict[str, Any], methods: dict[str, list[str]]) -> None:
    """The lines half way between the words, and the words in the corners."""
    for number, draw in ((0, axes.axhline), (1, axes.axvline)):
        for half in {_half_way(claims[pair[number]]) for pair in methods.values()}:
            draw(half, color="0.6", linewidth=1.0, linestyle="--", zorder=1)
    for x, y, words, across, up in (
        (0.01, 0.99, "slow, flat", "left", "top"),
        (0.99, 0.99, "fast, flat", "right", "top"),
        (0.01, 0.01, "slow, sharp", "left", "bottom"),
        (0.99, 0.01, "fast, sharp", "right", "bottom"),
    ):
        axes.text(x, y, words, transform=axes.transAxes, ha=across, va=up, color="0.5", fontsize=10, fontstyle="italic")


def _half_way(claim: Any) -> float:
    return round((claim.options["expected"] + claim.options["rival"]) / 2.0, 6)


def _name(axes: Axes, marked: list[tuple[str, float, float, str]]) -> None:
    """Names in a column to the right, as high as their points or as near as their number allows, with lines to them."""
    marked = sorted(marked, key=lambda mark: mark[2])
    low, high = axes.get_ylim()
    least = 1.0 / 22.0
    heights = np.array([(y - low) / (high - low) for _, _, y, _ in marked])
    order = np.arange(len(marked)) * least
    # The nearest heights that keep their distances: a running maximum, then down again from the top.
    heights = np.maximum.accumulate(heights - order) + order
    top = 1.0 - order[::-1]
    heights = np.minimum(heights, top)
    left, right = axes.get_xlim()
    for (name, x, y, colour), height in zip(marked, heights, strict=True):
        axes.annotate(
            name,
            (right if np.isnan(x) else x, y),
            (1.03, height),
            xycoords="data",
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=8.5,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3},
        )
    axes.set(xlim=(left, right), ylim=(low, high))
