"""Minimum to maximum in 8 or 4 bits as one writes it in numpy: what ours must not be slower than.

The stream keeps what ours keeps, its shape, range and checksum; NaN and infinity are refused.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np


def encode(x: np.ndarray, bits: int) -> bytes:
    """A stream of a float32 array of at least one element."""
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    low, high = x.min(), x.max()
    step = (high - low) / np.float32(2**bits - 1) or np.float32(1)
    levels = np.rint((x - low) / step).astype(np.uint8).reshape(-1)
    if bits == 4:
        levels = np.append(levels, np.uint8(0)) if levels.size % 2 else levels
        levels = levels[0::2] | levels[1::2] << 4
    head = struct.pack(f"<BB{x.ndim}I2f", bits, x.ndim, *x.shape, low, step)
    body = head + levels.tobytes()
    return body + struct.pack("<I", zlib.crc32(body))


def decode(data: bytes) -> np.ndarray:
    """The array of such a stream; ValueError where the checksum differs."""
    body = memoryview(data)[:-4]
    if struct.unpack("<I", data[-4:])[0] != zlib.crc32(body):
        raise ValueError("damaged")
    bits, ndim = body[0], body[1]
    *shape, low, step = struct.unpack_from(f"<{ndim}I2f", body, 2)
    levels = np.frombuffer(body[10 + 4 * ndim :], dtype=np.uint8)
    size = int(np.prod(shape))
    if bits == 4:
        pairs = np.empty((levels.size, 2), dtype=np.uint8)
        pairs[:, 0], pairs[:, 1] = levels & 15, levels >> 4
        levels = pairs.reshape(-1)[:size]
    return (levels * np.float32(step) + np.float32(low)).reshape(shape)
