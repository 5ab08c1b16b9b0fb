"""From levels to values in their places: the last steps of a decoder of `slicer`.

    levels of an owner --> low + level * (high - low) / (2**b - 1), sign --> values (K,)
    labels (K,) --> the next value of the label's owner --> the next kept place of out (n,)

An owner is a block of a row. Memory is what a decoder waits for: levels become values as they are
unpacked, and values go to their places by tiles that stay in the nearest cache.
Shapes: counts and starts (owners,), keep (n,) of 0 and 1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy import packing, unpacking
from codec.stages.quantize import Blocks
from codec.stream.kernel import I64, U8, U32, U64, array, helper, kernel

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]

_TILE = 2048


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
    unpacking.unpack_values(
        words, counts, blocks.bits, blocks.low, blocks.high, np.uint32(signed), starts, out
    )
    return Owned(out, starts, counts)


def scale(levels: Levels, starts: Ints, counts: Ints, blocks: Blocks, *, signed: bool) -> Owned:
    """Values of levels in an order of their own: owner i has counts[i] from starts[i] on."""
    out = np.empty(levels.size, dtype=np.float32)
    unpacking.scale(
        levels, starts, counts, blocks.bits, blocks.low, blocks.high, np.uint32(signed), out
    )
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


@helper
def place_values(keep, labels, n_blocks, counts, cursors, values, out):  # type: ignore[no-untyped-def]
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


_place = kernel(
    (array(U8), array(U8), I64, array(I64), array(U64, writable=True), array(U32),
     array(U32, writable=True))
)(place_values)  # fmt: skip
