"""Activity: how large the causal neighbours of a position are, and the tables that follow from it.

The activity of a position in a map of codes (planes, rows, cols), read row by row, is

    a = 2 W + 2 N + NW + NE,  each of them min(15, magnitude >> k)

over the neighbours west, north, north-west and north-east in the same plane, zero where there is
none; codes are folded symbols when `signed`, so that magnitude = (code + 1) >> 1, else the code
itself. Up to nine ranges of a are the contexts: sixteen ranges of equal weight, merged by the bits
that it saves. (Causal context modelling as in M. Weinberger, G. Seroussi, G. Sapiro 2000, LOCO-I.)

    bytes:  shift k and number of contexts, 1 | upper bounds of a, 1 each but the last | tables
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy.frequency_tables import Table, entropy_bits, fit, parse
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import F64, I64, U8, U16, U32, array, helper, kernel

MAX_CONTEXTS = 9
MAX_ACTIVITY = 90
PRECISION = 12
_BINS, _PROBES = 16, 6
_TABLE_BITS_A_SYMBOL = 9.0

Codes = npt.NDArray[np.uint16]


class Model(NamedTuple):
    """How activities become contexts, and the table of each; `ends` are inclusive bounds."""

    shift: int
    ends: tuple[int, ...]
    tables: tuple[Table, ...]

    @property
    def of_activity(self) -> npt.NDArray[np.uint8]:
        """Context of every activity 0..90."""
        bounds = np.array(self.ends, dtype=np.int64)
        return np.searchsorted(bounds, np.arange(MAX_ACTIVITY + 1)).astype(np.uint8)

    def to_bytes(self) -> bytes:
        """Shift, bounds and tables, as `parse_model` reads them."""
        head = bytes([self.shift << 4 | len(self.tables), *self.ends])
        return head + b"".join(table.to_bytes() for table in self.tables)


def parse_model(data: bytes | memoryview) -> tuple[Model, int]:
    """The model at the start of a stream and the number of its bytes."""
    n = data[0] & 0x0F if data else 0
    if not 1 <= n <= MAX_CONTEXTS or data[0] >> 4 > 15 or len(data) < n:
        raise CorruptBitstreamError("context model is cut off or names no context")
    shift, ends, at = data[0] >> 4, tuple(data[1:n]), n
    if any(b <= a for a, b in zip((-1, *ends), ends, strict=False)) or max(ends, default=0) > 89:
        raise CorruptBitstreamError("contexts must be rising ranges of activity")
    tables = []
    for _ in range(n):
        table, used = parse(data[at:])
        if table.precision != PRECISION:
            raise CorruptBitstreamError(f"context tables must have {PRECISION} bits")
        tables.append(table)
        at += used
    return Model(shift, ends, tuple(tables)), at


def activities(codes: Codes, signed: bool = True, shift: int = 0) -> npt.NDArray[np.uint8]:
    """Activity 0..90 of each position of a (planes, rows, cols) map, as one lane sees it."""
    planes, rows, cols = codes.shape
    flat = np.ascontiguousarray(codes, dtype=np.uint16).reshape(-1)
    out = np.empty(flat.size, dtype=np.uint8)
    fill_activities(flat, rows, cols, planes * rows, 1, signed, shift, out)
    return out.reshape(codes.shape)


def shift_for(flat: Codes, signed: bool) -> int:
    """Halvings after which the mean magnitude is below four."""
    mean = float(flat.mean()) / (2.0 if signed else 1.0)
    return min(max(int(np.ceil(np.log2(max(mean, 1.0) / 4.0))), 0), 14)


def fit_model(flat: Codes, activity: npt.NDArray[np.uint8], shift: int) -> Model:
    """Sixteen ranges of equal weight, merged while a common table is cheaper than two."""
    weight = np.cumsum(np.bincount(activity, minlength=MAX_ACTIVITY + 1))
    bins = (np.maximum(weight - 1, 0) * _BINS // int(weight[-1])).astype(np.uint8)
    counts = np.zeros((_BINS, int(flat.max()) + 1), dtype=np.uint32)
    _count(flat, activity, bins, counts)
    group = np.empty(_BINS, dtype=np.int64)
    _merge(counts, MAX_CONTEXTS, _TABLE_BITS_A_SYMBOL, group)
    labels = group[bins]
    ends = tuple(int(a) for a in np.flatnonzero(np.diff(labels)))
    tables = tuple(
        fit(counts[group == label].sum(axis=0, dtype=np.uint32), precision=PRECISION)
        for label in dict.fromkeys(labels.tolist())
    )
    return Model(shift, ends, tables)


def gain(codes: Codes, signed: bool = True) -> float:
    """Share of the bits that contexts would save, tables counted; estimated, nothing is coded.

    Six ranges of activity of equal weight against one table for all.
    """
    flat = np.ascontiguousarray(codes, dtype=np.uint16).reshape(-1)
    activity = activities(codes, signed, shift_for(flat, signed)).reshape(-1)
    weight = np.cumsum(np.bincount(activity, minlength=MAX_ACTIVITY + 1))
    bins = (np.maximum(weight - 1, 0) * _PROBES // int(weight[-1])).astype(np.uint8)
    counts = np.zeros((_PROBES, int(flat.max()) + 1), dtype=np.uint32)
    _count(flat, activity, bins, counts)
    apart = sum(_bits(row) for row in counts)
    return 1.0 - apart / max(_bits(counts.sum(axis=0)), 1.0)


def _bits(counts: npt.NDArray[np.integer]) -> float:
    """Bits of symbols with these counts, and about those of their table."""
    return entropy_bits(counts) + _TABLE_BITS_A_SYMBOL * int(np.count_nonzero(counts))


@helper
def _magnitude(code, signed, shift):  # type: ignore[no-untyped-def]
    level = (np.int64(code) + signed) >> signed >> shift
    return np.uint8(min(level, 15))


@kernel((array(U16), I64, I64, I64, I64, I64, I64, array(U8, writable=True)))
def fill_activities(codes, rows, cols, band, lanes, signed, shift, out):  # type: ignore[no-untyped-def]
    """Activities as `lanes` bands of `band` rows see them: nothing above a band's first row."""
    for row in range(codes.size // max(cols, 1)):
        first = row % rows == 0 or (row % band == 0 and row // band < lanes)
        here, west = row * cols, 0
        for col in range(cols):
            total = 2 * west
            if not first:
                up = here - cols + col
                total += 2 * _magnitude(codes[up], signed, shift)
                if col > 0:
                    total += _magnitude(codes[up - 1], signed, shift)
                if col + 1 < cols:
                    total += _magnitude(codes[up + 1], signed, shift)
            out[here + col] = total
            west = _magnitude(codes[here + col], signed, shift)


@kernel((array(U16), array(U8), array(U8), array(U32, ndim=2, writable=True)))
def _count(codes, activity, bins, counts):  # type: ignore[no-untyped-def]
    for i in range(codes.size):
        counts[bins[activity[i]], codes[i]] += np.uint32(1)


@helper
def _cost(counts, group, a, b, table_bits):  # type: ignore[no-untyped-def]
    """Bits of the symbols and of the table of groups a and b together."""
    total, bits, distinct = 0.0, 0.0, 0
    for s in range(counts.shape[1]):
        count = 0.0
        for m in range(group.size):
            if group[m] == a or group[m] == b:
                count += counts[m, s]
        if count > 0:
            total += count
            distinct += 1
            bits -= count * np.log2(count)
    return bits + (total * np.log2(total) if total > 0 else 0.0) + table_bits * distinct + 16.0


@kernel((array(U32, ndim=2), I64, F64, array(I64, writable=True)))
def _merge(counts, limit, table_bits, group):  # type: ignore[no-untyped-def]
    """Merge neighbouring groups, the best saving first; group[m] names its lowest member."""
    for m in range(group.size):
        group[m] = m
    left = group.size
    while left > 1:
        best, low, high = np.inf, -1, -1
        a = 0
        alone = _cost(counts, group, 0, 0, table_bits)
        for b in range(1, group.size):
            if group[b] != b:
                continue
            other = _cost(counts, group, b, b, table_bits)
            loss = _cost(counts, group, a, b, table_bits) - alone - other
            if loss < best:
                best, low, high = loss, a, b
            a, alone = b, other
        if best > 0 and left <= limit:
            break
        for m in range(group.size):
            if group[m] == high:
                group[m] = low
        left -= 1
