"""Escape times of the other optimizers: most are EMA momentum whose learning rate is divided by a power of v.

What differs between them is five numbers (`Effective`), found by `effective`; one formula serves them all, and becomes
that of SGD, of EMA Momentum and of Adam where those numbers are theirs.
"""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from simdyn.model.dynamics.adabound import AdaBound
from simdyn.model.dynamics.adai import Adai, AdaiV2, AdaiW
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.adamw import AdamW
from simdyn.model.dynamics.amsgrad import AMSGrad
from simdyn.model.dynamics.padam import Padam
from simdyn.model.dynamics.radam import RAdam
from simdyn.model.dynamics.rmsprop import RMSProp
from simdyn.model.dynamics.sgd import SGD, Momentum, Nesterov
from simdyn.model.dynamics.signsgd import SignSGD
from simdyn.model.dynamics.yogi import RESTING_SQUARE, Yogi
from simdyn.model.records import NON_NEGATIVE, Allowed, InvalidInput, number
from simdyn.theory.divisor import divisor
from simdyn.theory.formulas import EscapeTime
from simdyn.theory.passage import Climb, Passage, split_point
from simdyn.theory.validity import FloatArray, name_of, positive, share_in_unit, warn

OPTIMIZERS = Nesterov | RMSProp | SignSGD | AdamW | AMSGrad | Padam | Yogi | RAdam | AdaBound | AdaiW | AdaiV2
_UP_TO_HALF = Allowed("a number in [0, 1/2]", lambda value: 0 <= value <= 0.5)
LOWEST_BETA2 = 0.98  # of `highest_average`
_SIGN = math.sqrt(2.0 / math.pi)  # slope of E[sign(x + z)] at x = 0, z standard normal


class Effective(NamedTuple):
    """What a method is while it escapes: per step a drift -r eta L'/p and a diffusion D = eta^2 (r/a) C/(2 p^2), with

        p = (C^{1/2} + eps)^{2q},   with eps_inside_root (C + eps)^q

    rate: eta; forgetting: 1 - beta1, infinite for a method without memory; power: q; drift: r; hold: a, the action over
    that of v = C. Where v rests at u C, r = u^-q and a = u^q. decay: by what share of itself theta shrinks in a step.
    eps: the record's over u^{1/2}, inside the root over u.
    """

    rate: float
    forgetting: float
    power: float = 0.0
    drift: float = 1.0
    hold: float = 1.0
    decay: float = 0.0
    eps: float = 0.0
    eps_inside_root: bool = False

    def rate_at(self, variance: Any) -> Any:
        """The learning rate that stands before the gradient where the noise is C, or v what it is where the noise is C."""
        return self.drift * self.rate / divisor(variance, self.power, self.eps, self.eps_inside_root)

    def temperature(self, variance: Any, v: Any = None) -> Any:
        """D over the drift's rate, which a step of height dL is climbed against: (action of a piece) = dL over it.

        v: what stands for C in p, where that is not C itself.
        """
        return self.rate_at(variance if v is None else v) * variance / (2.0 * self.drift * self.hold)


@singledispatch
def effective(dynamics: Any, ratio: float = 1.0) -> Effective:
    """The five numbers of an optimizer. ratio: C_e over the mean of C over all coordinates, which AdaiV2 alone looks at.

        Nesterov   eta beta3/(1-beta1), q 0: Momentum to leading order; the look ahead adds eta beta1 beta3 H to 1-beta1
        RMSProp    q 1/2, no memory
        AdamW, AMSGrad, RAdam   Adam: q 1/2. AMSGrad's v_max exceeds C, more so the longer it runs (`highest_average`),
                   and its a is the root of that; RAdam's warm-up is over after some 1/(1-beta2) steps
        Padam      q = `power`: v_max^q divides; without v_max v^q
        Yogi       q 1/2, u = 2.366, where E[sign(v - g^2) g^2] = 0: a = 1.538
        AdaBound   eta its final rate, q 0: both bounds have met it
        AdaiW      Adai: eta, beta0, q 0
        AdaiV2     that with eta -> eta ratio^-((1-D)/(3-2D)), as beta1 and beta3 no longer cancel; beta0 as Adai's
        SignSGD    q 1/2, r = (2/pi)^{1/2} ((1+beta1)/(1-beta1))^{1/2}, a = r/S, S = 1 + (4/pi) Sum_n arcsin(beta1^n):
                   drift eta E[sign(m)], and steps of size eta correlated as sign(m) is: D = eta^2 S/2 per step.
                   beta1 = 0: r = a = (2/pi)^{1/2}, S = 1

    SGD, Momentum, Adai and Adam have their own formulas; their numbers are here too. RAdam whose beta2 is so low that it
    never divides by v is EMA momentum: q 0.

    Standing: [D]. They describe a method whose v has settled and holds noise alone: `escape_time` and `rates` tell where
    that is not so. v_max is taken as C: what it exceeds C by, to the power q, grows with the escape time, and a fit of A
    finds 1.10 times as much for AMSGrad at beta2 = 0.999, exponents 4 to 9. Raises InvalidInput for other dynamics, for
    AdaiV2 where its momentum is clipped, and for RAdam that rests forever.

    >>> round(effective(Yogi(0.1)).hold, 3), round(effective(SignSGD(0.1)).hold, 3), effective(Padam(0.1)).power
    (1.538, 0.798, 0.125)
    """
    raise InvalidInput(f"{name_of(dynamics)}: it is not known as momentum with an effective learning rate")


@effective.register
def _sgd(dynamics: SGD, ratio: float = 1.0) -> Effective:
    return Effective(dynamics.learning_rate, math.inf)


@effective.register
def _momentum(dynamics: Momentum | Nesterov, ratio: float = 1.0) -> Effective:
    forgetting = 1.0 - dynamics.beta1
    return Effective(dynamics.learning_rate * dynamics.beta3 / forgetting, forgetting)


@effective.register
def _rmsprop(dynamics: RMSProp, ratio: float = 1.0) -> Effective:
    return Effective(dynamics.learning_rate, math.inf, 0.5, **_eps(dynamics))


@effective.register
def _as_adam(dynamics: Adam | AMSGrad, ratio: float = 1.0) -> Effective:
    return Effective(dynamics.learning_rate, 1.0 - dynamics.beta1, 0.5, **_eps(dynamics))


@effective.register
def _radam(dynamics: RAdam, ratio: float = 1.0) -> Effective:
    if 2.0 / (1.0 - dynamics.beta2) - 1.0 > dynamics.threshold:
        return Effective(dynamics.learning_rate, 1.0 - dynamics.beta1, 0.5, **_eps(dynamics))
    if dynamics.rest_before:
        raise InvalidInput(f"RAdam: at beta2 = {dynamics.beta2:g} it rests forever, v being never trusted")
    return Effective(dynamics.learning_rate, 1.0 - dynamics.beta1)


@effective.register
def _adamw(dynamics: AdamW, ratio: float = 1.0) -> Effective:
    decay = dynamics.weight_decay * (dynamics.learning_rate if dynamics.decay_times_rate else 1.0)
    return Effective(dynamics.learning_rate, 1.0 - dynamics.beta1, 0.5, decay=decay, **_eps(dynamics))


@effective.register
def _padam(dynamics: Padam, ratio: float = 1.0) -> Effective:
    return Effective(dynamics.learning_rate, 1.0 - dynamics.beta1, dynamics.power, eps=dynamics.eps)


@effective.register
def _yogi(dynamics: Yogi, ratio: float = 1.0) -> Effective:
    root = math.sqrt(RESTING_SQUARE)
    rate, eps = dynamics.learning_rate, dynamics.eps / root
    return Effective(rate, 1.0 - dynamics.beta1, 0.5, 1.0 / root, root, eps=eps)


def _eps(dynamics: Any) -> dict[str, Any]:
    return {"eps": dynamics.eps, "eps_inside_root": getattr(dynamics, "eps_inside_root", False)}


@effective.register
def _adabound(dynamics: AdaBound, ratio: float = 1.0) -> Effective:
    return Effective(dynamics.final_rate, 1.0 - dynamics.beta1)


@effective.register
def _adai(dynamics: Adai | AdaiW, ratio: float = 1.0) -> Effective:
    decay = dynamics.learning_rate * getattr(dynamics, "weight_decay", 0.0)
    return Effective(dynamics.learning_rate, dynamics.beta0, decay=decay)


@effective.register
def _adaiv2(dynamics: AdaiV2, ratio: float = 1.0) -> Effective:
    root = 1.0 / (3.0 - 2.0 * dynamics.dampening)
    forgetting = dynamics.beta0 * ratio**root
    if not dynamics.eps < forgetting < 1.0:
        raise InvalidInput(f"AdaiV2: beta0 (C_e/mean(C))^{root:.3g} is {forgetting:.3g}, where its momentum is clipped")
    drag = ratio ** (root * (1.0 - dynamics.dampening))
    return Effective(dynamics.learning_rate / drag, dynamics.beta0)


@effective.register
def _signsgd(dynamics: SignSGD, ratio: float = 1.0) -> Effective:
    beta1, spread = dynamics.beta1, 1.0
    if beta1 > 0.0:
        lags = np.arange(1, 2 + math.ceil(-40.0 / math.log(beta1)))
        spread += 4.0 / math.pi * float(np.sum(np.arcsin(beta1**lags)))
    slope = _SIGN * math.sqrt((1.0 + beta1) / (1.0 - beta1))
    return Effective(dynamics.learning_rate, 1.0 - beta1 if beta1 > 0.0 else math.inf, 0.5, slope, slope / spread)


def effective_escape_time(
    minimum_curvature: float,
    saddle_curvature: float,
    barrier: float,
    method: Effective,
    batch_size: float,
    share: float = 1.0,
    convention: float = 1.0,
    determinant_ratio: float | None = None,
) -> EscapeTime:
    """Any of these optimizers with noise C = |H|/B that switches from the minimum's to the saddle's, in steps.

        tau = 2 pi f (D_b/D_a)^{1/2-alpha} Delta^{q/2} / (H_a eta_a |H_b| eta_b)^{1/2}
              exp[ (2 a dL/eta) (s p_a/C_a + (1-s) p_b/C_b) ],      C_i = |H_i|/B,   p_i = (C_i^{1/2} + eps)^{2q},
        eta_i = r eta/p_i,   D_b/D_a = eta_b^2 C_b/(eta_a^2 C_a),   f = [sqrt(1 + 4 eta_b |H_b|/(1-beta1)) + 1]/2

    Delta = |det(H_a^{-1} H_b)| H_a/|H_b|, of the other directions, 1 in one dimension. determinant_ratio: the
    determinant. q = 0: EMA Momentum, and SGD without memory; q = 1/2: Adam. convention: alpha; at eps = 0 D_b/D_a is
    (|H_b|/H_a)^{1-2q}, so at q = 1/2 there is nothing to choose. With noise that is the same everywhere, and B read as H_a/C, the
    right prefactor is 2 pi f/(eta_a sqrt(H_a |H_b|)) in one dimension. method.decay is not looked at here.

    Standing: [D], Laplace's method as for `sgd_escape_time` with D and drift of each piece. Raises InvalidInput for
    numbers out of range. Warns (ValidityWarning) as `adam_escape_time`.

    >>> time = effective_escape_time(8.0, 4.0, 1.0, effective(RMSProp(0.0707)), batch_size=1.0)
    >>> round(time.action, 2), round(time.prefactor, 1)
    (10.0, 37.4)
    """
    positive(minimum_curvature=minimum_curvature, saddle_curvature=saddle_curvature, barrier=barrier)
    positive(batch_size=batch_size, rate=method.rate, drift=method.drift, hold=method.hold)
    share_in_unit(share=share, convention=convention)
    power = number("power", method.power, _UP_TO_HALF)
    ratio = saddle_curvature / minimum_curvature
    others = 1.0 if determinant_ratio is None else determinant_ratio / ratio
    positive(determinant_ratio=others)
    slow, fast = (method.rate_at(curvature / batch_size) for curvature in (minimum_curvature, saddle_curvature))
    inertia = (math.sqrt(1.0 + 4.0 * fast * saddle_curvature / method.forgetting) + 1.0) / 2.0
    here, there = minimum_curvature / batch_size, saddle_curvature / batch_size
    climbed = share / method.temperature(here) + (1.0 - share) / method.temperature(there)
    read = (ratio * (fast / slow) ** 2) ** (0.5 - convention) * others ** (power / 2.0)
    return EscapeTime(
        barrier * climbed,
        2.0 * math.pi * inertia * read / math.sqrt(minimum_curvature * slow * saddle_curvature * fast),
    )


def decay_action(method: Effective, way: Passage, met: Climb) -> float:
    """By how much decoupled weight decay lowers the action, to first order in its strength.

        decay Sum_j [ (a_j^2 - c_j^2)/(2 D_a,j) + (c_j^2 - b_j^2)/(2 D_b,j) ],   2 D_j = eta^2 (r/a) C_j/p_j^2

    c: where the noise switches; a factor and point of one name apart by their index. A step that shrinks theta by the
    share `decay` is a drift -decay theta, whatever v is, and the diffusion D per step is climbed against it. For Adam,
    D = eta^2/2 and decay = eta w: w (|a|^2 - |b|^2)/eta. Standing: [D], first order in decay over
    eta_a H_a and over 1-beta1, decay being friction as well: `escape_time` counts both among what is left out.
    """
    if method.decay == 0.0:
        return 0.0
    turn = way.saddle if met.share == 1.0 else split_point(way)

    def squares(start: FloatArray, end: FloatArray, variance: FloatArray) -> float:
        noise = 2.0 * method.temperature(variance) * method.rate_at(variance)  # 2 D
        return float(np.sum((start**2 - end**2) / noise))

    before = squares(way.minimum, turn, met.minimum_variance)
    return method.decay * (before + squares(turn, way.saddle, met.saddle_variance))


def optimizer_at(dynamics: Any, met: Climb | None) -> Effective:
    """`effective` with the ratio that the noise at the minimum has, or 1 where no noise is given."""
    return effective(dynamics, 1.0 if met is None else met.at_minimum / float(np.mean(met.minimum_variance)))


def optimizer_escape_time(dynamics: Any, way: Passage, met: Climb, convention: float) -> EscapeTime:
    """`effective_escape_time` of a record on a passage, its weight decay included.

    Raises InvalidInput where weight decay or AdaBound's bounds leave no formula: decay that takes more than half of the
    barrier; an escape that is over before the bounds have met, tau < 1/gamma.
    """
    method = optimizer_at(dynamics, met)
    curvatures = way.minimum_curvature, way.saddle_curvature
    found = effective_escape_time(
        *curvatures, way.barrier, method, met.batch_size, met.share, convention, way.determinant_ratio
    )
    lowered = decay_action(method, way, met)
    if lowered > found.action / 2.0:
        raise InvalidInput(f"{name_of(dynamics)}: weight decay takes {lowered / found.action:.0%} of the barrier away")
    if isinstance(dynamics, AdaBound) and found * dynamics.gamma < 1.0:
        raise InvalidInput(f"AdaBound: the escape takes {float(found):.3g} steps, its bounds meet after 1/gamma = "
                           f"{1.0 / dynamics.gamma:.3g}")  # fmt: skip
    return EscapeTime(found.action - lowered, found.prefactor)


def unsharpened(dynamics: Any, sharpness: float) -> Any:
    """The optimizer that on L, with noise C, does what this one does on L(k^{1/2} theta) with noise k C: exactly.

        eta -> k^{1-q} eta, its decay per step the same; eps -> k^{-1/2} eps, inside the root and Yogi's v_0: 1/k;
        AdaBound's final rate -> k times it (its eta: k^{1/2})

    In the coordinate k^{1/2} theta, gradients are k^{-1/2} times as large and v is 1/k of itself. sharpness: k. Standing:
    [D], an identity of every path, up to first steps of two methods: RAdam's where it does not divide by v yet
    (`rest_before`: all), Yogi's where its m begins at a positive `initial`. Raises InvalidInput for k that is not
    positive, and for dynamics without `effective` numbers.
    """
    positive(sharpness=sharpness)
    root = math.sqrt(sharpness)
    if isinstance(dynamics, AdaBound):
        rates = dynamics.learning_rate * root, dynamics.final_rate * sharpness
        return dynamics._replace(learning_rate=rates[0], final_rate=rates[1], eps=dynamics.eps / root)
    method = effective(dynamics)
    factor = sharpness ** (1.0 - method.power)
    changed = {"learning_rate": dynamics.learning_rate * factor}
    if method.power > 0.0 and hasattr(dynamics, "eps"):
        changed["eps"] = dynamics.eps / (sharpness if method.eps_inside_root else root)
    if hasattr(dynamics, "initial"):
        changed["initial"] = dynamics.initial / sharpness
    if getattr(dynamics, "weight_decay", 0.0) > 0.0 and getattr(dynamics, "decay_times_rate", True):
        changed["weight_decay"] = dynamics.weight_decay / factor
    return dynamics._replace(**changed)


def highest_average(beta2: float, steps: float) -> float:
    """How high AMSGrad's v_max stands after so many steps of Gaussian noise alone, in units of C (median over paths).

        steps (1-beta2) (u - 1) p(u) = ln 2,   p the gamma density of mean 1 and shape n = (1+beta2)/(2 (1-beta2))

    v is a moving average of C chi square, of mean C and variance C^2/n. The left side is the probability flux over the
    level u, at high u the density times the speed (1-beta2)(u-1) at which v falls back. It grows without bound, like
    log(steps): under Gaussian noise v_max has no limit. Standing: [D]. Raises InvalidInput for beta2 outside (0, 1) or
    fewer steps than 3/(1-beta2). Warns (ValidityWarning) at beta2 below 0.98: the tail of v is thicker than the gamma law's
    then.

    >>> round(highest_average(0.999, 1e5), 3)
    1.105
    """
    if not 0.0 < number("beta2", beta2, NON_NEGATIVE) < 1.0:
        raise InvalidInput(f"beta2 must be a number in (0, 1), not {beta2!r}")
    if not steps * (1.0 - beta2) >= 3.0:
        raise InvalidInput(f"steps must be at least 3/(1-beta2) = {3.0 / (1.0 - beta2):.3g}, not {steps!r}")
    if beta2 < LOWEST_BETA2:
        warn(f"beta2 is {beta2:g}: below {LOWEST_BETA2:g} v_max stands higher than this says")
    return level_reached(beta2, steps)


def level_reached(beta2: float, steps: float) -> float:
    """`highest_average`, unchecked."""
    shape = (1.0 + beta2) / (2.0 * (1.0 - beta2))
    law = stats.gamma(shape, scale=1.0 / shape)

    def excess(level: float) -> float:
        return float(math.log(steps * (1.0 - beta2) * (level - 1.0) / math.log(2.0)) + law.logpdf(level))

    turn = 1.0 + 1.0 / math.sqrt(shape)  # near the largest flux: the wanted root lies above
    if excess(turn) <= 0.0:
        return turn  # so few steps that hardly any path has been higher
    highest = 1.0 + 40.0 / math.sqrt(shape) + 800.0 / shape
    return float(optimize.brentq(excess, turn, highest))
