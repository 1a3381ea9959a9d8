"""Closed formulas: one function each, its docstring naming equation, standing and validity. Imports the model only."""

from simdyn.theory.damping import Inertia, damping_ratio, depopulation_factor, energy_loss, inertial_bracket
from simdyn.theory.displacement import (
    Displacement,
    adai_displacement,
    adam_displacement,
    adam_displacement_bias_corrected,
    displacement_parts,
    mean_squared_displacement,
    momentum_displacement,
    momentum_displacement_flat,
    momentum_stationary_variance,
    sgd_displacement,
    sgd_stationary_variance,
)
from simdyn.theory.escape import action, escape_time, prefactor
from simdyn.theory.formulas import (
    EscapeTime,
    adai_escape_time,
    adam_escape_time,
    inertial_kramers_escape_time,
    kramers_escape_time,
    momentum_escape_time,
    sgd_escape_time,
)
from simdyn.theory.passage import Climb, Passage, climb, passage
from simdyn.theory.sharpness import sharpness_exponent, sharpness_log_prefactor
from simdyn.theory.validity import ValidityWarning

__all__ = [
    "Climb",
    "Displacement",
    "EscapeTime",
    "Inertia",
    "Passage",
    "ValidityWarning",
    "action",
    "adai_displacement",
    "adai_escape_time",
    "adam_displacement",
    "adam_displacement_bias_corrected",
    "adam_escape_time",
    "climb",
    "damping_ratio",
    "depopulation_factor",
    "displacement_parts",
    "energy_loss",
    "escape_time",
    "inertial_bracket",
    "inertial_kramers_escape_time",
    "kramers_escape_time",
    "mean_squared_displacement",
    "momentum_displacement",
    "momentum_displacement_flat",
    "momentum_escape_time",
    "momentum_stationary_variance",
    "passage",
    "prefactor",
    "sgd_displacement",
    "sgd_escape_time",
    "sgd_stationary_variance",
    "sharpness_exponent",
    "sharpness_log_prefactor",
]
