"""Values that a sweep takes, listed, or spread out evenly between two ends."""

import contextlib
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from simdyn.study.complaints import TOLD, Strict, Words, complaints

_DIGITS = 12  # that values between the ends are rounded to: the last ones of a power differ from machine to machine


Number = Annotated[int | float, Words("a finite number")]


class Spread(Strict):
    """Values of a sweep spread out evenly, or their logarithms: `{ from = 0.1, to = 10.0, count = 5, spacing = "log" }`.

    Values between the ends are rounded to 12 digits. Whole numbers stay whole where both ends and all values between them are.
    """

    begin: Number = Field(alias="from", description="The first value.")
    end: Number = Field(alias="to", description="The last value; it may be below the first.")
    count: int = Field(ge=2, le=10**6, description="How many values, both ends among them.")
    spacing: Literal["linear", "log"] = Field(
        "linear", description="Whether the values or their logarithms have equal distances."
    )

    def values(self) -> list[int | float]:
        """The values, in order."""
        shares = [n / (self.count - 1) for n in range(1, self.count - 1)]
        if self.spacing == "log":
            between = [self.begin * (self.end / self.begin) ** share for share in shares]
        else:
            between = [self.begin + (self.end - self.begin) * share for share in shares]
        found = [self.begin, *(float(f"{value:.{_DIGITS}g}") for value in between), self.end]
        if not all(map(math.isfinite, found)):
            raise OverflowError
        if isinstance(self.begin, int) and isinstance(self.end, int) and all(value == int(value) for value in found):
            return [int(value) for value in found]
        return [float(value) for value in found]


def _spread_out(given: Any) -> Any:
    """The values that a table stands for; what is no table as it is."""
    if not isinstance(given, dict):
        return given
    lines = [line.removeprefix("range: ") for line in complaints(Spread, given, "range")]
    if not lines:
        spread = Spread.model_validate(given)
        if spread.begin == spread.end:
            lines = [f"from and to must differ, both are {spread.begin!r}"]
        elif spread.spacing == "log" and not spread.begin * spread.end > 0:
            lines = [f"a range spaced by logarithms needs ends of one sign, not {spread.begin!r} and {spread.end!r}"]
        else:
            with contextlib.suppress(OverflowError):
                return spread.values()
            lines = ["its ends are too large to compute with"]
    raise PydanticCustomError(TOLD, "{lines}", {"lines": "; ".join(lines)})


Values = Annotated[list[Any], Field(min_length=1), BeforeValidator(_spread_out)]
