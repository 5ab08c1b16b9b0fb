"""Tables as files: CSV that any program may open, Parquet, whole or not at all."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenarios.sweep.columns import Row, columns_of, spread, varying

_FORMULA = ("=", "+", "-", "@", "\t", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def write_table(path: Path, rows: Sequence[Row], columns: str = "all") -> Path:
    """Write rows as CSV at `path` and, where pyarrow is installed, as Parquet beside it.

    Of the `columns` all are written, or only those that are `varying` between the rows. A text that
    a spreadsheet would run as a formula gets an apostrophe in front.
    """
    order = varying(rows) if columns == "varying" else columns_of(rows)
    flat = [spread(row) for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in order])
    writer.writerows([_cell(row.get(name)) for name in order] for row in flat)
    _write_parquet(path.with_suffix(".parquet"), flat, order)
    return replace(path, text.getvalue().encode())


def _write_parquet(path: Path, rows: Sequence[Row], order: Sequence[str]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        path.unlink(missing_ok=True)  # an older table would contradict the CSV
        return
    columns = {}
    for name in order:
        values = [row.get(name) for row in rows]
        try:
            columns[_letters(name)] = pyarrow.array(values, from_pandas=True)  # NaN is null
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):  # numbers beside words
            columns[_letters(name)] = pyarrow.array(
                [None if v is None else _letters(str(v)) for v in values]
            )
    partial = _partial(path)
    try:
        parquet.write_table(pyarrow.table(columns), partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all and return its path; what stood there stays or goes.

    Raises:
        OSError: there is no room or no right.
    """
    partial = _partial(path)
    try:
        with partial.open("xb") as file:
            file.write(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _partial(path: Path) -> Path:
    """A new name beside `path`; what a process of the same number left there is gone."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    return partial


def _cell(value: Any) -> Any:
    """A value as a spreadsheet may see it."""
    if not isinstance(value, str):
        return value
    text = _letters(value).replace("\r\n", "\n").replace("\r", "\n")  # \r alone would end the row
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _letters(text: str) -> str:
    """The text; halves of letters, which no file holds, in writing."""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()
