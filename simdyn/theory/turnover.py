"""All rate theories on one problem, from the lowest friction to none of inertia, each with its error and validity."""

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from simdyn.model.dynamics.signsgd import SignSGD
from simdyn.model.records import InvalidInput, flag, too_large_to_compute, unknown
from simdyn.theory.damping import depopulation_factor
from simdyn.theory.equivalent import Problem, problem
from simdyn.theory.escape_validity import objections as method_objections
from simdyn.theory.finite_barrier import factor_of, of_problem, second_order
from simdyn.theory.formulas import EscapeTime, bracket
from simdyn.theory.left_out import mean_square_slope, of_first_steps, of_second_moments, of_the_step, of_the_way
from simdyn.theory.optimizers import optimizer_at
from simdyn.theory.orbits import actions, barrier_action, unstable_mode_loss
from simdyn.theory.passage import climb, not_gaussian
from simdyn.theory.rates import (
    LOWEST_ACTION,
    energy_diffusion_time,
    kramers_rate,
    langer_rate,
    transition_state_rate,
    turnover_rate,
)
from simdyn.theory.validity import ValidityWarning, exponential, name_of, warn

LARGEST_ACTION = 690.0  # e to minus this is near the smallest double
LARGEST_STEP = 0.5  # above it a step of an optimizer is not small
WEAK, STRONG = 0.3, 0.9  # energy lost per oscillation over T, and depopulation factor: where either limit ends
LARGEST_DOUBT = 0.5  # of log rate, above which an optimizer is not its equation
TOLERATED = 0.1  # what a limit may be off by while it still counts as valid


class Rate(NamedTuple):
    """One theory's rate of escape, 1/tau.

    value; error: estimate of the absolute error; valid: whether the theory holds here; reason: why not, or what it is;
    unit: "time" for the SDEs, "step" for optimizers, the rate being per that.
    """

    name: str
    value: float
    error: float
    valid: bool
    reason: str
    unit: str


class _Guess(NamedTuple):
    """A theory's value per unit of time, its error relative to itself where it has one of its own, and objections."""

    name: str
    value: float
    own: float | None
    objections: list[str]
    words: str


def rates(dynamics: Any, landscape: Any, noise: Any, returns: bool = False) -> list[Rate]:
    """The escape rate by every theory that can be evaluated, from the most to the least complete.

        uniform               k_sd/(finite barrier) A(d) X^{1 - sqrt(A)}    inertia only; see below
        Pollak-Grabert-Hanggi k_sd A(d of the unstable mode)                inertia only
        Mel'nikov-Meshkov     k_sd A(gamma I_b/T)                           inertia only
        energy diffusion      1/(double integral over the energy)           inertia, low friction
        weak friction         gamma I_b/T omega_a/(2 pi) exp(-dL/T)         inertia, low friction
        transition state      omega_a/(2 pi) exp(-dL/T)                     inertia, between the two
        spatial diffusion     lambda_+/omega_b times the line above         inertia, intermediate to high friction
        finite barrier        Kramers' over 1 + (well + top) T              no inertia
        Kramers               1/(gamma M) sqrt(H_a |H_b|)/(2 pi) exp(-dL/T) no inertia, or high friction

    `uniform` is ours [D]: an interpolation that is right to next order in T at high friction and exact for gamma -> 0.
    X is the energy diffusion's full double integral over its leading order. Measured against the eigenvalue of Klein
    and Kramers' equation, gamma from 0.05 to 60: within 3 % on DoubleWell(1, 1) at dL/T from 5 to 10, where
    Mel'nikov-Meshkov was 2 to 24 % high and Pollak-Grabert-Hanggi from 3 % low to 22 % high; within 1.5 % on a skew
    double well; up to 16 % off where matched parabolas are not smooth on the scale of T, which the error tells.

    returns: what is asked for. False: the mean first passage of a point well beyond the saddle, the particle taken out
    there (A of one well). True: the rate of settling in the other well, in which it may also come back across the
    saddle (A(d) A(d')/A(d + d')); at low friction half of the other on a symmetric double well. Without inertia both
    are the same.

    SDEs: per unit of time, of the equation, whatever the step of a simulation; optimizers: per step, by their Langevin
    equivalent (`equivalent`). Error: of the most complete theory, the next orders of its expansions, a step that is not
    small, and what a v does that fluctuates, lags behind the slope, or whose first steps may leave the well; of the
    others, besides, how far they are from it. Not valid, with its reason: an action below 3, a step above 0.5 of the
    well's own time, an escape shorter than three times what the method remembers, momentum that Adai clips, averages of
    g^2 over coordinates of different noise that the escape mixes, noise that is not Gaussian, a doubt about v above
    exp(0.5). Raises InvalidInput as `problem`, where the noise changes on the way, for dL/T above 690, where no double
    holds the rate, and for returns without a second well.

    >>> from simdyn.model.dynamics.langevin import Inertial
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> for found in rates(Inertial(0.01, damping=1.0), DoubleWell(), ConstantNoise(0.4))[:3]:
    ...     print(f"{found.name}: {found.value:.6f} {found.valid}")
    uniform: 0.002251 True
    Pollak-Grabert-Hanggi: 0.002257 True
    Mel'nikov-Meshkov: 0.002345 True
    """
    returns = flag("returns", returns)
    with warnings.catch_warnings():  # validity is told in the results
        warnings.simplefilter("ignore", ValidityWarning)
        case = problem(dynamics, landscape, noise)
        if not case.constant:
            raise InvalidInput(f"{name_of(noise)} changes on the way: the rate theories here are for constant noise")
        if not case.action < LARGEST_ACTION:
            raise InvalidInput(
                f"dL/T is {case.action:.3g}, and no double holds so small a rate: theory.action and theory.prefactor give the"
                " escape time's two parts"
            )
        try:
            guesses = list(_with_inertia(case, returns) if case.equation.mass > 0.0 else _without_inertia(case))
            reference = guesses[0]
            assert reference.own is not None
            rare = 1.0 / (reference.value * case.equation.clock)
            found = EscapeTime(case.action, rare / exponential(case.action))
            step, objections = _of_method(dynamics, landscape, noise, case, found)
        except ArithmeticError:
            raise too_large_to_compute(dynamics, landscape, noise) from None
    objections += not_gaussian(case.way, noise)
    return [_told(case, guess, reference, step, objections) for guess in guesses]


def rate(dynamics: Any, landscape: Any, noise: Any, returns: bool = False, name: str | None = None) -> Rate:
    """The escape rate by the best theory for the regime: of the valid ones that with the smallest estimated error.

    `reason` says what was chosen and from what. name: this theory and no other. Warns (ValidityWarning) where the theory
    is not valid, then the first of `rates` is given. Arguments and what is raised: as `rates`.
    """
    found = rates(dynamics, landscape, noise, returns)
    if name is not None:
        named = {one.name: one for one in found}
        if name not in named:
            raise InvalidInput(unknown("theory", name, list(named)))
        chosen = named[name]
        if not chosen.valid:
            warn(f"{name}: {chosen.reason}")
        return chosen
    valid = [one for one in found if one.valid]
    if not valid:
        warn(f"no theory is valid here: {found[0].reason}")
        return found[0]
    best = min(valid, key=lambda one: one.error)
    return best._replace(
        reason=f"the smallest estimated error, {best.error / best.value:.1%}, of {len(valid)} valid theories: {best.reason}"
    )


def _told(case: Problem, guess: _Guess, reference: _Guess, step: float, more: list[str]) -> Rate:
    relative = (reference.own or 0.0) + step
    error = relative * reference.value + abs(guess.value - reference.value)
    if guess.own is not None:
        error = max(error if guess is reference else 0.0, guess.own * guess.value + step * guess.value)
    objections = [*guess.objections, *more]
    if case.action < LOWEST_ACTION:
        objections.append(f"dL/T is {case.action:.3g}: below {LOWEST_ACTION:g} an escape is not rare")
    if case.equation.step > LARGEST_STEP:
        objections.append(
            f"a step is {case.equation.step:.3g} of the well's own time: above {LARGEST_STEP:g} not small"
        )
    clock = case.equation.clock
    reason = "; ".join(objections) if objections else guess.words
    return Rate(guess.name, guess.value * clock, error * clock, not objections, reason, case.equation.unit)


def _without_inertia(case: Problem) -> Iterator[_Guess]:
    way, equation = case.way, case.equation
    plain = kramers_rate(way.minimum_hessian, way.saddle_hessian, way.barrier, equation.temperature, equation.drag)
    if not case.separable:
        yield _Guess("Kramers", plain, 1.0 / case.action, [], "Eyring and Kramers, leading order")
        return
    found = of_problem(case)
    factor = factor_of(case, found)
    objections = [] if 0.7 < factor < 1.5 else [f"the next order is {factor - 1.0:.2g} of the first"]
    yield _Guess("finite barrier", plain / factor, second_order(case, found), objections, "Kramers, next order in T")
    yield _Guess("Kramers", plain, None, [], "leading order in T")


def _with_inertia(case: Problem, returns: bool) -> Iterator[_Guess]:
    way, equation = case.way, case.equation
    heat, mass, damping = equation.temperature, equation.mass, equation.damping
    numbers = way.minimum_hessian, way.saddle_hessian, way.barrier, heat
    spatial = langer_rate(*numbers, mass=mass, damping=damping)
    recrossing = bracket(way.saddle_curvature, mass, damping)
    own, losses = _losses(case, barrier_action(case), returns, damping / heat)
    thin = float(depopulation_factor(*losses))
    line = [] if case.separable else ["the way is coupled to other coordinates: its energy loss is a guess"]
    low = [] if own < WEAK else [f"{own:.3g} T are lost per oscillation: above {WEAK:g} the energy does not diffuse"]
    high = [] if thin > STRONG else [f"low friction: the depopulation factor is {thin:.2g}"]
    first = transition_state_rate(*numbers, mass=mass)
    alone = len(losses) == 1
    share = 1.0 if alone else losses[1] / (losses[0] + losses[1])  # of those that reach the barrier, who settles beyond
    leading = own * share * math.sqrt(way.minimum_curvature / mass) / (2.0 * math.pi) * math.exp(-case.action)
    melnikov = turnover_rate(spatial, *losses)
    guesses = []
    if case.separable:
        found = of_problem(case)
        curve = actions(case)
        time, blur = energy_diffusion_time(curve.energies, curve.values, heat, damping)
        diffusing = share / time
        excess = diffusing / leading * (1.0 + found.well * heat)
        mixed = melnikov / factor_of(case, found) * excess ** (1.0 - math.sqrt(thin))
        bend = 4.0 * thin * (1.0 - thin) * 0.15 * abs(math.log(excess))  # the interpolation, exact at both ends
        spare = second_order(case, found) + bend + blur / time
        guesses.append(_Guess("uniform", mixed, spare, [], "interpolates between next orders at both ends"))
    _, modal = _losses(case, unstable_mode_loss(case), returns, 1.0, case)
    hanggi = turnover_rate(spatial, *modal)
    distance = None if case.separable else 1.0 / case.action + (1.0 - thin)
    guesses += [
        _Guess("Pollak-Grabert-Hanggi", hanggi, distance, line, "energy lost by the unstable mode, leading order in T"),
        _Guess(
            "Mel'nikov-Meshkov", melnikov, None, line, "energy lost on the orbit without friction, leading order in T"
        ),
    ]
    if case.separable:
        guesses.append(_Guess("energy diffusion", diffusing, None, low, "exact for vanishing friction"))
    slow = [] if recrossing < 1.0 + TOLERATED else [f"friction at the saddle takes off a factor {recrossing:.3g}"]
    smooth = _far_from_overdamped(recrossing, equation.damping, way.saddle_curvature / mass)
    plain = kramers_rate(*numbers, drag=equation.drag)
    guesses += [
        _Guess("weak friction", leading, None, low + line, "energy diffusion, leading order in T"),
        _Guess("transition state", first, None, slow + high, "no recrossing, equilibrium in the well"),
        _Guess("spatial diffusion", spatial, None, high, "Kramers and Langer, leading order in T"),
        _Guess("Kramers", plain, None, smooth + high, "overdamped limit, leading order in T"),
    ]
    yield from guesses


def _losses(
    case: Problem, here: float | None, returns: bool, per_action: float, modal: Problem | None = None
) -> tuple[float, tuple[float, ...]]:
    """The loss over T in this well, and the losses to give the depopulation factor."""
    if here is None:
        raise InvalidInput(f"{name_of(case.way.landscape)}: its well has no far wall as high as the saddle")
    if not returns:
        return here * per_action, (here * per_action,)
    there = barrier_action(case, -1.0) if modal is None else unstable_mode_loss(case, -1.0)
    if there is None:
        raise InvalidInput(f"{name_of(case.way.landscape)}: no second well to return from; leave returns out")
    return here * per_action, (here * per_action, there * per_action)


def _far_from_overdamped(recrossing: float, damping: float, frequency: float) -> list[str]:
    excess = recrossing - 1.0
    if excess < TOLERATED:
        return []
    return [
        f"gamma/omega_b is {damping / math.sqrt(frequency):.3g}: inertia slows the escape by a factor {1.0 + excess:.3g}"
    ]


def _of_method(dynamics: Any, landscape: Any, noise: Any, case: Problem, found: EscapeTime) -> tuple[float, list[str]]:
    """What the equation leaves out of an optimizer: a relative error, and objections.

    Steps that are not small: the effective temperature is uncertain by a share of a step. A v that fluctuates, lags
    behind the slopes that it holds, or has not settled: as `left_out` has it, and the share that slopes have in v.
    """
    equation = case.equation
    slowed = bracket(case.way.saddle_curvature, equation.mass, equation.damping) if equation.mass > 0.0 else 1.0
    step = min(of_the_step(case.action, equation.step, slowed), 10.0)
    if case.equation.unit == "time":
        return step, []
    met = climb(case.way, noise)
    method = optimizer_at(dynamics, met)
    items = of_second_moments(dynamics, method, met, found) | of_first_steps(dynamics, method, met, found)
    if method.power > 0.0 and not isinstance(dynamics, SignSGD):
        items["v follows the slope"] = of_the_way(dynamics, method, case.way, noise, met, True)["v follows the slope"]
        items["v lags"] = mean_square_slope(method, case.way, met) / met.at_minimum
    told = method_objections(dynamics, landscape, case.way, met, found)
    total = sum(abs(item) for item in items.values())
    if not total < LARGEST_DOUBT:
        worst = max(items, key=lambda name: abs(items[name]))
        told.append(f"{worst}: the rate may change by a factor of {math.exp(min(total, 700.0)):.3g}")
    return math.expm1(min(step + total, 700.0)), told
