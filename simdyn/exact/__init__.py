"""Answers without sampling: quadrature, Markov chains, linear moments. Imports the model only.

One file per method: `quadrature`, `chain` and `momentum_chain` answer first-passage problems on a `line`, `chain_law`
and `escape_law` the whole law of the escape time, `moments` linear recursions.
"""

from simdyn.exact.escape_law import EscapeLaw, escape_law
from simdyn.exact.first_passage import mean_first_passage, mean_first_passage_of_scheme
from simdyn.exact.line import joints, section
from simdyn.exact.moments import Moments, continuous_moments, moments, stationary_variance
from simdyn.exact.result import Exact

__all__ = [
    "EscapeLaw",
    "Exact",
    "Moments",
    "continuous_moments",
    "escape_law",
    "joints",
    "mean_first_passage",
    "mean_first_passage_of_scheme",
    "moments",
    "section",
    "stationary_variance",
]
