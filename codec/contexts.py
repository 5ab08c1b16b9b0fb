"""rANS under causal neighbours: large values lie beside large values.

A map of codes (planes, rows, cols) is read row by row. The activity of a position is

    a = 2 W + 2 N + NW + NE,  each of them min(15, magnitude >> k)

over the neighbours west, north, north-west and north-east in the same plane, zero where there is
none; `codes` are folded symbols when `signed`, so that magnitude = (code + 1) >> 1, else the code
itself. Up to nine ranges of a, chosen by the encoder, are the contexts, each with a table.
(Causal context modelling as in M. Weinberger, G. Seroussi, G. Sapiro 2000, LOCO-I / JPEG-LS.)

Every lane owns a band of consecutive rows and sees no neighbour above its band, so that lanes stay
independent; the rows left over follow the last band on its lane.

    bytes:  shift k and number of contexts, 1 | upper bounds of a, 1 each but the last | tables |
            rANS stream
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from codec import mixed, rans
from codec.base import CorruptBitstreamError
from codec.kernel import array, helper, kernel
from codec.tables import Table, fit, parse

MAX_CONTEXTS = 9
MAX_ACTIVITY = 90
_PRECISION = 12
_BINS = 16
_ROWS_A_LANE = 4
_TABLE_BITS_A_SYMBOL = 9.0

_U8, _U16, _U32, _U64 = types.uint8, types.uint16, types.uint32, types.uint64
_I64 = types.int64
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


def encode(codes: Codes, signed: bool = True) -> bytes:
    """Code a (planes, rows, cols) map of at most 2047 codes; its model travels with it."""
    planes, rows, cols = codes.shape
    flat = np.ascontiguousarray(codes, dtype=np.uint16).reshape(-1)
    if not flat.size:
        return b""
    lanes = _lanes(planes * rows, flat.size)
    shift = _shift(flat, signed)
    activity = np.empty(flat.size, dtype=np.uint8)
    _activities(flat, rows, cols, _band(planes * rows, lanes), lanes, signed, shift, activity)
    model = _fit_model(flat, activity, shift)
    marks = model.of_activity[activity]
    band = _band(planes * rows, lanes) * cols
    return model.to_bytes() + mixed.encode_strided(
        flat, marks, model.tables, lanes, (band, 1, band)
    )


def decode(
    data: bytes | memoryview, planes: int, rows: int, cols: int, *, signed: bool = True
) -> Codes:
    """The (planes, rows, cols) map that `encode` coded with the same `signed`.

    Raises CorruptBitstreamError for damaged models and for streams that end elsewhere.
    """
    out = np.zeros(planes * rows * cols, dtype=np.uint16)
    if not out.size:
        if len(data):
            raise CorruptBitstreamError("an empty map takes no bytes")
        return out.reshape(planes, rows, cols)
    model, used = parse_model(data)
    lanes = _lanes(planes * rows, out.size)
    states, words = rans.split(data[used:], lanes)
    slots = np.concatenate([table.slots for table in model.tables])
    start = model.of_activity.astype(np.uint64) << np.uint64(_PRECISION)
    band = _band(planes * rows, lanes)
    above = np.zeros((lanes, cols), dtype=np.uint8)
    if not _decode(words, slots, start, rows, cols, band, signed, model.shift, states, above, out):
        raise CorruptBitstreamError("context rANS stream does not end where its symbols end")
    return out.reshape(planes, rows, cols)


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
        if table.precision != _PRECISION:
            raise CorruptBitstreamError(f"context tables must have {_PRECISION} bits")
        tables.append(table)
        at += used
    return Model(shift, ends, tuple(tables)), at


def activities(codes: Codes, signed: bool = True, shift: int = 0) -> npt.NDArray[np.uint8]:
    """Activity 0..90 of each position of a (planes, rows, cols) map, as one lane sees it."""
    planes, rows, cols = codes.shape
    flat = np.ascontiguousarray(codes, dtype=np.uint16).reshape(-1)
    out = np.empty(flat.size, dtype=np.uint8)
    _activities(flat, rows, cols, planes * rows, 1, signed, shift, out)
    return out.reshape(codes.shape)


def _lanes(n_rows: int, count: int) -> int:
    lanes = rans.n_lanes(count)
    while lanes > 1 and n_rows < _ROWS_A_LANE * lanes:
        lanes //= 2
    return lanes


def _band(n_rows: int, lanes: int) -> int:
    return n_rows // lanes


def _shift(flat: Codes, signed: bool) -> int:
    """Halvings after which the mean magnitude is below four."""
    mean = float(flat.mean()) / (2.0 if signed else 1.0)
    return min(max(int(np.ceil(np.log2(max(mean, 1.0) / 4.0))), 0), 14)


def _fit_model(flat: Codes, activity: npt.NDArray[np.uint8], shift: int) -> Model:
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
        fit(counts[group == label].sum(axis=0, dtype=np.uint32), precision=_PRECISION)
        for label in dict.fromkeys(labels.tolist())
    )
    return Model(shift, ends, tables)


@helper
def _magnitude(code, signed, shift):  # type: ignore[no-untyped-def]
    level = (np.int64(code) + signed) >> signed >> shift
    return np.uint8(min(level, 15))


@kernel((array(_U16), _I64, _I64, _I64, _I64, _I64, _I64, array(_U8, writable=True)))
def _activities(codes, rows, cols, band, lanes, signed, shift, out):  # type: ignore[no-untyped-def]
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


@kernel((array(_U16), array(_U8), array(_U8), array(_U32, ndim=2, writable=True)))
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


@kernel((array(_U32, ndim=2), _I64, types.float64, array(_I64, writable=True)))
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


@helper
def _pull(x, at, i, west, above, slots, start, words, out, signed, shift):  # type: ignore[no-untyped-def]
    """Decode element i of a lane; `above` is 2 N + NW + NE there, `west` its left neighbour."""
    base = start[above + np.uint8(2) * west]
    slot = slots[base + (x & np.uint64(4095))]
    x = (slot >> np.uint64(32)) * (x >> np.uint64(12)) + (slot >> np.uint64(16) & np.uint64(0xFFFF))
    word = np.uint64(words[at])
    if x < np.uint64(65536):
        x = x << np.uint64(16) | word
        at += np.uint64(1)
    code = np.uint16(slot & np.uint64(0xFFFF))
    out[i] = code
    return x, at, _magnitude(code, signed, shift)


@helper
def _look_up(above, out, row, rows, cols, fresh, signed, shift):  # type: ignore[no-untyped-def]
    """Fill a lane's `above` for its next row."""
    if fresh or row % rows == 0:
        above[:] = 0
        return
    up = (row - 1) * cols
    for col in range(cols):
        total = 2 * _magnitude(out[up + col], signed, shift)
        if col > 0:
            total += _magnitude(out[up + col - 1], signed, shift)
        if col + 1 < cols:
            total += _magnitude(out[up + col + 1], signed, shift)
        above[col] = total


@kernel(
    (
        array(_U16),
        array(_U64),
        array(_U64),
        _I64,
        _I64,
        _I64,
        _I64,
        _I64,
        array(_U32, writable=True),
        array(_U8, ndim=2, writable=True),
        array(_U16, writable=True),
    )
)
def _decode(words, slots, start, rows, cols, band, signed, shift, states, above, out):  # type: ignore[no-untyped-def]
    """Advance all lanes together; False where words or lanes do not end together."""
    lanes = states.size
    end, at = np.uint64(words.size - 16), np.uint64(0)
    home = True
    for x in states:
        home &= x >= np.uint32(65536)
    if not home:
        return False
    west = np.zeros(lanes, dtype=np.uint8)
    for row in range(band):
        for j in range(lanes):
            _look_up(above[j], out, j * band + row, rows, cols, row == 0, signed, shift)
            west[j] = 0
        if lanes == 8:
            x0, x1 = np.uint64(states[0]), np.uint64(states[1])
            x2, x3 = np.uint64(states[2]), np.uint64(states[3])
            x4, x5 = np.uint64(states[4]), np.uint64(states[5])
            x6, x7 = np.uint64(states[6]), np.uint64(states[7])
            w0 = w1 = w2 = w3 = w4 = w5 = w6 = w7 = np.uint8(0)
            d, k = np.uint64(band * cols), np.uint64(row * cols)
            for c in range(np.uint64(cols)):
                if at > end:
                    return False
                i = k + c
                x0, at, w0 = _pull(
                    x0, at, i, w0, above[0, c], slots, start, words, out, signed, shift
                )
                i += d
                x1, at, w1 = _pull(
                    x1, at, i, w1, above[1, c], slots, start, words, out, signed, shift
                )
                i += d
                x2, at, w2 = _pull(
                    x2, at, i, w2, above[2, c], slots, start, words, out, signed, shift
                )
                i += d
                x3, at, w3 = _pull(
                    x3, at, i, w3, above[3, c], slots, start, words, out, signed, shift
                )
                i += d
                x4, at, w4 = _pull(
                    x4, at, i, w4, above[4, c], slots, start, words, out, signed, shift
                )
                i += d
                x5, at, w5 = _pull(
                    x5, at, i, w5, above[5, c], slots, start, words, out, signed, shift
                )
                i += d
                x6, at, w6 = _pull(
                    x6, at, i, w6, above[6, c], slots, start, words, out, signed, shift
                )
                i += d
                x7, at, w7 = _pull(
                    x7, at, i, w7, above[7, c], slots, start, words, out, signed, shift
                )
            states[0], states[1] = np.uint32(x0), np.uint32(x1)
            states[2], states[3] = np.uint32(x2), np.uint32(x3)
            states[4], states[5] = np.uint32(x4), np.uint32(x5)
            states[6], states[7] = np.uint32(x6), np.uint32(x7)
            continue
        for c in range(cols):
            if at > end:
                return False
            for j in range(lanes):
                i = np.uint64((j * band + row) * cols + c)
                x, at, west[j] = _pull(
                    np.uint64(states[j]),
                    at,
                    i,
                    west[j],
                    above[j, c],
                    slots,
                    start,
                    words,
                    out,
                    signed,
                    shift,
                )
                states[j] = np.uint32(x)
    j = lanes - 1
    for row in range(lanes * band, out.size // cols):
        _look_up(above[j], out, row, rows, cols, False, signed, shift)
        west[j] = 0
        for c in range(cols):
            if at > end:
                return False
            i = np.uint64(row * cols + c)
            x, at, west[j] = _pull(
                np.uint64(states[j]),
                at,
                i,
                west[j],
                above[j, c],
                slots,
                start,
                words,
                out,
                signed,
                shift,
            )
            states[j] = np.uint32(x)
    for x in states:
        home &= x == np.uint32(65536)
    return home and at == end
