"""The random numbers of a pair of steps, by the kind of noise: parts of normals, whole normals, or ready variates."""

from simdyn._jit import generic
from simdyn.model.finite_sum import MiniBatch
from simdyn.model.heavy_noise import SettledStable, SettledStudent
from simdyn.model.noise import ScaledNoise, SettledNoise
from simdyn.simulate.lanes import COSINE, RADIUS, S0, S1, S2, S3, SINE
from simdyn.simulate.rng import draw_normals, draw_parts
from simdyn.simulate.variates import draw_stables, draw_students, draw_words


@generic
def draw(noise, rows, words, width):
    """The random numbers of the next pair of steps, in a loop of their own.

    With the steps in the same loop one long chain of dependent operations fills the processor's window, and neither half
    is done while the other waits (W1: a quarter slower).
    """


@generic
def square(noise, w, j, i):
    """The square of the radius that the sine or cosine is still to be multiplied by."""


@draw.otherwise
def _draw_parts(noise, rows, words, width):
    """The parts of the normals: noise that depends on the point takes one root for its size and the radius together."""
    for j in range(rows.shape[1]):
        draw_parts(words[S0], words[S1], words[S2], words[S3], rows[RADIUS, j], rows[SINE, j], rows[COSINE, j], width)


@square.otherwise
def _square(noise, w, j, i):
    return w[j, i]


@draw.on(SettledNoise)
def _draw_normals(noise, rows, words, width):
    """Whole normals, in the rows of sine and cosine: here the root is done while the generator computes."""
    for j in range(rows.shape[1]):
        draw_normals(words[S0], words[S1], words[S2], words[S3], rows[SINE, j], rows[COSINE, j], width)


@draw.on(SettledStudent)
def _draw_students(noise, rows, words, width):
    for j in range(rows.shape[1]):
        for row in (SINE, COSINE):
            draw_students(words[S0], words[S1], words[S2], words[S3], rows[row, j], noise.degrees, width)


@draw.on(SettledStable)
def _draw_stables(noise, rows, words, width):
    for j in range(rows.shape[1]):
        for row in (SINE, COSINE):
            draw_stables(words[S0], words[S1], words[S2], words[S3], rows[row, j], noise.alpha, width)


@draw.on(MiniBatch)
def _draw_batches(noise, rows, words, width):
    """One word per step decides the whole batch, the same for all coordinates."""
    for row in (SINE, COSINE):
        draw_words(words[S0], words[S1], words[S2], words[S3], rows[row, 0], width)
        for j in range(1, rows.shape[1]):
            for i in range(width):
                rows[row, j, i] = rows[row, 0, i]


@square.on(SettledNoise, SettledStudent, SettledStable, MiniBatch)
def square_taken(noise, w, j, i):
    return 1.0


@draw.on(ScaledNoise)
def _draw_scaled(noise, rows, words, width):
    draw(noise.noise, rows, words, width)


@square.on(ScaledNoise)
def _square_scaled(noise, w, j, i):
    return square(noise.noise, w, j, i)
