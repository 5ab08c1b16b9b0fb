"""The way back of `codec.whole.slicer_encoder`, in one compiled call.

Whatever else lies in a chunk, or is wrong with it, is left to `codec.chains.slicer_chunk`.
"""

import numpy as np
import numpy.typing as npt

from codec.entropy.packing import spread_bytes
from codec.entropy.unpacking import fill_values, unpack_levels
from codec.stages.blocks import count_owners
from codec.stages.placing import place_values
from codec.stages.positions import scatter_csr
from codec.stages.quantize import restore_blocks
from codec.stages.scalar import Floats
from codec.stream.framing import get_frame, get_varint
from codec.stream.kernel import I64, U8, U32, array, helper, kernel

Bytes = npt.NDArray[np.uint8]

_PARTS = np.array([0, 2, 3, 4, 1], dtype=np.uint8)
"""header, positions, labels, scales, values"""
_SIGNED, _BITMAP = 0x01, 0x04


def decode(data: Bytes, at: int, size: int, rows: int) -> Floats | None:
    """The values (size,) of such a chunk, data[at:], in so many rows; None for any other."""
    out = np.empty(size, dtype=np.uint32)
    return out.view(np.float32) if _decode(data, at, rows, out) else None


@helper
def _width(maximum):  # type: ignore[no-untyped-def]
    n = 0
    while maximum >> n:
        n += 1
    return n


@helper
def _fits(data, bits):  # type: ignore[no-untyped-def]
    """Whether these bytes hold so many bits, and zeros behind them."""
    spare = bits & 7
    return data.size == (bits + 7) >> 3 and (spare == 0 or data[data.size - 1] >> spare == 0)


@helper
def _words(data):  # type: ignore[no-untyped-def]
    """Bytes as words, with spare ones for a reader of 64 bits at any place."""
    words = np.zeros((data.size >> 2) + 4, dtype=np.uint32)
    words.view(np.uint8)[: data.size] = data
    return words


@helper
def _read_bitmap(data, keep):  # type: ignore[no-untyped-def]
    """Every bit becomes a byte; how many are set, -1 where the bytes are not a bitmap."""
    if not _fits(data, keep.size):
        return -1
    whole, count = keep.size >> 3, np.int64(0)
    eights = keep[: 8 * whole].view(np.uint64)
    for i in range(whole):
        apart = np.uint64(data[i]) * np.uint64(0x0101010101010101) & np.uint64(0x8040201008040201)
        apart = (apart + np.uint64(0x7F7F7F7F7F7F7F7F)) >> np.uint64(7)
        eights[i] = apart & np.uint64(0x0101010101010101)
    for i in range(8 * whole, keep.size):
        keep[i] = data[whole] >> (i & 7) & 1
    for kept in keep:
        count += np.int64(kept)
    return count


@helper
def _read_csr(data, count, rows, keep):  # type: ignore[no-untyped-def]
    """Set the elements of compressed sparse rows; False where they are damaged."""
    cols = keep.size // rows
    high, wide = _width(count), _width(max(cols, 1) - 1)
    split = ((rows + 1) * high + 7) >> 3
    if split > data.size or not _fits(data[:split], (rows + 1) * high):
        return False
    if not _fits(data[split:], count * wide):
        return False
    pointers, columns = np.empty(rows + 1, dtype=np.uint32), np.empty(count, dtype=np.uint32)
    unpack_levels(_words(data[:split]), np.uint64(0), np.uint64(high), pointers)
    unpack_levels(_words(data[split:]), np.uint64(0), np.uint64(wide), columns)
    keep[:] = np.uint8(0)
    return scatter_csr(pointers, columns, cols, keep)


@helper
def _read_labels(data, count, n_blocks, labels):  # type: ignore[no-untyped-def]
    """Fill labels, of which whole groups of eight are written; False where one is too large."""
    width = _width(n_blocks - 1)
    if not _fits(data, count * width):
        return False
    groups = labels.size >> 3
    padded = np.zeros(groups * width + 8, dtype=np.uint8)
    padded[: data.size] = data
    spread_bytes(padded, width, labels.view(np.uint64))
    top = np.uint8(0)
    for label in labels:
        top = max(top, label)
    return np.int64(top) < n_blocks


@kernel((array(U8), I64, I64, array(U32, writable=True)))
def _decode(data, at, rows, out):  # type: ignore[no-untyped-def]
    """False for any other chunk."""
    ends = np.empty(5, dtype=np.int64)
    at = get_frame(data, at, data.size, _PARTS, ends)
    if at < 0 or ends[0] < at + 3:
        return False
    flags, n_blocks = data[at], np.int64(data[at + 1])
    count, at = get_varint(data, at + 2, ends[0])
    if at != ends[0] or flags & ~np.uint8(_SIGNED | _BITMAP) or not n_blocks or count > out.size:
        return False
    keep = np.empty(out.size, dtype=np.uint8)
    where = data[ends[0] : ends[1]]
    if flags & _BITMAP:
        if _read_bitmap(where, keep) != count:
            return False
    elif not _read_csr(where, count, rows, keep):
        return False
    labels = np.empty((count + 7) >> 3 << 3, dtype=np.uint8)
    if not _read_labels(data[ends[1] : ends[2]], count, n_blocks, labels):
        return False
    scales, marks = data[ends[2] : ends[3]], labels[:count]
    if scales.size != 4 * n_blocks + ((n_blocks + 1) >> 1):
        return False
    if n_blocks & 1 and scales[scales.size - 1] > 15:
        return False
    halves, widths = np.empty(2 * n_blocks, dtype=np.uint16), np.empty(n_blocks, dtype=np.uint8)
    halves.view(np.uint8)[:] = scales[: 4 * n_blocks]
    for m in range(n_blocks):
        widths[m] = scales[4 * n_blocks + (m >> 1)] >> (4 * (m & 1)) & 15
    ranges, bits = np.empty((2, n_blocks), dtype=np.uint32), np.empty(n_blocks, dtype=np.int64)
    if not restore_blocks(halves, widths, ranges, bits):
        return False
    counts = np.zeros((1, n_blocks), dtype=np.int64)
    count_owners(keep, marks, keep.size, counts)
    sign, total = np.int64(flags & _SIGNED), np.int64(0)
    for m in range(n_blocks):
        total += counts[0, m] * (bits[m] + sign)
    values = data[ends[3] : ends[4]]
    if not _fits(values, total):
        return False
    starts, levels = np.empty(n_blocks, dtype=np.int64), np.empty(count, dtype=np.float32)
    low, high = ranges[0].view(np.float32), ranges[1].view(np.float32)
    fill_values(_words(values), counts[0], bits, low, high, np.uint32(sign), starts, levels)
    cursors = np.empty(n_blocks, dtype=np.uint64)
    for m in range(n_blocks):
        cursors[m] = np.uint64(starts[m])
    place_values(keep, marks, n_blocks, counts[0], cursors, levels.view(np.uint32), out)
    return True
