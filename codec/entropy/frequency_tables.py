"""Frequency tables: what an entropy coder believes about its symbols.

A table gives symbol s of 0..A-1 the probability freqs[s] / 2**precision. The last symbol of a table
with an escape stands for every value >= A - 1, whose distance from A - 1 travels as raw bits.

On the wire: precision (4 bits), first symbol and number of symbols (Elias gamma), then for each
frequency its bit length as a signed difference from the one before (gamma) and its lower bits; a
zero frequency is followed by the length of its run (gamma). About 4 bits a symbol on activations.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from codec.entropy.frequencies import MAX_SYMBOLS, cut_at, fill_slots, fill_steps, normalise
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import I64, U8, U32, array, helper, kernel

MAX_PRECISION = 15
_PRECISIONS = {"short": (8, 10, 12), "long": (12, 15)}
_LONG = 1 << 14
_WORTHWHILE = 0.997

Counts = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Probabilities freqs / 2**precision of the symbols 0..A-1, A <= 32768; see the module."""

    freqs: Counts
    precision: int
    escape: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.precision <= MAX_PRECISION:
            raise ValueError(
                f"table.precision must lie in 1..{MAX_PRECISION}, got {self.precision}"
            )
        if not 1 <= self.freqs.size <= MAX_SYMBOLS or self.freqs.dtype != np.uint32:
            raise ValueError(f"table.freqs must be 1..{MAX_SYMBOLS} uint32, got {self.freqs!r:.60}")
        total = int(self.freqs.sum(dtype=np.int64))
        if total != 1 << self.precision:
            raise ValueError(f"table.freqs must add up to {1 << self.precision}, got {total}")

    def __repr__(self) -> str:
        return f"Table(symbols={self.freqs.size}, precision={self.precision}, escape={self.escape})"

    @property
    def limit(self) -> int:
        """Values from here on are escaped; without an escape, the number of symbols."""
        return int(self.freqs.size) - int(self.escape)

    @cached_property
    def steps(self) -> npt.NDArray[np.uint64]:
        """What the rANS encoder reads, (A, 2): reciprocal; start, complement and frequency."""
        out = np.empty((self.freqs.size, 2), dtype=np.uint64)
        fill_steps(self.freqs, self.precision, out)
        return out

    @cached_property
    def slots(self) -> npt.NDArray[np.uint64]:
        """What the rANS decoder reads, (2**precision,): frequency, offset and symbol in 16s."""
        out = np.empty(1 << self.precision, dtype=np.uint64)
        fill_slots(self.freqs, out)
        return out

    def bits(self, counts: npt.ArrayLike) -> float:
        """Bits of symbols with these counts under the table; inf where a frequency is zero."""
        seen = np.asarray(counts, dtype=np.float64)
        used = seen > 0
        with np.errstate(divide="ignore"):
            return float(seen[used] @ (self.precision - np.log2(self.freqs[: seen.size][used])))

    def to_bytes(self) -> bytes:
        """The table without its escape flag, which the stream holds."""
        out = np.zeros(_bound(self.freqs.size), dtype=np.uint8)
        n_bits = _write(self.freqs, self.precision, out)
        return out[: (n_bits + 7) // 8].tobytes()


def parse(data: bytes | memoryview, *, escape: bool = False) -> tuple[Table, int]:
    """The table at the start of `data` and the number of its bytes.

    Raises CorruptBitstreamError for anything that `Table.to_bytes` does not write.
    """
    freqs = np.zeros(MAX_SYMBOLS, dtype=np.uint32)
    size, precision, n_bits = _read(np.frombuffer(data, dtype=np.uint8), freqs)
    if size <= 0:
        raise CorruptBitstreamError("frequency table is damaged")
    table = Table(freqs=freqs[:size].copy(), precision=precision, escape=escape)
    return table, (n_bits + 7) // 8


def fit(counts: Counts, *, escapes: int = 0, precision: int | None = None) -> Table:
    """The table with the fewest bits, its own included, for symbols with these counts.

    `escapes` > 0 appends an escape symbol that occurs so often. Frequencies are floors plus the
    increments that save most; precisions of 8, 10 and 12 bits compete on short inputs, 12 and 15
    on long ones (12 bits keep the decoder in the first-level cache), unless `precision` is given.
    """
    seen = np.ascontiguousarray(counts, dtype=np.uint32)
    if escapes:
        seen = np.append(seen, np.uint32(escapes))
    total, distinct = int(seen.sum(dtype=np.int64)), int(np.count_nonzero(seen))
    if not 1 <= distinct <= MAX_SYMBOLS // 2 or seen.size > MAX_SYMBOLS:
        raise ValueError(f"counts must name 1..{MAX_SYMBOLS // 2} symbols, got {distinct}")
    floor = min(distinct.bit_length() + 1, MAX_PRECISION)
    wanted = (precision,) if precision else _PRECISIONS["short" if total < _LONG else "long"]
    best, chosen = math.inf, None
    for p in sorted({max(p, floor) for p in wanted}):
        freqs = np.empty(seen.size, dtype=np.uint32)
        bits = normalise(seen, p, freqs)
        bits += _write(freqs, p, np.zeros(_bound(seen.size), dtype=np.uint8))
        if bits < _WORTHWHILE * best:
            best, chosen = bits, Table(freqs=freqs, precision=p, escape=escapes > 0)
    assert chosen is not None
    return chosen


def fit_static(counts: Counts, *, limit: int | None = None, precision: int = 12) -> Table:
    """A table for data yet unseen, from calibration counts: every value can be coded.

    Each symbol below `limit` (default: the highest one counted, plus one) gets a prior of half an
    occurrence (Krichevsky-Trofimov), and an escape serves the rest.
    """
    seen = np.asarray(counts, dtype=np.int64)
    top = int(np.flatnonzero(seen)[-1]) + 1 if seen.any() else 1
    size = min(top if limit is None else limit, MAX_SYMBOLS // 2)
    prior = np.ones(size + 1, dtype=np.int64)
    prior[: min(size, seen.size)] += 2 * seen[:size]
    prior[size] += 2 * int(seen[size:].sum())
    scale = max(1.0, prior.sum() / 2**31)
    weights = np.maximum(prior / scale, 1).astype(np.uint32)
    precision = min(max(precision, (size + 1).bit_length() + 1), MAX_PRECISION)
    freqs = np.empty(size + 1, dtype=np.uint32)
    normalise(weights, precision, freqs)
    return Table(freqs=freqs, precision=precision, escape=True)


def cut(counts: Counts, largest: int) -> int:
    """The value from which escaping is cheaper than naming symbols, given the largest value.

    Returns a limit such that values >= limit escape; len(counts) where none should.
    """
    return int(cut_at(counts, largest))


def _bound(size: int) -> int:
    """Bytes that no table of so many symbols exceeds: 16 + 9 + 31 bits a symbol at the worst."""
    return 7 * size + 16


def entropy_bits(counts: npt.ArrayLike) -> float:
    """Order-0 entropy of a sequence with these counts, in bits for the whole sequence."""
    seen = np.asarray(counts, dtype=np.float64)
    seen = seen[seen > 0]
    return float(seen @ (math.log2(seen.sum()) - np.log2(seen))) if seen.size else 0.0


@helper
def _length(value):  # type: ignore[no-untyped-def]
    """Bits of an integer: 0 for 0, 1 for 1, 2 for 2 and 3."""
    n = 0
    while value > 0:
        value >>= 1
        n += 1
    return n


@helper
def _put(out, bit, value, width):  # type: ignore[no-untyped-def]
    for k in range(width):
        out[(bit + k) >> 3] |= np.uint8(((value >> k) & 1) << ((bit + k) & 7))
    return bit + width


@helper
def _put_gamma(out, bit, value):  # type: ignore[no-untyped-def]
    """Elias gamma of value >= 1: length - 1 zeros, a one, then the bits below the highest."""
    n = _length(value) - 1
    bit = _put(out, bit + n, 1, 1)
    return _put(out, bit, value, n)


@helper
def _get(data, bit, width):  # type: ignore[no-untyped-def]
    """Read bits; past the end come zeros, and the caller sees the position beyond the data."""
    value = 0
    for k in range(width):
        if (bit + k) >> 3 < data.size:
            value |= ((np.int64(data[(bit + k) >> 3]) >> ((bit + k) & 7)) & 1) << k
    return value, bit + width


@helper
def _get_gamma(data, bit):  # type: ignore[no-untyped-def]
    """Read an Elias gamma code of at most 17 bits; 0 where there is none."""
    n = 0
    while n < 17:
        one, bit = _get(data, bit, 1)
        if one:
            value, bit = _get(data, bit, n)
            return value | (1 << n), bit
        n += 1
    return 0, bit


@helper
def _write_table(freqs, precision, out):  # type: ignore[no-untyped-def]
    first = 0
    while freqs[first] == 0:
        first += 1
    bit = _put(out, 0, precision, 4)
    bit = _put_gamma(out, bit, first + 1)
    bit = _put_gamma(out, bit, freqs.size - first)
    last, s = precision // 2, first
    while s < freqs.size:
        freq = np.int64(freqs[s])
        n = _length(freq)
        step = n - last
        bit = _put_gamma(out, bit, 2 * step if step > 0 else 1 - 2 * step)
        last = n
        if n == 0:
            run = 1
            while s + run < freqs.size and freqs[s + run] == 0:
                run += 1
            bit = _put_gamma(out, bit, run)
            s += run
        else:
            bit = _put(out, bit, freq, n - 1)
            s += 1
    return bit


@kernel((array(U32), I64, array(U8, writable=True)))
def _write(freqs, precision, out):  # type: ignore[no-untyped-def]
    return _write_table(freqs, precision, out)


@kernel((array(U8), array(U32, writable=True)))
def _read(data, freqs):  # type: ignore[no-untyped-def]
    """Fill freqs; return number of symbols (0 when damaged), precision, bits read."""
    precision, bit = _get(data, 0, 4)
    first, bit = _get_gamma(data, bit)
    count, bit = _get_gamma(data, bit)
    size = first - 1 + count
    if precision < 1 or first < 1 or count < 1 or size > freqs.size:
        return 0, precision, bit
    last, s, total = precision // 2, first - 1, np.int64(0)
    while s < size:
        code, bit = _get_gamma(data, bit)
        n = last + (code >> 1 if code & 1 == 0 else -(code >> 1))
        if code == 0 or n < 0 or n > precision + 1 or bit > 8 * data.size:
            return 0, precision, bit
        if n == 0:
            run, bit = _get_gamma(data, bit)
            if run < 1 or s + run > size or (last == 0 and s > first - 1):
                return 0, precision, bit
            s += run
        else:
            low, bit = _get(data, bit, n - 1)
            freqs[s] = low | (1 << (n - 1))
            total += np.int64(freqs[s])
            s += 1
        last = n
    tail, end = _get(data, bit, (8 - bit % 8) % 8)
    sound = total == 1 << precision and tail == 0 and end <= 8 * data.size and freqs[first - 1] > 0
    return size if sound else 0, precision, bit
