"""What is said while work is under way, and before work that would not end."""

import threading

import pytest
from conftest import HERE
from study_tools import ESCAPE, SPREAD, changed, study_of

from simdyn.simulate import crew, pace
from simdyn.simulate.pace import Pace, duration
from simdyn.study import progress
from simdyn.study.cells import expand
from simdyn.study.files import find_studies
from simdyn.study.forecast import forecast
from simdyn.study.side_by_side import SideBySide


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_lines_come_ever_more_rarely():
    clock, due = Clock(), []
    watched = Pace(clock)
    for clock.now in range(8000):
        due += [clock.now] if watched.due() else []
    waits = [after - before for before, after in zip([0, *due], due, strict=False)]
    assert waits[:4] == [10, 15, 23, 34] and waits[-1] == 600 and waits == sorted(waits)


def test_the_time_left_counts_only_what_was_worked_for():
    clock = Clock()
    watched = Pace(clock)
    assert watched.left(0.0) == ""
    clock.now = 30.0
    assert watched.left(0.25) == ", about 90 s left" and watched.left(1.0) == ""
    watched.start_from(0.5)  # remembered
    assert watched.left(0.5) == ""
    clock.now = 90.0
    assert watched.left(0.6) == ", about 4 min left"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (99.0, "99 s"), (101.0, "2 min"), (5999.0, "100 min"), (6001.0, "1.7 h"), (172_801.0, "2 days"),
     (1e9, "1.16e+04 days")],
)  # fmt: skip
def test_times_are_told_in_their_unit(seconds, words):
    assert duration(seconds) == words


def test_a_simulation_off_a_terminal_says_how_far_it_is(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(crew, "Pace", lambda: Pace(clock))
    told, silent = crew._reporter(None, 4096), crew._reporter(False, 4096)
    for clock.now in (1.0, 9.0, 12.0, 20.0, 32.0):
        for report in (told, silent):
            report(int(100 * clock.now))
    told(None)
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.splitlines() == [
        "simdyn: 1200 of 4096 particles, about 29 s left",
        "simdyn: 3200 of 4096 particles, about 9 s left",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_a_run_off_a_terminal_says_how_far_it_is(monkeypatch, quiet):
    monkeypatch.setattr(progress, "TICK", 0.01)
    monkeypatch.setattr(pace, "FIRST", 0.05)
    lines, spoke = [], threading.Event()
    with progress.Progress(quiet, lambda text: lines.append(text) or spoke.set()) as told:
        told.report("cells", (4, lambda: 1.5))
        assert spoke.wait(0.5 if quiet else 60.0) != quiet
        told.report("slow", "tiny may take 3 days")
    assert lines == [] if quiet else lines[0] == "simdyn: 1 of 4 cells" and lines[-1] == "simdyn: tiny may take 3 days"


def test_cells_under_way_count_by_their_share():
    seen = []
    with SideBySide(1) as pool:

        def work(threads, look):
            look(1, 4)
            seen.append(pool.done())

        for _ in range(2):
            pool.submit(work).result()
        assert seen == [0.25, 1.25] and pool.done() == 2.0


# ------------------------------------------------------------------------------------------------------- forecasts


def cells_of(table, **ensemble):
    return expand("tiny", study_of({**table, "ensemble": {**table["ensemble"], **ensemble}}))


def test_a_study_that_may_not_end_is_warned_of():
    assert forecast(cells_of(ESCAPE, max_steps=10**10), None) == ""  # by the formula it takes minutes
    boundary = {"kind": "Beyond", "position": 1.0}
    series = [{"name": "SGD", "dynamics": ESCAPE["series"][0]["dynamics"]}]
    slope = {**ESCAPE, "landscape": {"kind": "Saddle", "curvatures": [-0.1, 1.0]}, "series": series}
    unconfined = cells_of(slope, exit=None, boundary=boundary, start=0.0, particles=4096, max_steps=10**10)
    line = forecast(unconfined, 1)
    # 4096 particles of two coordinates, 1e10 steps, at 1e8 a second
    assert "tiny may take 9.48 days" in line and "4096 particles are followed for max_steps = 10000000000" in line
    assert "no formula tells" in line and forecast(unconfined, 2).startswith("tiny may take 4.74 days")
    assert forecast(cells_of(slope, exit=None, boundary=boundary, start=0.0, max_steps=10**8), 1) == ""


def test_a_formula_that_tells_of_too_long_a_time_is_believed():
    deep = cells_of(changed(ESCAPE, "noise/batch_size", 2.0), max_steps=10**14)
    line = forecast(deep, None)
    assert "by the formula, for 64 particles" in line and "sharpness = 1.0" in line
    assert "as they hardly do by the formula" in forecast(
        cells_of(changed(ESCAPE, "noise/batch_size", 9.0), max_steps=10**14), None
    )
    spread = cells_of(SPREAD, record_at=[10**13])
    assert "64 particles go 10000000000000 steps" in forecast(spread, 2)


def test_our_own_studies_are_not_warned_of():
    names = ("saddle_escape", "heavy_tails")
    studies = find_studies([HERE.parent / f"experiments/{name}.toml" for name in names])
    for name, study in studies.items():
        assert forecast((cell for cell in expand(name, study) if cell.simulate), 1) == ""
