"""Roots by arithmetic: how exact they are, what becomes of what has no root, and which noises get them."""

import math

import numba
import numpy as np
import pytest

import simdyn as sd
from simdyn.model.noise import SettledNoise
from simdyn.simulate.roots import QuickRoot, quick_root, with_quick_roots
from simdyn.simulate.single import InSingle

LOCAL = sd.LocalNoise(1.0, 0.1)


@numba.njit
def roots(squares, found):
    for k in range(squares.size):
        found[k] = quick_root(squares[k])


def relative_errors(squares):
    found = np.empty(squares.size)
    roots(squares, found)
    return found / np.sqrt(squares) - 1.0


def test_roots_are_as_exact_as_they_say():
    """Over two octaves, where all patterns of a mantissa are met, and over all magnitudes but those next to none."""
    rng = np.random.default_rng(1)
    for squares in (np.linspace(1.0, 4.0, 10**6), np.exp2(rng.uniform(-1022.0, 1023.9, 10**6))):
        off = relative_errors(squares)
        assert -5e-10 < off.min() < -4e-10 and 4e-10 < off.max() < 5e-10  # the fit's two ends, as they should be


def test_what_has_no_root():
    squares = np.array([0.0, -0.0, math.inf, math.nan, -1e-300, -1e-10, -1.0, -math.inf])
    found = np.empty(squares.size)
    roots(squares, found)
    assert (found[:2] == 0.0).all() and not np.isfinite(found[2]) and np.isnan(found[3:]).all()


SINKING = """
from typing import NamedTuple
import simdyn as sd

@sd.record("noise")
class Sinking(NamedTuple):
    level: float

@sd.variance.on(Sinking)
def sinking_variance(noise, landscape, x, j, i):
    return noise.level * (1.0 - x[0, i])

run = sd.escape_times(sd.Adam(0.1), sd.Saddle((-1.0,)), Sinking(1e-9), sd.Beyond(2.0), 0.9, 64, 400, seed=1)
print(run.diverged.sum())
"""


def test_a_user_s_negative_variance_is_found_and_not_taken_for_an_escape(run_python):
    """The particles run down to 2, but past 1 their noise has no root."""
    assert run_python(SINKING).split() == ["64"]


@pytest.mark.parametrize(
    "settled, drawn",
    [
        (LOCAL, QuickRoot(LOCAL)),
        (sd.ScaledNoise(LOCAL, 2.0), sd.ScaledNoise(QuickRoot(LOCAL), 2.0)),
        (InSingle(LOCAL), InSingle(QuickRoot(LOCAL))),
        (SettledNoise(1.0), SettledNoise(1.0)),
    ],
)
def test_only_noise_that_takes_a_root_at_each_step_gets_another(settled, drawn):
    assert with_quick_roots(settled) == drawn
