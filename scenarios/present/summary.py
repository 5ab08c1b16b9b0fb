"""Summary: what is shown of a result, whatever it is drawn on, and how its numbers are written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Title, the finding in sentences, a table of words, where its numbers come from, sections.

    `present.terminal`, `markdown` below and `present.page` draw it; sections are drawn below it.
    The first `keys` columns are repeated where a terminal continues the table below.
    """

    title: str = ""
    finding: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    origin: str = ""
    sections: tuple["Summary", ...] = ()
    keys: int = 0

    def __post_init__(self) -> None:
        width = len(self.columns or (self.rows or ((),))[0])
        for row in self.rows:
            if len(row) != width:
                raise ValueError(f"summary row must have {width} cells, got {row}")

    def plain(self) -> dict[str, Any]:
        """JSON, for run.json and the report."""
        kept = ("title", "finding", "columns", "rows", "origin")
        return {name: getattr(self, name) for name in kept}

    def markdown(self) -> str:
        """Title, finding, table, origin."""
        lines = [f"# {self.title}", "", self.finding, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        below = [f"\n{section.markdown()}" for section in self.sections]
        return "\n".join([*lines, "", self.origin, ""]) + "".join(below)

    def show(self) -> None:
        """Print it."""
        from scenarios.present import terminal

        terminal.show(self)


def number(value: float | None, digits: int = 3, *, sign: bool = False, factor: float = 1.0) -> str:
    """So many significant digits, thousands as they are, a dash where nothing is known."""
    if value is None or math.isnan(value):
        return "-"
    value = factor * value + 0.0  # no negative zero
    plus = "+" if sign and value else ""
    if abs(float(f"{value:.{digits}g}")) >= 1000:
        return f"{value:{plus},.0f}"
    return f"{value:{plus}.{digits}g}"


def ratio(top: float | None, bottom: float | None) -> float | None:
    """top / bottom; None where one is unknown: nothing was answered within the span."""
    if top is None or bottom is None:
        return None
    return top / bottom if bottom > 0 else math.inf


def interval(
    value: float | None, low: float | None, high: float | None, factor: float = 1.0,
    digits: int = 3, *, sign: bool = False,
) -> str:  # fmt: skip
    """`mean [low, high]`, all times `factor`; the mean alone where an end is not known."""
    if value is None or low is None or high is None:
        return number(value if value is None else factor * value, digits, sign=sign)
    words = [number(factor * each, digits, sign=sign) for each in (value, low, high)]
    return "{} [{}, {}]".format(*words)


def between(row: Mapping[str, Any], column: str, factor: float = 1.0, digits: int = 3) -> str:
    """`mean [low, high]` of a column, the wider interval where both exist; a dash if unknown."""
    for ends in (("_lo_total", "_hi_total"), ("_lo", "_hi")):
        low, high = (row.get(f"{column}{end}") for end in ends)
        if low is not None and high is not None:
            break
    return interval(row.get(column), low, high, factor, digits)
