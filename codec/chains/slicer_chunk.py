"""What a chunk of `slicer` holds: its fields, its scales and its values, packed or ranged.

header     flags u8 | M u8 | varint K
positions  CSR, bitmap, entropy-coded gaps or map
packed:    labels at ceil(log2 M) bits | scales | values, block after block, row after row
rans:      scales | tables and values of M + 1 streams: labels, then every block's levels
scales     low and high of every row's blocks in 16 bits each, then all widths in 4
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy import interleaved as streams
from codec.entropy import packing
from codec.stages import placing as restore
from codec.stages import positions, quantize
from codec.stages.blocks import count, group
from codec.stream.base import CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Reader
from codec.stream.frame import Patch, sections_of

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint32]

SIGNED = 0x01
TOKEN = 0x02
BITMAP, GAPS, MAP = 0x04, 0x08, 0x10
RANS = 0x20
_ALL_FLAGS = 0x3F
_WIDTH_BITS = 4


class Row(NamedTuple):
    """What the three stages make of a row of n elements: K are kept, in M blocks."""

    keep: Bytes
    labels: Bytes
    levels: npt.NDArray[np.uint32]
    signs: Bytes
    blocks: quantize.Blocks


def read(sections: tuple[Section, ...], patch: Patch) -> Floats:
    """The values of a chunk; CorruptBitstreamError for anything that no encoder writes."""
    head = _read_head(sections, patch)
    names = ("scales", "tables") if head.rans else ("labels", "scales")
    _, where, first, second, values = sections_of(sections, "header", "positions", *names, "values")
    keep = _read_positions(where, head, patch)
    table = _unpack_scales(first if head.rans else second, head.rows * head.n_blocks)
    parse = _read_ranged if head.rans else _read_packed
    labels, owned = parse(second if head.rans else first, values, head, keep, table)
    return restore.place(keep, labels, owned, head.n_blocks)


def pack_scales(fitted: list[quantize.Blocks]) -> bytes:
    """Per row and block: low and high in 16 bits each, then all widths in 4 bits each."""
    ranges = np.concatenate([part.to_halves() for part in fitted])
    bits = np.concatenate([part.bits for part in fitted]).astype(np.uint32)
    return ranges.astype("<u2").tobytes() + packing.pack(bits, _WIDTH_BITS)


def _unpack_scales(data: memoryview, count: int) -> quantize.Blocks:
    """All rows' blocks, one after the other; CorruptBitstreamError for impossible ones."""
    if len(data) != 4 * count + packing.packed_size(count, _WIDTH_BITS):
        raise CorruptBitstreamError(f"{count} blocks do not take {len(data)} bytes of scales")
    ranges = np.frombuffer(data[: 4 * count], dtype="<u2").astype(np.uint16, copy=False)
    bits = packing.unpack_bytes(data[4 * count :], count, _WIDTH_BITS)
    return quantize.Blocks.from_halves(ranges, bits)


def pack_values(rows: list[Row], n_blocks: int, signed: bool) -> bytes:
    """Block after block, row after row: levels at the block's width, a sign below each."""
    counts = np.concatenate([np.bincount(row.labels, minlength=n_blocks) for row in rows])
    widths = np.concatenate([row.blocks.bits for row in rows]) + int(signed)
    values = np.empty(sum(row.levels.size for row in rows), dtype=np.uint32)
    start = 0
    for row, sizes in zip(rows, counts.reshape(len(rows), n_blocks), strict=True):
        signs = row.signs if signed else row.signs[:0]
        part = values[start : start + row.levels.size]
        group(row.levels, signs, row.labels, np.cumsum(sizes) - sizes, part)
        start += part.size
    return packing.pack_blocks(values, counts, widths)


def owned_values(rows: list[Row], n_blocks: int, signed: bool) -> list[Levels]:
    """Levels of every block over all rows, signs below them: what each table is made for."""
    levels = np.concatenate([row.levels for row in rows])
    labels = np.concatenate([row.labels for row in rows])
    if signed:
        levels = levels << np.uint32(1) | np.concatenate([row.signs for row in rows])
    return [levels[labels == block] for block in range(n_blocks)]


class Head(NamedTuple):
    """The fields in front of a chunk."""

    flags: int
    n_blocks: int
    kept: int
    rows: int

    @property
    def rans(self) -> bool:
        """Whether values and labels are entropy-coded."""
        return bool(self.flags & RANS)

    @property
    def signed(self) -> bool:
        """Whether a sign stands below every level."""
        return bool(self.flags & SIGNED)


def planes_of(patch: Patch) -> int:
    """Maps in a chunk of whole ones, so that rows of two maps are no neighbours."""
    if len(patch.shape) < 3 or patch.size != math.prod(patch.shape):
        return 1
    return patch.rows // patch.shape[-2]


def _read_head(sections: tuple[Section, ...], patch: Patch) -> Head:
    fields = Reader(sections[0].data if sections else b"")
    flags, n_blocks = fields.u8(_ALL_FLAGS), fields.u8()
    count = fields.varint(patch.size)
    fields.end()
    if n_blocks == 0:
        raise CorruptBitstreamError("a chunk needs a block")
    if (flags & (BITMAP | GAPS | MAP)).bit_count() > 1:
        raise CorruptBitstreamError("a chunk has one code of positions")
    return Head(flags, n_blocks, count, patch.rows if flags & TOKEN else 1)


def _read_positions(data: memoryview, head: Head, patch: Patch) -> Bytes:
    shape = (patch.rows, patch.cols, head.kept)
    if head.flags & BITMAP:
        keep = positions.decode_bitmap(data, *shape)
    elif head.flags & GAPS:
        keep = positions.decode_gaps(data, *shape)
    elif head.flags & MAP:
        keep = positions.decode_map(data, *shape, planes=planes_of(patch))
    else:
        keep = positions.decode_csr(data, *shape)
    return keep.reshape(-1).view(np.uint8)


def _read_packed(
    marks: memoryview, values: memoryview, head: Head, keep: Bytes, table: quantize.Blocks
) -> tuple[Bytes, restore.Owned]:
    """Labels (K,), and values (K,) block after block, row after row."""
    width = packing.width_for(head.n_blocks - 1)
    labels = _check_labels(packing.unpack_bytes(marks, head.kept, width), head)
    counts = _owners(keep, labels, head)
    return labels, restore.unpack(values, counts, table, signed=head.signed)


def _read_ranged(
    tables: memoryview, values: memoryview, head: Head, keep: Bytes, table: quantize.Blocks
) -> tuple[Bytes, restore.Owned]:
    """The same, row after row of one block after the other, from streams.

    The labels come first, for they tell the others' lengths.
    """
    opened = streams.Open(tables, values)
    labels = _check_labels(opened.next(head.kept), head)
    counts = _owners(keep, labels, head)
    by_block = counts.reshape(head.rows, head.n_blocks).T
    levels = np.concatenate(opened.rest(by_block.sum(axis=1).tolist()))
    tops = ((np.int64(1) << (table.bits + int(head.signed))) - 1).reshape(by_block.T.shape).T
    if (levels < 0).any() or (levels > np.repeat(tops, by_block.reshape(-1))).any():
        raise CorruptBitstreamError("a level lies beyond its block's width")
    ends = np.cumsum(by_block).reshape(by_block.shape)
    starts = np.ascontiguousarray((ends - by_block).T).reshape(-1)
    integers = levels.astype(np.uint32)
    return labels, restore.scale(integers, starts, counts, table, signed=head.signed)


def _check_labels(marks: npt.NDArray[np.integer], head: Head) -> Bytes:
    if head.kept and (int(marks.max()) >= head.n_blocks or int(marks.min()) < 0):
        raise CorruptBitstreamError(f"labels must be below {head.n_blocks}, got {marks.max()}")
    return marks.astype(np.uint8, copy=False)


def _owners(keep: Bytes, labels: Bytes, head: Head) -> npt.NDArray[np.int64]:
    """How many elements every block of every row holds: (rows * blocks,)."""
    counts = np.zeros((head.rows, head.n_blocks), dtype=np.int64)
    count(keep, labels, keep.size // head.rows, counts)
    return counts.reshape(-1)
