"""Settings drawn at random over all registered records, users' own among them, each with all that decides its answers.

A setting may have a twin: the same problem in other words (a rotated valley is a valley, a ball whose far side no particle
reaches is a plane), which must have the same answer by every route.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import simdyn as sd
from checks.agreement import users
from simdyn.model.dynamics.langevin import Inertial, Overdamped

Rng = np.random.Generator


class Problem(NamedTuple):
    """What is asked of each route: records, where particles start and with which momentum."""

    dynamics: Any
    landscape: Any
    noise: Any
    boundary: Any  # None where displacements are asked for
    start: tuple[float, ...]
    start_momentum: Any = None


class Setting(NamedTuple):
    """One problem, its twin (itself where it has none), and for displacements the steps to record at.

    leaves: "for good", "at saddle" or "elsewhere", what the exit means to formulas that know only the way over the saddle.
    """

    number: int
    problem: Problem
    twin: Problem
    leaves: str
    record_at: tuple[int, ...] = ()


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number between low and high, alike in all decades, to three digits: short settings are easy to repeat by hand."""
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def chance(rng: Rng, probability: float) -> bool:
    return bool(rng.random() < probability)


# ------------------------------------------------------------------------------------------------------ landscapes


def _valley(rng: Rng) -> Any:
    across = tuple(log_uniform(rng, 0.5, 20.0) for _ in range(rng.integers(1, 3)))
    return sd.Valley(log_uniform(rng, 0.3, 3.0), log_uniform(rng, 0.5, 2.0), across)


def _double_well(rng: Rng) -> Any:
    return sd.DoubleWell(log_uniform(rng, 0.3, 3.0), log_uniform(rng, 0.5, 2.0))


def _matched(rng: Rng) -> Any:
    return sd.MatchedParabolas(*(log_uniform(rng, low, high) for low, high in ((0.3, 3.0), (1.0, 10.0), (1.0, 10.0))))


def _unequal(rng: Rng) -> Any:
    return sd.UnequalWells(log_uniform(rng, 0.3, 3.0), *(log_uniform(rng, 1.0, 10.0) for _ in range(3)))


def _chain(rng: Rng) -> Any:
    return sd.MinimaChain(
        log_uniform(rng, 0.3, 3.0), log_uniform(rng, 0.5, 2.0), log_uniform(rng, 1.5, 3.0), int(rng.integers(0, 3))
    )


def _sharpened(rng: Rng) -> Any:
    return sd.Sharpened(one_of(rng, (_double_well, _valley, _unequal))(rng), log_uniform(rng, 0.3, 3.0))


def _rotated(rng: Rng) -> Any:
    return sd.Rotated(_valley(rng), round(rng.uniform(0.1, 1.5), 2))


def _formula(rng: Rng) -> Any:
    return sd.Expression(
        "barrier*((x/width)**2 - 1)**2", barrier=log_uniform(rng, 0.3, 3.0), width=log_uniform(rng, 0.5, 2.0)
    )


#: What escapes are asked of: every registered landscape that has a way out, and users' own.
LANDSCAPES: dict[str, Callable[[Rng], Any]] = {
    "DoubleWell": _double_well,
    "Valley": _valley,
    "MatchedParabolas": _matched,
    "UnequalWells": _unequal,
    "MinimaChain": _chain,
    "StyblinskiTang": lambda rng: sd.StyblinskiTang(int(rng.integers(1, 4))),
    "WithBath": lambda rng: sd.WithBath(one_of(rng, (_unequal, _double_well))(rng), (log_uniform(rng, 0.5, 20.0),)),
    "FiniteSum": lambda rng: sd.FiniteSum(_double_well(rng), (0.0, 0.0)),
    "Sharpened": _sharpened,
    "Rotated": _rotated,
    "Expression": _formula,
    "OwnWell": lambda rng: users.OwnWell(log_uniform(rng, 0.3, 3.0), log_uniform(rng, 0.5, 2.0)),
    "CoupledWell": lambda rng: users.CoupledWell(log_uniform(rng, 1.0, 20.0)),
}
#: What has no way out over a saddle of its own: displacements are asked of these.
WITHOUT_ESCAPE = ("Quadratic", "Saddle")


def one_of(rng: Rng, choices: Any) -> Any:
    choices = list(choices)
    return choices[int(rng.integers(len(choices)))]


# -------------------------------------------------------------------------------------------------------- dynamics


class Speed(NamedTuple):
    """How a method is set so that it moves at a given pace: rate eta_eff before the gradient where the noise is C."""

    make: Callable[[Rng, float, float], Any]  # (rng, eta_eff, C)


def _eps(rng: Rng, variance: float) -> float:
    return log_uniform(rng, 0.1, 3.0) * math.sqrt(variance) if chance(rng, 0.25) else 1e-8


def _beta1(rng: Rng) -> float:
    return float(one_of(rng, (0.0, 0.5, 0.9, 0.95)))


def _beta2(rng: Rng) -> float:
    return float(one_of(rng, (0.5, 0.9, 0.99, 0.999)))


def _rooted(kind: str, **extra: Callable[[Rng], Any]) -> Callable[[Rng, float, float], Any]:
    """A method that divides by v^power, eps included in its pace."""

    def make(rng: Rng, rate: float, variance: float) -> Any:
        given: dict[str, Any] = {name: draw(rng) for name, draw in extra.items()}
        exponent = given.get("power", 0.5)
        eps = _eps(rng, variance)
        fields = {"beta1": _beta1, "beta2": _beta2}
        given |= {name: draw(rng) for name, draw in fields.items() if name in getattr(sd, kind)._fields}
        return getattr(sd, kind)(rate * (math.sqrt(variance) + eps) ** (2.0 * exponent), eps=eps, **given)

    return make


def _adabound(rng: Rng, rate: float, variance: float) -> Any:
    return sd.AdaBound(
        rate * math.sqrt(variance), final_rate=rate, gamma=float(one_of(rng, (1e-3, 0.1))), beta1=_beta1(rng)
    )


def _momentum(kind: str) -> Callable[[Rng, float, float], Any]:
    def make(rng: Rng, rate: float, variance: float) -> Any:
        beta1 = _beta1(rng)
        beta3 = float(one_of(rng, (1.0, round(1.0 - beta1, 12))))
        return getattr(sd, kind)(rate * (1.0 - beta1) / beta3, beta1, beta3)

    return make


def _adai(kind: str, **extra: Callable[[Rng], Any]) -> Callable[[Rng, float, float], Any]:
    def make(rng: Rng, rate: float, variance: float) -> Any:
        given = {name: draw(rng) for name, draw in extra.items()}
        beta0 = float(one_of(rng, (0.05, 0.1, 0.5, 1.2)))
        undampened = beta0 ** (1.0 - given.get("dampening", 1.0))
        return getattr(sd, kind)(rate / undampened, beta0, float(one_of(rng, (0.9, 0.99))), **given)

    return make


#: name -> make(rng, eta_eff, C): a record that descends at eta_eff times the gradient where the noise's variance is C.
DYNAMICS: dict[str, Callable[[Rng, float, float], Any]] = {
    "SGD": lambda rng, rate, variance: sd.SGD(rate),
    "Momentum": _momentum("Momentum"),
    "Nesterov": _momentum("Nesterov"),
    "SignSGD": lambda rng, rate, variance: sd.SignSGD(rate * math.sqrt(variance), _beta1(rng)),
    "RMSProp": _rooted("RMSProp", eps_inside_root=lambda rng: chance(rng, 0.2)),
    "Adam": _rooted("Adam", eps_inside_root=lambda rng: chance(rng, 0.2)),
    "AdamW": _rooted("AdamW", weight_decay=lambda rng: float(one_of(rng, (0.0, 0.01)))),
    "AMSGrad": _rooted("AMSGrad", corrected=lambda rng: chance(rng, 0.8), corrected_first=lambda rng: chance(rng, 0.2)),
    "Padam": _rooted("Padam", power=lambda rng: float(one_of(rng, (0.125, 0.25, 0.5)))),
    "Yogi": _rooted("Yogi", corrected=lambda rng: chance(rng, 0.5)),
    "RAdam": _rooted("RAdam", rest_before=lambda rng: chance(rng, 0.5)),
    "AdaBound": _adabound,
    "Adai": _adai("Adai"),
    "AdaiW": _adai("AdaiW", weight_decay=lambda rng: float(one_of(rng, (0.0, 5e-4)))),
    "AdaiV2": _adai("AdaiV2", dampening=lambda rng: float(one_of(rng, (0.0, 0.5, 1.0)))),
    "OwnMomentum": lambda rng, rate, variance: users.OwnMomentum(rate, _beta1(rng)),
    "Decaying": lambda rng, rate, variance: users.Decaying(rate, log_uniform(rng, 1e2, 1e4)),
}
EQUATIONS = ("Overdamped", "Inertial")
KNOWN = (
    "SGD",
    "Momentum",
    "Adam",
    "Adai",
    *EQUATIONS,
)  # drawn more often: of these exact answers or formulas are known
WHITE = ("ConstantNoise", "FrozenNoise")  # likewise
ALIKE = 8  # settings in a row that share their kinds of records, whose loops are compiled once


# ---------------------------------------------------------------------------------------------------------- noises


def _constant(rng: Rng, variance: float, curvature: float, size: int) -> Any:
    if size > 1 and chance(rng, 0.5):
        return sd.ConstantNoise((variance, *(variance * log_uniform(rng, 0.3, 3.0) for _ in range(size - 1))))
    return sd.ConstantNoise(variance)


#: name -> make(rng, C, H_a, d): a noise whose variance along the escape is C at a minimum of curvature H_a.
NOISES: dict[str, Callable[[Rng, float, float, int], Any]] = {
    "ConstantNoise": _constant,
    "FrozenNoise": lambda rng, variance, curvature, size: sd.FrozenNoise(curvature / variance),
    "TwoPieceNoise": lambda rng, variance, curvature, size: sd.TwoPieceNoise(curvature / variance),
    "LocalNoise": lambda rng, variance, curvature, size: sd.LocalNoise(
        curvature / variance, floor=variance * log_uniform(rng, 0.2, 1.0)
    ),
    "ScaledNoise": lambda rng, variance, curvature, size: sd.ScaledNoise(sd.ConstantNoise(variance / 2.5), 2.5),
    "StudentNoise": lambda rng, variance, curvature, size: sd.StudentNoise(
        variance, float(one_of(rng, (2.2, 3.0, 5.0, 30.0)))
    ),
    "StableNoise": lambda rng, variance, curvature, size: sd.StableNoise(
        math.sqrt(0.5 * variance), float(one_of(rng, (1.2, 1.8, 2.0)))
    ),
    "OwnConstant": lambda rng, variance, curvature, size: users.OwnConstant(variance),
    "Growing": lambda rng, variance, curvature, size: users.Growing(variance),
    "Skew": lambda rng, variance, curvature, size: users.Skew(variance),
}
#: Noises of a landscape of samples alone: their law has a test of its own (tests/test_mini_batch.py).
NOISES_ELSEWHERE = ("MiniBatch",)


# --------------------------------------------------------------------------------------------------------- escapes


def escape(number: int, seed: int = 1) -> Setting | None:
    """Setting `number` of escapes; None where chance has put together what makes no sense."""
    rng, kinds = np.random.default_rng([seed, number, 0]), np.random.default_rng([seed, number // ALIKE, 2])
    landscape = LANDSCAPES[one_of(kinds, LANDSCAPES)](rng)
    inner = sd.model.landscapes.frame(landscape)[0]
    bottom, top = np.asarray(sd.minimum(inner)), np.asarray(sd.saddle(inner))
    run = top - bottom
    length = float(np.linalg.norm(run))
    along = run / length
    stiffness = float(along @ sd.hessian_at(inner, bottom) @ along)
    barrier = sd.value_at(inner, top) - sd.value_at(inner, bottom)
    pace, exponent = log_uniform(rng, 0.01, 0.4), rng.uniform(2.5, 7.0)
    dynamics, variance = _dynamics(rng, kinds, pace, stiffness, barrier / exponent)
    noise = NOISES[one_of(kinds, (*NOISES, *WHITE, *WHITE, *WHITE))](
        rng, float(f"{variance:.4g}"), stiffness, len(bottom)
    )
    if chance(rng, 0.7):  # as formulas would have it: from the minimum over the saddle
        reach, leaves = one_of(rng, ((1.0, "at saddle"), (2.0, "for good"), (2.0, "for good")))
        climbed, momentum = 0.0, None
    else:
        reach, leaves = one_of(rng, (1.0, 1.4, 2.0)), "elsewhere"
        climbed, momentum = one_of(rng, (0.0, 0.3, 0.8, -0.3)), _momentum_at_start(rng, dynamics, variance)
    out, start = bottom + reach * run, bottom + climbed * run
    return _with_boundary(rng, number, dynamics, landscape, noise, out, start, along, momentum, leaves)


def _dynamics(rng: Rng, kinds: Rng, pace: float, stiffness: float, heat: float) -> tuple[Any, float]:
    """A method whose steps are `pace` of the well's own time, at temperature T = `heat`, and the variance that it takes."""
    name = one_of(kinds, (*DYNAMICS, *KNOWN, *KNOWN, *KNOWN))
    if name == "Overdamped":
        return Overdamped(pace / stiffness / 2.0), 2.0 * heat
    if name == "Inertial":
        mass, damping = log_uniform(rng, 0.3, 3.0), log_uniform(rng, 0.03, 30.0)
        quick = max(math.sqrt(stiffness / mass), damping)
        return Inertial(pace / 2.0 / quick, damping, mass), 2.0 * heat * damping * mass
    rate = pace / stiffness
    variance = 2.0 * heat / rate
    return DYNAMICS[name](rng, rate, variance), variance


def _momentum_at_start(rng: Rng, dynamics: Any, variance: float) -> Any:
    """None in most settings; of methods that have one also settled, or given."""
    drawn = one_of(rng, (None, None, None, "stationary", 0.5 * math.sqrt(variance)))
    return drawn if _has_momentum(dynamics) else None


def _has_momentum(dynamics: Any) -> bool:
    if isinstance(dynamics, Inertial):
        return True
    return getattr(dynamics, "beta1", 0.0) > 0.0 and not isinstance(dynamics, users.OwnMomentum)


def _with_boundary(
    rng: Rng, number: int, dynamics: Any, landscape: Any, noise: Any, out: Any, start: Any, along: Any,
    momentum: Any, leaves: str,
) -> Setting:  # fmt: skip
    inner, matrix = sd.model.landscapes.frame(landscape)
    size, axis = len(out), int(np.argmax(np.abs(along)))
    straight = bool(np.abs(along[axis]) > 1.0 - 1e-12)
    offset = float(along @ out)
    plain = sd.Beyond(float(out[axis]), axis) if straight else sd.BeyondPlane(tuple(along), offset)
    if matrix is None:
        boundary, begin = plain, start
        if straight and chance(rng, 0.2):
            boundary = sd.BeyondPlane(tuple(along), offset)
        elif size == 1 and chance(rng, 0.2):
            boundary = sd.OutsideBall(9.0, float(out[0]) - 9.0)
        elif chance(rng, 0.15):
            boundary = sd.NearerTo(tuple(out - 2.0 * along), (tuple(out + 2.0 * along),))
    else:
        boundary, begin = sd.BeyondPlane(tuple(matrix @ along), offset), matrix @ start
    problem = Problem(dynamics, landscape, noise, boundary, tuple(map(float, begin)), momentum)
    return Setting(number, problem, _told(problem, _twin(problem, inner, plain, start)), leaves)


def _told(problem: Problem, twin: Problem) -> Problem:
    """The problem itself where its twin says nothing else; records of different kinds and equal numbers are different."""
    return problem if repr(problem) == repr(twin) else twin


def _twin(problem: Problem, inner: Any, boundary: Any, start: Any) -> Problem:
    """The same problem in other words."""
    dynamics, noise, landscape = problem.dynamics, problem.noise, inner
    if inner is not problem.landscape and not _turns_with_it(dynamics):
        return problem
    if isinstance(dynamics, users.OwnMomentum):
        dynamics = sd.Momentum(dynamics.learning_rate, dynamics.beta1, 1.0 - dynamics.beta1)
    if isinstance(noise, sd.ScaledNoise):
        noise = sd.ConstantNoise(noise.noise.variance * noise.factor)
    if isinstance(noise, sd.StableNoise) and noise.alpha == 2.0:
        noise = sd.ConstantNoise(2.0 * noise.scale**2)
    if isinstance(noise, users.OwnConstant):
        noise = sd.ConstantNoise(noise.level)
    if isinstance(landscape, users.OwnWell):
        landscape = sd.DoubleWell(*landscape)
    if type(landscape).__name__ == "Expression":
        landscape = sd.DoubleWell(landscape.barrier, landscape.width)
    white = isinstance(noise, sd.ConstantNoise) and not isinstance(noise.variance, tuple)
    if isinstance(landscape, users.CoupledWell) and _turns_with_it(dynamics) and white:
        landscape, boundary, start = _unturned(landscape, boundary, start)
    if isinstance(landscape, sd.WithBath) and isinstance(landscape.landscape, sd.DoubleWell):
        landscape = sd.Valley(*landscape.landscape, landscape.transverse)
    if isinstance(landscape, sd.FiniteSum):
        landscape = landscape.landscape
    return Problem(dynamics, landscape, noise, boundary, tuple(map(float, start)), problem.start_momentum)


def _unturned(well: users.CoupledWell, boundary: Any, start: Any) -> tuple[Any, Any, Any]:
    """The coupled well as the valley that it is in turned coordinates."""
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / math.sqrt(2.0)
    return sd.Valley(1.0, 1.0, (well.stiffness,)), sd.Beyond(boundary.offset), turn @ start


def _turns_with_it(dynamics: Any) -> bool:
    """Whether a method does not know its axes, so that a rotated problem is the same problem."""
    return isinstance(
        dynamics, (sd.SGD, sd.Momentum, sd.Nesterov, users.OwnMomentum, users.Decaying, Overdamped, Inertial)
    )


# --------------------------------------------------------------------------------------------------- displacements


def displacement(number: int, seed: int = 1) -> Setting:
    """Setting `number` of displacements from a point of a linear gradient."""
    rng, kinds = np.random.default_rng([seed, number, 1]), np.random.default_rng([seed, number // ALIKE, 3])
    size = int(rng.integers(1, 4))
    signs = one_of(rng, ((-1.0, 1.0), (1.0,)))
    curvatures = tuple(float(one_of(rng, signs)) * log_uniform(rng, 0.03, 3.0) for _ in range(size))
    steepest = max(map(abs, curvatures))
    landscape = sd.Quadratic(curvatures) if min(curvatures) > 0.0 else sd.Saddle(curvatures)
    if chance(kinds, 0.2):
        landscape = sd.Sharpened(landscape, log_uniform(rng, 0.5, 2.0))
    variance = log_uniform(rng, 0.01, 10.0)
    dynamics, _ = _dynamics(rng, kinds, log_uniform(rng, 1e-5, 0.1), steepest, 1.0)
    if not isinstance(dynamics, (Overdamped, Inertial)):
        dynamics = DYNAMICS[type(dynamics).__name__](rng, log_uniform(rng, 1e-5, 0.1) / steepest, variance)
    names = [name for name in NOISES if name != "TwoPieceNoise"]  # whose split a saddle alone has not
    noise = NOISES[one_of(kinds, (*names, *WHITE, *WHITE, *WHITE))](rng, variance, steepest, size)
    start = (
        tuple(one_of(rng, (0.0, 0.0, 0.3)) * rng.uniform(0.5, 1.0) for _ in range(size))
        if chance(rng, 0.5)
        else (0.0,) * size
    )
    momentum = _momentum_at_start(rng, dynamics, variance)
    problem = Problem(dynamics, landscape, noise, None, start, momentum)
    last = int(log_uniform(rng, 3.0, 300.0))
    twin = _told(problem, _twin(problem, landscape, None, start))
    return Setting(number, problem, twin, "", tuple(sorted({1, (last + 1) // 2, last})))
