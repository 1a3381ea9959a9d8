"""Rates in every regime: closed forms, limits, next orders against quadrature, and the turnover against Klein and Kramers."""

import math
import warnings

import numpy as np
import pytest
from klein_kramers import klein_kramers
from scipy import integrate

import simdyn as sd
from simdyn import theory
from simdyn.exact.first_passage import mean_first_passage
from simdyn.model.records import InvalidInput
from simdyn.theory.finite_barrier import integrals, of_problem
from simdyn.theory.orbits import depth

WELL = sd.DoubleWell(1.0, 1.0)
HEAT = 0.2
SDE = sd.Overdamped(0.01)


def inertial(damping, mass=1.0, heat=HEAT):
    """The dynamics and the noise, D = gamma M T."""
    return sd.Inertial(0.01, mass, damping), sd.ConstantNoise(2.0 * damping * mass * heat)


def case(damping, mass=1.0, heat=HEAT, landscape=WELL):
    dynamics, noise = inertial(damping, mass, heat)
    return theory.problem(dynamics, landscape, noise)


def named(*arguments, **options):
    return {one.name: one for one in theory.rates(*arguments, **options)}


# --------------------------------------------------------------------------------- an independent, exact answer


@pytest.fixture(scope="module")
def exact():
    """gamma -> rate at T = 1/5, resolved to 2e-3 at gamma = 0.05 and better above."""
    sizes = {0.05: (56, 116), 0.2: (48, 70), 1.0: (40, 40), 10.0: (36, 24)}
    return {damping: klein_kramers(damping, HEAT, *size) for damping, size in sizes.items()}


def test_the_eigenvalue_is_converged(exact):
    assert klein_kramers(0.2, HEAT, 56, 84) == pytest.approx(exact[0.2], rel=1e-3)
    assert klein_kramers(10.0, HEAT, 44, 30) == pytest.approx(exact[10.0], rel=1e-5)


def test_every_valid_theory_is_within_its_error_of_the_exact_rate(exact):
    for damping, truth in exact.items():
        found = theory.rates(*inertial(damping)[:1], WELL, inertial(damping)[1], returns=True)
        for one in found:
            if one.valid:
                assert abs(one.value - truth) < one.error, (damping, one, truth)
        assert abs(found[0].value / truth - 1.0) < 0.03  # uniform
        best = theory.rate(inertial(damping)[0], WELL, inertial(damping)[1], returns=True)
        assert abs(best.value / truth - 1.0) < 0.03


def test_wrong_theories_are_caught_by_the_exact_rate(exact):
    """One well for two, no depopulation, overdamped at low friction, half a mean first passage: all rejected."""
    low, middle = named(*_at(0.05), returns=True), named(*_at(1.0), returns=True)
    alone = named(*_at(0.05))
    for wrong, truth in (
        (alone["uniform"], exact[0.05]),
        (low["spatial diffusion"], exact[0.05]),
        (middle["energy diffusion"], exact[1.0]),
        (middle["Kramers"], exact[1.0]),
    ):
        right = low["uniform"] if truth == exact[0.05] else middle["uniform"]
        assert abs(wrong.value - truth) > 3.0 * right.error
    assert abs(2.0 * middle["uniform"].value - exact[1.0]) > 3.0 * middle["uniform"].error


def _at(damping):
    dynamics, noise = inertial(damping)
    return dynamics, WELL, noise


# ------------------------------------------------------------------------------------------------- closed forms


def test_kramers_and_transition_state_on_the_double_well():
    boltzmann = math.exp(-1.0 / HEAT)
    assert theory.kramers_rate(8.0, -4.0, 1.0, HEAT, drag=3.0) == pytest.approx(
        math.sqrt(32.0) / (2.0 * math.pi * 3.0) * boltzmann
    )
    assert theory.transition_state_rate(8.0, -4.0, 1.0, HEAT, mass=2.0) == pytest.approx(
        2.0 / (2.0 * math.pi) * boltzmann
    )
    assert theory.langer_rate(8.0, -4.0, 1.0, HEAT, mass=2.0, damping=3.0) == pytest.approx(
        1.0 / theory.inertial_kramers_escape_time(8.0, -4.0, 1.0, HEAT * 6.0, mass=2.0, damping=3.0)
    )


def test_langer_with_separable_transverse_directions():
    """k_d = k_1 sqrt(prod of transverse curvatures at the minimum over those at the saddle), whatever the friction."""
    line = theory.langer_rate(8.0, -4.0, 1.0, HEAT, mass=1.5, damping=0.7)
    space = theory.langer_rate(np.diag([8.0, 3.0, 5.0]), np.diag([-4.0, 6.0, 2.0]), 1.0, HEAT, 1.5, 0.7)
    assert space == pytest.approx(line * math.sqrt(15.0 / 12.0))
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    turned = [turn @ np.diag(values) @ turn.T for values in ([8.0, 3.0, 5.0], [-4.0, 6.0, 2.0])]
    assert theory.langer_rate(*turned, 1.0, HEAT, 1.5, 0.7) == pytest.approx(space)


def test_langer_with_matrices_and_its_limits():
    bottom, top = np.array([[8.0, 1.0], [1.0, 3.0]]), np.array([[-4.0, 0.5], [0.5, 2.0]])
    one = theory.langer_rate(bottom, top, 1.0, HEAT, mass=1.0, damping=0.8)
    assert theory.langer_rate(bottom, top, 1.0, HEAT, np.eye(2), 0.8 * np.eye(2)) == pytest.approx(one)
    # masses differ: scaling each coordinate by sqrt(m) gives unit masses and the same rate
    scale = np.diag(1.0 / np.sqrt([2.0, 5.0]))
    scaled = theory.langer_rate(scale @ bottom @ scale, scale @ top @ scale, 1.0, HEAT, 1.0, 0.8)
    assert theory.langer_rate(bottom, top, 1.0, HEAT, np.diag([2.0, 5.0]), 0.8) == pytest.approx(scaled)
    strong = theory.langer_rate(bottom, top, 1.0, HEAT, 1.0, 1e4)
    assert strong == pytest.approx(theory.kramers_rate(bottom, top, 1.0, HEAT, 1e4), rel=1e-6)
    weak = theory.langer_rate(bottom, top, 1.0, HEAT, 1.0, 1e-9)
    assert weak == pytest.approx(theory.transition_state_rate(bottom, top, 1.0, HEAT), rel=1e-6)


def test_weak_friction_and_the_actions_of_the_double_well():
    assert theory.barrier_action(case(0.1, mass=2.0)) == pytest.approx(math.sqrt(2.0) * 8.0 / 3.0, rel=1e-9)
    found = theory.weak_friction_rate(8.0, 1.0, HEAT, 1.0, 0.01, 8.0 / 3.0)
    assert found == pytest.approx(0.01 * 8.0 / 3.0 / HEAT * math.sqrt(8.0) / (2.0 * math.pi) * math.exp(-5.0))


def test_actions_of_harmonic_orbits():
    """I = 2 pi E/omega where all is quadratic; deep in the matched parabolas the orbit never sees the cap."""
    found = theory.actions(case(0.1, mass=2.0, landscape=sd.MatchedParabolas(1.0, 8.0, 4.0)))
    harmonic = (found.energies > 0.0) & (found.energies < 0.3)
    assert found.values[harmonic] == pytest.approx(2.0 * math.pi * found.energies[harmonic] / 2.0, rel=1e-6)


def test_energy_diffusion_double_integral():
    """Against nested quadrature for I = 2 pi E/omega, and the leading order as T -> 0."""
    at = np.sin(np.linspace(0.0, math.pi / 2.0, 40)) ** 2
    found, error = theory.energy_diffusion_time(at, 2.0 * math.pi * at, HEAT, damping=0.01)

    def outer(energy):
        inner = HEAT * -math.expm1(-energy / HEAT)
        return math.exp(energy / HEAT) / energy * inner

    truth = integrate.quad(outer, 0.0, 1.0, epsabs=0, epsrel=1e-11)[0] / (0.01 * HEAT)
    assert abs(found - truth) <= max(error, 1e-8 * truth)
    excess = []
    for heat in (0.04, 0.02, 0.01):
        curve = theory.actions(case(1e-3, heat=heat))
        time, blur = theory.energy_diffusion_time(curve.energies, curve.values, heat, 1e-3)
        assert blur < 2e-3 * time
        excess.append(theory.weak_friction_rate(8.0, 1.0, heat, 1.0, 1e-3, 8.0 / 3.0) * time - 1.0)
    assert excess[0] > excess[1] > excess[2] > 0.0 and excess[2] < 0.6 * excess[0]


# -------------------------------------------------------------------------------------------------- the turnover


def test_depopulation_is_the_loss_at_low_friction_and_one_at_high():
    for loss in (1e-4, 1e-3, 1e-2):  # A = d (1 - 0.824 sqrt(d) + ...)
        assert theory.turnover_rate(1.0, loss) == pytest.approx(loss, rel=0.83 * math.sqrt(loss))
        assert theory.turnover_rate(1.0, loss, loss) == pytest.approx(loss / 2.0, rel=0.83 * math.sqrt(loss))
    assert theory.turnover_rate(1.0, 60.0) == pytest.approx(1.0, abs=1e-6)


def test_melnikov_meshkov_joins_energy_diffusion_and_kramers():
    for damping, name, within in ((1e-5, "weak friction", 0.02), (1e3, "Kramers", 1e-4)):
        found = named(*_at(damping))
        assert found["Mel'nikov-Meshkov"].value == pytest.approx(found[name].value, rel=within)
    found = named(*_at(1e-5))
    assert found["uniform"].value == pytest.approx(found["energy diffusion"].value, rel=0.02)
    wrong = math.exp(_unweighted(0.5) / (2.0 * math.pi))  # the weight 1/(l^2 + 1/4) forgotten
    assert abs(wrong / theory.turnover_rate(1.0, 0.5) - 1.0) > 0.5


def _unweighted(loss):
    def logarithm(at):
        return math.log(-math.expm1(-loss * (at * at + 0.25)))

    return 2.0 * integrate.quad(logarithm, 0.0, np.inf, limit=500)[0]


@pytest.mark.parametrize("damping", [0.05, 1.0, 7.0])
def test_loss_of_the_unstable_mode_against_its_double_integral(damping):
    """d T = 1/2 Int Int w'(t) K(t-s) w'(s), done by Fourier transform on an orbit followed in time."""
    mass, setting = 2.0, case(damping, mass=2.0)
    frequency = 4.0 / mass
    low = (math.sqrt(damping**2 + 4.0 * frequency) - damping) / 2.0
    high = low + damping
    weight = math.sqrt(2.0 * low / (low + high))
    scale = weight / math.sqrt(mass)

    def nonlinear(rho):  # w'(q), q = sqrt(M) x: the force of the quartic alone, 4 x^3 dx/dq
        return 4.0 * (scale * rho) ** 3 / math.sqrt(mass)

    def motion(t, state):
        return [state[1], low**2 * state[0] - weight * nonlinear(state[0])]

    # the turning point: low^2 rho^2/2 = (scale rho)^4
    turn = low / (math.sqrt(2.0) * scale**2)
    half, count = 34.0 / low, 2**15
    times = np.arange(count) * (half / count)
    done = integrate.solve_ivp(
        motion, (0.0, 12.0 / low), [turn, 0.0], t_eval=times[times < 12.0 / low], rtol=1e-12, atol=1e-14
    )
    rho = np.zeros(count)
    rho[: done.y.shape[1]] = done.y[0]
    force = nonlinear(np.concatenate([rho, [0.0], rho[:0:-1]]))
    step = times[1]
    omega = 2.0 * math.pi * np.fft.fftfreq(len(force), step)
    kernel = 2.0 * damping * omega**2 / ((low**2 + omega**2) * (high**2 + omega**2))
    lost = 0.5 * np.sum(np.abs(step * np.fft.fft(force)) ** 2 * kernel) / (len(force) * step)
    assert theory.unstable_mode_loss(setting) * HEAT == pytest.approx(lost, rel=1e-5)


def test_the_unstable_mode_loses_less_than_the_free_orbit():
    for damping in (1e-3, 0.1, 1.0, 10.0):
        free = damping * theory.barrier_action(case(damping)) / HEAT
        modal = theory.unstable_mode_loss(case(damping))
        assert 0.0 < modal < free
        found = named(*_at(damping))
        assert found["Pollak-Grabert-Hanggi"].value <= found["Mel'nikov-Meshkov"].value
    assert theory.unstable_mode_loss(case(1e-4)) == pytest.approx(1e-4 * 8.0 / 3.0 / HEAT, rel=1e-3)
    assert theory.unstable_mode_loss(case(0.5), -1.0) == pytest.approx(theory.unstable_mode_loss(case(0.5)), rel=1e-6)


# ------------------------------------------------------------------------------------------------ finite barriers


def test_coefficients_of_the_double_well():
    """L''' = -24, L'''' = 24 at -1, L'''' = 24 at 0: 3/16 each."""
    found = theory.finite_barrier(SDE, WELL, sd.ConstantNoise(0.4))
    assert (found.well, found.top, found.quartic) == pytest.approx((3.0 / 16.0,) * 3, rel=1e-9)
    assert found.edge == pytest.approx(0.0, abs=1e-9)
    flat = theory.finite_barrier(SDE, sd.MatchedParabolas(1.0, 8.0, 4.0), sd.ConstantNoise(0.4))
    assert (flat.well, flat.top) == pytest.approx((0.0, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("landscape", "end", "at_saddle", "order"),
    [
        (WELL, 1.0, False, 2.0),
        (WELL, 0.0, True, 2.0),
        (sd.StyblinskiTang(1), 2.7, False, 2.0),
        (sd.StyblinskiTang(1), None, True, 1.5),
    ],
)
def test_next_order_of_the_mean_first_passage(landscape, end, at_saddle, order):
    """What is left after the next order falls as T^2 (T^{3/2} at a skew saddle itself); without it, or with its sign
    turned, it falls as T."""
    start, top = float(sd.minimum(landscape)[0]), float(sd.saddle(landscape)[0])
    barrier = sd.value_at(landscape, [top]) - sd.value_at(landscape, [start])
    shares = np.array([1.0 / 15.0, 1.0 / 21.0, 1.0 / 30.0, 1.0 / 42.0])
    left, wrong = [], []
    for share in shares:
        noise = sd.ConstantNoise(2.0 * share * barrier)
        time = mean_first_passage(SDE, landscape, noise, sd.Beyond(top if end is None else end), start=start)
        plain = theory.escape_time(SDE, landscape, noise, at_saddle=at_saddle)
        factor = theory.finite_barrier_factor(SDE, landscape, noise, at_saddle=at_saddle)
        left.append(abs(float(time) / plain - factor))
        found = of_problem(theory.problem(SDE, landscape, noise))
        wrong.append(abs(float(time) / plain - factor + 2.0 * found.top * share * barrier))
    slope = np.polyfit(np.log(shares), np.log(left), 1)[0]
    assert slope > order - 0.15 and left[-1] < 0.1 * (float(time) / plain - 1.0)
    assert np.polyfit(np.log(shares), np.log(wrong), 1)[0] < 1.3


@pytest.mark.parametrize("heat", [0.2, 0.1, 0.05])
def test_integrals_over_their_gaussian_values(heat):
    """Both are 1 + 3 T/16 + O(T^2) on the double well; on matched parabolas they miss what lies beyond the kinks."""
    for found in integrals(case(1.0, heat=heat)):
        assert abs(found - 1.0 - 3.0 / 16.0 * heat) < 0.6 * heat**2
    _, top = integrals(case(1.0, heat=heat, landscape=sd.MatchedParabolas(1.0, 2.0, 20.0)))
    edge = math.sqrt(2.0 * (1.0 / 11.0) / 20.0)  # the cap ends where it has come down by 1/11
    cap = math.erf(edge * math.sqrt(20.0 / (2.0 * heat)))
    assert top > cap + 0.5 * math.erfc(edge * math.sqrt(20.0 / (2.0 * heat)))


def test_finite_barrier_factor_with_inertia():
    """Only the well's share as gamma -> 0, all of it as gamma grows."""
    assert theory.finite_barrier_factor(inertial(1e-4)[0], WELL, inertial(1e-4)[1]) == pytest.approx(
        1.0 + 0.1875 * HEAT
    )
    assert theory.finite_barrier_factor(inertial(1e3)[0], WELL, inertial(1e3)[1]) == pytest.approx(
        (1.0 + 0.1875 * HEAT) ** 2, rel=1e-4
    )
    with pytest.raises(InvalidInput, match="at_saddle"):
        theory.finite_barrier_factor(inertial(1.0)[0], WELL, inertial(1.0)[1], at_saddle=True)
    with pytest.warns(theory.ValidityWarning, match="too low"):
        theory.finite_barrier_factor(SDE, WELL, sd.ConstantNoise(4.0))


# ------------------------------------------------------------------------------------------------- one entry point


def test_overdamped_rate_against_quadrature():
    narrow, flat = sd.MatchedParabolas(1.0, 20.0, 2.0), sd.MatchedParabolas(1.0, 2.0, 20.0)  # kinks closer than T
    for landscape in (WELL, sd.MatchedParabolas(1.0, 8.0, 4.0), sd.Valley(1.0, 1.0, (2.0,)), narrow, flat):
        noise, end = sd.ConstantNoise(0.3), -float(sd.minimum(landscape)[0])
        truth = 1.0 / float(mean_first_passage(SDE, landscape, noise, sd.Beyond(end), start=sd.minimum(landscape)))
        for one in theory.rates(SDE, landscape, noise):
            assert one.valid and one.unit == "time" and abs(one.value - truth) < one.error
        assert theory.rate(SDE, landscape, noise).name == "finite barrier"


@pytest.mark.parametrize("learning_rate", [0.02, 0.01])
def test_rates_of_sgd_are_per_step(learning_rate):
    noise = sd.ConstantNoise(2.0 * HEAT / learning_rate)
    truth = 1.0 / float(mean_first_passage(sd.SGD(learning_rate), WELL, noise, sd.Beyond(1.0), start=-1.0))
    best = theory.rate(sd.SGD(learning_rate), WELL, noise)
    assert best.unit == "step" and abs(best.value - truth) < best.error
    assert abs(best.value / learning_rate - truth) > 10.0 * best.error  # per unit of time


def test_optimizers_by_their_equivalent():
    """Momentum is the inertial equation, per step; Adam with its v; Adai in one dimension is EMA Momentum."""
    rate, beta = 0.01, 0.95
    noise = sd.ConstantNoise(40.0)
    found = theory.rate(sd.Momentum(rate, beta, 1.0 - beta), WELL, noise)
    mass, damping = rate / (1.0 - beta), (1.0 - beta) / rate
    twin = theory.rate(sd.Inertial(0.01, mass, damping), WELL, sd.ConstantNoise(rate * 40.0))
    assert found.value == pytest.approx(rate * twin.value, rel=1e-9) and found.unit == "step"
    assert theory.rate(sd.Adai(rate, 1.0 - beta), WELL, noise).value == pytest.approx(found.value, rel=1e-9)
    adam = theory.rate(sd.Adam(10.0 * rate, beta), WELL, noise)
    scaled = 10.0 * rate / math.sqrt(_adam_v(40.0, 10.0 * rate))
    assert adam.value == pytest.approx(theory.rate(sd.Momentum(scaled, beta, 1.0 - beta), WELL, noise).value, rel=1e-6)


def _adam_v(variance, rate):
    """v = C + H_a T, T = eta C/(2 sqrt(v))."""
    v = variance
    for _ in range(100):
        v = variance * (1.0 + 8.0 * rate / (2.0 * math.sqrt(v)))
    return v


def test_momentum_simulated(seed):
    """The one-well form is what a first passage of the other minimum sees; five standard errors and the theory's own."""
    method, noise = sd.Momentum(0.03, 0.98, 0.02), sd.ConstantNoise(16.0)
    best = theory.rate(method, WELL, noise)
    times = sd.escape_times(method, WELL, noise, sd.Beyond(1.0), start=-1.0, particles=1000, max_steps=10**6, seed=seed)
    truth = 1.0 / times.mean().value
    assert abs(best.value - truth) < best.error + 5.0 * truth / math.sqrt(1000)


def test_separable_landscapes_are_lines_and_rotation_changes_nothing():
    dynamics, noise = inertial(0.5)
    line = theory.rate(dynamics, WELL, noise).value
    valley = sd.Valley(1.0, 1.0, (2.0, 3.0))
    assert theory.rate(dynamics, valley, noise).value == pytest.approx(line, rel=1e-9)
    assert theory.rate(dynamics, sd.Rotated(valley, 0.4), noise).value == pytest.approx(line, rel=1e-9)


def test_validity_is_told():
    found = named(*_at(0.01))
    assert found["energy diffusion"].valid and not found["spatial diffusion"].valid
    assert "depopulation" in found["spatial diffusion"].reason and "inertia slows" in found["Kramers"].reason
    with pytest.warns(theory.ValidityWarning, match="spatial diffusion: low friction"):
        theory.rate(*_at(0.01), name="spatial diffusion")
    with pytest.warns(theory.ValidityWarning, match="not rare"):
        theory.rate(SDE, WELL, sd.ConstantNoise(1.0))
    with pytest.warns(theory.ValidityWarning, match="not small"):
        theory.rate(sd.SGD(0.1), WELL, sd.ConstantNoise(4.0))
    with pytest.warns(theory.ValidityWarning, match="does not diffuse"):
        theory.weak_friction_rate(8.0, 1.0, HEAT, 1.0, 1.0, 8.0 / 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theory.rates(*_at(0.01))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.rate(SDE, WELL, sd.ConstantNoise(0.4), name="Kramer"), "did you mean 'Kramers'"),
        (lambda: theory.rates(SDE, WELL, sd.LocalNoise(1.0, 0.1)), "constant noise"),
        (lambda: theory.rates(SDE, sd.Quadratic((1.0,)), sd.ConstantNoise(0.4)), "no way out|no barrier"),
        (lambda: theory.unstable_mode_loss(theory.problem(SDE, WELL, sd.ConstantNoise(0.4))), "inertia"),
        (lambda: theory.langer_rate(8.0, -4.0, 1.0, HEAT, mass=-1.0), "positive definite"),
        (lambda: theory.langer_rate(8.0, -4.0, 1.0, HEAT, damping=np.eye(2)), "a matrix"),
        (lambda: theory.kramers_rate(8.0, 4.0, 1.0, HEAT), "one negative eigenvalue"),
        (lambda: theory.energy_diffusion_time([0.0, 1.0], [0.0, 1.0], HEAT, 1.0), "at least 8"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


def test_depth_is_measured_from_the_saddle():
    below = depth(case(1.0))
    assert below(1.0) == pytest.approx(1.0) and below(math.sqrt(2.0)) == pytest.approx(0.0, abs=1e-12)


def test_a_rate_that_no_double_holds_is_refused_and_its_logarithm_named():
    well = sd.DoubleWell(1.0, 1.0)
    for dynamics in (sd.SGD(0.01), sd.Overdamped(0.01), sd.Inertial(0.01), sd.Momentum(0.01)):
        with pytest.raises(sd.InvalidInput, match=r"dL/T is .*theory\.action"):
            sd.theory.rate(dynamics, well, sd.ConstantNoise(1e-4))
    with pytest.raises(sd.InvalidInput, match="too large or too small"):
        sd.theory.rate(sd.SGD(0.01), well, sd.ConstantNoise(1e300))


def test_no_rate_is_valid_for_kicks_that_are_not_normal():
    found = sd.theory.rates(sd.SGD(0.05), sd.DoubleWell(1.0, 1.0), sd.StudentNoise(8.0, 5.0))
    assert not any(one.valid for one in found) and all("not Gaussian" in one.reason for one in found)


def test_the_highest_average_exists_at_the_shortest_time_that_is_allowed():
    for beta2 in (0.98, 0.99, 0.999):
        first, later = (sd.theory.highest_average(beta2, steps / (1.0 - beta2) * (1.0 + 1e-12)) for steps in (3.0, 6.0))
        assert 1.0 < first <= later
