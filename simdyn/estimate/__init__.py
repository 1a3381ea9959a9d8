"""What follows from samples: arrays in, estimates with intervals out. Imports nothing else of simdyn."""

from simdyn.estimate.comparison import Comparison, compare_exponents
from simdyn.estimate.exponential import (
    ExponentialCheck,
    NotExponentialWarning,
    exponential_check,
    warn_unless_exponential,
)
from simdyn.estimate.intervals import Estimate, normal_interval, relative_deviation
from simdyn.estimate.lifetimes import SurvivalCurve, kaplan_meier, mean_lifetime, mean_with_standard_error
from simdyn.estimate.lines import LineFit, fit_line, log_log_slope
from simdyn.estimate.moments import MeanSquare, mean_square, msd_from_moments
from simdyn.estimate.resampling import bootstrap
from simdyn.estimate.sharpness import FreeExponent, SharpnessFit, fit_free_exponent, fit_sharpness, raw_slope

__all__ = [
    "Comparison",
    "Estimate",
    "ExponentialCheck",
    "FreeExponent",
    "LineFit",
    "MeanSquare",
    "NotExponentialWarning",
    "SharpnessFit",
    "SurvivalCurve",
    "bootstrap",
    "compare_exponents",
    "exponential_check",
    "fit_free_exponent",
    "fit_line",
    "fit_sharpness",
    "kaplan_meier",
    "log_log_slope",
    "mean_lifetime",
    "mean_square",
    "mean_with_standard_error",
    "msd_from_moments",
    "normal_interval",
    "raw_slope",
    "relative_deviation",
    "warn_unless_exponential",
]
