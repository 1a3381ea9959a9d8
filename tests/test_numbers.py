"""Numbers that are silently other than meant: texts, truth values, complex and ragged arrays, points of another dimension."""

from fractions import Fraction

import numpy as np
import pytest

import simdyn as sd
from simdyn.estimate import log_log_slope
from simdyn.exact.fokker_planck import cell_probabilities
from simdyn.model.arrays import numbers, point_of
from simdyn.model.records import InvalidInput, flag, number
from simdyn.simulate.setup import check_edges, check_point, check_records, prepare_exit

WELL, PLANE = sd.DoubleWell(1.0, 1.0), sd.Saddle((-1.0, 2.0))
NOISE = sd.ConstantNoise(0.5)

NO_NUMBERS = [
    "-1.0", b"1", True, np.True_, np.array(True), np.array("1.0"), np.str_("1"), 1j, np.complex128(1.0), None, object(),
    [], {}, 10**400, float("inf"), float("nan"), np.float64("nan"), np.timedelta64(1),
]  # fmt: skip


@pytest.mark.parametrize("given", NO_NUMBERS, ids=lambda given: repr(given)[:14])  # not where an object lies in memory
def test_what_is_no_number_is_no_number(given):
    with pytest.raises(InvalidInput, match=r"^x must be a finite number, not"):
        number("x", given)
    with pytest.raises(InvalidInput, match=r"^start must be"):
        check_point("start", given, 1)
    with pytest.raises(InvalidInput):
        point_of("x", [given, 1.0], 2)
    with pytest.raises(InvalidInput, match="DoubleWell: barrier must be a positive number"):
        sd.DoubleWell(given, 1.0)


@pytest.mark.parametrize(
    "given", [1, 1.0, np.int8(1), np.float32(1), np.array(1.0), np.uint64(1), Fraction(2, 2)], ids=repr
)
def test_what_is_a_number_is_one(given):
    for found in (number("x", given), float(numbers("x", given)), float(point_of("x", given, 1)[0])):
        assert type(found) is float and found == 1.0


def test_minus_zero_is_zero():
    """A cell's key and a quotient would differ."""
    assert str(number("x", -0.0)) == "0.0" and str(sd.Saddle((1.0,), -0.0).quartic) == "0.0"


LISTS = [[1.0, "2"], ["1", "2"], [1.0, True], [True, False], [1.0, None], [[1.0], [2.0, 3.0]], [1.0, 1j], [1.0, np.nan]]


@pytest.mark.parametrize("given", LISTS, ids=repr)
def test_lists_that_are_not_numbers_throughout(given):
    with pytest.raises(InvalidInput, match=r"^edges must be"):
        check_edges(given)
    with pytest.raises(InvalidInput, match=r"^record_at must be"):
        check_records(given)
    for ask in (
        lambda: check_point("start", given, 2),
        lambda: sd.value_at(PLANE, given) if given[1] == given[1] else numbers("x", given),
        lambda: sd.ConstantNoise(given),
        lambda: sd.exact.moments(sd.SGD(0.1), PLANE, NOISE, given, [1]),
        lambda: cell_probabilities(WELL, NOISE, 0.0, given, [0.0, 1.0]),
        lambda: sd.theory.sgd_displacement(given, 0.1, 1.0, 1.0),
        lambda: sd.theory.sgd_displacement(1, 0.1, given, 1.0),
        lambda: sd.theory.adam_displacement(1, 0.1, 0.9, given),
        lambda: sd.theory.depopulation_factor(given),
    ):
        with pytest.raises(InvalidInput):
            ask()


def test_steps_beyond_what_floats_hold_stay_what_they_are():
    assert check_records([1, 2**53 + 1]).tolist() == [1, 2**53 + 1]
    with pytest.raises(InvalidInput, match="record_at must increase"):
        check_records([1, 2**62])
    with pytest.raises(InvalidInput, match="record_at must increase"):
        check_records(np.array([3, 1], np.uint64))  # whose difference is positive


@pytest.mark.parametrize("given", [{1.0, 2.0}, {1.0: 2.0}, "12", b"12"], ids=repr)
def test_what_has_no_order_is_no_sequence(given):
    with pytest.raises(InvalidInput, match="curvatures must be a sequence"):
        sd.Quadratic(given)


@pytest.mark.parametrize("name", ["value_at", "gradient_at", "curvatures_at", "hessian_at"])
@pytest.mark.parametrize(
    ("landscape", "point", "words"),
    [
        (WELL, [0.0, 1.0, 2.0], "DoubleWell: a point has 1 coordinate here, not 3"),
        (PLANE, 1.0, "Saddle: a point has 2 coordinates here, not 1"),
        (PLANE, [1.0, 2.0, 3.0], "has 2 coordinates here, not 3"),
        (sd.Rotated(PLANE, 0.3), [1.0], "Rotated: a point has 2 coordinates here, not 1"),
        (PLANE, [], "has 2 coordinates here, not 0"),
        (WELL, "0.0", "point must be"),
    ],
)
def test_a_point_has_the_landscapes_coordinates(name, landscape, point, words):
    with pytest.raises(InvalidInput, match=words):
        getattr(sd, name)(landscape, point)
    if not isinstance(point, str):
        with pytest.raises(InvalidInput, match=words):
            sd.variance_at(NOISE, landscape, point)


def test_a_list_of_one_is_not_one_number_for_all_coordinates():
    for noise in (sd.ConstantNoise([1.0]), sd.StudentNoise([1.0], 3.0), sd.StableNoise([1.0])):
        with pytest.raises(InvalidInput, match=f"{type(noise).__name__}: .* has 1 entries, the landscape 2"):
            sd.settle(noise, PLANE)
    with pytest.raises(InvalidInput, match="OutsideBall: centre has 1 coordinates, the landscape 2"):
        sd.outside(sd.OutsideBall(1.0, [0.0]), PLANE, np.zeros((2, 1)), 0)
    assert check_point("start", 0.5, 3).tolist() == [0.5] * 3
    with pytest.raises(InvalidInput, match="start must be a finite number, or one for each of 3 coordinates, not"):
        check_point("start", [0.5], 3)
    with pytest.raises(InvalidInput, match=r"start must be a finite number, not \[0.5, 1.0\]"):
        check_point("start", [0.5, 1.0], 1)  # "a number or 1 numbers"
    with pytest.raises(InvalidInput, match=r"start must be a finite number, not \[0.0, 1.0\]"):
        sd.exact.mean_first_passage(sd.SGD(0.1), WELL, NOISE, sd.Beyond(1.0), [0.0, 1.0])


@pytest.mark.parametrize("given", ["no", "yes", 0, 1, 0.0, [], np.array([True])], ids=repr)
def test_what_is_neither_true_nor_false(given):
    with pytest.raises(InvalidInput, match=r"^x must be True or False"):
        flag("x", given)
    method = sd.Overdamped(0.01)
    with pytest.raises(InvalidInput, match=r"^bridge must be True or False, not"):
        prepare_exit(method, WELL, sd.Beyond(0.0), -1.0, given)
    with pytest.raises(InvalidInput, match=r"^bridge must be True or False"):
        sd.exact.mean_first_passage_of_scheme(method, WELL, NOISE, sd.Beyond(0.0), -1.0, bridge=given)
    with pytest.raises(InvalidInput, match=r"^at_saddle must be True or False"):
        sd.theory.escape_time(sd.SGD(0.05), WELL, NOISE, at_saddle=given)
    with pytest.raises(InvalidInput, match=r"^returns must be True or False"):
        sd.theory.rates(sd.Overdamped(0.1), WELL, NOISE, returns=given)
    with pytest.raises(InvalidInput, match=r"^eps_inside_root must be True or False"):
        sd.theory.adam_escape_time(8.0, 4.0, 1.0, 1e-3, 1.0, 0.9, eps_inside_root=given)


def test_true_and_false_are():
    assert flag("x", np.True_) is True and flag("x", False) is False


@pytest.mark.parametrize("given", [["1", "2", "4"], [True, True, False], [1j, 2.0, 3.0]], ids=repr)
def test_estimates_are_of_numbers(given):
    with pytest.raises(ValueError, match="must be an array of real numbers"):
        log_log_slope(given, [1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
