"""OpenMM: many particles in a CustomExternalForce, by its Brownian and its Langevin (middle, BAOAB) integrators.

Its particles have three coordinates, of which the well holds one; the other two are carried along. Its CPU platform mixes single
and double precision, as it comes.
"""

from functools import cache
from typing import Any

import numpy as np
import openmm
from openmm import unit

from benchmarks.contenders import Contender, Outcome, spread_outcome
from benchmarks.works import INERTIAL, OVERDAMPED, Problem, Work

PACKAGES = ("openmm",)
_TEMPERATURE = 1 / 3 / 0.00831446261815324  # K, where k T is 1/3 kJ/mol = 1/3 dalton (nm/ps)^2

_INTEGRATORS = {
    OVERDAMPED: lambda dt: openmm.BrownianIntegrator(_TEMPERATURE, 1.0, dt),
    INERTIAL: lambda dt: openmm.LangevinMiddleIntegrator(_TEMPERATURE, 1.0, dt),
}


def contenders(work: Work) -> list[Contender]:
    if work.problem not in _INTEGRATORS:
        return []
    particles = min(work.particles, 8192)
    remark = "single and double precision mixed, three coordinates"
    return [Contender("OpenMM", "all", particles, lambda seed: spread(work.problem, particles, seed), remark)]


@cache
def _context(problem: Problem, particles: int) -> Any:
    system, well = openmm.System(), openmm.CustomExternalForce("(x^2 - 1)^2")
    for i in range(particles):
        system.addParticle(1.0)
        well.addParticle(i, [])
    system.addForce(well)
    integrator = _INTEGRATORS[problem](problem.dynamics.dt)
    return openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU"))


def spread(problem: Problem, particles: int, seed: int) -> Outcome:
    context = _context(problem, particles)
    start = np.zeros((particles, 3))
    start[:, 0] = problem.start[0]
    context.getIntegrator().setRandomNumberSeed(seed + 1)  # 0 means: choose one
    context.reinitialize()
    context.setPositions(start)
    context.setVelocities(np.zeros((particles, 3)))
    context.getIntegrator().step(problem.steps)
    x = context.getState(getPositions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    return spread_outcome(problem, (x[:, 0] - problem.start[0]) ** 2)
