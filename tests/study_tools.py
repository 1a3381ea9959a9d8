"""Small study files, and studies that have run without running: results made by hand."""

import copy
import json
import warnings
from pathlib import Path

import numpy as np

from simdyn.model.records import InvalidInput
from simdyn.study.cells import expand
from simdyn.study.references import formula
from simdyn.study.results import Finished, StudyResult
from simdyn.study.schema import StudyFile, checked
from simdyn.study.verdicts import judge
from simdyn.theory import ValidityWarning

WELL = {"kind": "Sharpened", "landscape": {"kind": "DoubleWell", "barrier": 1.0, "width": 1.0}, "sharpness": 1.0}
SHARPNESS = [1.0, 1.2, 1.5, 1.9, 2.5]

ESCAPE = {
    "title": "A tiny study",
    "claim": "log tau grows as k^-1",
    "standing": "[P]",
    "measure": "escape",
    "landscape": WELL,
    "noise": {"kind": "FrozenNoise", "batch_size": 1.0},
    "ensemble": {"particles": 64, "seed": 1, "exit": 1.0, "max_steps": 1000000},
    "series": [
        {
            "name": "SGD",
            "dynamics": {"kind": "SGD", "learning_rate": 0.02},
            "sweep": {"landscape.sharpness": SHARPNESS},
        }
    ],
    "claims": [
        {
            "name": "power",
            "says": "the power is -1",
            "test": "exponent",
            "series": "SGD",
            "rule": "agrees if near",
            "options": {"variable": "landscape.sharpness", "power": -1.0, "rival": -0.5},
        }
    ],
    "figure": {"kind": "exponent"},
}

SPREAD = {
    **ESCAPE,
    "measure": "displacement",
    "landscape": {"kind": "Saddle", "curvatures": [-0.1, 0.2, 0.4]},
    "ensemble": {"particles": 64, "start": "saddle", "record_at": [1, 10, 40]},
    "series": [{"name": "SGD", "dynamics": {"kind": "SGD", "learning_rate": 1e-3}}],
    "claims": [{"name": "growth", "says": "grows as T", "test": "growth", "series": "SGD", "rule": "10 %"}],
    "figure": {"kind": "growth"},
}

DENSITY = {
    **ESCAPE,
    "measure": "density",
    "landscape": {"kind": "DoubleWell", "barrier": 1.0, "width": 1.0},
    "noise": {"kind": "ConstantNoise", "variance": 0.8},
    "ensemble": {"particles": 64, "record_at": [10, 40], "bins": {"low": -2.0, "high": 2.0, "bins": 16}},
    "series": [{"name": "Overdamped", "dynamics": {"kind": "Overdamped", "dt": 0.01}}],
    "claims": [{"name": "density", "says": "eq. 2", "test": "density", "series": "Overdamped", "rule": "near"}],
    "figure": {"kind": "density"},
}

VALIDITY = {
    **ESCAPE,
    "simulate": False,
    "landscape": {"kind": "DoubleWell", "barrier": 1.0, "width": 1.0},
    "series": [
        {
            "name": "SGD",
            "dynamics": {"kind": "SGD", "learning_rate": 0.02},
            "sweep": {"dynamics.learning_rate": [0.0025, 0.005, 0.01], "noise.batch_size": [0.05, 0.1, 0.2]},
            "across": {"landscape.barrier": [2.0, 4.0]},
        }
    ],
    "claims": [
        {
            "name": "SGD",
            "says": "the formula holds",
            "test": "validity",
            "series": "SGD",
            "tolerance": 0.05,
            "rule": "agrees if within 5 %",
            "options": {"where": {"dynamics.learning_rate": [0.0, 0.005]}},
        }
    ],
    "figure": {"kind": "validity"},
}

_WELLS = {
    "kind": "UnequalWells",
    "barrier": 1.0,
    "left_curvature": 8.0,
    "right_curvature": 2.0,
    "saddle_curvature": 4.0,
}
_EITHER_WAY = {
    "sweep": {"landscape.barrier": [0.6, 0.8, 1.0]},
    "across": {"landscape.left_curvature": [8.0, 2.0], "landscape.right_curvature": [2.0, 8.0]},
    "ensemble": {"exit": 0.7},
}
_SADDLES = {
    "landscape": {"kind": "Saddle", "curvatures": [-0.1, 1.0]},
    "ensemble": {"start": "saddle", "boundary": {"kind": "OutsideBall", "radius": 1.0}},
    "sweep": {"landscape.curvatures.0": [-0.01, -0.1, -0.3, -1.0]},
}
_FAST = {"kind": "SignSGD", "learning_rate": 0.02}
_SLOW = ESCAPE["series"][0]["dynamics"]
_FLAT = {"variable": "landscape.barrier", "expected": 1.0, "rival": 0.4}
_FALLS = {"variable": "landscape.curvatures.0", "magnitude": True, "expected": -1.0, "rival": -0.5}

CLOSING = {
    **ESCAPE,
    "landscape": _WELLS,
    "noise": {"kind": "LocalNoise", "batch_size": 1.0},
    "ensemble": {"particles": 64, "seed": 1},
    "series": [
        {"name": "SGD, wells", "dynamics": _SLOW, **_EITHER_WAY},
        {"name": "sign, wells", "dynamics": _FAST, **_EITHER_WAY},
        {"name": "SGD, saddle", "dynamics": _SLOW, **_SADDLES},
        {"name": "sign, saddle", "dynamics": _FAST, **_SADDLES},
    ],
    "claims": [
        {
            "name": f"{name} {what}",
            "says": "words",
            "test": test,
            "series": f"{name}, {where}",
            "tolerance": 0.05,
            "rule": "agrees if nearer",
            "options": options,
        }
        for name in ("SGD", "sign")
        for what, test, where, options in (
            ("selects", "preference", "wells", _FLAT),
            ("escapes", "tau_slope", "saddle", _FALLS),
        )
    ],
    "figure": {
        "kind": "closing",
        "methods": {name: [f"{name} selects", f"{name} escapes"] for name in ("SGD", "sign")},
    },
}


def changed(table, place, value):
    """A copy of a table with another value at a dotted place; "series.0.name" walks into lists, None takes the key out."""
    table = copy.deepcopy(table)
    *way, last = [int(part) if part.isdigit() else part for part in place.split("/")]
    inner = table
    for part in way:
        inner = inner[part]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return table


def toml(value):
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else repr(value)


def write(path: Path, table) -> Path:
    """A study file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items()), encoding="utf-8")
    return path


def study_of(table) -> StudyFile:
    """A table as a checked study."""
    return checked(StudyFile, table, "test")


_RUN = """
import json, sys, warnings
from pathlib import Path
from simdyn.study import figures, files, run
figures.draw_study = lambda result, directory: []  # not what this is about
warnings.simplefilter("ignore")
place = Path(sys.argv[1])
events = []
(found,) = run.run(files.find_studies([place / "studies/own.toml"]), run.Places(place / "results", place / "figures"), 1,
    lambda event, detail: events.append(detail[1]) if event == "done" else None)
print(json.dumps([events, [done.measured["value"] for done in found.cells]]))
"""


def run_study(run_python, place):
    """Run `studies/own.toml` in a new process, its user's files read anew: which cells were computed, and their values."""
    for cache in (place / "studies/__pycache__").glob("*"):
        cache.unlink()
    return json.loads(run_python(_RUN, place))


def measured_escape(value, half=0.01, **more):
    """What measuring an escape might have given: a mean time in steps with a relative half width."""
    return {
        "value": value,
        "low": value * (1.0 - half),
        "high": value * (1.0 + half),
        "level": 0.95,
        "particles": 1000,
        "censored": 0,
        "bridged": False,
        "exponential": True,
        "exponential_distance": 0.02,
        "exponential_p": 0.5,
        "exponential_tolerance": 0.05,
        "survival_steps": [1, 2],
        "survival": [0.9, 0.8],
        "time_step": 0.05,
        "particle_steps": 1000,
        "wall_time": 0.5,
        **more,
    }


def fake_measure(cell, workers=None, progress=None):
    """A quick stand-in for a measurement, a function of the cell's identity alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        return _fake_measure(cell)


def _fake_measure(cell):
    if cell.measure == "escape":
        jitter = 1.0 + 0.002 * (cell.seed % 1000 / 1000.0 - 0.5)
        return measured_escape(formula(cell)["theory"] * jitter, particles=cell.ensemble.particles)
    if cell.measure == "displacement":
        known = formula(cell)
        msd = np.array(known["drift"]) + np.array(known["diffusion"])
        return {
            "record_at": cell.ensemble.record_at,
            "msd": msd.tolist(),
            "stderr": (0.01 * msd).tolist(),
            "time_step": 0.001,
            "particle_steps": 1000,
            "wall_time": 0.5,
        }
    bins = cell.ensemble.bins
    counts = np.ones((len(cell.ensemble.record_at), bins.bins), int)
    return {
        "record_at": cell.ensemble.record_at,
        "edges": np.linspace(bins.low, bins.high, bins.bins + 1).tolist(),
        "counts": counts.tolist(),
        "outside": [0] * len(counts),
        "particles": bins.bins,
        "time_step": 0.01,
        "particle_steps": 1000,
        "wall_time": 0.5,
    }


def result_of(table, measured, known=None) -> StudyResult:
    """A study's result, every cell given by `measured(cell)` and `known(cell)`."""
    study = study_of(table)
    known = known or (lambda cell: {"exact": None, "exact_error": None, **formula(cell)})
    cells = [Finished(cell, f"key{n}", measured(cell), known(cell)) for n, cell in enumerate(expand("test", study))]
    return StudyResult("test", study, cells)


def judged(result: StudyResult):
    """The verdicts on a study's claims; raises InvalidInput for one that cannot be tried."""
    verdicts = judge(result)
    for trouble in result.failures():
        raise InvalidInput(trouble)
    return verdicts
