"""Escape rates, one function per formula, from plain numbers: 1/tau of leaving **for good**, per unit of time.

Symbols: H_a, H_b the Hessians at minimum and saddle, dL the barrier, M mass, gamma damping, T temperature, omega_a^2 =
H_ae/M, omega_b^2 = |H_be|/M, I_b the action of the orbit that starts and ends on the saddle. Standing of all: [D],
standard; the review is Hanggi, Talkner and Borkovec, Rev. Mod. Phys. 62, 251 (1990). All hold for dL/T well above 1.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import interpolate

from simdyn.model.arrays import numbers
from simdyn.model.records import InvalidInput
from simdyn.theory.damping import depopulation_factor
from simdyn.theory.formulas import _descent, _square, kramers_escape_time
from simdyn.theory.validity import FloatArray, positive, warn

LOWEST_ACTION = 3.0  # below it an escape is not a rare event


def kramers_rate(
    minimum_hessian: ArrayLike, saddle_hessian: ArrayLike, barrier: float, temperature: float, drag: float = 1.0
) -> float:
    """Overdamped motion with friction coefficient gamma M = drag (Kramers 1940; Eyring-Kramers in d dimensions).

        k = |H_be|/(2 pi gamma M) sqrt(det H_a/|det H_b|) exp(-dL/T)

    Hessians: (d, d), or numbers. Error: relative order T/dL (`simdyn.theory.finite_barrier`). Raises InvalidInput as
    `kramers_escape_time`; warns (ValidityWarning) at dL/T below 3.

    >>> round(kramers_rate(8.0, -4.0, barrier=1.0, temperature=0.2), 7)
    0.0060663
    """
    positive(drag=drag)
    _rare(barrier, temperature)
    time = kramers_escape_time(minimum_hessian, saddle_hessian, barrier, temperature)
    return math.exp(-time.action) / (drag * time.prefactor)


def transition_state_rate(
    minimum_hessian: ArrayLike, saddle_hessian: ArrayLike, barrier: float, temperature: float, mass: float = 1.0
) -> float:
    """Transition-state theory: every crossing of the saddle counts as an escape from equilibrium in the well.

        k = omega_b/(2 pi) sqrt(det H_a/|det H_b|) exp(-dL/T),      omega_a/(2 pi) exp(-dL/T) in one dimension

    An upper bound, up to relative order T/dL: recrossing lowers the rate by the bracket f at high and by the
    depopulation factor at low friction. Arguments, what is raised and warned of: as `kramers_rate`.
    """
    positive(mass=mass)
    _rare(barrier, temperature)
    descent, ratio = _descent(minimum_hessian, saddle_hessian)
    return math.sqrt(descent / mass / ratio) / (2.0 * math.pi) * math.exp(-barrier / temperature)


def langer_rate(
    minimum_hessian: ArrayLike,
    saddle_hessian: ArrayLike,
    barrier: float,
    temperature: float,
    mass: ArrayLike = 1.0,
    damping: ArrayLike = 1.0,
) -> float:
    """Spatial diffusion over the saddle, intermediate to high friction, d dimensions (Kramers 1940; Langer 1969).

        k = lambda_+/(2 pi) sqrt(det H_a/|det H_b|) exp(-dL/T),
        lambda_+ the one growing rate of M r' = -gamma M r - H_b x, x' = r;  [sqrt(gamma^2 + 4 |H_be|/M) - gamma]/2 for
        numbers

    mass, damping: numbers, or (d, d) matrices, M symmetric; the friction force is -M gamma r, M gamma symmetric. Error:
    relative order T/dL, and 1/A - 1 at low friction, A the depopulation factor. Raises InvalidInput as
    `kramers_escape_time`, and for a mass or friction that is not positive definite; warns at dL/T below 3.

    >>> round(langer_rate(8.0, -4.0, 1.0, 0.2, mass=1.0, damping=3.0), 8)
    0.00151657
    """
    _rare(barrier, temperature)
    _, ratio = _descent(minimum_hessian, saddle_hessian)
    top = _square(saddle_hessian)
    size = len(top)
    masses, dampings = _matrix("mass", mass, size), _matrix("damping", damping, size)
    for name, matrix in (("mass", masses), ("mass @ damping", masses @ dampings)):
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] <= 0.0:
            raise InvalidInput(f"{name} must be a positive number or a symmetric, positive definite matrix")
    flow = np.block([[np.zeros((size, size)), np.eye(size)], [-np.linalg.solve(masses, top), -dampings]])
    growth = float(np.max(np.linalg.eigvals(flow).real))
    return growth / (2.0 * math.pi) / math.sqrt(ratio) * math.exp(-barrier / temperature)


def weak_friction_rate(
    minimum_curvature: float, barrier: float, temperature: float, mass: float, damping: float, barrier_action: float
) -> float:
    """Diffusion of the energy at low friction, to leading order (Kramers 1940): the barrier is left when reached.

        k = gamma I_b/T  omega_a/(2 pi) exp(-dL/T)

    barrier_action: I_b = closed-Int sqrt(2 M (L(b) - L)) dtheta. Where the particle can come back from a second well
    of action I_c: I_b -> I_b I_c/(I_b + I_c). Error: relative 0.82 sqrt(gamma I_b/T), the next term of the depopulation
    factor, and T/dL times a logarithm, which is large: a factor 1.4 at dL = 5 T on a double well. Raises InvalidInput
    for numbers that are not positive; warns at gamma I_b/T above 1, or dL/T below 3.
    """
    positive(minimum_curvature=minimum_curvature, mass=mass, damping=damping, barrier_action=barrier_action)
    _rare(barrier, temperature)
    loss = damping * barrier_action / temperature
    if loss > 1.0:
        warn(f"{loss:.3g} T are lost per oscillation: above 1 the energy does not diffuse")
    return loss * math.sqrt(minimum_curvature / mass) / (2.0 * math.pi) * math.exp(-barrier / temperature)


def energy_diffusion_time(
    energies: ArrayLike, actions: ArrayLike, temperature: float, damping: float, points: int = 2000
) -> tuple[float, float]:
    """The mean first passage of the energy, from the bottom to the barrier, with its numerical error (Kramers 1940).

        tau = 1/(gamma T) Int_0^{dL} dE e^{E/T}/I(E) Int_0^E dE' 2 pi/omega(E') e^{-E'/T},   2 pi/omega = dI/dE

    energies, actions: I(E), (n,) each, from 0 at the bottom to the barrier, energies dense towards the latter, where
    dI/dE has a logarithmic singularity. The inner integral is taken by parts, so that omega is not needed. Exact for
    gamma -> 0, at any barrier. Raises InvalidInput unless both rise from 0.
    """
    at, area = numbers("energies", energies), numbers("actions", actions)
    positive(temperature=temperature, damping=damping)
    if at.ndim != 1 or at.shape != area.shape or len(at) < 8 or at[0] != 0.0 or area[0] != 0.0:
        raise InvalidInput("energies and actions must be of one shape (n,), n at least 8, and begin with 0")
    if np.any(np.diff(at) <= 0.0) or np.any(np.diff(area) <= 0.0):
        raise InvalidInput("energies and actions must rise")
    full = _energy_passage(at, area, temperature, points)
    half = _energy_passage(np.append(at[:-1:2], at[-1]), np.append(area[:-1:2], area[-1]), temperature, points)
    return full / damping, abs(full - half) / damping


def _energy_passage(at: FloatArray, area: FloatArray, temperature: float, points: int) -> float:
    angle = np.arcsin(np.sqrt(at / at[-1]))  # in which both ends are smooth
    ratio = interpolate.CubicSpline(angle, np.append(2.0 * area[1] / at[1] - area[2] / at[2], area[1:] / at[1:]))
    fine, step = np.linspace(0.0, math.pi / 2.0, points + 1, retstep=True)
    energy = at[-1] * np.sin(fine) ** 2
    value = ratio(fine) * energy
    slope = at[-1] * np.sin(2.0 * fine)
    inner = _running(value * np.exp(-energy / temperature) * slope, float(step))
    outer = np.full_like(fine, 1.0)
    outer[1:] += np.exp(energy[1:] / temperature) * inner[1:] / (temperature * value[1:])
    return float(_running(outer * slope, float(step))[-1] / temperature)


def _running(values: FloatArray, step: float) -> FloatArray:
    spline = interpolate.CubicSpline(step * np.arange(len(values)), values)
    return np.asarray(spline.antiderivative()(step * np.arange(len(values))))


def turnover_rate(spatial_diffusion: float, loss: float, other_loss: float | None = None) -> float:
    """The rate at any friction (Mel'nikov and Meshkov 1986): spatial diffusion times the depopulation factor.

        k = k_sd A(d),    with a second well from which the particle can return  k_sd A(d) A(d')/A(d + d')

    loss, other_loss: energy lost per oscillation over T, in this well and the other: gamma I_b/T by Mel'nikov and
    Meshkov; by Pollak, Grabert and Hanggi (1989) that of the unstable mode (`unstable_mode_loss`). Error at dL = 5 T
    on a double well: 25 to 40 % high at low friction, falling with T/dL, and 5 to 10 % at high friction. Raises InvalidInput for
    numbers that are not positive.
    """
    positive(spatial_diffusion=spatial_diffusion)
    return spatial_diffusion * float(depopulation_factor(loss, other_loss))


def _matrix(name: str, given: ArrayLike, size: int) -> FloatArray:
    matrix = numbers(name, given, f"a number or a matrix ({size}, {size})")
    matrix = matrix * np.eye(size) if matrix.ndim == 0 else matrix
    if matrix.shape != (size, size):
        raise InvalidInput(f"{name} must be a number or a matrix ({size}, {size})")
    return matrix


def _rare(barrier: float, temperature: float) -> None:
    positive(barrier=barrier, temperature=temperature)
    if barrier / temperature < LOWEST_ACTION:
        warn(f"dL/T is {barrier / temperature:.3g}: below {LOWEST_ACTION:g} an escape is not rare")
