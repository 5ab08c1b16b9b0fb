"""SLICER's chain (arXiv 2511.11608): filter, split, quantize each block at its own width, pack.

    x (n,) --> ATKF ----> keep (n,) ------------------------------------> positions
                 |
                 +--> |x| (K,) --> MS --> label (K,) -------------------> labels
                 |                  |
                 |                  +--> ABQ --> low, high, b of a block -> scales
                 |                        |
                 +--> sign (K,) ----------+---> level, b (+1) bits ------> values

The paper fixes the order of the stages and the knobs (sparsity, distortion, number of blocks,
asymmetry), not the formulas; every reading of ours is an option. `granularity="token"` runs the
three stages on every row of the last axis by itself, "tensor" once per chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from codec import blocks, packing, positions, quantize, sparsify
from codec.base import CodecOptionError, CorruptBitstreamError
from codec.container import Section
from codec.fields import Reader, Writer
from codec.frame import (
    FloatCodec,
    Patch,
    require_choice,
    require_int,
    require_number,
    sections_of,
)
from codec.kernel import array, kernel

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_U8, _U32, _I64, _F32 = types.uint8, types.uint32, types.int64, types.float32
_SIGNED = 0x01
_TOKEN = 0x02
_BITMAP = 0x04
_WIDTH_BITS = 4


class Row(NamedTuple):
    """What the three stages make of a row of n elements: K are kept, in M blocks."""

    keep: Bytes
    labels: Bytes
    levels: npt.NDArray[np.uint32]
    signs: Bytes
    blocks: quantize.Blocks


@dataclass(frozen=True, kw_only=True)
class Slicer(FloatCodec):
    """The chain above; defaults keep half of the elements, which suits rectified features.

    sparsity: share of elements dropped, 0..1 (below 1). asymmetry: lambda of ATKF.
    n_blocks: M. distortion: delta of ABQ, relative to `distortion_scale`.
    bits_min, bits_max: range of the widths, 1..12.
    filter_form: "weighted" or "budget". ties: "lowest" index first or "seeded" by `tie_seed`.
    block_rule: "cardinality", "width" or "lloyd". distortion_scale: "tensor", "rms" or "block".
    positions: "csr", "bitmap", or "auto" for the shorter one. granularity: "tensor" or "token".
    """

    sparsity: float = 0.5
    asymmetry: float = 1.0
    n_blocks: int = 4
    distortion: float = 0.01
    bits_min: int = 2
    bits_max: int = 8
    filter_form: str = "weighted"
    ties: str = "lowest"
    tie_seed: int = 0
    block_rule: str = "cardinality"
    distortion_scale: str = "tensor"
    positions: str = "auto"
    granularity: str = "tensor"

    name: ClassVar[str] = "slicer"
    chain_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("slicer", "sparsity", self.sparsity, 0, 1)
        if self.sparsity == 1:
            raise CodecOptionError("slicer.sparsity must be below 1, got 1")
        require_choice("slicer", "filter_form", self.filter_form, ("weighted", "budget"))
        top = 1.0 if self.filter_form == "budget" else 1e6
        require_number("slicer", "asymmetry", self.asymmetry, 0, top)
        require_int("slicer", "n_blocks", self.n_blocks, 1, blocks.MAX_BLOCKS)
        require_number("slicer", "distortion", self.distortion, 0)
        require_int("slicer", "bits_max", self.bits_max, 1, quantize.MAX_BITS)
        require_int("slicer", "bits_min", self.bits_min, 1, self.bits_max)
        require_choice("slicer", "ties", self.ties, ("lowest", "seeded"))
        require_int("slicer", "tie_seed", self.tie_seed, 0, 2**63 - 1)
        require_choice("slicer", "block_rule", self.block_rule, blocks.RULES)
        require_choice("slicer", "distortion_scale", self.distortion_scale, quantize.SCALES)
        require_choice("slicer", "positions", self.positions, ("auto", "csr", "bitmap"))
        require_choice("slicer", "granularity", self.granularity, ("tensor", "token"))

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Positions, labels, scales and values of a chunk, each bit-packed."""
        n_rows = patch.rows if self.granularity == "token" else 1
        rows = [self._row(part) for part in x.reshape(n_rows, -1)]
        keep = np.concatenate([row.keep for row in rows]).view(np.bool_)
        labels = np.concatenate([row.labels for row in rows])
        signed = any(row.signs.any() for row in rows)
        bitmap = self._prefers_bitmap(patch, labels.size)
        flags = (_SIGNED if signed else 0) | (_TOKEN if n_rows > 1 else 0)
        head = Writer().u8(flags | (_BITMAP if bitmap else 0)).u8(self.n_blocks).varint(labels.size)
        mask = keep.reshape(patch.rows, patch.cols)
        code = positions.encode_bitmap if bitmap else positions.encode_csr
        return [
            Section("header", head.done()),
            Section("positions", code(mask)),
            Section("labels", packing.pack(labels, packing.width_for(self.n_blocks - 1))),
            Section("scales", _pack_scales([row.blocks for row in rows])),
            Section("values", _pack_values(rows, self.n_blocks, signed)),
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """Kept elements at their reconstructed levels, zeros elsewhere."""
        head, where, marks, scales, values = sections_of(
            sections, "header", "positions", "labels", "scales", "values"
        )
        fields = Reader(head)
        flags, n_blocks = fields.u8(7), fields.u8()
        count = fields.varint(patch.size)
        fields.end()
        if n_blocks == 0:
            raise CorruptBitstreamError("a chunk needs a block")
        n_rows = patch.rows if flags & _TOKEN else 1
        decode = positions.decode_bitmap if flags & _BITMAP else positions.decode_csr
        keep = decode(where, patch.rows, patch.cols, count).reshape(-1).view(np.uint8)
        labels = packing.unpack(marks, count, packing.width_for(n_blocks - 1)).astype(np.uint8)
        if count and int(labels.max()) >= n_blocks:
            raise CorruptBitstreamError(f"labels must be below {n_blocks}, got {labels.max()}")
        table = _unpack_scales(scales, n_rows * n_blocks)
        return _restore(keep, labels, table, values, n_rows, bool(flags & _SIGNED))

    def _row(self, x: Floats) -> Row:
        keep = self._keep(x)
        count = int(np.count_nonzero(keep))
        magnitudes, signs = np.empty(count + 1, np.float32), np.empty(count + 1, np.uint8)
        _gather(x, keep, magnitudes, signs)
        magnitudes, signs = magnitudes[:count], signs[:count]
        labels = blocks.split(magnitudes, self.n_blocks, self.block_rule)
        fitted = quantize.fit(
            magnitudes,
            labels,
            self.n_blocks,
            distortion=self.distortion,
            bits_min=self.bits_min,
            bits_max=self.bits_max,
            scale=self.distortion_scale,
        )
        levels = quantize.levels(magnitudes, labels, fitted, self.bits_max)
        return Row(keep, labels, levels, signs, fitted)

    def _keep(self, x: Floats) -> Bytes:
        count = sparsify.budget(x.size, self.sparsity)
        seed = self.tie_seed if self.ties == "seeded" else None
        if self.filter_form == "budget":
            return sparsify.keep_budget(x, count, asymmetry=self.asymmetry, seed=seed)
        return sparsify.keep_weighted(x, count, asymmetry=self.asymmetry, seed=seed)

    def _prefers_bitmap(self, patch: Patch, count: int) -> bool:
        if self.positions != "auto":
            return self.positions == "bitmap"
        csr = positions.csr_size(patch.rows, patch.cols, count)
        return positions.bitmap_size(patch.rows, patch.cols) <= csr


def _pack_scales(fitted: list[quantize.Blocks]) -> bytes:
    """Per row and block: low and high in 16 bits each, then all widths in 4 bits each."""
    ranges = np.concatenate([part.stored() for part in fitted])
    bits = np.concatenate([part.bits for part in fitted]).astype(np.uint32)
    return ranges.astype("<u2").tobytes() + packing.pack(bits, _WIDTH_BITS)


def _unpack_scales(data: memoryview, count: int) -> quantize.Blocks:
    """All rows' blocks, one after the other; CorruptBitstreamError for impossible ones."""
    if len(data) != 4 * count + packing.packed_size(count, _WIDTH_BITS):
        raise CorruptBitstreamError(f"{count} blocks do not take {len(data)} bytes of scales")
    ranges = np.frombuffer(data[: 4 * count], dtype="<u2").reshape(count, 2)
    bits = packing.unpack(data[4 * count :], count, _WIDTH_BITS).astype(np.int64)
    if bits.min() < 1 or bits.max() > quantize.MAX_BITS:
        raise CorruptBitstreamError(f"widths must lie in 1..{quantize.MAX_BITS}")
    return quantize.Blocks.restored(ranges, bits)


def _pack_values(rows: list[Row], n_blocks: int, signed: bool) -> bytes:
    """Block after block, row after row: levels at the block's width, a sign below each."""
    counts = np.concatenate([np.bincount(row.labels, minlength=n_blocks) for row in rows])
    widths = np.concatenate([row.blocks.bits for row in rows]) + int(signed)
    values = np.empty(sum(row.levels.size for row in rows), dtype=np.uint32)
    start = 0
    for row, sizes in zip(rows, counts.reshape(len(rows), n_blocks), strict=True):
        signs = row.signs if signed else row.signs[:0]
        part = values[start : start + row.levels.size]
        _group(row.levels, signs, row.labels, np.cumsum(sizes) - sizes, part)
        start += part.size
    return packing.pack_blocks(values, counts, widths)


def _restore(
    keep: Bytes,
    labels: Bytes,
    table: quantize.Blocks,
    values: memoryview,
    n_rows: int,
    signed: bool,
) -> Floats:
    """Walk over the elements; every block is read from its own place in the values."""
    counts = np.zeros(table.bits.size, dtype=np.int64)
    row_length = keep.size // n_rows
    _count_owners(keep, labels, row_length, counts.size // n_rows, counts)
    levels = packing.unpack_blocks(values, counts, table.bits + int(signed))
    cursors = np.cumsum(counts) - counts
    out = np.empty(keep.size, dtype=np.float32)
    steps = quantize.steps(table)
    _place(keep, labels, row_length, cursors, levels, table.low, steps, signed, out)
    return out


@kernel((array(_F32), array(_U8), array(_F32, writable=True), array(_U8, writable=True)))
def _gather(x, keep, magnitudes, signs):  # type: ignore[no-untyped-def]
    """Magnitude and sign of what is kept; the spare last place takes what is not."""
    k = 0
    for i in range(x.size):
        magnitudes[k] = abs(x[i])
        signs[k] = x[i] < np.float32(0)
        k += keep[i]


@kernel(
    (array(_U32), array(_U8), array(_U8), array(_I64, writable=True), array(_U32, writable=True))
)
def _group(levels, signs, labels, cursors, out):  # type: ignore[no-untyped-def]
    """Block after block, a sign below each level; without signs if there are none."""
    if signs.size == 0:
        for k in range(levels.size):
            out[cursors[labels[k]]] = levels[k]
            cursors[labels[k]] += 1
        return
    for k in range(levels.size):
        out[cursors[labels[k]]] = levels[k] << np.uint32(1) | signs[k]
        cursors[labels[k]] += 1


@kernel((array(_U8), array(_U8), _I64, _I64, array(_I64, writable=True)))
def _count_owners(keep, labels, row_length, n_blocks, counts):  # type: ignore[no-untyped-def]
    """How many elements every block of every row holds."""
    if row_length == keep.size:
        for label in labels:
            counts[label] += 1
        return
    k = 0
    for i in range(keep.size):
        if keep[i]:
            counts[i // row_length * n_blocks + labels[k]] += 1
            k += 1


@kernel(
    (
        array(_U8),
        array(_U8),
        _I64,
        array(_I64, writable=True),
        array(_U32),
        array(_F32),
        array(_F32),
        types.boolean,
        array(_F32, writable=True),
    )
)
def _place(keep, labels, row_length, cursors, levels, low, step, signed, out):  # type: ignore[no-untyped-def]
    k = 0
    n_blocks = low.size // (keep.size // row_length)
    for row in range(keep.size // row_length):
        for i in range(row * row_length, (row + 1) * row_length):
            out[i] = np.float32(0)
            if keep[i]:
                m = row * n_blocks + labels[k]
                level = levels[cursors[m]]
                cursors[m] += 1
                k += 1
                sign = np.float32(1)
                if signed:
                    sign = np.float32(1) - np.float32(2) * np.float32(level & np.uint32(1))
                    level >>= np.uint32(1)
                out[i] = sign * (low[m] + np.float32(level) * step[m])
