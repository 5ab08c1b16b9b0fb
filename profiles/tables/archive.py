"""The file under every table and profile: a zip of one JSON header and plain npy arrays.

`numpy.load` opens these files too. They are written byte for byte the same from the same content
(fixed dates, sorted members), read without pickle, and every size is bounded by what the file
really holds before anything is allocated: an untrusted file can only be refused.
"""

import hashlib
import json
import lzma
import math
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.lib import format as npy

Header = dict[str, Any]

_HEADER = "header.npy"
_MAX_BYTES = 1 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, KeyError, NotImplementedError, OSError, RuntimeError,
)  # fmt: skip
"""What zipfile raises for damage; RuntimeError where a flipped bit says "encrypted"."""


def digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the header's JSON and every array's name, type, shape and bytes."""
    total = hashlib.sha256(_json(header))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def write(
    path: Path, kind: str, version: int, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write `arrays` and a JSON `header` under `path`, by way of a temporary file."""
    envelope = {
        "kind": kind,
        "version": version,
        "digest": digest(header, arrays),
        "header": dict(header),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _put(archive, _HEADER, np.frombuffer(_json(envelope), np.uint8))
        for name in sorted(arrays):
            _put(archive, f"{name}.npy", arrays[name])
    temporary.replace(path)


def read(path: Path, kind: str, version: int) -> tuple[Header, dict[str, np.ndarray]]:
    """Header and arrays of a file that `write` made.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another kind or schema version, truncated or changed content; one line.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such {kind}")
    try:
        arrays = _members(path)
        envelope = json.loads(arrays.pop(_HEADER).tobytes())
        got = (envelope["kind"], envelope["version"])
        header, stored = dict(envelope["header"]), str(envelope["digest"])
    except (ValueError, TypeError, AttributeError, *_UNREADABLE) as error:
        raise ValueError(f"{path}: not a readable {kind} (truncated or damaged: {error})") from None
    if got != (kind, version):
        raise ValueError(
            f"{path}: must be a {kind} of schema {version}, got {got[0]} of schema {got[1]};"
            " measure it again"
        )
    plain = {name.removesuffix(".npy"): array for name, array in arrays.items()}
    if digest(header, plain) != stored:
        raise ValueError(f"{path}: content does not match its digest; measure it again")
    return header, plain


class Stored(ABC):
    """A table that is kept in a file: `_header` and `_arrays` say what, `_build` makes it again."""

    _KIND: ClassVar[str]
    _VERSION: ClassVar[int]

    @abstractmethod
    def _header(self) -> Header:
        """What stands beside the arrays, as JSON."""

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""

    @classmethod
    @abstractmethod
    def _build(cls, header: Header, arrays: Mapping[str, np.ndarray]) -> Self:
        """The table of a header and its arrays."""

    @cached_property
    def digest(self) -> str:
        """Content hash over everything that `save` writes."""
        return digest(self._header(), self._arrays())

    def save(self, path: Path | str) -> None:
        """Write npz."""
        write(Path(path), self._KIND, self._VERSION, self._header(), self._arrays())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote; ValueError in one line on anything else."""
        header, arrays = read(Path(path), cls._KIND, cls._VERSION)
        try:
            return cls._build(header, arrays)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path}: not a valid {cls._KIND}: {reason}") from None


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _put(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = BytesIO()
    npy.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, buffer.getvalue())


def _members(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        return {entry.filename: _array(archive.read(entry)) for entry in entries}


def _array(data: bytes) -> np.ndarray:
    """Parse one npy member; sizes are checked against `data` before anything is allocated."""
    stream = BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("npy version must be 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    if fortran or dtype.hasobject or dtype.kind not in "biufSU":
        raise ValueError(f"array type {dtype} is not allowed")
    body = data[stream.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(body):
        raise ValueError(f"array of shape {shape} does not fill its {len(body)} bytes")
    return np.frombuffer(body, dtype).reshape(shape)
