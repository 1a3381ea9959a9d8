"""The inertial equation without sampling: every damping, both limits, the simulator, and what must be rejected."""

import functools
import math

import numpy as np
import pytest
from scipy import optimize
from scipy.special import ndtr

import simdyn as sd
from simdyn import exact
from simdyn.exact import klein_kramers as method
from simdyn.exact.inertial import motion_on
from simdyn.exact.line import line_through
from simdyn.exact.phase_space import moved
from simdyn.exact.separatrix import separatrix_of
from simdyn.model.records import InvalidInput

WELL = sd.DoubleWell(1.0, 1.0)
OMEGA = math.sqrt(8.0)
MILNE = 1.4603545088095868  # -zeta(1/2): free paths from an absorbing wall to where the density seems to vanish


def passage(damping, temperature, end, start=-1.0, landscape=WELL, mass=1.0, momentum=0.0):
    noise = sd.ConstantNoise(2.0 * damping * mass * temperature)
    return exact.inertial_first_passage(
        sd.Inertial(0.1, mass, damping), landscape, noise, sd.Beyond(end), start, momentum
    )


known = functools.cache(passage)  # for what several tests hold against something else


def overdamped(damping, temperature, end, start=-1.0):
    """Of d theta = -L'/(gamma M) dt + ...: the equation of mobility 1, in gamma M times its time."""
    noise = sd.ConstantNoise(2.0 * temperature)
    return damping * float(exact.mean_first_passage(sd.Overdamped(0.1), WELL, noise, sd.Beyond(end), start))


@pytest.mark.parametrize("temperature", [0.5, 0.1])
def test_strong_friction_is_overdamped_with_the_end_a_milne_length_further(temperature):
    """Marshall and Watson, J. Phys. A 18, 3531 (1985): 1.460 free paths; what is left is of second order in them."""
    left = []
    for damping in (100.0, 200.0):
        path = math.sqrt(temperature) / damping
        found = passage(damping, temperature, 0.0)
        assert found.error < 1e-4 * found.value
        left.append(abs(found.value / overdamped(damping, temperature, MILNE * path) - 1.0))
        assert left[-1] < 20.0 * (path / math.sqrt(temperature)) ** 2 / temperature**0.5
        assert abs(found.value / overdamped(damping, temperature, 0.0) - 1.0) > 5.0 * left[-1]
    assert left[1] < 0.4 * left[0] + 1e-5


@pytest.mark.parametrize("damping", [1e2, 1e3])
def test_well_beyond_the_saddle_the_correction_is_of_second_order(damping):
    found = passage(damping * OMEGA, 0.2, 1.0)
    correction = found.value / overdamped(damping * OMEGA, 0.2, 1.0) - 1.0
    # Kramers' factor (1 + (omega_b/gamma)^2) for the escape, omega_b^2 = 4 = OMEGA^2/2.
    assert correction == pytest.approx(0.5 / damping**2, abs=0.6 / damping**2 + 1.5e-5)


def averaged(damping, temperature, end):
    noise = sd.ConstantNoise(2.0 * damping * OMEGA * temperature)
    return exact.energy_first_passage(sd.Inertial(0.1, 1.0, damping * OMEGA), WELL, noise, sd.Beyond(end), -1.0)


@pytest.mark.parametrize(
    ("damping", "temperature", "end"), [(4e-3, 0.5, 0.0), (3e-3, 1 / 15, 0.0), (3e-3, 1 / 15, 1.0), (1e-3, 0.05, 1.0)]
)
def test_weak_friction_is_diffusion_of_the_energy(damping, temperature, end):
    """At any barrier, the layer about the separatrix ever thinner: within what either method says of itself."""
    slow, found = averaged(damping, temperature, end), known(damping * OMEGA, temperature, end)
    assert found.error < 0.001 * found.value
    assert abs(found.value - slow.value) < slow.error + found.error
    assert slow.error < 0.03 * slow.value
    assert found.value > 1.15 * faint_limit(temperature) / (damping * OMEGA)  # the first order in gamma^{1/2} counts


@pytest.mark.parametrize(
    ("damping", "temperature", "end", "share"),
    [(3e-3, 1 / 15, 1.0, 0.6), (1e-3, 0.05, 1.0, 1.6), (0.1, 0.05, 0.0, 0.6)],
)
def test_the_coordinate_does_not_matter(damping, temperature, end, share):
    """Velocities in units of a speed that is rounded much more, or less: other splines in all of phase space."""
    found = known(damping * OMEGA, temperature, end)
    separatrix = separatrix_at(damping, temperature, end)
    other = method._solve(separatrix._replace(rounding=share * separatrix.rounding), 90, 0.0)
    assert abs(other - found.value) < 2.0 * found.error


def separatrix_at(damping, temperature, end):
    line = line_through(WELL, sd.ConstantNoise(2.0 * damping * OMEGA * temperature), sd.Beyond(end), -1.0)
    return separatrix_of(motion_on(sd.Inertial(0.1, 1.0, damping * OMEGA), line))


def test_the_coordinate_follows_the_separatrix():
    separatrix = separatrix_at(3e-3, 1 / 15, 1.0)
    points = np.linspace(-1.4, 0.99, 200)
    spare = separatrix.motion.barrier - separatrix.motion.potential(points)
    assert np.all(np.abs(separatrix.speed(points) ** 2 / 2.0 - spare) < 2.001 * separatrix.rounding)
    step = 1e-6
    slope = (separatrix.speed(points + step) - separatrix.speed(points - step)) / (2.0 * step)
    assert separatrix.slope(points) == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_one_method_hands_over_to_the_other():
    """`mean_first_passage` averages over orbits where that is good to 0.2 %, or where splines cannot follow."""
    arguments = (WELL, sd.ConstantNoise(2e-5), sd.Beyond(0.0), -1.0)
    dynamics = sd.Inertial(0.1, 1.0, 1e-4)
    averaged = exact.energy_first_passage(dynamics, *arguments)
    assert exact.mean_first_passage(dynamics, *arguments) == averaged and averaged.error < 2e-3 * averaged.value
    assert averaged.value > 1.02 * faint_limit(0.1) / 1e-4  # the walk's boundary is seen once an orbit


def faint_limit(temperature):
    """gamma tau as gamma -> 0."""
    noise = sd.ConstantNoise(2e-12 * temperature)
    return 1e-12 * float(exact.energy_first_passage(sd.Inertial(0.1, 1.0, 1e-12), WELL, noise, sd.Beyond(0.0), -1.0))


def test_kramers_turnover():
    """The rate has its maximum at a fraction of omega: slower at both ends, by the inertial factor between."""
    times = [float(passage(damping * OMEGA, 0.2, 1.0)) for damping in (0.04, 0.1, 1.0, 30.0)]
    assert times[0] > times[1] < times[2] < times[3]
    gamma, top = 1.0 * OMEGA, 2.0
    kramers = 2.0 * math.pi / OMEGA * top / (math.sqrt(gamma**2 / 4.0 + top**2) - gamma / 2.0) * math.exp(5.0)
    assert times[2] == pytest.approx(kramers, rel=0.2)  # corrections of order T/dL


@pytest.mark.parametrize("damping", [1.0, 50.0])
def test_high_barriers_keep_their_digits(damping):
    """tau e^{-dL/T} tends to its limit linearly in T, up to tau ~ 1e40 where plain solves hold nothing."""
    scaled = [
        float(passage(damping * OMEGA, temperature, 0.0)) * math.exp(-1.0 / temperature)
        for temperature in (0.0125, 0.0250, 0.05)
    ]
    first, second = scaled[1] - scaled[0], scaled[2] - scaled[1]
    assert abs(first) < abs(second) < 0.2 * scaled[0]
    assert second / first == pytest.approx(2.0, abs=0.7)


def test_free_flight():
    """Faster than noise can tell: theta'' = -theta - gamma theta' from r = 5, until theta = 1."""
    damping = 0.3
    found = passage(damping, 1.0, 1.0, start=0.0, landscape=sd.Quadratic((1.0,)), momentum=5.0)
    turn = math.sqrt(1.0 - damping**2 / 4.0)

    def place(time):
        return 5.0 / turn * math.exp(-damping * time / 2.0) * math.sin(turn * time)

    alone = optimize.brentq(lambda time: place(time) - 1.0, 0.0, 1.0)
    # The noise spreads the arrival by (2 gamma t^3/3)^{1/2}/r, and moves its mean by about that squared over t.
    assert found.value == pytest.approx(alone, rel=damping * alone / 25.0 + 2e-3)


def test_units():
    """Mass only sets the units of noise and slope; sharpness those of length and time."""
    base = passage(1.5, 0.3, 0.2)
    heavy = exact.inertial_first_passage(
        sd.Inertial(0.1, 4.0, 1.5), sd.DoubleWell(4.0, 1.0), sd.ConstantNoise(2 * 1.5 * 4 * 1.2), sd.Beyond(0.2), -1.0
    )
    assert heavy.value == pytest.approx(base.value, rel=1e-6)
    root = math.sqrt(3.0)
    sharp = passage(1.5 * root, 0.3, 0.2 / root, -1.0 / root, sd.Sharpened(WELL, 3.0))
    assert sharp.value * root == pytest.approx(base.value, rel=1e-4)
    wrong = passage(1.5, 0.3, 0.2 / root, -1.0 / root, sd.Sharpened(WELL, 3.0))
    assert abs(wrong.value * root / base.value - 1.0) > 0.05


def test_thermal_start():
    """The law of the start is the average of starts with given momenta."""
    points, weights = np.polynomial.hermite_e.hermegauss(3)
    thermal = passage(2.0, 0.5, 0.5, momentum="stationary")
    fixed = [float(passage(2.0, 0.5, 0.5, momentum=math.sqrt(0.5) * point)) for point in points]
    assert thermal.value == pytest.approx(float(weights @ fixed / weights.sum()), rel=1e-2)
    assert fixed[0] > fixed[-1]


@pytest.mark.parametrize("damping", [0.3, 3.0])
def test_against_the_simulator(damping, seed):
    temperature, dt = 0.5, 0.01
    noise = sd.ConstantNoise(2.0 * damping * temperature)
    simulated = sd.escape_times(
        sd.Inertial(dt, 1.0, damping), WELL, noise, sd.Beyond(0.3), -1.0, particles=8192, seed=seed
    )
    mean = float(np.mean(simulated.times)) - dt / 2.0  # a passage is seen half a step late
    deviation = float(np.std(simulated.times)) / math.sqrt(8192)
    found = exact.mean_first_passage(sd.Inertial(dt, 1.0, damping), WELL, noise, sd.Beyond(0.3), -1.0)
    assert found.error < 0.2 * deviation
    assert abs(mean - found.value) < 5.0 * deviation
    halved = exact.mean_first_passage(
        sd.Inertial(dt, 1.0, damping), WELL, sd.ConstantNoise(damping * temperature), sd.Beyond(0.3), -1.0
    )
    assert abs(mean - halved.value) > 5.0 * deviation  # D for 2D


def test_the_stated_error_is_honest():
    """Coarse splines are off, and their change says so."""
    separatrix = separatrix_at(0.03, 0.2, 0.0)
    coarse, finer, fine = (method._solve(separatrix, pieces, 0.0) for pieces in (10, 20, 80))
    assert abs(coarse / fine - 1.0) > 0.01
    assert abs(finer - fine) < abs(coarse - finer)
    assert passage(0.03 * OMEGA, 0.2, 0.0).value == pytest.approx(fine, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"landscape": sd.Saddle((-1.0,)), "start": 0.0, "end": 1.0}, "does not hold"),
        ({"temperature": 0.0}, "noise vanishes"),
        ({"momentum": "warm"}, "'stationary'"),
        ({"momentum": math.nan}, "momentum must be"),
        ({"momentum": True}, "momentum must be a finite number, not True"),
        ({"momentum": 1e6}, "momentum must be"),
        ({"start": 0.5}, "already"),
        ({"damping": 1e-9 * OMEGA, "temperature": 0.05}, "an orbit loses .* energy_first_passage is the answer"),
        ({"damping": 1e-5 * OMEGA, "temperature": 0.5}, "an orbit loses"),
    ],
)
def test_refusals(arguments, line):
    given = {"damping": 1.0, "temperature": 0.3, "end": 0.0} | arguments
    with pytest.raises(InvalidInput, match=line):
        passage(**given)


def test_what_stays_unresolved_is_refused(monkeypatch):
    monkeypatch.setattr(method, "LEVELS", (8, 11, 15))
    with pytest.raises(InvalidInput, match="not resolved to 1 %"):
        passage(3e-3 * OMEGA, 1 / 15, 1.0)


def test_the_lowest_damping_that_phase_space_answers_is_honest():
    """Just above the loss that is refused, where energy diffusion is exact to 2e-4."""
    slow, found = averaged(5e-5, 0.2, 0.0), passage(5e-5 * OMEGA, 0.2, 0.0)
    assert slow.error < 2.5e-4 * slow.value
    assert abs(found.value - slow.value) < found.error + slow.error < 0.002 * slow.value


def test_refused_problems():
    dynamics = sd.Inertial(0.1)
    with pytest.raises(InvalidInput, match="the same everywhere"):
        exact.mean_first_passage(dynamics, WELL, sd.LocalNoise(1.0, 0.5), sd.Beyond(0.0), -1.0)
    with pytest.raises(InvalidInput, match="very low damping"):
        exact.energy_first_passage(dynamics, WELL, sd.ConstantNoise(1.0), sd.Beyond(0.0), -1.0)
    with pytest.raises(InvalidInput, match="of Inertial"):
        exact.phase_density(sd.Overdamped(0.1), WELL, sd.ConstantNoise(1.0), 0.0, [1.0], [-1, 1], [-1, 1])
    with pytest.raises(InvalidInput, match="equally spaced"):
        exact.phase_density(dynamics, WELL, sd.ConstantNoise(1.0), 0.0, [1.0], [-1, 0, 2], [-1, 1])
    with pytest.raises(InvalidInput, match="between the edges"):
        exact.phase_density(dynamics, WELL, sd.ConstantNoise(1.0), 3.0, [1.0], [-1, 1], [-1, 1])
    with pytest.raises(InvalidInput, match="steps of"):
        exact.phase_density(dynamics, WELL, sd.ConstantNoise(1.0), 0.0, [1e6], [-1, 1], [-1, 1])


# ---------------------------------------------------------------------------------------------------- in time


@pytest.mark.parametrize("damping", [0.2, 2.0])
def test_phase_density_of_a_harmonic_well(damping):
    edges, times = np.linspace(-6.0, 6.0, 25), [1.0, 3.0]
    dynamics, well, noise = sd.Inertial(0.1, 1.0, damping), sd.Quadratic((1.0,)), sd.ConstantNoise(2.0 * damping)
    found = exact.phase_density(dynamics, well, noise, 1.0, times, edges, edges, momentum=1.0)
    assert found.joint.min() >= 0.0 and found.joint.sum((1, 2)) == pytest.approx(1.0, abs=1e-12)
    moments = exact.continuous_moments(dynamics, well, noise, 1.0, times, 1.0)
    for i in range(len(times)):
        law = np.diff(ndtr((edges - moments.mean[i, 0]) / math.sqrt(moments.covariance[i, 0])))
        off = np.max(np.abs(law - found.theta[i]))
        assert off < 3.0 * np.max(found.theta_error[i]) and np.max(found.theta_error[i]) < 0.05
    later = exact.phase_density(dynamics, well, noise, 1.0, [3.0], edges, edges, momentum=1.0, per_bin=6)
    assert np.max(later.theta_error) < np.max(found.theta_error[1])
    single = exact.phase_density(dynamics, well, sd.ConstantNoise(damping), 1.0, [3.0], edges, edges, momentum=1.0)
    assert np.max(np.abs(single.theta[0] - law)) > 5.0 * off  # D for 2D


def test_phase_density_comes_to_rest():
    edges, speeds = np.linspace(-2.2, 2.2, 12), np.linspace(-4.2, 4.2, 14)
    dynamics, noise = sd.Inertial(0.1, 1.0, 1.0), sd.ConstantNoise(1.0)
    found = exact.phase_density(dynamics, WELL, noise, 0.0, [0.0, 30.0], edges, speeds, per_bin=6)
    law = exact.stationary_phase_density(dynamics, WELL, noise, edges, speeds)
    assert law.sum() == pytest.approx(1.0) and found.joint[0].max() > 0.2
    assert np.max(np.abs(found.joint[1] - law)) < 3.0 * np.max(found.error[1]) < 0.01


def test_moving_keeps_what_there_is(seed):
    random = np.random.default_rng((seed, 5))
    rows = random.random((40, 50)) * (random.random((40, 50)) < 0.3)
    after = moved(rows, random.normal(0.0, 7.0, 40))
    assert after.min() >= 0.0 and after.sum(1) == pytest.approx(rows.sum(1), rel=1e-13)
    assert np.array_equal(moved(rows, np.zeros(40)), rows)
    assert np.array_equal(moved(rows, np.full(40, 3.0))[:, 3:-1], rows[:, :-4])
