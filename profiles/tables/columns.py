"""Columns of numbers from a text file: the one reader of tables that a user brings.

    columns = read_columns("arrivals.csv", "workload.replay_csv")
    times_s = columns.numbers("time_s", low=0.0)     # finite, every one of them

Headers are compared without their case and the blanks around them. A number is written with a
point, in digits; NaN, inf, decimal commas and thousands apart are refused, with file, line, column,
what stands there and what is allowed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path

from profiles.tables.text import Line, Text, read_text

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMAS = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST = 40
EPOCH_S = 1e8
"""Times from here on, three years, count from the first one: they are those of a clock."""
_MILLISECONDS = 1e11


@dataclass(frozen=True)
class Columns:
    """Rows with a name for every cell; without a header (`named` False) names are given to them."""

    source: str
    heading: tuple[str, ...]
    lines: tuple[Line, ...]
    named: bool
    text: Text

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self.heading

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def known(self) -> str:
        """The names of its columns, for an error."""
        names = _shorten(", ".join(each for each in self.heading if each)) or "none"
        return names if names.isprintable() else ascii(names)

    def call(self, names: Sequence[str]) -> "Columns":
        """The same rows, their cells named in order.

        Raises:
            ValueError: a row with more or fewer cells.
        """
        for line in self.lines:
            if len(line.cells) != len(names):
                wanted = f"{len(names)} cells ({', '.join(names)})"
                raise ValueError(
                    f"{self.source}, line {line.number}: must have {wanted}, got {len(line.cells)}"
                )
        return replace(self, heading=tuple(names))

    def rows(self) -> list[tuple[int, dict[str, str]]]:
        """Every row with its line, its cells by name."""
        return [
            (line.number, dict(zip(self.heading, line.cells, strict=True))) for line in self.lines
        ]

    def cells(self, name: str) -> list[str]:
        """What stands in a column, as text.

        Raises:
            ValueError: there is no such column.
        """
        if name not in self:
            raise ValueError(f"{self.source} needs a column {name}, got {self.known}")
        place = self.heading.index(name.casefold())
        return [line.cells[place] for line in self.lines]

    def numbers(
        self,
        name: str,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        whole: bool = False,
        open_end: bool = False,
    ) -> list[float]:
        """The finite numbers of a column, all within [low, high], all `whole` if wanted.

        With `open_end` the last cell may be blank; it is left out.

        Raises:
            ValueError: there is no such column, or something else in it.
        """
        cells = self.cells(name)
        if open_end and len(cells) > 1 and not cells[-1]:
            cells = cells[:-1]
        found = []
        for row, cell in enumerate(cells):
            value = number_in(cell)
            if not (low <= value <= high and math.isfinite(value)) or (whole and value % 1.0):
                raise self.refusal(row, name, _allowed(low, high, whole))
            found.append(value)
        return found

    def dates_s(self, name: str, layout: str = "") -> list[float]:
        """Seconds from the first date of a column on; ISO 8601, or of a layout of `strptime`.

        Raises:
            ValueError: there is no such column, or something else in it.
        """
        found: list[datetime] = []
        for row, cell in enumerate(self.cells(name)):
            try:
                found.append(
                    datetime.strptime(cell, layout) if layout else datetime.fromisoformat(cell)
                )
                found[-1] - found[0]  # one with and one without a zone have no distance
            except (ValueError, TypeError):
                example = layout or "2023-11-16 18:17:03.97"
                raise self.refusal(row, name, f"a date like {example}") from None
        return [(date - found[0]).total_seconds() for date in found]

    def refusal(self, row: int, name: str, allowed: str) -> ValueError:
        """The error that a cell is not what it must be."""
        line, place = self.lines[row], self.heading.index(name.casefold())
        got, hint = line.cells[place], ""
        if _COMMAS.fullmatch(got):
            hint = ": write numbers with a point, without commas"
        return ValueError(
            f"{self.source}, line {line.number}: {name} must be {allowed}, got"
            f" {_shorten(got)!r}{hint}"
        )

    def since_start(self, name: str, values: Sequence[float]) -> tuple[list[float], float]:
        """Times in s, and what was taken from them: the least one where they are of a clock.

        Raises:
            ValueError: times in ms or finer, or some of a clock and some not.
        """
        first = min(range(len(values)), key=values.__getitem__)
        last = max(range(len(values)), key=values.__getitem__)
        if values[last] >= _MILLISECONDS:
            raise self.refusal(last, name, "in seconds, those since 1970 have ten digits")
        if values[last] < EPOCH_S:
            return list(values), 0.0
        if values[first] < EPOCH_S:
            raise self.refusal(last, name, f"below {EPOCH_S:g} s, as in line"
                               f" {self.lines[first].number}")  # fmt: skip
        return [value - values[first] for value in values], values[first]


def number_in(cell: str) -> float:
    """The number that a cell says; NaN where it says none, infinite where no float holds it."""
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


def read_columns(file: Path | Traversable | str, option: str) -> Columns:
    """The table that `option` names; its first row is the header unless it holds numbers alone.

    Raises:
        ValueError: no text of rows (`read_text`), a name twice in the header, a header alone, a
            row with more or fewer cells than it.
    """
    path = Path(file) if isinstance(file, str) else file
    text, source = read_text(path, option), f"{option}={file}"
    first, *rest = text.lines
    if all(_NUMBER.fullmatch(cell) for cell in first.cells):
        return Columns(source, (), text.lines, False, text)
    heading = tuple(cell.casefold() for cell in first.cells)
    twice = next((name for name in heading if name and heading.count(name) > 1), None)
    if twice:
        raise ValueError(f"{source}: columns must have a name each, got {_shorten(twice)!r} twice")
    if not rest:
        raise ValueError(f"{source} must hold rows, got a header alone")
    return Columns(source, heading, tuple(_fit(line, len(heading), source) for line in rest), True,
                   text)  # fmt: skip


def _fit(line: Line, width: int, source: str) -> Line:
    """A row as wide as its header; blank cells behind it go."""
    cells = line.cells
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != width:
        raise ValueError(
            f"{source}, line {line.number}: must have {width} cells as its header, got {len(cells)}"
        )
    return line._replace(cells=cells)


def _allowed(low: float, high: float, whole: bool) -> str:
    kind = "a whole number" if whole else "a number"
    if -math.inf < low and high < math.inf:
        return f"{kind} within [{low:g}, {high:g}]"
    if high < math.inf:
        return f"{kind} <= {high:g}"
    return f"{kind} >= {low:g}" if low > -math.inf else kind


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
