"""A study to begin with: commented, and over in seconds."""

from pathlib import Path

from simdyn.model.records import InvalidInput

STARTER = """\
# A study: particles that leave a minimum, how long they take, and whether a formula says so.
#   simdyn check FILE    finds what is wrong with it, without running it
#   simdyn run FILE      runs it; what has run is kept, so that only what you change runs anew
# Every field, test and kind of figure: docs/study-format.md.

title = "Escape of SGD and Momentum from a double well"
claim = "The mean escape time is the exact chain's."  # what is put to the test, in your words
standing = "ours"                                     # published, derived or ours
measure = "escape"                                    # or "displacement", or "density"

[landscape]
kind = "DoubleWell"  # L(x) = barrier ((x/width)^2 - 1)^2
barrier = 1.0
width = 1.0
# One of your own, as a formula; its constants can be swept:
# kind = "Expression"
# formula = "h*(x**2 - 1)**2"
# h = 1.0

[noise]
kind = "FrozenNoise"  # C = H_a/B, with H_a the curvature at the minimum
batch_size = 1.0

[ensemble]
particles = 2048
seed = 1            # the same seed gives the same numbers
exit = 1.0          # 0: the saddle, 1: as far again beyond it
max_steps = 1000000 # a particle that is still inside then is censored

# One series per method. `sweep` advances its lists together; `across` is a second sweep at every step of the first, and
# `product` takes every combination. A list can be a range: { from = 0.02, to = 0.08, count = 3, spacing = "log" }.
[[series]]
name = "SGD"
dynamics = { kind = "SGD", learning_rate = 0.05 }
sweep = { "dynamics.learning_rate" = { from = 0.04, to = 0.06, count = 3 } }

[[series]]
name = "Momentum"
dynamics = { kind = "Momentum", learning_rate = 0.004 }
sweep = { "noise.batch_size" = [0.6, 0.8, 1.0] }
exact = false  # the exact answer of a method with momentum takes longer

# A claim is tried by a test on a series, by a rule written before the run. Without claims a study is a plain sweep.
[[claims]]
name = "SGD"
says = "SGD's mean escape time is that of the Markov chain it is"
test = "escape_ratio"
series = "SGD"
rule = "agrees if |measured/exact - 1| plus half its interval is below 15 % in every cell"
tolerance = 0.15
options = { against = "exact" }
"""


def write_starter(name: str, like: Path | None = None) -> Path:
    """Write a starter study, or a copy of the study `like`; raises InvalidInput where there is a file of that name already."""
    path = Path(name if name.endswith(".toml") else f"{name}.toml")
    try:
        text = STARTER if like is None else like.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{like}: is not UTF-8 text") from None
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidInput(f"{path}: is there already; name another one: simdyn new NAME") from None
    return path
