"""Contenders in turns: the first call and the check of its physics apart, then rounds in which each has one."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.contenders import Contender, Outcome, refusal, resolution
from benchmarks.works import Work


def timed(run: Callable[[int], Outcome], seed: int) -> tuple[float, Outcome]:
    """Seconds a call took, and its outcome."""
    began = time.perf_counter()
    outcome = run(seed)
    return time.perf_counter() - began, outcome


def race(work: Work, contenders: list[Contender], expected: Outcome, budget: float, say: Callable[[str], None]) -> list[dict]:
    """One entry per contender, as plain JSON. One whose physics is wrong is told and not timed.

    `budget` are seconds of warm calls per contender; everybody has two all the same.
    """
    entries = [_first_call(work, contender, expected) for contender in contenders]
    for entry in entries:
        say(f"  {entry['contender']}, {entry['threads']}: {entry['refused'] or 'the same physics'}")
    running = [(contender, entry) for contender, entry in zip(contenders, entries, strict=True) if not entry["refused"]]
    for round in range(1, work.rounds + 1):
        turn = round % max(1, len(running))  # who begins changes, so that nobody always follows the same neighbour
        for contender, entry in running[turn:] + running[:turn]:
            if len(entry["seconds"]) < 2 or sum(entry["seconds"]) + entry["seconds"][-1] < budget:
                seconds, outcome = timed(contender.run, round)
                entry["seconds"].append(seconds)
                entry["rates"].append(outcome.particle_steps / seconds)
    return entries


def _first_call(work: Work, contender: Contender, expected: Outcome) -> dict[str, Any]:
    entry = {
        "work": work.name, "contender": contender.name, "threads": contender.threads, "particles": contender.particles,
        "remark": contender.remark, "refused": None, "first_call": None, "seconds": [], "rates": [],
    }  # fmt: skip
    try:
        entry["first_call"], found = timed(contender.run, 0)
    except Exception as failure:  # of whatever kind: a peer that fails must not end the others' race
        entry["refused"] = f"fails: {type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        return entry
    entry["refused"] = refusal(found, expected)
    entry["found"] = {"mean": float(found.mean[-1]), "error": float(found.error[-1])}
    entry["check_resolves"] = resolution(found, expected)
    return entry


def summary(values: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest."""
    return statistics.median(values), min(values), max(values)
