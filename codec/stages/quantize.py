"""Adaptive bit quantization (ABQ): per block of magnitudes a range and the fewest bits that do.

SLICER (arXiv 2511.11608) picks a width per block under a distortion budget; the formula is our
reading. With Q = 2**bits_max - 1 a magnitude of block m, which spans low..high, becomes

    q = round((|x| - low) / (high - low) * Q)                       an integer
    down_b(q) = round(q (2**b - 1) / Q), up_b(p) = round(p Q / (2**b - 1))      integers again
    d_m(b) = mean |q - up_b(down_b(q))| / Q * (high_m - low_m) / scale

and b_m is the smallest b of bits_min..bits_max with d_m(b) <= distortion, else bits_max. `scale`
is the largest magnitude of all blocks ("tensor"), their root mean square ("rms"), or the block's
own range ("block", which leaves about the same width to every block).

low and high are stored in 16 bits, the leading half of a float32, rounded outwards.
Shapes: magnitudes, labels and signs (K,), low, high and bits (M,).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import F32, F64, I64, U8, U16, U32, array, helper, kernel

MAX_BITS = 12
SCALES = ("tensor", "rms", "block")

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_LARGEST_STORED = np.uint16(0x7F7F)
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Blocks:
    """Range and width of every block: all that a decoder needs to know about them."""

    low: Floats
    high: Floats
    bits: Ints

    def to_halves(self) -> npt.NDArray[np.uint16]:
        """(M, 2) leading halves of low and high."""
        pairs = np.stack([self.low, self.high], axis=1)
        return (pairs.view(np.uint32) >> np.uint32(16)).astype(np.uint16)

    @classmethod
    def from_halves(cls, halves: npt.NDArray[np.uint16], bits: npt.NDArray[np.uint8]) -> "Blocks":
        """Blocks from stored halves, low and high in turns.

        Raises CorruptBitstreamError unless 0 <= low <= high and every width lies in 1..MAX_BITS.
        """
        ranges = np.empty((2, bits.size), dtype=np.uint32)
        widths = np.empty(bits.size, dtype=np.int64)
        if not _restore(halves, bits, ranges, widths):
            raise CorruptBitstreamError(
                f"a block needs a range that rises from 0 and 1..{MAX_BITS} bits"
            )
        low, high = ranges.view(np.float32)
        return cls(low, high, widths)


def fit(
    magnitudes: Floats,
    labels: Labels,
    n_blocks: int,
    *,
    distortion: float,
    bits_min: int,
    bits_max: int,
    scale: str = "tensor",
) -> Blocks:
    """Ranges of the blocks and the widths that keep the mismatch within `distortion`."""
    halves = np.empty((n_blocks, 2), dtype=np.uint16)
    _ranges(magnitudes.view(np.uint32), labels, halves)
    low, high = np.ascontiguousarray(halves.T.astype(np.uint32) << np.uint32(16)).view(np.float32)
    counts = np.zeros((n_blocks, 1 << bits_max), dtype=np.uint32)
    _count_levels(magnitudes, labels, low, high, counts)
    bits = np.empty(n_blocks, dtype=np.int64)
    weights = _weights(magnitudes, low, high, scale)
    _fewest_bits(counts, mismatches(bits_max), weights, distortion, bits_min, bits)
    return Blocks(low, high, bits)


def levels(
    magnitudes: Floats, labels: Labels, blocks: Blocks, bits_max: int
) -> npt.NDArray[np.uint32]:
    """(K,) level of every magnitude within its block, at the block's own width."""
    out = np.empty(magnitudes.size, dtype=np.uint32)
    table = narrow(bits_max)[blocks.bits]
    _to_levels(magnitudes, labels, blocks.low, blocks.high, table, out)
    return out


@cache
def narrow(bits_max: int) -> npt.NDArray[np.uint32]:
    """(bits_max + 1, 2**bits_max) down_b(q) for every width b and level q."""
    q, top = np.arange(1 << bits_max, dtype=np.int64), (1 << bits_max) - 1
    table = [(2 * q * ((1 << b) - 1) + top) // (2 * top) for b in range(bits_max + 1)]
    return np.array(table, dtype=np.uint32)


@cache
def mismatches(bits_max: int) -> npt.NDArray[np.uint32]:
    """(bits_max + 1, 2**bits_max) |q - up_b(down_b(q))|; width 0 is never asked for."""
    q, top = np.arange(1 << bits_max, dtype=np.int64), (1 << bits_max) - 1
    out = np.zeros((bits_max + 1, q.size), dtype=np.uint32)
    for b in range(1, bits_max + 1):
        small = (1 << b) - 1
        out[b] = np.abs(q - (2 * narrow(bits_max)[b].astype(np.int64) * top + small) // (2 * small))
    return out


def _weights(magnitudes: Floats, low: Floats, high: Floats, scale: str) -> npt.NDArray[np.float64]:
    """What a block's mismatch counts for: its range over the common scale."""
    if scale == "block":
        return np.ones(low.size)
    reference = (
        float(magnitudes.max(initial=0)) if scale == "tensor" else _root_mean_square(magnitudes)
    )
    return (high - low).astype(np.float64) / max(reference, float(np.finfo(np.float64).tiny))


@helper
def _slopes(low, high, top):  # type: ignore[no-untyped-def]
    """Levels per unit of magnitude, 0 for an empty range; finite for subnormal ranges too."""
    out = np.zeros(low.size, dtype=np.float32)
    for m in range(low.size):
        span = np.float64(high[m] - low[m])
        if span > 0.0:
            out[m] = np.float32(min(np.float64(top) / span, _LARGEST_FLOAT))
    return out


@helper
def restore_blocks(halves, bits, ranges, widths):  # type: ignore[no-untyped-def]
    """Bits of low and high, and the widths; False where a block is impossible."""
    for m in range(bits.size):
        low, high = np.uint32(halves[2 * m]), np.uint32(halves[2 * m + 1])
        if not (low <= high <= np.uint32(_LARGEST_STORED) and 1 <= bits[m] <= MAX_BITS):
            return False
        ranges[0, m], ranges[1, m] = low << np.uint32(16), high << np.uint32(16)
        widths[m] = bits[m]
    return True


_restore = kernel(
    (array(U16), array(U8), array(U32, ndim=2, writable=True), array(I64, writable=True))
)(restore_blocks)


@helper
def root_mean_square(x):  # type: ignore[no-untyped-def]
    """In one fixed order, so that the last bit is the same on every machine."""
    total = 0.0
    for value in x:
        total += np.float64(value) * np.float64(value)
    return np.sqrt(total / max(x.size, 1))


_root_mean_square = kernel((array(F32),))(root_mean_square)


@helper
def find_ranges(keys, labels, halves):  # type: ignore[no-untyped-def]
    """Least and greatest magnitude of every block in 16 bits, outwards; empty blocks span 0..0."""
    lowest = np.full(halves.shape[0], np.uint32(0xFFFFFFFF), dtype=np.uint32)
    highest = np.zeros(halves.shape[0], dtype=np.uint32)
    for i in range(keys.size):
        m = labels[i]
        lowest[m] = min(lowest[m], keys[i])
        highest[m] = max(highest[m], keys[i])
    for m in range(halves.shape[0]):
        above = (highest[m] + np.uint32(0xFFFF)) >> np.uint32(16)
        halves[m, 0] = lowest[m] >> np.uint32(16) if lowest[m] <= highest[m] else 0
        halves[m, 1] = min(above, np.uint32(0x7F7F))


_ranges = kernel((array(U32), array(U8), array(U16, ndim=2, writable=True)))(find_ranges)


@helper
def find_widths(counts, mismatches, weights, distortion, bits_min, bits):  # type: ignore[no-untyped-def]
    """Sums of integers, so that their order does not matter."""
    top = counts.shape[1] - 1
    for m in range(bits.size):
        count = np.uint64(0)
        for q in range(counts.shape[1]):
            count += np.uint64(counts[m, q])
        bits[m] = mismatches.shape[0] - 1
        for b in range(bits_min, mismatches.shape[0] - 1):
            total = np.uint64(0)
            for q in range(counts.shape[1]):
                total += np.uint64(counts[m, q]) * np.uint64(mismatches[b, q])
            mean = np.float64(total) / np.float64(max(count, np.uint64(1)) * np.uint64(top))
            if mean * weights[m] <= distortion:
                bits[m] = b
                break


_fewest_bits = kernel(
    (array(U32, ndim=2), array(U32, ndim=2), array(F64), F64, I64,
     array(I64, writable=True))
)(find_widths)  # fmt: skip


@helper
def count_levels(magnitudes, labels, low, high, counts):  # type: ignore[no-untyped-def]
    """How often every level of `bits_max` occurs in every block."""
    slopes = _slopes(low, high, counts.shape[1] - 1)
    top = np.float32(counts.shape[1] - 1)
    for i in range(magnitudes.size):
        m = labels[i]
        q = min((magnitudes[i] - low[m]) * slopes[m] + np.float32(0.5), top)
        counts[m, np.int64(q)] += np.uint32(1)


_count_levels = kernel(
    (array(F32), array(U8), array(F32), array(F32), array(U32, ndim=2, writable=True))
)(count_levels)


@helper
def find_levels(magnitudes, labels, low, high, table, out):  # type: ignore[no-untyped-def]
    """The level of every magnitude at the width of its block, which `table` narrows it to."""
    slopes = _slopes(low, high, table.shape[1] - 1)
    top = np.float32(table.shape[1] - 1)
    for i in range(magnitudes.size):
        m = labels[i]
        q = min((magnitudes[i] - low[m]) * slopes[m] + np.float32(0.5), top)
        out[i] = table[m, np.int64(q)]


_to_levels = kernel(
    (array(F32), array(U8), array(F32), array(F32), array(U32, ndim=2),
     array(U32, writable=True))
)(find_levels)  # fmt: skip
