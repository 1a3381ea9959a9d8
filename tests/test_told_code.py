"""Messages that print code for a user to copy: followed to the letter, it works."""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import simdyn as sd
from simdyn._sources import SAID_ELSEWHERE
from simdyn.simulate.schedules import table_from_start, table_of_running

CODE = re.compile(r"@[\w.]+\.on\(.*\)")


class Bowl(NamedTuple):
    """L = depth x^2/2: without a saddle, and flat, without a minimum, where depth is 0."""

    depth: float


sd.value.on(Bowl)(lambda bowl, x, i: bowl.depth * x[0, i] ** 2 / 2.0)
sd.gradient.on(Bowl)(lambda bowl, x, j, i: bowl.depth * x[0, i])
sd.curvature.on(Bowl)(lambda bowl, x, j, i: bowl.depth)


class Unsaid(NamedTuple):
    """Says nothing of itself."""

    number: float = 1.0


class Crossed(NamedTuple):
    """Of two coordinates, and does not say so."""

    slope: float = 1.0


sd.value.on(Crossed)(lambda landscape, x, i: x[0, i] * x[1, i])
sd.gradient.on(Crossed)(lambda landscape, x, j, i: x[1 - j, i])
sd.curvature.on(Crossed)(lambda landscape, x, j, i: 0.0)


class Scheduled(NamedTuple):
    """A method whose coefficients never settle, as far as it says."""

    learning_rate: float = 1.0


sd.schedule.on(Scheduled)(lambda method, number: (1.0 / number,))


def formula(text):
    pytest.importorskip("sympy")
    return sd.Expression(text)


def simulated(kind, record):
    given = {"dynamics": sd.SGD(0.1), "landscape": sd.Quadratic((1.0,)), "noise": sd.ConstantNoise(1.0)}
    given |= {"boundary": sd.Beyond(1.0)} | {kind: record}
    return sd.escape_times(*given.values(), start=0.0, particles=1, max_steps=1)


POINT = np.zeros((1, 1))
CASES = {
    "a formula's minimum": ("landscape", lambda: formula("0*x"), sd.minimum),
    "a formula's saddle": ("landscape", lambda: formula("x**2"), sd.saddle),
    "a record's minimum": ("landscape", lambda: Bowl(0.0), sd.minimum),
    "a record's saddle": ("landscape", lambda: Bowl(2.0), sd.saddle),
    "our own record's saddle": ("landscape", lambda: sd.FiniteSum(sd.Quadratic((1.0,)), (0.5, 1.0)), sd.saddle),
    "a dynamics' step": ("dynamics", Unsaid, lambda record: simulated("dynamics", record)),
    "a dynamics' time_step": ("dynamics", Unsaid, sd.time_step),
    "a schedule's maturity, of a long run": (
        "dynamics",
        Scheduled,
        lambda record: table_from_start(record, sd.schedule, 10**9),
    ),
    "a schedule's maturity, of an endless one": ("dynamics", Scheduled, table_of_running),
    "a landscape's dimension, simulated": ("landscape", Crossed, lambda record: simulated("landscape", record)),
    "a landscape's dimension, of its minimum": ("landscape", Crossed, sd.minimum),
    "a landscape's dimension, at a point": ("landscape", Crossed, lambda record: sd.value_at(record, [0.0, 0.0])),
    "a landscape's dimension, in theory": (
        "landscape",
        Crossed,
        lambda record: sd.theory.escape_time(sd.SGD(0.1), record, sd.ConstantNoise(1.0)),
    ),
    "a landscape's dimension, in an exact answer": (
        "landscape",
        Crossed,
        lambda record: sd.exact.mean_first_passage(sd.SGD(0.1), record, sd.ConstantNoise(1.0), sd.Beyond(1.0), 0.0),
    ),
    "a landscape's dimension, of a start": (
        "landscape",
        Crossed,
        lambda record: sd.exact.mean_first_passage(sd.SGD(0.1), record, sd.ConstantNoise(1.0), sd.Beyond(1.0), [0, 0]),
    ),
    "a landscape's gradient": ("landscape", Unsaid, lambda record: simulated("landscape", record)),
    "a noise's variance": ("noise", Unsaid, lambda record: simulated("noise", record)),
    "a boundary's outside": ("boundary", Unsaid, lambda record: simulated("boundary", record)),
    "a landscape's value": ("landscape", Unsaid, lambda record: sd.value(record, POINT, 0)),
    "a landscape's curvature": ("landscape", Unsaid, lambda record: sd.curvature(record, POINT, 0, 0)),
    "a landscape's samples": ("landscape", Unsaid, sd.samples),
    "a landscape's sample_gradient": ("landscape", Unsaid, lambda record: sd.sample_gradient(record, 0, POINT, 0, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_message_says_to_write_can_be_written(case):
    kind, made, ask = CASES[case]
    record = made()
    with pytest.raises((sd.InvalidInput, TypeError)) as told:
        ask(record)
    (decorator,) = CODE.findall(str(told.value))
    name = decorator.split(".")[1]
    assert name in case
    parameters = ", ".join(inspect.signature(getattr(sd, name)).parameters)
    program = f"{decorator}\ndef said({parameters}):\n    return 0.5"
    try:
        exec(program, {"simdyn": sd, kind: record, type(record).__qualname__: type(record)})
        assert getattr(sd, name)(record, *[0] * parameters.count(",")) == 0.5
    finally:
        getattr(sd, name).registered.pop(type(record), None)
        SAID_ELSEWHERE.pop(type(record), None)  # or its kernels would not be kept


def test_no_other_message_prints_a_decorator():
    """All are written by one function, which the cases above follow."""
    written = [
        (path.name, line.strip())
        for path in Path(sd.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"""["'].*@[\w.{}]+\.on\(""", line) and not line.strip().startswith(("#", '"""', "``@"))
    ]
    assert [name for name, _ in written] == ["_jit.py"] * 2, written
