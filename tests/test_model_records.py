"""What cannot be carried out is refused in one line that names the field; what can is coerced."""

from typing import NamedTuple

import numpy as np
import pytest

import simdyn as sd

NAN, INF = float("nan"), float("inf")
WELL, NOISE, SGD = sd.DoubleWell(), sd.ConstantNoise(1.0), sd.SGD(0.1)
VALLEY = sd.Valley(1.0, 1.0, (1.0, 2.0))
TOP = sd.Beyond(0.0)


class Foreign(NamedTuple):
    """A record that says nothing."""

    number: float


def escape(dynamics=SGD, landscape=WELL, noise=NOISE, boundary=TOP, start=-1.0, **more):
    return sd.escape_times(dynamics, landscape, noise, boundary, start, **more)


def spread(dynamics=SGD, landscape=WELL, noise=NOISE, start=-1.0, **more):
    return sd.displacement(dynamics, landscape, noise, start, **more)


def density(**more):
    return sd.densities(SGD, WELL, NOISE, -1.0, **{"edges": [-1.0, 0.0, 1.0], **more})


def replay(**more):
    return sd.trajectories(SGD, WELL, NOISE, -1.0, **more)


def nobody():
    """Escapes of which there are none."""
    return escape(noise=sd.ConstantNoise(0.1), particles=32, max_steps=2)


# what is asked, and words that the one line must contain
REFUSED = [
    # records
    (lambda: sd.SGD(-0.1), ["SGD", "learning_rate", "positive", "-0.1"]),
    (lambda: sd.SGD(0.0), ["learning_rate"]),
    (lambda: sd.SGD(NAN), ["learning_rate", "nan"]),
    (lambda: sd.SGD(INF), ["learning_rate", "inf"]),
    (lambda: sd.SGD(10**400), ["learning_rate"]),
    (lambda: sd.SGD("0.1"), ["learning_rate", "'0.1'"]),
    (lambda: sd.SGD(True), ["learning_rate", "True"]),
    (lambda: sd.SGD(None), ["learning_rate", "None"]),
    (lambda: sd.SGD(1j), ["learning_rate"]),
    (lambda: sd.SGD([0.1, 0.2]), ["learning_rate"]),
    (lambda: sd.SGD(np.ones((3, 3))), ["learning_rate"]),
    (lambda: sd.SGD(), ["SGD", "needs", "learning_rate"]),
    (lambda: sd.SGD(0.1, 0.2), ["SGD", "learning_rate", "2"]),
    (lambda: sd.SGD(0.1, learning_rate=0.2), ["learning_rate", "twice"]),
    (lambda: sd.SGD(learning_rat=0.1), ["learning_rat", "did you mean 'learning_rate'"]),
    (lambda: sd.Adam(0.1, bta2=0.9), ["bta2", "did you mean 'beta2'"]),
    (lambda: sd.Adam(0.1, xyz=0.9), ["xyz", "learning_rate", "beta1", "eps"]),
    (lambda: sd.Momentum(0.1, beta1=1.0), ["beta1", "[0, 1)", "1.0"]),
    (lambda: sd.Momentum(0.1, beta1=-0.1), ["beta1", "[0, 1)"]),
    (lambda: sd.Momentum(0.1, beta3=0.0), ["beta3", "positive"]),
    (lambda: sd.Adam(0.1, beta2=1.0), ["beta2", "[0, 1)"]),
    (lambda: sd.Adam(0.1, beta1=NAN), ["beta1", "nan"]),
    (lambda: sd.Adam(0.1, eps=-1e-8), ["eps"]),
    (lambda: sd.Adam(0.1, eps_inside_root=1), ["eps_inside_root", "true or false"]),
    (lambda: sd.Adai(0.1, beta0=0.0), ["beta0"]),
    (lambda: sd.Adai(0.1, eps=1.0), ["eps", "(0, 1)"]),
    (lambda: sd.Overdamped(0.0), ["Overdamped", "dt"]),
    (lambda: sd.Inertial(0.1, mass=-1.0), ["mass"]),
    (lambda: sd.Inertial(0.1, damping=0.0), ["damping"]),
    (lambda: sd.DoubleWell(-1.0), ["barrier"]),
    (lambda: sd.DoubleWell(1.0, 0.0), ["width"]),
    (lambda: sd.DoubleWell(hight=1.0), ["hight"]),
    (lambda: sd.Quadratic(()), ["curvatures", "at least one"]),
    (lambda: sd.Quadratic((1.0, -1.0)), ["curvatures[1]", "positive", "-1.0"]),
    (lambda: sd.Quadratic("12"), ["curvatures", "'12'"]),
    (lambda: sd.Saddle((1.0, NAN)), ["curvatures[1]"]),
    (lambda: sd.Saddle((1.0,), quartic=-1.0), ["quartic"]),
    (lambda: sd.Valley(1.0, 1.0, (0.0,)), ["transverse[0]"]),
    (lambda: sd.StyblinskiTang(0), ["dimension", "positive whole"]),
    (lambda: sd.StyblinskiTang(2.5), ["dimension", "2.5"]),
    (lambda: sd.Sharpened(WELL, 0.0), ["sharpness"]),
    (lambda: sd.Sharpened(3.0, 2.0), ["landscape", "record"]),
    (lambda: sd.Sharpened(sd.DoubleWell, 2.0), ["landscape", "record"]),
    (lambda: sd.Rotated(VALLEY, axes=(0,)), ["axes", "2"]),
    (lambda: sd.Rotated(VALLEY, axes=(0, -1)), ["axes[1]"]),
    (lambda: sd.Rotated(VALLEY, axes=(0, 0.5)), ["axes[1]"]),
    (lambda: sd.ConstantNoise(-1.0), ["variance"]),
    (lambda: sd.ConstantNoise((1.0, -1.0)), ["variance[1]"]),
    (lambda: sd.ConstantNoise(np.array([[1.0]])), ["variance"]),
    (lambda: sd.FrozenNoise(0.0), ["batch_size"]),
    (lambda: sd.LocalNoise(1.0, floor=-0.1), ["floor"]),
    (lambda: sd.ScaledNoise(NOISE, -1.0), ["factor"]),
    (lambda: sd.ScaledNoise(1.0, 1.0), ["noise", "record"]),
    (lambda: sd.Beyond(NAN), ["position"]),
    (lambda: sd.Beyond(0.0, coordinate=-1), ["coordinate"]),
    (lambda: sd.Beyond(0.0, coordinate=0.5), ["coordinate"]),
    (lambda: sd.BeyondPlane(()), ["normal"]),
    (lambda: sd.Sharpened(SGD, 2.0), ["Sharpened: landscape", "SGD is a dynamics"]),
    (lambda: sd.Rotated(NOISE), ["Rotated: landscape", "ConstantNoise is a noise"]),
    (lambda: sd.WithBath(NOISE, (1.0,)), ["WithBath: landscape", "ConstantNoise is a noise"]),
    (lambda: sd.ScaledNoise(WELL, 1.0), ["ScaledNoise: noise", "DoubleWell is a landscape"]),
    (lambda: sd.Sharpened(Foreign(1.0), 2.0), ["Sharpened: landscape", "Foreign", "gradient"]),
    (lambda: sd.SGD(0.1)._replace(learning_rate=-0.1), ["SGD: learning_rate", "positive", "-0.1"]),
    (lambda: sd.SGD(0.1)._replace(learning_rat=0.1), ["did you mean 'learning_rate'"]),
    (lambda: sd.SGD._make([-0.1]), ["SGD: learning_rate", "positive"]),
    (lambda: sd.SGD._make([0.1, 0.2]), ["SGD takes 1 values"]),
    (lambda: sd.Sharpened(WELL, 2.0)._replace(landscape=SGD), ["Sharpened: landscape", "SGD is a dynamics"]),
    # records that do not fit together
    (lambda: escape(landscape=sd.Rotated(VALLEY, axes=(0, 3))), ["Rotated", "axes", "3"]),
    (lambda: escape(landscape=sd.Rotated(VALLEY, axes=(1, 1))), ["Rotated", "axes"]),
    (lambda: escape(landscape=sd.Rotated(WELL)), ["Rotated", "axes"]),
    (lambda: escape(noise=sd.ConstantNoise((1.0, 1.0))), ["ConstantNoise", "variance", "2", "1"]),
    (lambda: escape(landscape=VALLEY, noise=sd.ConstantNoise((1.0, 1.0))), ["ConstantNoise", "variance", "2", "3"]),
    (lambda: escape(landscape=sd.Quadratic((1.0,)), noise=sd.TwoPieceNoise(), boundary=sd.Beyond(1.0)), ["split"]),
    (lambda: escape(boundary=sd.Beyond(0.0, coordinate=1)), ["boundary", "Beyond"]),
    (lambda: escape(boundary=sd.BeyondPlane((1.0, 1.0))), ["boundary", "BeyondPlane"]),
    (lambda: escape(boundary=sd.BeyondPlane((0.0,))), ["normal"]),
    (lambda: sd.plane_through_saddle(sd.Saddle((-1.0, -1.0))), ["saddle", "one"]),
    # arguments of the wrong kind
    (lambda: escape(dynamics=sd.SGD), ["dynamics", "SGD(learning_rate)"]),
    (lambda: escape(landscape=sd.DoubleWell), ["landscape", "DoubleWell(barrier, width)"]),
    (lambda: escape(boundary=sd.Beyond), ["boundary", "Beyond(position, coordinate)"]),
    (lambda: escape(landscape=NOISE, noise=WELL), ["landscape", "ConstantNoise", "noise"]),
    (lambda: spread(dynamics=WELL, landscape=SGD), ["dynamics", "DoubleWell", "landscape"]),
    (lambda: escape(noise=sd.Beyond(0.0)), ["noise", "Beyond", "boundary"]),
    (lambda: escape(boundary=NOISE), ["boundary", "ConstantNoise"]),
    (lambda: escape(dynamics=Foreign(1.0)), ["dynamics: Foreign does not say its step"]),
    (lambda: escape(landscape=Foreign(1.0)), ["landscape: Foreign does not say its gradient"]),
    (lambda: escape(noise=Foreign(1.0)), ["noise: Foreign does not say its variance"]),
    (lambda: escape(boundary=Foreign(1.0)), ["boundary: Foreign does not say its outside"]),
    (lambda: sd.theory.escape_time(WELL, SGD, NOISE), ["landscape must be", "SGD is a dynamics"]),
    (lambda: sd.theory.escape_time(SGD, WELL, SGD), ["noise must be", "SGD is a dynamics"]),
    (lambda: sd.theory.escape_time(NOISE, WELL, NOISE), ["dynamics must be", "ConstantNoise is a noise"]),
    (lambda: sd.theory.mean_squared_displacement(WELL, SGD, NOISE, [1]), ["dynamics must be", "DoubleWell"]),
    (lambda: sd.exact.mean_first_passage(WELL, SGD, NOISE, TOP, -1.0), ["landscape must be", "SGD is a dynamics"]),
    (lambda: sd.exact.mean_first_passage(SGD, WELL, TOP, NOISE, -1.0), ["noise must be", "Beyond is a boundary"]),
    (lambda: escape(dynamics="SGD"), ["dynamics", "'SGD'"]),
    (lambda: escape(dynamics=None), ["dynamics", "None"]),
    (lambda: escape(boundary=0.0), ["boundary", "0.0"]),
    (lambda: escape(noise=np.ones((2, 2))), ["noise"]),
    # numbers of a simulation
    (lambda: escape(start=0.0), ["start", "beyond"]),
    (lambda: escape(start=0.5), ["start", "beyond"]),
    (lambda: escape(start=(-1.0, 0.0)), ["start", "1"]),
    (lambda: escape(landscape=VALLEY, start=(-1.0, 0.0)), ["start", "3"]),
    (lambda: escape(landscape=VALLEY, start=-np.ones((40, 3))), ["start", "3"]),
    (lambda: escape(landscape=VALLEY, start=np.ones(3)), ["start", "beyond"]),
    (lambda: escape(start=NAN), ["start", "finite"]),
    (lambda: escape(start="left"), ["start", "'left'"]),
    (lambda: escape(start=None), ["start"]),
    (lambda: escape(start=[[-1.0], [-1.0, 2.0]]), ["start"]),
    (lambda: escape(particles=0), ["particles", "0"]),
    (lambda: escape(particles=-5), ["particles"]),
    (lambda: escape(particles=1.5), ["particles", "1.5"]),
    (lambda: escape(particles=True), ["particles", "True"]),
    (lambda: escape(particles="many"), ["particles", "'many'"]),
    (lambda: escape(particles=2**62), ["particles", "2^62"]),
    (lambda: escape(max_steps=0), ["max_steps"]),
    (lambda: escape(max_steps=1e30), ["max_steps", "2^62"]),
    (lambda: escape(max_steps=INF), ["max_steps"]),
    (lambda: escape(seed=-1), ["seed", "-1"]),
    (lambda: escape(seed=2**64), ["seed", str(2**64)]),
    (lambda: escape(seed=1.5), ["seed", "1.5"]),
    (lambda: escape(seed=True), ["seed", "True"]),
    (lambda: escape(seed=None), ["seed"]),
    (lambda: escape(workers=0), ["workers", "0"]),
    (lambda: escape(workers=-1), ["workers"]),
    (lambda: escape(workers=1.5), ["workers"]),
    (lambda: escape(lanes=48), ["lanes", "power of two", "48"]),
    (lambda: escape(lanes=16), ["lanes", "32"]),
    (lambda: escape(lanes=0), ["lanes"]),
    (lambda: escape(bridge=True), ["bridge"]),
    (lambda: escape(dynamics=sd.Adam(0.1, beta2=1 - 1e-12), max_steps=10**12), ["Adam", "beta"]),
    (lambda: escape(start_momentum=1.0), ["start_momentum"]),
    (lambda: escape(start_momentum="stationary"), ["start_momentum"]),
    (lambda: escape(dynamics=sd.Momentum(0.1), start_momentum="running"), ["start_momentum", "'running'"]),
    (lambda: escape(dynamics=sd.Momentum(0.1), start_momentum=(1.0, 2.0)), ["start_momentum"]),
    (lambda: escape(dynamics=sd.Momentum(0.1), start_momentum=NAN), ["start_momentum"]),
    *[(lambda scale=scale: sd.Stationary(scale), ["Stationary: scale", "finite"]) for scale in (NAN, INF, "x", None)],
    (lambda: escape(start=10**400), ["start must be"]),
    (lambda: escape(particles=2**61), ["not enough memory", "particles"]),
    (lambda: spread(particles=10**18), ["not enough memory", "particles"]),
    (lambda: replay(particles=10**18), ["not enough memory", "particles"]),
    (lambda: replay(particles=10**11), ["not enough memory: take fewer particles: they need", "GB"]),
    (lambda: density(edges=np.broadcast_to(0.0, 10**11), record_at=[1]), ["take fewer bins: they need", "GB"]),
    (lambda: escape(particles=10**30), ["particles", "2^62"]),
    (lambda: escape(lanes=2**40, particles=64), ["not enough memory", "lanes"]),
    (lambda: density(edges=np.arange(1e6), record_at=range(1, 200000), particles=64), ["not enough memory", "bins"]),
    (lambda: escape(landscape=sd.DoubleWell(1, 1e-300), start=-1e-300), ["too large or too small", "DoubleWell"]),
    (lambda: escape(landscape=sd.DoubleWell(1, 1e300), start=-1e300), ["too large or too small", "DoubleWell"]),
    (lambda: sd.theory.escape_time(SGD, sd.DoubleWell(1, 1e300), NOISE), ["too large or too small", "DoubleWell"]),
    (lambda: sd.exact.mean_first_passage(SGD, sd.DoubleWell(1, 1e300), NOISE, TOP, -1e300), ["too large or too small"]),
    (lambda: nobody().exponential_check(), ["at least two escapes"]),
    (lambda: nobody().mean(level=2), ["level", "2"]),
    (lambda: nobody().survival(level=2), ["level", "2"]),
    (lambda: spread(record_at=[3, 2]), ["record_at", "increase"]),
    (lambda: spread(record_at=[2, 2]), ["record_at", "increase"]),
    (lambda: spread(record_at=[-1, 2]), ["record_at"]),
    (lambda: spread(record_at=[]), ["record_at"]),
    (lambda: spread(record_at=[0]), ["record_at"]),
    (lambda: spread(record_at=[1.5]), ["record_at"]),
    (lambda: spread(record_at=[NAN]), ["record_at"]),
    (lambda: spread(record_at="often"), ["record_at"]),
    (lambda: spread(record_at=None), ["record_at"]),
    (lambda: spread(record_at=[[1, 2], [3, 4]]), ["record_at"]),
    (lambda: spread(record_at=[[1], [3, 4]]), ["record_at"]),
    (lambda: spread(record_at=2**62), ["record_at"]),
    (lambda: density(edges=[0.0]), ["edges"]),
    (lambda: density(edges=[0.0, 1.0, 3.0]), ["edges"]),
    (lambda: density(edges=[1.0, 0.0]), ["edges"]),
    (lambda: density(edges=[0.0, NAN]), ["edges"]),
    (lambda: density(edges="wide"), ["edges"]),
    (lambda: density(edges=None), ["edges"]),
    (lambda: density(edges=[[0.0], [1.0, 2.0]]), ["edges"]),
    (lambda: density(coordinate=1), ["coordinate"]),
    (lambda: density(coordinate=-1), ["coordinate"]),
    (lambda: replay(particles=0), ["particles"]),
    (lambda: replay(particles=[-1]), ["particles[0]"]),
    (lambda: replay(particles=[0, 0.5]), ["particles[1]"]),
    (lambda: replay(particles=1.5), ["particles"]),
    (lambda: replay(particles=None), ["particles"]),
    (lambda: replay(particles=[2**63]), ["particles[0]"]),
]


@pytest.mark.parametrize(("ask", "words"), REFUSED)
def test_refused_in_one_line_that_names_the_field(ask, words):
    with pytest.raises(sd.InvalidInput) as caught:
        ask()
    message = str(caught.value)
    assert "\n" not in message and 0 < len(message) < 1000
    assert all(word in message for word in words), message
    assert caught.value.__cause__ is None and (caught.value.__context__ is None or caught.value.__suppress_context__)


def test_a_user_may_catch_it_as_a_value_error():
    assert issubclass(sd.InvalidInput, ValueError)


def test_whole_numbers_and_arrays_are_coerced():
    assert sd.DoubleWell(1, 2) == sd.DoubleWell(1.0, 2.0)
    assert all(type(field) is float for field in sd.DoubleWell(1, np.float32(2)))
    assert sd.Quadratic([1, 2]) == sd.Quadratic(np.array([1.0, 2.0])) == sd.Quadratic((1.0, 2.0))
    assert type(sd.Quadratic(np.array([1, 2])).curvatures) is tuple
    assert type(sd.StyblinskiTang(3.0).dimension) is int
    assert sd.ConstantNoise(np.array([1, 2])).variance == (1.0, 2.0)
    assert sd.ConstantNoise(np.float64(2)).variance == 2.0 and sd.ConstantNoise(np.array(2)).variance == 2.0


def test_defaults_are_the_fields_own():
    assert sd.Adam(0.1) == sd.Adam(learning_rate=0.1, beta1=0.9, beta2=0.999, eps=1e-8, eps_inside_root=False)
    assert sd.Adai(0.1) == sd.Adai(0.1, 0.1, 0.99, 1e-3)
    assert sd.Momentum(0.1) == sd.Momentum(0.1, 0.9, 1.0)


@pytest.mark.parametrize("kind", ["landscape", "noise", "dynamics", "boundary"])
def test_registered_names_are_public(kind):
    assert sd.REGISTRY[kind]
    for name, record in sd.REGISTRY[kind].items():
        assert getattr(sd, name) is record


def test_replacing_a_field_keeps_the_type_and_the_checks():
    assert sd.SGD(0.1)._replace(learning_rate=1) == sd.SGD(1.0) == sd.SGD._make([1])
    assert type(sd.SGD(0.1)._replace(learning_rate=1)) is type(sd.SGD._make([1])) is sd.SGD
    assert type(sd.SGD(0.1)._replace(learning_rate=1).learning_rate) is float


@pytest.mark.parametrize("start", [-1, -1.0, [-1.0], np.float32(-1), np.array([-1])])
def test_a_start_may_be_written_in_many_ways(start):
    np.testing.assert_array_equal(
        sd.trajectories(SGD, WELL, NOISE, start, record_at=2), sd.trajectories(SGD, WELL, NOISE, -1.0, record_at=[2])
    )


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.uint64(2**64 - 1), np.int32(5)])
def test_every_seed_in_range_is_taken(seed):
    path = sd.trajectories(SGD, WELL, NOISE, -1.0, record_at=2, seed=seed)
    np.testing.assert_array_equal(path, sd.trajectories(SGD, WELL, NOISE, -1.0, record_at=2, seed=int(seed)))


def test_whole_numbers_that_no_double_holds_are_taken_as_they_are():
    from simdyn.simulate.setup import check_count

    assert check_count("max_steps", 10**17 + 1) == 10**17 + 1 and check_count("max_steps", 1e17) == 10**17


def test_adai_in_a_stationary_state_of_no_noise_has_one_ratio_for_all():
    run = spread(sd.Adai(0.1), sd.Quadratic((1.0, 2.0)), sd.ConstantNoise(0.0), 1.0, particles=32, record_at=[1],
                 start_momentum="stationary")  # fmt: skip
    assert np.isfinite(run.msd).all() and (run.msd > 0).all()
