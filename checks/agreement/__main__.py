"""Do the three routes agree wherever they answer without a warning? `python -m checks.agreement [--minutes 60]`.

Settings are drawn one after another over all registered records (see `draw`); each is answered by simulation, exact numerics
and formulas (see `routes`), and every pair of answers is held against the errors that they state (see `judge`). Ends with
status 1 where any disagree.
"""

import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from checks.agreement import draw, judge, routes

MEASURES = {
    "escape": (draw.escape, routes.escape_answers),
    "displacement": (draw.displacement, routes.displacement_answers),
}


class Examined(NamedTuple):
    """What came of one setting, in words that another process can hand on."""

    measure: str
    answers: list[tuple[str, str]]  # route, and why it is silent
    wrong: list[str]


def examine(measure: str, number: int, seed: int) -> tuple[draw.Setting, list[routes.Answer], list[judge.Disagreement]]:
    """One setting, its answers, and which of them disagree."""
    make, ask = MEASURES[measure]
    setting = make(number, seed)
    answers = ask(setting, seed)
    return setting, answers, judge.disagreements(setting, answers)


def examined(measure: str, number: int, seed: int) -> Examined:
    """The same in words; what fails otherwise than by refusing is a disagreement of its own."""
    try:
        _, answers, found = examine(measure, number, seed)
    except Exception as failure:
        return Examined(measure, [], [f"{measure}, setting {number}: {type(failure).__name__}: {failure}"])
    told = [(answer.route, answer.silent) for answer in answers]
    return Examined(measure, told, [f"{measure}, {one}" for one in found])


def examine_many(measures: list[str], first: int, seed: int, minutes: float, workers: int) -> Iterator[Examined]:
    """Settings from number `first` on, until the time is over."""
    end = time.monotonic() + 60.0 * minutes
    tasks = ((number, measure) for number in itertools.count(first) for measure in measures)
    waiting: list[Future[Examined]] = []
    with ProcessPoolExecutor(workers) as pool:
        while time.monotonic() < end or waiting:
            while time.monotonic() < end and len(waiting) < 2 * workers:
                number, measure = next(tasks)
                waiting.append(pool.submit(examined, measure, number, seed))
            yield waiting.pop(0).result()


class Counts:
    """How many settings, answers of each route, and pairs of routes compared; and the disagreements."""

    def __init__(self) -> None:
        self.settings: Counter[str] = Counter()
        self.spoken: Counter[tuple[str, str]] = Counter()
        self.silent: Counter[tuple[str, str]] = Counter()
        self.pairs: Counter[tuple[str, str, str]] = Counter()
        self.wrong: list[str] = []

    def add(self, found: Examined) -> None:
        self.settings[found.measure] += 1
        for route, silence in found.answers:
            (self.silent if silence else self.spoken)[found.measure, route] += 1
        speaking = [route for route, silence in found.answers if not silence]
        self.pairs.update((found.measure, *pair) for pair in itertools.combinations(speaking, 2))
        self.wrong += found.wrong

    def page(self, seed: int, minutes: float) -> str:
        """The counts as a page of Markdown."""
        total, compared = sum(self.settings.values()), sum(self.pairs.values())
        lines = [
            "# Where simulation, exact numerics and formulas agree",
            "",
            f"`make check-agreement` on {time.strftime('%Y-%m-%d')}, {minutes:g} minutes, seed {seed}: **{total:,} settings, "
            f"{compared:,} pairs of answers compared, {len(self.wrong)} disagreements**.",
            "",
            "Settings are drawn at random over all registered landscapes, noises, methods and boundaries and some that a user",
            "might write, in one to three dimensions. A pair of routes agrees where both answer without a warning and differ by",
            f"less than {judge.SIGMA:g} standard errors of sampling and the errors that both state; formulas that state none may",
            f"be off by a factor of {routes.STATED_FACTOR:g}. A route is silent that refuses, warns, or takes longer than",
            f"{routes.LONGEST_WAIT:g} s.",
            "",
            "| measure | route | answers | silent |",
            "|---|---|---|---|",
        ]
        for key in sorted({*self.spoken, *self.silent}):
            lines.append(f"| {key[0]} | {key[1]} | {self.spoken[key]:,} | {self.silent[key]:,} |")
        lines += ["", "| measure | pair | compared |", "|---|---|---|"]
        lines += [
            f"| {measure} | {one}, {other} | {count:,} |" for (measure, one, other), count in sorted(self.pairs.items())
        ]
        if self.wrong:
            lines += ["", "## Disagreements", "", *(f"- {line}" for line in self.wrong)]
        return "\n".join(lines) + "\n"


@click.command()
@click.option("--minutes", default=60.0, help="How long to go on.")
@click.option("--seed", default=1, help="Of the settings and of the particles.")
@click.option("--first", default=0, help="Number of the first setting.")
@click.option("--only", type=click.Choice(list(MEASURES)), default=None, help="One measure alone.")
@click.option("--workers", default=2, help="Processes.")
@click.option("--into", type=click.Path(path_type=Path), default=None, help="A file for the page of counts.")
def main(minutes: float, seed: int, first: int, only: str | None, workers: int, into: Path | None) -> None:
    """Settings at random, each answered by every route, until the time is over."""
    counts = Counts()
    for found in examine_many([only] if only else list(MEASURES), first, seed, minutes, workers):
        counts.add(found)
        for line in found.wrong:
            click.echo(line, err=True)
    page = counts.page(seed, minutes)
    click.echo(page)
    if into is not None:
        into.write_text(page, encoding="utf-8")
    sys.exit(1 if counts.wrong else 0)


if __name__ == "__main__":
    main()
