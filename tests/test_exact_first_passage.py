"""Mean first passage without sampling: closed forms, an obvious twin, high barriers, and what must be rejected."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy import integrate, special

from simdyn import exact
from simdyn.exact.chain import Scheme, _mean_steps, _nodes
from simdyn.exact.line import line_through
from simdyn.exact.stretches import reach_of, stretches
from simdyn.model.boundaries import Beyond, BeyondPlane
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import (
    DoubleWell,
    MatchedParabolas,
    Quadratic,
    Rotated,
    Saddle,
    Sharpened,
    StyblinskiTang,
    Valley,
    curvature,
    gradient,
    value,
)
from simdyn.model.noise import ConstantNoise, FrozenNoise, LocalNoise, ScaledNoise, TwoPieceNoise
from simdyn.model.records import InvalidInput

WELL = DoubleWell(1.0, 1.0)
TOP = Beyond(0.0)
SDE = Overdamped(0.01)


class Wedge(NamedTuple):
    """L = -left x for x < 0, right x beyond: a wall of slope `left`, then a constant force."""

    left: float
    right: float


@gradient.on(Wedge)
def wedge_gradient(wedge, x, j, i):
    return -wedge.left if x[0, i] < 0.0 else wedge.right


@value.on(Wedge)
def wedge_value(wedge, x, i):
    return wedge_gradient(wedge, x, 0, i) * x[0, i]


@curvature.on(Wedge)
def wedge_curvature(wedge, x, j, i):
    return 0.0


@exact.joints.register
def wedge_joints(wedge: Wedge, line, low):
    return [0.0]


def close(answer, expected, relative):
    """The answer is right to `relative`, and says so itself."""
    assert answer.error <= relative * abs(answer.value)
    return abs(answer.value / expected - 1.0) <= relative


# ------------------------------------------------------------------------------------------------------- quadrature


def ornstein_uhlenbeck(height, diffusion, start, end):
    """sqrt(pi/2) (s/D) Int_{start/s}^{end/s} s erfcx(-u/sqrt 2) du, s^2 = D/H."""
    spread = math.sqrt(diffusion / height)
    inner, _ = integrate.quad(lambda u: special.erfcx(-u / math.sqrt(2.0)), start / spread, end / spread, epsrel=1e-13)
    return math.sqrt(math.pi / 2.0) * spread**2 / diffusion * inner


class Waves(NamedTuple):
    """L = depth (1 - cos x): wells without end, which hold nobody for good."""

    depth: float


value.on(Waves)(lambda waves, x, i: waves.depth * (1.0 - math.cos(x[0, i])))
gradient.on(Waves)(lambda waves, x, j, i: waves.depth * math.sin(x[0, i]))
curvature.on(Waves)(lambda waves, x, j, i: waves.depth * math.cos(x[0, i]))


@pytest.mark.parametrize(
    ("height", "variance", "start", "end"), [(1.0, 2.0, 0.0, 1.0), (3.0, 0.4, -1.0, 1.5), (2.0, 1.0, -3.0, -0.5)]
)
def test_ornstein_uhlenbeck(height, variance, start, end):
    found = exact.mean_first_passage(SDE, Quadratic((height,)), ConstantNoise(variance), Beyond(end), start)
    expected = ornstein_uhlenbeck(height, variance / 2.0, start, end)
    assert close(found, expected, 1e-11)
    assert not close(found._replace(value=1.1 * found.value), expected, 1e-2)


@pytest.mark.parametrize("right", [0.0, 1.0, -2.0, 120.0, 690.0])
def test_wall_and_constant_force(right):
    """Free diffusion with a wall (right = 0), downhill, and uphill to tau ~ e^690."""
    left, diffusion, start, end = 50.0, 1.0, 0.25, 1.0
    if right == 0.0:
        expected = (end - start) / left + (end**2 - start**2) / (2.0 * diffusion)
    else:
        growth = math.exp(right * end / diffusion) - math.exp(right * start / diffusion)
        expected = (1.0 / left + 1.0 / right) * diffusion / right * growth - (end - start) / right
    found = exact.mean_first_passage(SDE, Wedge(left, right), ConstantNoise(2.0 * diffusion), Beyond(end), start)
    assert close(found, expected, 1e-11)


def test_passages_add_up():
    """The equation cannot jump: from a to c is from a to b and from b to c."""
    noise = LocalNoise(batch_size=0.5, floor=1.0)
    legs = [
        float(exact.mean_first_passage(SDE, WELL, noise, Beyond(end), start))
        for start, end in ((-1, 0.3), (0.3, 1), (-1, 1))
    ]
    assert legs[0] + legs[1] == pytest.approx(legs[2], rel=1e-11)


def test_state_dependent_noise_against_a_nested_integral():
    noise, start, end = LocalNoise(batch_size=4.0, floor=0.5), -1.0, -0.2
    for alpha in (0.0, 0.5, 1.0):

        def diffusion(x):
            return max(abs(12.0 * x * x - 4.0) / 4.0, 0.5) / 2.0

        grid = np.linspace(-4.0, end, 57001)
        slope = np.array([4.0 * x * (x * x - 1.0) / diffusion(x) for x in grid])
        spread = np.array([diffusion(x) for x in grid])
        phi = integrate.cumulative_simpson(slope, x=grid, initial=0.0)
        first = round((start - grid[0]) / (grid[1] - grid[0]))
        phi -= phi[first]
        inner = integrate.cumulative_simpson(np.exp(-phi) * spread ** (alpha - 1.0), x=grid, initial=0.0)
        expected = integrate.simpson((np.exp(phi) * spread**-alpha * inner)[first:], x=grid[first:])
        found = exact.mean_first_passage(SDE, WELL, noise, Beyond(end), start, convention=alpha)
        assert close(found, expected, 1e-6)  # the grid's own error at the kinks


@pytest.mark.parametrize("temperature", [0.02, 0.005, 0.0015])
def test_high_barriers_do_not_overflow(temperature):
    found = exact.mean_first_passage(SDE, WELL, ConstantNoise(2.0 * temperature), TOP, -1.0)
    # Half of Kramers' time, whose relative correction is of order T: 3/8 T/dL here and at most 1 T in any quartic well.
    kramers = math.pi / math.sqrt(32.0) * math.exp(1.0 / temperature)
    assert close(found, kramers, 1.5 * temperature)
    assert found.error < 1e-11 * found.value


# ------------------------------------------------------------------------------------------------------------ chain


def naive_steps(step, spread, slope, variance, start, end, low, points=1500):
    """tau on a plain midpoint grid by a plain solve: the obvious twin, for low barriers."""
    width = (end - low) / points
    grid = low + width * (np.arange(points) + 0.5)
    mean, deviation = grid - step * slope(grid), np.sqrt(spread * variance(grid))
    density = np.exp(-0.5 * ((grid - mean[:, None]) / deviation[:, None]) ** 2) / (
        deviation[:, None] * math.sqrt(2 * math.pi)
    )
    times = np.linalg.solve(np.eye(points) - density * width, np.ones(points))
    here = start - step * slope(start), math.sqrt(spread * variance(np.array(start)))
    return 1.0 + float(np.exp(-0.5 * ((grid - here[0]) / here[1]) ** 2) @ times) * width / (
        here[1] * math.sqrt(2 * math.pi)
    )


def double_well_slope(x):
    return 4.0 * x * (x * x - 1.0)


@pytest.mark.parametrize(("rate", "variance"), [(0.1, 8.0), (0.05, 20.0), (0.2, 8.0)])
def test_chain_against_a_plain_solve(rate, variance):
    found = exact.mean_first_passage(SGD(rate), WELL, ConstantNoise(variance), TOP, -1.0)
    coarse, fine = (
        naive_steps(rate, rate**2, double_well_slope, lambda x: np.full_like(x, variance), -1.0, 0.0, -4.0, points)
        for points in (500, 1000)
    )
    plain = fine + (fine - coarse) / 3.0  # the midpoint rule is of second order
    assert close(found, plain, max(1e-8, 0.05 * abs(fine / coarse - 1.0)))
    assert abs(fine / coarse - 1.0) < 1e-4


def test_chain_against_sampling(seed):
    random, particles, rate = np.random.default_rng((seed, 77)), 20000, 0.1
    noise, x, steps = LocalNoise(batch_size=1.0, floor=1.0), np.full(20000, -1.0), np.zeros(20000)
    alive = np.arange(particles)
    while alive.size:
        deviation = np.sqrt(np.maximum(np.abs(12.0 * x[alive] ** 2 - 4.0), 1.0))
        x[alive] -= rate * (double_well_slope(x[alive]) + deviation * random.standard_normal(alive.size))
        steps[alive] += 1
        alive = alive[x[alive] < 0.0]
    found = exact.mean_first_passage(SGD(rate), WELL, noise, TOP, -1.0)
    deviation = np.std(steps) / math.sqrt(particles)
    assert abs(np.mean(steps) - found.value) < 5.0 * deviation
    assert abs(np.mean(steps) - 1.1 * found.value) > 5.0 * deviation


def test_known_number_of_steps():
    answer = exact.mean_first_passage_of_scheme(Overdamped(0.005), WELL, ConstantNoise(2 / 3), TOP, -1.0)
    assert close(answer, 2750.51225772, 1e-10)
    as_sgd = exact.mean_first_passage(SGD(0.005), WELL, ConstantNoise(2 / 3 / 0.005), TOP, -1.0)
    assert as_sgd.value == pytest.approx(answer.value, rel=1e-12)


@pytest.mark.parametrize(("rate", "batch_size", "tau"), [(0.05, 10.0, 1e22), (0.005, 1.0, 1e23), (0.01, 19.0, 1e200)])
def test_high_barriers_keep_their_digits(rate, batch_size, tau):
    scheme = Scheme(line_through(WELL, FrozenNoise(batch_size), TOP, -1.0), rate, rate**2)
    looked = stretches(scheme.line, scheme.potential_slope, 70.0, scheme.jumps)
    other, _ = _mean_steps(scheme, *_nodes(scheme, looked.meshes, 1.6), reach_of(looked.climb, 70.0))
    found = exact.mean_first_passage(SGD(rate), WELL, FrozenNoise(batch_size), TOP, -1.0)
    assert close(found, other, 1e-11) and found.value > tau
    assert found.error < 1e-11 * found.value


@pytest.mark.parametrize(
    ("variance", "tau"), [(0.42, 1.2931573386847136e21), (0.28, 1.93330190011842e31), (0.087, 9.9258371585240019e98)]
)
def test_digits_against_long_arithmetic(variance, tau):
    """Plain elimination with 50, 60 and 150 decimal digits throughout, on panels of 30, 36 and 64 points: SGD(0.1)."""
    found = exact.mean_first_passage(SGD(0.1), WELL, ConstantNoise(variance), TOP, -1.0)
    assert abs(found.value / tau - 1.0) < 1e-13
    assert abs(found.value - tau) <= found.error


def test_a_plain_solve_loses_them():
    plain = naive_steps(0.05, 0.0025, double_well_slope, lambda x: np.full_like(x, 0.8), -1.0, 0.0, -1.8, points=600)
    found = exact.mean_first_passage(SGD(0.05), WELL, FrozenNoise(10.0), TOP, -1.0)
    assert not close(found, plain, 0.5)


def test_sharpness_is_a_change_of_rate():
    """SGD(k, eta) is exactly SGD(1, k eta) when the noise grows as k."""
    for noise in (FrozenNoise(1.0), TwoPieceNoise(1.0), LocalNoise(1.0, 0.0)):
        landscape = MatchedParabolas(1.0, 2.0, 1.0)
        start, k = -math.sqrt(3.0), 3.0
        sharp = exact.mean_first_passage(SGD(0.1), Sharpened(landscape, k), noise, TOP, start / math.sqrt(k))
        plain = exact.mean_first_passage(SGD(0.1 * k), landscape, noise, TOP, start)
        assert close(sharp, plain.value, 1e-10)
        other = exact.mean_first_passage(SGD(0.1 * math.sqrt(k)), landscape, noise, TOP, start)
        assert not close(sharp, other.value, 0.1)


def excess(end, temperature=0.25, steps=(0.02, 0.01, 0.005, 0.0025)):
    noise, boundary = ConstantNoise(2.0 * temperature), Beyond(end)
    limit = float(exact.mean_first_passage(SDE, WELL, noise, boundary, -1.0))
    return [
        dt * float(exact.mean_first_passage_of_scheme(Overdamped(dt), WELL, noise, boundary, -1.0)) / limit - 1.0
        for dt in steps
    ]


def test_a_step_is_seen_at_its_end():
    """Exit at the top: the excess is of order sqrt(dt); at the other minimum, of order dt. T = 1/4."""
    assert excess(0.0) == pytest.approx([0.143, 0.111, 0.082, 0.060], abs=6e-4)
    assert excess(1.0) == pytest.approx([-0.023, -0.0095, -0.0040, -0.0017], abs=6e-4)
    steps = np.array([0.004, 0.002, 0.001, 0.0005, 0.00025])
    assert np.polyfit(np.log(steps), np.log(excess(0.0, steps=steps)), 1)[0] == pytest.approx(0.5, abs=0.03)


def orders(temperature, shift, bridge):
    """How fast the chain tends to the equation whose end is moved by `shift` deviations of a step."""
    steps, off = np.array([0.016, 0.008, 0.004, 0.002, 0.001]), []
    noise = ConstantNoise(2.0 * temperature)
    for dt in steps:
        end = Beyond(shift * math.sqrt(2.0 * temperature * dt))
        limit = float(exact.mean_first_passage(SDE, WELL, noise, end, -1.0))
        chain = exact.mean_first_passage_of_scheme(Overdamped(dt), WELL, noise, TOP, -1.0, bridge=bridge)
        off.append(abs(dt * float(chain) / limit - 1.0))
    return np.polyfit(np.log(steps), np.log(off), 1)[0]


def test_the_bridge_restores_first_order():
    assert orders(1 / 3, 0.0, bridge=True) > 0.9
    assert orders(1 / 3, 0.0, bridge=False) < 0.6


def test_a_seen_end_is_a_moved_end():
    """-zeta(1/2)/sqrt(2 pi) = 0.5826 deviations of a step further out (Chernoff 1965): only then order 1."""
    assert orders(1 / 3, 0.5825971579390107, bridge=False) > 0.9
    assert orders(1 / 3, 0.7, bridge=False) < 0.7


def test_sgd_tends_to_the_equation():
    """Noise C = 2D/eta: the shifted end taken off, chain over quadrature tends to 1 with eta."""
    shift, temperature, ratios = 0.5825971579390107, 0.2, []
    for rate in (0.004, 0.002, 0.001):
        chain = exact.mean_first_passage(SGD(rate), WELL, ConstantNoise(2.0 * temperature / rate), TOP, -1.0)
        end = Beyond(shift * math.sqrt(2.0 * temperature * rate))
        ratios.append(
            rate
            * float(chain)
            / float(exact.mean_first_passage(SDE, WELL, ConstantNoise(2.0 * temperature), end, -1.0))
        )
    assert abs(2.0 * ratios[2] - ratios[1] - 1.0) < 2e-4 and abs(ratios[2] - 1.0) < abs(ratios[0] - 1.0) / 3.0


@pytest.mark.parametrize("floor", [0.5, 0.2])
def test_the_stated_error_is_honest(floor):
    """Noise that nearly stops at the inflection points is hard: what a finer mesh changes is within the error."""
    scheme = Scheme(line_through(WELL, LocalNoise(1.0, floor), TOP, -1.0), 0.05, 0.0025)
    looked = stretches(scheme.line, scheme.potential_slope, 80.0, scheme.jumps)
    finest, _ = _mean_steps(scheme, *_nodes(scheme, looked.meshes, 1.0), reach_of(looked.climb, 80.0))
    found = exact.mean_first_passage(SGD(0.05), WELL, LocalNoise(1.0, floor), TOP, -1.0)
    assert abs(found.value - finest) <= 3.0 * found.error and found.error < 1e-8 * found.value


# ------------------------------------------------------------------------------------------- problems on one coordinate


def test_decoupled_coordinates():
    valley, noise = Valley(1.0, 1.0, (2.0, 5.0)), FrozenNoise(2.0)
    for dynamics in (SGD(0.05), SDE):
        line = exact.mean_first_passage(dynamics, WELL, noise, TOP, -1.0)
        assert exact.mean_first_passage(dynamics, valley, noise, TOP, (-1.0, 9.0, 9.0)) == line
        sharp = exact.mean_first_passage(dynamics, Sharpened(valley, 2.0), noise, TOP, (-0.5, 0.0, 0.0))
        assert sharp == exact.mean_first_passage(dynamics, Sharpened(WELL, 2.0), noise, TOP, -0.5)
    across = exact.mean_first_passage(SGD(0.05), valley, ConstantNoise((1.0, 2.0, 3.0)), Beyond(1.0, 2), 0.0)
    assert across == exact.mean_first_passage(SGD(0.05), Quadratic((5.0,)), ConstantNoise(3.0), Beyond(1.0), 0.0)
    tang = exact.mean_first_passage(SGD(0.01), StyblinskiTang(2), ConstantNoise(300.0), Beyond(0.0, 1), -2.9)
    assert tang == exact.mean_first_passage(SGD(0.01), StyblinskiTang(1), ConstantNoise(300.0), Beyond(0.0), -2.9)
    bounded = exact.mean_first_passage(SDE, Saddle((-1.0, 2.0), 1.0), ConstantNoise(1.0), Beyond(1.0), (0.0, 0.0))
    assert bounded == exact.mean_first_passage(SDE, Saddle((-1.0,), 1.0), ConstantNoise(1.0), Beyond(1.0), 0.0)


def test_noise_in_several_guises():
    one = exact.mean_first_passage(SGD(0.05), WELL, ConstantNoise(4.0), TOP, -1.0)
    assert float(
        exact.mean_first_passage(SGD(0.05), WELL, ScaledNoise(FrozenNoise(1.0), 0.5), TOP, -1.0)
    ) == pytest.approx(float(one))
    assert exact.mean_first_passage(SGD(0.05), WELL, ConstantNoise(4.0), BeyondPlane((2.0,), 0.0), -1.0) == one
    assert exact.mean_first_passage(Momentum(0.1, 0.0, 0.5), WELL, ConstantNoise(4.0), TOP, -1.0) == one
    pieces = exact.mean_first_passage(SGD(0.1), MatchedParabolas(1, 2, 1), TwoPieceNoise(1.0), TOP, -1.7)
    local = exact.mean_first_passage(SGD(0.1), MatchedParabolas(1, 2, 1), LocalNoise(1.0, 0.0), TOP, -1.7)
    assert local.value == pytest.approx(pieces.value, rel=1e-11)


@pytest.mark.parametrize(
    ("dynamics", "landscape", "noise", "boundary", "start", "line"),
    [
        (SGD(0.1), WELL, ConstantNoise(1.0), TOP, 0.0, "already at or beyond"),
        (SGD(0.1), WELL, ConstantNoise(1.0), TOP, (0.0, 1.0), "start must be"),
        (SGD(0.1), WELL, ConstantNoise(1.0), TOP, math.nan, "start must be"),
        (SGD(0.1), WELL, ConstantNoise(1.0), Beyond(0.0, 1), -1.0, "coordinate 1"),
        (SGD(0.1), WELL, ConstantNoise(0.0), TOP, -1.0, "noise vanishes"),
        (SGD(0.1), WELL, LocalNoise(1.0, 0.0), TOP, -1.0, "noise vanishes at -0.5774"),
        (SDE, WELL, LocalNoise(1.0, 0.0), TOP, -1.0, "noise vanishes at -0.5774"),
        (SGD(0.1), Rotated(Valley(1, 1, (1,))), ConstantNoise(1.0), TOP, -1.0, "coupled"),
        (SGD(0.1), Valley(1, 1, (1,)), TwoPieceNoise(1.0), Beyond(1.0, 1), -1.0, "TwoPieceNoise"),
        (SGD(0.1), Valley(1, 1, (1,)), ConstantNoise(1.0), BeyondPlane((1.0, 1.0), 1.0), -1.0, "one coordinate"),
        (SDE, Saddle((-1.0,)), ConstantNoise(1.0), Beyond(1.0), 0.0, "does not hold"),
        (SDE, Saddle((0.0,)), ConstantNoise(1.0), Beyond(1.0), 0.0, "does not hold"),
        (SDE, Waves(1.0), ConstantNoise(1.0), Beyond(5.0), 0.0, "Waves does not hold"),
        (SDE, Waves(0.3), ConstantNoise(0.1), Beyond(5.0), 0.0, "Waves does not hold"),
        (SGD(0.1), Waves(3.0), ConstantNoise(100.0), Beyond(5.0), 0.0, "Waves does not hold"),
        (SDE, WELL, ConstantNoise(1e-300), TOP, -1.0, "up to which exact answers reach"),
        (SDE, WELL, ConstantNoise(1e-300), TOP, -0.5, "up to which exact answers reach"),
        (SGD(0.1), WELL, ConstantNoise(1e-300), TOP, -1.0, "up to which exact answers reach"),
        (SGD(0.1), DoubleWell(1e-300), FrozenNoise(1.0), TOP, -1.0, "the step is too small"),
        (SGD(0.1), WELL, ConstantNoise(1.0), TOP, -1e10, "the step is too small"),
        (SGD(1e-9), WELL, ConstantNoise(1e9), TOP, -1.0, "too small"),
        (Adam(0.1), WELL, ConstantNoise(1.0), TOP, -1.0, "Adam: the barrier is 20 times"),
    ],
)
def test_refusals(dynamics, landscape, noise, boundary, start, line):
    with pytest.raises(InvalidInput, match=line):
        exact.mean_first_passage(dynamics, landscape, noise, boundary, start)


def test_refused_options():
    with pytest.raises(InvalidInput, match="convention is for Overdamped"):
        exact.mean_first_passage(SGD(0.1), WELL, ConstantNoise(1.0), TOP, -1.0, convention=0.5)
    with pytest.raises(InvalidInput, match=r"in \[0, 1\]"):
        exact.mean_first_passage(SDE, WELL, ConstantNoise(1.0), TOP, -1.0, convention=2.0)
    with pytest.raises(InvalidInput, match="is for Overdamped"):
        exact.mean_first_passage_of_scheme(SGD(0.1), WELL, ConstantNoise(1.0), TOP, -1.0)
