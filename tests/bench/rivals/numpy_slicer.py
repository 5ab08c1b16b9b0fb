"""SLICER's chain in plain numpy, as one would write it from the paper: the yardstick of speed.

Same readings as `chains.slicer` at its defaults (weighted scores, equal cardinality, integer guard
on the tensor's scale, bitmap or CSR, packed), so that errors and sizes agree; a container is left
out, which favours this side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Coded(NamedTuple):
    """What would be framed: bytes by part, and the few numbers of a header."""

    positions: bytes
    labels: bytes
    values: list[bytes]
    low: Array
    high: Array
    bits: Array
    shape: tuple[int, ...]


def encode(x: Array, *, sparsity: float, n_blocks: int, distortion: float, top: int = 8) -> Coded:
    """Filter, split, quantize, pack."""
    flat = x.reshape(-1)
    keep = np.zeros(flat.size, bool)
    count = round((1 - sparsity) * flat.size)
    keep[np.argpartition(np.abs(flat), flat.size - count)[flat.size - count :]] = True
    kept = flat[keep]
    size = np.abs(kept)
    order = np.argsort(size, kind="stable")
    labels = np.empty(count, np.uint8)
    labels[order] = np.arange(count) * n_blocks // count
    low, high, bits, values = _quantize(size, kept < 0, labels, n_blocks, distortion, top)
    packed = _pack(labels, max((n_blocks - 1).bit_length(), 1))
    return Coded(np.packbits(keep).tobytes(), packed, values, low, high, bits, x.shape)


def _quantize(
    size: Array, negative: Array, labels: Array, n_blocks: int, distortion: float, top: int
) -> tuple[Array, Array, Array, list[bytes]]:
    low, high = np.empty(n_blocks, np.float32), np.empty(n_blocks, np.float32)
    bits, values = np.empty(n_blocks, np.int64), []
    levels = (1 << top) - 1
    scale = size.max()
    for block in range(n_blocks):
        mine = size[labels == block]
        low[block], high[block] = mine.min(), mine.max()
        span = max(high[block] - low[block], 1e-30)
        q = np.rint((mine - low[block]) / span * levels).astype(np.int64)
        for b in range(2, top + 1):
            small = (1 << b) - 1
            down = (2 * q * small + levels) // (2 * levels)
            up = (2 * down * levels + small) // (2 * small)
            if np.abs(q - up).mean() / levels * span / scale <= distortion:
                break
        bits[block] = b
        values.append(_pack(down << 1 | negative[labels == block], b + 1))
    return low, high, bits, values


def decode(data: Coded) -> Array:
    """The way back."""
    n = int(np.prod(data.shape))
    keep = np.unpackbits(np.frombuffer(data.positions, np.uint8), count=n).astype(bool)
    count, n_blocks = int(keep.sum()), data.low.size
    labels = _unpack(data.labels, count, max((n_blocks - 1).bit_length(), 1))
    kept = np.empty(count, np.float32)
    for block in range(n_blocks):
        mine = labels == block
        coded = _unpack(data.values[block], int(mine.sum()), int(data.bits[block]) + 1)
        step = (data.high[block] - data.low[block]) / ((1 << int(data.bits[block])) - 1)
        sign = 1 - 2 * (coded & 1).astype(np.float32)
        kept[mine] = sign * (data.low[block] + (coded >> 1).astype(np.float32) * step)
    out = np.zeros(n, np.float32)
    out[keep] = kept
    return out.reshape(data.shape)


def _pack(values: Array, width: int) -> bytes:
    planes = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(planes.astype(np.uint8)).tobytes()


def _unpack(data: bytes, count: int, width: int) -> Array:
    planes = np.unpackbits(np.frombuffer(data, np.uint8), count=count * width)
    weights = (1 << np.arange(width)).astype(np.int64)
    return planes.reshape(count, width).astype(np.int64) @ weights
