"""Uniform integers between a least and a greatest number: levels of floats, floats of levels.

    level = round((x - low) / step) within 0..2**bits - 1,   x' = low + level * step

in float64, with step = (high - low) / (2**bits - 1), and one range for all elements or one for each
index of an axis. Elements lie in the order of their tensor: runs of `inner` elements belong to one
channel, and a chunk may begin and end within a run.
Shapes: x (n,), low and high (channels,), levels packed in `bits` bits, the first one lowest.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.stream.framing import HEAD, get_frame, put_frame
from codec.stream.kernel import F32, F64, I32, I64, U8, array, helper, kernel

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
_TILE = 4096
_PARTS = np.array([0, 4, 1], dtype=np.uint8)
"""header, scales, values"""


class Channels(NamedTuple):
    """Which channel an element belongs to: (start + i) // inner % size."""

    size: int
    inner: int
    start: int


def ranges(x: Floats, channels: Channels) -> tuple[Floats, Floats]:
    """Least and greatest number of every channel; one that the chunk lacks spans 0..0."""
    low = np.full(channels.size, np.inf, dtype=np.float32)
    high = np.full(channels.size, -np.inf, dtype=np.float32)
    _ranges(x, channels.inner, channels.start, low, high)
    absent = low > high
    low[absent] = high[absent] = 0
    return low, high


def pack(x: Floats, low: Floats, high: Floats, channels: Channels, bits: int) -> Bytes:
    """Levels of 8 or 4 bits, ceil(n bits / 8) bytes."""
    steps = _steps(low, high, bits)
    safe = np.where(steps > 0, steps, 1.0)
    levels, top = np.empty(x.size, dtype=np.uint8), float((1 << bits) - 1)
    _levels(x, channels.inner, channels.start, low.astype(np.float64), safe, top, levels)
    if bits == 8:
        return levels
    out = np.empty((x.size + 1) // 2, dtype=np.uint8)
    _pack_levels(levels, out)
    return out


def unpack(data: Bytes, low: Floats, high: Floats, channels: Channels, out: Floats) -> None:
    """Fill out (n,) from levels of 8 bits, where `data` has n bytes, or else of 4."""
    bits = 8 if data.size == out.size else 4
    levels = data if bits == 8 else _split(data, out.size)
    steps = _steps(low, high, bits)
    _values(levels, channels.inner, channels.start, low.astype(np.float64), steps, out)


def encode(x: Floats, bits: int) -> Bytes:
    """The framed chunk of one range for all: sections header, scales and values."""
    out = np.empty(HEAD + (x.size * bits + 7) // 8, dtype=np.uint8)
    return out[: _encode(x, x.view(np.int32), bits, out)]


def decode(data: Bytes, at: int, size: int, bits: int) -> Floats | None:
    """The numbers of such a chunk, data[at:]; None unless it is one."""
    out = np.empty(size, dtype=np.float32)
    return out if _decode(data, at, bits, out) else None


def _steps(low: Floats, high: Floats, bits: int) -> npt.NDArray[np.float64]:
    steps: npt.NDArray[np.float64] = (high.astype(np.float64) - low) / ((1 << bits) - 1)
    return steps


def _split(data: Bytes, count: int) -> Bytes:
    """Levels of 4 bits, each in a byte of its own."""
    out = np.empty((data.size, 2), dtype=np.uint8)
    np.bitwise_and(data, 15, out=out[:, 0])
    np.right_shift(data, 4, out=out[:, 1])
    return out.reshape(-1)[:count]


@helper
def _level(x, low, step, top):  # type: ignore[no-untyped-def]
    level = np.rint((np.float64(x) - low) / step)
    return np.uint8(np.int32(min(max(level, 0.0), top)))


@helper
def _join(levels, out):  # type: ignore[no-untyped-def]
    """Two levels of 4 bits a byte, the first one lowest; an odd one alone."""
    whole = levels.size >> 1
    words = levels[: 2 * whole].view(np.uint16)
    for i in range(whole):
        out[i] = np.uint8((words[i] | words[i] >> np.uint16(4)) & np.uint16(0xFF))
    if levels.size & 1:
        out[whole] = levels[2 * whole]


@helper
def _fill(x, low, step, top, out):  # type: ignore[no-untyped-def]
    """One range for all; levels of 4 bits wait in the nearest cache until they are joined."""
    if top > 15.0:
        for i in range(x.size):
            out[i] = _level(x[i], low, step, top)
        return
    tile = np.empty(_TILE, dtype=np.uint8)
    for start in range(0, x.size, _TILE):
        part = x[start : start + _TILE]
        for i in range(part.size):
            tile[i] = _level(part[i], low, step, top)
        _join(tile[: part.size], out[start >> 1 :])


@helper
def _order(bits):  # type: ignore[no-untyped-def]
    """Bits of a float32 as an integer that is ordered as the numbers are, and back."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel((array(F32), array(I32), I64, array(U8, writable=True)))
def _encode(x, keys, bits, out):  # type: ignore[no-untyped-def]
    """`keys` are the bits of x. Returns how many bytes were written."""
    least = most = _order(keys[0])
    for i in range(keys.size):
        key = _order(keys[i])
        least, most = min(least, key), max(most, key)
    size = (x.size * bits + 7) >> 3
    at = put_frame(out, _PARTS, np.array([1, 8, size]))
    out[at] = np.uint8(0)
    ends = np.array([_order(least), _order(most)], dtype=np.int32)
    out[at + 1 : at + 9] = ends.view(np.uint8)
    low, high = np.float64(ends.view(np.float32)[0]), np.float64(ends.view(np.float32)[1])
    top = np.float64((1 << bits) - 1)
    step = (high - low) / top
    _fill(x, low, step if step > 0.0 else 1.0, top, out[at + 9 :])
    return at + 9 + size


@kernel((array(U8), I64, I64, array(F32, writable=True)))
def _decode(data, at, bits, out):  # type: ignore[no-untyped-def]
    """False for any other chunk."""
    ends = np.empty(3, dtype=np.int64)
    at = get_frame(data, at, data.size, _PARTS, ends)
    size = (out.size * bits + 7) >> 3
    if at < 0 or ends[0] != at + 1 or ends[1] != at + 9 or ends[2] != at + 9 + size:
        return False
    scales = np.empty(8, dtype=np.uint8)
    scales[:] = data[at + 1 : at + 9]
    low, high = np.float64(scales.view(np.float32)[0]), np.float64(scales.view(np.float32)[1])
    odd = bits == 4 and out.size & 1
    if data[at] or not -np.inf < low <= high < np.inf or (odd and data[data.size - 1] > 15):
        return False
    step = (high - low) / ((1 << bits) - 1)
    levels = data[at + 9 :]
    if bits == 8:
        for i in range(out.size):
            out[i] = np.float32(low + np.float64(levels[i]) * step)
        return True
    points = np.empty(16, dtype=np.float32)
    for k in range(16):
        points[k] = low + k * step
    pairs = np.empty(256, dtype=np.uint64)
    halves = pairs.view(np.float32)
    for k in range(256):
        halves[2 * k], halves[2 * k + 1] = points[k & 15], points[k >> 4]
    even = out[: out.size & ~1].view(np.uint64)
    for i in range(even.size):
        even[i] = pairs[levels[i]]
    if odd:
        out[out.size - 1] = points[levels[size - 1]]
    return True


@kernel((array(U8), array(U8, writable=True)))
def _pack_levels(levels, out):  # type: ignore[no-untyped-def]
    _join(levels, out)


@helper
def _run(i, n, inner, start):  # type: ignore[no-untyped-def]
    """Channel turns so far, and where the run of element i ends."""
    turn = (start + i) // inner
    return turn, min(n, (turn + 1) * inner - start)


@kernel((array(F32), I64, I64, array(F32, writable=True), array(F32, writable=True)))
def _ranges(x, inner, start, low, high):  # type: ignore[no-untyped-def]
    i = 0
    while i < x.size:
        turn, end = _run(i, x.size, inner, start)
        c = turn % low.size
        least, most = low[c], high[c]
        for k in range(i, end):
            least = least if least < x[k] else x[k]
            most = most if most > x[k] else x[k]
        low[c], high[c] = least, most
        i = end


@kernel((array(F32), I64, I64, array(F64), array(F64), F64, array(U8, writable=True)))
def _levels(x, inner, start, low, step, top, out):  # type: ignore[no-untyped-def]
    """Runs of a channel, or, along the last axis, rows of all channels."""
    i = 0
    while i < x.size:
        turn, end = _run(i, x.size, inner, start)
        c = turn % low.size
        if inner == 1:
            end = min(x.size, i + low.size - c)
            for k in range(end - i):
                out[i + k] = _level(x[i + k], low[c + k], step[c + k], top)
        else:
            for k in range(i, end):
                out[k] = _level(x[k], low[c], step[c], top)
        i = end


@kernel((array(U8), I64, I64, array(F64), array(F64), array(F32, writable=True)))
def _values(levels, inner, start, low, step, out):  # type: ignore[no-untyped-def]
    i = 0
    while i < out.size:
        turn, end = _run(i, out.size, inner, start)
        c = turn % low.size
        if inner == 1:
            end = min(out.size, i + low.size - c)
            for k in range(end - i):
                out[i + k] = low[c + k] + np.float64(levels[i + k]) * step[c + k]
        else:
            for k in range(i, end):
                out[k] = low[c] + np.float64(levels[k]) * step[c]
        i = end
