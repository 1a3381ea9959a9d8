"""The Estimate record, and the room's independence."""

import ast
import math
import pathlib

import pytest

from simdyn import estimate
from simdyn.estimate import Estimate, normal_interval, relative_deviation


def test_prints_to_the_digits_its_width_allows():
    assert str(Estimate(2750.52, 2720.14, 2781.21, 0.95)) == "2750.5 [2720.1, 2781.2] (95 %)"
    assert str(Estimate(1.2345678, 1.2344, 1.2347, 0.9)) == "1.234568 [1.234400, 1.234700] (90 %)"
    assert str(Estimate(1.5e12, 1.4e12, 1.6e12, 0.95)) == "1.500e+12 [1.400e+12, 1.600e+12] (95 %)"
    assert str(Estimate(math.inf, 542.0, math.inf, 0.95)) == "inf [542, inf] (95 %)"
    assert str(Estimate(3.0, 3.0, 3.0, 0.95)) == "3 [3, 3] (95 %)"
    assert str(Estimate(0.0, -0.5, 0.5, 0.999)) == "0.000 [-0.500, 0.500] (99.9 %)"


def test_arithmetic():
    estimate_of_ten = normal_interval(10.0, 0.5, 0.95)
    assert estimate_of_ten.half_width == pytest.approx(0.5 * 1.959964)
    assert estimate_of_ten.standard_error == pytest.approx(0.5)
    assert estimate_of_ten.contains(10.9) and not estimate_of_ten.contains(11.0)
    assert estimate_of_ten.contains(estimate_of_ten.high)
    assert estimate_of_ten.relative_to(5.0) == pytest.approx((2.0, 1.8040036, 2.1959964, 0.95))
    assert Estimate(2.0, 1.0, 4.0, 0.9).log() == pytest.approx((math.log(2), 0.0, math.log(4), 0.9))


def test_relative_deviation_keeps_order_for_a_negative_reference():
    assert relative_deviation(Estimate(11.0, 10.5, 11.5, 0.95), 10.0) == pytest.approx((0.1, 0.05, 0.15, 0.95))
    slope = relative_deviation(Estimate(-0.75, -0.8, -0.7, 0.95), -1.0)
    assert slope == pytest.approx((-0.25, -0.3, -0.2, 0.95))


@pytest.mark.parametrize("reference", [0.0, -1.0, math.nan, math.inf])
def test_refuses_a_unit_that_is_none(reference):
    with pytest.raises(ValueError, match="reference"):
        Estimate(1.0, 0.5, 2.0, 0.95).relative_to(reference)
    if reference != -1.0:
        with pytest.raises(ValueError, match="reference"):
            relative_deviation(Estimate(1.0, 0.5, 2.0, 0.95), reference)


def test_refuses_the_logarithm_of_an_interval_reaching_zero():
    with pytest.raises(ValueError, match="above zero"):
        Estimate(1.0, -0.1, 2.0, 0.95).log()


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_refuses_a_level_that_is_no_probability(level):
    with pytest.raises(ValueError, match="level"):
        normal_interval(1.0, 1.0, level)


def test_every_public_name_exists_and_is_documented():
    for name in estimate.__all__:
        assert getattr(estimate, name).__doc__


def test_imports_nothing_else_of_the_package():
    for path in pathlib.Path(estimate.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            for name in names:
                allowed = name.split(".")[0] != "simdyn" or name.startswith("simdyn.estimate")
                assert allowed, f"{path.name} imports {name}"
