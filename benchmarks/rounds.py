"""Contenders in turns: the first call and the check of its physics apart, then rounds in which each has one."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.contenders import Contender, Outcome, pooled, refusal, resolution
from benchmarks.works import Work

_PATIENCE = 10.0


def timed(run: Callable[[int], Outcome], seed: int) -> tuple[float, Outcome]:
    """Seconds a call took, and its outcome."""
    began = time.perf_counter()
    outcome = run(seed)
    return time.perf_counter() - began, outcome


def race(
    work: Work, contenders: list[Contender], expected: Callable[[], Outcome], budget: float, say: Callable[[str], None]
) -> list[dict]:
    """One entry per contender, as plain JSON. Wrong physics is told and its time is not: in the first call, before anything
    is timed, and in all rounds together. `expected` is asked after the first calls, which it would warm.

    `budget` are seconds of warm calls per contender; everybody has one all the same, unless the first call took ten budgets.
    """
    firsts = [_first_call(contender) for contender in contenders]
    right = expected()
    entries, running = [], []
    for contender, (seconds, found) in zip(contenders, firsts, strict=True):
        refused = found if isinstance(found, str) else refusal(found, right)
        if refused is None and seconds > _PATIENCE * budget:
            refused = f"takes {seconds:.0f} s for its first call, too long to be asked again"
        entry = {
            "work": work.name, "contender": contender.name, "threads": contender.threads,
            "particles": contender.particles, "remark": contender.remark, "first_call": seconds, "refused": refused,
            "seconds": [], "rates": [],
        }  # fmt: skip
        entries.append(entry)
        if refused is None:
            running.append((contender, entry, [found]))
        say(f"  {contender.name} ({contender.threads}): first call {seconds:.2f} s, {refused or 'the same physics'}")
    for round in range(1, work.rounds + 1):
        turn = round % max(1, len(running))  # who begins changes, so that nobody always follows the same neighbour
        for contender, entry, outcomes in running[turn:] + running[:turn]:
            if not entry["seconds"] or sum(entry["seconds"]) + entry["seconds"][-1] < budget:
                seconds, outcome = timed(contender.run, round)
                outcomes.append(outcome)
                entry["seconds"].append(seconds)
                entry["rates"].append(float(outcome.particle_steps / seconds))
    for _, entry, outcomes in running:
        _judge(entry, pooled(outcomes), right)
    return entries


def _first_call(contender: Contender) -> tuple[float, Outcome | str]:
    """Seconds and outcome, or why there is none."""
    began = time.perf_counter()
    try:
        return timed(contender.run, 0)
    except Exception as failure:  # of whatever kind: a peer that fails must not end the others' race
        why = f"fails: {type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        return time.perf_counter() - began, why


def _judge(entry: dict[str, Any], found: Outcome, right: Outcome) -> None:
    entry["refused"] = refusal(found, right)
    entry["found"] = {"mean": float(found.mean[-1]), "error": float(found.error[-1])}
    entry["check_resolves"] = resolution(found, right)
    if entry["refused"] is not None:
        entry["seconds"], entry["rates"] = [], []


def summary(values: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest."""
    return statistics.median(values), min(values), max(values)
