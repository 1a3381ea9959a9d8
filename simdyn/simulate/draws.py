"""The random numbers of a pair of steps, by the kind of noise: parts of normals, whole normals, or ready variates."""

from simdyn._jit import generic
from simdyn.model.finite_sum import MiniBatch
from simdyn.model.heavy_noise import SettledStable, SettledStudent
from simdyn.model.noise import ScaledNoise, SettledNoise
from simdyn.simulate.lanes import COSINE, S0, S1, S2, S3, SINE, SQUARE, Normals, turn_of
from simdyn.simulate.rng import draw_normals, draw_parts
from simdyn.simulate.variates import draw_stables, draw_students, draw_words


@generic
def draw(noise, normals, words, j, pair, width):
    """The random numbers of coordinate j for the next pair of steps, in a loop of their own; `pair` numbers it.

    With the steps in the same loop one long chain of dependent operations fills the processor's window, and neither half
    is done while the other waits (W1: a quarter slower).
    """


@generic
def normals_in(noise, lanes, turns):
    """Where among the lanes' rows the random numbers of a pair of steps are; turns: how many rows of sines are used."""


@normals_in.otherwise
def _normals_in(noise, lanes, turns):
    rows = lanes.cargo.rows
    return Normals(rows[SQUARE], rows[SINE, :turns], rows[COSINE])


@generic
def square(noise, w, j, i):
    """The square of the radius that the sine or cosine is still to be multiplied by."""


@draw.otherwise
def _draw_parts(noise, normals, words, j, pair, width):
    """The parts of the normals: noise that depends on the point takes one root for its size and the radius together."""
    w, sine, cosine = normals.square[j], normals.sine[turn_of(normals, j)], normals.cosine[j]
    draw_parts(words[S0], words[S1], words[S2], words[S3], w, sine, cosine, width)


@square.otherwise
def _square(noise, w, j, i):
    return w[j, i]


@draw.on(SettledNoise)
def _draw_normals(noise, normals, words, j, pair, width):
    """Whole normals, in the rows of sine and cosine: here the root is done while the generator computes."""
    draw_normals(
        words[S0], words[S1], words[S2], words[S3], normals.sine[turn_of(normals, j)], normals.cosine[j], width
    )


@draw.on(SettledStudent)
def _draw_students(noise, normals, words, j, pair, width):
    for row in (normals.sine[turn_of(normals, j)], normals.cosine[j]):
        draw_students(words[S0], words[S1], words[S2], words[S3], row, noise.degrees, width)


@draw.on(SettledStable)
def _draw_stables(noise, normals, words, j, pair, width):
    for row in (normals.sine[turn_of(normals, j)], normals.cosine[j]):
        draw_stables(words[S0], words[S1], words[S2], words[S3], row, noise.alpha, width)


@draw.on(MiniBatch)
def _draw_batches(noise, normals, words, j, pair, width):
    """One word per step decides the whole batch, the same for all coordinates."""
    sine, cosine = normals.sine[turn_of(normals, j)], normals.cosine[j]
    if j == 0:
        for row in (sine, cosine):
            draw_words(words[S0], words[S1], words[S2], words[S3], row, width)
    else:
        for i in range(width):
            sine[i], cosine[i] = normals.sine[0, i], normals.cosine[0, i]


@square.on(SettledNoise, SettledStudent, SettledStable, MiniBatch)
def square_taken(noise, w, j, i):
    return 1.0


@draw.on(ScaledNoise)
def _draw_scaled(noise, normals, words, j, pair, width):
    draw(noise.noise, normals, words, j, pair, width)


@square.on(ScaledNoise)
def _square_scaled(noise, w, j, i):
    return square(noise.noise, w, j, i)
