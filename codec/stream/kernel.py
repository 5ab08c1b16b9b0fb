"""Compiled loops: a typed, lazy front for numba.

A kernel is compiled at its first call, for one explicit list of argument types, and is kept in
numba's cache on disk: importing `codec` compiles nothing, a read-only input costs no second
compilation, and a process that only packs bits never pays for rANS. Where neither the installation
nor the home folder can be written, `kernel_cache` finds a place; a compilation that takes longer
than a second is said once.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types

from codec.stream.kernel_cache import compile_cached

P = ParamSpec("P")
R = TypeVar("R")

U8, U16, U32, U64 = types.uint8, types.uint16, types.uint32, types.uint64
I8, I32, I64 = types.int8, types.int32, types.int64
F32, F64, BOOL = types.float32, types.float64, types.boolean


def array(kind: Any, *, ndim: int = 1, writable: bool = False) -> Any:
    """The numba type of a C-contiguous array; a writable array also fits a read-only argument."""
    return types.Array(kind, ndim, "C", readonly=not writable)


def kernel(*signatures: tuple[Any, ...]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile the function for these argument types, when it is first called.

    Kernels release the GIL, are serial (so their output cannot depend on a thread count) and call
    `helper` functions, imported by name. A helper that Python calls as well is itself wrapped.
    """

    def wrap(called: Callable[P, R]) -> Callable[P, R]:
        function = cast(Callable[P, R], getattr(called, "py_func", called))

        @cache
        def compile_once() -> Callable[P, R]:
            return cast(Callable[P, R], compile_cached(function, signatures))

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return compile_once()(*args, **kwargs)

        return call

    return wrap


def helper(function: Callable[P, R]) -> Callable[P, R]:
    """Let kernels call this function; it is compiled into them."""
    return cast(Callable[P, R], numba.njit(function, inline="never"))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A helper that is built into each of its callers: for what runs once a bit or an element."""
    return cast(Callable[P, R], numba.njit(function, inline="never", forceinline=True))
