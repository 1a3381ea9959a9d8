"""What the escape formulas leave out, as far as theory knows it: each item as a share of the logarithm of the time.

The formulas are attributed or of leading order: they are known to be off by factors, which are small where an escape is
what they take it for. Here is what they take for granted, item by item, and how much each may change: `escape_time` adds
them up and warns above `LARGEST_FACTOR`; what the items do not know themselves has room up to `STATED_FACTOR`. All
standing [D].
"""

import itertools
import math
from typing import Any

import numpy as np
from scipy import special

from simdyn.model.dynamics.adabound import AdaBound
from simdyn.model.dynamics.adai import Adai, AdaiV2, AdaiW
from simdyn.model.dynamics.amsgrad import AMSGrad
from simdyn.model.dynamics.padam import Padam
from simdyn.model.dynamics.radam import RAdam
from simdyn.model.dynamics.rmsprop import RMSProp
from simdyn.model.dynamics.yogi import RESTING_SQUARE, Yogi
from simdyn.model.geometry import gradient_at, value_at
from simdyn.theory.formulas import EscapeTime
from simdyn.theory.optimizers import Effective, level_reached
from simdyn.theory.passage import Climb, Passage, split_point, variances_on
from simdyn.theory.validity import FloatArray, exponential

STATED_FACTOR = 3.0  # without a warning an escape formula is within this factor of the truth
LARGEST_FACTOR = 2.5  # that what is left out may change it by before it is warned of
SHORTEST = 3.0  # an escape in units of a method's longest memory: below it its first steps decide
OVERSHOOT = 0.589  # E[R^2], by how many deviations of a step a Gaussian random walk exceeds a far level: 1/4 + 0.583^2
PIECES = 40  # into which the way is cut

#: By how much g^2 moves Yogi's v towards rest, in units of 1 - beta2: 2 u p(u), p the density of g^2/C.
_YOGI_PULL = 2.0 * math.sqrt(RESTING_SQUARE / (2.0 * math.pi)) * math.exp(-RESTING_SQUARE / 2.0)
#: What concerns the first steps alone.
_FIRST_STEPS = ("corrected", "corrected_first", "corrected_as_adam", "initial", "threshold", "rest_before")
_BOUNDED = ("learning_rate", "beta2", "eps", "corrected")  # of AdaBound, whose last steps know none of them


def memories(dynamics: Any, size: int) -> dict[str, float]:
    """How many steps a method remembers in so many dimensions, by each of its averages."""
    found = {}
    alone = size == 1 and isinstance(dynamics, (Adai, AdaiW, AdaiV2))  # whose v is its own mean: it never counts
    for name in ("beta1",) if alone else ("beta1", "beta2"):
        if getattr(dynamics, name, 0.0) > 0.0:
            found[f"1/(1-{name})"] = 1.0 / (1.0 - getattr(dynamics, name))
    if hasattr(dynamics, "beta0"):
        found["1/beta0"] = 1.0 / dynamics.beta0
    if isinstance(dynamics, Yogi):
        found[f"{1.0 / _YOGI_PULL:.3g}/(1-beta2)"] = 1.0 / (_YOGI_PULL * (1.0 - dynamics.beta2))
    if isinstance(dynamics, AdaBound):
        found["1/gamma"] = 1.0 / dynamics.gamma
    return found


def unsettled(dynamics: Any, size: int, steps: float) -> list[str]:
    """Why an escape that takes so many steps is not long against what a method remembers; nothing where it is."""
    known = memories(dynamics, size)
    if not known:
        return []
    name = max(known, key=lambda one: known[one])
    if steps >= SHORTEST * known[name]:
        return []
    fields = _BOUNDED if isinstance(dynamics, AdaBound) else _FIRST_STEPS
    first = ", ".join(f"{field} = {getattr(dynamics, field)}" for field in fields if hasattr(dynamics, field))
    decide = f" ({first})" if first else ""
    return [
        f"an escape in {steps:.3g} steps is not long against {name} = {known[name]:.3g}: the first steps decide{decide}"
    ]


# --------------------------------------------------------------------------------------------------- second moments


def spread_of_v(dynamics: Any) -> float:
    """The relative variance of v under noise alone: 2 (1-beta2)/(1+beta2) of an average, 0 where v does not count.

    Yogi's v is pulled to its rest by `_YOGI_PULL` (1-beta2) of its distance and pushed by 3 (1-beta2)^2 C^2.
    """
    if isinstance(dynamics, AdaBound) or not hasattr(dynamics, "beta2"):
        return 0.0
    if isinstance(dynamics, Yogi):
        return 1.5 * (1.0 - dynamics.beta2) / (_YOGI_PULL * RESTING_SQUARE**2)
    return 2.0 * (1.0 - dynamics.beta2) / (1.0 + dynamics.beta2)


def of_second_moments(dynamics: Any, method: Effective, met: Climb, found: EscapeTime) -> dict[str, float]:
    """What a v that is neither C nor steady changes; `found`: the time without it.

    With A = E[v^-q] C^q of a gamma law, drift is A times as strong and diffusion up to A^2: the action between 1/A and,
    without momentum, some A times the formula's. AMSGrad's v_max stands at u C (`highest_average`): u^q times the action.
    """
    items = {}
    spread, power = spread_of_v(dynamics), method.power
    share = power_at(method, met.at_minimum)
    keeps = keeps_highest(dynamics)
    if power > 0.0 and spread > 0.0 and not keeps:
        items["v fluctuates (beta2)"] = found.action * (1.0 - 1.0 / mean_inverse(spread, share))
    if power > 0.0 and keeps:
        memory = 1.0 / (1.0 - dynamics.beta2)
        longest = max(min(float(found), 1e15), 3.0 * memory)
        highest = level_reached(dynamics.beta2, longest) if dynamics.beta2 > 0.0 else 2.0 * math.log(longest)
        items["v_max exceeds the noise (beta2)"] = found.action * (highest**share - 1.0)
    if getattr(dynamics, "corrected_first", False) and getattr(dynamics, "corrected", False):
        items["v_max keeps the first v (corrected_first)"] = _of_the_first_square(found.action, share)
    if isinstance(dynamics, (Adai, AdaiW, AdaiV2)) and len(met.minimum_variance) > 1:
        root = 1.0 / (3.0 - 2.0 * getattr(dynamics, "dampening", 1.0))
        others = 1.0 - met.at_minimum / float(np.sum(met.minimum_variance))
        # E[z^2 (1-mu)^2]: 1-mu goes as v, which holds z^2 itself and fluctuates besides.
        items["v fluctuates (beta2)"] = found.action * root * others * (4.0 * (1.0 - dynamics.beta2) + spread)
    return items


def power_at(method: Effective, variance: float) -> float:
    """q as v sees it: -d log(rate)/d log v, less than the method's own where eps counts."""
    if method.power == 0.0:
        return 0.0
    return float(-math.log(method.rate_at(variance * 1.01) / method.rate_at(variance)) / math.log(1.01))


def mean_inverse(spread: float, power: float) -> float:
    """E[v^-q] of a gamma law with mean 1 and so large a variance; infinite where it has none."""
    shape = 1.0 / spread
    if shape <= power:
        return math.inf
    return float(np.exp(special.gammaln(shape - power) - special.gammaln(shape) + power * math.log(shape)))


def _of_the_first_square(action: float, power: float) -> float:
    """log E exp(action (u^q - 1)), u the larger of 1 and chi square of the first gradient, cut at four deviations."""
    z = np.linspace(0.0, 4.0, 401)
    height = action * (np.maximum(z, 1.0) ** (2.0 * power) - 1.0) - z**2 / 2.0
    return float(special.logsumexp(height) - special.logsumexp(-(z**2) / 2.0))


# ------------------------------------------------------------------------------------------------------ on the way


def of_the_step(action: float, size: float, inertial_bracket: float) -> float:
    """What steps of a finite size change: without inertia a share of a step's (omega_a dt)^2, as the excess temperature eta
    L''/4 comes in the well and goes on the cap; with it, f above 1, the well's excess is averaged over whole orbits."""
    return action * size * (1.0 / 16.0 + (1.0 - inertial_bracket**-2) / 8.0)


def of_the_way(
    dynamics: Any, method: Effective, way: Passage, noise: Any, met: Climb, slope_counts: bool
) -> dict[str, float]:
    """What the noise between the ends, and what v holds besides the noise of the place, change in the action.

    Int dL/T(C) along the straight way over the formula's;   v = C + H_ae T where it is averaged over long against the
    climb, C + |L'|^2 at the point itself where over short;   past a change of the noise v = C_a + H_ae T where it is
    averaged over long against the climb from there
    """
    turn = [] if met.share == 1.0 else [split_point(way)]  # where noise may jump, which no piece should straddle
    corners = [way.minimum, *turn, way.saddle]
    pieces = [np.linspace(*ends, PIECES, endpoint=False) for ends in itertools.pairwise(corners)]
    points = np.concatenate([*pieces, [way.saddle]])
    rises = np.diff([value_at(way.landscape, point) for point in points])
    middle = (points[1:] + points[:-1]) / 2.0
    variance = variances_on(way, noise, middle) @ way.direction**2
    if np.any(variance <= 0.0):
        return {"the noise vanishes on the way": math.inf}
    plain = float(np.sum(rises / method.temperature(variance)))
    taken = way.barrier * (
        met.share / method.temperature(met.at_minimum) + (1.0 - met.share) / method.temperature(met.at_saddle)
    )
    items = {"noise on the way": abs(plain - taken)}
    if method.power == 0.0 or not slope_counts:
        return items
    averaged = mean_square_slope(method, way, met)
    slopes = np.array([float(way.direction @ gradient_at(way.landscape, point)) for point in middle])
    before = float(np.max(variance)) if keeps_highest(dynamics) else met.at_minimum
    slow, fast, late = (
        float(np.sum(rises / method.temperature(variance, v))) - plain
        for v in (variance + averaged, variance + slopes**2, before + averaged)
    )
    climb = 1.0 / (method.rate_at(met.at_minimum) * way.minimum_curvature)
    memory = 1.0 / (1.0 - getattr(dynamics, "beta2", 0.0)) / (_YOGI_PULL if isinstance(dynamics, Yogi) else 1.0)
    share = climb / (climb + memory)
    items["v holds the squared slope"] = slow
    items["v follows the slope"] = share * max(fast - slow, 0.0)
    # With v from before the change the cap is climbed in about this time; v_max never forgets.
    cap = 0.0 if keeps_highest(dynamics) else 1.0 / (method.rate_at(met.at_minimum) * way.saddle_curvature)
    items["v holds the noise from before"] = (late - slow) * memory / (memory + cap)
    return items


def of_steps_across_the_jump(method: Effective, way: Passage, met: Climb) -> float:
    """What steps that cross a jump of the noise at the split c, to a quieter cap, take off the action.

        x^2 E[R^2]/2,   x = eta C_a^{1/2} |L'(c)| (1/T_b - 1/T_a)

    The last step below c still has the noise of the well and ends R deviations above it, climbed at T_a. First orders nearly
    cancel against steps that cross it downwards: added to the prefactor for this noise and `of_the_step`, this is within
    0.07 of the logarithm that exact chains of SGD show, x from 0.4 to 1.6. To a louder cap they show next to nothing.
    """
    if met.share == 1.0 or met.at_saddle >= met.at_minimum:
        return 0.0
    heats = [float(method.temperature(variance)) for variance in (met.at_minimum, met.at_saddle)]
    slope = abs(float(way.direction @ gradient_at(way.landscape, split_point(way))))
    step = float(method.rate_at(met.at_minimum)) * math.sqrt(met.at_minimum)
    return OVERSHOOT * (step * slope * (1.0 / heats[1] - 1.0 / heats[0])) ** 2 / 2.0


def keeps_highest(dynamics: Any) -> bool:
    """Whether v_max divides, not v."""
    return isinstance(dynamics, AMSGrad) or getattr(dynamics, "keep_highest", False)


def mean_square_slope(method: Effective, way: Passage, met: Climb) -> float:
    """H_ae T, T = eta C/(2 a p(v)) at v = C + H_ae T: each turn changes it by a share H_ae T/C of the last change."""
    extra = 0.0
    for _ in range(50):
        extra = way.minimum_curvature * float(method.temperature(met.at_minimum, met.at_minimum + extra))
    return extra


# -------------------------------------------------------------------------------------------------------- prefactor


def laplace_prefactor(method: Effective, way: Passage, met: Climb, bracket: float) -> float:
    """The prefactor of leading order for the noise that is met, read before the step (Ito).

        2 pi f/(eta_a H_a eta_b |H_b|)^{1/2} (D_b/D_a)^{1/2} Prod_j (K_b,j/K_a,j)^{1/2},   K = H/T

    over the other directions j: Eyring and Kramers' determinants, and each direction's own temperature at both ends.
    """
    slow, fast = method.rate_at(met.at_minimum), method.rate_at(met.at_saddle)
    heats = [method.temperature(variance) for variance in (met.at_minimum, met.at_saddle)]
    diffusion = fast * heats[1] / (slow * heats[0])
    others = way.determinant_ratio * way.minimum_curvature / way.saddle_curvature
    with np.errstate(divide="ignore", invalid="ignore"):
        each = method.temperature(met.minimum_variance) / method.temperature(met.saddle_variance)
    each = np.where((met.minimum_variance > 0.0) & (met.saddle_variance > 0.0), each, 1.0)
    widths = others * float(np.prod(each)) * heats[1] / heats[0]
    whole = slow * way.minimum_curvature * fast * way.saddle_curvature
    return 2.0 * math.pi * bracket * math.sqrt(diffusion * widths / whole)


# ------------------------------------------------------------------------------------------------------ first steps


def of_first_steps(dynamics: Any, method: Effective, met: Climb, found: EscapeTime) -> dict[str, float]:
    """How likely the first steps, larger or smaller than later ones, change the escape: as a share of log tau.

    Sum_t [h(c_t) - h(1)],   h(c) = c/prefactor exp(-action/c) the chance to leave in a step at c times the rate
    """
    longest = max(memories(dynamics, len(met.minimum_variance)).values(), default=0.0)
    if longest == 0.0 or math.isinf(found.prefactor):
        return {}
    number = np.unique(np.round(np.geomspace(1.0, 30.0 * longest, 400)))
    weights = np.gradient(number) if len(number) > 1 else np.ones(1)
    factor = relative_rates(dynamics, method, met.at_minimum, number)
    if factor is None:
        return {}
    with np.errstate(divide="ignore"):
        chance = np.minimum(factor / found.prefactor * np.exp(-np.minimum(found.action / factor, 700.0)), 1.0)
    later = min(exponential(-found.action) / found.prefactor, 1.0)
    more = np.sum((chance - later) * weights, axis=-1)
    # Those who leave at once count nothing: the share that is left, averaged over first gradients.
    left = float(np.mean(np.exp(-np.maximum(more, 0.0))))
    return {"first steps from rest": max(-math.log(max(left, 1e-300)), float(np.log1p(np.max(-more, initial=0.0))))}


def relative_rates(dynamics: Any, method: Effective, variance: float, number: FloatArray) -> FloatArray | None:
    """The rate at each step over the settled one, v growing as under noise alone; (n,), or (m, n) over first gradients."""
    beta2 = getattr(dynamics, "beta2", 0.0)
    seen = -np.expm1(number * math.log(beta2)) if beta2 > 0.0 else np.ones_like(number)
    settled = method.rate_at(variance)
    if isinstance(dynamics, RMSProp):
        return np.asarray(method.rate_at(variance * seen) / settled)
    if isinstance(dynamics, (AMSGrad, Padam)):
        early = np.asarray(method.rate_at(variance * seen) / settled)
        if not dynamics.corrected:
            return early * (1.0 - dynamics.beta1**number)
        return early * np.sqrt(seen) if getattr(dynamics, "corrected_as_adam", False) else None
    if isinstance(dynamics, RAdam):
        if method.power == 0.0:  # it never divides by v
            return None
        limit = 2.0 / (1.0 - beta2) - 1.0
        length = limit - 2.0 * number * (1.0 - seen) / seen
        trusted = length > dynamics.threshold
        safe = np.where(trusted, length, 5.0)
        squared = (safe - 4.0) * (safe - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * safe)
        before = 1e-9 if dynamics.rest_before else dynamics.learning_rate / settled
        return np.where(trusted, np.sqrt(squared), before)
    if isinstance(dynamics, Yogi):
        z = special.ndtri((np.arange(200) + 0.5) / 400.0 + 0.5)[:, None]
        begun = z**2 if dynamics.initial == 0.0 else np.array([[dynamics.initial / variance]])
        v = RESTING_SQUARE + (begun - RESTING_SQUARE) * np.exp(-_YOGI_PULL * (1.0 - beta2) * number)
        weight = np.ones_like(number) if dynamics.corrected else 1.0 - dynamics.beta1**number
        root = np.sqrt(seen) if dynamics.corrected and dynamics.initial > 0.0 else np.ones_like(number)
        return np.asarray(weight * root * method.rate_at(variance * v / RESTING_SQUARE) / settled)
    if isinstance(dynamics, AdaBound):
        weight = np.sqrt(seen) / (1.0 - dynamics.beta1**number) if dynamics.corrected else np.ones_like(number)
        own = dynamics.learning_rate * weight / (np.sqrt(variance * seen) + dynamics.eps) / dynamics.final_rate
        bend = dynamics.gamma * number
        return np.asarray(np.clip(own, 1.0 - 1.0 / (bend + 1.0), 1.0 + 1.0 / bend))
    return None
