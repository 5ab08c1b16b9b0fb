"""A whole chunk of `ecsq` in two compiled calls: one table, levels below 128.

    x (n,) --> mark (n,): fine bin and sign --> counts --> grid, table --> dense rANS --> framed

A mark is 2 bin + sign, so that levels, their codes and their table are found by counting marks
once; rANS then reads the marks themselves. The bytes are those of `codec.chains.ecsq`, stage by
stage; far values, and levels from 128 on, are left to them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy.frequencies import best_cut, make_steps
from codec.entropy.rans import encode_lanes, lanes_for
from codec.entropy.table_bits import choose_table, put_bits
from codec.stages.scalar import BINS, FINE, SENT, Floats, fit_grid, trimmed_scale
from codec.stream.framing import put_frame
from codec.stream.kernel import F32, F64, I8, I32, I64, U8, U16, U32, array, helper, kernel

Marks = npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]

_PARTS = np.array([0, 4, 5, 1], dtype=np.uint8)
"""header, scales, tables, values"""
_ORDER0, _SIGNED, _ESCAPES = 0x01, 0x10, 0x20
_LONG = 1 << 14
_SHORT_PRECISIONS, _LONG_PRECISIONS = np.array([8, 10, 12]), np.array([12, 15])
_SPARE = 4096
_TINY, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Marked(NamedTuple):
    """A chunk on its grid: level of mark m is levels[m]; `used` marks occur at most."""

    step: float
    used: int
    marks: Marks
    counts: npt.NDArray[np.uint32]
    levels: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int8]


def mark(x: Floats, step: float, rdoq: float) -> Marked | None:
    """The chunk's marks under a step in root mean squares; None where a level exceeds 127."""
    marks = np.empty(x.size, dtype=np.uint16)
    counts = np.zeros(2 * BINS, dtype=np.uint32)
    levels = np.empty(2 * BINS, dtype=np.int32)
    offsets = np.zeros(SENT, dtype=np.int8)
    width, used = _mark(x, step, rdoq, marks, counts, levels, offsets)
    return Marked(width, used, marks, counts, levels, offsets) if used else None


def levels_of(made: Marked, marks: Marks) -> npt.NDArray[np.int32]:
    """The levels of some of the chunk's marks, in their shape."""
    out = np.empty(marks.shape, dtype=np.int32)
    _look_up(np.ascontiguousarray(marks).reshape(-1), made.levels, out.reshape(-1))
    return out


def emit(made: Marked) -> Bytes:
    """The framed chunk of these marks under one table."""
    out = np.empty(3 * made.marks.size + _SPARE, dtype=np.uint8)
    size = _emit(made.marks, made.counts, made.levels, made.used, made.step, made.offsets, out)
    return out[:size]


@helper
def _sign_bits(bits):  # type: ignore[no-untyped-def]
    """Bits that a sign is worth: 0 after a rectifier, 1 where both are as frequent."""
    negative, some = np.uint32(0), np.uint32(0)
    for i in range(bits.size):
        negative += np.uint32(bits[i] > np.uint32(0x80000000))
        some += np.uint32(bits[i] & np.uint32(0x7FFFFFFF) != np.uint32(0))
    share = np.float64(negative) / max(np.float64(some), 1.0)
    if share == 0.0 or share == 1.0:
        return 0.0
    return -share * np.log2(share) - (1.0 - share) * np.log2(1.0 - share)


@helper
def _count_marks(marks, used, counts):  # type: ignore[no-untyped-def]
    """Four histograms take turns: equal neighbours in one would wait for each other."""
    lanes = np.zeros((4, used), dtype=np.uint32)
    whole = marks.size - marks.size % 4
    for i in range(0, whole, 4):
        lanes[0, marks[i]] += np.uint32(1)
        lanes[1, marks[i + 1]] += np.uint32(1)
        lanes[2, marks[i + 2]] += np.uint32(1)
        lanes[3, marks[i + 3]] += np.uint32(1)
    for i in range(whole, marks.size):
        lanes[0, marks[i]] += np.uint32(1)
    for m in range(used):
        counts[m] = lanes[0, m] + lanes[1, m] + lanes[2, m] + lanes[3, m]


@kernel(
    (array(F32), F64, F64, array(U16, writable=True), array(U32, writable=True),
     array(I32, writable=True), array(I8, writable=True))
)  # fmt: skip
def _mark(x, relative, rdoq, marks, counts, levels, offsets):  # type: ignore[no-untyped-def]
    """Returns the step and the number of marks in use, 0 where some level exceeds 127."""
    bits = x.view(np.uint32)
    deviation, top = trimmed_scale(x)
    step = np.float64(np.float32(min(max(relative * deviation, _TINY), _LARGEST / 4)))
    scale = FINE / step
    if top * scale >= BINS:
        return step, 0
    used = 2 * (np.int64(top * scale) + 1)
    for i in range(x.size):
        fine = np.uint32(np.int32(abs(np.float64(x[i])) * scale))
        marks[i] = np.uint16(fine << np.uint32(1) | bits[i] >> np.uint32(31))
    _count_marks(marks, used, counts)
    bins = np.empty(used >> 1, dtype=np.uint32)
    for b in range(bins.size):
        bins[b] = counts[2 * b] + counts[2 * b + 1]
    table = np.empty(bins.size, dtype=np.uint16)
    fit_grid(bins, rdoq, _sign_bits(bits), table, offsets)
    for b in range(bins.size):
        levels[2 * b], levels[2 * b + 1] = np.int32(table[b]), -np.int32(table[b])
    return step, used


@kernel((array(U16), array(I32), array(I32, writable=True)))
def _look_up(marks, levels, out):  # type: ignore[no-untyped-def]
    for i in range(marks.size):
        out[i] = levels[marks[i]]


@helper
def _codes(levels, counts, used):  # type: ignore[no-untyped-def]
    """Code of every mark, how often each code occurs, and whether signs are folded into them."""
    signed = False
    for m in range(used):
        signed |= counts[m] > 0 and levels[m] < 0
    codes = np.empty(used, dtype=np.int64)
    largest = 0
    for m in range(used):
        level = np.int64(levels[m])
        codes[m] = (2 * level if level >= 0 else -2 * level - 1) if signed else abs(level)
        if counts[m] > 0:
            largest = max(largest, codes[m])
    occurring = np.zeros(largest + 1, dtype=np.uint32)
    for m in range(used):
        if counts[m] > 0:
            occurring[codes[m]] += counts[m]
    return codes, occurring, signed


@helper
def _put_escapes(marks, codes, limit, escapes, out, at):  # type: ignore[no-untyped-def]
    """Width, number and distances of the codes from the limit on; where the next byte goes."""
    width, seen = 0, 0
    for m in marks:
        if codes[m] >= limit:
            seen = max(seen, codes[m] - limit)
    while seen >> width:
        width += 1
    out[at] = np.uint8(width)
    for k in range(4):
        out[at + 1 + k] = np.uint8(escapes >> (8 * k) & 0xFF)
    at += 5
    size = (escapes * width + 7) >> 3
    part = out[at : at + size]
    part[:] = np.uint8(0)
    bit = 0
    for m in marks:
        if codes[m] >= limit:
            bit = put_bits(part, bit, codes[m] - limit, width)
    return at + size


@kernel(
    (array(U16), array(U32), array(I32), I64, F64, array(I8), array(U8, writable=True))
)  # fmt: skip
def _emit(marks, counts, levels, used, step, offsets, out):  # type: ignore[no-untyped-def]
    """Returns how many bytes were written."""
    codes, occurring, signed = _codes(levels, counts, used)
    limit = min(best_cut(occurring, occurring.size - 1), occurring.size)
    escapes = np.int64(0)
    for code in range(limit, occurring.size):
        escapes += np.int64(occurring[code])
    seen = np.empty(limit + (escapes > 0), dtype=np.uint32)
    seen[:limit] = occurring[:limit]
    if escapes > 0:
        seen[limit] = np.uint32(escapes)
    freqs = np.empty(seen.size, dtype=np.uint32)
    table = np.empty(7 * seen.size + 16, dtype=np.uint8)
    wanted = _SHORT_PRECISIONS if marks.size < _LONG else _LONG_PRECISIONS
    precision, table_bytes = choose_table(seen, wanted, freqs, table)
    steps = np.empty((seen.size, 2), dtype=np.uint64)
    make_steps(freqs, precision, steps)
    of_mark = np.empty((used, 2), dtype=np.uint64)
    for m in range(used):
        symbol = min(codes[m], np.int64(seen.size - 1))
        of_mark[m, 0], of_mark[m, 1] = steps[symbol, 0], steps[symbol, 1]
    states = np.full(lanes_for(marks.size), np.uint32(65536), dtype=np.uint32)
    words = np.empty(marks.size + 16, dtype=np.uint16)
    first = encode_lanes(marks, of_mark, np.uint64(precision), states, words)
    raws = out[out.size - marks.size - 8 :]
    n_raws = _put_escapes(marks, codes, limit, escapes, raws, 0) if escapes > 0 else 0
    coded = words[first:].view(np.uint8)
    values = n_raws + 4 * states.size + coded.size
    at = put_frame(out, _PARTS, np.array([1, 4 + SENT, 1 + table_bytes, values]))
    out[at] = np.uint8(0)
    out[at + 1 : at + 5] = np.array([step], dtype=np.float32).view(np.uint8)
    out[at + 5 : at + 5 + SENT] = offsets.view(np.uint8)
    at += 5 + SENT
    out[at] = np.uint8(_ORDER0 | (_SIGNED if signed else 0) | (_ESCAPES if escapes > 0 else 0))
    out[at + 1 : at + 1 + table_bytes] = table[:table_bytes]
    at += 1 + table_bytes
    out[at : at + n_raws] = raws[:n_raws]
    at += n_raws
    out[at : at + 4 * states.size] = states.view(np.uint8)
    at += 4 * states.size
    out[at : at + coded.size] = coded
    return at + coded.size
