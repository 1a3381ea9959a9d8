"""The law of a chain with momentum marched from step to step: the compiled part of `momentum_chain`.

A state is a pair (u, v) of nodes, where the particle was and where it is. Pair (i, j) has number begin[i] + j - low[i],
for low[i] <= j < high[i]; the bands are symmetric. A step leads from (i, j) to the pairs (j, k), first <= k < last.
"""

import math

from simdyn._jit import kernel

_ROOT_HALF = math.sqrt(0.5)
_NORMAL = 1.0 / math.sqrt(2.0 * math.pi)
_NOTHING = 1e-295  # less is not worth a multiplication, and close to where doubles lose digits


@kernel
def count_steps(nodes, landing, width, beta1, reach, low, high, first, last, offset):
    """Where a step from each pair leads, in the order (j, i); returns how many chances there are in all."""
    total, state = 0, 0
    for j in range(len(nodes)):
        for i in range(low[j], high[j]):
            mean = landing[j] - beta1 * nodes[i]
            start, stop = low[j], high[j]
            while start < high[j] - 1 and nodes[start] < mean - reach * width[j]:
                start += 1
            while stop > start + 1 and nodes[stop - 1] > mean + reach * width[j]:
                stop -= 1
            first[state], last[state], offset[state] = start, stop, total
            total += stop - start
            state += 1
    return total


@kernel
def fill_steps(nodes, weights, landing, width, beta1, end, low, high, first, last, offset, chances, leaves):
    """The chances of each step, made to add up with the chance of leaving, of the normal tail, to one."""
    state = 0
    for j in range(len(nodes)):
        scale = 1.0 / width[j]
        for i in range(low[j], high[j]):
            mean = landing[j] - beta1 * nodes[i]
            away = (end - mean) * scale
            leaves[state] = 0.5 * math.erfc(away * _ROOT_HALF)
            start, total = offset[state] - first[state], 0.0
            for k in range(first[state], last[state]):
                shift = (nodes[k] - mean) * scale
                chance = weights[k] * math.exp(-0.5 * shift * shift)
                chances[start + k] = chance
                total += chance
            stays = 0.5 * math.erfc(-away * _ROOT_HALF)
            share = stays / total if total > 0.0 else 0.0
            for k in range(first[state], last[state]):
                chances[start + k] *= share
            state += 1


@kernel
def march(law, other, low, high, begin, first, last, offset, chances, leaves, lost):
    """len(lost) steps of the law of those who stay, made to add up to one after each; lost: the share each step loses.

    The law is overwritten, and so is other, which is to be as long.
    """
    size = len(low)
    for step in range(len(lost)):
        for state in range(len(law)):
            other[state] = 0.0
        state, gone, total = 0, 0.0, 0.0
        for j in range(size):
            target = begin[j] - low[j]
            for i in range(low[j], high[j]):
                mass = law[begin[i] + j - low[i]]
                total += mass
                if mass > _NOTHING:
                    gone += mass * leaves[state]
                    start = offset[state] - first[state]
                    for k in range(first[state], last[state]):
                        other[target + k] += mass * chances[start + k]
                state += 1
        lost[step] = gone / total
        scale = 1.0 / (total - gone)
        for state in range(len(law)):
            law[state] = other[state] * scale
