"""The engine against its slow twin in `naive`: every method, landscape wrapper and noise, step by step to rounding.

All cases run with the compiler off, in one process of their own; those that share kernels with other tests run compiled too.
"""

import math

import naive
import numpy as np
import pytest
from scipy.stats import chi2

import simdyn as sd
from simdyn.model.dynamics.protocol import divides
from simdyn.model.landscapes import frame
from simdyn.simulate.rng import stream_normals

ROOT_ERROR = 5e-10  # of `quick_root`, which test_roots holds to it
RECORDS = [0, 1, 2, 3, 4, 7, 12, 25, 40]
WELL = sd.DoubleWell(1.3, 0.9)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))
TURNED = sd.Rotated(sd.Rotated(VALLEY, 0.4, (0, 2)), -1.1, (2, 1))
MATCHED = sd.MatchedParabolas(0.8, 2.0, 3.0)
CONSTANT = sd.ConstantNoise(0.5)
EACH = sd.ConstantNoise((0.5, 0.2, 0.9))
PLACE = (-0.8, 0.3, -0.2)
PUSH = (0.4, -0.7, 0.1)

# dynamics, landscape, noise, start, start_momentum
CASES = {
    "sgd, line": (sd.SGD(0.05), WELL, CONSTANT, -0.8, None),
    "momentum, local noise": (sd.Momentum(0.05, 0.8, 0.7), VALLEY, sd.LocalNoise(30.0, 0.2), PLACE, None),
    "momentum, pushed": (sd.Momentum(0.05), VALLEY, sd.LocalNoise(30.0, 0.2), PLACE, PUSH),
    "adam, space": (sd.Adam(0.05), VALLEY, EACH, PLACE, None),
    "adam, eps inside": (sd.Adam(0.05, 0.7, 0.9, 0.1, True), VALLEY, EACH, PLACE, None),
    "adam, eps outside": (sd.Adam(0.05, 0.7, 0.9, 0.1), VALLEY, EACH, PLACE, None),
    "adam, pushed": (sd.Adam(0.05, 0.7, 0.9), VALLEY, EACH, PLACE, PUSH),
    "adam, no memory": (sd.Adam(0.05, 0.0, 0.0, 0.1), VALLEY, EACH, PLACE, None),
    "adai, upright": (sd.Adai(0.05, 0.2, 0.9), VALLEY, EACH, PLACE, None),
    "adai, rotated": (sd.Adai(0.05, 0.2, 0.9), TURNED, EACH, PLACE, None),
    "adai, clipped": (sd.Adai(0.05, 0.9, 0.9, 0.3), VALLEY, EACH, PLACE, PUSH),
    "overdamped, sharpened, two pieces": (
        sd.Overdamped(0.02),
        sd.Sharpened(WELL, 2.5),
        sd.TwoPieceNoise(40.0),
        -0.4,
        None,
    ),
    "inertial, line": (sd.Inertial(0.1, 1.7, 0.6), WELL, CONSTANT, -0.8, None),
    "inertial, pushed": (sd.Inertial(0.1, 1.7, 0.6), WELL, CONSTANT, -0.8, 0.5),
}
# one compiled case for each rule of its own; the variants that the fields choose are tried without the compiler
SPACE = {
    "nesterov": sd.Nesterov(0.05, 0.8, 0.7),
    "signum": sd.SignSGD(0.05, 0.8),
    "rmsprop": sd.RMSProp(0.05, 0.9, 0.1),
    "adamw": sd.AdamW(0.05, 0.7, 0.9, 0.1, 0.3),
    "amsgrad": sd.AMSGrad(0.05, 0.7, 0.9, 0.1),
    "padam": sd.Padam(0.05, 0.7, 0.9),
    "adabound": sd.AdaBound(0.05, 0.03, 0.2, 0.7, 0.9),
    "yogi": sd.Yogi(0.05, 0.7, 0.9),
    "radam": sd.RAdam(0.05, 0.7, 0.9, 0.1),
    "adaiw": sd.AdaiW(0.05, 0.2, 0.9, 1e-3, 0.3),
    "adaiv2": sd.AdaiV2(0.05, 0.2, 0.9, 1e-3, 0.4),
}
CASES |= {name: (dynamics, VALLEY, EACH, PLACE, None) for name, dynamics in SPACE.items()}
COMPILED = list(CASES)
VARIANTS = {
    "signsgd": sd.SignSGD(0.05),
    "rmsprop, eps inside": sd.RMSProp(0.05, 0.9, 0.1, True),
    "adamw, decay without rate": sd.AdamW(0.05, 0.7, 0.9, 0.1, 0.01, False),
    "adamw, eps inside": sd.AdamW(0.05, 0.7, 0.9, 0.1, 0.3, True, True),
    "amsgrad, corrected first": sd.AMSGrad(0.05, 0.7, 0.9, 0.1, True, True),
    "amsgrad, uncorrected": sd.AMSGrad(0.05, 0.7, 0.9, 0.1, False),
    "padam, third root": sd.Padam(0.05, 0.7, 0.9, 1 / 3, 0.1),
    "padam, corrected as adam": sd.Padam(0.05, 0.7, 0.9, 0.25, 0.1, True, True, True),
    "padam, as packages": sd.Padam(0.05, 0.7, 0.9, 0.25, 0.1, False, True, True),
    "padam, uncorrected": sd.Padam(0.05, 0.7, 0.9, 0.25, 0.0, True, False),
    "adabound, wide": sd.AdaBound(0.05, 0.1, 1e-3, 0.7, 0.9),
    "adabound, uncorrected": sd.AdaBound(0.05, 0.03, 0.2, 0.7, 0.9, 1e-8, False),
    "yogi, as packages": sd.Yogi(0.05, 0.7, 0.9, 1e-3, 1e-6, True),
    "yogi, corrected": sd.Yogi(0.05, 0.7, 0.9, 1e-3, 0.0, True),
    "radam, five": sd.RAdam(0.05, 0.7, 0.9, 1e-8, 5.0),
    "radam, resting": sd.RAdam(0.05, 0.7, 0.9, 1e-8, 5.0, True),
    "radam, never trusted": sd.RAdam(0.05, 0.7, 0.5),
    "adaiv2, undamped": sd.AdaiV2(0.05, 0.2, 0.9, 1e-3, 0.0),
}
CASES |= {
    name: (dynamics, VALLEY, EACH, PLACE, None if isinstance(dynamics, sd.RMSProp) else PUSH)
    for name, dynamics in VARIANTS.items()
}
CASES |= {
    "padam, rotated": (sd.Padam(0.05, 0.7, 0.9), TURNED, EACH, PLACE, None),
    "adabound, line": (sd.AdaBound(0.05, 0.03, 0.2, 0.7, 0.9), WELL, sd.LocalNoise(30.0, 0.2), -0.8, 0.3),
    "sgd, space": (sd.SGD(0.05), VALLEY, EACH, PLACE, None),
    "sgd, rotated": (sd.SGD(0.05), TURNED, EACH, PLACE, None),
    "sgd, rotated local noise": (sd.SGD(0.05), TURNED, sd.LocalNoise(30.0, 0.2), PLACE, None),
    "sgd, frozen noise": (sd.SGD(0.05), VALLEY, sd.FrozenNoise(4.0), PLACE, None),
    "sgd, two pieces": (sd.SGD(0.05), MATCHED, sd.TwoPieceNoise(2.0), -1.0, None),
    "sgd, scaled local noise": (sd.SGD(0.05), VALLEY, sd.ScaledNoise(sd.LocalNoise(10.0), 0.3), PLACE, None),
    "sgd, scaled constant": (sd.SGD(0.05), VALLEY, sd.ScaledNoise(EACH, 0.3), PLACE, None),
    "sgd, saddle": (sd.SGD(0.1), sd.Saddle((-0.4, 0.2, 0.3), 0.1), EACH, PLACE, None),
    "sgd, styblinski": (sd.SGD(0.02), sd.StyblinskiTang(3), EACH, PLACE, None),
    "momentum, rotated": (sd.Momentum(0.05, 0.8, 0.2), TURNED, EACH, PLACE, PUSH),
    "momentum, two pieces": (sd.Momentum(0.05, 0.8, 0.2), MATCHED, sd.TwoPieceNoise(2.0), -1.0, 0.2),
    "adam, line": (sd.Adam(0.05), WELL, CONSTANT, -0.8, None),
    "adam, local noise": (sd.Adam(0.05, 0.7, 0.9), WELL, sd.LocalNoise(30.0, 0.2), -0.8, None),
    "adam, two pieces": (sd.Adam(0.05, 0.7, 0.9), MATCHED, sd.TwoPieceNoise(2.0), -1.0, None),
    "adam, scaled local noise": (
        sd.Adam(0.05, 0.7, 0.9),
        VALLEY,
        sd.ScaledNoise(sd.LocalNoise(10.0), 0.3),
        PLACE,
        None,
    ),
    "adam, rotated": (sd.Adam(0.05), TURNED, EACH, PLACE, None),
    "adam, frozen noise": (sd.Adam(0.05), TURNED, sd.FrozenNoise(4.0), PLACE, None),
    "adai, line": (sd.Adai(0.05, 0.2, 0.9), WELL, CONSTANT, -0.8, 0.3),
    "adai, local noise": (sd.Adai(0.05, 0.2, 0.9), TURNED, sd.LocalNoise(30.0, 0.2), PLACE, None),
    "overdamped, rotated": (sd.Overdamped(0.02), TURNED, sd.LocalNoise(30.0, 0.2), PLACE, None),
    "inertial, rotated": (sd.Inertial(0.1, 1.7, 0.6), TURNED, EACH, PLACE, PUSH),
    "inertial, local noise": (sd.Inertial(0.1, 1.7, 0.6), VALLEY, sd.LocalNoise(30.0, 0.2), PLACE, None),
    "inertial, sharpened and rotated": (sd.Inertial(0.1), sd.Sharpened(TURNED, 1.7), EACH, PLACE, None),
}


def slope_and_kick(landscape, noise):
    """`gradient(x)` and `kick(x, z)` of a whole point, rotations written out: gradient and noise turn together."""
    inner, matrix = frame(landscape)
    matrix = np.eye(sd.dimension(inner)) if matrix is None else matrix

    def gradient(x):
        return matrix @ sd.gradient_at(inner, matrix.T @ x)

    def kick(x, z):
        return matrix @ (np.sqrt(sd.variance_at(noise, inner, matrix.T @ x)) * z)

    return gradient, kick


def naive_path(name, particle, steps, seed, **memory):
    dynamics, landscape, noise, start, _ = CASES[name]
    size = sd.dimension(landscape)
    normals = naive.in_order_of_use(stream_normals(seed, particle, size * (steps + steps % 2)), size)[:steps]
    rule = naive.RULES[type(dynamics).__name__]
    start = np.broadcast_to(np.asarray(start, dtype=float), size)
    return rule(*slope_and_kick(landscape, noise), start, normals, *dynamics, **memory)


def momentum_of(name, momentum):
    """The keyword by which the naive twin takes a momentum."""
    return {"p" if isinstance(CASES[name][0], sd.Inertial) else "m": momentum}


def root_error(dynamics, noise):
    """How far a method that divides may be led by roots of variances that are off by 5e-10.

    A step is about a learning rate; of its quotient the numerator and the root below it follow a kick. With beta2 = 0.9 a
    gradient is no longer than 3.2 roots of the mean square that it is part of, and kicks are taken to be no longer than that
    together with the slope they are added to: twice 6.4 errors a step.
    """
    drawn = noise.noise if isinstance(noise, sd.ScaledNoise) else noise
    quick = divides(dynamics) and isinstance(drawn, (sd.LocalNoise, sd.TwoPieceNoise))
    return 13 * ROOT_ERROR * dynamics.learning_rate * RECORDS[-1] if quick else 0.0


def check(name, seed):
    dynamics, landscape, noise, start, push = CASES[name]
    memory = {} if push is None else momentum_of(name, np.asarray(push))
    paths = sd.trajectories(
        dynamics, landscape, noise, start, particles=[0, 5], record_at=RECORDS, seed=seed, start_momentum=push
    )
    for path, particle in zip(paths, [0, 5], strict=True):
        expected = naive_path(name, particle, RECORDS[-1], seed, **memory)
        off = root_error(dynamics, noise)
        np.testing.assert_allclose(path, expected[RECORDS], rtol=1e-9, atol=1e-11 + off, err_msg=name)


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_paths_are_the_naive_ones(name, seed):
    check(name, seed)


def test_every_case_without_the_compiler(run_python, seed):
    program = (
        "import test_simulate_rules as rules\nfor name in rules.CASES: rules.check(name, %d)\nprint(len(rules.CASES))"
    )
    assert run_python(program % seed, NUMBA_DISABLE_JIT="1").split() == [str(len(CASES))]


def test_every_method_and_noise_has_a_case():
    def kinds(record):
        return {type(record).__name__}.union(*(kinds(field) for field in record if hasattr(field, "_fields")))

    met = set().union(*(kinds(record) for case in CASES.values() for record in case[:3]))
    for kind in ("dynamics", "noise"):
        assert set(naive.RULES) >= set(sd.REGISTRY["dynamics"]), "a method without a rule in naive.py"
        # Noises without normals have tests of their own, in test_heavy_noise and test_mini_batch.
        wanted = set(sd.REGISTRY[kind]) - {"StudentNoise", "StableNoise", "MiniBatch"}
        assert met >= wanted, sorted(wanted - met)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d._replace(beta1=d.beta1 * 1.001),
        lambda d: d._replace(eps_inside_root=not d.eps_inside_root),
        lambda d: d._replace(beta2=d.beta2 * 1.001),
        lambda d: d._replace(learning_rate=d.learning_rate * (1 + 1e-6)),
    ],
)
def test_a_slightly_wrong_method_is_told_apart(damage, seed):
    name = "adam, eps outside"
    right = CASES[name]
    path = sd.trajectories(damage(right[0]), *right[1:4], record_at=RECORDS, seed=seed)[0]
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(path, naive_path(name, 0, RECORDS[-1], seed)[RECORDS], rtol=1e-9, atol=1e-11)


def test_the_order_of_the_stream_matters(seed):
    """The twin fed with steps and coordinates exchanged goes elsewhere: the comparison sees the order of use."""
    dynamics, landscape, noise, start, _ = CASES["adam, space"]
    stream = stream_normals(seed, 0, 3 * 40)
    wrong = naive.adam(*slope_and_kick(landscape, noise), start, stream.reshape(40, 3), *dynamics)
    assert np.abs(wrong - naive_path("adam, space", 0, 40, seed)).max() > 1e-3


# ------------------------------------------------------------------------------------------- stationary starts


def stationary_memory(name, particle, seed, scale=1.0):
    """Memory of a method that has been running for ever, written out for the naive twin."""
    dynamics, landscape, noise, start, _ = CASES[name]
    z = stream_normals(seed, particle, 2 * sd.dimension(landscape), salt=1)[::2] * scale
    start = np.broadcast_to(np.asarray(start, dtype=float), sd.dimension(landscape))
    variance = sd.variance_at(noise, landscape, start)
    settled = 10**17  # steps after which no bias correction is left
    match dynamics:
        case sd.Momentum():
            return {"m": z * dynamics.beta3 * np.sqrt(variance / (1 - dynamics.beta1**2))}
        case sd.Adam():
            ema = (1 - dynamics.beta1) / (1 + dynamics.beta1)
            return {"m": z * np.sqrt(ema * variance), "v": variance, "age": settled}
        case sd.Adai():
            mu = 1 - dynamics.beta0 * variance / variance.mean()
            m = z * np.sqrt((1 - mu) / (1 + mu) * variance)
            return {"m": m, "v": variance, "age": settled, "product": 0.0}
        case sd.Padam() | sd.AdaBound() | sd.RAdam() | sd.AdamW():
            ema = (1 - dynamics.beta1) / (1 + dynamics.beta1)
            return {"m": z * np.sqrt(ema * variance), "v": variance, "age": settled}
        case sd.Yogi():
            ema = (1 - dynamics.beta1) / (1 + dynamics.beta1)
            return {"m": z * np.sqrt(ema * variance), "v": chi2.median(3) * variance, "age": settled}
        case sd.RMSProp():
            return {"v": variance}
        case sd.SignSGD():
            return {"m": z * np.sqrt((1 - dynamics.beta1) / (1 + dynamics.beta1) * variance)}
        case sd.Nesterov():
            return {"m": z * dynamics.beta3 * np.sqrt(variance / (1 - dynamics.beta1**2))}
        case sd.AdaiW() | sd.AdaiV2():
            dampening = getattr(dynamics, "dampening", 1.0)
            inertia = 1 - dynamics.beta0 * (variance / variance.mean()) ** (1 / (3 - 2 * dampening))
            m = z * (1 - inertia) ** dampening * np.sqrt(variance / (1 - inertia**2))
            return {"m": m, "v": variance, "age": settled, "product": 0.0}
        case sd.Inertial():
            return {"p": z * np.sqrt(variance / (2 * dynamics.damping))}
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    ["momentum, local noise", "adam, eps inside", "adai, upright", "inertial, line", "padam, as packages"]
    + [name for name in SPACE if name not in ("amsgrad", "padam")],
)
@pytest.mark.parametrize("scale", [1.0, 0.0, 2.0])
def test_stationary_starts(name, scale, seed):
    given = "stationary" if scale == 1.0 else sd.Stationary(scale)
    paths = sd.trajectories(*CASES[name][:4], particles=[3], record_at=[1, 2, 9], seed=seed, start_momentum=given)
    expected = naive_path(name, 3, 9, seed, **stationary_memory(name, 3, seed, scale))
    np.testing.assert_allclose(paths[0], expected[[1, 2, 9]], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dynamics", [sd.AMSGrad(0.05), sd.Padam(0.05)])
def test_what_keeps_the_highest_has_no_stationary_start(dynamics):
    with pytest.raises(sd.InvalidInput, match="no stationary momentum"):
        sd.begin_running(dynamics, np.zeros(2), np.ones(2))


def test_the_stationary_momentum_stays_stationary():
    """On flat ground with constant noise the naive recursion keeps the variance that a stationary start declares."""
    beta1, beta3, variance = 0.8, 0.7, 0.5
    declared = sd.begin_running(sd.Momentum(0.05, beta1, beta3), np.zeros(1), np.array([variance]))[1][0] ** 2
    assert beta1**2 * declared + beta3**2 * variance == pytest.approx(declared, rel=1e-12)
    ema = sd.begin_running(sd.Adam(0.05, beta1), np.zeros(1), np.array([variance]))[1][0] ** 2
    assert beta1**2 * ema + (1 - beta1) ** 2 * variance == pytest.approx(ema, rel=1e-12)
    thermal = sd.begin_running(sd.Inertial(0.1, 1.7, 0.6), np.zeros(1), np.array([variance]))[1][0] ** 2
    assert thermal == pytest.approx(variance / 2 / 0.6 / 1.7**2, rel=1e-12)  # D / (gamma M^2)


# ------------------------------------------------------------------------------------------------ no noise at all


@pytest.mark.parametrize("name", ["sgd, line", "adam, space", "adai, upright", "inertial, line"])
def test_without_noise_all_particles_follow_the_deterministic_recursion(name):
    dynamics, landscape, _, start, _ = CASES[name]
    size = sd.dimension(landscape)
    spread = sd.displacement(dynamics, landscape, sd.ConstantNoise(0.0), start, particles=70, record_at=[1, 8, 31])
    rule = naive.RULES[type(dynamics).__name__]
    still = np.zeros(size)
    gradient = slope_and_kick(landscape, CONSTANT)[0]
    path = rule(gradient, lambda x, z: still, np.zeros(size) + start, np.zeros((31, size)), *dynamics)
    moved = path[[1, 8, 31]] - path[0]
    np.testing.assert_allclose(spread.mean, moved, rtol=1e-9)
    np.testing.assert_allclose(spread.msd, moved**2, rtol=1e-9)
    assert np.all(spread.stderr <= 1e-6 * spread.msd) and np.all(spread.mean_stderr <= 1e-6 * np.abs(spread.mean))
    assert not spread.diverged.any() and math.isclose(spread.times[0], sd.time_step(dynamics))
