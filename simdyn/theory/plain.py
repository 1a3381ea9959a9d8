"""The plain-number formulas as they are public: the same functions, which also warn of what their own numbers tell.

What only records tell, how the noise changes on the way, what v does, what friction takes from an orbit, `escape_time` and
`displacement_parts` look at; they call the formulas beneath.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from simdyn.theory import displacement, formulas, optimizers
from simdyn.theory.divisor import divisor
from simdyn.theory.escape_validity import LARGEST_STEP, LOWEST_ACTION
from simdyn.theory.validity import warn

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


def telling(formula: Callable[Asked, Found], *checks: Callable[[Any, dict[str, Any]], None]) -> Callable[Asked, Found]:
    """`formula`, looked at by each check: of what it found and of its arguments by name."""
    signature = inspect.signature(formula)

    @functools.wraps(formula)
    def told(*args: Asked.args, **kwargs: Asked.kwargs) -> Found:
        found = formula(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        for check in checks:
            check(found, given.arguments)
        return found

    return told


def _rare(found: formulas.EscapeTime, given: dict[str, Any]) -> None:
    if found.action < LOWEST_ACTION:
        warn(f"the action is {found.action:.3g}: below {LOWEST_ACTION:g} an escape is not rare")


def _small_step(rate: Callable[[dict[str, Any]], float]) -> Callable[[Any, dict[str, Any]], None]:
    def check(found: Any, given: dict[str, Any]) -> None:
        size = rate(given) * given["minimum_curvature"]
        if size > LARGEST_STEP:
            warn(f"(omega_a dt)^2 is {size:.3g}: above {LARGEST_STEP:g} a step is not small")

    return check


def _small_fall(rate: Callable[[dict[str, Any]], float]) -> Callable[[Any, dict[str, Any]], None]:
    def check(found: Any, given: dict[str, Any]) -> None:
        felt = (
            np.abs(np.asarray(given["curvature"], dtype=float)) * rate(given) * np.asarray(given["steps"], dtype=float)
        )
        fall = float(np.max(felt, initial=0.0))
        if fall > displacement.LARGEST_FALL:
            warn(f"|H| eta T reaches {fall:.3g}: above {displacement.LARGEST_FALL:g} the curvature is felt")

    return check


def _unclipped(found: Any, given: dict[str, Any]) -> None:
    size, mean = (np.abs(np.asarray(given[name], dtype=float)) for name in ("curvature", "mean_curvature"))
    if np.any(given["beta0"] * size / mean > 1.0):
        warn("Adai clips beta1 in some coordinate, and the formula does not hold there")


def _adams_rate(given: dict[str, Any]) -> float:
    variance = given["minimum_curvature"] / given["batch_size"]
    divided = divisor(variance, 0.5, given["eps"], given["eps_inside_root"])
    return float(given["learning_rate"] * (1.0 - given["beta1"]) / divided)


def _effective_rate(given: dict[str, Any]) -> float:
    method = given["method"]
    return float(method.rate_at(given["minimum_curvature"] / given["batch_size"]) * min(method.forgetting, 1.0))


sgd_escape_time = telling(formulas.sgd_escape_time, _rare, _small_step(lambda given: given["learning_rate"]))
momentum_escape_time = telling(
    formulas.momentum_escape_time, _rare, _small_step(lambda given: given["learning_rate"] * given["beta3"])
)
adai_escape_time = telling(
    formulas.adai_escape_time, _rare, _small_step(lambda given: given["learning_rate"] * min(given["beta0"], 1.0))
)
adam_escape_time = telling(formulas.adam_escape_time, _rare, _small_step(_adams_rate))
effective_escape_time = telling(optimizers.effective_escape_time, _rare, _small_step(_effective_rate))
kramers_escape_time = telling(formulas.kramers_escape_time, _rare)
inertial_kramers_escape_time = telling(formulas.inertial_kramers_escape_time, _rare)
sgd_displacement = telling(displacement.sgd_displacement, _small_fall(lambda given: given["learning_rate"]))
momentum_displacement = telling(
    displacement.momentum_displacement,
    _small_fall(lambda given: given["learning_rate"] * given["beta3"] / (1.0 - given["beta1"])),
)
adai_displacement = telling(
    displacement.adai_displacement, _small_fall(lambda given: given["learning_rate"]), _unclipped
)
