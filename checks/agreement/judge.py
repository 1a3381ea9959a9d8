"""Whether the answers of a setting's routes agree, within sampling errors and stated bounds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from checks.agreement.draw import Setting
from checks.agreement.routes import Answer

SIGMA = 5.0  # standard errors of sampling


class Disagreement(NamedTuple):
    """Two routes that both answer without a warning, and differ by more than they allow."""

    setting: Setting
    one: Answer
    other: Answer
    excess: float  # difference over what is allowed

    def __str__(self) -> str:
        worst = int(np.argmax(_excess(self.one, self.other)))
        pair = " against ".join(
            f"{a.route} {a.value[worst]:.6g} (sampling {a.sampling[worst]:.2g}, bound {a.bound[worst]:.2g})"
            for a in (self.one, self.other)
        )
        return f"setting {self.setting.number}: {self.setting.problem}: {pair}, {self.excess:.3g} times what is allowed"


def _excess(one: Answer, other: Answer) -> np.ndarray:
    # Bounds of two formulas need not add up, those of sampling do in squares. Rounding is allowed to everybody.
    allowed = SIGMA * np.hypot(one.sampling, other.sampling) + one.bound + other.bound
    allowed = allowed + 1e-9 * np.maximum(abs(one.value), abs(other.value)) + 1e-300
    high, low = np.maximum(one.value, other.value), np.minimum(one.value, other.value)
    return np.maximum(high / (one.factor * other.factor) - low, 0.0) / allowed


def disagreements(setting: Setting, answers: Sequence[Answer]) -> list[Disagreement]:
    """All pairs that disagree."""
    speaking = [answer for answer in answers if not answer.silent]
    found = []
    for n, one in enumerate(speaking):
        for other in speaking[n + 1 :]:
            excess = float(np.max(_excess(one, other)))
            if not excess <= 1.0:  # not a number is a disagreement
                found.append(Disagreement(setting, one, other, excess))
    return found
