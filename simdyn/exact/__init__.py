"""Answers without sampling: quadrature, Markov chains, linear moments. Imports the model only.

One file per method: `quadrature` and `chain` answer first-passage problems on a `line`, `moments` linear recursions.
"""

from simdyn.exact.adam_frozen import adam_with_frozen_v, settled_v
from simdyn.exact.first_passage import mean_first_passage, mean_first_passage_of_scheme
from simdyn.exact.line import joints, section
from simdyn.exact.moments import Moments, continuous_moments, moments, stationary_variance
from simdyn.exact.result import Exact

__all__ = [
    "Exact",
    "Moments",
    "adam_with_frozen_v",
    "continuous_moments",
    "joints",
    "mean_first_passage",
    "mean_first_passage_of_scheme",
    "moments",
    "section",
    "settled_v",
    "stationary_variance",
]
