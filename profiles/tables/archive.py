"""The file under every table and profile: an npz of one JSON header and plain arrays.

`numpy.load` opens these files too. The same content is the same bytes; a digest over all of it is
kept beside it. How arrays are read from untrusted files, and what is refused, says `npz`.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

import npz

Header = dict[str, Any]

_HEADER = "header"


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
    """Write `arrays` and a JSON `header` under `path`, whole or not at all."""
    envelope = {
        "kind": kind,
        "version": version,
        "digest": digest(header, arrays),
        "header": dict(header),
    }
    npz.write(path, {**arrays, _HEADER: np.frombuffer(_json(envelope), np.uint8)})


def read(path: Path, kind: str, version: int) -> tuple[Header, dict[str, np.ndarray]]:
    """Header and arrays of a file that `write` made.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another kind or schema version, truncated or changed content; one line.
    """
    try:
        arrays = npz.read(path)
        envelope = json.loads(arrays.pop(_HEADER).tobytes())
        got = (envelope["kind"], envelope["version"])
        header, stored = dict(envelope["header"]), str(envelope["digest"])
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such {kind}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path}: not a readable {kind} (truncated or damaged: {error})") from None
    if got != (kind, version):
        raise ValueError(
            f"{path}: must be a {kind} of schema {version}, got {got[0]} of schema {got[1]};"
            " measure it again"
        )
    if digest(header, arrays) != stored:
        raise ValueError(f"{path}: content does not match its digest; measure it again")
    return header, arrays


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
