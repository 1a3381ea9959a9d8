"""Exact answers that take too long for a run, as lines for a study file: `python docs/exact_answers.py STUDY SERIES...`

Prints, cell by cell, the answer and its error; then `exact = [[value, error], ...]` for each of the series named.
"""

import time
from pathlib import Path

import click

from simdyn import exact
from simdyn.study.cells import expand
from simdyn.study.schema import read_study


@click.command(help=__doc__)
@click.argument("study", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("series", nargs=-1, required=True)
def main(study: Path, series: tuple[str, ...]) -> None:
    cells = expand(study.stem, read_study(study))
    known = list(dict.fromkeys(cell.series for cell in cells))
    if unknown := [name for name in series if name not in known]:
        raise click.UsageError(f"{study} has no series '{unknown[0]}'; it has {', '.join(known)}")
    for name in series:
        answers = []
        for cell in (cell for cell in cells if cell.series == name):
            began = time.perf_counter()
            found = exact.mean_first_passage(cell.dynamics, cell.landscape, cell.noise, cell.boundary, cell.start)
            answers.append(f"[{found.value:.6g}, {found.error:.2g}]")
            click.echo(f"# {name}, {cell.point}: {answers[-1]}, {time.perf_counter() - began:.0f} s")
        click.echo(f"exact = [{', '.join(answers)}]   # {name}")


if __name__ == "__main__":
    main()
