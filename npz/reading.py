"""Arrays from npz and npy files that may be damaged, hostile, or something else altogether.

Nothing is unpickled, nothing is extracted, and memory is bounded by what the caller allows: sizes
are known before anything is decompressed. Whatever is wrong is one `DamagedError` in one line.
"""

import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

MAX_BYTES = 1 << 30
"""Sum of all arrays of a file, unless its reader expects less."""
_MAX_MEMBERS = 1 << 16
_CHUNK = 1 << 20
_KINDS = "biufSU"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_ZIP64 = b"\x01\x00"
_NPY = b"\x93NUMPY"
_VERSIONS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_FAULTS = (
    ValueError, TypeError, KeyError, IndexError, OverflowError, AssertionError, AttributeError,
    SyntaxError, RecursionError, MemoryError, EOFError, OSError, RuntimeError,
    NotImplementedError, struct.error, zlib.error, tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
"""All that zipfile and numpy's header parser raise on damaged bytes."""

Array = np.ndarray[Any, np.dtype[Any]]


class DamagedError(ValueError):
    """The file is truncated, changed, too large, or no file of arrays."""


def read(
    path: Path | str, *, max_bytes: int = MAX_BYTES, names: Collection[str] | None = None
) -> dict[str, Array]:
    """The arrays of an npz by name, writable and of their own memory.

    Args:
        path: the file.
        max_bytes: how much all arrays together may take.
        names: the only names that may occur, where they are known.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: anything else that is wrong with it, without its path.
    """
    _check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(entries, max_bytes, names)
            return {_name(entry): _parse(_bytes(archive, entry)) for entry in entries}
    except DamagedError:
        raise
    except _FAULTS as error:
        raise DamagedError(_reason(error)) from None


def read_npy(path: Path | str, *, max_bytes: int = 8 * MAX_BYTES) -> Array:
    """The array of one npy file, which must fill it to the last byte.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: anything else that is wrong with it, without its path.
    """
    _check_file(path)
    size = Path(path).stat().st_size
    if size > max_bytes:
        raise DamagedError(f"{size} bytes, at most {max_bytes} are read")
    try:
        return _parse(bytearray(Path(path).read_bytes()))
    except DamagedError:
        raise
    except _FAULTS as error:
        raise DamagedError(_reason(error)) from None


def _check_file(path: Path | str) -> None:
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not Path(path).is_file():
        raise DamagedError("a folder or a device, no file")


def _reason(error: BaseException) -> str:
    return (re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__)[:120]


def _check(entries: list[zipfile.ZipInfo], max_bytes: int, names: Collection[str] | None) -> None:
    """Refuse by the directory alone what must not be decompressed."""
    found = [_name(entry) for entry in entries]
    if len(set(found)) != len(found) or len(found) > _MAX_MEMBERS:
        raise DamagedError(f"{len(found)} arrays, {len(set(found))} names")
    if names is not None and (strange := sorted(set(found) - set(names))):
        raise DamagedError(f"array {strange[0][:60]!r} does not belong there")
    for entry in entries:
        if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
            raise DamagedError("neither stored nor deflated, or encrypted")
        if entry.comment or entry.extra[:2] not in (b"", _ZIP64):
            # a flipped length turns the entries behind it into a comment: they would be missing
            raise DamagedError("comments or extra fields, which no writer of arrays leaves")
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise DamagedError(f"arrays of {total} bytes, at most {max_bytes} are read")


def _name(entry: zipfile.ZipInfo) -> str:
    return entry.filename.removesuffix(".npy")


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytearray:
    """A member in pieces: what it claims to hold costs nothing before it is there."""
    data = bytearray()
    with archive.open(entry) as file:
        while piece := file.read(_CHUNK):
            data += piece
            if len(data) > entry.file_size:
                raise DamagedError("a member is longer than its entry says")
    if len(data) != entry.file_size:
        raise DamagedError("a member is shorter than its entry says")
    return data


def _parse(data: bytearray) -> Array:
    """An npy file in memory; sizes are checked against `data` before anything is allocated."""
    stream = BytesIO(memoryview(data)[: 1 << 16])
    if not data.startswith(_NPY):
        raise DamagedError("no npy array")
    version = npy.read_magic(stream)
    if version not in _VERSIONS:
        raise DamagedError(f"npy version {version}, known are 1.0 and 2.0")
    shape, fortran, dtype = _VERSIONS[version](stream)
    start = stream.tell()
    if dtype.hasobject or dtype.kind not in _KINDS or not dtype.itemsize:
        raise DamagedError(f"array type {dtype} is not allowed")
    n_bytes = len(data) - start
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != n_bytes:
        raise DamagedError(f"array of shape {shape} does not fill its {n_bytes} bytes")
    flat = np.frombuffer(data, dtype, offset=start) if n_bytes else np.empty(0, dtype)
    array: Array = flat.reshape(shape, order="F" if fortran else "C")
    return array if array.flags.aligned else array.copy()
