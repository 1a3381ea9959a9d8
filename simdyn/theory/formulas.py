"""The mean escape time, one function per formula, from plain numbers.

Every function returns the mean time of leaving **for good**: of reaching a point well beyond the saddle. The mean first
passage of the saddle itself is half of it, since from there half of the particles fall back.

Symbols: H_a, H_b curvatures at the minimum and the saddle along the escape, dL barrier, eta learning rate, B batch
size, s the share of the barrier climbed while the noise is the minimum's. Optimizers: in steps; SDEs: in time.
Standing: [P] stated by the paper, [R] attributed to it or to its predecessor but not read from a copy, [D] derived here
or standard. The paper is Xie, Wang, Zhang, Sato, Sugiyama, ICML 2022, arXiv 2006.15815; its predecessor Xie, Sato,
Sugiyama, ICLR 2021, arXiv 2002.03495.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from simdyn.model.arrays import numbers
from simdyn.model.records import InvalidInput, flag
from simdyn.theory.divisor import divisor
from simdyn.theory.validity import FloatArray, exponential, momentum_fraction, not_negative, positive, share_in_unit


class EscapeTime(float):
    """A mean escape time, tau = prefactor exp(action): a float that remembers its two parts.

    It is infinite where a double cannot hold it; its parts are not.

    >>> time = EscapeTime(action=1000.0, prefactor=2.0)
    >>> float(time), time.action, time.prefactor
    (inf, 1000.0, 2.0)
    """

    action: float
    prefactor: float

    def __new__(cls, action: float, prefactor: float) -> "EscapeTime":
        time = super().__new__(cls, prefactor * exponential(action))
        time.action, time.prefactor = action, prefactor
        return time

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]
        return self.action, self.prefactor

    def halved(self) -> "EscapeTime":
        """The mean first passage of the saddle itself."""
        return EscapeTime(self.action, self.prefactor / 2.0)


def bracket(saddle_curvature: float, mass: float, damping: float) -> float:
    """The inertial bracket, by which inertia slows an escape.

        f = [sqrt(1 + 4 |H_b| / (gamma^2 M)) + 1] / 2

    Normalised to 1 for zero inertia: the formulas' "pi [sqrt(...) + 1]" is 2 pi f. Standing: [R] in the formulas,
    [D] as Kramers' (1940) factor for intermediate to high friction. Raises InvalidInput unless all are positive.
    """
    positive(saddle_curvature=saddle_curvature, mass=mass, damping=damping)
    return (math.sqrt(1.0 + 4.0 * saddle_curvature / (damping**2 * mass)) + 1.0) / 2.0


def sgd_escape_time(
    minimum_curvature: float,
    saddle_curvature: float,
    barrier: float,
    learning_rate: float,
    batch_size: float,
    share: float = 1.0,
    convention: float = 1.0,
) -> EscapeTime:
    """SGD with noise C = |H|/B that switches from the minimum's to the saddle's, in steps.

        tau = 2 pi / (eta H_a^{1-alpha} |H_b|^alpha) exp[ (2 B dL / eta) (s/H_a + (1-s)/|H_b|) ]

    Standing: the exponent [P], the formula at alpha = 1 [R], other alpha [D]. convention: alpha, the point at which the
    noise of a step is read. SGD reads it before the step, which is Ito, alpha = 0, prefactor 2 pi/H_a; the attributed 2
    pi/|H_b| is the Klimontovich form, alpha = 1; Stratonovich is 1/2. With noise that is the same everywhere there is
    nothing to choose and the right prefactor is Kramers', that of alpha = 1/2.

    Raises InvalidInput for numbers that are not positive, or share or convention outside [0, 1]. Warns
    (ValidityWarning) at an action below 3 and at eta H_a above 0.5. Where the noise jumps, the discrete chain tends to the
    Ito form only if B shrinks with eta, the exponent held: at fixed B single jumps across the split change the prefactor,
    to between this form's and Ito's; `escape_time` counts their distance among what the formula leaves out.

    >>> time = sgd_escape_time(8.0, 4.0, barrier=1.0, learning_rate=0.1, batch_size=2.0, share=0.4)
    >>> round(time.action, 12), round(time.prefactor, 4), round(time)
    (8.0, 15.708, 46825)
    """
    positive(minimum_curvature=minimum_curvature, saddle_curvature=saddle_curvature, barrier=barrier)
    positive(learning_rate=learning_rate, batch_size=batch_size)
    share_in_unit(share=share, convention=convention)
    climbed = share / minimum_curvature + (1.0 - share) / saddle_curvature
    curvature = minimum_curvature ** (1.0 - convention) * saddle_curvature**convention
    return EscapeTime(2.0 * batch_size * barrier / learning_rate * climbed, 2.0 * math.pi / (learning_rate * curvature))


def momentum_escape_time(
    minimum_curvature: float,
    saddle_curvature: float,
    barrier: float,
    learning_rate: float,
    batch_size: float,
    beta1: float,
    beta3: float,
    share: float = 1.0,
    convention: float = 1.0,
) -> EscapeTime:
    """Momentum, in steps: with gamma = (1-beta1)/eta, M = eta/beta3, so that gamma M = (1-beta1)/beta3,

        tau = (gamma M) pi [sqrt(1 + 4 |H_b|/(gamma^2 M)) + 1] / (eta |H_b|) exp[ (2 gamma M B dL/eta)(s/H_a +
        (1-s)/|H_b|) ]

    Standing: the exponent [P]; the formula [R] but for two things. The leading gamma M, which dimensions ask for, is
    [D]: 1 for EMA, beta3 = 1-beta1, and 1-beta1 for the heavy ball, beta3 = 1. The attributed time is continuous:
    divided by eta here. convention: as for SGD, |H_b| -> H_a^{1-alpha} |H_b|^alpha outside the bracket; constant
    friction tends to Ito too [D].

    Raises InvalidInput for numbers out of range. Warns as SGD's, of eta beta3 H_a; of low damping, which takes an orbit to
    tell, `escape_time` warns.
    """
    momentum_fraction(beta1)
    positive(beta3=beta3)
    weight = (1.0 - beta1) / beta3
    plain = sgd_escape_time(minimum_curvature, saddle_curvature, barrier, learning_rate, batch_size, share, convention)
    inertia = bracket(saddle_curvature, mass=learning_rate / beta3, damping=(1.0 - beta1) / learning_rate)
    return EscapeTime(weight * plain.action, weight * inertia * plain.prefactor)


def adai_escape_time(
    minimum_curvature: float,
    saddle_curvature: float,
    barrier: float,
    learning_rate: float,
    batch_size: float,
    beta0: float,
    share: float = 1.0,
    convention: float = 1.0,
) -> EscapeTime:
    """Adai, in steps: the formula of EMA Momentum with 1-beta1 -> beta0.

        tau = pi [sqrt(1 + 4 eta |H_b|/beta0) + 1] / (eta |H_b|) exp[ (2 B dL/eta)(s/H_a + (1-s)/|H_b|) ]

    Standing: the exponent, SGD's, [R]; the bracket [D]. beta0 stands for beta0 v_e/vbar: the escape's share of the
    second moments is taken as average. Raises InvalidInput for numbers out of range. Warns as
    Momentum's; of clipping, which takes all coordinates to tell, `escape_time` warns.
    """
    positive(beta0=beta0)
    plain = sgd_escape_time(minimum_curvature, saddle_curvature, barrier, learning_rate, batch_size, share, convention)
    inertia = bracket(saddle_curvature, mass=learning_rate / beta0, damping=beta0 / learning_rate)
    return EscapeTime(plain.action, inertia * plain.prefactor)


def adam_escape_time(
    minimum_curvature: float,
    saddle_curvature: float,
    barrier: float,
    learning_rate: float,
    batch_size: float,
    beta1: float,
    share: float = 1.0,
    determinant_ratio: float | None = None,
    eps: float = 0.0,
    eps_inside_root: bool = False,
) -> EscapeTime:
    """Adam whose v is the noise's own variance C_i = |H_i|/B, in steps. With p_i what divides the gradient there,

        p = sqrt(v) + eps, or sqrt(v + eps) with eps_inside_root,   p_i at v = C_i,
        tau = (p_b/eta) pi [sqrt(1 + 4 eta |H_b|/((1-beta1) p_b)) + 1] (p_b/p_a)^{1/2} Delta^{1/4} / |H_b|
              exp[ (2 dL/eta)(s p_a/C_a + (1-s) p_b/C_b) ],    Delta = |det(H_a^{-1} H_b)| H_a/|H_b|

    which at eps = 0 is the formula attributed to the paper,

        tau = sqrt(|H_b|/B)/eta  pi [sqrt(1 + 4 eta sqrt(B |H_b|)/(1-beta1)) + 1] |det(H_a^{-1} H_b)|^{1/4} / |H_b|
              exp[ (2 sqrt(B) dL/eta)(s/sqrt(H_a) + (1-s)/sqrt|H_b|) ]

    Standing: the exponent at eps = 0 [P], the formula there [R]; the first factor [D]: the attributed time counts in
    steps of eta v_b^{-1/2}, and this factor turns it into iterations. With eps [D], drift eta L'/p and diffusion eta^2
    C/(2 p^2) per step; where eps dominates it is SGD's attributed form at the rate eta/eps. determinant_ratio: |det(H_a^{-1}
    H_b)|, by default that of one dimension, |H_b|/H_a.

    At eps = 0 and with f apart it is exact on matched parabolas where v = |H|/B piece by piece: the noise of a step, eta
    C^{1/2}/v^{1/2}, is then the same everywhere, and there is no convention to choose. With noise that is the same
    everywhere, and B read as H_a/C, the right prefactor is (H_a/|H_b|)^{1/4} times this one, in one dimension [D].

    Raises InvalidInput for numbers out of range. Warns (ValidityWarning) at an action below 3, and at a step with (omega_a
    dt)^2 = (1-beta1) eta H_a/p_a above 0.5. `escape_time` tells where v is not C: as it holds squared slopes, fluctuates, or
    is not settled yet.
    """
    momentum_fraction(beta1)
    positive(minimum_curvature=minimum_curvature, saddle_curvature=saddle_curvature, barrier=barrier)
    positive(learning_rate=learning_rate, batch_size=batch_size)
    share_in_unit(share=share)
    not_negative(eps=eps)
    inside = flag("eps_inside_root", eps_inside_root)
    ratio = saddle_curvature / minimum_curvature if determinant_ratio is None else determinant_ratio
    positive(determinant_ratio=ratio)
    here, there = minimum_curvature / batch_size, saddle_curvature / batch_size
    slow, fast = (learning_rate / divisor(variance, 0.5, eps, inside) for variance in (here, there))
    inertia = bracket(saddle_curvature, mass=fast / (1.0 - beta1), damping=(1.0 - beta1) / fast)
    others = ratio * minimum_curvature / saddle_curvature
    return EscapeTime(
        2.0 * barrier * (share / (slow * here) + (1.0 - share) / (fast * there)),
        2.0 * math.pi * inertia * math.sqrt(slow / fast) * others**0.25 / (fast * saddle_curvature),
    )


def kramers_escape_time(
    minimum_hessian: ArrayLike, saddle_hessian: ArrayLike, barrier: float, diffusion: float
) -> EscapeTime:
    """Overdamped Langevin with constant D, in time (Kramers 1940; Eyring-Kramers in d dimensions).

        tau = 2 pi/|H_be| sqrt(|det H_b|/det H_a) exp(dL/D)

    minimum_hessian, saddle_hessian: (d, d), or numbers in one dimension. Standing: [D], standard.
    Raises InvalidInput for numbers that are not positive, or a saddle without exactly one negative eigenvalue.
    Warns (ValidityWarning) at dL/D below 3.

    >>> round(kramers_escape_time(8.0, -4.0, barrier=1.0, diffusion=1 / 3), 3)
    22.309
    """
    positive(barrier=barrier, diffusion=diffusion)
    descent, ratio = _descent(minimum_hessian, saddle_hessian)
    return EscapeTime(barrier / diffusion, 2.0 * math.pi / descent * math.sqrt(ratio))


def inertial_kramers_escape_time(
    minimum_hessian: ArrayLike, saddle_hessian: ArrayLike, barrier: float, diffusion: float, mass: float, damping: float
) -> EscapeTime:
    """Inertial Langevin with constant D at intermediate to high friction, in time (Kramers 1940).

        tau = 2 pi gamma M f/|H_be| sqrt(|det H_b|/det H_a) exp(dL/T),   T = D/(gamma M),
        f = [sqrt(1 + 4 |H_be|/(gamma^2 M)) + 1] / 2

    Standing: [D], standard. Shapes, what is raised: as `kramers_escape_time`.
    Warns (ValidityWarning) at dL/T below 3. At low damping it is too fast by 1/`depopulation_factor`: `escape_time`, which
    knows the orbit, warns of that.
    """
    positive(barrier=barrier, diffusion=diffusion, mass=mass, damping=damping)
    descent, ratio = _descent(minimum_hessian, saddle_hessian)
    drag = damping * mass
    inertia = bracket(descent, mass, damping)
    return EscapeTime(barrier * drag / diffusion, 2.0 * math.pi * drag * inertia / descent * math.sqrt(ratio))


def _descent(minimum_hessian: ArrayLike, saddle_hessian: ArrayLike) -> tuple[float, float]:
    """|H_be| and |det H_b|/det H_a."""
    at_minimum, at_saddle = _square(minimum_hessian), _square(saddle_hessian)
    if at_minimum.shape != at_saddle.shape:
        raise InvalidInput(f"the two Hessians must have one shape, not {at_minimum.shape} and {at_saddle.shape}")
    well, top = np.linalg.eigvalsh(at_minimum), np.linalg.eigvalsh(at_saddle)
    if well[0] <= 0.0:
        raise InvalidInput("minimum_hessian must have positive eigenvalues only")
    if np.sum(top < 0.0) != 1 or np.any(top == 0.0):
        raise InvalidInput("saddle_hessian must have exactly one negative eigenvalue")
    return float(-top[0]), float(np.prod(np.abs(top) / well))


def _square(hessian: ArrayLike) -> FloatArray:
    matrix = np.atleast_2d(numbers("a Hessian", hessian, "a finite square matrix, or a number"))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InvalidInput("a Hessian must be a finite square matrix, or a number")
    return matrix
