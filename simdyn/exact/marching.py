"""A step of the law of pairs of positions: the compiled part of `momentum_chain`.

A state is a pair (i, j) of nodes, where the particle was and where it is, low[j] <= i < high[j]. Its law stands at
begin[i] + j - low[i]; what it does next at the number it has in the order (j, i), in which steps are taken: from
begin[j] + i - low[j]. A step leads to pairs (j, k), first <= k < last, their chances side by side from `offset`.
"""

import math

import numpy as np

from simdyn._jit import inlined, kernel

_ROOT_HALF = math.sqrt(0.5)
_NOTHING = 1e-295  # less is not worth a multiplication, and close to where doubles lose digits
_UNSEEN = 1e-13  # mass that cannot show in a mean
FARTHEST = 6.0  # deviations of a kick


@kernel
def count_steps(nodes, landing, beta1, down, up, low, high, first, last, offset):
    """Where a step from each pair may lead, from its mean less down[j] to up[j] more; returns how many chances there are."""
    total, state = 0, 0
    for j in range(len(nodes)):
        for i in range(low[j], high[j]):
            mean = landing[j] - beta1 * nodes[i]
            start, stop = low[j], high[j]
            while start < high[j] - 1 and nodes[start] < mean - down[j]:
                start += 1
            while stop > start + 1 and nodes[stop - 1] > mean + up[j]:
                stop -= 1
            first[state], last[state], offset[state] = start, stop, total
            total += stop - start
            state += 1
    return total


@inlined
def step_chances(chances, at, nodes, weights, mean, scale, end, first, last):
    """Chances of a kick: chances[at + k] to node k, first <= k < last, made to add up to the normal one of staying."""
    stays, total = 0.5 * math.erfc((mean - end) * scale * _ROOT_HALF), 0.0
    for k in range(first, last):
        shift = (nodes[k] - mean) * scale
        chance = weights[k] * math.exp(-0.5 * shift * shift)
        chances[at + k] = chance
        total += chance
    if total < _NOTHING:  # far outside of what is looked at: to the nearest pair there is
        chances[at + first] = stays
    else:
        share = stays / total
        for k in range(first, last):
            chances[at + k] *= share


@kernel
def fill_steps(nodes, weights, landing, width, beta1, end, low, high, first, last, offset, chances, leaves):
    """The chances of each step; with the chance of leaving, which is the normal tail, they are made to add up to 1."""
    state = 0
    for j in range(len(nodes)):
        scale = 1.0 / width[j]
        for i in range(low[j], high[j]):
            mean = landing[j] - beta1 * nodes[i]
            leaves[state] = 0.5 * math.erfc((end - mean) * scale * _ROOT_HALF)
            at = offset[state] - first[state]
            step_chances(chances, at, nodes, weights, mean, scale, end, first[state], last[state])
            state += 1


@kernel
def advance(law, scale, after, part, sums, bounds, low, high, begin, first, last, offset, chances, leaves):
    """One step from the pairs whose second position is in bounds[part] <= j < bounds[part + 1].

    law times scale is where they are, after[j, .] becomes where they go; sums[part] the mass there was, and what left.
    """
    total, gone = 0.0, 0.0
    for j in range(bounds[part], bounds[part + 1]):
        for state in range(begin[j], begin[j + 1]):
            after[state] = 0.0
        state, target = begin[j], begin[j] - low[j]
        for i in range(low[j], high[j]):
            mass = law[begin[i] + j - low[i]] * scale
            if mass > _NOTHING:
                total += mass
                gone += mass * leaves[state]
                start = offset[state] - first[state]
                for k in range(first[state], last[state]):
                    after[target + k] += mass * chances[start + k]
            state += 1
    sums[part, 0], sums[part, 1] = total, gone


@kernel
def corrected_step(law, after, chances, nodes, weights, landing, width, beta1, end):
    """One step of the law (n, n) of all pairs (i, j); `chances`, (n,), are used once and not kept; returns how many."""
    count, met = len(nodes), 0
    after[:, :] = 0.0
    for j in range(count):
        scale = 1.0 / width[j]
        for i in range(count):
            mass = law[i, j]
            if mass > _UNSEEN:
                mean = landing[j] - beta1 * nodes[i]
                first = min(np.searchsorted(nodes, mean - FARTHEST * width[j]), count - 1)
                last = max(np.searchsorted(nodes, mean + FARTHEST * width[j]), first + 1)
                met += last - first
                step_chances(chances, 0, nodes, weights, mean, scale, end, first, last)
                for k in range(first, last):
                    after[j, k] += mass * chances[k]
    return met
