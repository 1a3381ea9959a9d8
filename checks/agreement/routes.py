"""The routes to an answer: simulation, exact numerics, formulas. Each answers with an error of its own, or says why not."""

import signal
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import simdyn as sd
from checks.agreement import users
from checks.agreement.draw import Problem, Setting
from simdyn.model.dynamics.langevin import Inertial, Overdamped

PARTICLES = 1000
MOST_STEPS = 10**6  # of one particle
MOST_WORK = 4e8  # particle-steps of one simulation
LONGEST_WAIT = 30.0  # seconds of one route: Adam's chain may take minutes
#: How far a formula that does not warn may be from the truth, as `theory.escape_time` states: a factor.
STATED_FACTOR = sd.theory.STATED_FACTOR


class Answer(NamedTuple):
    """What a route says: values, one standard error of sampling and a bound on everything else, of one shape.

    silent: why there is no answer, in its own words; empty where there is one. factor: by which the truth may be higher or
    lower, of formulas that state no other error.
    """

    route: str
    value: np.ndarray
    sampling: np.ndarray
    bound: np.ndarray
    silent: str = ""
    factor: float = 1.0


def _answer(route: str, value: Any, sampling: Any = 0.0, bound: Any = 0.0, factor: float = 1.0) -> Answer:
    value = np.atleast_1d(np.asarray(value, dtype=float))
    errors = (np.broadcast_to(np.asarray(part, float), value.shape) for part in (sampling, bound))
    return Answer(route, value, *errors, factor=factor)


class _TooLong(Exception):
    """A route has taken longer than this check waits."""


def _give_up(signal_number: int, where: Any) -> None:
    raise _TooLong


def asked(route: str, ask: Callable[[], Answer]) -> Answer:
    """The answer of a route, or its silence: a refusal in one line, a warning of any kind, or too long a wait."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WAIT)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = ask()
    except sd.InvalidInput as refusal:
        return _silence(route, f"refuses: {refusal}")
    except _TooLong:
        return _silence(route, f"takes more than {LONGEST_WAIT:g} s")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    return _silence(route, f"warns: {told[0].message}") if told else found


def _silence(route: str, words: str) -> Answer:
    nothing = np.zeros(0)
    return Answer(route, nothing, nothing, nothing, words)


# --------------------------------------------------------------------------------------------------------- escapes


def escape_answers(setting: Setting, seed: int = 1) -> list[Answer]:
    """All routes to a mean escape time, in steps."""
    problem, twin = setting.problem, setting.twin
    known = [asked("exact", lambda: _exact(twin, _exact_time(twin)))]
    if isinstance(problem.dynamics, Overdamped) and isinstance(twin.boundary, sd.Beyond):
        known.append(asked("exact scheme", lambda: _exact_scheme(problem, twin)))
    formulas = [
        asked("rate", lambda: _rate(setting)),
        asked("escape_time", lambda: _escape_time(setting)),
    ]
    if problem is not twin:
        known.append(asked("exact, as stated", lambda: _exact(problem, _exact_time(problem))))
    guesses = [found.value[0] for found in (*known, *formulas) if not found.silent]
    expected = min(guesses) if guesses else MOST_WORK / PARTICLES / 50.0
    if not expected * PARTICLES < MOST_WORK:
        return [*known, *formulas, _silence("simulation", f"too long: {expected:.3g} steps")]
    simulated = asked("simulation", lambda: _simulated(problem, seed))
    if isinstance(problem.dynamics, Inertial) and not simulated.silent and not known[0].silent:
        simulated = asked("simulation", lambda: _with_step_error(problem, simulated, seed))
    return [simulated, *known, *formulas]


def _simulated(problem: Problem, seed: int) -> Answer:
    found = sd.escape_times(
        problem.dynamics, problem.landscape, problem.noise, problem.boundary, problem.start, PARTICLES,
        MOST_STEPS, seed, workers=1, progress=False, start_momentum=problem.start_momentum,
    )  # fmt: skip
    mean = found.mean()
    return _answer("simulation", mean.value, (mean.high - mean.low) / (2.0 * 1.959964))


def _with_step_error(problem: Problem, fine: Answer, seed: int) -> Answer:
    """The simulation of an SDE with what twice the step changes as a bound: its error is of first order at least."""
    twice = problem.dynamics._replace(dt=2.0 * problem.dynamics.dt)
    coarse = _simulated(problem._replace(dynamics=twice), seed + 1)
    change = abs(fine.value - 2.0 * coarse.value)
    return fine._replace(bound=1.5 * change + 3.0 * 2.0 * coarse.sampling)


def _exact_time(problem: Problem) -> float:
    """Steps per unit of what `exact` answers in."""
    return 1.0 / problem.dynamics.dt if isinstance(problem.dynamics, (Overdamped, Inertial)) else 1.0


def _exact(problem: Problem, steps: float) -> Answer:
    if problem.start_momentum is not None:
        raise sd.InvalidInput("exact first passages start at rest")
    found = sd.exact.mean_first_passage(
        problem.dynamics, problem.landscape, problem.noise, problem.boundary, problem.start
    )
    allowed = found.error
    if isinstance(problem.dynamics, Overdamped):  # of the equation; the scheme that is simulated is another route
        allowed = 0.5 * found.value
    return _answer("exact", found.value * steps, bound=allowed * steps)


def _exact_scheme(problem: Problem, twin: Problem) -> Answer:
    bridged = isinstance(problem.boundary, sd.Beyond) and problem.landscape is twin.landscape
    found = sd.exact.mean_first_passage_of_scheme(
        twin.dynamics, twin.landscape, twin.noise, twin.boundary, twin.start, bridge=bridged
    )
    return _answer("exact scheme", found.value, bound=found.error)


def _only_for_good(setting: Setting, saddle: bool) -> None:
    allowed = ("for good", "at saddle") if saddle else ("for good",)
    if setting.leaves not in allowed or setting.problem.start_momentum not in (None, "stationary"):
        raise sd.InvalidInput("formulas know the way from the minimum over the saddle alone")


def _rate(setting: Setting) -> Answer:
    _only_for_good(setting, saddle=False)
    problem = setting.problem
    found = sd.theory.rate(problem.dynamics, problem.landscape, problem.noise)
    steps = _exact_time(problem)
    relative = found.error / found.value
    return _answer("rate", steps / found.value, bound=steps / found.value * relative / max(1.0 - relative, 0.05))


def _escape_time(setting: Setting) -> Answer:
    _only_for_good(setting, saddle=True)
    problem = setting.problem
    found = sd.theory.escape_time(
        problem.dynamics, problem.landscape, problem.noise, at_saddle=setting.leaves == "at saddle"
    )
    value = float(found) * _exact_time(problem)
    return _answer("escape_time", value, factor=STATED_FACTOR)


# --------------------------------------------------------------------------------------------------- displacements


def displacement_answers(setting: Setting, seed: int = 1) -> list[Answer]:
    """All routes to the mean squared displacements, (records, d) flattened."""
    problem, twin = setting.problem, setting.twin
    found = [asked("simulation", lambda: _spread(setting, seed)), asked("exact", lambda: _moments(twin, setting))]
    if problem is not twin:
        found.append(asked("exact, as stated", lambda: _moments(problem, setting)))
    return [*found, asked("formula", lambda: _formula(setting))]


def _spread(setting: Setting, seed: int) -> Answer:
    problem = setting.problem
    found = sd.displacement(
        problem.dynamics, problem.landscape, problem.noise, problem.start, 4096, setting.record_at, seed,
        workers=1, progress=False, start_momentum=problem.start_momentum,
    )  # fmt: skip
    return _answer("simulation", found.msd.ravel(), found.stderr.ravel())


def _moments(problem: Problem, setting: Setting) -> Answer:
    if isinstance(problem.dynamics, users.Decaying):
        return _answer("exact", _decaying_moments(problem, setting).ravel())
    momentum = 0.0 if problem.start_momentum is None else problem.start_momentum
    found = sd.exact.moments(
        problem.dynamics, problem.landscape, problem.noise, problem.start, setting.record_at, momentum
    )
    return _answer("exact", found.mean_square_displacement.ravel(), bound=1e-9 * found.mean_square_displacement.ravel())


def _decaying_moments(problem: Problem, setting: Setting) -> np.ndarray:
    """theta_t = (1 - eta_t H) theta_{t-1} - eta_t C^{1/2} z with the schedule as it is written, step by step."""
    if problem.start_momentum is not None:
        raise sd.InvalidInput("a method without momentum")
    start = np.array(problem.start)
    curvature = sd.curvatures_at(problem.landscape, start)
    variance = sd.variance_at(problem.noise, problem.landscape, start)
    if isinstance(problem.noise, users.Growing):
        raise sd.InvalidInput("noise that changes on the way")
    mean, spread, rows = start.copy(), np.zeros(len(start)), []
    for t in range(1, setting.record_at[-1] + 1):
        rate = problem.dynamics.learning_rate / (1.0 + t / problem.dynamics.half)
        mean, spread = (1.0 - rate * curvature) * mean, (1.0 - rate * curvature) ** 2 * spread + rate**2 * variance
        if t in setting.record_at:
            rows.append((mean - start) ** 2 + spread)
    return np.array(rows)


def _formula(setting: Setting) -> Answer:
    problem = setting.problem
    if problem.start_momentum is not None or any(problem.start):
        raise sd.InvalidInput("displacement formulas start on the saddle, at rest")
    found = sd.theory.mean_squared_displacement(
        problem.dynamics, problem.landscape, problem.noise, np.array(setting.record_at)
    ).ravel()
    return _answer("formula", found, factor=STATED_FACTOR)
