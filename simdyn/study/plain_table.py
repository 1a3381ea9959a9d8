"""What a study without claims shows: the points of its sweeps with what was measured and what is known, as text."""

from typing import Any

_SHOWN = ("step", "coordinate", "estimate", "unit", "censored", "outside", "theory", "exact", "failed")


def plain_table(found: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a study's table, from its rows (`StudyResult.rows`); columns in which no row says anything are left
    out. A cell that failed says why; of a mean that too few escapes tell there is its lower bound."""
    rows = [_row(row) for row in found]
    columns = dict.fromkeys(column for row in rows for column in row)
    swept = [column for column in columns if column != "series" and column not in _SHOWN]
    told = [column for column in ("series", *swept, *_SHOWN) if any(row.get(column) for row in rows)]
    return told, [[row.get(column, "") for column in told] for row in rows]


def _row(row: dict[str, Any]) -> dict[str, str]:
    swept = {name.removeprefix("sweep."): text(value) for name, value in row.items() if name.startswith("sweep.")}
    shown = {name: text(row.get(name)) for name in _SHOWN}
    if row.get("low") is not None:
        bounded = row["estimate"] is not None
        shown["estimate"] += f" [{text(row['low'])}, {text(row['high'])}]" if bounded else f"above {text(row['low'])}"
    if row.get("censored") == 0:
        shown["censored"] = ""
    return {"series": str(row["series"]), **swept, **shown}


def text(value: Any) -> str:
    """A value in a table: numbers to four digits, nothing for what is not there."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
