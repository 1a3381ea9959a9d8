"""How long a study may take, told before it runs: some would never end."""

import warnings
from collections.abc import Iterable

from simdyn.model.landscapes import dimension
from simdyn.simulate.pace import duration
from simdyn.simulate.setup import choose_workers
from simdyn.study.cells import Cell
from simdyn.study.references import formula

_SPEED = 1e8  # steps of one coordinate a second and thread: a tenth of a server's, so that no slower machine is promised more
_TOO_LONG = 86_400.0  # seconds


def forecast(cells: Iterable[Cell], workers: int | None) -> str:
    """A line of warning when these cells of a study may take longer than a day at a conservative speed; empty otherwise.

    Particles go on for as long as the formula says, for `max_steps` at most, or where there is no formula.
    """
    threads = choose_workers(workers, 2**31)
    expected = [(_steps(cell), cell) for cell in cells]
    seconds = sum(steps for (steps, _), _ in expected) / (_SPEED * threads)
    if seconds <= _TOO_LONG:
        return ""
    (_, known), cell = max(expected, key=lambda entry: entry[0][0])
    particles, last = cell.ensemble.particles, cell.ensemble.max_steps
    if cell.measure != "escape":
        why = f"{particles} particles go {(cell.ensemble.record_at or [0])[-1]} steps"
    elif known is not None and known < last:
        why = f"the mean escape time is {known:.2g} steps by the formula, for {particles} particles"
    else:
        why = f"{particles} particles are followed for max_steps = {last} if they do not leave"
        why += ", and no formula tells when they do" if known is None else ", as they hardly do by the formula"
    return (
        f"{cell.study} may take {duration(seconds)}, at {_SPEED:.0e} steps a second and thread: in {cell.where} {why};"
        f" take fewer, or a smaller {'max_steps' if cell.measure == 'escape' else 'record_at'}"
    )


def _steps(cell: Cell) -> tuple[float, float | None]:
    """Steps of one coordinate that a cell may take, and the formula's mean escape time in steps, where it has one."""
    ensemble, known = cell.ensemble, None
    if cell.measure == "escape":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            time = formula(cell).get("theory")
        known = None if time is None else time / getattr(cell.dynamics, "dt", 1.0)
        last = float(ensemble.max_steps) if known is None else min(known, float(ensemble.max_steps))
    else:
        last = float((ensemble.record_at or [0])[-1])
    return ensemble.particles * last * dimension(cell.landscape), known
