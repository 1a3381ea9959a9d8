"""Records as a user writes them, each with what it amounts to among the built-in ones where there is such a thing."""

import math
from typing import NamedTuple

import numpy as np

import simdyn as sd


class OwnWell(NamedTuple):
    """L(x) = barrier ((x/width)^2 - 1)^2, its minimum and saddle left for the library to find."""

    barrier: float
    width: float


@sd.value.on(OwnWell)
def own_value(well, x, i):
    return well.barrier * ((x[0, i] / well.width) ** 2 - 1.0) ** 2


@sd.gradient.on(OwnWell)
def own_gradient(well, x, j, i):
    return 4.0 * well.barrier * x[0, i] / well.width**2 * ((x[0, i] / well.width) ** 2 - 1.0)


@sd.curvature.on(OwnWell)
def own_curvature(well, x, j, i):
    return 4.0 * well.barrier / well.width**2 * (3.0 * (x[0, i] / well.width) ** 2 - 1.0)


@sd.minimum.on(OwnWell)
def own_minimum(well):
    return np.array([-well.width])


class CoupledWell(NamedTuple):
    """L(x, y) = ((u - 1)(u + 1))^2 + stiffness v^2/2 in turned coordinates u = (x + y)/2^(1/2), v = (y - x)/2^(1/2)."""

    stiffness: float


@sd.dimension.on(CoupledWell)
def coupled_dimension(well):
    return 2


@sd.value.on(CoupledWell)
def coupled_value(well, x, i):
    u, v = (x[0, i] + x[1, i]) / math.sqrt(2.0), (x[1, i] - x[0, i]) / math.sqrt(2.0)
    return (u * u - 1.0) ** 2 + 0.5 * well.stiffness * v * v


@sd.gradient.on(CoupledWell)
def coupled_gradient(well, x, j, i):
    u, v = (x[0, i] + x[1, i]) / math.sqrt(2.0), (x[1, i] - x[0, i]) / math.sqrt(2.0)
    along, across = 4.0 * u * (u * u - 1.0) / math.sqrt(2.0), well.stiffness * v / math.sqrt(2.0)
    return along - across if j == 0 else along + across


@sd.curvature.on(CoupledWell)
def coupled_curvature(well, x, j, i):
    u = (x[0, i] + x[1, i]) / math.sqrt(2.0)
    return 0.5 * (12.0 * u * u - 4.0) + 0.5 * well.stiffness


@sd.minimum.on(CoupledWell)
def coupled_minimum(well):
    return np.full(2, -math.sqrt(0.5))


@sd.saddle.on(CoupledWell)
def coupled_saddle(well):
    return np.zeros(2)


class OwnConstant(NamedTuple):
    """C = level everywhere."""

    level: float


@sd.variance.on(OwnConstant)
def own_constant_variance(noise, landscape, x, j, i):
    return noise.level


class Growing(NamedTuple):
    """C = level (1 + x_0^2/4): louder far out."""

    level: float


@sd.variance.on(Growing)
def growing_variance(noise, landscape, x, j, i):
    return noise.level * (1.0 + 0.25 * x[0, i] * x[0, i])


class Skew(NamedTuple):
    """A kick that is not normal: (level/2)^(1/2) (z^2 - 1), of variance level."""

    level: float


@sd.variance.on(Skew)
def skew_variance(noise, landscape, x, j, i):
    return noise.level


@sd.kick.on(Skew)
def skew_kick(noise, landscape, x, j, i, w, trig):
    z = math.sqrt(w) * trig
    return math.sqrt(0.5 * noise.level) * (z * z - 1.0)


class Decaying(NamedTuple):
    """SGD whose learning rate falls with the step's number t: eta/(1 + t/half)."""

    learning_rate: float
    half: float


@sd.step.on(Decaying)
def decaying_step(method, clock, shared, x, gradient, kick, memory, j, i):
    return x - clock[0] * (gradient + kick)


@sd.schedule.on(Decaying)
def decaying_schedule(method, number):
    return (method.learning_rate / (1.0 + number / method.half),)


class OwnMomentum(NamedTuple):
    """m = beta1 m + (1 - beta1) g; theta -= eta m: the built-in Momentum with beta3 = 1 - beta1."""

    learning_rate: float
    beta1: float


@sd.step.on(OwnMomentum)
def own_momentum_step(method, clock, shared, x, gradient, kick, memory, j, i):
    (momentum,) = memory
    m = method.beta1 * momentum[j, i] + (1.0 - method.beta1) * (gradient + kick)
    momentum[j, i] = m
    return x - method.learning_rate * m
