"""Writes the README's table of verdicts and docs/verdicts.md: `python docs/verdicts.py [results]`, after `make reproduce`.

The README shows the claims of the paper one by one, in the order of `STUDIES`; of studies with many claims of our own it
counts the verdicts.
"""

import collections
import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
STUDIES = [
    "msd_growth",
    "msd_curvature",
    "escape_sharpness",
    "escape_hyperparameters",
    "langevin_limits",
    "fokker_planck",
    "noise_convention",
    "turnover",
    "validity",
    "validity_displacement",
]
LONGEST = 125  # characters of a row's numbers


def shortened(numbers: str) -> str:
    """The numbers of a verdict at its first setting, in a line."""
    first = numbers.split("; again")[0]
    fit = r"A/theory (\S+ ± \S+), power (\S+ \[.*?\])"
    both = re.match(rf"raw: A/theory (\S+) ± .*?; corrected: {fit}", first)
    if both:
        return f"A/theory {both[2]} (raw {both[1]}), power {both[3]}"
    for long, short in (("measured/", "over "), ("formula/exact - 1:", "formula over exact"), (" - 1:", "")):
        first = first.replace(long, short)
    kept = ""
    for part in first.split("; "):
        if kept and (len(kept) + len(part) > LONGEST or part.startswith("of all")):
            break
        kept += f"; {part}" if kept else part
    kept = re.split(r", (?:claimed|of the exact chain)", kept)[0]
    return kept if len(kept) <= LONGEST else kept[:LONGEST].rstrip() + " …"


def cell(text: str) -> str:
    return text.replace("|", r"\|")


def link(study: str) -> str:
    return f"[{study}](figures/{study}.png)"


def tables(studies: dict[str, dict]) -> str:
    """The README's section."""
    lines = ["| claim | study, figure | verdict | measured |", "|---|---|---|---|"]
    for name in STUDIES:
        for verdict in studies[name]["verdicts"]:
            row = (verdict["says"], link(name), f"**{verdict['verdict']}**", shortened(verdict["numbers"]))
            lines.append(f"| {' | '.join(map(cell, row))} |")
    rest = [name for name in studies if name not in STUDIES]
    lines += ["", "Studies with many claims, all of them in [docs/verdicts.md](docs/verdicts.md):", ""]
    lines += ["| study, figure | claims | verdicts |", "|---|---|---|"]
    for name in rest:
        counted = collections.Counter(verdict["verdict"] for verdict in studies[name]["verdicts"])
        said = ", ".join(f"{count} {verdict}" for verdict, count in counted.most_common())
        lines.append(f"| {link(name)} | {counted.total()} | {said} |")
    return "\n".join(lines)


def main() -> None:
    results = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    studies = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    all_of_them = (results / "verdicts.md").read_text(encoding="utf-8")
    head = "# All verdicts\n\nWritten by `python docs/verdicts.py` from what `make reproduce` found.\n\n"
    (DOCS / "verdicts.md").write_text(head + all_of_them, encoding="utf-8")
    readme = DOCS.parent / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition("## The verdicts\n")
    _, mark, after = rest.partition('\n"Agrees once corrected" says how')
    readme.write_text(f"{before}## The verdicts\n\n{tables(studies)}\n{mark}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
