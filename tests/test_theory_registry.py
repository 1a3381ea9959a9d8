"""Every public function of the theory with every registered dynamics: an answer, a warning, or a refusal in one line."""

import inspect
import warnings

import numpy as np
import pytest

import simdyn as sd
from simdyn import theory
from simdyn.study.cells import registered

RECORDS = {
    "Overdamped": [sd.Overdamped(0.01)],
    "Inertial": [sd.Inertial(0.01)],
    "AdamW": [sd.AdamW(0.05), sd.AdamW(0.05, weight_decay=0.0)],
    "AdaiW": [sd.AdaiW(0.05), sd.AdaiW(0.05, weight_decay=0.0)],
    "AdaiV2": [sd.AdaiV2(0.05), sd.AdaiV2(0.05, dampening=0.5)],
    "SignSGD": [sd.SignSGD(0.05), sd.SignSGD(0.05, beta1=0.9)],
}
RECORDS |= {name: [made(learning_rate=0.05)] for name, made in registered("dynamics").items()
            if name not in RECORDS and made.__module__.startswith("simdyn.")}  # fmt: skip
DYNAMICS = [record for name in sorted(RECORDS) for record in RECORDS[name]]
WELL, VALLEY = sd.DoubleWell(1.0, 1.0), sd.Valley(1.0, 1.0, (3.0, 6.0))
PLACES = [
    (WELL, sd.FrozenNoise(1.0)),
    (VALLEY, sd.TwoPieceNoise(1.0)),
    (sd.Saddle((-0.5, 1.0)), sd.FrozenNoise(1.0)),
    (WELL, sd.StableNoise(0.1, 1.5)),
]
#: what stands for each parameter of a public function
GIVEN = {
    "dynamics": lambda dynamics, landscape, noise: dynamics,
    "landscape": lambda dynamics, landscape, noise: landscape,
    "noise": lambda dynamics, landscape, noise: noise,
    "steps": lambda dynamics, landscape, noise: np.array([1, 10, 100]),
    "sharpness": lambda dynamics, landscape, noise: 1.5,
    "way": lambda dynamics, landscape, noise: theory.passage(landscape),
    "met": lambda dynamics, landscape, noise: theory.climb(theory.passage(landscape), noise),
    "method": lambda dynamics, landscape, noise: theory.effective(dynamics),
    "case": lambda dynamics, landscape, noise: theory.problem(dynamics, landscape, noise),
}


def parameters(name):
    return [
        parameter
        for parameter, one in inspect.signature(getattr(theory, name)).parameters.items()
        if one.default is inspect.Parameter.empty
    ]


FUNCTIONS = [
    name
    for name in theory.__all__
    if inspect.isroutine(getattr(theory, name)) and {"dynamics", "method", "case"} & set(parameters(name))
    and name != "effective_escape_time"  # of plain numbers and `Effective`, held against escape_time elsewhere
]  # fmt: skip


def test_the_list_is_of_all():
    assert {"escape_time", "rate", "rates", "equivalent", "effective", "mean_squared_displacement"} <= set(FUNCTIONS)
    assert {parameter for name in FUNCTIONS for parameter in parameters(name)} <= set(GIVEN), "say what stands for it"


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=lambda record: str(record).replace("(learning_rate=0.05", "("))
def test_an_answer_or_a_refusal_in_one_line(dynamics):
    for name in FUNCTIONS:
        answered = 0
        for landscape, noise in PLACES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", theory.ValidityWarning)
                try:
                    given = [GIVEN[one](dynamics, landscape, noise) for one in parameters(name)]
                    found = getattr(theory, name)(*given)
                except sd.InvalidInput as refusal:
                    assert len(str(refusal).splitlines()) == 1, (name, refusal)
                    continue
            answered += 1
            if isinstance(found, (float, np.ndarray)):
                assert np.all(np.isfinite(found)), (name, landscape, noise, found)
        if name in ("escape_time", "action", "prefactor"):
            assert answered, f"{name} refuses everywhere"


def test_the_equation_of_every_optimizer_without_decay():
    """Each optimizer of the registry has one; weight decay is refused by name."""
    way = theory.passage(VALLEY)
    met = theory.climb(way, sd.ConstantNoise(8.0))
    for dynamics in DYNAMICS:
        if getattr(dynamics, "weight_decay", 0.0) > 0.0:
            with pytest.raises(sd.InvalidInput, match=f"{type(dynamics).__name__}: weight decay"):
                theory.equivalent(dynamics, way, met)
            continue
        found = theory.equivalent(dynamics, way, met)
        assert found.temperature > 0.0 and found.clock > 0.0 and found.drag > 0.0, dynamics


def test_relatives_have_their_relatives_equation():
    way = theory.passage(VALLEY)
    met = theory.climb(way, sd.ConstantNoise((8.0, 2.0, 5.0)))

    def found(dynamics):
        one = theory.equivalent(dynamics, way, met)
        # Free of the unit of time: M/(gamma M)^2, T, time per step over gamma M.
        return [one.mass / one.drag**2, one.temperature, one.clock / one.drag]

    for one, other in [
        (sd.AMSGrad(0.05), sd.Adam(0.05)),
        (sd.RAdam(0.05), sd.Adam(0.05)),
        (sd.AdamW(0.05, weight_decay=0.0), sd.Adam(0.05)),
        (sd.Padam(0.05, power=0.5), sd.Adam(0.05)),
        (sd.AdaiV2(0.05), sd.Adai(0.05)),
        (sd.AdaiW(0.05, weight_decay=0.0), sd.Adai(0.05)),
        (sd.AdaBound(0.05, final_rate=0.02), sd.Momentum(0.02, beta3=0.1)),
        (sd.Nesterov(0.02), sd.Momentum(0.02)),
        (sd.RMSProp(0.05), sd.Adam(0.05, beta1=0.0)),
    ]:
        here, there = found(one), found(other)
        if isinstance(one, sd.RMSProp):  # without momentum there is no inertia; beta1 = 0 leaves one of a single step
            here, there = here[1:], there[1:]
        np.testing.assert_allclose(here, there, rtol=1e-12, err_msg=str(one))


def test_the_formulas_action_is_the_equations():
    """dL/T, at steps so small that v is C, is the action of `escape_time` for every optimizer that has an equation."""
    for dynamics in DYNAMICS:
        if getattr(dynamics, "weight_decay", 0.0) > 0.0 or isinstance(
            dynamics, (sd.AdaBound, sd.Overdamped, sd.Inertial)
        ):
            continue
        dynamics = dynamics._replace(learning_rate=1e-4)
        noise = sd.ConstantNoise(5.0)
        action = theory.problem(dynamics, VALLEY, noise).action
        assert action == pytest.approx(theory.action(dynamics, VALLEY, noise), rel=1e-3), dynamics


@pytest.mark.parametrize(
    ("dynamics", "variance", "momentum"),
    [
        (sd.Adam(0.08, beta2=0.99), 8.0, None),
        (sd.Nesterov(0.01, beta3=0.1), 45.0, None),
        (sd.SignSGD(0.06), 9.0, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rates_of_optimizers_by_their_equation(dynamics, variance, momentum, seed):
    noise = sd.ConstantNoise(variance)
    found = theory.rate(dynamics, WELL, noise)
    particles = 2000
    times = sd.escape_times(
        dynamics, WELL, noise, sd.Beyond(1.0), start=-1.0, particles=particles, seed=seed, start_momentum=momentum
    )
    measured = 1.0 / times.steps.mean()
    assert found.unit == "step" and abs(measured - found.value) < found.error + 5.0 * measured / np.sqrt(particles)
    assert abs(measured - 2.0 * found.value) > found.error  # half as fast would be told
