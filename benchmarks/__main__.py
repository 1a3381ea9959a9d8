"""`python -m benchmarks`: runs everything and writes the report; see --help."""

import os
import tempfile

os.environ["SIMDYN_CACHE_DIR"] = tempfile.mkdtemp(prefix="simdyn-benchmark-")  # first calls compile

import click

from benchmarks.contenders import gather, installed_peers
from benchmarks.peers import simdyn_engine
from benchmarks.rounds import race, summary
from benchmarks.works import WORKS


@click.command()
@click.option("--only")
def main(only):
    modules, skipped = installed_peers()
    for word in skipped: click.echo(word)
    for work in WORKS:
        if only and work.name not in only.split(";"): continue
        click.echo(work.name)
        for e in race(work, gather(work, [simdyn_engine, *modules]), simdyn_engine.expected(work.problem), 3.0, click.echo):
            click.echo(f"{e['contender']} {e['threads']} {e['particles']} first {e['first_call']:.2f} {summary(e['rates']) if e['rates'] else e['refused']} {e['found']} {e['check_resolves']:.3f}")

main()
