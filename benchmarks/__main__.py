"""`python -m benchmarks`: measures and writes the report; see --help."""

import atexit
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ["SIMDYN_CACHE_DIR"] = tempfile.mkdtemp(prefix="simdyn-benchmark-")  # so that first calls compile

import click

from benchmarks import figures, fresh, growth, report, startup, studies
from benchmarks.contenders import gather, installed_peers, refusal
from benchmarks.machine import describe, load
from benchmarks.peers import simdyn_engine
from benchmarks.rounds import race
from benchmarks.works import PASSAGE, WORKS, exact_mean

PARTS = ("works", "startup", "studies", "growth", "others")
SCRIPTS = {
    "What exact answers cost": ["benchmarks/exact.py", "1"],
    "What a formula costs beside the landscape by hand": ["benchmarks/expression.py", "8192", "5"],
}
RESULTS, PAGE, FIGURES = Path("benchmarks/results.json"), Path("docs/benchmarks.md"), Path("figures")
IN_THE_BACKGROUND = ("numpy", "scipy", "matplotlib")


def measure_works(names, modules, budget, quick):
    """Every work's entries, in the order of the report."""
    entries = []
    for work in WORKS:
        if not names or work.name in names:
            click.echo(f"{work.name}: {work.title}")
            if quick:
                work = work._replace(
                    particles=work.particles // 16 if work.particles > 1000 else work.particles, rounds=2
                )
            contenders = gather(work, [simdyn_engine, *modules])
            problem = work.problem
            entries += race(
                work, contenders, lambda problem=problem: simdyn_engine.expected(problem), budget, click.echo
            )
    return entries


def measure_others():
    """The tables of the scripts that stand alone."""
    found = {}
    for title, arguments in SCRIPTS.items():
        click.echo(title)
        found[title] = report.tables_of(fresh.run(arguments, Path(os.environ["SIMDYN_CACHE_DIR"]))[1])
    return found


@click.command()
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only this; repeatable.")
@click.option(
    "--work", "names", multiple=True, type=click.Choice([work.name for work in WORKS]), help="Only this; repeatable."
)
@click.option("--budget", default=3.0, show_default=True, help="Seconds of warm calls per contender and work.")
@click.option("--quick", is_flag=True, help="A sixteenth of the particles, two rounds: a first look.")
@click.option("--redraw", is_flag=True, help="Measure nothing: report and figures from what is kept.")
@click.option(
    "--into",
    default=".",
    type=click.Path(path_type=Path),
    help="Folder of benchmarks/, docs/ and figures/ to write to.",
)
def main(parts, names, budget, quick, redraw, into):
    """Measure simdyn beside its peers, its start-up and its growth; write docs/benchmarks.md, figures/ and results.json.

    Parts measured anew replace those in results.json; the others stay.
    """
    atexit.register(shutil.rmtree, os.environ["SIMDYN_CACHE_DIR"], ignore_errors=True)
    began, kept = time.perf_counter(), into / RESULTS
    for path in (RESULTS, PAGE, FIGURES / "any"):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(kept.read_text()) if kept.exists() and (redraw or parts) else {}
    if not redraw:
        found |= measure(parts or PARTS, names, budget, quick)
        kept.write_text(json.dumps(found, indent=1) + "\n")
    text = report.markdown(found)
    (into / PAGE).write_text(text)
    figures.draw(found, into / FIGURES)
    click.echo(text)
    click.echo(f"{time.perf_counter() - began:.0f} s; written to {into / PAGE}, {into / FIGURES} and {kept}.")


def measure(parts, names, budget, quick):
    """What is asked for, as plain JSON."""
    modules, skipped = installed_peers()
    for word in skipped:
        click.echo(word)
    packages = [package for module in [simdyn_engine, *modules] for package in module.PACKAGES]
    found = {
        "machine": describe(dict.fromkeys([*packages, *IN_THE_BACKGROUND])),
        "skipped": skipped,
        "load": load(),
        "quick": quick,
    }
    repeats = 1 if quick else 3
    if "works" in parts:
        found["works"] = measure_works(names, modules, budget, quick)
        found["exact"] = exact_mean()
        own = simdyn_engine.expected(PASSAGE)
        if words := refusal(own, own._replace(mean=0 * own.mean + found["exact"], error=0 * own.error)):
            raise SystemExit(f"W2: simdyn itself {words}")
    if "startup" in parts:
        click.echo("start-up")
        found["startup"] = startup.measure(repeats, click.echo)
    if "studies" in parts:
        click.echo("studies")
        found["studies"] = studies.measure(repeats, click.echo)
    if "growth" in parts:
        click.echo("growth")
        found["growth"] = growth.measure(click.echo)
    if "others" in parts:
        found["others"] = measure_others()
    return found


if __name__ == "__main__":
    main()
