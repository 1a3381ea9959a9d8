"""Simulation, exact numerics and formulas agree wherever they answer without a warning (in full: `make check-agreement`)."""

import numpy as np
import pytest

import simdyn as sd
from checks.agreement import draw, routes, users
from checks.agreement.__main__ import examine
from checks.agreement.draw import Problem, Setting
from checks.agreement.judge import disagreements
from simdyn.model.records import REGISTRY

UNSAMPLED = {"escape": 80, "displacement": 300}  # settings of which only formulas and exact numerics are asked
SIMULATED = ["SGD", "Overdamped"]  # whose exact answers take no time


def test_every_registered_record_is_drawn():
    ours = {
        kind: {name for name, record in known.items() if record.__module__.startswith("simdyn.")}
        for kind, known in REGISTRY.items()
    }
    assert ours["landscape"] <= {*draw.LANDSCAPES, *draw.WITHOUT_ESCAPE}
    assert ours["noise"] <= {*draw.NOISES, *draw.NOISES_ELSEWHERE}
    assert ours["dynamics"] <= {*draw.DYNAMICS, *draw.EQUATIONS}


@pytest.mark.parametrize("measure", ["escape", "displacement"])
def test_formulas_and_exact_numerics_agree(measure, seed):
    make = {"escape": draw.escape, "displacement": draw.displacement}[measure]
    spoken = 0
    for number in range(0, UNSAMPLED[measure] * draw.ALIKE, draw.ALIKE):
        setting = make(number, seed)
        answers = _unsampled(setting)
        spoken += sum(not answer.silent for answer in answers) >= 2
        assert not disagreements(setting, answers), "\n".join(map(str, disagreements(setting, answers)))
    assert spoken >= 5  # else nothing has been compared


def _unsampled(setting):
    """All routes but the simulation and what takes seconds: the chains of methods with a momentum."""
    if setting.problem.boundary is None:
        found = [routes.asked("exact", lambda: routes._moments(setting.twin, setting))]
        return [*found, routes.asked("formula", lambda: routes._formula(setting))]
    found = [
        routes.asked("rate", lambda: routes._rate(setting)),
        routes.asked("time", lambda: routes._escape_time(setting)),
    ]
    if isinstance(setting.twin.dynamics, (sd.SGD, sd.Overdamped)):
        found.append(routes.asked("exact", lambda: routes._exact(setting.twin, routes._exact_time(setting.twin))))
    return found


@pytest.mark.parametrize("name", SIMULATED)
def test_simulations_agree_with_both(name, seed):
    number, found = 0, []
    while (
        len(found) < 2
    ):  # the first two settings of this method on the commonest records, which other tests compile too
        setting = draw.escape(number, seed)
        problem = setting.problem
        if (
            type(problem.dynamics).__name__ == name
            and isinstance(problem.landscape, (sd.DoubleWell, sd.Valley))
            and isinstance(problem.noise, (sd.ConstantNoise, sd.FrozenNoise))
            and isinstance(problem.boundary, sd.Beyond)
            and problem.start_momentum is None
        ):
            found.append(number)
        number += 1
    for number in found:
        _, answers, wrong = examine("escape", number, seed)
        assert not answers[0].silent or answers[0].silent.startswith("too long")
        assert not wrong, "\n".join(map(str, wrong))


# ------------------------------------------------------------------------------------------------ faults are caught


def test_a_formula_that_forgets_a_setting_is_caught():
    true = _setting(sd.SGD(0.05), sd.ConstantNoise(8.0))
    wrong = _setting(sd.SGD(0.05), sd.ConstantNoise(7.5))
    exact = routes.asked("exact", lambda: routes._exact(true.problem, 1.0))
    assert not disagreements(true, [exact, routes.asked("rate", lambda: routes._rate(true))])
    assert disagreements(true, [exact, routes.asked("rate", lambda: routes._rate(wrong))])


def test_a_noise_taken_as_gaussian_is_caught():
    skew = _setting(sd.SGD(0.05), users.Skew(8.0))
    gaussian = _setting(sd.SGD(0.05), sd.ConstantNoise(8.0))
    simulated = routes.asked("simulation", lambda: routes._simulated(skew.problem, 1))
    taken = routes.asked("exact", lambda: routes._exact(gaussian.problem, 1.0))
    assert disagreements(skew, [simulated, taken])
    assert routes.asked("exact", lambda: routes._exact(skew.problem, 1.0)).silent.startswith("refuses")


def test_a_schedule_held_at_its_first_rate_is_caught():
    problem = Problem(users.Decaying(0.1, 10.0), sd.Saddle((0.0,)), sd.ConstantNoise(1.0), None, (0.0,))
    setting = Setting(0, problem, problem, "", (100,))
    simulated = routes.asked("simulation", lambda: routes._spread(setting, 1))
    assert not disagreements(setting, [simulated, routes.asked("exact", lambda: routes._moments(problem, setting))])
    held = problem._replace(dynamics=sd.SGD(0.1 / 1.1))
    assert disagreements(setting, [simulated, routes.asked("held", lambda: routes._moments(held, setting))])
    np.testing.assert_allclose(routes._moments(problem, setting).value, 0.0861, rtol=2e-3)


def _setting(dynamics, noise):
    problem = Problem(dynamics, sd.DoubleWell(1.0, 1.0), noise, sd.Beyond(1.0), (-1.0,))
    return Setting(0, problem, problem, "for good")
