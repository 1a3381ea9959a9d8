"""The command line: `simdyn new`, `check`, `run`, `list`, `show`, `plot`, `clean`. Nothing heavy is loaded before its time."""

import codecs
import functools
import io
import os
import sys
import warnings
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

USER_CODE = click.option(
    "--user-code",
    is_flag=True,
    help="Run the code of your own that a study names (module:Name), which is not done otherwise.",
)
NO_USER_CODE = click.option(
    "--no-user-code", is_flag=True, help="Refuse studies that name code of their own (module:Name)."
)


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
    codecs.register_error("simdyn", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="simdyn")


def _in_ascii(failure: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a terminal cannot print: a run must not fail for them after its work."""
    assert isinstance(failure, UnicodeEncodeError)
    lost = failure.object[failure.start : failure.end]
    plain = {"±": "+-", "—": "-"}
    return "".join(plain.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lost), failure.end


@main.command()
@PATHS
@RESULTS
@FIGURES
@click.option("--workers", type=click.IntRange(min=1), help="Threads; by default one per processor.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdicts.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first cell that fails, instead of leaving it out.")
@NO_USER_CODE
def run(
    paths: tuple[Path, ...],
    results: Path,
    figures: Path,
    workers: int | None,
    quiet: bool,
    fail_fast: bool,
    no_user_code: bool,
) -> None:
    """Run studies (files or folders), continuing where they stopped, and print the verdicts.

    A cell that fails is left out, and the claims that need it are undecided; the exit code is then 1.
    """
    # Before NumPy is loaded: the processors are the simulations', and threads of linear algebra that wait for one spin.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from simdyn.study import run as study_run
    from simdyn.study.ahead import working_ahead
    from simdyn.study.files import find_studies
    from simdyn.study.progress import Progress
    from simdyn.study.users import code_of

    paths = _some(paths)
    studies = find_studies(paths)
    if no_user_code:
        study_run.refuse_code(studies, "--no-user-code forbids to run it")
    study_run.room_on_disk(results)
    study_run.room_on_disk(figures)
    places = study_run.Places(results, figures)
    code = dict.fromkeys(str(file) for study in studies.values() for file in code_of(study).values())
    say = functools.partial(click.echo, err=True)
    if code:
        say(f"simdyn: runs code of your own: {', '.join(code)}")
    with working_ahead(paths, studies, places, workers), Progress(quiet, say) as progress:
        finished = study_run.run(studies, places, workers, progress.report, fail_fast)
    from simdyn.study.store import write_whole

    write_whole(results / "verdicts.md", study_run.verdict_table(finished))
    for result in (result for result in finished if not result.study.claims):
        _print_sweep(result.study, list(result.rows()))
    _print_verdicts(finished)
    drawn = f"Figures in {figures}, tables" if any(result.study.figure for result in finished) else "Tables"
    click.echo(f"{drawn} and provenance in {results}.")
    _end([line for result in finished for line in result.failures()])


def _end(failures: list[str]) -> None:
    """Tell what failed, and end with exit code 1 if anything did."""
    if failures:
        click.echo("\n".join([f"simdyn: {len(failures)} failed:", *(f"  {line}" for line in failures)]), err=True)
        sys.exit(1)


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
@NO_USER_CODE
def check(paths: tuple[Path, ...], no_user_code: bool) -> None:
    """Find all that is wrong with studies (files or folders), without running them; exit code 2 if anything is.

    Code of your own that they name is run for it, as a run would, and named before.
    """
    from simdyn.study.files import study_files
    from simdyn.study.rehearsal import examine

    say = functools.partial(click.echo, err=True)
    found = {path: examine(path, say, not no_user_code) for path in study_files(paths)}
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
    """List studies (files or folders) with their claims, as their files say; nothing is run."""
    from simdyn.study.cells import count_cells
    from simdyn.study.files import find_studies

    for name, study in find_studies(_some(paths)).items():
        click.echo(f"{name}: {study.title} ({count_cells(name, study)} cells)")
        for claim in study.claims:
            click.echo(f"  {claim.name}: {claim.says}")


@main.command()
@PATHS
@RESULTS
@USER_CODE
def show(paths: tuple[Path, ...], results: Path, user_code: bool) -> None:
    """Show the verdicts of studies that have run, or of what has run of them, with their rules, from what is stored."""
    from simdyn.study.files import find_studies
    from simdyn.study.remembered import remembered_rows, remembered_verdicts
    from simdyn.study.users import code_of

    studies = find_studies(_some(paths))
    own = {} if user_code else {name: study for name, study in studies.items() if code_of(study)}
    verdicts = {name: remembered_verdicts(name, study, results) for name, study in own.items()}
    sweeps = {name: remembered_rows(name, results) for name, study in own.items() if not study.claims}
    if others := {name: study for name, study in studies.items() if name not in own}:
        for found in _recalled(others, results, Path("figures")):
            verdicts[found.name] = found.verdicts
            sweeps[found.name] = list(found.rows())
    for name, study in ((name, study) for name, study in studies.items() if name in verdicts):
        click.echo(f"{name}: {study.title}")
        if words := f"{study.claim}  {study.standing}".strip():
            click.echo(f"  {words}")
        if not study.claims:
            _print_sweep(study, sweeps[name])
        for verdict in verdicts[name]:
            click.echo(f"\n  {verdict.claim}: {verdict.verdict.upper()}\n    claim: {verdict.says}")
            click.echo(f"    found: {verdict.numbers}\n    rule:  {verdict.rule}")
            for note in verdict.notes:
                click.echo(f"    note:  {note}")
        click.echo()


@main.command()
@PATHS
@RESULTS
@FIGURES
@USER_CODE
def plot(paths: tuple[Path, ...], results: Path, figures: Path, user_code: bool) -> None:
    """Redraw the figures of studies that have run, or of what has run of them, without computing anything."""
    from simdyn.study.figures import NotDrawn, draw_study
    from simdyn.study.files import find_studies
    from simdyn.study.run import refuse_code

    studies, failures = find_studies(_some(paths)), []
    for name in [name for name, study in studies.items() if study.figure is None]:
        click.echo(f"simdyn: {name}: it asks for no figure", err=True)
        del studies[name]
    if not user_code:
        refuse_code(studies, "a figure needs to run it, which --user-code allows")
    for result in _recalled(studies, results, figures) if studies else []:
        try:
            for path in draw_study(result, figures):
                click.echo(str(path))
        except NotDrawn as failure:
            failures.append(f"{result.name}: {failure}")
    _end(failures)


@main.command()
@PATHS
@RESULTS
@FIGURES
@USER_CODE
@click.option("--yes", is_flag=True, help="Delete it; otherwise it is only listed.")
def clean(paths: tuple[Path, ...], results: Path, figures: Path, user_code: bool, yes: bool) -> None:
    """List what can be deleted, with sizes: unfinished files of killed runs, and stored cells of none of the studies given.

    Name all studies whose results are kept in the folder: cells of the others are listed too.
    """
    from simdyn.study.clean import free, leftovers
    from simdyn.study.files import find_studies
    from simdyn.study.run import Places, refuse_code

    studies = find_studies(_some(paths))
    if not user_code:
        refuse_code(studies, "to know its cells needs to run it, which --user-code allows")
    found = leftovers(studies, Places(results, figures))
    for path, size, what in found:
        click.echo(f"{size / 1e3:10.1f} kB  {path}: {what}")
    if yes:
        free(found)
    total = f"{len(found)} files, {sum(size for _, size, _ in found) / 1e6:.1f} MB"
    click.echo(
        f"{total}: deleted." if yes and found else f"{total}: --yes deletes them." if found else "Nothing to delete."
    )


def _recalled(studies: dict[str, Any], results: Path, figures: Path) -> list[Any]:
    """The studies of which something is stored; the others are named."""
    from simdyn.study.run import Places, recall

    found = recall(studies, Places(results, figures))
    for name in (name for name in studies if name not in {result.name for result in found}):
        click.echo(f"simdyn: {name}: nothing of it has run yet; use simdyn run first", err=True)
    return found


def _some(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return paths or (Path("experiments"),)


def _print_sweep(study: Any, rows: list[dict[str, Any]]) -> None:
    """The table of a study without claims."""
    from rich.table import Table
    from rich.text import Text

    from simdyn.study.plain_table import plain_table

    columns, told = plain_table(rows)
    table = Table(title=Text(study.title))
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in told:
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
