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

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import types

from codec.base import CorruptBitstreamError
from codec.kernel import array, kernel

MAX_BITS = 12
SCALES = ("tensor", "rms", "block")

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_U8, _U16, _U32, _I64 = types.uint8, types.uint16, types.uint32, types.int64
_F32 = types.float32
_LARGEST_STORED = np.uint16(0x7F7F)


@dataclass(frozen=True)
class Blocks:
    """Range and width of every block: all that a decoder needs to know about them."""

    low: Floats
    high: Floats
    bits: Ints

    def stored(self) -> npt.NDArray[np.uint16]:
        """(M, 2) leading halves of low and high."""
        pairs = np.stack([self.low, self.high], axis=1)
        return (pairs.view(np.uint32) >> np.uint32(16)).astype(np.uint16)

    @classmethod
    def restored(cls, halves: npt.NDArray[np.uint16], bits: Ints) -> Blocks:
        """Blocks from (M, 2) stored halves; CorruptBitstreamError unless 0 <= low <= high."""
        if np.any(halves > _LARGEST_STORED) or np.any(halves[:, 0] > halves[:, 1]):
            raise CorruptBitstreamError("a block's range must rise from 0 and be finite")
        values = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
        low, high = np.ascontiguousarray(values.T)
        return cls(low, high, bits)


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
    low, high = _ranges(magnitudes, labels, n_blocks)
    counts = np.zeros((n_blocks, 1 << bits_max), dtype=np.uint32)
    _count_levels(magnitudes, labels, low, _slopes(low, high, (1 << bits_max) - 1), counts)
    spans = (high - low).astype(np.float64)
    weights = np.ones(n_blocks) if scale == "block" else spans / _reference(magnitudes, scale)
    bits = [
        _fewest_bits(counts[m], weights[m], distortion, bits_min, bits_max) for m in range(n_blocks)
    ]
    return Blocks(low, high, np.array(bits, dtype=np.int64))


def levels(
    magnitudes: Floats, labels: Labels, blocks: Blocks, bits_max: int
) -> npt.NDArray[np.uint32]:
    """(K,) level of every magnitude within its block, at the block's own width."""
    top = (1 << bits_max) - 1
    table = np.stack([_down(np.arange(top + 1), int(b), bits_max) for b in blocks.bits])
    out = np.empty(magnitudes.size, dtype=np.uint32)
    slopes = _slopes(blocks.low, blocks.high, top)
    _to_levels(magnitudes, labels, blocks.low, slopes, table.astype(np.uint32), out)
    return out


def steps(blocks: Blocks) -> Floats:
    """(M,) distance between two levels: (high - low) / (2**bits - 1)."""
    tops = np.maximum((np.int64(1) << blocks.bits) - 1, 1)
    return np.asarray((blocks.high - blocks.low) / tops.astype(np.float32), dtype=np.float32)


def mismatch(counts: npt.NDArray[np.uint32], bits: int, bits_max: int) -> float:
    """Mean |q - up(down(q))| / Q for a histogram (2**bits_max,) of q, by integers alone."""
    q = np.arange(counts.size, dtype=np.int64)
    back = _up(_down(q, bits, bits_max), bits, bits_max)
    total = int((counts.astype(np.int64) * np.abs(q - back)).sum())
    return total / (max(int(counts.sum()), 1) * (counts.size - 1))


def _fewest_bits(
    counts: npt.NDArray[np.uint32], weight: float, distortion: float, bits_min: int, bits_max: int
) -> int:
    for bits in range(bits_min, bits_max):
        if mismatch(counts, bits, bits_max) * weight <= distortion:
            return bits
    return bits_max


def _down(q: Ints, bits: int, bits_max: int) -> Ints:
    top, small = (1 << bits_max) - 1, (1 << bits) - 1
    return np.asarray((2 * q * small + top) // (2 * top))


def _up(p: Ints, bits: int, bits_max: int) -> Ints:
    top, small = (1 << bits_max) - 1, (1 << bits) - 1
    return np.asarray((2 * p * top + small) // (2 * small))


def _ranges(magnitudes: Floats, labels: Labels, n_blocks: int) -> tuple[Floats, Floats]:
    """Least and greatest magnitude of every block, in 16 bits; an empty block spans 0..0."""
    lowest = np.full(n_blocks, 0xFFFFFFFF, dtype=np.uint32)
    highest = np.zeros(n_blocks, dtype=np.uint32)
    _extremes(magnitudes.view(np.uint32), labels, lowest, highest)
    lowest[lowest == 0xFFFFFFFF] = 0
    halves = np.minimum((highest + np.uint32(0xFFFF)) >> np.uint32(16), _LARGEST_STORED)
    low: Floats = ((lowest >> np.uint32(16)) << np.uint32(16)).view(np.float32)
    high: Floats = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return low, high


def _slopes(low: Floats, high: Floats, top: int) -> Floats:
    """Levels per unit of magnitude, 0 for an empty range; finite for subnormal ranges too."""
    spans = (high - low).astype(np.float64)
    slopes = np.where(spans > 0, top / np.where(spans > 0, spans, 1.0), 0.0)
    return np.minimum(slopes, np.finfo(np.float32).max).astype(np.float32)


def _reference(magnitudes: Floats, scale: str) -> float:
    if scale == "tensor":
        return max(float(magnitudes.max(initial=0)), float(np.finfo(np.float64).tiny))
    wide = magnitudes.astype(np.float64)
    mean_square = float(np.dot(wide, wide)) / max(magnitudes.size, 1)
    return float(max(mean_square**0.5, np.finfo(np.float64).tiny))


@kernel((array(_U32), array(_U8), array(_U32, writable=True), array(_U32, writable=True)))
def _extremes(keys, labels, lowest, highest):  # type: ignore[no-untyped-def]
    for i in range(keys.size):
        m = labels[i]
        lowest[m] = min(lowest[m], keys[i])
        highest[m] = max(highest[m], keys[i])


@kernel((array(_F32), array(_U8), array(_F32), array(_F32), array(_U32, ndim=2, writable=True)))
def _count_levels(magnitudes, labels, low, slopes, counts):  # type: ignore[no-untyped-def]
    top = np.float32(counts.shape[1] - 1)
    for i in range(magnitudes.size):
        m = labels[i]
        q = min((magnitudes[i] - low[m]) * slopes[m] + np.float32(0.5), top)
        counts[m, np.int64(q)] += np.uint32(1)


@kernel(
    (
        array(_F32),
        array(_U8),
        array(_F32),
        array(_F32),
        array(_U32, ndim=2),
        array(_U32, writable=True),
    )
)
def _to_levels(magnitudes, labels, low, slopes, table, out):  # type: ignore[no-untyped-def]
    top = np.float32(table.shape[1] - 1)
    for i in range(magnitudes.size):
        m = labels[i]
        q = min((magnitudes[i] - low[m]) * slopes[m] + np.float32(0.5), top)
        out[i] = table[m, np.int64(q)]
