"""The measured columns of optimizers.md: verdicts, distance from published implementations, and speed beside Adam's.

`python docs/optimizers.py results` writes the columns of exponents, saddles and minima from the verdicts of
`make reproduce` in that folder. Without a folder it prints, for every optimizer, the largest distance from each recorded path of
tests/data/peers.json, in positions of order 1, and its time per step over Adam's: one thread, two coordinates of a saddle,
constant noise, turns taken with Adam, the best of several. Another machine gives other ratios.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

import simdyn as sd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from sequence import follow, gradients  # noqa: E402

STEPS, PARTICLES, ROUNDS = 1000, 4096, 9


def verdicts(results: Path) -> dict[tuple[str, str], dict]:
    """Verdicts by study and claim."""
    studies = ("escape_sharpness", "sharpness_of_optimizers", "closing_table")
    return {
        (study, verdict["claim"].split(",")[0]): verdict
        for study in reversed(studies)
        for verdict in reversed(json.loads((results / f"{study}.json").read_text(encoding="utf-8"))["verdicts"])
    }


def columns(name: str, found: dict[tuple[str, str], dict]) -> tuple[str, str, str]:
    """Exponent, slope at saddles and minima selection of an optimizer, in words."""
    study = "escape_sharpness" if ("escape_sharpness", name) in found else "sharpness_of_optimizers"
    verdict = found[study, "signSGD" if name == "SignSGD" else name]
    fit = re.search(r"corrected: A/theory (\S+ ± [\d.]+), power (\S+ \[.*?\])", verdict["numbers"])
    exponent = f"{fit[2]}; A/theory {fit[1]}: {verdict['verdict']}"
    closing = {claim: verdict for (study, claim), verdict in found.items() if study == "closing_table"}
    speed = "slowly" if f"{name} escapes slowly" in closing else "fast"
    side = "flat" if f"{name} selects flat" in closing else "sharp"
    leaving, choosing = closing[f"{name} escapes {speed}"], closing[f"{name} selects {side}"]
    slope = re.match(r"slope of log tau (\S+ ± [\d.]+)", leaving["numbers"])[1]
    power = re.search(r"\(1 \+ p\), (p \S+ ± [\d.]+)", choosing["numbers"])[1]
    return (
        exponent,
        f"{slope}; {speed.removesuffix('ly')}: {leaving['verdict']}",
        f"{power}; {side}: {choosing['verdict']}",
    )


def rewrite(results: Path) -> None:
    """The table's columns from the verdicts."""
    found = verdicts(results)
    lines = (page := HERE / "optimizers.md").read_text(encoding="utf-8").split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith("| dynamics | largest distance"))
    for n in range(first + 2, len(lines)):
        cells = lines[n].strip("| ").split(" | ")
        if len(cells) != 7:
            break
        if cells[0] not in ("Overdamped", "Inertial"):
            cells[3:6] = columns(cells[0], found)
            lines[n] = f"| {' | '.join(cells)} |"
    page.write_text("\n".join(lines), encoding="utf-8")


def distances() -> None:
    """Largest distance from the peers' positions."""
    table = json.loads((HERE.parent / "tests" / "data" / "peers.json").read_text())
    for entry in table["paths"]:
        ours = follow(getattr(sd, entry["method"])(**entry["fields"]), gradients())[table["steps"]]
        off = np.max(np.abs(ours - entry["positions"]))
        sys.stdout.write(f"{entry['method']:10s} {entry['name']:26s} {entry['peer']} {entry['version']}: {off:.0e}\n")


def seconds(dynamics: object) -> float:
    """Processor time per particle-step."""
    began = time.process_time()
    sd.displacement(
        dynamics, sd.Saddle((-0.01, 0.02)), sd.ConstantNoise(1.0), start=0.0, particles=PARTICLES, record_at=[STEPS],
        workers=1, progress=False,
    )  # fmt: skip
    return (time.process_time() - began) / (PARTICLES * STEPS)


def speeds() -> None:
    """Best time over Adam's best time."""
    adam = sd.Adam(1e-3)
    for name, made in sorted(sd.REGISTRY["dynamics"].items()):
        dynamics = made(1e-3)
        seconds(dynamics)
        seconds(adam)
        rounds = [(seconds(dynamics), seconds(adam)) for _ in range(ROUNDS)]
        own, its = (min(each[n] for each in rounds) for n in (0, 1))
        sys.stdout.write(f"{name:10s} {1e9 * own:6.2f} ns, over Adam's {own / its:.2f}\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rewrite(Path(sys.argv[1]))
    else:
        distances()
        speeds()
