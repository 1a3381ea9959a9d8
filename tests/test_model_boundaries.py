"""What counts as having escaped: each boundary in the engine as along a replayed path, and its mistakes."""

import numpy as np
import pytest

import simdyn as sd

WELL, VALLEY = sd.DoubleWell(1.0, 1.0), sd.Valley(1.0, 1.0, (2.0,))
TURNED = sd.Rotated(sd.Sharpened(VALLEY, 1.3), 0.6)
NOISE = sd.ConstantNoise(8.0)


def crossed(boundary, landscape, points):
    """Whether each of points, (n, d), is outside, written out anew."""
    if isinstance(boundary, sd.OutsideBall):
        return np.sqrt(((points - np.array(boundary.centre)) ** 2).sum(axis=1)) >= boundary.radius
    if isinstance(boundary, sd.NearerTo):
        distance = [np.linalg.norm(points - np.array(point), axis=1) for point in (boundary.home, *boundary.others)]
        return np.min(distance[1:], axis=0) <= distance[0]
    losses = np.array([sd.value_at(landscape, point) for point in points])
    return losses >= boundary.level if isinstance(boundary, sd.LossAbove) else losses <= boundary.level


@pytest.mark.parametrize(
    ("landscape", "boundary", "start"),
    [
        (WELL, sd.OutsideBall(0.8, -1.0), -1.0),
        (VALLEY, sd.OutsideBall(1.1, (-1.0, 0.2)), (-1.0, 0.0)),
        (TURNED, sd.OutsideBall(0.9, tuple(sd.minimum(TURNED))), tuple(sd.minimum(TURNED))),
        (WELL, sd.NearerTo((-1.0,), ((1.0,),)), -1.0),
        (VALLEY, sd.NearerTo((-1.0, 0.0), ((1.0, 0.0), (-1.0, 2.0))), (-1.0, 0.0)),
        (WELL, sd.LossAbove(0.7), -1.0),
        (TURNED, sd.LossAbove(1.2), tuple(sd.minimum(TURNED))),
        (TURNED, sd.LossBelow(0.3), tuple(sd.saddle(TURNED))),
    ],
)
def test_a_particle_leaves_when_its_path_says_so(landscape, boundary, start, seed):
    methods = (sd.SGD(0.04), landscape, NOISE)
    run = sd.escape_times(*methods, boundary, start, particles=40, max_steps=400, seed=seed)
    assert not run.censored.all() and not run.diverged.any()
    for particle in range(40):
        steps = int(run.steps[particle])
        path = sd.trajectories(*methods, start, particles=[particle], record_at=range(1, steps + 1), seed=seed)[0]
        over = crossed(boundary, landscape, path)
        assert not over[:-1].any() and over[-1] == (not run.censored[particle])


def test_straight_boundaries_are_special_cases(seed):
    """The middle between two minima is a plane, and a large ball around a far point nearly one."""
    options = {"start": (-1.0, 0.0), "particles": 256, "max_steps": 10**5, "seed": seed}
    plane = sd.escape_times(sd.SGD(0.04), VALLEY, NOISE, sd.Beyond(0.0), **options)
    nearer = sd.escape_times(sd.SGD(0.04), VALLEY, NOISE, sd.NearerTo((-1.0, 0.0), ((1.0, 0.0),)), **options)
    np.testing.assert_array_equal(nearer.steps, plane.steps)
    ball = sd.escape_times(sd.SGD(0.04), VALLEY, NOISE, sd.OutsideBall(1e7, (-1e7, 0.0)), **options)
    assert (ball.steps == plane.steps).mean() > 0.95  # the ball's edge lies within 1e-7 or so of the plane
    assert (
        not (sd.escape_times(sd.SGD(0.04), VALLEY, NOISE, sd.Beyond(0.2), **options).steps == plane.steps).mean() > 0.95
    )


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: sd.OutsideBall(0.0), "radius"),
        (lambda: sd.NearerTo((0.0,), ()), "others"),
        (lambda: sd.NearerTo((0.0,), (("a",),)), "others"),
        (lambda: escape(sd.OutsideBall(1.0, (0.0, 0.0, 0.0))), "centre|coordinates"),
        (lambda: escape(sd.NearerTo((0.0,), ((1.0,),))), "home has 1"),
        (lambda: escape(sd.NearerTo((0.0, 0.0), ((1.0,),))), "others.0. has 1"),
        (lambda: escape(sd.NearerTo((0.0, 0.0), ((0.0, 0.0),))), "home itself"),
        (lambda: escape(sd.LossAbove(float("inf"))), "level"),
        (lambda: escape(sd.LossAbove(-1.0)), "already beyond"),
        (lambda: escape(sd.LossBelow(0.5)), "already beyond"),
        (lambda: escape(sd.OutsideBall(0.5)), "already beyond"),
    ],
)
def test_what_makes_no_sense_is_refused(ask, words):
    with pytest.raises(sd.InvalidInput, match=words):
        ask()


def escape(boundary):
    return sd.escape_times(sd.SGD(0.04), VALLEY, NOISE, boundary, (-1.0, 0.0), particles=4, max_steps=10)
