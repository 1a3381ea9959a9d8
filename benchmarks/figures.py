"""The two figures, in the style of the studies' own."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from benchmarks.rounds import summary
from benchmarks.works import WORKS
from simdyn.study.figures.canvas import COLOURS, MARKERS, STYLE, THEORY

NAMES = ("simdyn", "NumPy", "Numba loop", "JAX", "torch", "diffrax", "torchsde", "optax", "OpenMM", "torch.optim",
         "simdyn, single")  # fmt: skip


def draw(found: dict[str, Any], folder: Path) -> None:
    """As PNG and SVG."""
    with mpl.rc_context(STYLE):
        if found.get("works"):
            _save(_rates(found["works"]), folder / "benchmarks")
        if found.get("growth"):
            _save(_growth(found["growth"]), folder / "growth")


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    figure.savefig(path.with_suffix(".png"), dpi=160, bbox_inches="tight")
    figure.savefig(path.with_suffix(".svg"), bbox_inches="tight", metadata={"Date": None})


def _rates(entries: list[dict]) -> Figure:
    """A block of works, a line each, a marker per contender; filled: one thread, open: all of them."""
    works = [work for work in WORKS if any(entry["work"] == work.name and entry["rates"] for entry in entries)]
    figure = Figure(figsize=(8.2, 1.3 + 0.62 * len(works)), layout="constrained")
    axes = figure.subplots()
    shown: dict[str, Any] = {}
    for line, work in enumerate(works):
        mine = [entry for entry in entries if entry["work"] == work.name and entry["rates"]]
        axes.axhspan(line - 0.5, line + 0.5, color="0.965" if line % 2 else "white", zorder=0)
        for place, entry in enumerate(mine):
            name = _known_as(entry["contender"])
            n = NAMES.index(name)
            colour, marker = COLOURS[n % len(COLOURS)], MARKERS[(n + n // len(COLOURS)) % len(MARKERS)]
            middle, least, greatest = summary(entry["rates"])
            height = line + 0.84 * ((place + 0.5) / len(mine) - 0.5)
            bar = axes.errorbar(
                [middle], [height], xerr=[[middle - least], [greatest - middle]], fmt=marker, color=colour, markersize=5,
                markerfacecolor=colour if entry["threads"] == "1" else "white", capsize=2, elinewidth=1.0,
            )  # fmt: skip
            shown[f"{name}, {_threads(entry)}"] = bar
    axes.set_xscale("log")
    axes.set_yticks(range(len(works)), [f"{work.name}\n{_short(work.title)}" for work in works])
    axes.set_ylim(len(works) - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("particle-steps per second (median, least to greatest)")
    axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=4, columnspacing=1.2, handletextpad=0.3
    )
    return figure


def _known_as(contender: str) -> str:
    """Its name in the legend: JAX for its scan and its while_loop."""
    return max((name for name in NAMES if contender.startswith(name)), key=len)


def _threads(entry: dict) -> str:
    return "1 thread" if entry["threads"] == "1" else "all threads"


def _short(title: str) -> str:
    """On two lines where one would be long."""
    if len(title) <= 24:
        return title
    middle = min((n for n, letter in enumerate(title) if letter == " "), key=lambda n: abs(n - len(title) / 2))
    return f"{title[:middle]}\n{title[middle + 1 :]}"


def _growth(found: dict[str, Any]) -> Figure:
    sweeps = {name: sweep for name, sweep in found.items() if name != "idle_bytes"}
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    axes = figure.subplots(2, len(sweeps), sharex="col", sharey="row")
    for column, (name, sweep) in enumerate(sweeps.items()):
        times = [summary(seconds) for seconds in sweep["seconds"]]
        sizes, colour, marker = sweep["sizes"], COLOURS[column], MARKERS[column]
        middle = [time[0] for time in times]
        spread = [[time[0] - time[1] for time in times], [time[2] - time[0] for time in times]]
        upper, lower = axes[:, column]
        upper.errorbar(
            sizes, middle, yerr=spread, fmt=marker, color=colour, markersize=4.5, capsize=2.5, label="measured"
        )
        linear = (middle[-1] - sweep["fixed"]) / sizes[-1]
        upper.plot(
            sizes, [sweep["fixed"] + linear * size for size in sizes], **THEORY, label="a fixed cost and a linear one"
        )
        upper.set(xscale="log", yscale="log")
        value, low, high = sweep["time_power"]
        upper.set_title(f"power {value:.3f} [{low:.3f}, {high:.3f}]\nbeside {1e3 * sweep['fixed']:.2g} ms a call")
        lower.plot(sizes, [peak / 1e6 for peak in sweep["peak_bytes"]], marker=marker, color=colour, markersize=4.5)
        lower.axhline(found["idle_bytes"] / 1e6, **THEORY, label="next to nothing simulated")
        lower.set_xlabel(name)
        lower.xaxis.set_major_locator(LogLocator(numticks=6))
        lower.xaxis.set_major_formatter(LogFormatterSciNotation())
    axes[0, 0].set_ylabel("seconds per call")
    axes[1, 0].set_ylabel("peak memory, MB")
    axes[1, 0].set_ylim(0.0, 1.2 * max(peak for sweep in sweeps.values() for peak in sweep["peak_bytes"]) / 1e6)
    axes[0, 0].legend(loc="upper left")
    axes[1, 0].legend(loc="lower left")
    return figure
