"""Threshold splitting and token-wise adaptive bits: the LLM paper (arXiv 2511.04002).

    x (rows, cols) --> |x| > threshold? --yes--> as it is -------------> values, positions (CSR)
                            |
                            no --> a row: low, high --> fewest bits --> scales, values

TS keeps the few large activations of a token apart, so that they do not stretch the range of the
others; TAB-Q then gives every token the smallest width whose mean error, relative to the token's
root mean square, stays within `distortion`. The papers' formulas are not public; these are ours.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.entropy import packing
from codec.stages import positions, scalar
from codec.stages.scalar import Floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Reader, Writer
from codec.stream.frame import (
    FloatCodec,
    Patch,
    require_choice,
    require_int,
    require_number,
    sections_of,
)
from codec.stream.kernel import F32, F64, I64, U32, array, kernel

_WIDTH_BITS = 4
_PLANES = 1
_SHORT = 48
_LARGEST_HALF = 0x7F7F
_LARGEST_FLOAT = float(np.finfo(np.float32).max)

Ranges = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TabQ(FloatCodec):
    """threshold: in root mean squares of the chunk. distortion: mean error over a token's RMS.

    bits_min, bits_max: range of the widths, 1..12. token: what has a range and a width of its own,
    "row", a row of the last axis, or "plane", the last two axes of a map (rows where there are
    none); "auto" takes rows from 48 elements on: shorter ones are lines of a map, no hidden state,
    and their 36 bits of range and width would outweigh what they save.
    """

    threshold: float = 8.0
    distortion: float = 0.05
    bits_min: int = 2
    bits_max: int = 8
    token: str = "auto"

    name: ClassVar[str] = "tabq"
    chain_id: ClassVar[int] = 14

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("tabq", "threshold", self.threshold, 0)
        require_number("tabq", "distortion", self.distortion, 0)
        require_int("tabq", "bits_max", self.bits_max, 1, 12)
        require_int("tabq", "bits_min", self.bits_min, 1, self.bits_max)
        require_choice("tabq", "token", self.token, ("auto", "row", "plane"))
        if self.threshold == 0:
            raise CodecOptionError("tabq.threshold must be positive, got 0")

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Large values apart, the others at their token's width."""
        limit = min(self.threshold * scalar.scale_of(x), _LARGEST_FLOAT)
        large = np.abs(x) > np.float32(limit)
        rows, cols = self._tokens(patch)
        rest = np.where(large, np.float32(0), x).reshape(rows, cols)
        halves, ranges = _store_ranges(rest.min(axis=1), rest.max(axis=1))
        bits = np.empty(rows, dtype=np.int64)
        levels = np.empty(x.size, dtype=np.uint32)
        _quantize(rest, ranges, self.distortion, self.bits_min, self.bits_max, bits, levels)
        values = packing.pack_blocks(levels, np.full(rows, cols), bits)
        kept = x[large].astype("<f4")
        mask = large.reshape(rows, cols)
        scales = halves.astype("<u2").tobytes() + packing.pack(bits.astype(np.uint32), _WIDTH_BITS)
        head = Writer().varint(kept.size)
        if rows != patch.rows:
            head.u8(_PLANES)
        return [
            Section("header", head.done()),
            Section("positions", positions.encode_csr(mask) if kept.size else b""),
            Section("scales", scales),
            Section("values", kept.tobytes() + values),
        ]

    def _tokens(self, patch: Patch) -> tuple[int, int]:
        """Tokens of a chunk, and elements of each."""
        short = self.token == "auto" and patch.cols < _SHORT
        return _planes(patch) if self.token == "plane" or short else (patch.rows, patch.cols)

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """low + level * step of the token, the large values in their places."""
        head, where, scales, values = sections_of(
            sections, "header", "positions", "scales", "values"
        )
        fields = Reader(head)
        count, (rows, cols) = fields.varint(patch.size), (patch.rows, patch.cols)
        if fields.remaining and fields.u8(_PLANES) == _PLANES:
            rows, cols = _planes(patch)
        fields.end()
        ranges, bits = _read_scales(scales, rows)
        if len(values) < 4 * count:
            raise CorruptBitstreamError(f"{count} large values do not lie in {len(values)} bytes")
        levels = packing.unpack_blocks(values[4 * count :], np.full(rows, cols), bits).reshape(
            rows, cols
        )
        low, high = ranges[:, :1].astype(np.float64), ranges[:, 1:].astype(np.float64)
        steps = (high - low) / ((1 << bits[:, None]) - 1)
        out = (low + levels * steps).astype(np.float32).reshape(-1)
        if count:
            large = np.frombuffer(values[: 4 * count], dtype="<f4")
            if not np.isfinite(large).all():
                raise CorruptBitstreamError("a tensor must be finite")
            out[positions.decode_csr(where, rows, cols, count).reshape(-1)] = large
        elif len(where):
            raise CorruptBitstreamError("positions without large values")
        return out


def _planes(patch: Patch) -> tuple[int, int]:
    """Maps of a chunk, and elements of each; its rows where it holds no whole maps."""
    planes, rows, cols = patch.planes
    maps = len(patch.shape) >= 3 and (rows, cols) == patch.shape[-2:]
    return (planes, rows * cols) if maps else (patch.rows, patch.cols)


def _store_ranges(low: Floats, high: Floats) -> tuple[npt.NDArray[np.uint16], Ranges]:
    """Ranges (rows, 2) as leading halves of float32, rounded outwards, and what they stand for."""
    pairs = np.stack([low, high], axis=1).astype(np.float32)
    bits = pairs.view(np.uint32).astype(np.int64)
    negative = bits >> 31 == 1
    outwards = negative == np.array([True, False])  # away from zero on this side
    halves = np.where(outwards, bits + 0xFFFF, bits) >> 16
    sign = negative.astype(np.int64) << 15
    halves = np.minimum(halves & 0x7FFF, _LARGEST_HALF) | sign
    stored = halves.astype(np.uint16)
    return stored, (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _read_scales(data: memoryview, rows: int) -> tuple[Ranges, npt.NDArray[np.int64]]:
    """Ranges and widths of all tokens; CorruptBitstreamError for impossible ones."""
    if len(data) != 4 * rows + packing.packed_size(rows, _WIDTH_BITS):
        raise CorruptBitstreamError(f"{rows} tokens do not take {len(data)} bytes of scales")
    halves = np.frombuffer(data[: 4 * rows], dtype="<u2").reshape(rows, 2)
    ranges = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if not np.isfinite(ranges).all() or (ranges[:, 0] > ranges[:, 1]).any():
        raise CorruptBitstreamError("a token's range must rise and be finite")
    bits = packing.unpack(data[4 * rows :], rows, _WIDTH_BITS).astype(np.int64)
    if bits.min() < 1 or bits.max() > 12:
        raise CorruptBitstreamError("widths must lie in 1..12")
    return ranges, bits


@kernel(
    (array(F32, ndim=2), array(F32, ndim=2), F64, I64, I64, array(I64, writable=True),
     array(U32, writable=True))
)  # fmt: skip
def _quantize(x, ranges, distortion, bits_min, bits_max, bits, levels):  # type: ignore[no-untyped-def]
    """The smallest width of every row that is within the distortion, and its levels."""
    n = x.shape[1]
    for r in range(x.shape[0]):
        energy = 0.0
        for value in x[r]:
            energy += np.float64(value) * np.float64(value)
        allowed = distortion * np.sqrt(energy * n)
        low = np.float64(ranges[r, 0])
        span = np.float64(ranges[r, 1]) - low
        for b in range(bits_min, bits_max + 1):
            top = np.float64((1 << b) - 1)
            step = span / top
            error = 0.0
            for i in range(n):
                level = np.rint((np.float64(x[r, i]) - low) / step) if step > 0 else 0.0
                level = min(max(level, 0.0), top)
                error += abs(low + level * step - np.float64(x[r, i]))
                levels[r * n + i] = np.uint32(level)
            bits[r] = b
            if error <= allowed:
                break
