"""One step of Adam's chain backward in time, on a tensor grid of theta, u = m/sqrt(v) and w = log v.

    f(x, m, v) -> E_z[ f(x', m', v') 1{x' < end} ]

The particle leaves where the kick z is below (or, for a short memory of v, between) roots of a quadratic equation, so
that the integral over z runs over what stays. Between the grid's points f is a cubic through the nearest four.
"""

import math
from typing import NamedTuple

from simdyn._jit import inlined, kernel

_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


class Frame(NamedTuple):
    """Where the grid lies: place = log1p((end - x)/bend) * dense, (u + widest) * close, (w - lowest) * fine."""

    end: float
    bend: float
    dense: float
    widest: float
    close: float
    lowest: float
    fine: float
    reach: float  # kicks of up to so many deviations
    whole: float  # weight of each of as many equal intervals of them as there are points: in all, 1


class Rule(NamedTuple):
    """What a step does: m += first (g - m), v += second (g^2 - v), x -= rate m/(sqrt(v + inside) + outside)."""

    rate: float
    first: float
    second: float
    inside: float
    outside: float


@inlined
def _cubic(place, count, out):
    """Weights of the four points around a place, into `out`; returns the first of them."""
    first = min(max(int(place) - 1, 0), count - 4)
    t = place - first
    out[0] = -(t - 1.0) * (t - 2.0) * (t - 3.0) / 6.0
    out[1] = t * (t - 2.0) * (t - 3.0) / 2.0
    out[2] = -t * (t - 1.0) * (t - 3.0) / 2.0
    out[3] = t * (t - 1.0) * (t - 2.0) / 6.0
    return first


@inlined
def _between(values, frame, x, u, w, scratch):
    """values at a point; beyond the grid's edges, those of the edge."""
    count_x, count_u, count_w = values.shape
    at_x = min(max(math.log1p(max(frame.end - x, 0.0) / frame.bend) * frame.dense, 0.0), count_x - 1.0)
    at_u = min(max((u + frame.widest) * frame.close, 0.0), count_u - 1.0)
    at_w = min(max((w - frame.lowest) * frame.fine, 0.0), count_w - 1.0)
    along_x, along_u, along_w = scratch[0], scratch[1], scratch[2]
    i = _cubic(at_x, count_x, along_x)
    j = _cubic(at_u, count_u, along_u)
    k = _cubic(at_w, count_w, along_w)
    total = 0.0
    for a in range(4):
        for b in range(4):
            row = values[i + a, j + b]
            total += (along_x[a] * along_u[b]) * (
                along_w[0] * row[k] + along_w[1] * row[k + 1] + along_w[2] * row[k + 2] + along_w[3] * row[k + 3]
            )
    return total


@inlined
def _integral(values, frame, rule, x, slope, deviation, m, v, points, weights, low, high, scratch):
    """Int_low^high values(next) phi(z) dz."""
    half = 0.5 * (high - low)
    # All kicks: equal steps are far better than Gauss's points, and they must not lose anything that 1/tau would show.
    whole = high - low >= 2.0 * frame.reach
    total = 0.0
    for n in range(len(points)):
        z, weight = low + half * (1.0 + points[n]), weights[n]
        if whole:
            z, weight = low + 2.0 * half * (n + 0.5) / len(points), frame.whole / half
        g = slope + deviation * z
        momentum = m + rule.first * (g - m)
        square = max(v + rule.second * (g * g - v), 1e-300)
        y = x - rule.rate * momentum / (math.sqrt(square + rule.inside) + rule.outside)
        found = _between(values, frame, y, momentum / math.sqrt(square), math.log(square), scratch)
        total += weight * math.exp(-0.5 * z * z) * found
    return total * half * _DENSITY


@inlined
def _stay(values, frame, rule, x, slope, deviation, m, v, points, weights, scratch):
    """E[values(next), still inside]."""
    # Out where  a + c g <= -gap sqrt(b + d g^2):  between or beyond the roots of  p g^2 + 2 q g + r = 0.
    gap = (frame.end - x) / rule.rate
    a, c = (1.0 - rule.first) * m + gap * rule.outside, rule.first
    b, d = (1.0 - rule.second) * v + rule.inside, rule.second
    p, q, r = c * c - gap * gap * d, a * c, a * a - gap * gap * b
    discriminant = q * q - p * r
    low, high = -frame.reach, frame.reach
    below = low  # a second stretch of kicks that stay, from -reach to here
    if p > 0.0:
        root = math.sqrt(max(discriminant, 0.0))
        low = max(low, ((-q - root) / p - slope) / deviation)
    elif p == 0.0:
        if q < 0.0:
            low = max(low, (-0.5 * r / q - slope) / deviation)
    elif discriminant > 0.0 and a - c * q / p < 0.0:
        root = math.sqrt(discriminant)
        below = min(((-q + root) / p - slope) / deviation, high)
        low = max(low, ((-q - root) / p - slope) / deviation)
    total = 0.0
    if low < high:
        total += _integral(values, frame, rule, x, slope, deviation, m, v, points, weights, low, high, scratch)
    if below > -frame.reach:
        total += _integral(
            values, frame, rule, x, slope, deviation, m, v, points, weights, -frame.reach, below, scratch
        )
    return total


@kernel
def backward(out, values, frame, rule, x, u, w, slopes, deviations, points, weights, scratch, first, last):
    """out[i] = E[values(next)] for rows i from `first` to `last`; x, u, w: the grid's axes, scratch: (3, 4)."""
    for i in range(first, last):
        for k in range(len(w)):
            v = math.exp(w[k])
            for j in range(len(u)):
                m = u[j] * math.sqrt(v)
                out[i, j, k] = _stay(
                    values, frame, rule, x[i], slopes[i], deviations[i], m, v, points, weights, scratch
                )


@kernel
def read(values, frame, x, u, w, scratch):
    """values at a point."""
    return _between(values, frame, x, u, w, scratch)
