"""Our methods against published implementations, at every one of two thousand steps. Run by ``make test-peers``."""

import numpy as np
import pytest
import pytorch_optimizer
from cases import CASES, follow_peer
from sequence import STEPS, allowance, follow, gradients

import simdyn as sd

pytestmark = pytest.mark.filterwarnings("ignore:This overload of add_ is deprecated:UserWarning")


def excess(path, expected, more=0.0):
    """The largest distance of two paths in units of what rounding may do."""
    return np.max(np.abs(path - expected) / (np.maximum(allowance(expected), 2.0**-53) + more))


@pytest.mark.parametrize("name", CASES)
def test_same_path_as_the_peer(name):
    ours, _, optimizer, arguments = CASES[name]
    expected = follow_peer(optimizer, arguments, gradients())
    path = follow(ours, gradients())
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-3
    assert excess(path, expected) < 1


def test_one_adabound_adds_a_constant_inside_the_root():
    """sqrt(v + 1e-15) + eps: each update differs by a share of 1e-15/2v, and by no more."""
    arguments = {"lr": 0.01, "final_lr": 0.02, "gamma": 0.01}
    expected = follow_peer(pytorch_optimizer.AdaBound, arguments, gradients())
    v = np.array([0.001 * 0.999 ** np.arange(t, -1, -1) @ gradients()[: t + 1] ** 2 for t in range(STEPS)])
    share = np.abs(np.diff(expected, axis=0)) * 1e-15 / (2 * v)
    more = np.vstack([np.zeros(2), np.cumsum(share, axis=0)])
    path = follow(sd.AdaBound(0.01, 0.02, 0.01), gradients())
    assert excess(path, expected) > 10 and excess(path, expected, more) < 1


@pytest.mark.parametrize(
    ("name", "paper"),
    [
        ("RAdam, threshold 5", sd.RAdam(0.01)),
        ("RAdam, resting before", sd.RAdam(0.01, threshold=5.0)),
        ("Padam, as packages", sd.Padam(0.01)),
        ("Padam, as packages", sd.Padam(0.01, keep_highest=False)),
        ("Yogi, as packages", sd.Yogi(0.01)),
        ("AMSGrad", sd.AMSGrad(0.01, corrected_first=True)),
        ("AMSGrad", sd.AMSGrad(0.01, corrected=False)),
        ("AdaBound", sd.AdaBound(0.01, 0.02, 0.01, corrected=False)),
        ("AdamW", sd.AdamW(0.01, weight_decay=0.5, decay_times_rate=False)),
        ("Adam", sd.Adam(0.01, eps_inside_root=True)),
        ("Adam", sd.Adam(0.01, eps=1.001e-8)),
    ],
)
def test_where_paper_and_package_differ_the_paths_do(name, paper):
    """The comparison has power: each variant is told from the other, and a thousandth more of 1e-8 is seen."""
    _, _, optimizer, arguments = CASES[name]
    expected = follow_peer(optimizer, arguments, gradients())
    assert excess(follow(paper, gradients()), expected) > 1
