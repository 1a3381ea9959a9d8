"""Mean first passage without sampling: which method answers for which dynamics."""

from functools import singledispatch
from typing import Any

from numpy.typing import ArrayLike

from simdyn.exact.adam_chain import adam_chain
from simdyn.exact.bias_corrected import from_bias_corrected_rest
from simdyn.exact.chain import Scheme, chain
from simdyn.exact.energy import energy_diffusion
from simdyn.exact.klein_kramers import klein_kramers
from simdyn.exact.line import Line, line_through
from simdyn.exact.momentum_chain import Positions, momentum_chain
from simdyn.exact.planar import is_coupled_plane, planar_first_passage
from simdyn.exact.quadrature import quadrature
from simdyn.exact.result import Exact
from simdyn.model.dynamics.adai import Adai
from simdyn.model.dynamics.adam import Adam
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import SGD, Momentum
from simdyn.model.landscapes import dimension
from simdyn.model.records import Allowed, InvalidInput, flag, number

GOOD, FAIR = 2e-3, 1e-2  # relative errors
_SHARE = Allowed("a number in [0, 1]", lambda value: 0 <= value <= 1)


def mean_first_passage(
    dynamics: Any, landscape: Any, noise: Any, boundary: Any, start: ArrayLike, convention: float = 0.0
) -> Exact:
    """The mean first passage from `start` to the boundary: in steps for optimizers, in time for SDEs.

        SGD         tau(x) = 1 + Int_{alive} p(x -> y) tau(y) dy,  p Gaussian: the Markov chain it is (`chain`)
        Momentum    the same of pairs (x_{t-1}, x_t), from rest: marched until it has settled (`momentum_chain`)
        Adai        in one dimension v^/vbar = 1: Momentum with beta1 = 1 - beta0, its first steps bias-corrected
                    (`bias_corrected`)
        Overdamped  tau = Int_{start}^{end} dy e^{Phi} D^{-alpha} Int_{-inf}^{y} dz e^{-Phi} D^{alpha-1}  (`quadrature`);
                    in two coupled dimensions L* tau = -1 on grids  (`planar`)
        Inertial    r d tau/d theta - (gamma r + L'/M) d tau/dr + (D/M^2) d^2 tau/dr^2 = -1, from rest
                    (`klein_kramers`); `energy` where the damping is so low that its error is
                    below 0.2 %, or lower than that of the splines
        Adam        tau(x, m, v) likewise, on a grid and to about 1 %, at moderate barriers (`adam_chain`)

    Momentum with beta1 = 0 is SGD; its relative error is some 1e-7, at most 1e-4 where the answer takes half a minute,
    1e-3 where more would take minutes, up to tau ~ 1e250. boundary: Beyond a position of one coordinate, the start on
    its left. One dimension, or a coordinate that is decoupled from the others in landscape and noise: Valley,
    WithBath, Quadratic, Saddle, StyblinskiTang, and Sharpened ones; for Overdamped also two coupled dimensions, and BeyondPlane
    in any direction. start: a number, or one per coordinate. convention: alpha, of Overdamped only: 0 Ito, as it is
    simulated, 1/2 Stratonovich, 1 Klimontovich.

    Returns value and error, an estimate of the absolute numerical error; and log10 and relative_error, which are also
    there where the value exceeds the largest double (SGD, Overdamped on a line, Inertial at very low damping), up to
    barriers of 1e4 times what the noise lifts. Standing: [D], exact but for that error; in the plane and for Inertial as
    their errors tell. Where the particle is held so weakly on the left that its law falls as a power of the distance,
    that tail is followed, or for Overdamped extrapolated. Raises InvalidInput for dynamics without a method here,
    coordinates that are coupled, a start at or beyond the boundary, a landscape that does not hold the particle on the
    left, so that its mean is infinite, tails too heavy for the method, noise that vanishes or is not Gaussian, and
    chains that would take minutes. Warns (ModelWarning) where TwoPieceNoise is met past the saddle of wells that differ.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> tau = mean_first_passage(Overdamped(dt=0.01), DoubleWell(1, 1), ConstantNoise(2 / 3), Beyond(0.0), start=-1.0)
    >>> round(float(tau), 4)
    12.6984
    """
    share = number("convention", convention, _SHARE)
    if share != 0.0 and not isinstance(dynamics, Overdamped):
        raise InvalidInput("convention is for Overdamped: an optimizer evaluates its noise before the step")
    if isinstance(dynamics, Overdamped) and is_coupled_plane(landscape, noise, boundary):
        return planar_first_passage(landscape, noise, boundary, start, share)
    if isinstance(dynamics, Adai) and dimension(landscape) > 1:
        raise InvalidInput("Adai: its coordinates feel each other through the mean of v: exact in one dimension only")
    return _passage(dynamics, line_through(landscape, noise, boundary, start), share)


@singledispatch
def _passage(dynamics: Any, line: Line, convention: float) -> Exact:
    raise InvalidInput(
        f"{type(dynamics).__name__}: no exact first passage; there is one for SGD, Momentum, Adam, Adai, "
        "Overdamped and Inertial. Simulate it instead"
    )


@_passage.register
def _sgd_passage(dynamics: SGD, line: Line, convention: float) -> Exact:
    return chain(Scheme(line, dynamics.learning_rate, dynamics.learning_rate**2))


@_passage.register
def _momentum_passage(dynamics: Momentum, line: Line, convention: float) -> Exact:
    rate = dynamics.learning_rate * dynamics.beta3
    if dynamics.beta1 == 0.0:
        return chain(Scheme(line, rate, rate**2))
    return momentum_chain(Positions(line, dynamics.beta1, rate))


@_passage.register
def _adai_passage(dynamics: Adai, line: Line, convention: float) -> Exact:
    beta1 = min(max(1.0 - dynamics.beta0, 0.0), 1.0 - dynamics.eps)
    if beta1 == 0.0:
        return chain(Scheme(line, dynamics.learning_rate, dynamics.learning_rate**2))
    positions = Positions(line, beta1, (1.0 - beta1) * dynamics.learning_rate)
    return momentum_chain(positions, from_bias_corrected_rest)


@_passage.register
def _adam_passage(dynamics: Adam, line: Line, convention: float) -> Exact:
    return adam_chain(dynamics, line)


@_passage.register
def _overdamped_passage(dynamics: Overdamped, line: Line, convention: float) -> Exact:
    return quadrature(line, convention)


@_passage.register
def _inertial_passage(dynamics: Inertial, line: Line, convention: float) -> Exact:
    averaged: Any = _or_refusal(energy_diffusion, dynamics, line)
    if isinstance(averaged, Exact) and averaged.relative_error < GOOD:
        return averaged
    answer = _or_refusal(klein_kramers, dynamics, line)
    fair = isinstance(averaged, Exact) and averaged.relative_error < FAIR
    if fair and (isinstance(answer, InvalidInput) or averaged.relative_error < answer.relative_error):
        return averaged
    if isinstance(answer, InvalidInput):
        raise answer
    return answer


def _or_refusal(method: Any, dynamics: Inertial, line: Line) -> Exact | InvalidInput:
    try:
        return method(dynamics, line)
    except InvalidInput as refusal:
        return refusal


def mean_first_passage_of_scheme(
    overdamped: Overdamped, landscape: Any, noise: Any, boundary: Any, start: ArrayLike, bridge: bool = False
) -> Exact:
    """The mean first passage of the Euler-Maruyama chain of Overdamped, in steps; times dt in time.

        x' = x - dt L'(x) + (dt C(x))^{1/2} z,    a step seen at its end only

    What a simulation with that dt converges to: at the saddle it exceeds the equation's own at order sqrt(dt). bridge:
    a step also leaves with the chance exp(-2 (b-x)(b-y)/(dt C(x))) that the Brownian bridge between its ends touched b.
    Arguments, result and what is raised: as `mean_first_passage`.

    >>> from simdyn.model.boundaries import Beyond
    >>> from simdyn.model.landscapes import DoubleWell
    >>> from simdyn.model.noise import ConstantNoise
    >>> steps = mean_first_passage_of_scheme(Overdamped(0.005), DoubleWell(1, 1), ConstantNoise(2 / 3), Beyond(0), -1.0)
    >>> round(float(steps), 1)
    2750.5
    """
    if not isinstance(overdamped, Overdamped):
        raise InvalidInput(f"{type(overdamped).__name__}: mean_first_passage_of_scheme is for Overdamped")
    return chain(
        Scheme(line_through(landscape, noise, boundary, start), overdamped.dt, overdamped.dt, flag("bridge", bridge))
    )
