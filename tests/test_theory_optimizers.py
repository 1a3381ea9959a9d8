"""The other optimizers' escape formulas: their limits, the law of sharpness on every path, signs, decay, v_max, refusals."""

import math

import naive
import numpy as np
import pytest
from scipy.stats import norm

import simdyn as sd
from simdyn import exact, theory
from simdyn.model.records import InvalidInput

WELL = sd.DoubleWell(1.0, 1.0)
VALLEY = sd.Valley(1.0, 1.0, (2.0,))
NOISES = (sd.FrozenNoise(0.7), sd.TwoPieceNoise(0.7))
K = 2.5

# record, its rule in `naive`, the power of the sharpness
OPTIMIZERS = {
    "nesterov": (sd.Nesterov(0.02, 0.8, 0.3), naive.nesterov, 1.0),
    "rmsprop": (sd.RMSProp(0.03, 0.9, 0.0), naive.rmsprop, 0.5),
    "signsgd": (sd.SignSGD(0.03), naive.signsgd, 0.5),
    "signum": (sd.SignSGD(0.005, 0.8), naive.signsgd, 0.5),
    "adamw": (sd.AdamW(0.03, 0.8, 0.9, 0.0, 0.1), naive.adamw, 0.5),
    "adamw, decay of its own": (sd.AdamW(0.03, 0.8, 0.9, 0.0, 0.003, False), naive.adamw, 0.5),
    "amsgrad": (sd.AMSGrad(0.03, 0.8, 0.9, 0.0), naive.amsgrad, 0.5),
    "padam": (sd.Padam(0.03, 0.8, 0.9, 0.25, 0.0), naive.padam, 0.75),
    "yogi": (sd.Yogi(0.03, 0.8, 0.9, 0.0), naive.yogi, 0.5),
    "radam": (sd.RAdam(0.03, 0.8, 0.9, 0.0, rest_before=True), naive.radam, 0.5),
    "adabound": (sd.AdaBound(0.01, 0.02, 0.3, 0.8, 0.9, 0.0), naive.adabound, 1.0),
    "adaiw": (sd.AdaiW(0.02, 0.1, 0.9, 1e-3, 0.2), naive.adaiw, 1.0),
    "adaiv2": (sd.AdaiV2(0.02, 0.1, 0.9, 1e-3, 0.25), naive.adai_general, 1.0),
}
each = pytest.mark.parametrize(("dynamics", "rule", "power"), OPTIMIZERS.values(), ids=OPTIMIZERS)


def path(rule, dynamics, landscape, z):
    deviation = np.sqrt(sd.variance_at(sd.FrozenNoise(8.0), landscape, sd.minimum(landscape)))
    slope, start = (lambda x: sd.gradient_at(landscape, x)), sd.minimum(landscape)
    return rule(slope, lambda x, z: deviation * z, start, z, *dynamics)


@each
def test_law_of_sharpness_on_every_path(dynamics, rule, power, seed):
    """k^{1/2} theta of the sharpened landscape is theta of `unsharpened`; another power of k, or none, is rejected."""
    z = np.random.default_rng((seed, 21)).normal(size=(60, 2))
    sharp = path(rule, dynamics, sd.Sharpened(VALLEY, K), z) * math.sqrt(K)
    faster = theory.unsharpened(dynamics, K)
    np.testing.assert_allclose(sharp, path(rule, faster, VALLEY, z), rtol=1e-8, atol=1e-12)
    changed = {"learning_rate", "final_rate", "weight_decay"}
    wrong = [dynamics] + [
        faster._replace(**{name: getattr(faster, name) * K**off for name in changed & set(faster._fields)})
        for off in (0.125, -0.25)
    ]
    assert min(np.abs(sharp - path(rule, other, VALLEY, z)).max() for other in wrong) > 1e-3


@each
def test_law_of_sharpness_in_the_formula(dynamics, rule, power):
    assert theory.sharpness_exponent(dynamics) == pytest.approx(power)
    faster = theory.unsharpened(dynamics, K)
    for noise, landscape in ((noise, landscape) for noise in NOISES for landscape in (WELL, VALLEY)):
        sharpened = sd.Sharpened(landscape, K)
        for part in (theory.action, theory.prefactor):
            assert part(dynamics, sharpened, noise) == pytest.approx(part(faster, landscape, noise), rel=1e-9)
        plain = dynamics._replace(weight_decay=0.0) if "weight_decay" in dynamics._fields else dynamics
        known = theory.sharpness_log_prefactor(plain, landscape, noise, [1.0, K])
        prefactors = [theory.prefactor(dynamics, sd.Sharpened(landscape, k), noise) for k in (1.0, K)]
        assert np.diff(known) == pytest.approx(np.diff(np.log(prefactors)), rel=1e-9)
        actions = [theory.action(plain, place, noise) for place in (landscape, sharpened)]
        assert math.log(actions[0] / actions[1]) / math.log(K) == pytest.approx(power, rel=1e-9)


# ------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("dynamics", "limit"),
    [
        (sd.Nesterov(0.002, 0.9, 1.0), sd.Momentum(0.002, 0.9, 1.0)),
        (sd.AMSGrad(0.05), sd.Adam(0.05)),
        (sd.RAdam(0.05), sd.Adam(0.05)),
        (sd.AdamW(0.05, weight_decay=0.0), sd.Adam(0.05)),
        (sd.Padam(0.05, power=0.5), sd.Adam(0.05)),
        (sd.Padam(0.02, power=1e-12), sd.Momentum(0.02, 0.9, 0.1)),
        (sd.AdaBound(1.0, 0.02), sd.Momentum(0.02, 0.9, 0.1)),
        (sd.AdaBound(1.0, 0.02, beta1=0.0), sd.Momentum(0.02, 0.0, 1.0)),
        (sd.AdaiW(0.02, weight_decay=0.0), sd.Adai(0.02)),
        (sd.AdaiV2(0.02), sd.Adai(0.02)),
    ],
    ids=str,
)
def test_limits(dynamics, limit):
    """Where a method is another one, so is its formula: time, bracket, damping, energy lost; two noises, two dimensions."""
    for noise in NOISES:
        for landscape in (WELL, VALLEY):
            for part in (theory.action, theory.prefactor, theory.inertial_bracket, theory.damping_ratio):
                assert part(dynamics, landscape, noise) == pytest.approx(part(limit, landscape, noise), rel=1e-9)
    lost = [theory.energy_loss(each, WELL, NOISES[0]) for each in (dynamics, limit)]
    if not isinstance(limit, sd.Adam):  # Adam's temperature is read with the saddle's v
        assert lost[0] == pytest.approx(lost[1], rel=1e-9)


def test_without_memory_it_is_sgd_for_every_convention():
    for convention in (0.0, 0.5, 1.0):
        plain = theory.sgd_escape_time(8.0, 3.0, 1.3, 0.02, 1.7, 0.4, convention)
        found = theory.effective_escape_time(8.0, 3.0, 1.3, theory.Effective(0.02, math.inf), 1.7, 0.4, convention)
        assert found.action == pytest.approx(plain.action) and found.prefactor == pytest.approx(plain.prefactor)
    adam = theory.Effective(0.05, 0.2, 0.5)
    times = [theory.effective_escape_time(8.0, 3.0, 1.3, adam, 1.7, 0.4, convention, 0.9) for convention in (0.0, 1.0)]
    expected = theory.adam_escape_time(8.0, 3.0, 1.3, 0.05, 1.7, 0.8, 0.4, 0.9)
    assert times[0] == pytest.approx(times[1]) and times[0] == pytest.approx(expected)


def test_between_sgd_and_adam_against_quadrature():
    """d theta = -v^-q L' ds + noise on matched parabolas, v = |H|/B piece by piece, Ito: the exact prefactor for each q."""
    height, top, rate, batch_size = 2.0, 1.0, 0.02, 0.8
    for power in (0.125, 0.25, 0.4):
        method = theory.Effective(rate, math.inf, power)
        found = theory.effective_escape_time(height, top, 1.0, method, batch_size, top / (height + top), 0.0)
        # The mean first passage to the other minimum, by Laplace's integral itself: Phi' = L'/D, D = eta_i C_i/2.
        bottom = math.sqrt(2.0 * (1.0 / height + 1.0 / top))
        edge = math.sqrt(2.0 * top / height / (height + top))  # from the minimum to where the parabolas meet
        x = np.linspace(-2.0 * bottom, bottom, 400001)
        far = np.abs(np.abs(x) - bottom) < edge
        far |= np.abs(x) > bottom
        force = np.where(far, height * (np.abs(x) - bottom) * np.sign(x), -top * x)
        curvature = np.where(far, height, top)
        ahead = method.rate * (batch_size / curvature) ** power
        diffusion = ahead**2 * curvature / batch_size / 2.0
        step = x[1] - x[0]
        phi = np.concatenate([[0.0], np.cumsum((force * ahead / diffusion)[1:] + (force * ahead / diffusion)[:-1])])
        phi *= step / 2.0
        phi -= phi[np.argmin(np.abs(x + bottom))]
        inner = np.cumsum(np.exp(-phi) / diffusion) * step
        inside = x >= -bottom
        exact_time = float(np.sum(np.exp(phi[inside]) * inner[inside]) * step)
        assert found == pytest.approx(exact_time, rel=5e-3)
        for wrong in (0.0, 0.5):
            other = theory.effective_escape_time(height, top, 1.0, method._replace(power=wrong), batch_size, 1 / 3, 0.0)
            assert other != pytest.approx(exact_time, rel=0.1)


# ------------------------------------------------------------------------------------------------- each one's numbers


def test_signs_drift_and_correlation(seed):
    """E[sign(m)] and the summed covariance of signs, from a long run of noise; signs without correlation are rejected."""
    random, tilt = np.random.default_rng((seed, 22)), 0.05
    for beta1 in (0.0, 0.8):
        z, m = random.normal(size=(4000, 2000)), np.zeros(4000)
        total = np.zeros(4000)
        for n in range(2000):
            m = beta1 * m + (1.0 - beta1) * (z[:, n] + tilt)
            if n >= 100:
                total += np.sign(m)
        spread = math.sqrt((1.0 - beta1) / (1.0 + beta1))
        found = theory.effective(sd.SignSGD(1.0, beta1))
        drift, error = total.mean() / 1900.0, total.std() / 1900.0 / math.sqrt(4000.0)
        assert drift == pytest.approx(2.0 * norm.cdf(tilt / spread) - 1.0, abs=5.0 * error)
        assert drift == pytest.approx(found.drift * tilt, rel=tilt**2 / spread**2 / 5.0, abs=5.0 * error)
        diffusion = total.var() / 1900.0  # 2D over eta^2, its relative error 2^{1/2}/4000^{1/2}
        assert diffusion == pytest.approx(found.drift / found.hold, rel=0.112 + 0.02)
        if beta1 > 0.0:
            assert diffusion != pytest.approx(1.0, rel=0.5)


def test_signsgd_against_its_own_walk():
    """A walk of steps +-eta, P(+) = Phi(-L'/C^{1/2}): its exact mean first passage by recursion, step by step.

    What is left is Kramers' own error, linear in 1/action: extrapolated it vanishes. Adam's action is rejected.
    """
    rate, ratios = 1.0 / 192.0, []
    half = round(1.0 / rate)
    places = rate * np.arange(-3 * half, half)
    for action in (9.0, 18.0):
        noise = sd.ConstantNoise((math.sqrt(8.0 / math.pi) / (rate * action)) ** 2)
        found = theory.escape_time(sd.SignSGD(rate), WELL, noise)
        assert found.action == pytest.approx(action)
        right = norm.sf(4.0 * places * (places**2 - 1.0) / math.sqrt(noise.variance))
        time, total = 0.0, 0.0
        for place, up in zip(places, right, strict=True):
            time = 1.0 / up + (1.0 - up) / up * time  # from this place to the next
            total += time if place > -1.0 - rate / 2.0 else 0.0
        ratios.append(
            total / found / 2.0**0.25
        )  # noise the same everywhere: (H_a/|H_b|)^{1/4} times the attributed form
        assert theory.escape_time(sd.RMSProp(rate, beta2=0.999), WELL, noise) > 2.0 * total
    assert 2.0 * ratios[1] - ratios[0] == pytest.approx(1.0, abs=0.006)
    assert 1.01 < ratios[1] < ratios[0] < 1.07


def test_yogi_is_adam_with_a_larger_v():
    noise = sd.FrozenNoise(1.0)
    adam, yogi = theory.action(sd.AMSGrad(0.05), WELL, noise), theory.action(sd.Yogi(0.05, eps=0.0), WELL, noise)
    assert yogi / adam == pytest.approx(1.538172, rel=1e-6)
    slower = theory.inertial_bracket(sd.Adam(0.05 / 1.538172), WELL, sd.FrozenNoise(1.0))
    assert theory.inertial_bracket(sd.Yogi(0.05, eps=0.0), WELL, sd.FrozenNoise(1.0)) == pytest.approx(slower, rel=1e-6)


def test_adaiv2_knows_the_share_of_its_escape():
    """C_e/mean(C) = 8/5: gamma M = ratio^{(1-D)/(3-2D)}, from beta1 and beta3 of its own rule."""
    for dampening in (0.0, 0.5, 1.0):
        forgetting = 0.1 * 1.6 ** (1.0 / (3.0 - 2.0 * dampening))
        weight = 0.1 ** (1.0 - dampening) * forgetting**dampening
        momentum = sd.Momentum(0.02, 1.0 - forgetting, weight)
        found = theory.action(sd.AdaiV2(0.02, dampening=dampening), VALLEY, sd.FrozenNoise(1.0))
        assert found == pytest.approx(theory.action(momentum, VALLEY, sd.FrozenNoise(1.0)))
    with pytest.raises(InvalidInput, match="clipped"):
        theory.escape_time(sd.AdaiV2(0.02, beta0=0.9, dampening=0.0), VALLEY, sd.FrozenNoise(1.0))


def test_weight_decay_lowers_the_barrier():
    """With the same noise everywhere decay is a quadratic landscape of its own: the exact chain of SGD confirms it."""
    rate, decay, noise = 0.02, 0.05, sd.FrozenNoise(1.0)
    for pair in (
        (sd.AdaiW(rate, weight_decay=decay), sd.Adai(rate)),
        (sd.AdamW(0.05, weight_decay=decay), sd.Adam(0.05)),
    ):
        lowered = theory.action(pair[1], WELL, noise) - theory.action(pair[0], WELL, noise)
        eta_c = rate * 8.0 if isinstance(pair[1], sd.Adai) else 0.05
        assert lowered == pytest.approx(decay / eta_c)
    # L + w theta^2/2 = barrier' ((x/width')^2 - 1)^2 + constant
    width = math.sqrt(1.0 - decay / 4.0)
    with_decay = sd.DoubleWell(width**4, width)
    plain, changed = (
        float(exact.mean_first_passage(sd.SGD(rate), well, sd.ConstantNoise(8.0), sd.Beyond(0.0), -well.width))
        for well in (WELL, with_decay)
    )
    expected = theory.action(sd.AdaiW(rate, weight_decay=decay), WELL, noise) - theory.action(
        sd.Adai(rate), WELL, noise
    )
    assert math.log(changed / plain) == pytest.approx(expected, abs=0.05)
    assert expected < -0.3
    with pytest.raises(InvalidInput, match="weight decay takes"):
        theory.escape_time(sd.AdaiW(rate, weight_decay=2.0), WELL, noise)


def test_highest_average(seed):
    """The median of v_max over simulated averages; the mean of v is rejected."""
    random = np.random.default_rng((seed, 23))
    for beta2, steps in ((0.98, 20000), (0.99, 20000)):
        v, highest = np.ones(600), np.ones(600)
        for _ in range(steps):
            v += (1.0 - beta2) * (random.normal(size=600) ** 2 - v)
            np.maximum(highest, v, out=highest)
        error = 1.25 * highest.std() / math.sqrt(600.0)
        assert theory.highest_average(beta2, steps) == pytest.approx(np.median(highest), abs=0.03 + 5.0 * error)
        assert np.median(highest) > 1.3
    levels = [theory.highest_average(0.999, steps) for steps in (1e4, 1e5, 1e6)]
    assert np.all(np.diff(levels) > 0.02)


# ------------------------------------------------------------------------------------------------- validity, refusals


def test_warns_and_refuses():
    noise = sd.FrozenNoise(1.0)
    with pytest.warns(theory.ValidityWarning, match="factor of 2.5: first steps"), \
            pytest.warns(theory.ValidityWarning, match="hardly meet"):  # fmt: skip
        theory.escape_time(sd.AdaBound(0.01, 0.05, gamma=0.001), WELL, noise)
    with pytest.warns(theory.ValidityWarning, match="2.37 deviations of m"):
        theory.escape_time(sd.SignSGD(0.02, beta1=0.9), WELL, noise)
    theory.escape_time(sd.SignSGD(0.05), WELL, noise)
    with pytest.warns(theory.ValidityWarning, match="v holds the squared slope"), \
            pytest.warns(theory.ValidityWarning, match=r"\(omega_a dt\)\^2 is 0.8"):  # fmt: skip
        theory.escape_time(sd.RMSProp(0.1 * math.sqrt(8.0 / 5.0)), WELL, sd.FrozenNoise(5.0))
    for call, line in (
        (lambda: theory.escape_time(sd.AdaBound(0.01, 0.05, gamma=1e-6), WELL, noise), "its bounds meet after"),
        (lambda: theory.effective(sd.Overdamped(0.1)), "not known as momentum"),
        (lambda: theory.effective_escape_time(8.0, 4.0, 1.0, theory.Effective(0.1, 0.1, 0.7), 1.0), r"in \[0, 1/2\]"),
        (lambda: theory.unsharpened(sd.Yogi(0.1), 0.0), "sharpness must be"),
        (lambda: theory.damping_ratio(sd.RMSProp(0.1), WELL, noise), "no inertia"),
        (lambda: theory.damping_ratio(sd.Yogi(0.1), WELL), "depends on the noise"),
        (lambda: theory.highest_average(1.0, 100.0), "beta2 must be"),
        (lambda: theory.highest_average(0.999, 100.0), "steps must be at least"),
    ):
        with pytest.raises(InvalidInput, match=line):
            call()
