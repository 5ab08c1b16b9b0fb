"""Rows of cells from a text file of others: CSV as spreadsheets and loggers leave it.

UTF-8 with or without a byte order mark; any line ends; cells apart by tabs, semicolons, commas or
blanks, as the first line has them; quoted cells; blank lines and lines that begin with # are passed
over. Whatever else it is, is refused in one line.
"""

import csv
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 1 << 29
_BLANKS = " "


class Line(NamedTuple):
    """The cells of one row, and the line of the file on which it ends."""

    number: int
    cells: tuple[str, ...]


class Text(NamedTuple):
    """All rows of a file, what stands between their cells, and whether some lines were comments."""

    lines: tuple[Line, ...]
    delimiter: str
    has_comments: bool


def read_text(file: Path | Traversable, option: str) -> Text:
    """The rows of a file that `option` names.

    Raises:
        ValueError: no file, one that is no UTF-8 text, or larger than 512 MiB, or without a row; a
            quote that never ends.
    """
    text = _decode(_bytes(file, option), f"{option}={file}")
    bare = [line for line in StringIO(text, newline="") if line.strip()]
    kept = [line for line in bare if not line.lstrip().startswith("#")]
    if not kept:
        raise ValueError(f"{option}={file} must hold rows, got {'comments' if bare else 'nothing'}")
    delimiter = _delimiter(kept[0])
    try:
        lines = tuple(_split(text, delimiter))
    except csv.Error as error:
        raise ValueError(f"{option}={file} is no table that can be read: {error}") from None
    return Text(lines, delimiter, len(kept) < len(bare))


Stamp = tuple[int, ...]
"""What changes with a file, for what is kept of it; nothing of one inside an archive."""


def stamp_of(file: Path | Traversable | str, option: str) -> Stamp:
    """Which file it is, its size, and when it changed last.

    Raises:
        ValueError: there is no such file.
    """
    if not isinstance(file, Path | str):
        return ()
    try:
        stat = Path(file).stat()
    except OSError as error:
        raise ValueError(f"{file}: {_reason(error)} ({option})") from None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _bytes(file: Path | Traversable, option: str) -> bytes:
    try:
        if isinstance(file, Path):
            if file.stat() and file.is_dir():
                raise ValueError(f"{file}: is a directory ({option})")
            if not file.is_file():
                raise ValueError(f"{file}: is no file ({option})")
            if (size := file.stat().st_size) > MAX_BYTES:
                raise ValueError(f"{option}={file} must have <= {MAX_BYTES} bytes, got {size}")
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: {_reason(error)} ({option})") from None


def _reason(error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError)
    return "no such file" if missing else str(error.strerror or error).lower()


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{name} must be text in UTF-8, got UTF-16: save it as CSV UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} must be text in UTF-8, got byte {error.start} that is none"
        ) from None
    if "\0" in text:
        raise ValueError(f"{name} must be text in UTF-8, got a byte that is zero: a binary file")
    return text


def _delimiter(line: str) -> str:
    """What stands between the cells of a line: the first of these that it holds out of quotes; a
    comma where it has one cell.
    """
    bare = "".join(line.split('"')[::2])
    return next(
        (sign for sign in "\t;," if sign in bare), _BLANKS if _BLANKS in bare.strip() else ","
    )


def _split(text: str, delimiter: str) -> Iterator[Line]:
    """The rows; the numbers of their lines are those of the file, whatever is passed over."""
    lines = StringIO(text, newline="")
    plain = ("\n" if line.lstrip().startswith("#") else line for line in lines)
    if delimiter == _BLANKS:
        split = enumerate((line.replace('"', "").split() for line in plain), start=1)
        yield from (Line(number, tuple(cells)) for number, cells in split if cells)
        return
    reader = csv.reader(plain, delimiter=delimiter, skipinitialspace=True, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield Line(reader.line_num, tuple(cell.strip() for cell in cells))
