"""What follows from samples: arrays in, estimates with intervals out. Imports nothing else of simdyn."""

from simdyn.estimate.comparison import Comparison, compare_exponents
from simdyn.estimate.exponential import (
    ExponentialCheck,
    NotExponentialWarning,
    exponential_check,
    warn_unless_exponential,
)
from simdyn.estimate.intervals import Estimate, normal_interval, relative_deviation
from simdyn.estimate.lifetimes import SurvivalCurve, kaplan_meier, mean_lifetime
from simdyn.estimate.lines import LineFit, fit_line, log_log_slope
from simdyn.estimate.means import mean_escape_time, mean_with_standard_error, restricted_mean
from simdyn.estimate.moments import MeanSquare, mean_square, msd_from_moments
from simdyn.estimate.resampling import FewSamplesWarning, bootstrap
from simdyn.estimate.sharpness import FreeExponent, SharpnessFit, fit_free_exponent, fit_sharpness, raw_slope

__all__ = [
    "Comparison",
    "Estimate",
    "ExponentialCheck",
    "FewSamplesWarning",
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
    "mean_escape_time",
    "mean_lifetime",
    "mean_square",
    "mean_with_standard_error",
    "msd_from_moments",
    "normal_interval",
    "raw_slope",
    "relative_deviation",
    "restricted_mean",
    "warn_unless_exponential",
]
