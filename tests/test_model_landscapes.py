"""Every registered landscape against finite differences, and its declared points against its own derivatives."""

import math
from typing import NamedTuple

import numba
import numpy as np
import pytest

import simdyn as sd
from simdyn.model.geometry import find_minimum, find_saddle, find_split
from simdyn.model.landscapes import frame


class Tilted(NamedTuple):
    """A landscape as a user writes it, outside the package and its registry: x^4/4 - x^2/2 + tilt x."""

    tilt: float


@sd.value.on(Tilted)
def tilted_value(tilted, x, i):
    return 0.25 * x[0, i] ** 4 - 0.5 * x[0, i] ** 2 + tilted.tilt * x[0, i]


@sd.gradient.on(Tilted)
def tilted_gradient(tilted, x, j, i):
    return x[0, i] ** 3 - x[0, i] + tilted.tilt


@sd.curvature.on(Tilted)
def tilted_curvature(tilted, x, j, i):
    return 3.0 * x[0, i] ** 2 - 1.0


WELL = sd.DoubleWell(1.3, 0.9)
VALLEY = sd.Valley(1.3, 0.9, (2.0, 0.7))
UNEQUAL = sd.UnequalWells(1.1, 5.0, 1.5, 3.0)
MATCHED = sd.MatchedParabolas(0.8, 2.0, 3.0)

# landscape, dimension
EXAMPLES = {
    "Quadratic": [(sd.Quadratic((1.0, 2.5)), 2)],
    "Saddle": [(sd.Saddle((-0.3, 0.2, 1.1)), 3), (sd.Saddle((-0.3, 0.2), quartic=0.7), 2)],
    "DoubleWell": [(sd.DoubleWell(), 1), (WELL, 1)],
    "Valley": [(sd.Valley(0.5, 2.0, (1.5,)), 2), (VALLEY, 3)],
    "MatchedParabolas": [(MATCHED, 1)],
    "UnequalWells": [(UNEQUAL, 1), (sd.UnequalWells(0.7, 1.0, 6.0, 2.0), 1)],
    "MinimaChain": [(sd.MinimaChain(0.8, 1.2, 1.7), 1), (sd.MinimaChain(0.8, 1.2, 1.7, 3), 1)],
    "WithBath": [(sd.WithBath(UNEQUAL, (3.0, 0.4)), 3), (sd.WithBath(sd.MinimaChain(), (1.0,)), 2)],
    "FiniteSum": [
        (sd.FiniteSum(WELL, (-0.1, 0.3, 0.02), (1.0, 0.7, 1.2)), 1),
        (sd.Sharpened(sd.FiniteSum(VALLEY, (0.05, -0.2)), 1.3), 3),
    ],
    "StyblinskiTang": [(sd.StyblinskiTang(1), 1), (sd.StyblinskiTang(3), 3)],
    "Sharpened": [(sd.Sharpened(VALLEY, 2.5), 3), (sd.Sharpened(sd.Sharpened(WELL, 2.0), 0.3), 1)],
    "Rotated": [
        (sd.Rotated(VALLEY, 0.7, (0, 2)), 3),
        (sd.Rotated(sd.Rotated(VALLEY, 0.4, (0, 2)), -1.1, (2, 1)), 3),
        (sd.Sharpened(sd.Rotated(VALLEY, 0.7), 1.8), 3),
        (sd.Rotated(sd.StyblinskiTang(2)), 2),
    ],
}
ALL = [(landscape, size) for examples in EXAMPLES.values() for landscape, size in examples]
WITH_SADDLE = [landscape for landscape, _ in ALL if not isinstance(landscape, (sd.Quadratic, sd.Saddle))]


def name_of(example):
    landscape = example[0] if type(example) is tuple else example
    inner = f"({name_of(landscape.landscape)})" if hasattr(landscape, "landscape") else ""
    return type(landscape).__name__ + inner if hasattr(landscape, "_fields") else str(example)


def points_of(landscape, size, seed, count=20):
    """Random points at least 1e-3 away from where a landscape's pieces meet."""
    points = np.random.default_rng((seed, size)).uniform(-1.6, 1.6, (count, size))
    if isinstance(landscape, sd.MatchedParabolas):
        points = points[np.abs(np.abs(points[:, 0]) - abs(sd.split(landscape))) > 1e-3]
    return points


def difference(function, point, j, step):
    """Central difference with one Richardson extrapolation: error of order step^4."""
    shift = np.zeros(len(point))

    def central(h):
        shift[j] = h
        return (function(point + shift) - function(point - shift)) / (2 * h)

    return (4 * central(step / 2) - central(step)) / 3


def gradient_error(landscape, point, gradient=sd.gradient_at):
    """Largest error of the gradient at a point against finite differences, in units of its allowance."""
    found = [difference(lambda p: sd.value_at(landscape, p), point, j, 1e-3) for j in range(len(point))]
    return np.max(np.abs(np.asarray(gradient(landscape, point)) - found) / (1e-8 * (1 + np.abs(found))))


def curvature_error(landscape, point, curvatures=sd.curvatures_at):
    found = [difference(lambda p: sd.gradient_at(landscape, p), point, j, 1e-3)[j] for j in range(len(point))]
    return np.max(np.abs(np.asarray(curvatures(landscape, point)) - found) / (1e-7 * (1 + np.abs(found))))


def test_every_registered_landscape_has_an_example():
    assert set(EXAMPLES) == set(sd.REGISTRY["landscape"]), "add the new landscape to EXAMPLES"
    for kind, examples in EXAMPLES.items():
        assert all(kind in name_of(landscape) for landscape, _ in examples)


@pytest.mark.parametrize("example", ALL, ids=name_of)
def test_derivatives_are_those_of_the_value(example, seed):
    landscape, size = example
    assert sd.dimension(landscape) == size
    for point in points_of(landscape, size, seed):
        assert gradient_error(landscape, point) < 1
        assert curvature_error(landscape, point) < 1


@pytest.mark.parametrize("example", ALL, ids=name_of)
def test_a_derivative_one_percent_off_is_caught(example, seed):
    landscape, size = example
    wrong = [
        max(
            gradient_error(landscape, point, lambda *a: 1.01 * sd.gradient_at(*a)),
            curvature_error(landscape, point, lambda *a: 1.01 * sd.curvatures_at(*a)),
        )
        for point in points_of(landscape, size, seed)
    ]
    assert min(wrong) > 1


@pytest.mark.parametrize("example", ALL, ids=name_of)
def test_the_hessian_is_symmetric_and_that_of_the_gradient(example, seed):
    landscape, size = example
    for point in points_of(landscape, size, seed, 3):
        columns = [difference(lambda p: sd.gradient_at(landscape, p), point, j, 1e-3) for j in range(size)]
        hessian = sd.hessian_at(landscape, point)
        np.testing.assert_allclose(hessian, np.transpose(columns), rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(np.diag(hessian), sd.curvatures_at(landscape, point), rtol=1e-7, atol=1e-7)


@numba.njit
def compiled(landscape, x, j):
    return sd.value(landscape, x, 0), sd.gradient(landscape, x, j, 0), sd.curvature(landscape, x, j, 0)


COMPILABLE = [examples[-1][0] for name, examples in EXAMPLES.items() if name != "Rotated"]


@pytest.mark.parametrize("landscape", COMPILABLE, ids=name_of)
def test_compiled_functions_are_the_python_ones(landscape, seed):
    size = sd.dimension(landscape)
    for point in points_of(landscape, size, seed, 5):
        for j in range(size):
            x = point.reshape(-1, 1)
            plain = sd.value(landscape, x, 0), sd.gradient(landscape, x, j, 0), sd.curvature(landscape, x, j, 0)
            np.testing.assert_allclose(compiled(landscape, x, j), plain, rtol=1e-12, atol=1e-14)


# --------------------------------------------------------------------------------------------- special points


@pytest.mark.parametrize("landscape", [sd.Quadratic((1.0, 2.5)), *WITH_SADDLE], ids=name_of)
def test_the_minimum_is_one(landscape):
    point = sd.minimum(landscape)
    assert point.shape == (sd.dimension(landscape),)
    np.testing.assert_allclose(sd.gradient_at(landscape, point), 0, atol=1e-11)
    assert np.linalg.eigvalsh(sd.hessian_at(landscape, point))[0] > 0


@pytest.mark.parametrize("landscape", [sd.Saddle((-0.3, 0.2, 1.1)), *WITH_SADDLE], ids=name_of)
def test_the_saddle_has_index_one(landscape):
    point = sd.saddle(landscape)
    np.testing.assert_allclose(sd.gradient_at(landscape, point), 0, atol=1e-11)
    assert np.sum(np.linalg.eigvalsh(sd.hessian_at(landscape, point)) < 0) == 1


@pytest.mark.parametrize("landscape", [WELL, VALLEY, MATCHED, sd.Sharpened(VALLEY, 2.5)], ids=name_of)
def test_searching_finds_what_is_declared(landscape):
    np.testing.assert_allclose(find_minimum(landscape), sd.minimum(landscape), atol=1e-8)
    np.testing.assert_allclose(find_saddle(landscape), sd.saddle(landscape), atol=1e-8)
    assert find_split(landscape) == pytest.approx(sd.split(landscape), abs=1e-9)


def test_searching_serves_a_landscape_that_declares_nothing():
    tilted = Tilted(0.1)
    low, middle, _ = sorted(np.roots([1.0, 0.0, -1.0, 0.1]).real)
    assert sd.minimum(tilted)[0] == pytest.approx(low, abs=1e-9)
    assert sd.saddle(tilted)[0] == pytest.approx(middle, abs=1e-9)
    assert sd.split(tilted) == pytest.approx(-1 / math.sqrt(3), abs=1e-9)


def test_searching_refuses_where_there_is_nothing():
    with pytest.raises(sd.InvalidInput, match="no saddle"):
        find_saddle(sd.Quadratic((1.0,)))
    with pytest.raises(sd.InvalidInput, match="split"):
        sd.split(sd.Quadratic((1.0,)))
    with pytest.raises(sd.InvalidInput, match="no minimum"):
        find_minimum(sd.Saddle((-1.0, -1.0)))


def test_matched_parabolas_climb_the_share_they_say():
    barrier, well, cap = MATCHED
    heights = [sd.value_at(MATCHED, [x]) for x in (sd.minimum(MATCHED)[0], sd.split(MATCHED), 0.0)]
    assert heights == pytest.approx([0.0, barrier * cap / (well + cap), barrier])
    for side in (-1e-9, 1e-9):  # value and slope are continuous where the pieces meet
        meeting = [sd.split(MATCHED) + side]
        assert sd.value_at(MATCHED, meeting) == pytest.approx(heights[1], abs=1e-8)
        assert sd.gradient_at(MATCHED, meeting)[0] == pytest.approx(-cap * sd.split(MATCHED), abs=1e-8)


def test_sharpening_keeps_the_barrier_and_multiplies_the_curvature():
    sharp = sd.Sharpened(VALLEY, 2.5)
    for point in (sd.minimum, sd.saddle):
        assert sd.value_at(sharp, point(sharp)) == pytest.approx(sd.value_at(VALLEY, point(VALLEY)))
        np.testing.assert_allclose(
            sd.curvatures_at(sharp, point(sharp)), 2.5 * sd.curvatures_at(VALLEY, point(VALLEY)), rtol=1e-12
        )
        np.testing.assert_allclose(point(sharp), point(VALLEY) / math.sqrt(2.5), rtol=1e-12)


def test_a_rotation_turns_points_values_and_the_exit_plane(seed):
    turned = sd.Rotated(sd.Rotated(VALLEY, 0.4, (0, 2)), -1.1, (2, 1))
    inner, matrix = frame(turned)
    assert inner == VALLEY
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    for point in points_of(turned, 3, seed, 5):
        assert sd.value_at(turned, matrix @ point) == pytest.approx(sd.value_at(VALLEY, point))
        np.testing.assert_allclose(
            sd.gradient_at(turned, matrix @ point), matrix @ sd.gradient_at(VALLEY, point), rtol=1e-12, atol=1e-12
        )
    plane = sd.plane_through_saddle(turned, beyond=0.2)
    np.testing.assert_allclose(plane.normal, matrix[:, 0], atol=1e-9)
    assert plane.offset == pytest.approx(0.2)


def test_a_quarter_turn_exchanges_the_axes():
    """L_R(x) = L(Q^T x): turned by a right angle, what lay along the first axis lies along the second."""
    turned = sd.Rotated(sd.Valley(1.0, 1.0, (2.0,)), math.pi / 2)
    np.testing.assert_allclose(sd.minimum(turned), [0.0, -1.0], atol=1e-15)
    assert sd.value_at(turned, [0.5, -1.0]) == pytest.approx(0.25)


def test_a_landscape_speaks_up_when_it_lacks_a_function():
    class Bare(NamedTuple):
        height: float

    with pytest.raises(TypeError, match="Bare does not say its gradient") as caught:
        sd.gradient_at(Bare(1.0), [0.0])
    assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="already has its gradient"):
        sd.gradient.on(Tilted)(tilted_gradient)
