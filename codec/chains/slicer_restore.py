"""From levels to values in their places: the last steps of a decoder of `slicer_chunk`.

    levels of an owner --> low + level * (high - low) / (2**b - 1), sign --> values (K,)
    labels (K,) --> the next value of the label's owner --> the next kept place of out (n,)

An owner is a block of a row. Memory is what a decoder waits for: levels become values as they are
unpacked, and values go to their places by tiles that stay in the nearest cache.
Shapes: counts and starts (owners,), keep (n,) of 0 and 1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from codec.entropy import packing
from codec.stages.quantize import Blocks
from codec.stream.kernel import array, helper, kernel

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]

_TILE = 2048
_U8, _U32, _U64, _I64, _F32 = types.uint8, types.uint32, types.uint64, types.int64, types.float32


class Owned(NamedTuple):
    """Values (K,) grouped by owner: where each owner's begin, and how many it has."""

    values: Floats
    starts: Ints
    counts: Ints


def unpack(data: memoryview, counts: Ints, blocks: Blocks, *, signed: bool) -> Owned:
    """Values of levels packed owner after owner at its width, a sign below each where `signed`.

    Raises CorruptBitstreamError as `codec.entropy.packing.unpack_blocks` does.
    """
    widths = blocks.bits + int(signed)
    words = packing.words_of(data, int(counts @ widths))
    out = np.empty(int(counts.sum()), dtype=np.float32)
    starts = np.empty(counts.size, dtype=np.int64)
    _unpack(words, counts, blocks.bits, blocks.low, blocks.high, np.uint32(signed), starts, out)
    return Owned(out, starts, counts)


def scale(levels: Levels, starts: Ints, counts: Ints, blocks: Blocks, *, signed: bool) -> Owned:
    """Values of levels in an order of their own: owner i has counts[i] from starts[i] on."""
    out = np.empty(levels.size, dtype=np.float32)
    _scale(levels, starts, counts, blocks.bits, blocks.low, blocks.high, np.uint32(signed), out)
    return Owned(out, starts, counts)


def place(keep: Bytes, labels: Bytes, owned: Owned, n_blocks: int) -> Floats:
    """Kept elements take the next value of the owner that their label names, the others 0.

    `keep` must hold as many ones as there are labels, each in a row whose owner has a value left.
    """
    out = np.empty(keep.size, dtype=np.uint32)
    cursors = owned.starts.astype(np.uint64)
    _place(keep, labels, n_blocks, owned.counts, cursors, owned.values.view(np.uint32), out)
    return out.view(np.float32)


@helper
def _values(levels, low, high, bits, sign, out):  # type: ignore[no-untyped-def]
    """`sign` is the number of sign bits below a level, 0 or 1; they never turn 0 into -0."""
    top = np.float32((np.int64(1) << bits) - np.int64(1))
    step = np.float32(np.float32(high - low) / top)
    if sign == np.uint32(0):
        for i in range(out.size):
            out[i] = low + np.float32(np.int32(levels[i])) * step
        return
    for i in range(out.size):
        turn = np.float32(1) - np.float32(np.int32((levels[i] & np.uint32(1)) << np.uint32(1)))
        size = np.float32(np.int32(levels[i] >> np.uint32(1)))
        out[i] = (low + size * step) * turn + np.float32(0)


@kernel(
    (array(_U32), array(_I64), array(_I64), array(_I64), array(_F32), array(_F32), _U32,
     array(_F32, writable=True))
)  # fmt: skip
def _scale(levels, starts, counts, bits, low, high, sign, out):  # type: ignore[no-untyped-def]
    for m in range(counts.size):
        at, end = starts[m], starts[m] + counts[m]
        _values(levels[at:end], low[m], high[m], bits[m], sign, out[at:end])


@helper
def _levels(words, bit, width, out):  # type: ignore[no-untyped-def]
    """Up to 7 bits wide, eight levels lie in 64 bits from any place on; the others go singly.

    The loop of `entropy.packing`, here again: a kernel calls helpers of its own file only, since
    numba's cache watches one file (`codec.stream.kernel`).
    """
    mask = (np.uint64(1) << width) - np.uint64(1)
    at, end = np.uint64(0), np.uint64(out.size)
    eights = end - end % np.uint64(8) if width < np.uint64(8) else at
    while at < eights:
        word, shift = bit >> np.uint64(5), bit & np.uint64(31)
        pair = np.uint64(words[word]) | np.uint64(words[word + np.uint64(1)]) << np.uint64(32)
        above = np.uint64(words[word + np.uint64(2)]) << np.uint64(1)
        group = pair >> shift | above << (np.uint64(63) - shift)
        for j in range(np.uint64(8)):
            out[at + j] = np.uint32(group >> (j * width) & mask)
        at += np.uint64(8)
        bit += width << np.uint64(3)
    while at < end:
        word = bit >> np.uint64(5)
        pair = np.uint64(words[word]) | np.uint64(words[word + np.uint64(1)]) << np.uint64(32)
        out[at] = np.uint32(pair >> (bit & np.uint64(31)) & mask)
        at += np.uint64(1)
        bit += width


@kernel(
    (array(_U32), array(_I64), array(_I64), array(_F32), array(_F32), _U32,
     array(_I64, writable=True), array(_F32, writable=True))
)  # fmt: skip
def _unpack(words, counts, bits, low, high, sign, starts, out):  # type: ignore[no-untyped-def]
    """A tile of levels, then of values; `starts` is filled on the way."""
    tile = np.empty(_TILE, dtype=np.uint32)
    bit, at = np.uint64(0), 0
    for m in range(counts.size):
        width = np.uint64(bits[m]) + np.uint64(sign)
        starts[m], end = at, at + counts[m]
        while at < end:
            size = min(end - at, _TILE)
            _levels(words, bit, width, tile[:size])
            _values(tile, low[m], high[m], bits[m], sign, out[at : at + size])
            bit += width * np.uint64(size)
            at += size


@helper
def _fill(tile, labels, k, stop, first, cursors, values):  # type: ignore[no-untyped-def]
    """The next values of one row, elements k to stop of the kept ones."""
    at = np.uint64(0)
    while k < stop:
        owner = first + np.uint64(labels[k])
        cursor = cursors[owner]
        tile[at] = values[cursor]
        cursors[owner] = cursor + np.uint64(1)
        at += np.uint64(1)
        k += np.uint64(1)
    tile[at] = np.uint32(0)
    return at


@helper
def _spread(keep, i, end, tile, filled, last, out):  # type: ignore[no-untyped-def]
    """Use a tile up, without a branch on what is kept; where the next element then stands.

    At half density a processor guesses that wrong every other time. A strip is never longer than
    what is left in the tile, so that it cannot run over; the last tile of a row is followed by 0.
    """
    at = np.uint64(0)
    while i < end and (last or at < filled):
        strip = end if last else min(end, i + filled - at)
        for e in range(i, strip):
            hit = np.uint64(keep[e])
            out[e] = tile[at] & np.uint32(-np.int64(hit))
            at += hit
        i = strip
    return i


@kernel(
    (array(_U8), array(_U8), _I64, array(_I64), array(_U64, writable=True), array(_U32),
     array(_U32, writable=True))
)  # fmt: skip
def _place(keep, labels, n_blocks, counts, cursors, values, out):  # type: ignore[no-untyped-def]
    """Row after row, tile after tile: gather, then spread.

    Unsigned places throughout: numba wraps signed ones, at the cost of a comparison each.
    """
    tile = np.zeros(_TILE + 1, dtype=np.uint32)
    rows = counts.size // n_blocks
    length = np.uint64(keep.size // rows)
    i, k, first = np.uint64(0), np.uint64(0), np.uint64(0)
    for row in range(rows):
        end, kept = i + length, k
        for m in range(n_blocks):
            kept += np.uint64(counts[row * n_blocks + m])
        while i < end:
            stop = min(kept, k + np.uint64(_TILE))
            filled = _fill(tile, labels, k, stop, first, cursors, values)
            k = stop
            i = _spread(keep, i, end, tile, filled, k == kept, out)
        first += np.uint64(n_blocks)
