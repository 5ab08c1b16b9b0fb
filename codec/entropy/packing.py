"""Bit packing: unsigned integers at a fixed width, or at one width per block.

The stream is one run of bits, least significant bit first, stored in little-endian bytes and
padded with zero bits to a whole byte. Widths are 0..32 bits; width 0 stores nothing.
Shapes: values (count,), counts and widths (n_blocks,).
"""

import numpy as np
import numpy.typing as npt

from codec.entropy import unpacking
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import I64, U8, U32, U64, array, helper, kernel

MAX_WIDTH = 32


def width_for(maximum: int) -> int:
    """Bits that hold every integer of 0..maximum: ceil(log2(maximum + 1))."""
    return int(maximum).bit_length()


def packed_size(count: int, width: int) -> int:
    """Bytes that `pack` writes for `count` values of `width` bits."""
    return (int(count) * int(width) + 7) // 8


def blocks_size(counts: npt.ArrayLike, widths: npt.ArrayLike) -> int:
    """Bytes that `pack_blocks` writes: ceil(sum(counts * widths) / 8)."""
    bits = np.asarray(counts, dtype=np.int64) * np.asarray(widths, dtype=np.int64)
    return (int(bits.sum()) + 7) // 8


def pack(values: npt.NDArray[np.unsignedinteger], width: int) -> bytes:
    """Pack (count,) unsigned values at `width` bits each; each value must be below 2**width.

    Raises ValueError for a width outside 0..32 or a value that does not fit.
    """
    return pack_blocks(values, [len(values)], [width])


def unpack(data: bytes | memoryview, count: int, width: int) -> npt.NDArray[np.uint32]:
    """Read back (count,) uint32 values that `pack` wrote at `width` bits.

    Raises CorruptBitstreamError unless `data` has exactly `packed_size(count, width)` bytes and
    zero padding bits.
    """
    return unpack_blocks(data, [count], [width])


def unpack_bytes(data: bytes | memoryview, count: int, width: int) -> npt.NDArray[np.uint8]:
    """As `unpack` for widths of at most 8 bits, into (count,) uint8."""
    if not 0 <= width <= 8:
        raise ValueError(f"width must lie in 0..8, got {width}")
    size = packed_size(count, width)
    check_length(data, count * width)
    groups = -(-count // 8)
    padded = np.zeros(groups * width + 8, dtype=np.uint8)
    padded[:size] = np.frombuffer(data, dtype=np.uint8)
    out = np.empty(groups, dtype=np.uint64)
    _unpack_bytes(padded, width, out)
    return out.astype("<u8", copy=False).view(np.uint8)[:count]


def pack_blocks(
    values: npt.NDArray[np.unsignedinteger], counts: npt.ArrayLike, widths: npt.ArrayLike
) -> bytes:
    """Pack consecutive blocks of values, block m holding counts[m] values of widths[m] bits.

    The blocks follow each other bit by bit, without alignment: `blocks_size(counts, widths)` bytes.
    Raises ValueError for widths outside 0..32, counts that do not add up, or values too large.
    """
    symbols = np.ascontiguousarray(values, dtype=np.uint32)
    lengths, bits = _check_blocks(counts, widths)
    if int(lengths.sum()) != symbols.size:
        raise ValueError(f"counts must add up to {symbols.size} values, got {int(lengths.sum())}")
    words = np.zeros(blocks_size(lengths, bits) // 4 + 2, dtype=np.uint32)
    bad = _pack_blocks(symbols, lengths, bits, words)
    if bad >= 0:
        raise ValueError(f"values[{bad}] = {symbols[bad]} does not fit its width")
    return _to_bytes(words, blocks_size(lengths, bits))


def unpack_blocks(
    data: bytes | memoryview, counts: npt.ArrayLike, widths: npt.ArrayLike
) -> npt.NDArray[np.uint32]:
    """Read back (sum(counts),) uint32 values that `pack_blocks` wrote; see `unpack` for errors."""
    lengths, bits = _check_blocks(counts, widths)
    words = words_of(data, int((lengths * bits).sum()))
    out = np.empty(int(lengths.sum()), dtype=np.uint32)
    unpacking.unpack(words, lengths, bits, out)
    return out


def _check_blocks(
    counts: npt.ArrayLike, widths: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    lengths = np.ascontiguousarray(counts, dtype=np.int64)
    bits = np.ascontiguousarray(widths, dtype=np.int64)
    if lengths.ndim != 1 or lengths.shape != bits.shape:
        raise ValueError(f"counts and widths must pair up, got {lengths.shape} and {bits.shape}")
    if lengths.size and int(lengths.min()) < 0:
        raise ValueError(f"counts must be >= 0, got {int(lengths.min())}")
    _check_widths(bits)
    return lengths, bits


def _check_widths(bits: npt.NDArray[np.int64]) -> None:
    if bits.size and not (int(bits.min()) >= 0 and int(bits.max()) <= MAX_WIDTH):
        raise ValueError(f"widths must lie in 0..{MAX_WIDTH}, got {bits.min()}..{bits.max()}")


def _to_bytes(words: npt.NDArray[np.uint32], size: int) -> bytes:
    return words.astype("<u4", copy=False).view(np.uint8)[:size].tobytes()


def words_of(data: bytes | memoryview, n_bits: int) -> npt.NDArray[np.uint32]:
    """So many packed bits as words, with three spare ones for a reader of 64 bits at any place.

    Raises CorruptBitstreamError for another length, or for padding that is not zero.
    """
    size = check_length(data, n_bits)
    words = np.zeros(size // 4 + 4, dtype="<u4")
    words.view(np.uint8)[:size] = np.frombuffer(data, dtype=np.uint8)
    return words.astype(np.uint32, copy=False)


def check_length(data: bytes | memoryview, n_bits: int) -> int:
    """Bytes of so many bits; CorruptBitstreamError for others, or for padding that is not zero."""
    size = (n_bits + 7) // 8
    if len(data) != size:
        raise CorruptBitstreamError(f"packed bits must take {size} bytes, got {len(data)}")
    if n_bits % 8 and data[-1] >> (n_bits % 8):
        raise CorruptBitstreamError("padding bits must be zero")
    return size


@helper
def spread_bytes(data, width, out):  # type: ignore[no-untyped-def]
    """Eight values at a time, since they take whole bytes: as many as their width.

    Halves of a group are moved apart until every value stands in a byte of its own.
    """
    one, w = np.uint64(1), np.uint64(width)
    four = (one << (np.uint64(4) * w)) - one
    two = ((one << (w + w)) - one) * np.uint64(0x0000000100000001)
    single = ((one << w) - one) * np.uint64(0x0001000100010001)
    up, at = np.uint64(8) - w, np.uint64(0)
    for group in range(np.uint64(out.size)):
        word = np.uint64(0)
        for j in range(w):
            word |= np.uint64(data[at + j]) << (j << np.uint64(3))
        at += w
        word = (word & four) | (word & (four << (np.uint64(4) * w))) << (np.uint64(4) * up)
        word = (word & two) | (word & (two << (w + w))) << (up + up)
        out[group] = (word & single) | (word & (single << w)) << up


_unpack_bytes = kernel((array(U8), I64, array(U64, writable=True)))(spread_bytes)


@helper
def pack_words(values, counts, widths, words):  # type: ignore[no-untyped-def]
    """Write every value; return the index of the first that does not fit, or -1."""
    acc, filled, word, start = np.uint64(0), np.uint64(0), 0, 0
    for m in range(counts.size):
        width = np.uint64(widths[m])
        excess = np.uint64(0)
        for i in range(start, start + counts[m]):
            value = np.uint64(values[i])
            excess |= value >> width
            acc |= value << filled
            filled += width
            if filled >= np.uint64(32):
                words[word] = np.uint32(acc & np.uint64(0xFFFFFFFF))
                word += 1
                acc >>= np.uint64(32)
                filled -= np.uint64(32)
        if excess != np.uint64(0):
            for i in range(start, start + counts[m]):
                if np.uint64(values[i]) >> width != np.uint64(0):
                    return i
        start += counts[m]
    words[word] = np.uint32(acc & np.uint64(0xFFFFFFFF))
    return -1


_pack_blocks = kernel((array(U32), array(I64), array(I64), array(U32, writable=True)))(pack_words)
