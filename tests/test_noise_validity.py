"""Where the noise models hold, and who tells where they do not: coupled coordinates, kicks of one's own, wells that differ."""

import math
import tomllib
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import simdyn as sd
from simdyn import exact, theory
from simdyn.model.coupling import couples
from simdyn.model.kicks import vet_noise
from simdyn.model.landscapes import frame, is_separable
from simdyn.model.noise import settle_gaussian, warn_if_mirrored
from simdyn.simulate.setup import prepare
from simdyn.study.cells import expand
from simdyn.study.schema import StudyFile, checked

WELL, TOP, SGD, SDE = sd.DoubleWell(1.0, 1.0), sd.Beyond(0.0), sd.SGD(0.05), sd.Overdamped(0.05)
OF_THE_HESSIAN = [
    sd.FrozenNoise(1.0),
    sd.TwoPieceNoise(1.0),
    sd.LocalNoise(1.0, 0.1),
    sd.ScaledNoise(sd.FrozenNoise(1.0), 2.0),
]

# ---------------------------------------------------------------------------------------------- coupled coordinates


class Sheared(NamedTuple):
    """L = (x^2 - 1)^2 + 2 y^2 + first x y + second x^2 y^2, its gradient by differences of the value if `rough`."""

    first: float
    second: float
    rough: bool = False


def sheared_value(x, y, well):
    return (x**2 - 1.0) ** 2 + 2.0 * y**2 + well.first * x * y + well.second * x**2 * y**2


@sd.value.on(Sheared)
def _sheared_value(well, x, i):
    return sheared_value(x[0, i], x[1, i], well)


@sd.gradient.on(Sheared)
def _sheared_gradient(well, x, j, i):
    a, b = x[0, i], x[1, i]
    if well.rough:
        h, k = (1e-5, 0.0) if j == 0 else (0.0, 1e-5)
        return (sheared_value(a + h, b + k, well) - sheared_value(a - h, b - k, well)) / 2e-5
    if j == 0:
        return 4.0 * a * (a**2 - 1.0) + well.first * b + 2.0 * well.second * a * b**2
    return 4.0 * b + well.first * a + 2.0 * well.second * a**2 * b


@sd.curvature.on(Sheared)
def _sheared_curvature(well, x, j, i):
    return (
        12.0 * x[0, i] ** 2 - 4.0 + 2.0 * well.second * x[1, i] ** 2
        if j == 0
        else 4.0 + 2.0 * well.second * x[0, i] ** 2
    )


sd.dimension.on(Sheared)(lambda well: 2)


class Unsheared(NamedTuple):
    """Of the fields of `Sheared`, so that equal as a tuple; none of them matters."""

    first: float
    second: float
    rough: bool = False


sd.value.on(Unsheared)(lambda well, x, i: sheared_value(x[0, i], x[1, i], Sheared(0.0, 0.0)))
sd.gradient.on(Unsheared)(lambda well, x, j, i: sd.gradient(Sheared(0.0, 0.0), x, j, i))
sd.curvature.on(Unsheared)(lambda well, x, j, i: sd.curvature(Sheared(0.0, 0.0), x, j, i))
sd.dimension.on(Unsheared)(lambda well: 2)


def asked(landscape, noise):
    """What simulation, theory and exact numerics are asked for."""
    return [
        lambda: sd.trajectories(sd.SGD(0.04), landscape, noise, 0.1),
        lambda: sd.escape_times(sd.SGD(0.04), landscape, noise, sd.Beyond(9.0), 0.1, particles=1),
        lambda: theory.escape_time(sd.SGD(0.04), landscape, noise),
        lambda: theory.rate(sd.SGD(0.04), landscape, noise),
        lambda: theory.mean_squared_displacement(sd.SGD(0.04), landscape, noise, [1]),
        lambda: exact.mean_first_passage(sd.Overdamped(0.04), landscape, noise, sd.Beyond(0.0), (-1.0, 0.0)),
        lambda: exact.planar_first_passage(landscape, noise, sd.Beyond(0.0), (-1.0, 0.0)),
        lambda: exact.density(landscape, noise, (-1.0, 0.0), [1.0], (np.linspace(-2, 2, 9),) * 2),
    ]


@pytest.mark.parametrize("noise", OF_THE_HESSIAN, ids=str)
def test_noise_of_the_hessian_is_refused_where_it_couples_coordinates(noise):
    """A valley at 45 degrees, written out: simulated it escaped 13 times too fast, since C was no longer proportional to H."""
    pytest.importorskip("sympy")
    turned = sd.Expression("(((x+y)/sqrt(2))**2 - 1)**2 + 10*((y-x)/sqrt(2))**2")
    for landscape in (turned, sd.Sharpened(turned, 2.0), Sheared(1.0, 0.0)):
        for ask in asked(landscape, noise):
            with pytest.raises(sd.InvalidInput, match=r"couples its coordinates at .* turn it with Rotated") as refusal:
                ask()
            assert "\n" not in str(refusal.value)
    with pytest.raises(sd.InvalidInput, match="FiniteSum couples its coordinates"):
        sd.settle(noise, sd.FiniteSum(turned, (0.0, 0.1)))


def test_the_same_valley_turned_by_rotated_is_answered():
    valley, noise = sd.Valley(1.0, 1.0, (20.0,)), sd.FrozenNoise(1.0)
    turned = sd.Rotated(valley, math.pi / 4)
    assert theory.escape_time(SGD, turned, noise) == pytest.approx(theory.escape_time(SGD, valley, noise), rel=1e-12)
    # Simulated from the minimum to the plane through the saddle, either way: 8897 [8631, 9176] steps.
    along = exact.mean_first_passage(sd.SGD(0.04), valley, noise, TOP, (-1.0, 0.0))
    assert along.value == pytest.approx(8956.5764, abs=1e-3)


def test_what_couples_nothing_is_not_refused():
    """Nor are differences' rounding, couplings where the noise does not look, and records that look like others."""
    assert not couples(Sheared(0.0, 0.0)) and not couples(Sheared(0.0, 0.0, rough=True))
    assert not couples(Sheared(3e-6, 0.0)) and couples(Sheared(3e-2, 0.0))
    assert Sheared(1.0, 0.0) == Unsheared(1.0, 0.0) and couples(Sheared(1.0, 0.0)) and not couples(Unsheared(1.0, 0.0))
    assert couples(sd.Sharpened(Sheared(1.0, 0.0), 2.0)) and not couples(sd.Sharpened(Unsheared(1.0, 0.0), 2.0))
    # Coupled beside the axis alone: C at the minimum and saddle is diagonal, along the way it is not.
    crossed = Sheared(0.0, 1.0)
    np.testing.assert_allclose(sd.variance_at(sd.FrozenNoise(2.0), crossed, (0.0, 0.0)), [4.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(sd.variance_at(sd.TwoPieceNoise(2.0), crossed, (0.0, 0.0)), [2.0, 2.0], rtol=1e-6)
    with pytest.raises(sd.InvalidInput, match="LocalNoise: Sheared couples"):
        sd.settle(sd.LocalNoise(2.0), crossed)


def test_separable_landscapes_know_it():
    wells = [
        sd.Quadratic((1.0, 2.0)), sd.Saddle((-1.0, 2.0), 0.5), sd.Valley(1.0, 1.0, (2.0,)), sd.StyblinskiTang(2),
        sd.WithBath(sd.UnequalWells(), (4.0,)), sd.FiniteSum(sd.Valley(1.0, 1.0, (2.0,)), (0.0, 0.3)),
    ]  # fmt: skip
    for landscape in [*wells, *(sd.Sharpened(well, 3.0) for well in wells)]:
        hessian = sd.hessian_at(landscape, (0.3, -0.7))
        assert is_separable(landscape) and abs(hessian[0, 1]) < 1e-9 * np.abs(hessian).max(), landscape
    assert is_separable(sd.UnequalWells()) and not is_separable(sd.Rotated(sd.Valley(1.0, 1.0, (2.0,))))


def test_no_study_is_refused_or_warned():
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sorted((Path(__file__).parent.parent / "experiments").glob("*.toml")):
            for cell in expand(path.stem, checked(StudyFile, tomllib.loads(path.read_text()), path.stem)):
                sd.settle(cell.noise, frame(cell.landscape)[0])
                warn_if_mirrored(cell.noise, cell.landscape)
                count += 1
    assert count > 1000


def test_formulas_refuse_batches_on_coupled_coordinates():
    """Their kicks are correlated there, which `variance` does not say; on separable ones they are answered."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", theory.ValidityWarning)
        theory.escape_time(sd.SGD(1e-3), sd.FiniteSum(sd.Valley(1.0, 1.0, (2.0,)), (0.3, -0.3)), sd.MiniBatch(1))
    with pytest.raises(sd.InvalidInput, match=r"MiniBatch: its kicks are correlated .* FiniteSum couples"):
        theory.escape_time(sd.SGD(1e-3), sd.FiniteSum(Sheared(1.0, 0.0), (0.3, -0.3)), sd.MiniBatch(1))


# -------------------------------------------------------------------------------------------------- kicks of one's own


class Skewed(NamedTuple):
    """kick = c (z^2 - 1)/sqrt(2): mean 0, variance c^2, and not Gaussian; `claimed` times that is what it says."""

    c: float
    claimed: float = 1.0
    shift: float = 0.0


@sd.variance.on(Skewed)
def _skewed_variance(noise, landscape, x, j, i):
    return noise.claimed * noise.c * noise.c


@sd.kick.on(Skewed)
def _skewed_kick(noise, landscape, x, j, i, w, trig):
    return noise.c * ((w * trig * trig - 1.0) / math.sqrt(2.0) + noise.shift)


class Declared(NamedTuple):
    """Gaussian, its kick written by hand and declared so."""

    variance: float


sd.variance.on(Declared)(lambda noise, landscape, x, j, i: noise.variance)
sd.kick.on(Declared)(lambda noise, landscape, x, j, i, w, trig: math.sqrt(noise.variance * w) * trig)
sd.is_gaussian.on(Declared)(lambda noise: True)


def test_a_kick_of_ones_own_is_not_gaussian_unless_declared():
    """Taken for Gaussian, exact numerics answered 2081.17 to 1e-10, where 9604 [9316, 9905] steps are simulated."""
    noise = Skewed(math.sqrt(8.0))
    for one in (noise, sd.ScaledNoise(noise, 0.5)):
        for method in (SGD, SDE):
            with pytest.raises(sd.InvalidInput, match=r"^Skewed is not Gaussian"):
                exact.mean_first_passage(method, WELL, one, TOP, -1.0)  # and names it, not what it is wrapped in
        with pytest.raises(sd.InvalidInput, match="Overdamped is driven by Gaussian noise, not by Skewed"):
            sd.trajectories(SDE, WELL, one, -1.0)
        with pytest.raises(sd.InvalidInput, match="must be 'double'"):
            sd.trajectories(SGD, WELL, one, -1.0, noise_precision="single")
        for formula in (theory.escape_time, theory.rate):
            with pytest.warns(theory.ValidityWarning, match="is not Gaussian"):
                formula(SGD, WELL, one)
    found = exact.mean_first_passage(SGD, WELL, Declared(8.0), TOP, -1.0)
    assert found.value == pytest.approx(2081.17, abs=0.01)
    assert found.value == pytest.approx(exact.mean_first_passage(SGD, WELL, sd.ConstantNoise(8.0), TOP, -1.0).value)


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (Skewed(2.0, claimed=1.03), r"second moment is 4, but its variance 4\.12"),
        (Skewed(2.0, shift=0.02), r"mean is 0\.04, it must be 0"),
        (
            sd.ScaledNoise(Skewed(2.0, claimed=0.5), 2.0),
            r"^Skewed: at \[-1\.0\] .* second moment is 4, but its variance 2",
        ),
        (Skewed(2.0, shift=math.nan), "mean is nan, it must be 0"),
    ],
    ids=str,
)
def test_a_kick_that_is_not_its_variance_is_warned_of(noise, words):
    with pytest.warns(sd.ModelWarning, match=words):
        vet_noise(noise, WELL, np.array([-1.0]))


class Claiming(NamedTuple):
    """A kick that is declared Gaussian: c (z^2 - 1)/sqrt(2), cut at three deviations, of another variance, or -c z, which is."""

    kind: int
    c: float = 3.0


@sd.kick.on(Claiming)
def _claimed_kick(noise, landscape, x, j, i, w, trig):
    z = math.sqrt(w) * trig
    return noise.c * ((z * z - 1.0) / math.sqrt(2.0), min(max(z, -3.0), 3.0), 1.015 * z, -z)[noise.kind]


sd.variance.on(Claiming)(lambda noise, landscape, x, j, i: noise.c * noise.c)
sd.is_gaussian.on(Claiming)(lambda noise: True)


def _asked_of_claiming(noise):
    """The ways in which a noise comes to be taken for Gaussian."""
    yield lambda: vet_noise(noise, WELL, np.array([-1.0]))
    yield lambda: settle_gaussian(noise, WELL)
    yield lambda: exact.mean_first_passage(SGD, WELL, noise, TOP, -1.0)
    yield lambda: theory.escape_time(SGD, WELL, noise)
    yield lambda: theory.mean_squared_displacement(SGD, sd.Saddle((-0.1,)), noise, [1])


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_kick_that_is_called_gaussian_and_is_not_is_warned_of_everywhere(kind):
    """(z^2 - 1)/sqrt(2) has the mean and the variance of a normal: exact numerics and theory answered as for one."""
    for noise in (Claiming(kind), sd.ScaledNoise(Claiming(kind), 0.5)):
        for asked in _asked_of_claiming(noise):
            with pytest.warns(sd.ModelWarning, match=r"^Claiming: (is_gaussian calls it Gaussian|.* second moment)"):
                asked()


def test_a_normal_kick_of_ones_own_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error", sd.ModelWarning)
        for asked in (*_asked_of_claiming(Claiming(3)), *_asked_of_claiming(Declared(8.0))):
            asked()


class Jumpy(NamedTuple):
    """Kicks of one of two sizes, decided by the angle: a quadrature sees where they change only to a step."""

    size: float


sd.variance.on(Jumpy)(lambda noise, landscape, x, j, i: noise.size**2)
sd.kick.on(Jumpy)(lambda noise, landscape, x, j, i, w, trig: noise.size * (1.0 if trig > 0.0 else -1.0))


class Endless(NamedTuple):
    """Cauchy's, declared to have no variance."""

    scale: float


sd.variance.on(Endless)(lambda noise, landscape, x, j, i: math.inf)
sd.kick.on(Endless)(lambda noise, landscape, x, j, i, w, trig: noise.scale * math.tan(math.pi / 2.0 * trig))
sd.has_variance.on(Endless)(lambda noise: False)


@pytest.mark.parametrize(
    "noise", [Skewed(2.0), Declared(3.0), Jumpy(1.5), Endless(1.0), sd.ScaledNoise(Skewed(1.0), 0.3)], ids=str
)
def test_kicks_that_are_what_they_say_are_not_warned_of(noise):
    vet_noise(noise, WELL, np.array([-1.0]))  # warnings are errors


# ------------------------------------------------------------------------------------------------- what is no variance


class Falling(NamedTuple):
    """C = level (edge - x^2): negative further out than `edge` is."""

    level: float
    edge: float


@sd.variance.on(Falling)
def _falling_variance(noise, landscape, x, j, i):
    return noise.level * (noise.edge - x[j, i] * x[j, i])


def test_a_variance_that_turns_negative_is_seen():
    """Before a run where the landscape knows its way out; formulas and exact numerics refuse it."""
    noise = Falling(1.0, 0.36)
    with pytest.warns(sd.ModelWarning, match=r"Falling: at \[-1\.0\] its variance is -0\.64"):
        vet_noise(noise, WELL, np.array([0.0]))
    for formula in (theory.escape_time, theory.action, theory.rate):
        with pytest.raises(sd.InvalidInput, match=r"its variance at .* must be finite and not negative"):
            formula(SGD, WELL, noise)
    middle = Falling(-1.0, 0.25)  # only between minimum and saddle is it looked for
    with pytest.raises(sd.InvalidInput, match="its variance at"):
        theory.escape_time(SGD, WELL, middle)
    edges = np.linspace(-2.0, 2.0, 9)
    for level in (-1.0, math.inf, math.nan):
        for ask in (
            lambda level=level: exact.mean_first_passage(SGD, WELL, Falling(level, 9.0), TOP, -1.0),
            lambda level=level: exact.density(WELL, Falling(level, 9.0), -1.0, [1.0], edges),
            lambda level=level: theory.mean_squared_displacement(SGD, sd.Saddle((-0.1,)), Falling(level, 9.0), [1]),
        ):
            with pytest.raises(sd.InvalidInput):
                ask()


# --------------------------------------------------------------------------------------------- two pieces past the saddle


def test_two_pieces_past_the_saddle_of_unequal_wells_are_warned_of():
    wells, noise = sd.UnequalWells(), sd.ScaledNoise(sd.TwoPieceNoise(1.0), 2.0)
    beyond = sd.Beyond(0.4)
    for ask in (
        lambda: prepare(SGD, wells, noise, -1.0, None, 1, 10),
        lambda: prepare(SGD, wells, noise, -1.0, None, 1, 10, boundary=beyond),
        lambda: exact.mean_first_passage(SGD, wells, noise, beyond, -1.0),
        lambda: exact.density(wells, noise, -1.0, [0.1], np.linspace(-3.0, 3.0, 13)),
    ):
        with pytest.warns(sd.ModelWarning, match="past the saddle of UnequalWells the noise is the first well's"):
            ask()
    # Whoever leaves at the saddle never meets it; nor do formulas, which end there.
    prepare(SGD, wells, noise, -1.0, None, 1, 10, boundary=TOP)
    exact.mean_first_passage(SGD, wells, noise, TOP, -1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", theory.ValidityWarning)  # of what else a formula leaves out
        theory.escape_time(sd.SGD(0.01), wells, noise)
    turned = sd.Rotated(sd.WithBath(wells, (3.0,)), 0.4)
    warn_if_mirrored(noise, turned, sd.plane_through_saddle(turned))
    with pytest.warns(sd.ModelWarning, match="first well's"):
        warn_if_mirrored(noise, turned, sd.plane_through_saddle(turned, 0.3))


@pytest.mark.parametrize(
    ("landscape", "same"),
    [
        (sd.MatchedParabolas(1.0, 8.0, 8.0), True),
        (sd.Sharpened(sd.Valley(1.0, 0.7, (2.0,)), 3.0), True),
        (sd.UnequalWells(1.0, 5.0, 5.0, 3.0), True),
        (sd.UnequalWells(1.0, 5.0, 4.9, 3.0), False),
        (sd.StyblinskiTang(2), False),
        (sd.MinimaChain(), False),
    ],
    ids=str,
)
def test_what_is_a_mirror_image(landscape, same):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_if_mirrored(sd.TwoPieceNoise(1.0), landscape)
    assert bool(told) is not same
    warn_if_mirrored(sd.FrozenNoise(1.0), landscape)


# ------------------------------------------------------------------------------------------------- order of convergence


@pytest.mark.parametrize(
    ("noise", "order"), [(sd.FrozenNoise(8.0), 1.0), (sd.TwoPieceNoise(8.0), 0.5)], ids=["constant", "jumping"]
)
def test_overdamped_converges_with_order_1_and_with_noise_that_jumps_with_order_a_half(noise, order):
    """Exact first passage of the scheme against that of the equation: log error = log dt (order) + sqrt(dt) (the next order)."""
    well = sd.MatchedParabolas(1.0, 8.0, 4.0)
    start = sd.minimum(well)
    truth = exact.mean_first_passage(SDE, well, noise, TOP, start).value
    steps = 2.0 ** -np.arange(5.0, 11.0)
    errors = np.array([
        exact.mean_first_passage_of_scheme(sd.Overdamped(dt), well, noise, TOP, start, bridge=True).value * dt / truth - 1.0
        for dt in steps
    ])  # fmt: skip
    columns = np.stack([np.log(steps), np.ones(len(steps)), np.sqrt(steps)], 1)
    logs = np.log(np.abs(errors))
    plain, better = (np.linalg.lstsq(columns[:, :count], logs, rcond=None)[0][0] for count in (2, 3))
    # What the next order changes is more than what the one after it will: the slope is known to that.
    assert abs(better - order) < abs(plain - better) < 0.2
