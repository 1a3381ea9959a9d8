"""Inertia and low damping: ratios, brackets, energy loss, and the depopulation factor against its integral."""

import math

import numpy as np
import pytest
from scipy import integrate

from simdyn import theory
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import DoubleWell
from simdyn.model.noise import ConstantNoise, FrozenNoise
from simdyn.model.records import InvalidInput
from simdyn.model.unequal import MinimaChain

WELL = DoubleWell(1.0, 1.0)
SDE = Overdamped(0.01)


def test_damping_ratio():
    rate = 0.02
    ema = theory.damping_ratio(Momentum(rate, 0.9, 0.1), WELL)
    assert ema == pytest.approx(math.sqrt(0.1 / (rate * 4.0)))
    assert theory.damping_ratio(Adai(rate, 0.1), WELL) == pytest.approx(ema)
    assert theory.damping_ratio(Inertial(0.1, 2.0, 0.5), WELL) == pytest.approx(0.5 / math.sqrt(4.0 / 2.0))
    noise = FrozenNoise(2.0)
    expected = math.sqrt(0.1 / (0.05 * math.sqrt(2.0 * 4.0)))
    assert theory.damping_ratio(Adam(0.05), WELL, noise) == pytest.approx(expected)
    with pytest.raises(InvalidInput, match="depends on the noise"):
        theory.damping_ratio(Adam(0.05), WELL)
    with pytest.raises(InvalidInput, match="no inertia"):
        theory.damping_ratio(SGD(0.05), WELL)


def test_inertial_bracket():
    assert theory.inertial_bracket(SGD(0.1), WELL, FrozenNoise(1.0)) == 1.0
    assert theory.inertial_bracket(SDE, WELL, FrozenNoise(1.0)) == 1.0
    golden = theory.inertial_bracket(Inertial(0.1, mass=4.0, damping=1.0), WELL, FrozenNoise(1.0))
    assert golden == pytest.approx((1.0 + math.sqrt(5.0)) / 2.0)


def test_energy_loss_of_the_double_well():
    """2 Int sqrt(2 (1 - L)) dx = 8/3 from the top to -sqrt 2."""
    found = theory.energy_loss(Inertial(0.1, mass=2.0, damping=0.3), WELL, ConstantNoise(0.5))
    temperature = 0.25 / (0.3 * 2.0)
    assert found == pytest.approx(0.3 * math.sqrt(2.0) * 8.0 / 3.0 / temperature, rel=1e-9)


@pytest.mark.parametrize("loss", [1e-4, 0.03, 0.5, 1.0, 3.7, 4.0, 4.5, 20.0])
def test_depopulation_factor(loss):
    def integrand(u, weight):
        return math.log(-math.expm1(-loss * (u * u + 0.25))) * (1.0 / (u * u + 0.25) if weight else 1.0)

    def naive(weight):
        return math.exp(
            2.0 * integrate.quad(integrand, 0.0, np.inf, args=(weight,), epsabs=1e-12, limit=500)[0] / (2 * math.pi)
        )

    assert theory.depopulation_factor(loss) == pytest.approx(naive(True), rel=1e-6)
    if 0.5 <= loss <= 1.0:
        assert naive(False) > 1.6 * naive(True)


def test_depopulation_limits():
    small = 1e-5  # A -> d (1 + zeta(1/2) sqrt(d/pi)), zeta(1/2) = -1.4603545
    assert theory.depopulation_factor(small) / small == pytest.approx(
        1.0 - 1.4603545 * math.sqrt(small / math.pi), abs=2e-5
    )
    values = theory.depopulation_factor(np.geomspace(1e-3, 1e3, 30))
    assert np.all(np.diff(values) > -1e-12) and values[-1] == pytest.approx(1.0)
    one, two, both = (theory.depopulation_factor(d) for d in (0.5, 0.8, 1.3))
    assert theory.depopulation_factor(0.5, 0.8) == pytest.approx(one * two / both)
    assert theory.depopulation_factor(200.0, 0.8) == pytest.approx(two, rel=1e-6)
    with pytest.raises(InvalidInput, match="loss"):
        theory.depopulation_factor(0.0)


def test_the_top_of_a_row_of_equal_barriers_is_a_far_wall():
    """Both tops beside a minimum of the chain are as high as the saddle: the orbit turns where L only touches its level."""
    chain, method, noise = MinimaChain(1.0, 1.0, 1.5, 2), Momentum(0.01, 0.9, 0.1), ConstantNoise(9.0)
    ends = [np.sinh((2 + side) * np.log(1.5)) for side in (-0.5, 0.5)]
    x = np.linspace(*ends, 200_001)
    depth = 1.0 - np.sin(np.pi * np.arcsinh(x) / np.log(1.5)) ** 2
    round_trip = 2.0 * np.sum(np.sqrt(2.0 * depth)) * (x[1] - x[0])
    mass, damping, heat = 0.01 / 0.1, 0.1 / 0.01, 0.01 * 9.0 / 2.0
    expected = damping * np.sqrt(mass) * round_trip / heat
    assert theory.energy_loss(method, chain, noise) == pytest.approx(expected, rel=1e-6)
