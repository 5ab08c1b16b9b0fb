"""Asymmetric integer quantization, sparse rows and rANS: the sister paper (arXiv 2511.11664).

    x (n,) --> q = round(x / step) + z --> (n / N, N) --> CSR of q != z --> v, c, r --> rANS
                                             ^
                                             N of fewest bits

One step and one zero point z for a chunk. The matrix is read row by row: v holds the symbols that
are not z, c their columns, r how many a row has; each stream has its own order-0 table, sent with
it. The paper reshapes so that communication and computation together are cheapest; computing takes
the same here for every N, so the divisor of n with the least estimated entropy wins.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.entropy import interleaved as streams
from codec.entropy.frequency_tables import entropy_bits
from codec.stages.scalar import Floats
from codec.stream.base import CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Reader, Writer
from codec.stream.frame import FloatCodec, Patch, require_int, sections_of
from codec.stream.kernel import I64, U32, array, kernel

MAX_COLUMNS = 16_384
_CANDIDATES = 10

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Aiq(FloatCodec):
    """bits: Q, width of the integers, 2..12. columns: N, a divisor of n; 0 searches it."""

    bits: int = 4
    columns: int = 0

    name: ClassVar[str] = "aiq"
    chain_id: ClassVar[int] = 13

    def __post_init__(self) -> None:
        super().__post_init__()
        require_int("aiq", "bits", self.bits, 2, 12)
        require_int("aiq", "columns", self.columns, 0, MAX_COLUMNS)

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Step, zero point, and the three streams."""
        step, zero = self._grid(x)
        top = (1 << self.bits) - 1
        q = np.clip(np.rint(x.astype(np.float64) / step) + zero, 0, top).astype(np.int64)
        where = np.flatnonzero(q != zero)
        columns = self._columns(where, x.size)
        rows = np.bincount(where // columns, minlength=x.size // columns)
        tables, values = streams.write([q[where], where % columns, rows])
        head = Writer().u8(self.bits).varint(zero).varint(columns).varint(where.size)
        return [
            Section("header", head.done()),
            Section("scales", Writer().f32(step).done()),
            tables,
            values,
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """(q - z) step at the places of the matrix, zeros elsewhere."""
        head, scales, tables, values = sections_of(sections, "header", "scales", "tables", "values")
        fields = Reader(head)
        top = (1 << fields.u8(12)) - 1
        zero, columns = fields.varint(top), fields.varint(patch.size)
        count = fields.varint(patch.size)
        fields.end()
        if columns == 0 or patch.size % columns:
            raise CorruptBitstreamError(f"{patch.size} elements make no rows of {columns}")
        n_rows = patch.size // columns
        q, c, r = streams.read(tables, values, (count, count, n_rows))
        where = _places(c.astype(np.int64), r.astype(np.int64), columns)
        if count and (int(q.min()) < 0 or int(q.max()) > top):
            raise CorruptBitstreamError(f"symbols must lie in 0..{top}")
        step = Reader(scales).f32()
        out = np.zeros(patch.size, dtype=np.float32)
        limit = float(np.finfo(np.float32).max)
        out[where] = np.clip((q - zero) * float(step), -limit, limit)
        return out

    def _grid(self, x: Floats) -> tuple[float, int]:
        """Step and zero point: 0 lies on the grid, so that sparse stays sparse."""
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        tiny = float(np.finfo(np.float32).tiny)
        step = float(np.float32(max((high - low) / ((1 << self.bits) - 1), tiny)))
        if not np.isfinite(step):
            step = float(np.finfo(np.float32).max)
        return step, min(round(-low / step), (1 << self.bits) - 1)

    def _columns(self, where: Integers, n: int) -> int:
        if self.columns:
            return self.columns if n % self.columns == 0 else 1
        return min(_candidates(n), key=lambda columns: position_bits(where, n, columns))


def position_bits(where: Integers, n: int, columns: int) -> float:
    """Estimated bits of the columns and the row counts of a matrix with so many columns."""
    in_column = np.zeros(columns, dtype=np.uint32)
    in_row = np.zeros(n // columns, dtype=np.uint32)
    _count(where, columns, in_column, in_row)
    return entropy_bits(in_column) + entropy_bits(np.bincount(in_row))


def _candidates(n: int) -> list[int]:
    """About ten divisors of n up to 16,384, evenly spread over the octaves."""
    divisors = [d for d in range(1, min(n, MAX_COLUMNS) + 1) if n % d == 0]
    wanted = np.unique(np.linspace(0, len(divisors) - 1, _CANDIDATES).round().astype(int))
    return [divisors[i] for i in wanted]


def _places(columns: Integers, rows: Integers, width: int) -> Integers:
    """Flat index of every symbol; CorruptBitstreamError unless columns rise within each row."""
    if (rows < 0).any() or int(rows.sum()) != columns.size:
        raise CorruptBitstreamError("row counts do not add up to the symbols")
    if columns.size and (int(columns.min()) < 0 or int(columns.max()) >= width):
        raise CorruptBitstreamError(f"columns must lie in 0..{width - 1}")
    where = np.repeat(np.arange(rows.size, dtype=np.int64), rows) * width + columns
    if (np.diff(where) <= 0).any():
        raise CorruptBitstreamError("columns must rise within their row")
    return where


@kernel((array(I64), I64, array(U32, writable=True), array(U32, writable=True)))
def _count(where, columns, in_column, in_row):  # type: ignore[no-untyped-def]
    for place in where:
        row = place // columns
        in_row[row] += np.uint32(1)
        in_column[place - row * columns] += np.uint32(1)
