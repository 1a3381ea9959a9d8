"""Do the three routes agree wherever they answer without a warning? `python -m checks.agreement [--minutes 60]`.

Settings are drawn one after another over all registered records (see `draw`); each is answered by simulation, exact numerics
and formulas (see `routes`), and every pair of answers is held against the errors that they state (see `judge`). Ends with
status 1 where any disagree.
"""

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import click

from checks.agreement import draw, judge, routes

MEASURES = {
    "escape": (draw.escape, routes.escape_answers),
    "displacement": (draw.displacement, routes.displacement_answers),
}


def examine(measure: str, number: int, seed: int) -> tuple[Any, list[routes.Answer], list[judge.Disagreement]]:
    """One setting, its answers, and which of them disagree."""
    make, ask = MEASURES[measure]
    setting = make(number, seed)
    if setting is None:
        return None, [], []
    answers = ask(setting, seed)
    return setting, answers, judge.disagreements(setting, answers)


def _examined(task: tuple[str, int, int]) -> tuple[str, int, list[tuple[str, str]], list[str]]:
    """For another process: what was answered and what disagrees, in words."""
    measure, number, seed = task
    try:
        setting, answers, found = examine(measure, number, seed)
    except Exception as failure:  # a traceback for what a user may ask is a disagreement of its own
        return measure, number, [], [f"{measure}, setting {number}: {type(failure).__name__}: {failure}"]
    return (
        measure,
        number,
        [(answer.route, answer.silent) for answer in answers],
        [f"{measure}, {one}" for one in found],
    )


@click.command()
@click.option("--minutes", default=60.0, help="How long to go on.")
@click.option("--seed", default=1, help="Of the settings and of the particles.")
@click.option("--first", default=0, help="Number of the first setting.")
@click.option("--only", type=click.Choice(list(MEASURES)), default=None, help="One measure alone.")
@click.option("--workers", default=2, help="Processes.")
def main(minutes: float, seed: int, first: int, only: str | None, workers: int) -> None:
    """Settings at random, each answered by every route, until the time is over."""
    end, spoken, silent, settings, wrong = time.monotonic() + 60.0 * minutes, Counter(), Counter(), Counter(), []
    measures = [only] if only else list(MEASURES)
    with ProcessPoolExecutor(workers) as pool:
        number, waiting = first, []
        while time.monotonic() < end or waiting:
            while time.monotonic() < end and len(waiting) < 2 * workers:
                waiting += [pool.submit(_examined, (measure, number, seed)) for measure in measures]
                number += 1
            measure, _, answers, told = waiting.pop(0).result()
            settings[measure] += 1
            for route, silence in answers:
                (silent if silence else spoken)[measure, route] += 1
            for line in told:
                wrong.append(line)
                click.echo(line)
    click.echo(f"{sum(settings.values())} settings (seed {seed}), of which {len(wrong)} disagreements")
    for measure, route in sorted(set(spoken) | set(silent)):
        click.echo(
            f"  {measure}, {route}: {spoken[measure, route]} answers, {silent[measure, route]} refused or warned"
        )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
