"""Text for the byte Llama: the Python standard library's own sources, held by every Python.

A file belongs to a split by a hash of its path alone, so that it keeps its place from one Python
to the next: 1 of 8 files tests, 1 of 16 calibrates, the rest trains. Only what every distribution
of Python carries is read: no tests, tools, encodings or documentation.
"""

import hashlib
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples, check_split

PACKAGES = (
    "asyncio", "collections", "concurrent", "ctypes", "email", "html", "http", "importlib", "json",
    "logging", "multiprocessing", "re", "sqlite3", "tomllib", "unittest", "urllib", "wsgiref",
    "xml", "xmlrpc", "zoneinfo",
)  # fmt: skip
WINDOW = 256


def split_of(relative: str) -> str:
    """The split of the file at this path below the standard library."""
    byte = hashlib.sha256(relative.encode()).digest()[0]
    return "test" if byte < 32 else "calibration" if byte < 48 else "train"


@cache
def text(split: str) -> NDArray[np.uint8]:
    """All files of a split, in the order of their paths; read-only.

    Raises ValueError for an unknown split or where this Python came without its library.
    """
    check_split(split)
    parts = [path.read_bytes() for path in _files() if split_of(_relative(path)) == split]
    if not parts:
        raise ValueError(f"bytellama reads the sources in {_root()}, which hold no {split} file")
    joined = np.frombuffer(b"".join(parts), np.uint8)
    joined.flags.writeable = False
    return joined


def digest(split: str) -> str:
    """Content hash of a split (16 hex digits): which text a figure was measured on."""
    return hashlib.sha256(text(split).tobytes()).hexdigest()[:16]


def windows(split: str, n: int, seed: int = 0, *, start: int = 0, length: int = WINDOW) -> Samples:
    """Windows `start` .. `start + n - 1` of a split: tokens and their successors, [n, length].

    Window i is a pure function of (split, i, seed, length) and of this Python's sources.
    """
    source = text(split)
    unit = uniforms(f"sources/{split}/{seed}", np.arange(start, start + n), 1)[:, 0]
    first = (unit * (len(source) - length)).astype(np.int64)
    rows = source[first[:, None] + np.arange(length + 1)].astype(np.int64)
    return Samples(rows[:, :-1], rows[:, 1:])


def _root() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _relative(path: Path) -> str:
    return path.relative_to(_root()).as_posix()


def _files() -> list[Path]:
    root = _root()
    files = [*root.glob("*.py"), *(p for name in PACKAGES for p in (root / name).rglob("*.py"))]
    # A private or generated module may differ from machine to machine of one version.
    kept = [p for p in files if not p.name.startswith("_sysconfigdata") and "test" not in p.parts]
    return sorted(kept, key=_relative)
