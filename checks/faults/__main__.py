"""What happens to a run of studies when things go wrong? `python -m checks.faults [--kills 100]`.

A small study is harmed in four ways (see `harm`), and each time judged against an undisturbed run of it (see `trial`). Ends with
status 1 where anything has failed.
"""

import sys
import tempfile
import time
from pathlib import Path

import click

from checks.faults import harm, trial

WHAT = {
    "killed runs": "Runs are killed (SIGKILL, with all their processes) at a time drawn uniformly over a run's duration, up "
    "to five times in a row, then let to their end. After every kill each stored cell must be whole; at the end the table "
    "must be that of an undisturbed run, byte for byte, and `simdyn clean --yes` must leave no unfinished file.",
    "torn results": "Every stored file of results (cells, table, provenance, verdicts), one at a time, is emptied, cut in "
    "half, has one byte flipped, or has another file's content. `simdyn show` must say the same, refuse in one line, or say "
    "that the claim is undecided because of damage; `simdyn run` must end with exit code 0 and the same table, and `show` "
    "must then say the same. These commands run in the process of the check.",
    "torn kernels": "The same for compiled kernels: all files of the cache at once, one at a time where another's content "
    "takes their place. A run must end with exit code 0, never by a signal, and give the same table.",
    "full disk": "Files may not grow beyond a size (RLIMIT_FSIZE; 0 to 40,000 bytes), the disk is too small at the start, or "
    "is filled at a random time of the run. The run must refuse in one line with an exit code other than 0, or be complete; "
    "nothing may be half-written, and a run with room must complete it.",
    "two runs at once": "Two runs of the same study into the same folders start together; both must end with exit code 0 "
    "and give the same table.",
}  # fmt: skip


def page(counts: list[trial.Count], kills: int, seed: int) -> str:
    """The counts as a page of Markdown."""
    tried, failed = sum(count.tried for count in counts), [line for count in counts for line in count.failed]
    lines = [
        "# What happens when things go wrong",
        "",
        f"`python -m checks.faults --kills {kills} --seed {seed}` on {time.strftime('%Y-%m-%d')}: "
        f"**{tried} times harm was done, {sum(count.held for count in counts)} times everything held**.",
        "",
        "The study has two series of six cells each, a claim and a figure, and runs in seconds.",
        "",
        "| harm | tried | held |",
        "|---|---|---|",
        *(f"| {count.name} | {count.tried} | {count.held} |" for count in counts),
        "",
    ]
    for count in counts:
        lines.append(f"- **{count.name}**: {' '.join([WHAT[count.name], *(f'({note}.)' for note in count.notes)])}")
    if failed:
        lines += ["", "## What failed", "", *(f"- {line}" for line in failed)]
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--kills", default=100, help="How many runs to kill.")
@click.option("--seed", default=1, help="Of the times at which harm is done.")
@click.option("--into", type=click.Path(path_type=Path), default=None, help="A file for the page of counts.")
def main(kills: int, seed: int, into: Path | None) -> None:
    """Harm a small study in four ways, and count what holds."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "harmed.toml").write_text(trial.STUDY, encoding="utf-8")
        whole = trial.undisturbed(work / "harmed.toml", work / "cache", work / "undisturbed")
        click.echo(f"an undisturbed run takes {whole.seconds:.1f} s", err=True)
        counts = []
        for harmed in (
            lambda: harm.torn_results(whole, work),
            lambda: harm.torn_kernels(whole, work),
            lambda: harm.full_disk(whole, work, 5, seed),
            lambda: harm.two_at_once(whole, work, 5),
            lambda: harm.kills(whole, work, kills, seed),
        ):
            counts.append(count := harmed())
            click.echo(f"{count.name}: {count.tried} tried, {count.held} held", err=True)
            for line in count.failed:
                click.echo(f"  {line}", err=True)
    written = page(counts, kills, seed)
    click.echo(written)
    if into is not None:
        into.write_text(written, encoding="utf-8")
    sys.exit(1 if any(count.failed for count in counts) else 0)


if __name__ == "__main__":
    main()
