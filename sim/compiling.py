"""Compiling by Numba, with a cache on disk that old sources can never answer from.

Numba keeps what it compiled by the time and size of a function's own file. What a function calls or
takes from another file is built in as well, so here the text of all these files is part of the key.
"""

import gc
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc

from sim.parts import Part, Whole

SOURCES = (
    "parts.py", "compiling.py", "philox.py", "engine/layout.py", "engine/lists.py",
    "engine/indexing.py", "engine/tables.py", "engine/rooms.py", "engine/gaps.py",
    "engine/belts.py", "engine/groups.py", "engine/events.py", "engine/stations.py",
    "engine/shared.py", "engine/contended.py", "engine/scheduled.py", "engine/channel.py",
    "engine/fading.py", "engine/batching.py", "engine/server.py", "engine/adaptive.py",
    "engine/records.py", "engine/devices.py", "engine/sessions.py", "engine/churn.py",
    "engine/kernel.py", "engine/loops/layout.py", "engine/loops/tables.py",
    "engine/loops/windows.py", "engine/loops/media.py", "engine/loops/server.py",
    "engine/loops/kernel.py",
)  # fmt: skip
"""The files whose text compiled functions hold, from this folder on."""

_HOME = Path(__file__).parent
_PATIENCE_S = 1.0
"""Reading what was kept takes less."""


def compiled(
    function: Callable[..., Any],
    signature: str | None = None,
    *,
    inline: bool = False,
    allocates: bool = False,
    inner: bool = False,
    hot: bool = False,
) -> Any:
    """Compile for one signature, or for what comes first; without the interpreter's lock, IEEE
    arithmetic, nothing merged; kept on disk where a place for it can be written.

    What makes no array of its own is compiled without counting who holds the arrays it is given:
    an atomic step for each of them, when a call begins and when it ends.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": allocates}
    options["forceinline"] = hot
    if inner:
        options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    options["pipeline_class"] = Part if inner else Whole
    made = numba.njit(function, inline="always" if inline else "never", **options)
    if inner:
        return made
    with suppress(RuntimeError, OSError):  # no place to keep it, or no sources to tell old from new
        made._cache = _Cache(function)
    if signature is not None:
        made.compile(signature)
        made.disable_compile()
    return made


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into whatever calls it."""
    return compiled(function, inline=True)


def inner(function: Callable[..., Any]) -> Any:
    """Compile for other compiled functions alone: nothing that Python needs to call it, and no
    place of its own on disk; what calls it holds it.
    """
    return compiled(function, inner=True)


def hot(function: Callable[..., Any]) -> Any:
    """The same, put into whatever calls it by LLVM: what every request passes, called once."""
    return compiled(function, inner=True, hot=True)


@cache
def digest() -> str:
    """A fingerprint of all sources that compiled functions are made of."""
    texts = [(_HOME / name).read_bytes() for name in SOURCES]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


class Addressed:
    """A compiled function that others call by its address, compiled when that is first asked for;
    options as above.
    """

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        options = {"nogil": True, "error_model": "numpy", "_nrt": False}
        shape = signature.args, signature.return_type
        self._made = CFunc(function, shape, {}, options, pipeline_class=Whole)
        with suppress(RuntimeError, OSError):
            self._made._cache = _Cache(function)  # type: ignore[attr-defined]
        self._lock = threading.Lock()
        self.is_compiled = False

    @property
    def address(self) -> int:
        """Where its code begins, by the conventions of C."""
        with self._lock:
            if not self.is_compiled:
                self._made.compile()
                self.is_compiled = True
        return int(self._made.address or 0)


@contextmanager
def told(is_compiled: bool, what: str = "the simulator") -> Iterator[None]:
    """Say on standard error, while it lasts, that something is compiled that was not."""
    if is_compiled:
        yield
        return
    words = f"splitfleet: compiling {what}, once on this machine"
    timer = threading.Timer(
        _PATIENCE_S, partial(print, words, file=sys.stderr, flush=True)
    )  # fmt: skip
    timer.daemon = True
    timer.start()
    collects = gc.isenabled()
    gc.disable()  # a compiler makes so many objects that looking for cycles takes an eighth
    try:
        yield
    finally:
        timer.cancel()
        if collects:
            gc.enable()


_UNREADABLE = ImportError, AttributeError, EOFError, UnpicklingError, ValueError, TypeError


class _Cache(FunctionCache):
    """Numba's cache of one function, with the fingerprint of all sources in its key."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._sources = digest()
        super().__init__(function)  # type: ignore[no-untyped-call]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept for a signature, if anything: of what cannot be read, cut short or of types
        that other sources had, nothing is.
        """
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except _UNREADABLE:
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        of_function = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        return *of_function, self._sources
