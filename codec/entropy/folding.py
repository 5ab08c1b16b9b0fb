"""From int32 symbols to the 16-bit codes that tables know, and back.

Signed symbols 0, -1, 1, -2, ... are folded to 0, 1, 2, 3, ...; a code that reaches its table's
limit is capped there, and what it exceeds the limit by is kept aside as an escape. Shapes: values
and codes (n,), contexts (n,) or one for all, limits (tables,), escapes (number of capped codes,).
"""

import numpy as np
import numpy.typing as npt

from codec.entropy.frequencies import MAX_SYMBOLS
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import BOOL, I32, U8, U16, U32, array, helper, kernel

Integers = npt.NDArray[np.int32]
Limits = npt.NDArray[np.uint32]
_SPREAD = 1024
SINGLE = np.zeros(1, dtype=np.uint8)
"""Contexts where there is one table only."""


def flatten(symbols: Integers) -> Integers:
    """The symbols as (n,) int32; ValueError for types that int32 cannot hold."""
    values = np.asarray(symbols)
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 4 or values.dtype == np.uint32:
        raise ValueError(f"symbols must be integers that fit in int32, got {values.dtype}")
    return np.ascontiguousarray(values, dtype=np.int32).reshape(-1)


def largest_code(values: Integers, signed: bool) -> int:
    """Largest folded value: 2 v for v >= 0, -2 v - 1 below; v itself where none is negative."""
    if not values.size:
        return 0
    high, low = int(values.max()), int(values.min())
    return max(2 * high, -2 * low - 1, 0) if signed else high


def counts_of(values: Integers, signed: bool, largest: int) -> npt.NDArray[np.uint32]:
    """Occurrences of each folded value; the last of at most 32768 bins holds all beyond."""
    size = min(largest + 1, MAX_SYMBOLS)
    # Equal neighbours would wait for each other's increment: few symbols take turns on four rows.
    counts = np.zeros((4 if size <= _SPREAD else 1, size), dtype=np.uint32)
    _count(values, signed, counts)
    total: npt.NDArray[np.uint32] = counts.sum(axis=0, dtype=np.uint32)
    return total


def split(
    values: Integers, contexts: npt.NDArray[np.uint8], limits: Limits, signed: bool
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """Codes, each at most its table's limit, and the distances of the escaped from it."""
    codes = np.empty(values.size, dtype=np.uint16)
    escaped = _cap(values, contexts, limits, signed, codes, np.empty(0, dtype=np.uint32))
    raws = np.empty(escaped, dtype=np.uint32)
    if escaped:
        _cap(values, contexts, limits, signed, codes, raws)
    return codes, raws


def join(
    codes: npt.NDArray[np.uint16],
    contexts: npt.NDArray[np.uint8],
    limits: Limits,
    escape: bool,
    raws: npt.NDArray[np.uint32],
    signed: bool,
) -> Integers:
    """Undo `split`; CorruptBitstreamError where escapes and codes do not match."""
    out = np.empty(codes.size, dtype=np.int32)
    if not _restore(codes, contexts, limits, escape, raws, signed, out):
        raise CorruptBitstreamError("escapes do not match the symbols")
    return out


def fold(values: Integers, signed: bool) -> npt.NDArray[np.uint32]:
    """All codes of (n,) values, without a limit."""
    codes = np.empty(values.size, dtype=np.uint32)
    _fold(values, signed, codes)
    return codes


def unfold(codes: npt.NDArray[np.uint32], signed: bool) -> Integers:
    """Undo `fold`; CorruptBitstreamError where an unsigned code exceeds int32."""
    out = np.empty(codes.size, dtype=np.int32)
    if not _unfold(codes, signed, out):
        raise CorruptBitstreamError("symbols leave the range of int32")
    return out


@helper
def _fold_value(value, signed):  # type: ignore[no-untyped-def]
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ... where the input is signed."""
    return np.uint32(value << 1 ^ value >> 31) if signed else np.uint32(value)


@helper
def _unfold_code(code, signed):  # type: ignore[no-untyped-def]
    return np.int32(code >> 1) ^ -np.int32(code & 1) if signed else np.int32(code)


@kernel((array(I32), BOOL, array(U32, ndim=2, writable=True)))
def _count(values, signed, counts):  # type: ignore[no-untyped-def]
    """Value i goes to row i mod 4, or to the only row."""
    last, turn = np.uint32(counts.shape[1] - 1), np.uint64(counts.shape[0] - 1)
    for i in range(np.uint64(values.size)):
        code = min(_fold_value(values[i], signed), last)
        counts[i & turn, code] += np.uint32(1)


@kernel((array(I32), BOOL, array(U32, writable=True)))
def _fold(values, signed, out):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        out[i] = _fold_value(values[i], signed)


@kernel((array(U32), BOOL, array(I32, writable=True)))
def _unfold(codes, signed, out):  # type: ignore[no-untyped-def]
    """False where an unsigned code exceeds int32."""
    high = np.uint32(0)
    for i in range(codes.size):
        high |= codes[i]
        out[i] = _unfold_code(codes[i], signed)
    return signed or high < np.uint32(1 << 31)


@kernel(
    (array(I32), array(U8), array(U32), BOOL, array(U16, writable=True),
     array(U32, writable=True))
)  # fmt: skip
def _cap(values, contexts, limits, signed, codes, raws):  # type: ignore[no-untyped-def]
    """Cap folded values at their limit; return how many were, and keep what exceeds it."""
    escaped, single, limit = 0, limits.size == 1, limits[0]
    for i in range(values.size):
        if not single:
            limit = limits[contexts[i]]
        code = _fold_value(values[i], signed)
        codes[i] = np.uint16(min(code, limit))
        if code >= limit:
            if escaped < raws.size:
                raws[escaped] = code - limit
            escaped += 1
    return escaped


@kernel((array(U16), array(U8), array(U32), BOOL, array(U32), BOOL, array(I32, writable=True)))
def _restore(codes, contexts, limits, escape, raws, signed, out):  # type: ignore[no-untyped-def]
    """Undo `_cap`; False where escapes run out or are left, or a value exceeds its range."""
    used, single, limit = 0, limits.size == 1, limits[0]
    if raws.size == 0 and (single or not escape):
        high = np.uint32(0)
        for i in range(codes.size):
            high = max(high, np.uint32(codes[i]))
            out[i] = _unfold_code(np.uint32(codes[i]), signed)
        return not escape or codes.size == 0 or high < limit
    if not escape:
        return False
    top = np.uint64(0xFFFFFFFF) if signed else np.uint64(0x7FFFFFFF)
    for i in range(codes.size):
        if not single:
            limit = limits[contexts[i]]
        code = np.uint64(codes[i])
        if code >= np.uint64(limit):
            if used >= raws.size:
                return False
            code += np.uint64(raws[used])
            used += 1
            if code > top:
                return False
        out[i] = _unfold_code(np.uint32(code), signed)
    return used == raws.size
