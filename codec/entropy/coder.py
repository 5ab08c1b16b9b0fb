"""Entropy coding: integers to bytes and back, near their order-0 entropy.

    symbols int32 -> fold sign -> split off escapes -> rANS with the coder's tables -> bytes

    packed   fixed width, for input without structure
    order0   one table, fitted to the symbols and sent with them
    static   one table that both sides hold (`frequency_tables.fit_static`), nothing sent
    auto     the shortest of the above; `static` takes part where a table is given

`encode_mixed` codes every symbol with the table of its context, known to both sides; `encode_map`
finds the contexts of a map itself, from causal neighbours (`codec.entropy.contexts`). The stream
starts with a byte of coder and flags; the number of symbols is the caller's to keep. With negative
symbols present, 0, -1, 1, -2, ... are folded to 0, 1, 2, 3, ...; escapes are raw bits behind it.

    bytes:  coder and flags, 1 | [table] | [escapes: width, 1; count, 4; packed bits] | rANS stream

Decoders raise CorruptBitstreamError for anything but the bytes of an encoder, as far as a stream
without a checksum can tell: lengths, table sums, escape counts and the end of every lane must fit.
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.entropy import activity, folding, mixed, packing, rans
from codec.entropy import contexts as neighbours
from codec.entropy.frequencies import MAX_SYMBOLS
from codec.entropy.frequency_tables import Table, cut, entropy_bits, fit, parse
from codec.stream.base import CorruptBitstreamError

CODERS = ("auto", "order0", "static", "packed")
_PACKED, _ORDER0, _STATIC, _MIXED, _MAP = range(5)
_SIGNED, _ESCAPES = 0x10, 0x20
_ESCAPE_HEAD = struct.Struct("<BI")
_LIMIT = struct.Struct("<H")
_MAP_LIMIT = 2046

Integers = npt.NDArray[np.int32]


def encode(
    symbols: Integers,
    coder: str = "auto",
    table: Table | None = None,
    *,
    signed: bool | None = None,
) -> bytes:
    """Code any int32 symbols, flattened; `table` is what `static` and `auto` may use.

    `signed` says whether to fold signs: by default where a symbol is negative, and always under a
    static table, which must have been fitted to codes of the same kind (`histogram`).
    Raises ValueError for an unknown coder, `static` without a table, or a symbol that the table
    cannot code.
    """
    values = folding.flatten(symbols)
    if coder not in CODERS:
        raise ValueError(f"coder must be one of {', '.join(CODERS)}, got {coder!r}")
    if coder == "static" and table is None:
        raise ValueError("coder='static' needs a table, got None")
    if coder == "static" or (coder == "auto" and table is not None):
        assert table is not None
        known = _encode_static(values, table, signed is not False)
        own = b"" if coder == "static" else _encode_own(values, "auto", signed)
        return own if own and len(own) < len(known) else known
    return _encode_own(values, coder, signed)


def decode(data: bytes | memoryview, count: int, table: Table | None = None) -> Integers:
    """The (count,) symbols of a stream of `encode`; `table` as it was given there.

    Raises CorruptBitstreamError for damaged bytes, and where the table they need is missing.
    """
    kind, signed, escapes, at = _head(data, (_PACKED, _ORDER0, _STATIC))
    if kind == _PACKED:
        return _decode_packed(data[at:], count, signed)
    if kind == _ORDER0:
        table, used = parse(data[at:], escape=escapes)
        at += used
    elif table is None:
        raise CorruptBitstreamError("the stream needs a static table, got None")
    raws, used = _read_escapes(data[at:], count) if escapes else (np.empty(0, np.uint32), 0)
    codes = rans.decode(data[at + used :], count, table)
    limits = np.array([table.limit], dtype=np.uint32)
    return folding.join(codes, folding.SINGLE, limits, table.escape, raws, signed)


def encode_mixed(
    symbols: Integers,
    contexts: npt.NDArray[np.uint8],
    tables: Sequence[Table],
    *,
    signed: bool = False,
) -> bytes:
    """Code symbol i with tables[contexts[i]]; tables with an escape take any value.

    `signed` folds the symbols; without it none may be negative (codes folded before, say).
    """
    values, marks = (
        folding.flatten(symbols),
        np.ascontiguousarray(contexts, dtype=np.uint8).reshape(-1),
    )
    signed = _is_signed(values, signed)
    limits = np.array([t.limit if t.escape else MAX_SYMBOLS for t in tables], dtype=np.uint32)
    if marks.size != values.size or (marks.size and int(marks.max()) >= len(tables)):
        raise ValueError(f"contexts must be {values.size} numbers below {len(tables)}")
    codes, raws = folding.split(values, marks, limits, signed)
    head = bytes([_MIXED | _SIGNED * signed | _ESCAPES * bool(raws.size)])
    return head + _write_escapes(raws) + mixed.encode(codes, marks, tables)


def decode_mixed(
    data: bytes | memoryview, contexts: npt.NDArray[np.uint8], tables: Sequence[Table]
) -> Integers:
    """The (n,) symbols of `encode_mixed` under the same contexts and tables."""
    marks = np.ascontiguousarray(contexts, dtype=np.uint8).reshape(-1)
    _, signed, escapes, at = _head(data, (_MIXED,))
    raws, used = _read_escapes(data[at:], marks.size) if escapes else (np.empty(0, np.uint32), 0)
    codes = mixed.decode(data[at + used :], marks, tables)
    limits = np.array([t.limit if t.escape else rans.START for t in tables], dtype=np.uint32)
    return folding.join(codes, marks, limits, True, raws, signed)


def encode_map(symbols: Integers, *, signed: bool | None = None) -> bytes:
    """Code a (planes, rows, cols) map under contexts from its own causal neighbours.

    Worth it where large values cluster (early convolutions); `encode` is faster elsewhere.
    """
    values = folding.flatten(symbols)
    folds = _is_signed(values, signed)
    largest = folding.largest_code(values, folds)
    limit = cut(folding.counts_of(values, folds, largest), largest) if values.size else 1
    limit = min(limit, _MAP_LIMIT) if largest >= min(limit, _MAP_LIMIT) else MAX_SYMBOLS
    limits = np.array([limit], dtype=np.uint32)
    codes, raws = folding.split(values, folding.SINGLE, limits, folds)
    head = bytes([_MAP | _SIGNED * folds | _ESCAPES * bool(raws.size)])
    head += _LIMIT.pack(limit) + _write_escapes(raws) if raws.size else b""
    return head + neighbours.encode(codes.reshape(np.shape(symbols)), folds)


def decode_map(data: bytes | memoryview, planes: int, rows: int, cols: int) -> Integers:
    """The (planes, rows, cols) map of `encode_map`; raises CorruptBitstreamError."""
    _, signed, escapes, at = _head(data, (_MAP,))
    count = planes * rows * cols
    raws, limit = np.empty(0, dtype=np.uint32), MAX_SYMBOLS
    if escapes:
        if len(data) < at + _LIMIT.size:
            raise CorruptBitstreamError("escapes are cut off")
        (limit,) = _LIMIT.unpack_from(data, at)
        raws, used = _read_escapes(data[at + _LIMIT.size :], count)
        at += _LIMIT.size + used
    codes = neighbours.decode(data[at:], planes, rows, cols, signed=signed).reshape(-1)
    limits = np.array([limit], dtype=np.uint32)
    out = folding.join(codes, folding.SINGLE, limits, escapes, raws, signed)
    return out.reshape(planes, rows, cols)


def table_size(data: bytes | memoryview) -> int:
    """Bytes of the stream that hold a table; the others are values."""
    kind, _, escapes, at = _head(data, (_PACKED, _ORDER0, _STATIC, _MIXED, _MAP))
    if kind == _MAP and len(data) > at:
        at += _LIMIT.size + _read_escapes(data[at + _LIMIT.size :], 2**32)[1] if escapes else 0
        return activity.parse_model(data[at:])[1]
    return parse(data[at:], escape=escapes)[1] if kind == _ORDER0 else 0


def histogram(symbols: Integers, *, signed: bool = True) -> npt.NDArray[np.uint32]:
    """Counts of the folded symbols, as `codec.entropy.frequency_tables.fit_static` takes them."""
    values = folding.flatten(symbols)
    return folding.counts_of(values, signed, folding.largest_code(values, signed))


def _is_signed(values: Integers, wanted: bool | None) -> bool:
    negative = bool(values.size and int(values.min()) < 0)
    if negative and wanted is False:
        raise ValueError(f"symbols must be >= 0 unless signed, got {int(values.min())}")
    return negative if wanted is None else wanted


def _encode_own(values: Integers, coder: str, wanted: bool | None) -> bytes:
    """Packed, or with a table fitted to the values, whichever is asked for or estimated shorter."""
    signed = _is_signed(values, wanted)
    largest = folding.largest_code(values, signed)
    width = packing.width_for(largest)
    plain = 2 + packing.packed_size(values.size, width)
    if coder != "packed" and values.size:
        counts = folding.counts_of(values, signed, largest)
        if coder == "order0" or entropy_bits(counts) / 8 + 8 < plain:
            ranged = _encode_order0(values, counts, signed, largest)
            if coder == "order0" or len(ranged) < plain:
                return ranged
    codes = folding.fold(values, signed)
    return bytes([_PACKED | _SIGNED * signed, width]) + packing.pack(codes, width)


def _encode_order0(
    values: Integers, counts: npt.NDArray[np.uint32], signed: bool, largest: int
) -> bytes:
    limit = min(cut(counts, largest), counts.size)
    table = fit(counts[:limit], escapes=int(counts[limit:].sum(dtype=np.int64)))
    limits = np.array([limit if table.escape else MAX_SYMBOLS], dtype=np.uint32)
    codes, raws = folding.split(values, folding.SINGLE, limits, signed)
    head = bytes([_ORDER0 | _SIGNED * signed | _ESCAPES * table.escape])
    return head + table.to_bytes() + _write_escapes(raws) + rans.encode(codes, table)


def _encode_static(values: Integers, table: Table, wanted: bool) -> bytes:
    signed = _is_signed(values, wanted)
    limits = np.array([table.limit if table.escape else MAX_SYMBOLS], dtype=np.uint32)
    codes, raws = folding.split(values, folding.SINGLE, limits, signed)
    head = bytes([_STATIC | _SIGNED * signed | _ESCAPES * bool(raws.size)])
    return head + _write_escapes(raws) + rans.encode(codes, table)


def _decode_packed(data: bytes | memoryview, count: int, signed: bool) -> Integers:
    if not data or data[0] > packing.MAX_WIDTH:
        raise CorruptBitstreamError("packed symbols must state a width of 0..32 bits")
    return folding.unfold(packing.unpack(data[1:], count, int(data[0])), signed)


def _head(data: bytes | memoryview, kinds: tuple[int, ...]) -> tuple[int, bool, bool, int]:
    if not data or data[0] & ~0x37 or data[0] & 0x0F not in kinds:
        raise CorruptBitstreamError(f"entropy coder {bytes(data[:1])!r} is not known here")
    return data[0] & 0x0F, bool(data[0] & _SIGNED), bool(data[0] & _ESCAPES), 1


def _write_escapes(raws: npt.NDArray[np.uint32]) -> bytes:
    if not raws.size:
        return b""
    width = packing.width_for(int(raws.max()))
    return _ESCAPE_HEAD.pack(width, raws.size) + packing.pack(raws, width)


def _read_escapes(data: bytes | memoryview, count: int) -> tuple[npt.NDArray[np.uint32], int]:
    if len(data) < _ESCAPE_HEAD.size:
        raise CorruptBitstreamError("escapes are cut off")
    width, n = _ESCAPE_HEAD.unpack_from(data)
    stop = _ESCAPE_HEAD.size + packing.packed_size(n, width)
    if width > packing.MAX_WIDTH or not 1 <= n <= count or stop > len(data):
        raise CorruptBitstreamError(f"{n} escapes of {width} bits do not fit")
    return packing.unpack(data[_ESCAPE_HEAD.size : stop], n, width), stop
