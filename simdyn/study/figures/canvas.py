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
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter, ScalarFormatter

from simdyn.model.records import InvalidInput
from simdyn.study.kinds import find_figure
from simdyn.study.results import StudyResult
from simdyn.study.store import write_whole

__all__ = [
    "COLOURS", "EXACT", "MARKERS", "STYLE", "THEORY", "Z", "Axes", "BoundaryNorm", "Figure", "ListedColormap", "NotDrawn",
    "NullFormatter", "Rectangle", "ScalarFormatter", "check_text", "draw_study", "grid", "points", "some",
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


class NotDrawn(Exception):
    """A figure that cannot be drawn, with the reason in one line."""


def draw_study(result: StudyResult, directory: Path) -> list[Path]:
    """Draw a study's figure as PNG and SVG, from the cells that have numbers; returns the files written, none where the study
    asks for no figure.

    Raises NotDrawn where it cannot be drawn; then pictures of an earlier run are removed, which would show something else.
    """
    if result.study.figure is None:
        return []
    paths = [directory / f"{result.name}.{suffix}" for suffix in _FORMATS]
    try:
        pictures = _draw(result.usable(samples=True), result.study.figure)
    except Exception as failure:
        for path in paths:
            path.unlink(missing_ok=True)
        reason = " ".join(str(failure).split())
        told = reason if isinstance(failure, InvalidInput) else f"{type(failure).__name__}: {reason}"
        raise NotDrawn(f"its figure cannot be drawn: {told}") from failure
    for path, picture in zip(paths, pictures, strict=True):
        write_whole(path, picture)
    return paths


_FORMATS: dict[str, dict[str, Any]] = {"png": {"dpi": 160}, "svg": {"metadata": {"Date": None}}}


def _draw(result: StudyResult, asked: dict[str, Any]) -> list[bytes]:
    options = {key: value for key, value in asked.items() if key != "kind"}
    pictures = []
    with mpl.rc_context(STYLE):
        figure = find_figure(asked).draw(result, options)
        FigureCanvasAgg(figure)
        _rasterise_long(figure)
        for suffix, extra in _FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, bbox_inches="tight", **extra)
            pictures.append(buffer.getvalue())
    return pictures


def _shown(x: np.ndarray) -> np.ndarray:
    """Which of so many points are drawn: all up to a thousand, of more as many, even in their order along x and in its
    logarithm, since marks with bars take half a minute by the hundred thousand and cover each other."""
    if x.size <= _MANY:
        return np.arange(x.size)
    ranks = np.concatenate([np.linspace(0, x.size - 1, _MANY // 2), np.geomspace(1, x.size, _MANY // 2) - 1.0])
    return np.argsort(x, kind="stable")[np.unique(np.rint(ranks).astype(int))]


def _rasterise_long(figure: Figure) -> None:
    """Let what consists of thousands of marks be pixels inside the SVG: as shapes they fill it with megabytes."""
    for line in figure.findobj(Line2D):
        line.set_rasterized(np.size(line.get_xdata()) > _MANY)
    for bars in figure.findobj(LineCollection):
        bars.set_rasterized(len(bars.get_segments()) > _MANY)


_MANY = 1000


def some(shown: list[Any]) -> list[Any]:
    """What a figure is to show; raises InvalidInput when there is nothing."""
    if not shown:
        raise InvalidInput("none of what it shows is there")
    return shown


def bars(log_value: Any, stderr: Any) -> Any:
    """What the 95 % interval of a logarithm means below and above the value itself, (2, n)."""
    log_value = np.asarray(log_value)
    return np.abs(np.exp(log_value + np.array([[-Z], [Z]]) * np.asarray(stderr)) - np.exp(log_value))


def points(axes: Axes, x: Any, y: Any, half: Any, n: int, label: str | None = None) -> None:
    """Points with error bars; of more than a thousand only some, see `_shown`."""
    shown = _shown(np.asarray(x))
    axes.errorbar(
        np.asarray(x)[shown],
        np.asarray(y)[shown],
        yerr=np.asarray(half)[..., shown],
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
