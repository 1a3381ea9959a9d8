"""A fixed sequence of gradients, the same on every machine, and the way our methods follow it, step by step in Python."""

import numpy as np

import simdyn as sd

START = (0.7, -1.3)
STEPS = 2000


def gradients(steps=STEPS):
    """(steps, 2): two coordinates of unlike size, with calm and wild stretches, from whole numbers alone."""
    word, rows = 12345, []
    for t in range(steps):
        row = []
        for size, drift in ((0.5, 0.125), (2.0, -0.25)):
            word = (1103515245 * word + 12345) % 2**31
            uniform = (word >> 8) / 2**22 - 1.0  # exact
            wild = 4.0 if t % 500 in range(150, 170) else (0.25 if t % 500 > 400 else 1.0)
            row.append(size * wild * (uniform + drift))
        rows.append(row)
    return np.array(rows)


def follow(dynamics, given, start=START):
    """The path, (steps + 1, d), start included, of `dynamics` that meets the gradients `given`, (steps, d)."""
    size = len(start)
    numbers = np.arange(1.0, len(given) + 1)
    clocks = np.zeros((4, len(given)))
    for k, column in enumerate(sd.schedule(dynamics, numbers)):
        clocks[k] = column
    memory = tuple(row[:, None].copy() for row in sd.begin(dynamics, np.zeros(size), np.zeros(size)))
    path = [np.array(start, dtype=float)]
    for t, gradient in enumerate(given):
        felt = [sd.observe(dynamics, gradient[j], 0.0, memory, j, 0) for j in range(size)]
        shared = sum(felt) / size
        x, clock = path[-1], tuple(clocks[:, t])
        path.append(
            np.array([sd.step(dynamics, clock, shared, x[j], gradient[j], 0.0, memory, j, 0) for j in range(size)])
        )
    return np.array(path)


def allowance(path, memory_length=1000.0):
    """How far two float64 paths of the same rule may part, (steps + 1, d): each step rounds the position once, and the
    update by as much as the averages of `memory_length` steps have gathered.
    """
    moved = np.vstack([np.zeros(path.shape[1]), np.cumsum(np.abs(np.diff(path, axis=0)), axis=0)])
    steps = np.arange(len(path))[:, None]
    return 2.0**-53 * (steps * np.maximum.accumulate(np.abs(path), axis=0) + memory_length * moved)
