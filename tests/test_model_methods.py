"""Every registered method and noise: compiled as in Python, declared order of convergence, limits, variances."""

import math

import naive
import numba
import numpy as np
import pytest
from scipy.linalg import expm

import simdyn as sd
from simdyn.model.dynamics.langevin import WEAK_ORDER
from simdyn.study.cells import registered

WELL = sd.DoubleWell(1.3, 0.9)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))
MATCHED = sd.MatchedParabolas(0.8, 2.0, 3.0)


def example_of(method):
    """An instance of any method: its own defaults, and a small step where it has none."""
    needed = [name for name in method._fields if name not in method._field_defaults]
    assert set(needed) <= {"learning_rate", "dt"}, f"{method.__name__} needs more than a step: give it defaults"
    return method(**dict.fromkeys(needed, 0.05))


METHODS = [example_of(method) for method in registered("dynamics").values()]


def name_of(record):
    return type(record).__name__ if hasattr(record, "_fields") else str(record)


# ------------------------------------------------------------------------------------------------ the protocol


def move(dynamics, clock, x, gradient, kick, memory):
    shared = 1.25 * sd.observe(dynamics, gradient, kick, memory, 0, 0)
    return sd.step(dynamics, clock, shared, x, gradient, kick, memory, 0, 0)


compiled_move = numba.njit(move)


def clock_of(dynamics, number):
    """The coefficients of one step, four of them."""
    coefficients = [float(column[0]) for column in sd.schedule(dynamics, np.array([float(number)]))]
    return tuple(coefficients + [0.0] * (4 - len(coefficients)))


def fresh_memory(dynamics, momentum=0.0, gradient=0.0):
    """A tuple of rows, (1, 1) each, as the engine holds them."""
    rows = sd.begin(dynamics, np.array([momentum]), np.array([gradient]))
    return tuple(np.full((1, 1), row[0], dtype=float) for row in rows)


@pytest.mark.parametrize("dynamics", METHODS, ids=name_of)
def test_a_step_is_the_same_compiled_and_in_python(dynamics, seed):
    random = np.random.default_rng((seed, 4))
    x, twin = [0.3, 0.3], [fresh_memory(dynamics), fresh_memory(dynamics)]
    for number in range(1, 9):
        gradient, kick = random.normal(size=2)
        clock = clock_of(dynamics, number)
        x[0] = move(dynamics, clock, x[0], gradient, kick, twin[0])
        x[1] = compiled_move(dynamics, clock, x[1], gradient, kick, twin[1])
        assert x[1] == pytest.approx(x[0], rel=1e-12) and x[0] != 0.3
        np.testing.assert_allclose(twin[1], twin[0], rtol=1e-12)
    for mover, memory in zip((move, compiled_move), twin, strict=True):
        assert math.isnan(mover(dynamics, clock, 0.3, 0.1, math.nan, memory)), "hides a kick that is not a number"


@pytest.mark.parametrize("dynamics", METHODS, ids=name_of)
def test_protocol(dynamics):
    assert sd.time_step(dynamics) == 0.05
    rows = sd.begin(dynamics, np.zeros(3), np.ones(3))
    assert rows.shape[1] == 3 and rows.shape[0] == len(fresh_memory(dynamics))


@pytest.mark.parametrize("dynamics", [sd.RMSProp(0.1), sd.SGD(0.1), sd.Overdamped(0.1)], ids=name_of)
def test_what_has_no_momentum_refuses_one(dynamics):
    with pytest.raises(sd.InvalidInput, match="no momentum"):
        sd.begin(dynamics, np.ones(2), np.zeros(2))
    if isinstance(dynamics, sd.RMSProp):
        return  # running for ever it has none either, but its average is settled
    with pytest.raises(sd.InvalidInput, match="no stationary momentum"):
        sd.begin_running(dynamics, np.ones(2), np.ones(2))


# ------------------------------------------------------------------------------------------ orders of convergence


class Linear:
    """A method in a harmonic well is a linear map of (x, memory): taken from its `step` by feeding unit vectors."""

    def __init__(self, dynamics, curvature, move=move):
        self.dynamics, self.curvature = dynamics, curvature
        size = 1 + len(fresh_memory(dynamics))

        def stepped(state, kick):
            memory = tuple(np.full((1, 1), value) for value in state[1:])
            x = move(dynamics, clock_of(dynamics, 1), state[0], curvature * state[0], kick, memory)
            return np.array([x, *(row[0, 0] for row in memory)])

        self.map = np.column_stack([stepped(column, 0.0) for column in np.eye(size)])
        self.kick = stepped(np.zeros(size), 1.0)

    def second_moment(self, start, momentum, variance, steps):
        """E x^2 after so many steps whose kicks have the given variance."""
        memory = fresh_memory(self.dynamics, momentum, self.curvature * start)
        mean = np.array([start, *(row[0, 0] for row in memory)])
        covariance = np.zeros_like(self.map)
        for _ in range(steps):
            mean = self.map @ mean
            covariance = self.map @ covariance @ self.map.T + variance * np.outer(self.kick, self.kick)
        return mean[0] ** 2 + covariance[0, 0]


CURVATURE, DIFFUSION, START, PUSH, TIME = 1.3, 0.7, 0.8, 0.4, 1.5
MASS, DAMPING = 1.7, 0.6


def exact_second_moment(drift, noise, mean):
    """E x^2 at TIME of d s = drift s dt + dW with covariance `noise` per unit time (Van Loan's block exponential)."""
    size = len(drift)
    block = np.block([[-drift, noise], [np.zeros((size, size)), drift.T]])
    exponential = expm(TIME * block)
    propagator = exponential[size:, size:].T
    covariance = propagator @ exponential[:size, size:]
    return float((propagator @ mean)[0] ** 2 + covariance[0, 0])


def overdamped_exactly(diffusion=DIFFUSION):
    return exact_second_moment(np.array([[-CURVATURE]]), np.array([[2 * diffusion]]), np.array([START]))


def inertial_exactly(diffusion=DIFFUSION, mass=MASS):
    drift = np.array([[0.0, 1.0], [-CURVATURE / mass, -DAMPING]])
    noise = np.array([[0.0, 0.0], [0.0, 2 * diffusion / mass**2]])
    return exact_second_moment(drift, noise, np.array([START, PUSH / mass]))


# method of a step -> its exact answer, and the momentum it starts with
LANGEVIN = {
    sd.Overdamped: (lambda dt: sd.Overdamped(dt), overdamped_exactly, 0.0),
    sd.Inertial: (lambda dt: sd.Inertial(dt, MASS, DAMPING), inertial_exactly, PUSH),
}
STEPS = np.array([20, 28, 40, 56, 80, 112])


def errors_of(second_moment, exact):
    return np.array([second_moment(int(steps)) - exact for steps in STEPS])


def order_of(errors):
    """Fitted slope of log |error| against log step."""
    return -np.polyfit(np.log(STEPS), np.log(np.abs(errors)), 1)[0]


def remainder(errors, order):
    """What is left of the error when its leading power is extrapolated away, as a share of the finest step's error."""
    ratio = (STEPS[-1] / STEPS[0]) ** order
    return abs((ratio * errors[-1] - errors[0]) / (ratio - 1) / errors[-1])


def langevin_errors(method, exact=None, variance=2 * DIFFUSION):
    make, answer, push = LANGEVIN[method]

    def second_moment(steps):
        return Linear(make(TIME / steps), CURVATURE).second_moment(START, push, variance, steps)

    return errors_of(second_moment, answer() if exact is None else exact)


def test_every_declared_order_is_measured():
    assert set(WEAK_ORDER) == set(LANGEVIN)


@pytest.mark.parametrize("method", LANGEVIN)
def test_rate_of_convergence(method):
    assert order_of(langevin_errors(method)) == pytest.approx(WEAK_ORDER[method], abs=0.1)


@pytest.mark.parametrize("method", LANGEVIN)
def test_limit_of_convergence(method):
    assert remainder(langevin_errors(method), WEAK_ORDER[method]) < 0.15
    # noise read as D instead of 2D, a tenth too much, and the wrong mass: all converge, to something else
    assert remainder(langevin_errors(method, variance=DIFFUSION), WEAK_ORDER[method]) > 1
    assert remainder(langevin_errors(method, variance=2.2 * DIFFUSION), WEAK_ORDER[method]) > 0.5
    if method is sd.Inertial:
        assert remainder(langevin_errors(method, inertial_exactly(mass=1.1 * MASS)), 2) > 0.5


def test_a_method_of_lower_order_is_told_apart():
    """Symplectic Euler with the inertial equation's own noise is of order 1."""

    def second_moment(steps):
        dt = TIME / steps
        linear = np.array(
            [[1 - dt**2 * CURVATURE / MASS, dt * (1 - DAMPING * dt)], [-dt * CURVATURE / MASS, 1 - DAMPING * dt]]
        )
        kick = np.array([dt, 1.0]) * math.sqrt(2 * DIFFUSION * dt) / MASS
        mean, covariance = np.array([START, PUSH / MASS]), np.zeros((2, 2))
        for _ in range(steps):
            mean, covariance = linear @ mean, linear @ covariance @ linear.T + np.outer(kick, kick)
        return mean[0] ** 2 + covariance[0, 0]

    assert order_of(errors_of(second_moment, inertial_exactly())) == pytest.approx(1, abs=0.1)


def test_the_linear_map_is_the_simulated_one(seed):
    """The moments above are those of sampled paths, within five standard errors."""
    steps, start, push = 30, -0.9, 0.5
    dynamics = sd.Inertial(0.05, MASS, DAMPING)
    paths = naive.baoab(  # 4,000 particles, one coordinate each
        lambda x: CURVATURE * x, lambda x, z: math.sqrt(2 * DIFFUSION) * z, np.full(4000, start),
        np.random.default_rng((seed, 6)).normal(size=(steps, 4000)), 0.05, MASS, DAMPING, np.full(4000, push),
    )  # fmt: skip
    expected = Linear(dynamics, CURVATURE).second_moment(start, push, 2 * DIFFUSION, steps)
    squares = paths[-1] ** 2
    error = squares.std() / math.sqrt(squares.size)
    assert abs(squares.mean() - expected) < 5 * error < 0.2 * expected


# ------------------------------------------------------------------------------------------------------ limits


def followed(dynamics, landscape, start, kicks):
    """A path in Python, with kicks already drawn."""
    x, memory, path = start, fresh_memory(dynamics), []
    for number, kick in enumerate(kicks, start=1):
        x = move(dynamics, clock_of(dynamics, number), x, sd.gradient_at(landscape, [x])[0], kick, memory)
        path.append(x)
    return np.array(path)


def test_sgd_is_euler_maruyama(seed):
    """dt = eta and 2D = eta C."""
    eta, variance = 0.05, 0.8
    z = np.random.default_rng((seed, 5)).normal(size=200)
    sgd = followed(sd.SGD(eta), WELL, -0.9, -math.sqrt(variance) * z)  # its noise is part of the gradient
    np.testing.assert_allclose(followed(sd.Overdamped(eta), WELL, -0.9, math.sqrt(eta * variance) * z), sgd, rtol=1e-11)
    wrong = followed(sd.Overdamped(eta), WELL, -0.9, math.sqrt(eta * variance / 2) * z)
    assert np.abs(wrong - sgd).max() > 1e-3


def test_momentum_without_memory_is_sgd(seed):
    kicks = np.random.default_rng((seed, 5)).normal(size=50)
    plain = followed(sd.SGD(0.05), WELL, -0.9, kicks)
    np.testing.assert_allclose(followed(sd.Momentum(0.05, 0.0, 1.0), WELL, -0.9, kicks), plain, rtol=1e-13)


def momentum_errors(exact, mass=MASS, noise=2 * DIFFUSION):
    def second_moment(steps):
        eta = TIME / steps
        method = sd.Momentum(eta, 1 - DAMPING * eta, eta / mass)
        # the velocity is -m, so a push p to the right is m = -p/M
        return Linear(method, CURVATURE).second_moment(START, -PUSH / mass, noise / eta, steps)

    return errors_of(second_moment, exact)


def test_momentum_tends_to_the_inertial_equation():
    """M = eta/beta3, gamma = (1 - beta1)/eta, D = eta C/2, to first order in eta."""
    errors = momentum_errors(inertial_exactly())
    assert order_of(errors) == pytest.approx(1, abs=0.1) and remainder(errors, 1) < 0.15
    assert remainder(momentum_errors(inertial_exactly(), noise=DIFFUSION), 1) > 0.5
    assert remainder(momentum_errors(inertial_exactly(mass=1.1 * MASS)), 1) > 0.5


def test_averaging_momentum_tends_to_the_overdamped_equation():
    """With beta1 fixed and beta3 = 1 - beta1."""

    def second_moment(steps):
        eta = TIME / steps
        return Linear(sd.Momentum(eta, 0.5, 0.5), CURVATURE).second_moment(START, 0.0, 2 * DIFFUSION / eta, steps)

    errors = errors_of(second_moment, overdamped_exactly())
    assert order_of(errors) == pytest.approx(1, abs=0.1) and remainder(errors, 1) < 0.15


def test_one_dimensional_adai_is_corrected_averaging(seed):
    """v^/vbar = 1: beta1 = 1 - beta0, Adam's own m^ with a step that does not adapt."""
    kicks = np.random.default_rng((seed, 5)).normal(size=60)
    adai, m, x = sd.Adai(0.05, 0.1), 0.0, -0.9
    memory, place = fresh_memory(adai), -0.9
    for number, kick in enumerate(kicks, start=1):
        slope = sd.gradient_at(WELL, [place])[0]
        m = 0.9 * m + 0.1 * (slope + kick)
        place -= 0.05 * m / (1 - 0.9**number)
        gradient = sd.gradient_at(WELL, [x])[0]
        shared = sd.observe(adai, gradient, kick, memory, 0, 0)
        x = sd.step(adai, clock_of(adai, number), shared, x, gradient, kick, memory, 0, 0)
        assert x == pytest.approx(place, rel=1e-10)


# ------------------------------------------------------------------------------------------------------- noise

NOISES = {
    "ConstantNoise": [(sd.ConstantNoise(0.7), VALLEY), (sd.ConstantNoise((0.7, 0.2, 1.5)), VALLEY)],
    "FrozenNoise": [(sd.FrozenNoise(4.0), VALLEY), (sd.FrozenNoise(4.0), sd.Sharpened(WELL, 2.0))],
    "TwoPieceNoise": [(sd.TwoPieceNoise(2.0), MATCHED), (sd.TwoPieceNoise(), VALLEY)],
    "LocalNoise": [(sd.LocalNoise(3.0), VALLEY), (sd.LocalNoise(3.0, 0.9), sd.Sharpened(WELL, 2.0))],
    "ScaledNoise": [
        (sd.ScaledNoise(sd.LocalNoise(3.0), 0.4), VALLEY),
        (sd.ScaledNoise(sd.ConstantNoise(2.0), 0.4), WELL),
    ],
}
PAIRS = [pair for pairs in NOISES.values() for pair in pairs]


def kicks_at(noise, landscape, point, z):
    """Kicks, (d, draws), from normals z in the two parts the transform gives: sqrt(w) trig."""
    settled, x = sd.settle(noise, landscape), np.asarray(point, dtype=float).reshape(-1, 1)
    return np.array([[sd.kick(settled, landscape, x, j, 0, w, trig) for w, trig in z] for j in range(len(x))])


def test_every_registered_noise_has_an_example():
    without_normals = {"StudentNoise", "StableNoise", "MiniBatch"}  # see test_heavy_noise and test_mini_batch
    assert set(NOISES) | without_normals == set(sd.REGISTRY["noise"]), "add the new noise to NOISES"


@pytest.mark.parametrize(("noise", "landscape"), PAIRS, ids=name_of)
def test_kicks_have_the_variance_declared(noise, landscape, seed):
    draws = 20_000
    random = np.random.default_rng((seed, 7))
    normals = random.normal(size=draws)
    angle = random.uniform(0, 2 * math.pi, draws)
    parts = [
        (w, math.copysign(abs(s), z))
        for w, s, z in zip(normals**2 / np.sin(angle) ** 2, np.sin(angle), normals, strict=True)
    ]
    error = math.sqrt(2 / draws)
    point = 0.55 * sd.minimum(landscape) + 0.45 * sd.saddle(landscape) + 0.01
    declared = sd.variance_at(noise, landscape, point)
    found = (kicks_at(noise, landscape, point, parts) ** 2).mean(axis=1)
    assert np.all(declared > 0)
    assert np.all(np.abs(found / declared - 1) < 5 * error)
    assert np.all(np.abs(found / (1.1 * declared) - 1) > 5 * error), "ten percent off must be told apart"
    for place in random.uniform(-1.5, 1.5, (20, len(point))):  # a kick is its deviation times the normal, anywhere
        variance = sd.variance_at(noise, landscape, place)
        np.testing.assert_allclose(
            kicks_at(noise, landscape, place, [(1.7, -0.6)])[:, 0], -0.6 * np.sqrt(1.7 * variance)
        )


def test_variances_by_hand():
    bottom, top = sd.minimum(VALLEY), sd.saddle(VALLEY)
    at_bottom, at_top = np.array([8 * 1.3 / 0.81, 2.0, 0.7]), np.array([4 * 1.3 / 0.81, 2.0, 0.7])
    for point in (bottom, top, bottom + 0.3):
        np.testing.assert_allclose(sd.variance_at(sd.FrozenNoise(4.0), VALLEY, point), at_bottom / 4)
        np.testing.assert_allclose(sd.variance_at(sd.ConstantNoise(0.3), VALLEY, point), 0.3)
    for noise in (sd.TwoPieceNoise(4.0), sd.LocalNoise(4.0)):
        np.testing.assert_allclose(sd.variance_at(noise, VALLEY, bottom), at_bottom / 4)
        np.testing.assert_allclose(sd.variance_at(noise, VALLEY, top), at_top / 4)
    floored = sd.variance_at(sd.LocalNoise(4.0, 0.4), VALLEY, bottom)
    np.testing.assert_allclose(floored, [at_bottom[0] / 4, 0.5, 0.4])
    np.testing.assert_allclose(
        sd.variance_at(sd.ScaledNoise(sd.FrozenNoise(4.0), 0.3), VALLEY, top), 0.3 * at_bottom / 4
    )


def test_two_pieces_meet_where_the_curvature_changes_sign_and_are_mirrored_past_the_saddle():
    inflection = 0.9 / math.sqrt(3)
    for place, expected in (
        (-inflection - 1e-6, 8),
        (-inflection + 1e-6, 4),
        (inflection - 1e-6, 4),
        (inflection + 1e-6, 8),
    ):
        found = sd.variance_at(sd.TwoPieceNoise(1.0), WELL, [place])[0]
        assert found == pytest.approx(expected * 1.3 / 0.81)


@pytest.mark.parametrize(
    "method",
    [sd.SGD(0.3), sd.Momentum(0.3, 0.6, 0.7), sd.Momentum(0.2), sd.Overdamped(0.3), sd.Inertial(0.4, 2.0, 3.0),
     sd.Inertial(0.4, 2.0, 0.01)],
)  # fmt: skip
def test_steps_decay_below_the_limit_of_stability_and_grow_above(method):
    """Without noise, on quadratic wells 2 % less and 2 % more curved than the limit."""
    ends = []
    for share in (0.98, 1.02):
        well = sd.Quadratic((share * sd.stability_limit(method),))
        path = sd.trajectories(method, well, sd.ConstantNoise(0.0), 1.0, record_at=[50, 51, 3000, 3001])[0, :, 0]
        ends.append(np.abs(path[2:]).max() / np.abs(path[:2]).max())
    assert ends[0] < 0.9 and not ends[1] <= 1.1  # nan: beyond all numbers


def test_a_method_without_a_limit_of_stability_says_so():
    assert sd.stability_limit(sd.Adam(0.1)) == sd.stability_limit(sd.Adai(0.1)) == math.inf
