"""AdamW: Adam with decoupled weight decay."""

import math
from typing import NamedTuple

from simdyn.model.dynamics.adam import (
    adam_corrections,
    begin_averages,
    bias_corrected,
    by_a_root,
    forget_both,
    running_averages,
)
from simdyn.model.dynamics.protocol import begin, begin_running, divides, maturity, step
from simdyn.model.records import FRACTION, NON_NEGATIVE, POSITIVE, record


@record("dynamics", learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=NON_NEGATIVE, weight_decay=NON_NEGATIVE)
class AdamW(NamedTuple):
    """theta *= 1 - eta w, then Adam: theta -= eta m^ / (sqrt(v^) + eps).

    The decay of a step is eta w, as in torch.optim.AdamW and other packages; with `decay_times_rate` false it is w, as
    in algorithm 2 of Loshchilov and Hutter, ICLR 2019 (their schedule multiplier being 1). `eps_inside_root`: as Adam's.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01
    decay_times_rate: bool = True
    eps_inside_root: bool = False


@step.on(AdamW)
def adamw_step(adamw, clock, shared, x, gradient, kick, memory, j, i):
    momentum, square = memory
    rate, eps_inside, eps_outside = clock[0], clock[1], clock[2]
    decay = adamw.weight_decay * (adamw.learning_rate if adamw.decay_times_rate else 1.0)
    g = gradient + kick
    m = momentum[j, i] + (1.0 - adamw.beta1) * (g - momentum[j, i])
    v = square[j, i] + (1.0 - adamw.beta2) * (g * g - square[j, i])
    momentum[j, i] = m
    square[j, i] = v
    return x - decay * x - rate * m / (math.sqrt(v + eps_inside) + eps_outside)


divides.on(AdamW)(by_a_root)
bias_corrected(AdamW)(adam_corrections)
maturity.on(AdamW)(forget_both)
begin.on(AdamW)(begin_averages)
begin_running.on(AdamW)(running_averages)
