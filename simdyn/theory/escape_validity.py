"""Where the escape formulas hold: what `escape_time` warns of."""

import math
from typing import Any

import numpy as np

from simdyn.model.dynamics.adabound import AdaBound
from simdyn.model.dynamics.adai import Adai, AdaiV2, AdaiW
from simdyn.model.dynamics.langevin import Inertial, Overdamped
from simdyn.model.dynamics.sgd import Nesterov
from simdyn.model.dynamics.signsgd import SignSGD
from simdyn.model.geometry import gradient_at
from simdyn.model.landscapes import frame
from simdyn.theory.damping import Inertia, _round_trip, depopulation_factor, inertia
from simdyn.theory.equivalent import is_separable
from simdyn.theory.finite_barrier import line_integrals
from simdyn.theory.formulas import EscapeTime, bracket
from simdyn.theory.left_out import (
    LARGEST_FACTOR,
    laplace_prefactor,
    of_first_steps,
    of_second_moments,
    of_steps_across_the_jump,
    of_the_step,
    of_the_way,
    unsettled,
)
from simdyn.theory.optimizers import Effective, decay_action, optimizer_at
from simdyn.theory.passage import Climb, Passage, variances_on, warn_unless_two_piece
from simdyn.theory.validity import FloatArray, name_of, warn

LOWEST_ACTION = 3.0  # below it an escape is not a rare event
LARGEST_STEP = 0.5  # (omega_a dt)^2, eta H_ae without inertia: above it a step is not small
SMALLEST_DEPOPULATION = 0.9  # below it low damping takes more than a tenth off the rate
SMALLEST_GAP = 0.1  # AdaBound: the action times the width that its bounds still have, 1/(gamma tau)
STEEPEST_SIGN = 1.0  # SignSGD: |grad L| over the deviation of m, where E[sign] falls 15 % short of its slope
ALIKE = 0.1  # by what share of itself noise may differ between coordinates that count as alike


def warn_outside_validity(
    dynamics: Any, landscape: Any, noise: Any, way: Passage, met: Climb, found: EscapeTime
) -> None:
    """Warn of all that `escape_time` says it warns of, each once."""
    method = as_effective(dynamics, met)
    if found.action < LOWEST_ACTION:
        warn(f"the action is {found.action:.3g}: below {LOWEST_ACTION:g} an escape is not rare")
    warn_unless_two_piece(way, noise, met)
    mass = inertia(dynamics, way, met)
    size = size_of_step(dynamics, method, way, met, mass)
    if size > LARGEST_STEP:
        warn(f"(omega_a dt)^2 is {size:.3g}: above {LARGEST_STEP:g} a step is not small")
    thin = 1.0
    if mass is not None:
        loss = mass.damping * mass.mass**0.5 * _round_trip(way) / mass.temperature
        thin = depopulation_factor(loss)
        if thin < SMALLEST_DEPOPULATION:
            warn(f"low damping: {loss:.3g} T are lost per oscillation, the rate is about {thin:.2g} of the formula's")
    for objection in [
        *objections(dynamics, landscape, way, met, found),
        *_of_coupling(dynamics, landscape, way, met),
    ]:
        warn(objection)
    items = left_out(dynamics, method, way, noise, met, found, size, mass, thin)
    total = sum(abs(item) for item in items.values())
    if not total < math.log(LARGEST_FACTOR):
        worst = sorted(items, key=lambda name: -abs(items[name]))[:3]
        told = ", ".join(f"{name} {math.exp(min(abs(items[name]), 700.0)):.3g}" for name in worst)
        warn(f"what the formula leaves out may change it by more than a factor of {LARGEST_FACTOR:g}: {told}")


def objections(dynamics: Any, landscape: Any, way: Passage, met: Climb, found: EscapeTime) -> list[str]:
    """What makes an optimizer's escape another one than its formula's or its equation's; `found`: the time."""
    told = unsettled(dynamics, len(way.minimum), float(found))
    if isinstance(dynamics, AdaBound) and found.action > SMALLEST_GAP * dynamics.gamma * found:
        told.append(
            f"AdaBound: in {float(found):.3g} steps its bounds hardly meet, 1/gamma is {1.0 / dynamics.gamma:.3g}"
        )
    if isinstance(dynamics, SignSGD):
        climbed = [way.minimum + part * (way.saddle - way.minimum) for part in np.linspace(0.0, 1.0, 41)]
        slope = max(abs(float(way.direction @ gradient_at(way.landscape, point))) for point in climbed)
        noise = math.sqrt(met.at_minimum * (1.0 - dynamics.beta1) / (1.0 + dynamics.beta1))
        if slope > STEEPEST_SIGN * noise:
            told.append(f"SignSGD: the steepest slope is {slope / noise:.3g} deviations of m, where its sign saturates")
    if isinstance(dynamics, (Adai, AdaiW, AdaiV2)):
        root = 1.0 / (3.0 - 2.0 * getattr(dynamics, "dampening", 1.0))
        wanted = dynamics.beta0 * (met.minimum_variance / np.mean(met.minimum_variance)) ** root
        along = wanted[way.direction**2 > 1e-9]
        if np.any(along < dynamics.eps) or np.any(along > 1.0):
            bad = along[np.argmax(np.abs(np.log(along)))]
            told.append(
                f"{name_of(dynamics)}: 1-beta1 would be {bad:.3g}, where its momentum is clipped at {dynamics.eps:g} and 1"
            )
    told += _of_axes(dynamics, landscape, way, met)
    return told


def as_effective(dynamics: Any, met: Climb) -> Effective:
    """`effective`, also of the SDEs: drift and diffusion per unit of time, C being 2D."""
    if isinstance(dynamics, Overdamped):
        return Effective(1.0, math.inf)
    if isinstance(dynamics, Inertial):
        return Effective(1.0 / (dynamics.damping * dynamics.mass), dynamics.damping)
    return optimizer_at(dynamics, met)


def size_of_step(dynamics: Any, method: Effective, way: Passage, met: Climb, mass: Inertia | None) -> float:
    """(omega_a dt)^2, and the rate times H_ae without inertia. In units where a step lasts gamma dt = 1 - beta1 the mass
    is what makes it so."""
    if isinstance(dynamics, (Overdamped, Inertial)):
        return (
            dynamics.dt * way.minimum_curvature if mass is None else dynamics.dt**2 * way.minimum_curvature / mass.mass
        )
    relative = float(method.rate_at(met.at_minimum)) * way.minimum_curvature
    return relative * min(method.forgetting, 1.0)


def left_out(
    dynamics: Any,
    method: Effective,
    way: Passage,
    noise: Any,
    met: Climb,
    found: EscapeTime,
    size: float,
    mass: Inertia | None,
    thin: float,
) -> dict[str, float]:
    """What a formula's time leaves out, item by item, as the logarithm of the factor that it may change.

    Adding up as it stands here, without regard to signs, is more than what it comes to: items may cancel.
    """
    curved, is_sde = 1.0, isinstance(dynamics, (Overdamped, Inertial))
    if not math.isinf(method.forgetting):
        forgetting = method.forgetting
        if isinstance(dynamics, Adai | AdaiW):  # the formula takes v_e over its mean to be 1
            forgetting *= met.at_minimum / float(np.mean(met.minimum_variance))
        fast = float(method.rate_at(met.at_saddle))
        curved = bracket(way.saddle_curvature, fast / forgetting, forgetting / fast)
    # Inertia carries a particle through both pieces in each oscillation: the saddle's noise hardly counts then.
    carried = 0.0
    if met.share < 1.0:
        carried = abs(found.action - way.barrier / method.temperature(met.at_minimum)) * (1.0 - curved**-2)
    crossed = 0.0 if is_sde else of_steps_across_the_jump(method, way, met)
    items = {
        "prefactor for this noise": math.log(laplace_prefactor(method, way, met, curved) / found.prefactor),
        "steps that are not small": of_the_step(found.action, 0.0 if is_sde else size, curved),
        "low damping": -math.log(thin),
        "inertia between two noises": carried,
        "steps across the jump of the noise": max(crossed - carried, 0.0),  # inertia carries across it, too
        **of_the_way(dynamics, method, way, noise, met, not isinstance(dynamics, SignSGD)),
        **of_second_moments(dynamics, method, met, found),
        **of_first_steps(dynamics, method, met, found),
    }
    if method.decay > 0.0:
        share = method.decay / (float(method.rate_at(met.at_minimum)) * way.minimum_curvature)
        items["weight decay, next order"] = share * (1.0 + decay_action(method, way, met))
        # With momentum dx = r dt - decay x dt, dr = -(1-beta1) r dt - ...: decay is friction of the whole velocity too.
        items["weight decay as friction"] = found.action * method.decay / method.forgetting
    if isinstance(dynamics, Nesterov):
        # The look ahead adds eta beta1 beta3 L'' to the friction 1-beta1. On the way up that cancels; with inertia it is
        # averaged over the well, about half of it.
        ahead = dynamics.beta1 * method.rate * way.minimum_curvature
        items["the look ahead as friction"] = found.action * 0.5 * ahead * (1.0 - curved**-2)
    run = way.saddle - way.minimum
    if is_separable(way, run / np.linalg.norm(run)):
        heats = [float(method.temperature(variance)) for variance in (met.at_minimum, met.at_saddle)]
        parts = line_integrals(
            way,
            run,
            heats[0],
            heats[1],
            points=96 if met.share == 1.0 else 400,  # noise may jump within a breadth
            temperature=lambda points: np.asarray(
                method.temperature(variances_on(way, noise, points) @ way.direction**2)
            ),
        )
        items["a finite barrier"] = sum(abs(math.log(part)) if part > 0.0 else math.inf for part in parts)
    else:
        items["a finite barrier"] = 1.0 / max(found.action, 1e-9)
    return items


def _of_axes(dynamics: Any, landscape: Any, way: Passage, met: Climb) -> list[str]:
    """Averages of g^2 are of the coordinates: those that the escape mixes must have the same noise."""
    if not (hasattr(dynamics, "beta2") or isinstance(dynamics, SignSGD)) or isinstance(dynamics, AdaBound):
        return []
    _, matrix = frame(landscape)
    turn = np.eye(len(way.minimum)) if matrix is None else matrix
    touched = (turn @ way.direction) ** 2 > 1e-9
    mixed = np.any(turn[touched] ** 2 > 1e-9, axis=0)
    if all(_alike(variance[mixed]) for variance in (met.minimum_variance, met.saddle_variance)):
        return []
    return [
        f"{name_of(dynamics)}: the escape is not along a coordinate, and averages of g^2 mix directions of different noise"
    ]


def _of_coupling(dynamics: Any, landscape: Any, way: Passage, met: Climb) -> list[str]:
    run = way.saddle - way.minimum
    if _alike(met.minimum_variance) and _alike(met.saddle_variance):
        return []
    if is_separable(way, run / np.linalg.norm(run)):
        return []
    return [f"{name_of(way.landscape)}: noise differs between coordinates that are coupled, there is no temperature"]


def _alike(variance: FloatArray) -> bool:
    return bool(np.ptp(variance) <= ALIKE * np.max(variance))
