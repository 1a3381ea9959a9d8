"""The random numbers put to the test: `python -m checks.random_numbers [--long]`, written to docs/random-numbers.md.

By default about ten minutes on two cores. The long form takes some hours: ten times the normals, eight to sixteen times the
bits, and the published batteries' longest forms, in the quick form only shown where an earlier run has kept them. A failure
ends with status 1.
"""

import functools
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from checks.random_numbers import external, normals, report, tails, variates
from checks.random_numbers.battery import Tally
from checks.random_numbers.power import power
from checks.random_numbers.streams import ENGINE, ORDERS, VIEWS, WORDS, Generator, Order, Stream
from checks.random_numbers.verdicts import Judged, Result, judge

AGAIN = 2**31  # the first particle of a repetition: no run of any length gets there
STEP_BY_STEP, ONE_PARTICLE = 2, 0  # orders that are read furthest


class Sizes(NamedTuple):
    """How much is drawn."""

    chunks: int  # of 2^21 words of 64 bits, of every order
    deep: int  # chunks of the orders that are read furthest
    draws: int  # normals
    variates: int
    far: int  # variates next to the end of a tail
    damage: float  # relative size of the deliberate errors of normals


QUICK = Sizes(8, 128, 10**9, 10**8, 10**7, 4e-4)
LONG = Sizes(64, 2048, 10**10, 10**9, 10**8, 1e-4)


class Source(NamedTuple):
    """Something whose statistics are judged, in a chapter of the report, with its size in words; run(first) gives results."""

    chapter: str
    name: str
    size: str
    run: Callable[[int], list[Result]]


def bits(
    order: Order, chunks: int, views: tuple[str, ...] = tuple(VIEWS), generator: Generator = ENGINE
) -> list[Result]:
    """The battery on all views of an order."""
    stream, tallies = Stream(order, generator), {view: Tally() for view in views}
    for _ in range(chunks):
        words = stream.words()
        for view, tally in tallies.items():
            tally.add(VIEWS[view](words))
    return [result for view, tally in tallies.items() for result in tally.results(f"{order.name}: {view}")]


def control(chunks: int, first: int) -> list[Result]:
    """The battery on another generator: what it finds there, it would find in a sound one."""
    generator, tally = np.random.PCG64(first + 1), Tally()
    for _ in range(chunks):
        tally.add(VIEWS["low and high"](generator.random_raw(WORDS)))
    return tally.results("NumPy's PCG64: low and high")


def sources(sizes: Sizes, long: bool, workers: int, seed: int) -> list[Source]:
    """All that is examined; orders with a seed of 1 take the given one."""
    orders = [order._replace(seed=seed) if order.seed == 1 else order for order in ORDERS]
    size = report.amount(sizes.chunks * WORDS)
    found = [
        Source("bits", o.name, size, lambda first, o=o: bits(o._replace(first=first), sizes.chunks)) for o in orders
    ]
    for number in (STEP_BY_STEP, ONE_PARTICLE):
        o = orders[number]
        deep = lambda first, o=o: bits(o._replace(first=first, name=f"{o.name}, far"), sizes.deep, ("low and high",))  # noqa: E731
        found.append(Source("bits", f"{o.name}, far", report.amount(sizes.deep * WORDS), deep))
    found.append(Source("bits", "NumPy's PCG64, for comparison", size, lambda first: control(sizes.chunks, first)))
    for examine, name in ((normals.examine, "normals"), (normals.examine_singles, "normals in single precision")):
        examined = functools.partial(examine, seed, sizes.draws, workers=workers)
        found.append(Source("normals", name, report.amount(sizes.draws), examined))
    for run, name in (
        (variates.heavy_tails, "heavy tails"),
        (variates.exponentials, "exponentials"),
        (variates.choices, "choices"),
    ):
        at = functools.partial(run, seed, sizes.variates)
        found.append(Source("normals", name, report.amount(sizes.variates), at))
    far = functools.partial(tails.far_tails, seed, sizes.far)
    found.append(Source("normals", "far tails", report.amount(sizes.far), far))
    return found + published(long)


def published(long: bool) -> list[Source]:
    """The batteries that are installed; a line for each that is not."""
    found = []
    crusher = external.testu01()
    if crusher is None:
        click.echo(
            "TestU01 is not installed (Debian: libtestu01-0-dev, outside its main archive): the rest runs without it"
        )
    else:
        for number, order in enumerate(ORDERS):
            for view in (0, 3):
                run = functools.partial(external.run, "SmallCrush", [crusher, "small"], number, view)
                found.append(Source("batteries", f"SmallCrush: {order.name}, {list(VIEWS)[view]}", "2e8", run))
    for name, command, words in (
        ("Crush", [crusher, "crush"] if crusher else None, "3.5e10"),
        ("dieharder", external.dieharder(), "6e10"),
    ):
        if command is None:
            continue
        for number in (STEP_BY_STEP, ONE_PARTICLE):
            if long or external.kept(name, number, 0).exists():
                run = functools.partial(external.run, name, command, number, 0)
                found.append(Source("batteries", f"{name}: {ORDERS[number].name}", words, run))
    if external.dieharder() is None:
        click.echo("dieharder is not installed (Debian: dieharder)")
    return found


@click.command()
@click.option("--long", is_flag=True, help="Some ten times as much, and the published batteries' longest forms.")
@click.option("--seed", default=1, show_default=True, help="Of every order that does not ask for one of its own.")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Threads.")
@click.option("--output", default="docs/random-numbers.md", show_default=True, type=click.Path(path_type=Path))
def main(long: bool, seed: int, workers: int, output: Path) -> None:
    """Put the random numbers to the test and write what was found."""
    sizes, began = LONG if long else QUICK, time.perf_counter()
    refused = power(sizes.damage, sizes.draws, sizes.far, seed, bits)
    judged: list[tuple[Source, list[Judged]]] = []

    def examine(source: Source) -> tuple[Source, list[Judged]]:
        again = functools.cache(lambda: {(r.test, r.data): r.p for r in source.run(AGAIN)})
        found = judge(source.run(0), lambda result: again()[result.test, result.data])
        click.echo(report.line(source.name, source.size, found))
        return source, found

    everything = sources(sizes, long, workers, seed)
    alone = [source for source in everything if source.chapter == "normals"]  # these bring threads of their own
    with ThreadPoolExecutor(workers) as pool:
        judged += pool.map(examine, [source for source in everything if source.chapter != "normals"])
    judged += map(examine, alone)
    output.write_text(report.document(judged, refused, seed, long, time.perf_counter() - began))
    failed = sum(j.failed for _, found in judged for j in found)
    unseen = [row.what for row in refused if not row.refused]
    click.echo(f"{failed} failed; deliberate errors not seen: {', '.join(unseen) or 'none'}; {output}")
    sys.exit(1 if failed or unseen else 0)


if __name__ == "__main__":
    main()
