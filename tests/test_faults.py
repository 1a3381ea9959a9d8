"""Kills, torn files and a full disk change no number (in full: `make check-faults`)."""

import sys

import pytest

from checks.faults import harm, trial
from checks.faults.__main__ import WHAT, page
from simdyn._storage import kernel_cache_directory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups to kill")

FEWER = trial.STUDY.replace("[1.0, 1.1, 1.2, 1.35, 1.5, 1.65]", "[1.0, 1.2, 1.5]").replace("[figure]", "").replace(
    'kind = "exponent"\n', ""
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study undisturbed, with the kernels that other tests have compiled."""
    work = tmp_path_factory.mktemp("faults")
    study = work / "harmed.toml"
    study.write_text(FEWER, encoding="utf-8")
    return trial.undisturbed(study, kernel_cache_directory().parents[1], work / "undisturbed", compiled=True)


def test_kills_and_torn_results_change_nothing(whole, tmp_path, seed):
    for count in (harm.kills(whole, tmp_path, 1, seed), harm.torn_results(whole, tmp_path, every=9)):
        assert count.held == count.tried > 0, count.failed


def test_a_result_that_differs_is_counted(whole, tmp_path):
    """The same runs, held against a table with one digit changed: every one of them must fail."""
    other = whole._replace(csv=whole.csv.replace(b"1", b"2", 1))
    count = harm.torn_results(other, tmp_path, every=100)
    assert count.tried == len(count.failed) == 4 and count.held == 0 and "another CSV" in count.failed[0]
    told = page([count], 0, 1)
    assert count.name in WHAT and "0 times everything held" in told and count.failed[0] in told


def test_endings_that_are_not_as_they_should_be():
    assert trial.ending(0, "simdyn: a warning\n") == [] and trial.refusal(2, "simdyn: disk full\n") == []
    assert trial.ending(-11, "") == ["ended by signal 11"] and trial.ending(1, "a\nb\n") == ["exit code 1: b"]
    assert trial.ending(0, "Traceback (most recent call last)") and trial.refusal(0, "simdyn: disk full")
    assert trial.refusal(2, "one\ntwo") and trial.refusal(-9, "killed") and trial.refusal(2, "")
