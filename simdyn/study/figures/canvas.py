"""What all figures share: style, points with error bars, grids of panels, and how a figure becomes files.

The only file that imports matplotlib. Colours are Okabe and Ito's, told apart by the colour-blind; series also differ in marker.
"""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter, ScalarFormatter

from simdyn.model.records import InvalidInput
from simdyn.study.kinds import find_figure
from simdyn.study.results import StudyResult
from simdyn.study.store import write_whole

__all__ = [
    "COLOURS", "EXACT", "MARKERS", "STYLE", "THEORY", "Z", "Axes", "BoundaryNorm", "Figure", "ListedColormap",
    "NullFormatter", "Rectangle", "ScalarFormatter",    "check_text", "draw_study", "grid", "points",
]  # fmt: skip

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
THEORY: dict[str, Any] = {"color": "0.25", "linestyle": (0, (5, 2)), "linewidth": 1.3}
EXACT: dict[str, Any] = {"color": "black", "linestyle": "-", "linewidth": 1.1}
STYLE: Any = {
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
Z = 1.959964


def check_text(text: str) -> None:
    """Refuse text whose mathematics ($...$) cannot be drawn."""
    if text.replace(r"\$", "").count("$") % 2 == 0 and "$" in text:
        try:
            MathTextParser("path").parse(text)
        except ValueError as failure:
            raise InvalidInput(f"'{text}' cannot be drawn, write \\$ for a dollar: {failure}") from None


def draw_study(result: StudyResult, directory: Path) -> list[Path]:
    """Draw a study's figure as PNG and SVG; returns the files written, none where the study asks for no figure."""
    if result.study.figure is None:
        return []
    options = {key: value for key, value in result.study.figure.items() if key != "kind"}
    with mpl.rc_context(STYLE):
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


def bars(log_value: Any, stderr: Any) -> Any:
    """What the 95 % interval of a logarithm means below and above the value itself, (2, n)."""
    log_value = np.asarray(log_value)
    return np.abs(np.exp(log_value + np.array([[-Z], [Z]]) * np.asarray(stderr)) - np.exp(log_value))


def points(axes: Axes, x: Any, y: Any, half: Any, n: int, label: str | None = None) -> None:
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


def grid(columns: int, width: float, heights: tuple[float, ...], blocks: int = 1) -> tuple[Figure, np.ndarray]:
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
