"""The share of time in a flat minimum, from mean first passages each way, against the time that long runs spend there."""

import numpy as np
import pytest

import simdyn as sd

STEPS, PARTICLES = 200_000, 8


def wells(barrier, turned=False):
    bath = sd.WithBath(sd.UnequalWells(barrier, 8.0, 2.0, 4.0), (4.0,))
    return sd.Rotated(bath, np.pi / 4) if turned else bath


def passage_odds(dynamics, barrier, turned, seed):
    """tau_flat/tau_sharp, each a first passage from one bottom to the other, and the standard error of its logarithm."""
    taus = []
    for left, right in ((8.0, 2.0), (2.0, 8.0)):
        bath = sd.WithBath(sd.UnequalWells(barrier, left, right, 4.0), (4.0,))
        landscape = sd.Rotated(bath, np.pi / 4) if turned else bath
        far = sd.minimum(sd.UnequalWells(barrier, right, left, 4.0))[0]
        exit = sd.plane_through_saddle(landscape, -far)
        found = sd.escape_times(
            dynamics, landscape, sd.LocalNoise(1.0), exit, sd.minimum(landscape), particles=2000, seed=seed
        )
        taus.append(found.steps.mean())
    return taus[1] / taus[0], np.sqrt(2.0 / 2000)


def time_odds(dynamics, barrier, turned, seed):
    """Time since the flat bottom was the last that was passed over that of the sharp one; time on either side of the
    saddle; the number of times there and back."""
    landscape = wells(barrier, turned)
    path = sd.trajectories(
        dynamics, landscape, sd.LocalNoise(1.0), sd.minimum(landscape), PARTICLES, range(1, STEPS + 1), seed
    )
    along = path @ (np.full(2, np.sqrt(0.5)) if turned else np.array([1.0, 0.0]))
    sharp, flat = (
        sd.minimum(sd.UnequalWells(barrier, 8.0, 2.0, 4.0))[0],
        -sd.minimum(sd.UnequalWells(barrier, 2.0, 8.0, 4.0))[0],
    )
    passed = np.where(along <= sharp, -1, np.where(along >= flat, 1, 0))
    last = np.maximum.accumulate(np.where(passed != 0, np.arange(STEPS), 0), axis=1)
    state = np.take_along_axis(passed, last, axis=1)
    state[state == 0] = -1  # before any is passed: they start at the sharp bottom
    trips = np.count_nonzero(np.diff(state, axis=1) > 0)
    return np.mean(state > 0) / np.mean(state < 0), np.mean(along > 0.0) / np.mean(along < 0.0), trips


def compared(dynamics, barrier, turned, seed):
    """log of (time spent)/(passage times), of (time on its side)/(passage times), what they may be off by, and log odds."""
    odds, error = passage_odds(dynamics, barrier, turned, seed)
    spent, aside, trips = time_odds(dynamics, barrier, turned, seed + 1)
    # Stays are exponential, so that log odds scatter by sqrt(2/trips); and a stay begins a step's length past the bottom.
    allowed = 5.0 * np.hypot(error, np.sqrt(2.0 / trips)) + 0.05
    assert allowed < 0.35 and trips > 400
    return np.log(spent / odds), np.log(aside / odds), allowed, np.log(odds)


@pytest.mark.parametrize(
    ("dynamics", "barrier", "turned"),
    [(sd.SGD(0.0432), 0.1, False), (sd.Momentum(0.0045), 0.08, True), (sd.Adam(0.129, beta2=0.95), 0.15, False)],
    ids=["SGD", "Momentum, turned", "Adam, short memory"],
)
def test_the_share_of_passage_times_is_the_share_of_time(dynamics, barrier, turned, seed):
    spent, aside, allowed, odds = compared(dynamics, barrier, turned, seed)
    assert abs(spent) < allowed
    assert abs(spent - odds) > allowed and abs(spent + 2.0 * odds) > allowed  # squared, or the other way round
    # On its own side of the saddle a particle is not all of the time: crossings come back.
    assert abs(aside) < allowed + 0.15


def test_where_v_outlives_the_stays_passage_times_tell_less_than_the_share(seed):
    """Adam at beta2 = 0.999 leaves the sharp well in a fifth of its memory: there v is still the other well's."""
    spent, _, allowed, _ = compared(sd.Adam(0.129), 0.2, False, seed)
    assert spent > 2.0 * allowed
