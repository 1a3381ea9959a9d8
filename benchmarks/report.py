"""The report: Markdown from what was measured, which is kept as JSON."""

import re
from typing import Any

from benchmarks.contenders import SIGMAS
from benchmarks.rounds import summary
from benchmarks.works import WORKS


def markdown(found: dict[str, Any]) -> str:
    """Everything that was measured, a section each."""
    sections = [_head(found)]
    for part, section in (("works", _works), ("startup", _startup), ("studies", _studies), ("growth", _growth)):
        if part in found:
            sections.append(section(found[part], found))
    sections += [f"## {title}\n\n{text}" for title, text in found.get("others", {}).items()]
    return "\n\n".join(sections) + "\n"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """In Markdown, first column left and the others right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(found: dict[str, Any]) -> str:
    machine = found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    load = "" if found["load"] is None else f" Load before it began: {found['load']:.1f} processors."
    lines = [
        "# Benchmarks",
        "Written by `make bench`; do not edit.",
        f"{machine['processor']}, {machine['vectors']}, {machine['processors']} processors; {machine['system']}.{load} "
        f"Python {machine['python']}, {versions}.",
        *(["**A quick run with a sixteenth of the particles: not to be quoted.**"] if found["quick"] else []),
        *[f"{word}." for word in found["skipped"]],
    ]
    return "\n\n".join(lines)


def _works(entries: list[dict], found: dict[str, Any]) -> str:
    text = f"""## Simulating

![Particle-steps per second](../figures/benchmarks.svg)

Unit: particle-steps per second, one particle and one step, with all its coordinates, their normals and forces and the exit
test where there is one; median (least to greatest) of rounds in which all take turns. A first passage counts the steps until
each particle has left: who lets particles move on until the last has left pays for it. The double well has barrier 1 at
temperature 1/3, dt is 0.005 (W3: 0.02); all begin at the minimum, all in double precision unless remarked. Where more
particles would not make a contender faster, or would take too long, it has fewer. *First call* holds compilation; simdyn's
second line finds the kernels of its first. *Found* is the mean squared displacement at the end, or the mean number of steps,
with its standard error: it must lie within {SIGMAS:g} combined standard errors of simdyn's own, of some 65,536 coordinates, or
the time is not shown; *resolves* is the relative deviation that would have been refused."""
    for entry in entries:
        if entry["work"] == "W2" and entry["contender"] == "simdyn" and entry["threads"] == "1" and entry["rates"]:
            text += f"""

W2's mean is known without sampling: {found["exact"]:.1f} steps, for this chain, seen at the ends of its steps. simdyn finds
{_found(entry)}."""
    parts = [text]
    for work in WORKS:
        mine = [entry for entry in entries if entry["work"] == work.name]
        if mine:
            parts.append(f"### {work.name}: {work.title}\n\n{_one_work(mine)}")
    return "\n\n".join(parts)


def _one_work(entries: list[dict]) -> str:
    unit = next((summary(entry["rates"])[0] for entry in entries if entry["rates"]), 1.0)
    heads = [
        "contender",
        "threads",
        "particles",
        "particle-steps per second",
        "of simdyn's",
        "first call, s",
        "found",
        "resolves",
    ]
    rows, refused, remarks = [], [], []
    for entry in entries:
        name = entry["contender"] + ("*" if entry["remark"] else "")
        if entry["rates"]:
            middle, least, greatest = summary(entry["rates"])
            rows.append([
                name, entry["threads"], f"{entry['particles']:,}", f"{middle:.3g} ({least:.2g} to {greatest:.2g})",
                f"{middle / unit:.3g}", f"{entry['first_call']:.2f}", _found(entry), f"{100 * entry['check_resolves']:.0f} %",
            ])  # fmt: skip
        else:
            refused.append(f"{entry['contender']} ({entry['threads']}) is not timed: it {entry['refused']}.")
        if entry["remark"]:
            remarks.append(f"\\* {entry['contender']}: {entry['remark']}.")
    return "\n\n".join([table(heads, rows), *refused, *remarks])


def _found(entry: dict) -> str:
    """Mean and standard error, to two digits of the error."""
    mean, error = entry["found"]["mean"], entry["found"]["error"]
    digits = max(0, 1 - int(f"{error:e}".split("e")[1])) if error else 6
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _startup(found: dict, _: Any) -> str:
    commands = [[name, *map(_seconds, values)] for name, values in found["commands"].items()]
    calls = [
        [
            f"{name}: {next(work.title for work in WORKS if work.name == name)}",
            *(_spread(values) for values in cases.values()),
        ]
        for name, cases in found["combinations"].items()
    ]
    return f"""## Start-up

Seconds in a fresh process, median, least and greatest.

{table(["command", "median", "least", "greatest"], commands)}

The first simulation of a combination of records in a fresh process, imports apart: with an empty kernel cache; with another
combination's kernels there, which share parts; and after an earlier process compiled it.

{table(["combination", "nothing compiled", "another one compiled", "compiled before"], calls)}"""


def _studies(found: dict, _: Any) -> str:
    rows = [
        [
            f"{name}, {'no kernels' if case == 'cold' else 'kernels there'}",
            *(_seconds(values[0]) for values in stages.values()),
        ]
        for name, cases in found.items()
        for case, stages in cases.items()
    ]
    heads = ["study", *next(iter(next(iter(found.values())).values()))]
    return f"""## A study, end to end

Seconds of `simdyn run FILE` with an empty results folder, from the process's start to its end, median. *Compiling* is Numba's
own account; *the rest* is Python's start, imports, checks, estimates, verdicts and writing.

{table(heads, rows)}"""


def _growth(found: dict, _: Any) -> str:
    rows = []
    for name, sweep in found.items():
        if name != "idle_bytes":
            low, high = sweep["sizes"][0], sweep["sizes"][-1]
            rows.append([
                f"{name}, {low:,} to {high:,}", _power(sweep["time_power"]), f"{1e3 * sweep['fixed']:.2g}",
                f"{_megabytes(sweep['peak_bytes'][0])} to {_megabytes(sweep['peak_bytes'][-1])}",
            ])  # fmt: skip
    heads = ["growing", "power of time", "fixed cost, ms", "peak memory, MB"]
    return f"""## Growth

![Time and memory](../figures/growth.svg)

Momentum on a saddle, one thread, a fresh process per point; five calls each. The power p of time = fixed + unit size^p, fitted
to the medians over four decades, with its 95 % interval, and the fixed cost of a call. A process that
simulates next to nothing takes {_megabytes(found["idle_bytes"])} MB.

{table(heads, rows)}"""


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _spread(values: list[float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} to {values[2]:.2f})"


def _power(values: list[float]) -> str:
    return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.0f}"


def tables_of(text: str) -> str:
    """What a script printed: its Markdown table."""
    return "\n".join(re.findall(r"^\|.*$", text, re.MULTILINE))
