"""No setting goes unheard: a changed field changes the formula, or what it warns of, or is shown not to matter."""

import warnings
from typing import Any

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.study.cells import registered
from simdyn.theory import turnover

WELL, VALLEY = sd.DoubleWell(1.0, 1.0), sd.Valley(1.0, 1.0, (3.0, 6.0))
#: Each dynamics in settings in one of which each of its fields is to be heard: usual ones, few gradients averaged, and
#: escapes that are short against what is remembered.
SETTINGS: dict[str, list[Any]] = {
    "Overdamped": [sd.Overdamped(0.01), sd.Overdamped(0.08)],
    "Inertial": [sd.Inertial(0.01), sd.Inertial(0.3)],
    "AdaBound": [sd.AdaBound(0.1, 0.05, 0.003)],
    "Adai": [sd.Adai(0.05), sd.Adai(0.05, 0.02, eps=0.012)],
    "AdaiW": [sd.AdaiW(0.05, weight_decay=0.1), sd.AdaiW(0.05, 0.02, eps=0.012)],
    "AdaiV2": [sd.AdaiV2(0.05, dampening=0.5), sd.AdaiV2(0.05, 0.02, eps=0.012)],
    "Padam": [sd.Padam(0.1, beta2=0.9, power=0.35, eps=0.3), sd.Padam(0.1, beta2=0.9999)],
}
#: What a field is changed to; by default 1.7 times it, within what it may be.
CHANGED = {"beta1": 0.6, "beta2": 0.5, "eps": 1.0, "power": 0.4, "initial": 1e-6, "threshold": 5.0, "gamma": 1e-3}
CLIPPED = {"eps": 0.3}  # Adai's, a bound of 1-beta1
NOISES = (sd.FrozenNoise(1.0), sd.FrozenNoise(0.4))
FORMULAS = {
    "escape_time": lambda dynamics, landscape, noise: float(theory.escape_time(dynamics, landscape, noise)),
    "rate": lambda dynamics, landscape, noise: theory.rate(dynamics, landscape, noise)[1:5],
    "mean_squared_displacement": lambda dynamics, landscape, noise: theory.mean_squared_displacement(
        dynamics, landscape, noise, [300, 2000]
    ).tolist(),
}
#: (formula, dynamics, field) that is not heard: why, and below the test that shows it.
EXCEPTIONS = {
    ("rate", "Overdamped", "dt"): "the rate is of the equation, the step is the simulation's",
    ("rate", "Inertial", "dt"): "the rate is of the equation, the step is the simulation's",
}
DYNAMICS = [name for name, made in registered("dynamics").items() if made.__module__.startswith("simdyn.")]


def places(formula):
    if formula == "mean_squared_displacement":
        return [sd.Saddle((-1e-3, 2e-3, 5e-4))]
    return [WELL, VALLEY]


def heard(formula, dynamics, landscape, noise):
    """What comes of it: the number and the warnings, or the refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = FORMULAS[formula](dynamics, landscape, noise)
        except sd.InvalidInput as refusal:
            return str(refusal)
    return str(found), sorted(str(one.message) for one in caught)


def other(dynamics, field):
    value = getattr(dynamics, field)
    if isinstance(value, bool):
        return dynamics._replace(**{field: not value})
    changed = CLIPPED.get(field) if field in CLIPPED and hasattr(dynamics, "beta0") else CHANGED.get(field)
    return dynamics._replace(**{field: changed if changed not in (None, value) else 0.6 * value})


def settings(name):
    made = registered("dynamics")[name]
    known = SETTINGS.get(name)
    if known is None:
        eps = {"eps": 0.3} if "eps" in made._fields else {}
        known = [made(learning_rate=0.1, **eps)]
        if "beta2" in made._fields:
            known.append(made(learning_rate=0.1, beta2=0.9999))
    return known


@pytest.fixture
def quick_orbits(monkeypatch):
    """Harmonic orbits for the two costly integrals, which see a dynamics through its equation alone, as these do."""

    def harmonic(case):
        energies = case.way.barrier * np.linspace(0.0, 1.0, 12)
        return theory.Actions(
            energies, 2.0 * np.pi * energies * (case.equation.mass / case.way.minimum_curvature) ** 0.5
        )

    monkeypatch.setattr(turnover, "actions", harmonic)
    monkeypatch.setattr(turnover, "unstable_mode_loss", lambda case: case.equation.damping / case.equation.temperature)


@pytest.mark.parametrize("name", DYNAMICS)
def test_every_field_is_heard(name, quick_orbits):
    made = registered("dynamics")[name]
    for formula in FORMULAS:
        cases = [
            (dynamics, landscape, noise)
            for landscape in places(formula)
            for noise in NOISES
            for dynamics in settings(name)
        ]
        before = {}

        def told(case, formula=formula, before=before):
            if case not in before:
                before[case] = heard(formula, *case)
            return before[case]

        if all(isinstance(told(case), str) for case in cases):  # refused everywhere
            assert formula != "escape_time", before
            continue
        for field in made._fields:
            loud = any(heard(formula, other(case[0], field), *case[1:]) != told(case) for case in cases)
            assert loud != ((formula, name, field) in EXCEPTIONS), (formula, name, field)


def test_the_step_is_the_simulations():
    """The exception: Klein and Kramers' and the overdamped equation's exact answers do not know it either."""
    for slow, fast in (
        (sd.Overdamped(0.01), sd.Overdamped(0.02)),
        (sd.Inertial(0.01, 1.0, 1e-4), sd.Inertial(0.02, 1.0, 1e-4)),
    ):
        answers = [
            exact.mean_first_passage(
                one, WELL, sd.ConstantNoise(getattr(one, "damping", 1.0) * 0.5), sd.Beyond(1.0), -1.0
            )
            for one in (slow, fast)
        ]
        assert answers[0] == answers[1]


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_field_of_noises_and_landscapes_is_heard(formula, quick_orbits):
    """Rotations, for which g^2 is another one's, included; constants that only shift L or the place are none of them."""
    methods = [sd.SGD(0.04), sd.Adam(0.1)]
    saddle = formula == "mean_squared_displacement"
    line = sd.Saddle((-1e-3, 2e-3)) if saddle else WELL
    plane = sd.Saddle((-1e-3, 2e-3)) if saddle else sd.Valley(1.0, 1.0, (3.0,))
    noises = [
        (sd.FrozenNoise(1.0), [sd.FrozenNoise(2.0)]),
        (sd.ConstantNoise(8.0), [sd.ConstantNoise(9.0)]),
        (sd.ScaledNoise(sd.FrozenNoise(1.0), 1.0), [sd.ScaledNoise(sd.FrozenNoise(1.0), 1.3)]),
        (sd.ScaledNoise(sd.FrozenNoise(1.0), 1.0), [sd.ScaledNoise(sd.FrozenNoise(1.3), 1.0)]),
        (sd.TwoPieceNoise(1.0), [sd.TwoPieceNoise(1.3)]),
        (sd.LocalNoise(1.0, 1e-3), [sd.LocalNoise(1.3, 1e-3), sd.LocalNoise(1.0, 3.0)]),
        (sd.StudentNoise(1.0, 5.0), [sd.StudentNoise(1.3, 5.0), sd.StudentNoise(1.0, 6.0)]),
    ]
    for given, changes in noises:
        for changed in changes:
            assert any(
                isinstance(heard(formula, method, line, given), str)
                or heard(formula, method, line, given) != heard(formula, method, line, changed)
                for method in methods
            ), (given, changed)
    landscapes = (
        [(sd.Saddle((-1e-3, 2e-3)), sd.Saddle((-2e-3, 2e-3))), (plane, sd.Rotated(plane, 0.3))]
        if saddle
        else [
            (sd.DoubleWell(1.0, 1.0), sd.DoubleWell(1.2, 1.0)),
            (sd.DoubleWell(1.0, 1.0), sd.DoubleWell(1.0, 1.2)),
            (sd.MatchedParabolas(1.0, 8.0, 4.0), sd.MatchedParabolas(1.0, 8.0, 5.0)),
            (sd.MatchedParabolas(1.0, 8.0, 4.0), sd.MatchedParabolas(1.0, 9.0, 4.0)),
            (sd.MatchedParabolas(1.0, 8.0, 4.0), sd.MatchedParabolas(1.1, 8.0, 4.0)),
            (sd.Sharpened(WELL, 1.0), sd.Sharpened(WELL, 1.2)),
            (sd.Rotated(plane, 0.0), sd.Rotated(plane, 0.3)),
        ]
    )
    for one, two in landscapes:
        told = [[heard(formula, method, place, sd.FrozenNoise(1.0)) for method in methods] for place in (one, two)]
        assert told[0] != told[1], (one, two)


def test_numbers_with_the_defaults_stand():
    """eps = 1e-8 is none: what is printed anywhere has fewer digits."""
    for made in (sd.Adam, sd.AdamW, sd.AMSGrad, sd.RMSProp, sd.RAdam, sd.Padam):
        for part in (theory.action, theory.prefactor, theory.inertial_bracket):
            usual, none = (part(made(0.1, **eps), WELL, sd.FrozenNoise(1.0)) for eps in ({}, {"eps": 0.0}))
            assert usual == pytest.approx(none, rel=1e-7)
    assert np.isfinite(usual)
