"""A whole chunk of `slicer` in one compiled call: packed, one row, blocks of equal cardinality.

The stages are those of `codec.chains.slicer`, and so are the bytes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy.packing import pack_words
from codec.stages import quantize
from codec.stages.blocks import gather_kept, group_levels, raise_labels
from codec.stages.positions import gather_csr
from codec.stages.quantize import (
    count_levels,
    find_levels,
    find_ranges,
    find_widths,
    root_mean_square,
)
from codec.stages.ranks import find_cuts
from codec.stages.scalar import Floats
from codec.stages.sparsify import mark_largest, score_into
from codec.stream.framing import HEAD, put_frame, put_varint
from codec.stream.kernel import F32, F64, I64, U8, U32, array, helper, kernel

Bytes = npt.NDArray[np.uint8]

_PARTS = np.array([0, 2, 3, 4, 1], dtype=np.uint8)
"""header, positions, labels, scales, values"""
_SIGNED, _BITMAP = 0x01, 0x04
_AUTO = 0
POSITIONS = ("auto", "bitmap", "csr")
_TINY = float(np.finfo(np.float64).tiny)


class Knobs(NamedTuple):
    """Options of `slicer` that its one piece knows; `kept` is the budget K."""

    kept: int
    asymmetry: float
    n_blocks: int
    distortion: float
    bits_min: int
    bits_max: int
    scale: str
    positions: str


def encode(x: Floats, rows: int, knobs: Knobs) -> Bytes:
    """The framed chunk x (n,) of so many rows."""
    narrow, mismatches = quantize.narrow(knobs.bits_max), quantize.mismatches(knobs.bits_max)
    kept = min(knobs.kept, x.size)
    most = HEAD + 6 * knobs.n_blocks + x.size // 8 + 8 * rows + 7 * kept + 64
    out = np.empty(most, dtype=np.uint8)
    size = _encode(
        x, rows, kept, knobs.asymmetry, knobs.n_blocks, knobs.distortion, knobs.bits_min,
        quantize.SCALES.index(knobs.scale), POSITIONS.index(knobs.positions), narrow, mismatches,
        out,
    )  # fmt: skip
    return out[:size]


@helper
def _width(maximum):  # type: ignore[no-untyped-def]
    n = 0
    while maximum >> n:
        n += 1
    return n


@helper
def _put(out, at, values, counts, widths):  # type: ignore[no-untyped-def]
    """Packed values; where the next byte goes."""
    bits = np.int64(0)
    for m in range(counts.size):
        bits += counts[m] * widths[m]
    size = (bits + 7) >> 3
    words = np.zeros((size >> 2) + 2, dtype=np.uint32)
    pack_words(values, counts, widths, words)
    out[at : at + size] = words.view(np.uint8)[:size]
    return at + size


@helper
def _put_one(out, at, values, width):  # type: ignore[no-untyped-def]
    return _put(out, at, values, np.array([values.size]), np.array([width]))


@helper
def _put_bitmap(out, at, keep):  # type: ignore[no-untyped-def]
    """Eight bytes of 0 or 1 become the bits of one, the first one lowest."""
    whole = keep.size >> 3
    eights = keep[: 8 * whole].view(np.uint64)
    for i in range(whole):
        out[at + i] = np.uint8(eights[i] * np.uint64(0x0102040810204080) >> np.uint64(56))
    at += whole
    if keep.size & 7:
        last = np.uint8(0)
        for k in range(keep.size & 7):
            last |= np.uint8(keep[8 * whole + k] << k)
        out[at] = last
        at += 1
    return at


@helper
def _put_positions(out, at, keep, count, rows, rule):  # type: ignore[no-untyped-def]
    """A bitmap, or compressed sparse rows; where the next byte goes, and which it was."""
    cols = keep.size // rows
    high, wide = _width(count), _width(max(cols, 1) - 1)
    csr = (((rows + 1) * high + 7) >> 3) + ((count * wide + 7) >> 3)
    if rule == 1 or (rule == _AUTO and (keep.size + 7) >> 3 <= csr):
        return _put_bitmap(out, at, keep), _BITMAP
    pointers, columns = np.zeros(rows + 1, dtype=np.uint32), np.empty(count, dtype=np.uint32)
    gather_csr(keep, cols, pointers, columns)
    at = _put_one(out, at, pointers, high)
    return _put_one(out, at, columns, wide), 0


@helper
def _keep(x, asymmetry, count):  # type: ignore[no-untyped-def]
    """Marks of the `count` largest scores, fewer where fewer are positive; how many they are."""
    scores = np.empty_like(x)
    score_into(x, np.float32(asymmetry), scores)
    keys = scores.view(np.uint32)
    positive = 0
    for key in keys:
        positive += key != np.uint32(0)
    count = min(count, positive)
    keep = np.zeros(x.size, dtype=np.uint8)
    if count == x.size:
        keep[:] = np.uint8(1)
    elif count > 0:
        chosen, ties = np.empty(1, dtype=np.uint32), np.empty(1, dtype=np.int64)
        find_cuts(keys, np.array([x.size - count]), chosen, ties)
        mark_largest(keys, chosen[0], count, keep)
    return keep, count


@helper
def _label(keys, n_blocks):  # type: ignore[no-untyped-def]
    """Block of every magnitude by its rank."""
    labels = np.zeros(keys.size, dtype=np.uint8)
    if n_blocks == 1 or keys.size < 2:
        return labels
    firsts, n = np.empty(n_blocks - 1, dtype=np.int64), 0
    for m in range(1, n_blocks):
        first = (m * keys.size + n_blocks - 1) // n_blocks
        if first < keys.size:
            firsts[n] = first
            n += 1
    chosen, ties = np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.int64)
    find_cuts(keys, firsts[:n], chosen, ties)
    raise_labels(keys, chosen, ties, labels)
    return labels


@helper
def _weigh(magnitudes, low, high, scale):  # type: ignore[no-untyped-def]
    """What a block's mismatch counts for: its range over the common scale; or 1."""
    weights = np.ones(low.size)
    if scale == 2:
        return weights
    reference = 0.0
    if scale == 1:
        reference = root_mean_square(magnitudes)
    else:
        top = np.uint32(0)
        for key in magnitudes.view(np.uint32):
            top = max(top, key)
        reference = np.float64(np.array([top]).view(np.float32)[0])
    for m in range(low.size):
        weights[m] = np.float64(high[m] - low[m]) / max(reference, _TINY)
    return weights


@kernel(
    (array(F32), I64, I64, F64, I64, F64, I64, I64, I64, array(U32, ndim=2), array(U32, ndim=2),
     array(U8, writable=True))
)  # fmt: skip
def _encode(  # type: ignore[no-untyped-def]
    x, rows, kept, asymmetry, n_blocks, distortion, bits_min, scale, rule, narrow, mismatches, out
):
    """Returns how many bytes were written."""
    keep, count = _keep(x, asymmetry, kept)
    magnitudes, signs = np.empty(count + 1, np.float32), np.empty(count + 1, np.uint8)
    gather_kept(x, keep, magnitudes, signs)
    magnitudes, signs = magnitudes[:count], signs[:count]
    labels = _label(magnitudes.view(np.uint32), n_blocks)
    halves = np.empty((n_blocks, 2), dtype=np.uint16)
    find_ranges(magnitudes.view(np.uint32), labels, halves)
    ranges = np.empty((2, n_blocks), dtype=np.uint32)
    for m in range(n_blocks):
        ranges[0, m] = np.uint32(halves[m, 0]) << np.uint32(16)
        ranges[1, m] = np.uint32(halves[m, 1]) << np.uint32(16)
    low, high = ranges[0].view(np.float32), ranges[1].view(np.float32)
    counts = np.zeros((n_blocks, narrow.shape[1]), dtype=np.uint32)
    count_levels(magnitudes, labels, low, high, counts)
    bits = np.empty(n_blocks, dtype=np.int64)
    weights = _weigh(magnitudes, low, high, scale)
    find_widths(counts, mismatches, weights, distortion, bits_min, bits)
    table = np.empty((n_blocks, narrow.shape[1]), dtype=np.uint32)
    for m in range(n_blocks):
        table[m] = narrow[bits[m]]
    levels = np.empty(count, dtype=np.uint32)
    find_levels(magnitudes, labels, low, high, table, levels)
    signed = 0
    for sign in signs:
        signed |= sign
    sizes, cursors = np.zeros(n_blocks, dtype=np.int64), np.zeros(n_blocks, dtype=np.int64)
    for m in range(n_blocks):
        for q in range(counts.shape[1]):
            sizes[m] += counts[m, q]
        if m:
            cursors[m] = cursors[m - 1] + sizes[m - 1]
    values = np.empty(count, dtype=np.uint32)
    group_levels(levels, signs if signed else signs[:0], labels, cursors, values)
    body = np.empty(out.size, dtype=np.uint8)
    ends = np.empty(5, dtype=np.int64)
    ends[0] = put_varint(body, 2, count)
    ends[1], how = _put_positions(body, ends[0], keep, count, rows, rule)
    body[0], body[1] = np.uint8(signed | how), np.uint8(n_blocks)
    ends[2] = _put_one(body, ends[1], labels, _width(n_blocks - 1))
    at = ends[2] + 4 * n_blocks
    body[ends[2] : at] = halves.reshape(-1).view(np.uint8)
    ends[3] = _put_one(body, at, bits, 4)
    ends[4] = _put(body, ends[3], values, sizes, bits + signed)
    lengths = ends.copy()
    lengths[1:] -= ends[:-1]
    at = put_frame(out, _PARTS, lengths)
    out[at : at + ends[4]] = body[: ends[4]]
    return at + ends[4]
