"""Where compiled kernels are kept, and a word where compiling takes long.

numba keeps them beside the source, in the folder that NUMBA_CACHE_DIR names, or below the home
folder. On a read-only installation without a home they lie in a folder of the user's own below the
temporary one; where nothing at all can be written they are compiled in every process.

numba compiles a kernel anew when its own file has changed. What a kernel calls may lie in other
files of this package: those are watched as well.
"""

import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

_PATIENCE_S = 1.0
_said = threading.Event()
_config: Any = numba.config


def compile_cached(function: Callable[..., Any], signatures: Sequence[tuple[Any, ...]]) -> Any:
    """The compiled function, of the cache where it is there, kept there where it was not."""
    with _say_if_slow():
        try:
            return _compile(function, signatures, cache=True)
        except (RuntimeError, OSError):  # no place can be written, or it is full
            pass
        try:
            _config.CACHE_DIR = str(own_folder())
            return _compile(function, signatures, cache=True)
        except (RuntimeError, OSError):
            _config.CACHE_DIR = ""
            return _compile(function, signatures, cache=False)


def own_folder() -> Path:
    """A folder that nobody else can write: what lies there is run.

    Raises OSError where the temporary folder cannot be written.
    """
    folder = Path(tempfile.gettempdir()) / f"splitfleet-kernels-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    mine = stat.S_ISDIR(about.st_mode) and about.st_uid == _user()
    if mine and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return folder
    return Path(tempfile.mkdtemp(prefix="splitfleet-kernels-"))  # someone else's: for this process


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _compile(
    function: Callable[..., Any], signatures: Sequence[tuple[Any, ...]], *, cache: bool
) -> Any:
    made: Any = numba.njit(cache=cache, nogil=True)(function)
    if cache:
        index = made._cache._cache_file
        index._source_stamp = (index._source_stamp, _stamps_of(function))
    for signature in signatures:
        made.compile(signature)
    made.disable_compile()
    return made


def _stamps_of(function: Callable[..., Any]) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every file that holds a helper of the function, or of its helpers."""
    files: set[str] = set()
    waiting, seen = [function], {function}
    while waiting:
        one = waiting.pop()
        files.add(one.__code__.co_filename)
        named = (one.__globals__.get(name) for name in one.__code__.co_names)
        for helper in (getattr(called, "py_func", None) for called in named):
            if helper is not None and helper not in seen:
                seen.add(helper)
                waiting.append(helper)
    about = [(Path(file).name, Path(file).stat()) for file in sorted(files)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in about)


@contextmanager
def _say_if_slow() -> Iterator[None]:
    """Say, once in a process and while it lasts, that something is compiled."""
    timer = threading.Timer(_PATIENCE_S, _say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say() -> None:
    if not _said.is_set():
        _said.set()
        print("splitfleet: compiling the codecs, once on this machine", file=sys.stderr, flush=True)
