"""The law that the normals really have: cut where the uniform ends, quantised as it is, through the polynomials.

U is an odd multiple of 2^-digits, so w = -2 ln U takes 2^(digits - 1) values; z = sqrt(w) sin(angle). In double precision U
has 32 digits, in single 31.
"""

import functools
import math

import numba
import numpy as np
from scipy import special, stats

from simdyn.simulate.rng import sine, twice_negative_log

DOUBLE, SINGLE = 32, 31  # digits of U
_EXACT = 2**22  # so many of the smallest U are summed one by one; beyond, the sum is the integral to 1e-15


@numba.vectorize(["float64(float64)"])
def _sine(angle):
    return sine(angle)


@numba.vectorize(["float64(uint64)"])
def _squared_radius(odd):
    return twice_negative_log(odd)


@functools.cache
def squared_radii(count: int, digits: int = DOUBLE) -> np.ndarray:
    """The `count` largest values of w, exactly."""
    return -2.0 * np.log((2.0 * np.arange(count) + 1.0) * 2.0**-digits)


def radius_moment(power: int, digits: int = DOUBLE) -> float:
    """E w^power of the quantised law: 2^power power! of an exponential, less what lies beyond the cut and between values."""
    step = 2.0 ** (1 - digits)  # the chance of each value of w
    start = -2.0 * math.log(_EXACT * step)
    rest = 2.0**power * (math.factorial(power) - special.gamma(power + 1) * special.gammaincc(power + 1, start / 2.0))
    return float((squared_radii(_EXACT, digits) ** power).sum() * step + rest)


def moment(power: int, digits: int = DOUBLE) -> float:
    """E z^power: E w^(power/2) times the mean of sin^power over the circle."""
    half = power // 2
    return 0.0 if power % 2 else radius_moment(half, digits) * math.comb(2 * half, half) / 4.0**half


def normal_moment(power: int) -> float:
    """E z^power of a standard normal."""
    return 0.0 if power % 2 else float(special.factorial2(power - 1))


def tail(bound: float, digits: int = DOUBLE) -> float:
    """P(z > bound) of the quantised law: the sum over values of w of the angle's share, which below 4 is the normal's to 3e-8."""
    if bound < 4.0:
        return float(stats.norm.sf(bound))
    step = 2.0 ** (1 - digits)
    w = squared_radii(math.ceil(math.exp(-0.5 * bound * bound) / step) + 1, digits)
    w = w[w > bound * bound]
    return float(np.arccos(bound / np.sqrt(w)).sum() * step / math.pi)


def polynomial_bias() -> dict[str, float]:
    """Relative errors that the polynomials and the quantised uniform give to E w, E sin^2 and, through both, to E z^2."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = 0.5 * (nodes + 1.0)
    angle = float(np.sum(0.5 * weights * _sine(u) ** 2) / 0.5 - 1.0)
    # w's error depends on the mantissa alone: -2 ln m against the polynomial, over one octave of U, each as likely as 2^-octave
    m = 1.0 + u
    odd = (m * 2.0**31).astype(np.uint64) | np.uint64(1)
    error = _squared_radius(odd) + 2.0 * np.log(odd.astype(float) * 2.0**-32)
    radius = float(np.sum(0.5 * weights * error) / 2.0)  # of E w = 2
    cut = radius_moment(1) / 2.0 - 1.0
    return {"E sin^2": angle, "E w": radius, "cut": cut, "E z^2": angle + radius + cut}


def resolutions() -> list[tuple[str, float, float]]:
    """(statistic, its bias in the law, number of draws at which the bias is one standard error)."""
    rows = []
    for power in (2, 4, 6, 8):
        error = math.sqrt(normal_moment(2 * power) - normal_moment(power) ** 2)
        bias = moment(power) - normal_moment(power) + 0.5 * power * polynomial_scale() * normal_moment(power)
        rows.append((f"E z^{power}", bias / normal_moment(power), (error / bias) ** 2))
    for bound in (4.0, 5.0, 5.5, 6.0, 6.5):
        share = float(stats.norm.sf(bound))
        bias = tail(bound) - share
        rows.append((f"P(z > {bound:g})", bias / share, share / bias**2))
    return rows


def polynomial_scale() -> float:
    """Relative error of E z^2 by the polynomials alone."""
    bias = polynomial_bias()
    return bias["E sin^2"] + bias["E w"]
