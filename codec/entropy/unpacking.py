"""Packed bits to levels, and levels to values: the loops that several decoders share.

Block m has counts[m] levels of width widths[m]; its values are
low[m] + level * (high[m] - low[m]) / (2**bits[m] - 1).
"""

import numpy as np

from codec.stream.kernel import F32, I64, U32, array, helper, kernel

_TILE = 2048


@helper
def unpack_levels(words, bit, width, out):  # type: ignore[no-untyped-def]
    """Up to 7 bits wide, eight levels lie in 64 bits from any place on; the others go singly."""
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


@kernel((array(U32), array(I64), array(I64), array(U32, writable=True)))
def unpack(words, counts, widths, out):  # type: ignore[no-untyped-def]
    """Levels of consecutive blocks, each at its own width."""
    bit, at = np.uint64(0), 0
    for m in range(counts.size):
        width, end = np.uint64(widths[m]), at + counts[m]
        unpack_levels(words, bit, width, out[at:end])
        bit += width * np.uint64(counts[m])
        at = end


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


@helper
def fill_values(words, counts, bits, low, high, sign, starts, out):  # type: ignore[no-untyped-def]
    """Levels that become values tile by tile; `starts` is filled on the way."""
    tile = np.empty(_TILE, dtype=np.uint32)
    bit, at = np.uint64(0), 0
    for m in range(counts.size):
        width = np.uint64(bits[m]) + np.uint64(sign)
        starts[m], end = at, at + counts[m]
        while at < end:
            size = min(end - at, _TILE)
            unpack_levels(words, bit, width, tile[:size])
            _values(tile, low[m], high[m], bits[m], sign, out[at : at + size])
            bit += width * np.uint64(size)
            at += size


unpack_values = kernel(
    (array(U32), array(I64), array(I64), array(F32), array(F32), U32,
     array(I64, writable=True), array(F32, writable=True))
)(fill_values)  # fmt: skip


@kernel(
    (array(U32), array(I64), array(I64), array(I64), array(F32), array(F32), U32,
     array(F32, writable=True))
)  # fmt: skip
def scale(levels, starts, counts, bits, low, high, sign, out):  # type: ignore[no-untyped-def]
    """The values of levels that are unpacked already."""
    for m in range(counts.size):
        at, end = starts[m], starts[m] + counts[m]
        _values(levels[at:end], low[m], high[m], bits[m], sign, out[at:end])
