"""What the optimizers become in their limits, and what their rules promise beyond a step."""

import math

import naive
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, norm
from sequence import allowance, follow, gradients

import simdyn as sd

GIVEN = gradients(300)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))


def parted(one, other, given=GIVEN):
    """The largest distance of two methods' paths in units of what rounding may do."""
    path, twin = follow(one, given), follow(other, given)
    return np.max(np.abs(path - twin) / np.maximum(allowance(path), 2.0**-53))


@pytest.mark.parametrize(
    ("special", "plain", "near"),
    [
        (sd.AdamW(0.01, weight_decay=0.0), sd.Adam(0.01), sd.AdamW(0.01, weight_decay=1e-6)),
        (sd.AdaiW(0.01, weight_decay=0.0), sd.Adai(0.01), sd.AdaiW(0.01, weight_decay=1e-6)),
        (sd.AdaiV2(0.01, dampening=1.0), sd.Adai(0.01), sd.AdaiV2(0.01, dampening=0.999)),
        (sd.Padam(0.01, power=0.5), sd.AMSGrad(0.01), sd.Padam(0.01, power=0.499)),
        (sd.Padam(0.01, power=0.5, keep_highest=False), sd.Adam(0.01), sd.Padam(0.01, power=0.5)),
        (sd.Nesterov(0.01, 0.0, 1.0), sd.SGD(0.01), sd.Nesterov(0.01, 1e-6, 1.0)),
        (sd.RMSProp(0.01, 0.0, 0.0), sd.SignSGD(0.01), sd.RMSProp(0.01, 0.0, 1e-6)),
        (sd.RAdam(0.01, 0.9, 0.5), sd.RAdam(0.01, 0.9, 0.6), sd.Adam(0.01, 0.9, 0.5)),  # neither is ever trusted
        (sd.AdaBound(0.01, 0.1, 1e-9, eps=0.0), sd.Adam(0.01, eps=0.0), sd.AdaBound(0.01, 0.1, 1e-9)),
    ],
)
def test_special_cases(special, plain, near):
    assert parted(special, plain) < 1 < parted(near, plain)


def one_step(method, clock_number, memory, gradient):
    clock = [float(column[0]) for column in sd.schedule(method, np.array([float(clock_number)]))]
    rows = tuple(np.full((1, 1), value) for value in memory)
    return sd.step(method, tuple(clock + [0.0] * (4 - len(clock))), 0.0, 0.5, gradient, 0.0, rows, 0, 0)


def test_adabound_becomes_averaging_momentum():
    """Long after 1/gamma steps both bounds are `final_rate`, whatever v."""
    method, t = sd.AdaBound(0.01, 0.2, 1e-3), 10**12
    expected = 0.5 - 0.2 * (0.9 * 0.3 + 0.1 * 1.7)
    assert one_step(method, t, (0.3, 4.0, t), 1.7) == pytest.approx(expected, abs=0.2 * 0.44 / (1e-3 * t))
    assert abs(one_step(method, 1000, (0.3, 4.0, 999), 1.7) - expected) > 1e-3


def test_adabound_may_run_for_ever():
    """Its bounds never settle, but they are no part of the schedule, so no number of steps is too large."""
    assert sd.maturity(sd.AdaBound(0.01, gamma=1e-12)) == sd.maturity(sd.Adam(0.01))


def test_rectification_ends():
    """r_t rises to 1: RAdam is Adam after its warm-up (their eps differ by a correction that is then 1)."""
    method, adam = sd.RAdam(0.01, 0.9, 0.99), sd.Adam(0.01, 0.9, 0.99)
    number = np.arange(1.0, sd.maturity(method) + 1)
    ratio = sd.schedule(method, number)[0] / sd.schedule(adam, number)[0]
    trusted = sd.schedule(method, number)[1] == 1.0
    assert np.argmax(trusted) == 4 and np.all(trusted[4:])  # rho_t > 4 from the fifth step on
    # A dozen roundings are in each of two neighbours.
    assert np.all(np.diff(ratio[4:]) > -24 * 2.0**-53) and ratio[4] < 0.1 and ratio[-1] == pytest.approx(1.0, abs=1e-14)


def test_yogi_rests_where_its_square_neither_rises_nor_falls(seed):
    """E[sign(v - g^2) g^2] = 0 at 2.366 C: by quadrature, and along the naive rule's path."""
    resting = float(sd.begin_running(sd.Yogi(0.1), np.zeros(1), np.ones(1))[0][1, 0])
    assert resting == pytest.approx(chi2.median(3), rel=1e-12)

    def pull(v):
        edge = math.sqrt(v)
        inside, outside = (quad(lambda g: g * g * norm.pdf(g), *ends)[0] for ends in ((0, edge), (edge, 40)))
        return inside - outside

    assert abs(pull(resting)) < 1e-9 < abs(pull(1.01 * resting))
    # The step of beta1 = 0 without eps is eta g/sqrt(v): the path tells v. Its average over a long time, in batches.
    kicks = np.random.default_rng((seed, 11)).normal(size=(60_000, 8))
    path = naive.yogi(lambda x: 0.0, lambda x, z: z, np.zeros(8), kicks, 1.0, 0.0, 0.99, 0.0, 0.0, False)
    v = (kicks / np.diff(path, axis=0)) ** 2
    batches = v[2000:].reshape(58, 1000, 8).mean(axis=1).ravel()
    error = batches.std() / math.sqrt(batches.size)
    # v scatters about its rest, and its pull is curved there: a shift of order 1 - beta2
    assert abs(batches.mean() - resting) < 5 * error + 0.01 * resting < 0.1 * resting


def test_amsgrads_square_grows_without_limit(seed):
    """The highest of all: later than sooner it is higher, so there is no stationary start to ask for."""
    random = np.random.default_rng((seed, 12))
    short, long = (
        np.mean([follow_highest(random.normal(size=steps)) for _ in range(40)]) for steps in (200, 4000)
    )  # fmt: skip
    assert long > 1.2 * short


def follow_highest(given, beta2=0.9):
    v = highest = 0.0
    for g in given:
        v = beta2 * v + (1 - beta2) * g * g
        highest = max(highest, v)
    return highest


@pytest.mark.parametrize(
    ("rule", "at", "equivalent"),
    [
        (naive.sgd, (0.02,), (0.05,)),
        (naive.momentum, (0.02, 0.8, 0.2), (0.05, 0.8, 0.2)),
        (naive.adai, (0.02, 0.1, 0.9, 1e-3), (0.05, 0.1, 0.9, 1e-3)),
        (naive.adam, (0.02, 0.8, 0.9, 0.0, False), (0.02 * math.sqrt(2.5), 0.8, 0.9, 0.0, False)),
        (naive.nesterov, (0.02, 0.8, 0.2), (0.05, 0.8, 0.2)),
        (naive.signsgd, (0.02, 0.8), (0.02 * math.sqrt(2.5), 0.8)),
        (naive.amsgrad, (0.02, 0.8, 0.9, 0.0, True, False), (0.02 * math.sqrt(2.5), 0.8, 0.9, 0.0, True, False)),
        (naive.yogi, (0.02, 0.8, 0.9, 0.0, 0.0, False), (0.02 * math.sqrt(2.5), 0.8, 0.9, 0.0, 0.0, False)),
        (
            naive.padam,
            (0.02, 0.8, 0.9, 0.125, 0.0, True, True, False),
            (0.02 * 2.5**0.875, 0.8, 0.9, 0.125, 0.0, True, True, False),
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_sharpening_is_a_larger_step(rule, at, equivalent, seed):
    """Under L(sqrt(k) x) with C = H_a/B: SGD(k, eta) is SGD(1, k eta), Momentum and Adai likewise, Adam(1, sqrt(k) eta),
    and Padam, which divides by v^p, (1, k^(1-p) eta)."""
    z = np.random.default_rng((seed, 8)).normal(size=(60, 3))

    def path(landscape, numbers):
        deviation = np.sqrt(sd.variance_at(sd.FrozenNoise(8.0), landscape, sd.minimum(landscape)))
        return rule(
            lambda x: sd.gradient_at(landscape, x), lambda x, z: deviation * z, sd.minimum(landscape), z, *numbers
        )

    sharp = path(sd.Sharpened(VALLEY, 2.5), at) * math.sqrt(2.5)
    np.testing.assert_allclose(sharp, path(VALLEY, equivalent), rtol=1e-8, atol=1e-12)
    assert np.abs(sharp - path(VALLEY, at)).max() > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sd.Padam(0.1, power=0.6), r"power must be a number in \(0, 1/2\]"),
        (lambda: sd.RAdam(0.1, threshold=3.0), "threshold must be a number from 4"),
        (lambda: sd.AdaiV2(0.1, dampening=1.5), r"dampening must be a number in \[0, 1\]"),
        (lambda: sd.AdaBound(0.1, gamma=0.0), "gamma must be a positive number"),
        (lambda: sd.AdamW(0.1, weight_decay=-0.1), "weight_decay must be zero or a positive number"),
    ],
)
def test_fields_out_of_range_are_refused(call, message):
    with pytest.raises(sd.InvalidInput, match=message):
        call()
