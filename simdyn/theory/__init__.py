"""Closed formulas: one function each, its docstring naming equation, standing and validity. Imports the model only."""

from simdyn.theory.damping import Inertia, damping_ratio, depopulation_factor, energy_loss, inertial_bracket
from simdyn.theory.displacement import (
    Displacement,
    adam_displacement,
    adam_displacement_bias_corrected,
    displacement_parts,
    mean_squared_displacement,
    momentum_displacement_flat,
    momentum_stationary_variance,
    sgd_stationary_variance,
)
from simdyn.theory.equivalent import Equivalent, Problem, equivalent, problem
from simdyn.theory.escape import action, escape_time, prefactor
from simdyn.theory.finite_barrier import FiniteBarrier, finite_barrier, finite_barrier_factor
from simdyn.theory.formulas import EscapeTime
from simdyn.theory.left_out import STATED_FACTOR
from simdyn.theory.optimizers import (
    Effective,
    decay_action,
    effective,
    highest_average,
    unsharpened,
)
from simdyn.theory.orbits import Actions, actions, barrier_action, unstable_mode_loss
from simdyn.theory.passage import Climb, Passage, climb, passage
from simdyn.theory.plain import (
    adai_displacement,
    adai_escape_time,
    adam_escape_time,
    effective_escape_time,
    inertial_kramers_escape_time,
    kramers_escape_time,
    momentum_displacement,
    momentum_escape_time,
    sgd_displacement,
    sgd_escape_time,
)
from simdyn.theory.rates import (
    energy_diffusion_time,
    kramers_rate,
    langer_rate,
    transition_state_rate,
    turnover_rate,
    weak_friction_rate,
)
from simdyn.theory.sharpness import sharpness_exponent, sharpness_log_prefactor
from simdyn.theory.turnover import Rate, rate, rates
from simdyn.theory.validity import ValidityWarning

__all__ = [
    "STATED_FACTOR",
    "Actions",
    "Climb",
    "Displacement",
    "Effective",
    "Equivalent",
    "EscapeTime",
    "FiniteBarrier",
    "Inertia",
    "Passage",
    "Problem",
    "Rate",
    "ValidityWarning",
    "action",
    "actions",
    "adai_displacement",
    "adai_escape_time",
    "adam_displacement",
    "adam_displacement_bias_corrected",
    "adam_escape_time",
    "barrier_action",
    "climb",
    "damping_ratio",
    "decay_action",
    "depopulation_factor",
    "displacement_parts",
    "effective",
    "effective_escape_time",
    "energy_diffusion_time",
    "energy_loss",
    "equivalent",
    "escape_time",
    "finite_barrier",
    "finite_barrier_factor",
    "highest_average",
    "inertial_bracket",
    "inertial_kramers_escape_time",
    "kramers_escape_time",
    "kramers_rate",
    "langer_rate",
    "mean_squared_displacement",
    "momentum_displacement",
    "momentum_displacement_flat",
    "momentum_escape_time",
    "momentum_stationary_variance",
    "passage",
    "prefactor",
    "problem",
    "rate",
    "rates",
    "sgd_displacement",
    "sgd_escape_time",
    "sgd_stationary_variance",
    "sharpness_exponent",
    "sharpness_log_prefactor",
    "transition_state_rate",
    "turnover_rate",
    "unsharpened",
    "unstable_mode_loss",
    "weak_friction_rate",
]
