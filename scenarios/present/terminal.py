"""Terminal: a summary as text; numbers and intervals are never broken, however narrow it is."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.console import Console

from scenarios.present.summary import Summary

_NUMBER = re.compile(r"([-+<=> ]*\d[\d.,e+/-]*( ?[x%])?)?( ?\[[^\]]*\])?|-|[*]")
_INTERVAL = re.compile(r"\[[^\]]*\]")
_GLUE = "\ue000"
_HEADING, _WORDS, _APART = 12, 24, 2


class _Column(NamedTuple):
    """A heading and its cells; `least` is the width that it needs, `most` what it would take."""

    heading: str
    cells: tuple[str, ...]
    numeric: bool
    least: int
    most: int


def show(summary: Summary, console: Console | None = None) -> None:
    """Print title, finding, table, origin, and every section below them."""
    console = console or Console()
    for text, style in ((summary.title, "bold"), (summary.finding, "")):
        if text:
            _say(console, text, style)
    for columns in _parts(summary, console.width):
        headed = any(column.heading for column in columns)
        for number, line in enumerate(_lines(columns, console.width)):
            _say(console, line, "bold" if headed and not number else "")
    if summary.origin:
        _say(console, fill(summary.origin, console.width), "dim")
    for section in summary.sections:
        if section.title:
            console.print()
        show(section, console)


def _say(console: Console, text: str, style: str) -> None:
    console.print(text, style=style, highlight=False, soft_wrap=True, markup=False)


def _parts(summary: Summary, width: int) -> Iterator[Sequence[_Column]]:
    """The columns that fit beside each other, the keys or the words that lead repeated."""
    if not summary.rows:
        return
    headings = summary.columns or ("",) * len(summary.rows[0])
    cells = zip(*summary.rows, strict=True)
    columns = [_column(i, *each) for i, each in enumerate(zip(headings, cells, strict=True))]
    words = next((i for i, column in enumerate(columns) if column.numeric), len(columns))
    lead = summary.keys or words
    part = columns[:lead]
    for column in columns[lead:]:
        if len(part) > lead and _width([*part, column]) > width:
            yield part
            part = columns[:lead]
        part = [*part, column]
    yield part


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.least + _APART for column in columns) - _APART


def _column(place: int, heading: str, cells: tuple[str, ...]) -> _Column:
    numeric = place > 0 and all(_NUMBER.fullmatch(cell) for cell in cells)
    most = max(map(len, cells))
    if numeric:
        width = max([most, *map(len, _wrap(heading, max(most, _HEADING)))])
        return _Column(heading, cells, numeric, width, width)
    words = [len(line) for text in (heading, *cells) for line in _wrap(text, 1)]
    least = max([min(most, _WORDS), *words])
    return _Column(heading, cells, numeric, least, max(most, len(heading)))


def fill(text: str, width: int | None = None) -> str:
    """A paragraph in lines as wide as a terminal, or as `width`."""
    return "\n".join(_wrap(text, width or Console().width))


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width`, or of a word or an interval that is longer."""
    whole = _INTERVAL.sub(lambda found: found[0].replace(" ", _GLUE), text)
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_GLUE, " ") for line in lines]


def _lines(columns: Sequence[_Column], width: int) -> Iterator[str]:
    """The heading as one text, and every row as another."""
    spare = width - _width(columns)
    more = max(1, sum(column.most - column.least for column in columns))
    share = max(0.0, min(1.0, spare / more))
    widths = [column.least + int(share * (column.most - column.least)) for column in columns]
    rows = zip(*(column.cells for column in columns), strict=True)
    heading = [column.heading for column in columns]
    for row in [*([heading] if any(heading) else []), *rows]:
        wrapped = (_wrap(cell, space) for cell, space in zip(row, widths, strict=True))
        lines = zip_longest(*wrapped, fillvalue="")
        yield "\n".join(_join(columns, line, widths) for line in lines)


def _join(columns: Sequence[_Column], line: Sequence[str], widths: Sequence[int]) -> str:
    sides = zip(columns, line, widths, strict=True)
    cells = [text.rjust(n) if column.numeric else text.ljust(n) for column, text, n in sides]
    return (" " * _APART).join(cells).rstrip()
