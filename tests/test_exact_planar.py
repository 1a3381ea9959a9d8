"""Overdamped motion on grids of one and two dimensions: closed forms, separable problems, the simulator, conservation."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtr

import simdyn as sd
from simdyn import exact
from simdyn.model.records import InvalidInput

SDE = sd.Overdamped(0.01)
VALLEY = sd.Valley(1.0, 1.0, (2.0,))
SEEN = 0.5825971579390107  # -zeta(1/2)/sqrt(2 pi), Chernoff 1965: deviations by which a boundary seen at steps' ends is further


class Bent(NamedTuple):
    """L = (x^2 - 1)^2 + (y - tilt x)^2: a double well whose coordinates are coupled."""

    tilt: float


@sd.value.on(Bent)
def bent_value(bent, x, i):
    return (x[0, i] ** 2 - 1.0) ** 2 + (x[1, i] - bent.tilt * x[0, i]) ** 2


@sd.gradient.on(Bent)
def bent_gradient(bent, x, j, i):
    across = 2.0 * (x[1, i] - bent.tilt * x[0, i])
    return across if j == 1 else 4.0 * x[0, i] * (x[0, i] ** 2 - 1.0) - bent.tilt * across


@sd.curvature.on(Bent)
def bent_curvature(bent, x, j, i):
    return 2.0 if j == 1 else 12.0 * x[0, i] ** 2 - 4.0 + 2.0 * bent.tilt**2


@sd.dimension.on(Bent)
def bent_dimension(bent):
    return 2


def grid(low, high, count):
    return low + (high - low) * (np.arange(count) + 0.5) / count


def turned(angle):
    return math.cos(angle), math.sin(angle)


# --------------------------------------------------------------------------------------------------- first passage


@pytest.mark.parametrize("diffusion", [0.5, 3.0])
def test_flat_with_a_wall(diffusion):
    """tau = (b^2 - x^2)/(2 D): a reflecting wall at 0, an absorbing one at b, in one dimension and in two."""
    flat, noise = sd.Saddle((0.0,)), sd.ConstantNoise(2.0 * diffusion)
    found = exact.generator(flat, noise, (grid(0.0, 1.0, 50),), exact.Wall(np.array([1.0]), 1.0 - 1e-12))
    # The last centre is half a cell from the wall, and the flux to it is taken over a whole one's share.
    shifted = exact.generator(flat, noise, (grid(0.0, 1.2, 60),), exact.Wall(np.array([1.0]), 1.0))
    x = shifted.points[0]
    tau = exact.passage_field(shifted, 0)
    assert tau == pytest.approx((1.0 - x**2) / (2.0 * diffusion), abs=1.0 / 50**2 / diffusion)
    assert np.max(np.abs(tau - (1.0 - x**2) / diffusion)) > 0.1 / diffusion  # D for 2D
    assert not np.any(found.absorbed > 0.0)
    with pytest.raises(InvalidInput, match="nothing absorbs"):
        exact.passage_field(found, 0)


def test_order_of_the_generator():
    cells, off = np.array([20, 40, 80, 160, 320]), []
    noise = sd.ConstantNoise(1.0)
    expected = float(exact.mean_first_passage(SDE, sd.DoubleWell(), noise, sd.Beyond(0.5), -1.0))
    for count in cells:
        axis = np.linspace(-3.0, 1.0, 2 * count + 1)  # cells centred at -1; the wall always half way between two
        axis = axis[: int(np.sum(axis < 0.5))]
        full = np.append(axis, axis[-1] + (axis[1] - axis[0]))
        found = exact.generator(sd.DoubleWell(), noise, (full,), exact.Wall(np.array([1.0]), 0.5))
        start = int(np.argmin(np.abs(found.points[0] + 1.0)))
        off.append(abs(exact.passage_field(found, start)[start] / expected - 1.0))
    assert np.polyfit(np.log(cells), np.log(off), 1)[0] == pytest.approx(-2.0, abs=0.15)


@pytest.mark.parametrize("temperature", [0.3, 0.1, 0.02])
def test_a_turned_valley_is_a_valley(temperature):
    """Separable, with the wall across the valley: the quadrature's answer, at any barrier and angle."""
    noise = sd.ConstantNoise(2.0 * temperature)
    expected = float(exact.mean_first_passage(SDE, VALLEY, noise, sd.Beyond(0.2), (-1.0, 0.0)))
    c, s = turned(0.6)
    found = exact.mean_first_passage(SDE, sd.Rotated(VALLEY, 0.6), noise, sd.BeyondPlane((c, s), 0.2), (-c, -s))
    assert abs(found.value - expected) < 3.0 * found.error and found.error < 1e-3 * expected
    # Turned too little, the wall cuts off a corner of the well.
    other = exact.mean_first_passage(SDE, sd.Rotated(VALLEY, 0.6), noise, sd.Beyond(-0.4), (-c, -s))
    assert abs(other.value / expected - 1.0) > 0.1


@pytest.mark.parametrize("angle", [0.3, 1.0])
def test_an_oblique_wall(angle):
    """A round bowl looks the same from all sides, its grid does not."""
    noise, round_bowl = sd.ConstantNoise(2.0), sd.Quadratic((1.0, 1.0))
    expected = float(exact.mean_first_passage(SDE, sd.Quadratic((1.0,)), noise, sd.Beyond(1.0), 0.25))
    c, s = turned(angle)
    start = (0.25 * c, 0.25 * s)
    found = exact.planar_first_passage(round_bowl, noise, sd.BeyondPlane((2 * c, 2 * s), 2.0), start)
    assert abs(found.value - expected) < 3.0 * found.error and found.error < 1e-3 * expected


@pytest.mark.parametrize("convention", [0.0, 0.5])
def test_conventions(convention):
    noise = sd.LocalNoise(8.0, 1.0)
    line = exact.mean_first_passage(SDE, VALLEY, noise, sd.Beyond(0.3), (-1.0, 0.0), convention)
    found = exact.planar_first_passage(VALLEY, noise, sd.Beyond(0.3), (-1.0, 0.0), convention)
    assert abs(found.value - line.value) < 3.0 * found.error and found.error < 0.02 * line.value
    other = exact.mean_first_passage(SDE, VALLEY, noise, sd.Beyond(0.3), (-1.0, 0.0), convention + 0.5)
    assert abs(found.value - other.value) > 3.0 * found.error


def test_against_the_simulator(seed):
    """Noise that differs along the valley and across; the wall as it is seen at steps' ends."""
    landscape, noise, dt = sd.Rotated(VALLEY, 0.5), sd.ConstantNoise((0.6, 0.9)), 0.002
    normal = np.array([0.8, 0.6])
    escapes = sd.escape_times(
        sd.Overdamped(dt), landscape, noise, sd.BeyondPlane(tuple(normal), 0.1), (-0.8, -0.5), particles=8192, seed=seed
    )
    mean, deviation = float(np.mean(escapes.times)), float(np.std(escapes.times)) / math.sqrt(8192)
    inner = np.array([[math.cos(0.5), math.sin(0.5)], [-math.sin(0.5), math.cos(0.5)]]) @ normal
    seen = 0.1 + SEEN * math.sqrt(dt * float(inner**2 @ np.array([0.6, 0.9])))
    found = exact.mean_first_passage(SDE, landscape, noise, sd.BeyondPlane(tuple(normal), seen), (-0.8, -0.5))
    assert abs(mean - found.value) < 5.0 * deviation + found.error
    swapped = exact.mean_first_passage(
        SDE, landscape, sd.ConstantNoise((0.9, 0.6)), sd.BeyondPlane(tuple(normal), seen), (-0.8, -0.5)
    )
    assert abs(mean - swapped.value) > 5.0 * deviation


def test_with_and_without_detailed_balance():
    """The weighted solve and the plain one agree where both may be used; noise unlike across a coupling has no potential."""
    axes, wall = (grid(-2.0, 0.6, 52), grid(-2.0, 1.6, 48)), exact.Wall(np.array([0.8, 0.6]), 0.3)
    same = exact.generator(Bent(0.5), sd.ConstantNoise(0.4), axes, wall)
    start = int(np.argmin(np.sum((same.points - np.array([[-1.0], [-0.5]])) ** 2, axis=0)))
    plain = exact.passage_field(same._replace(potential=None), start)
    assert same.potential is not None and plain == pytest.approx(exact.passage_field(same, start), rel=1e-9)
    slightly = exact.generator(Bent(0.5), sd.ConstantNoise((0.4, 0.401)), axes, wall)
    assert slightly.potential is None
    assert exact.passage_field(slightly, start) == pytest.approx(plain, rel=0.01)
    law = exact.stationary_density(Bent(0.5), sd.ConstantNoise((0.4, 0.6)), [[-2.4, 0, 2.4], [-3, 0, 3]], 40)
    assert law.sum() == pytest.approx(1.0) and law[0, 0] == pytest.approx(law[1, 1], rel=1e-6) and law.min() > 0.0
    noise = sd.ConstantNoise((0.4, 0.6))
    gap = exact.spectral_gap(Bent(0.5), noise, [[-2.4, 2.4], [-3.0, 3.0]], 60)
    tau = exact.mean_first_passage(SDE, Bent(0.5), noise, sd.Beyond(1.0), (-1.0, -0.5))
    assert gap.value * tau.value / 2.0 == pytest.approx(1.0, abs=0.02)  # of order e^{-dL/D}


# --------------------------------------------------------------------------------------------------------- in time


def gaussian_bins(curvature, diffusion, start, time, edges):
    decay = math.exp(-curvature * time)
    return np.diff(ndtr((edges - start * decay) / math.sqrt(diffusion / curvature * (1.0 - decay**2))))


def test_density_of_a_bowl():
    bowl, noise = sd.Quadratic((1.0, 2.0)), sd.ConstantNoise((2.0, 3.0))
    edges, times = [np.linspace(-6.0, 6.0, 13), np.linspace(-6.0, 6.0, 17)], np.array([1.0, 0.3])
    found = exact.density(bowl, noise, (0.5, -0.3), times, edges, per_bin=6)
    assert found.probabilities.min() >= 0.0
    assert found.probabilities.sum((1, 2)) == pytest.approx(1.0, abs=1e-12)
    for law, error, time in zip(found.probabilities, found.error, times, strict=True):
        parts = [
            gaussian_bins(1.0, 1.0, 0.5, time, edges[0]),
            gaussian_bins(2.0, 1.5, -0.3, time, edges[1]),
        ]
        assert np.max(np.abs(law - np.outer(*parts))) < 2.0 * np.max(error)
        wrong = np.outer(gaussian_bins(1.0, 2.0, 0.5, time, edges[0]), parts[1])
        assert np.max(np.abs(law - wrong)) > 5.0 * np.max(error)


def test_a_coarse_grid_says_so():
    bowl, noise, edges = sd.Quadratic((1.0,)), sd.ConstantNoise(2.0), np.linspace(-6.0, 6.0, 9)
    errors = [exact.density(bowl, noise, 0.3, [0.5], edges, per_bin=cells).error.max() for cells in (2, 8, 32)]
    assert errors[0] > 0.005 and errors[0] > 4.0 * errors[1] > 32.0 * errors[2]


def test_density_with_changing_noise_against_the_line():
    from simdyn.exact.fokker_planck import cell_probabilities

    well, noise, edges = sd.DoubleWell(), sd.LocalNoise(4.0, 0.5), np.linspace(-2.4, 2.4, 13)
    line = cell_probabilities(well, noise, -1.0, [0.5], edges)
    found = exact.density(well, noise, -1.0, [0.5], edges, per_bin=16)
    assert np.max(np.abs(found.probabilities - line)) < 3.0 * found.error.max() < 0.01
    other = exact.density(well, noise, -1.0, [0.5], edges, per_bin=16, convention=1.0)
    assert np.max(np.abs(other.probabilities - line)) > 5.0 * found.error.max()


def test_stationary_laws():
    edges = [np.linspace(-5.0, 5.0, 11), np.linspace(-4.0, 4.0, 9)]
    bowl = sd.Quadratic((1.0, 3.0))
    law = exact.stationary_density(bowl, sd.ConstantNoise((2.0, 1.0)), edges, per_bin=8)
    parts = [np.diff(ndtr(edges[0])), np.diff(ndtr(edges[1] / math.sqrt(0.5 / 3.0)))]
    assert np.max(np.abs(law - np.outer(*parts))) < 1e-3
    late = exact.density(bowl, sd.ConstantNoise((2.0, 1.0)), 1.0, [15.0], edges, per_bin=4).probabilities[0]
    assert np.max(np.abs(late - exact.stationary_density(bowl, sd.ConstantNoise((2.0, 1.0)), edges))) < 1e-6


@pytest.mark.parametrize("curvature", [1.0, 3.0])
def test_gap_of_a_bowl(curvature):
    """An Ornstein-Uhlenbeck process relaxes at its smallest curvature, at any noise."""
    line = exact.spectral_gap(sd.Quadratic((curvature,)), sd.ConstantNoise(2.0), [-7.0, 7.0], 200)
    assert abs(line.value - curvature) < line.error < 0.01
    plane = exact.spectral_gap(sd.Quadratic((curvature, 5.0)), sd.ConstantNoise(1.0), [[-5, 5], [-3, 3]], 60)
    assert abs(plane.value - curvature) < plane.error < 0.1


def test_gap_is_the_rate_of_escape():
    """2/tau in a symmetric double well, up to e^-dL/D and the time of relaxing within."""
    well, noise = sd.DoubleWell(), sd.ConstantNoise(0.2)
    gap = exact.spectral_gap(well, noise, [-2.2, 2.2], 600)
    tau = float(exact.mean_first_passage(SDE, well, noise, sd.Beyond(1.0), -1.0))
    assert gap.value == pytest.approx(2.0 / tau, rel=5e-4) and gap.error < 1e-3 * gap.value
    plane = exact.spectral_gap(VALLEY, noise, [[-2.2, 2.2], [-1.6, 1.6]], 120)
    assert abs(plane.value - gap.value) < 2.0 * plane.error < 0.02 * gap.value


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("landscape", "noise", "boundary", "start", "line"),
    [
        (VALLEY, sd.ConstantNoise(1.0), sd.Beyond(0.0), 0.5, "already"),
        (VALLEY, sd.ConstantNoise(1.0), sd.Beyond(0.0), (1.0, 2.0, 3.0), "start must be"),
        (VALLEY, sd.ConstantNoise(0.0), sd.Beyond(0.0), -1.0, "noise vanishes"),
        (VALLEY, sd.ConstantNoise(1.0), sd.BeyondPlane((1.0, 0.0, 1.0), 0.0), -1.0, "two dimensions"),
        (sd.DoubleWell(), sd.ConstantNoise(1.0), sd.Beyond(0.0), -1.0, "two dimensions"),
        (sd.Saddle((-1.0, 1.0)), sd.ConstantNoise(1.0), sd.Beyond(1.0), 0.0, "does not hold"),
        (Bent(0.5), sd.ConstantNoise((0.05, 0.1)), sd.Beyond(0.5), (-1.0, -0.5), "detailed balance"),
    ],
)
def test_refusals(landscape, noise, boundary, start, line):
    with pytest.raises(InvalidInput, match=line):
        exact.planar_first_passage(landscape, noise, boundary, start)


def test_refused_grids():
    noise = sd.ConstantNoise(1.0)
    with pytest.raises(InvalidInput, match="one or two dimensions"):
        exact.generator(sd.Quadratic((1.0, 1.0, 1.0)), noise, (grid(0, 1, 5),) * 3)
    with pytest.raises(InvalidInput, match="from 3 cells"):
        exact.generator(VALLEY, noise, (grid(0, 1, 2000),) * 2)
    with pytest.raises(InvalidInput, match="equally spaced"):
        exact.density(sd.DoubleWell(), noise, 0.0, [1.0], [-1.0, 0.0, 3.0])
    with pytest.raises(InvalidInput, match="between the edges"):
        exact.density(sd.DoubleWell(), noise, 2.0, [1.0], [-1.0, 0.0, 1.0])
    with pytest.raises(InvalidInput, match="times must be"):
        exact.density(sd.DoubleWell(), noise, 0.0, [-1.0], [-1.0, 0.0, 1.0])
    with pytest.raises(InvalidInput, match="products"):
        exact.density(sd.DoubleWell(), noise, 0.0, [1e6], [-1.0, 0.0, 1.0], per_bin=20)
    with pytest.raises(InvalidInput, match="rotation"):
        exact.density(sd.Rotated(VALLEY), noise, 0.0, [1.0], [[-1.0, 1.0], [-1.0, 1.0]])
    with pytest.raises(InvalidInput, match="drowns"):
        exact.spectral_gap(sd.DoubleWell(), sd.ConstantNoise(0.04), [-2.0, 2.0], 200)


def test_density_before_an_absorbing_wall():
    """Free diffusion from 0 before a wall at 1: what is left is erf(1/(2 (D t)^{1/2})), D = 1/2."""
    wall, times = exact.Wall(np.array([1.0]), 1.0), np.array([0.2, 0.5, 1.5])
    edges = np.linspace(-9.0, 3.0, 61)
    options = {"start": 0.0, "times": times, "edges": edges, "per_bin": 8}
    found = exact.density(sd.Quadratic((1e-9,)), sd.ConstantNoise(1.0), wall=wall, **options)
    left = found.probabilities.sum(axis=1)
    expected = np.array([math.erf(1.0 / math.sqrt(2.0 * time)) for time in times])
    np.testing.assert_allclose(left, expected, atol=2e-3)
    assert found.probabilities.min() >= 0.0 and not found.probabilities[:, edges[:-1] >= 1.0].any()
    doubled = exact.density(sd.Quadratic((1e-9,)), sd.ConstantNoise(2.0), wall=wall, **options)
    assert np.abs(doubled.probabilities.sum(axis=1) - expected).min() > 0.01, "a factor 2 in D is seen"
    with pytest.raises(sd.InvalidInput, match="beyond the absorbing wall"):
        exact.density(sd.Quadratic((1e-9,)), sd.ConstantNoise(1.0), wall=wall, **{**options, "start": 1.5})
