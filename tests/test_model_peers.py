"""Our methods against recorded paths of published implementations (``tests/peers`` made the table and tests them live)."""

import json
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numba
import numpy as np
import pytest
from sequence import allowance, follow, gradients

import simdyn as sd
from simdyn.model.dynamics.power import power

TABLE = json.loads((Path(__file__).parent / "data" / "peers.json").read_text())
PATHS = {entry["name"]: entry for entry in TABLE["paths"]}
GIVEN = gradients()


def distance(dynamics, name):
    """The largest distance from a recorded path, in units of what rounding may do."""
    path = follow(dynamics, GIVEN)
    allowed = np.maximum(allowance(path), 2.0**-53)[TABLE["steps"]]
    return np.max(np.abs(path[TABLE["steps"]] - PATHS[name]["positions"]) / allowed)


def recorded(name):
    return getattr(sd, PATHS[name]["method"])(**PATHS[name]["fields"])


def test_the_sequence_is_the_one_recorded():
    np.testing.assert_array_equal(np.cumsum(GIVEN, axis=0)[np.array(TABLE["steps"]) - 1], TABLE["sum_of_gradients"])


@pytest.mark.parametrize("name", PATHS)
def test_same_path_as_the_peer(name):
    assert PATHS[name]["version"]
    assert distance(recorded(name), name) < 1


def test_every_optimizer_has_a_peer():
    optimizers = {name for name, method in sd.REGISTRY["dynamics"].items() if "learning_rate" in method._fields}
    assert {entry["method"] for entry in PATHS.values()} == {name for name in optimizers if _is_ours(name)}


def _is_ours(name):
    return sd.REGISTRY["dynamics"][name].__module__.startswith("simdyn.")


@pytest.mark.parametrize(
    ("name", "field", "factor"),
    [
        ("AdamW", "weight_decay", 1 + 1e-9),
        ("AMSGrad", "beta2", 1 - 1e-9),
        ("AdaBound", "gamma", 1 + 1e-9),
        ("Padam, as packages", "power", 1 + 1e-9),
        ("Yogi, as packages", "initial", 1.001),
        ("RAdam", "beta1", 1 - 1e-9),
        ("AdaiV2", "dampening", 1 + 1e-9),
        ("AdaiW", "weight_decay", 1 + 1e-9),
        ("Nesterov", "beta3", 1 + 1e-9),
        ("RMSProp", "eps", 1.01),
        ("SignSGD", "learning_rate", 1 + 1e-9),
    ],
)
def test_a_billionth_more_of_a_field_is_seen(name, field, factor):
    right = recorded(name)
    assert distance(right._replace(**{field: getattr(right, field) * factor}), name) > 1


# ---------------------------------------------------------------------------------------------------- powers

compiled_power = numba.njit(lambda x, p: power(x, p))


@pytest.mark.parametrize("p", [0.125, -0.25, 1 / 3, 0.5, 0.9, 1.0, -1.0])
def test_powers_to_rounding(p, seed):
    random = np.random.default_rng((seed, 9))
    with localcontext(prec=40):
        for x in [*10 ** random.uniform(-30, 10, 60), *random.uniform(0.5, 2.0, 60), 1.0, 2.0**-1022, 1e300]:
            exact = Decimal(float(x)) ** Decimal(p)
            for found in (power(float(x), p), compiled_power(float(x), p)):
                assert abs(Decimal(float(found)) / exact - 1) < (4 + abs(p * math.log2(x))) * 2.0**-53


def test_powers_at_the_edges():
    for function in (power, compiled_power):
        assert function(1.0, 0.3) == 1.0 and function(3.0, 0.0) == 1.0
        assert 0.0 <= function(0.0, 0.25) < 1e-76 and function(0.0, 1.0) == 0.0
        assert 1e307 < function(0.0, -1.0) < math.inf
        assert math.isnan(function(math.inf, 0.25)) and math.isnan(function(math.nan, 0.25))
