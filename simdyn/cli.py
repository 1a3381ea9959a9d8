"""The command line: `simdyn new`, `check`, `run`, `list`, `show`, `plot`. Nothing heavy is imported before it is needed."""

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from simdyn import __version__

PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
RESULTS = click.option(
    "--results", type=click.Path(path_type=Path, file_okay=False), default=Path("results"), show_default=True,
    help="Where finished cells, tables and provenance are kept.",
)  # fmt: skip
FIGURES = click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), default=Path("figures"), show_default=True,
    help="Where figures are written.",
)  # fmt: skip


class _Program(click.Group):
    """A group of commands that tells a user's mistake in one line, with exit code 2, and never shows a traceback."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        try:
            return super().make_context(info_name, args or ["--help"], parent, **extra)
        except click.UsageError as failure:
            self._give_up(failure.format_message(), 2)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except click.UsageError as failure:
            self._give_up(failure.format_message(), 2)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            self._give_up("interrupted; finished cells are kept, run again to continue", 130)
        except ValueError as failure:
            if type(failure).__name__ != "InvalidInput":
                self._give_up(f"internal error: {type(failure).__name__}: {failure}", 1)
            self._give_up(failure, 2)
        except OSError as failure:
            self._give_up(f"{failure.filename or 'input/output'}: {failure.strerror or failure}", 2)
        except MemoryError:
            self._give_up("not enough memory: use fewer particles, records or bins", 2)
        except Exception as failure:
            self._give_up(f"internal error: {type(failure).__name__}: {failure}", 1)

    @staticmethod
    def _give_up(message: Any, code: int) -> NoReturn:
        for line in getattr(message, "lines", [message]):
            click.echo(f"simdyn: {' '.join(str(line).split())}", err=True)
        sys.exit(code)


def _show_warning(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
    """Show the program's own warnings, in a line; those of its libraries are about code that the user has not written."""
    if category.__module__.startswith("simdyn.") or sys.warnoptions:
        click.echo(f"simdyn: {' '.join(str(message).split())}", err=True)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simdyn")
def main() -> None:
    """A laboratory for escape and diffusion of stochastic optimizers.

    A study is a TOML file: a claim, the simulations that try it, and the rule of the verdict.
    """


@main.command()
@PATHS
@RESULTS
@FIGURES
@click.option("--workers", type=click.IntRange(min=1), help="Threads; by default one per processor.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdicts.")
def run(paths: tuple[Path, ...], results: Path, figures: Path, workers: int | None, quiet: bool) -> None:
    """Run studies (files or folders), continuing where they stopped, and print the verdicts."""
    # Before NumPy is loaded: the processors are the simulations', and threads of linear algebra that wait for one spin.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from simdyn.study import run as study_run
    from simdyn.study.ahead import working_ahead
    from simdyn.study.files import find_studies

    paths = _some(paths)
    studies = find_studies(paths)
    study_run.room_on_disk(results)
    study_run.room_on_disk(figures)
    places = study_run.Places(results, figures)
    with working_ahead(paths, studies, places, workers), _Progress(quiet) as progress:
        finished = study_run.run(studies, places, workers, progress.report)
    from simdyn.study.store import write_whole

    write_whole(results / "verdicts.md", study_run.verdict_table(finished))
    _print_sweeps(finished)
    _print_verdicts(finished)
    drawn = f"Figures in {figures}, tables" if any(result.study.figure for result in finished) else "Tables"
    click.echo(f"{drawn} and provenance in {results}.")


@main.command()
@click.argument("name", default="my_study")
@click.option("--like", type=click.Path(path_type=Path), help="Begin with a copy of this study.")
def new(name: str, like: Path | None) -> None:
    """Write a commented study that runs in seconds, NAME.toml; what is there already stays as it is."""
    from simdyn.study.starter import write_starter

    path = write_starter(name, like)
    click.echo(f"{path} written: simdyn check {path}, then simdyn run {path}")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Find all that is wrong with studies (files or folders), without running them; exit code 2 if anything is."""
    from simdyn.study.files import study_files
    from simdyn.study.rehearsal import examine

    found = {path: examine(path) for path in study_files(paths)}
    for path, lines in found.items():
        for line in lines:
            click.echo(line, err=True)
        if not lines:
            click.echo(f"{path}: nothing is wrong")
    if any(found.values()):
        sys.exit(2)


@main.command(name="list")
@PATHS
def list_(paths: tuple[Path, ...]) -> None:
    """List studies (files or folders) with their claims."""
    from simdyn.study.cells import expand
    from simdyn.study.files import find_studies

    for name, study in find_studies(_some(paths)).items():
        click.echo(f"{name}: {study.title} ({len(expand(name, study))} cells)")
        for claim in study.claims:
            click.echo(f"  {claim.name}: {claim.says}")


@main.command()
@PATHS
@RESULTS
def show(paths: tuple[Path, ...], results: Path) -> None:
    """Show the verdicts of studies that have run, with their rules, from what is stored."""
    from simdyn.study.files import find_studies
    from simdyn.study.run import Places, recall

    for result in recall(find_studies(_some(paths)), Places(results, Path("figures"))):
        click.echo(f"{result.name}: {result.study.title}")
        if words := f"{result.study.claim}  {result.study.standing}".strip():
            click.echo(f"  {words}")
        _print_sweeps([result])
        for verdict in result.verdicts:
            click.echo(f"\n  {verdict.claim}: {verdict.verdict.upper()}\n    claim: {verdict.says}")
            click.echo(f"    found: {verdict.numbers}\n    rule:  {verdict.rule}")
            for note in verdict.notes:
                click.echo(f"    note:  {note}")
        click.echo()


@main.command()
@PATHS
@RESULTS
@FIGURES
def plot(paths: tuple[Path, ...], results: Path, figures: Path) -> None:
    """Redraw the figures of studies that have run, without computing anything."""
    from simdyn.study.figures import draw_study
    from simdyn.study.files import find_studies
    from simdyn.study.run import Places, recall

    for result in recall(find_studies(_some(paths)), Places(results, figures)):
        for path in draw_study(result, figures):
            click.echo(str(path))


def _some(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return paths or (Path("experiments"),)


class _Progress:
    """A bar over cells with the time left, on a terminal; a line per study otherwise."""

    def __init__(self, quiet: bool) -> None:
        self._bar: Any = None
        self._say: Callable[[str], None] = (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))
        self._wanted = not quiet and sys.stderr.isatty()
        self._total = 0
        self._count = 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *failure: Any) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, event: str, detail: Any) -> None:
        """Told by the run what happens."""
        if event == "cells":
            self._total = detail
            if self._wanted:
                self._start()
        elif event == "done":
            cell, _ = detail
            self._count += 1
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], advance=1, description=f"{cell.study}: {cell.series}")
        elif event == "finished":
            line = ", ".join(f"{verdict.claim}: {verdict.verdict}" for verdict in detail.verdicts)
            text = f"[{self._count}/{self._total} cells] {detail.name} — {line or 'no claims'}"
            if self._bar is not None:
                self._bar.console.print(text, highlight=False)
            else:
                self._say(text)
        elif event == "damaged":
            self._say(f"cell {detail} was damaged and has been computed again")

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells, left"),
            TimeRemainingColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._bar.add_task("cells", total=self._total)


def _print_sweeps(results: list[Any]) -> None:
    """The tables of studies without claims."""
    from rich.table import Table
    from rich.text import Text

    from simdyn.study.plain_table import plain_table

    for result in results:
        if result.study.claims:
            continue
        columns, rows = plain_table(result)
        table = Table(title=Text(result.study.title))
        for column in columns:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        _console().print(table)


def _console() -> Any:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=150)


def _print_verdicts(results: list[Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not any(result.verdicts for result in results):
        return
    table = Table(title="Verdicts", show_lines=True, expand=True)
    for column, ratio in (("study", 2), ("claim", 4), ("verdict", 2), ("numbers", 6)):
        table.add_column(column, ratio=ratio, overflow="fold")
    for result in results:
        for verdict in result.verdicts:
            numbers = "\n".join([verdict.numbers, *verdict.notes])
            table.add_row(*(Text(text) for text in (result.name, verdict.says, verdict.verdict, numbers)))
    _console().print(table)


if __name__ == "__main__":
    main(prog_name="simdyn")
