"""Exact answers that take too long for a run, as lines for a study file: `python docs/exact_answers.py STUDY SERIES...`

Prints, cell by cell, the answer and its error, rounded up; then `exact = [[value, error], ...]` for each of the series named.
"""

import math
import time
from pathlib import Path

import click

from simdyn import exact
from simdyn.model.records import InvalidInput
from simdyn.study.cells import Cell, expand
from simdyn.study.files import find_studies


def answer(cell: Cell) -> str:
    """[value, error] of a cell, the error not below what was found."""
    if cell.measure != "escape":
        raise InvalidInput("exact answers may be stated where a study measures escape")
    found = exact.mean_first_passage(cell.dynamics, cell.landscape, cell.noise, cell.boundary, cell.start)
    if math.isinf(found.value):
        raise InvalidInput(f"the mean escape time is 10^{found.log10:.6g}, which no double holds")
    value = float(f"{found.value:.6g}")
    error = found.error + abs(value - found.value)
    unit = 10.0 ** (math.floor(math.log10(error)) - 1) if error > 0.0 else 1.0
    return f"[{value!r}, {float(f'{math.ceil(error / unit) * unit:.2g}')!r}]"


@click.command(help=__doc__)
@click.argument("study", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("series", nargs=-1, required=True)
def main(study: Path, series: tuple[str, ...]) -> None:
    try:
        cells = [cell for name, found in find_studies([study]).items() for cell in expand(name, found)]
        known = list(dict.fromkeys(cell.series for cell in cells))
        if unknown := [name for name in series if name not in known]:
            raise InvalidInput(f"{study} has no series '{unknown[0]}'; it has {', '.join(known)}")
        for name in series:
            answers = []
            for cell in (cell for cell in cells if cell.series == name):
                began = time.perf_counter()
                answers.append(answer(cell))
                click.echo(f"# {name}, {cell.point}: {answers[-1]}, {time.perf_counter() - began:.0f} s")
            click.echo(f"exact = [{', '.join(answers)}]   # {name}")
    except InvalidInput as refusal:
        raise click.UsageError(str(refusal)) from None


if __name__ == "__main__":
    main()
