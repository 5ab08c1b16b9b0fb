"""The way back of `codec.whole.ecsq_encoder`, in one compiled call.

Escapes are taken, far values, contexts and tables of a calibration are declined; so is whatever is
wrong with a chunk, for `codec.chains.ecsq` to say what it is.
"""

import numpy as np
import numpy.typing as npt

from codec.entropy.frequencies import make_slots
from codec.entropy.rans import decode_lanes, lanes_for
from codec.entropy.table_bits import get_bits, read_table
from codec.stages.scalar import SENT, Floats
from codec.stream.framing import get_frame
from codec.stream.kernel import F32, I64, U8, array, helper, kernel

Bytes = npt.NDArray[np.uint8]

_PARTS = np.array([0, 4, 5, 1], dtype=np.uint8)
"""header, scales, tables, values"""
_ORDER0, _SIGNED, _ESCAPES = 0x01, 0x10, 0x20
_MOST_SYMBOLS = 1024
_LARGEST = float(np.finfo(np.float32).max)


def decode(data: Bytes, at: int, size: int) -> Floats | None:
    """The values of such a chunk, data[at:]; None for any other."""
    out = np.empty(size, dtype=np.float32)
    return out if _decode(data, at, out) else None


@helper
def _value(code, signed, step, offsets):  # type: ignore[no-untyped-def]
    """The centroid of a code's level, inside float32."""
    if code == 0:
        return np.float32(0)
    level = (code + 1) >> 1 if signed else code
    value = min((level + offsets[min(level, SENT) - 1] / 256.0) * step, _LARGEST)
    return np.float32(-value if signed and code & 1 else value)


@helper
def _get_escapes(data, count):  # type: ignore[no-untyped-def]
    """Distances of the escaped codes from the limit, and the bytes they take; -1 where damaged."""
    if data.size < 5:
        return np.empty(0, dtype=np.int64), -1
    width, n = np.int64(data[0]), np.int64(0)
    for k in range(4):
        n |= np.int64(data[1 + k]) << (8 * k)
    size = 5 + ((n * width + 7) >> 3)
    if width > 32 or n < 1 or n > count or size > data.size:
        return np.empty(0, dtype=np.int64), -1
    raws, bit, part = np.empty(n, dtype=np.int64), 0, data[5:size]
    for k in range(n):
        raws[k], bit = get_bits(part, bit, width)
    padding, _ = get_bits(part, bit, 8 * part.size - bit)
    return raws, size if padding == 0 else -1


@kernel((array(U8), I64, array(F32, writable=True)))
def _decode(data, at, out):  # type: ignore[no-untyped-def]
    """False for any other chunk."""
    ends = np.empty(4, dtype=np.int64)
    at = get_frame(data, at, data.size, _PARTS, ends)
    if at < 0 or ends[0] != at + 1 or ends[1] != at + 5 + SENT or ends[2] == ends[1]:
        return False
    kind, values = data[ends[1]], data[ends[2] :]
    if data[at] or kind & ~np.uint8(_SIGNED | _ESCAPES) != _ORDER0:
        return False
    scales = np.empty(4 + SENT, dtype=np.uint8)
    scales[:] = data[at + 1 : ends[1]]
    step = np.float64(scales[:4].view(np.float32)[0])
    freqs = np.zeros(_MOST_SYMBOLS, dtype=np.uint32)
    size, precision, bits = read_table(data[ends[1] + 1 : ends[2]], freqs)
    if not 0.0 < step < np.inf or size <= 0 or ends[1] + 1 + ((bits + 7) >> 3) != ends[2]:
        return False
    raws, start = np.empty(0, dtype=np.int64), 0
    if kind & _ESCAPES:
        raws, start = _get_escapes(values, out.size)
    n_lanes = lanes_for(out.size)
    n_bytes = values.size - start - 4 * n_lanes
    if start < 0 or n_bytes < 0 or n_bytes & 1:
        return False
    slots = np.empty(1 << precision, dtype=np.uint64)
    make_slots(freqs[:size], slots)
    states = np.empty(n_lanes, dtype=np.uint32)
    states.view(np.uint8)[:] = values[start : start + 4 * n_lanes]
    words = np.zeros((n_bytes >> 1) + 16, dtype=np.uint16)
    words.view(np.uint8)[:n_bytes] = values[start + 4 * n_lanes :]
    codes = np.empty(out.size, dtype=np.uint16)
    if not decode_lanes(words, slots, np.uint64(precision), states, codes):
        return False
    signed, offsets = kind & _SIGNED != 0, scales[4:].view(np.int8)
    points = np.empty(size, dtype=np.float32)
    for code in range(size):
        points[code] = _value(code, signed, step, offsets)
    for i in range(out.size):
        out[i] = points[codes[i]]
    return raws.size == 0 or _put_far_levels(codes, size - 1, raws, signed, step, offsets, out)


@helper
def _put_far_levels(codes, limit, raws, signed, step, offsets, out):  # type: ignore[no-untyped-def]
    """Replace what escaped; False where escapes run out or are left, or leave int32."""
    used, top = 0, 0xFFFFFFFF if signed else 0x7FFFFFFF
    for i in range(codes.size):
        if codes[i] == limit:
            if used == raws.size or limit + raws[used] > top:
                return False
            out[i] = _value(limit + raws[used], signed, step, offsets)
            used += 1
    return used == raws.size
