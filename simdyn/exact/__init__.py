"""Answers without sampling: quadrature, Markov chains, linear moments. Imports the model only.

One file per method: `quadrature`, `chain` and `momentum_chain` answer first-passage problems on a `line`, as far
as `stretches` says that one has to look, beyond which there are `tails`, and between places found by `bends`; `chain_law` and
`escape_law` the whole law of the escape time; `klein_kramers` and `energy` those of the `inertial` equation, on splines
about the `separatrix` and averaged over orbits, `planar` those in two coupled dimensions; `moments` linear recursions;
`spectrum` and `phase_space` densities in time.
"""

from simdyn.exact.adam_frozen import adam_with_frozen_v, settled_v
from simdyn.exact.energy import energy_first_passage
from simdyn.exact.escape_law import EscapeLaw, escape_law
from simdyn.exact.first_passage import mean_first_passage, mean_first_passage_of_scheme
from simdyn.exact.frozen_moments import moments_with_frozen_v
from simdyn.exact.generator import Generator, Wall, generator
from simdyn.exact.klein_kramers import inertial_first_passage
from simdyn.exact.line import joints, section
from simdyn.exact.moments import Moments, continuous_moments, moments, stationary_variance
from simdyn.exact.passage_field import passage_field
from simdyn.exact.phase_space import PhaseDensity, phase_density, stationary_phase_density
from simdyn.exact.planar import planar_first_passage
from simdyn.exact.result import Exact
from simdyn.exact.spectrum import Density, density, spectral_gap, stationary_density

__all__ = [
    "EscapeLaw",
    "Density",
    "Exact",
    "Generator",
    "Moments",
    "PhaseDensity",
    "Wall",
    "adam_with_frozen_v",
    "continuous_moments",
    "escape_law",
    "density",
    "energy_first_passage",
    "generator",
    "inertial_first_passage",
    "joints",
    "mean_first_passage",
    "mean_first_passage_of_scheme",
    "moments",
    "moments_with_frozen_v",
    "passage_field",
    "phase_density",
    "planar_first_passage",
    "section",
    "spectral_gap",
    "stationary_density",
    "stationary_phase_density",
    "settled_v",
    "stationary_variance",
]
