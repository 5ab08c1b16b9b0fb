"""Lines of a file that several processes add to, whole or not at all, and what torn ones leave.

A line is one row as JSON; its last field is the checksum of the rest. A process that is killed
may leave half of one, and so may a disk that is full; one that was changed is none.
"""

import errno
import io
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

from scenarios.sweep.columns import Row
from scenarios.sweep.tables import replace

_CHECK = "crc32"
_SIGNED = re.compile(rb', "crc32": (\d+)\}\s*$')
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def read(path: Path) -> list[bytes]:
    """Return the lines of a file of ours, none where there is no file.

    Raises:
        ValueError: it is a link.
    """
    _refuse_link(path)
    if not path.is_file():
        return []
    return [line for line in path.read_bytes().split(b"\n") if line.strip()]


def parse(line: bytes) -> Row:
    """Return the row of a line; an empty one where it is torn or changed, or no row of ours.

    A line without a checksum was written before there were any, or by hand: `is_signed`.
    """
    row = _json(line)
    if not isinstance(row, dict) or not isinstance(row.get("point_id"), str):
        return {}
    row.pop(_CHECK, None)
    return row if isinstance(row.get("swept", {}), dict) else {}


def is_signed(line: bytes) -> bool:
    """Return whether a line has a checksum, which `parse` holds against it."""
    return _SIGNED.search(line) is not None


def open_own(path: Path) -> io.FileIO:
    """Open a file to read and to add to, where it is no link.

    Raises:
        ValueError: it is a link.
    """
    _refuse_link(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK
    try:
        return io.FileIO(os.open(path, flags, 0o666), "a+")
    except OSError as error:
        if error.errno == errno.ELOOP:  # it became one just now
            _refuse(path)
        raise


def add(file: io.FileIO, line: bytes) -> None:
    """Add a line at the end, whole or not at all; half a line that stands there goes.

    Raises:
        OSError: there is no room; the file is as it was.
    """
    end = _mend_end(file)
    data = memoryview(_sign(line) + b"\n")
    try:
        while data:
            data = data[file.write(data) or 0 :]
    except OSError:
        file.truncate(end)
        raise


def mend(path: Path) -> int:
    """Take torn and changed lines out and return their number; the file is replaced as a whole.

    Raises:
        ValueError: it is a link.
    """
    lines = read(path)
    whole = [line for line in lines if _json(line) is not None]
    if len(whole) < len(lines):
        replace(path, b"".join(line + b"\n" for line in whole))
    return len(lines) - len(whole)


def _mend_end(file: io.FileIO) -> int:
    """Finish or take out a last line without an end, and return where the file ends."""
    end = file.seek(0, os.SEEK_END)
    if not end:
        return end
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return end
    file.seek(0)
    whole = file.readall()
    start = whole.rfind(b"\n") + 1
    if _json(whole[start:]) is None:
        file.truncate(start)
        return start
    file.write(b"\n")  # only its end is missing
    return end + 1


def _json(line: bytes) -> Any:
    """What a line says; None where it is no JSON, or not what was written. NaN is null."""
    if (signed := _SIGNED.search(line)) and int(signed[1]) != zlib.crc32(line[: signed.start()]):
        return None
    try:
        return json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _sign(line: bytes) -> bytes:
    """The line with the checksum of all before it as its last field."""
    body = line[:-1]  # without its brace
    return body + b', "%s": %d}' % (_CHECK.encode(), zlib.crc32(body))


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        _refuse(path)


def _refuse(path: Path) -> None:
    raise ValueError(f"{path} is a link, which results never are: put the file itself there")
