"""Every step has the coefficients that its method's schedule gives it, and a momentum that is given is not corrected."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from test_model_methods import METHODS, name_of

import simdyn as sd
from simdyn.simulate.schedules import BLOCK, LONGEST, table_from_start, table_of_running
from simdyn.simulate.setup import prepare

FLAT, STILL = sd.Saddle((0.0,)), sd.ConstantNoise(0.0)


class Cooling(NamedTuple):
    """theta -= eta_t g, eta_t = .1/(1 + t/10): not registered, so that other tests do not meet it."""

    learning_rate: float = 0.1


@sd.step.on(Cooling)
def cooling_step(method, clock, shared, x, gradient, kick, memory, j, i):
    return x - clock[0] * (gradient + kick)


@sd.schedule.on(Cooling)
def cooling_rates(method, number):
    return (method.learning_rate / (1.0 + number / 10.0),)


def answering(schedule=None, maturity=None, **others):
    """A method of the test's own that answers so; of one name there is one in a process, the next gets a number."""

    class Own(NamedTuple):
        learning_rate: float = 0.1

    sd.step.on(Own)(lambda method, clock, shared, x, gradient, kick, memory, j, i: x - clock[0] * (gradient + kick))
    answers = {"schedule": schedule, "maturity": maturity, **others}
    for name, answer in answers.items():
        if answer is not None:
            getattr(sd, name).on(Own)(answer)
    return Own()


def prepared(dynamics, last_step, start_momentum=None):
    """What the engine is given."""
    return prepare(dynamics, FLAT, sd.ConstantNoise(1.0), 0.0, start_momentum, 1, last_step)


# ------------------------------------------------------------------------------------------ schedules are followed


def test_a_schedule_is_written_down_to_the_last_step():
    """`test_extending` simulates one; the rates of a user's method without a maturity are those of its steps."""
    np.testing.assert_array_equal(prepared(Cooling(), 1000).schedule, [0.1 / (1.0 + np.arange(1.0, 1001.0) / 10.0)])


def test_what_no_longer_changes_is_not_kept():
    """Long runs cost nothing, whether or not the record says from when on its coefficients are constant."""
    held = lambda method, number: (method.learning_rate / np.minimum(number, 7.0),)  # noqa: E731
    for dynamics in (answering(held), answering(held, lambda method: 7), answering(held, lambda method: 10_000)):
        table = prepared(dynamics, 10**6).schedule
        np.testing.assert_array_equal(table, [0.1 / np.arange(1.0, 8.0)])
    same = lambda method, number: (np.full(len(number), 0.1), np.zeros(len(number)))  # noqa: E731
    assert prepared(answering(same), 10**6).schedule.shape == (2, 1)
    assert prepared(answering(), 10**12).schedule.shape == (1, 1)  # nothing that could change


def test_a_run_that_is_too_long_to_follow_is_refused():
    with pytest.raises(
        sd.InvalidInput, match=rf"each of {LONGEST + 1} steps.*register with @simdyn.maturity.on\(Cooling\)"
    ):
        prepared(Cooling(), LONGEST + 1)
    with pytest.raises(sd.InvalidInput, match=r"^Adam: its coefficients change for 36000000 steps.*a beta"):
        prepared(sd.Adam(0.1, beta2=1 - 1e-6), 36_000_000)


def step_decay(method, number):
    """Halved every 1000 steps."""
    return (method.learning_rate * 0.5 ** np.floor((number - 1) / 1000),)


def spiked(step):
    """Another rate at one step alone, which no sample of steps would meet."""
    return lambda method, number: (np.where(number == step, 1.0, 0.1),)


@pytest.mark.parametrize(
    ("schedule", "claim", "last_step"),
    [
        (cooling_rates, 1, 100),
        (cooling_rates, 10**5, 10),  # before the run's end or beyond it
        (step_decay, 1, 501),
        (step_decay, 1000, 10**6),
        (lambda method, number: (0.1 + 0.01 * np.cos(2 * np.pi * number / 50),), 50, 10**4),
        (lambda method, number: (np.ones(len(number)), 1 - 0.999**number), 14_000, 14_000),  # 8e-7 short of its limit
        (lambda method, number: (np.where((number >= 1000) & (number < 1100), 1.0, 0.1),), 1, 6000),  # and back again
        (spiked(3000), 1, 6000),
        (spiked(6000), 5999, 6000),
        (spiked(BLOCK + 2), 1, 10**10),  # the first of the second block, of a run too long to follow
    ],
)
def test_a_maturity_that_comes_too_early_is_refused(schedule, claim, last_step):
    with pytest.raises(sd.InvalidInput, match=rf"still changes after step {claim}, which its maturity names") as told:
        prepared(answering(schedule, lambda method: claim), last_step)
    assert "\n" not in str(told.value)


def test_a_schedule_without_a_limit_has_not_been_running_for_ever():
    running = lambda method, gradient, variance: (np.zeros((1, len(variance))), np.ones(len(variance)))  # noqa: E731
    with pytest.raises(sd.InvalidInput, match=r"cannot have been running for ever.*@simdyn\.maturity\.on\(Own"):
        prepared(answering(cooling_rates, begin_running=running), 10, "stationary")
    with pytest.raises(sd.InvalidInput, match="still changes after step 1000"):
        prepared(answering(cooling_rates, lambda method: 1000, begin_running=running), 10, "stationary")
    with pytest.raises(sd.InvalidInput, match=r"still changes after step 1, .* 1 at step 3000"):
        prepared(answering(spiked(3000), lambda method: 1, begin_running=running), 10, "stationary")
    held = lambda method, number: (np.maximum(0.1 / number, 1e-3),)  # noqa: E731
    settled = prepared(answering(held, lambda method: 100, begin_running=running), 10, "stationary")
    np.testing.assert_array_equal(settled.schedule, [[1e-3]])


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (lambda method, number: 0.1 / number, r"a tuple of up to 4 arrays.* not an array of float64, of shape"),
        (lambda method, number: None, "a tuple of up to 4 arrays.* not None"),
        (lambda method, number: (0.1,), "each with one number per step, here .* but one is 0.1"),
        (lambda method, number: (np.ones(3),), r"but one is an array of float64, of shape \(3,\)"),
        (lambda method, number: (0.1 + 0j * number,), "but one is complex"),
        (lambda method, number: ([0.1 + 0j] * len(number),), "but one is complex"),
        (lambda method, number: (number,) * 5, "not of 5"),
        (lambda method, number: (["a"] * len(number),), "but one is "),
        (lambda method, number: (0.1 / (number - 1.0),), "must be finite, but coefficient 0 of step 1 is inf"),
        (lambda method, number: (np.log(8.5 - number),), "must be finite, but coefficient 0 of step 9 is nan"),
        (lambda method, number: (method.rate / number,), "its schedule fails: AttributeError"),
        (lambda method, number: (np.cumprod(np.full(len(number), 0.9)),), "coefficients of its own; those of step 50 "),
    ],
)
def test_a_schedule_that_does_not_work_is_told_in_one_line(schedule, words):
    with pytest.raises(sd.InvalidInput, match=words) as told:
        prepared(answering(schedule), 50)
    assert str(told.value).startswith("Own") and "\n" not in str(told.value)


@pytest.mark.parametrize("claim", [0, 2.5, -math.inf, math.nan, None, "late"])
def test_a_maturity_that_is_no_step_is_told(claim):
    with pytest.raises(sd.InvalidInput, match=r"its maturity must be a positive whole number"):
        prepared(answering(cooling_rates, lambda method: claim), 50)


def test_other_answers_of_a_users_method_are_looked_at():
    short = lambda method, momentum, gradient: momentum  # noqa: E731
    with pytest.raises(sd.InvalidInput, match=r"its begin must return \(rows, 1\) numbers, not of shape \(1,\)"):
        prepared(answering(begin=short), 10)

    class Timeless(NamedTuple):
        rate: float = 0.1

    sd.step.on(Timeless)(lambda method, clock, shared, x, gradient, kick, memory, j, i: x - method.rate * gradient)
    with pytest.raises(sd.InvalidInput, match=r"^Timeless has no learning_rate.*@simdyn\.time_step\.on\(Timeless\)"):
        prepared(Timeless(), 10)


def variants(dynamics):
    """It, with other betas, and with each of its switches turned."""
    betas = [name for name in dynamics._fields if name in ("beta1", "beta2")]
    yield from (dynamics._replace(**dict.fromkeys(betas, beta)) for beta in (0.0, 1e-3, 0.5, 0.9999))
    switches = [name for name, value in dynamics._asdict().items() if isinstance(value, bool)]
    yield from (dynamics._replace(**{name: not getattr(dynamics, name)}) for name in switches)


@pytest.mark.parametrize("dynamics", METHODS, ids=name_of)
def test_every_methods_maturity_is_what_it_says(dynamics):
    """The check that a user's record has to pass, from rest, with a momentum, and after running for ever."""
    for method in variants(dynamics):
        for asked in (sd.schedule, sd.schedule_with_momentum):
            table = table_from_start(method, asked, 10**15)
            assert table.shape[1] <= sd.maturity(method) and np.all(np.isfinite(table))
        np.testing.assert_allclose(table_of_running(method)[:, 0], table_from_start(method, sd.schedule, 10**15)[:, -1])


# ------------------------------------------------------------------------------------------- a momentum that is given


def walked(dynamics, steps, start_momentum, slope=0.0):
    """The path, (steps + 1,), under a constant slope without noise: the engine's memory and schedule, stepped in Python."""
    setup = prepare(dynamics, FLAT, STILL, 0.0, start_momentum, 1, steps)
    memory, x = tuple(row[:, None].copy() for row in setup.launch.memory), [0.0]
    for n in range(steps):
        clock = (*setup.schedule[:, min(n, setup.schedule.shape[1] - 1)], 0.0, 0.0, 0.0)[:4]
        shared = sd.observe(dynamics, slope, 0.0, memory, 0, 0)
        x.append(sd.step(dynamics, clock, shared, x[-1], slope, 0.0, memory, 0, 0))
    return np.array(x)


MOVING = [method for method in METHODS if not isinstance(method, (sd.SGD, sd.RMSProp, sd.Overdamped))]
#: fields with which a step on flat ground is eta m^, without a division by zero: sqrt(v) + eps = 1, and nothing decays
PLAIN = {"eps": 1.0, "beta2": 0.0, "weight_decay": 0.0, "gamma": 1e-12}


def carried(dynamics, momentum, steps):
    """How far a momentum of its own carries a method on flat ground: eta m beta1/(1 - beta1) against it."""
    beta = 1.0 - dynamics.beta0 if hasattr(dynamics, "beta0") else getattr(dynamics, "beta1", 0.0)
    match dynamics:
        case sd.Inertial():  # p/(gamma M), to second order in dt
            kept = math.exp(-dynamics.damping * dynamics.dt)
            return momentum / dynamics.mass * dynamics.dt / 2 * (1 + kept) / (1 - kept)
        case sd.SignSGD():  # every step has the same length
            return -math.copysign(dynamics.learning_rate * steps, momentum)
        case sd.Nesterov():  # a step is eta beta1 m, the fresh gradient being zero
            return -dynamics.learning_rate * momentum * beta**2 / (1 - beta)
        case sd.AdaiV2():
            scale = dynamics.beta0 ** (1 - dynamics.dampening)
            return -scale * dynamics.learning_rate * momentum * beta / (1 - beta)
    return -dynamics.learning_rate * momentum * beta / (1 - beta)


@pytest.mark.parametrize("dynamics", MOVING, ids=name_of)
def test_a_given_momentum_carries_as_far_as_it_should(dynamics):
    """No correction of a start at zero, which there has not been, amplifies it, whatever the method's switches say."""
    plain = {name: value for name, value in PLAIN.items() if name in dynamics._fields}
    if hasattr(dynamics, "beta0"):
        del plain["eps"], plain["beta2"]  # Adai divides by no root; its eps bounds mu
    for method in (dynamics, *variants(dynamics)):
        if getattr(method, "rest_before", False):
            continue  # does not move at all here
        method = method._replace(**plain, **({"beta1": 0.8} if "beta1" in method._fields else {}))
        path = walked(method, 800, -0.4)
        assert path[-1] == pytest.approx(carried(method, -0.4, 800), rel=1e-9), method


def test_adai_and_momentum_agree_in_one_dimension():
    """Adai's v^/vbar is 1: averaging momentum with beta1 = 1 - beta0, whose bias correction a given momentum has not."""
    adai, average = sd.Adai(1.0, beta0=0.1), sd.Momentum(1.0, 0.9, 0.1)
    np.testing.assert_allclose(walked(adai, 300, 1.0, slope=0.3), walked(average, 300, 1.0, slope=0.3), rtol=1e-12)
    assert walked(adai, 300, 1.0)[-1] == pytest.approx(-9.0, rel=1e-9)
    assert walked(adai, 3, 1e-300, slope=0.3)[1] == pytest.approx(-0.03), "however little is given, it is an average"
    assert walked(adai, 3, 0.0, slope=0.3)[1] == pytest.approx(-0.3)


@pytest.mark.parametrize("dynamics", METHODS, ids=name_of)
def test_a_momentum_of_zero_is_rest(dynamics):
    rest, zero = (prepare(dynamics, FLAT, STILL, 0.0, momentum, 1, 10**5) for momentum in (None, 0.0))
    np.testing.assert_array_equal(zero.launch.memory, rest.launch.memory)
    np.testing.assert_array_equal(zero.schedule, rest.schedule)


def test_the_second_moments_correction_stays():
    """Adam with a momentum: v still begins with zero, so the first step is eta m_1/|g_1|."""
    for method in (sd.Adam(0.1, eps=0.0), sd.AdamW(0.1, eps=0.0, weight_decay=0.0), sd.AMSGrad(0.1, eps=0.0)):
        assert walked(method, 1, 2.0, slope=0.5)[1] == pytest.approx(-0.1 * (0.9 * 2.0 + 0.1 * 0.5) / 0.5, rel=1e-12)


def test_a_users_method_may_say_what_it_does_with_a_momentum():
    own = answering(
        lambda method, number: (0.1 / (1 - 0.9**number),),
        schedule_with_momentum=lambda method, number: (np.full(len(number), 0.1),),
        begin=lambda method, momentum, gradient: momentum[None, :],
    )
    assert prepared(own, 50).schedule.shape == (1, 50)
    np.testing.assert_array_equal(prepared(own, 50, 1.0).schedule, [[0.1]])
    silent = answering(cooling_rates, begin=lambda method, momentum, gradient: momentum[None, :])
    np.testing.assert_array_equal(prepared(silent, 50, 1.0).schedule, prepared(silent, 50).schedule)
