"""Frequency tables: what an entropy coder believes about its symbols.

A table gives symbol s of 0..A-1 the probability freqs[s] / 2**precision. The last symbol of a table
with an escape stands for every value >= A - 1, whose distance from A - 1 travels as raw bits.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from codec.entropy import table_bits
from codec.entropy.frequencies import MAX_SYMBOLS, cut_at, fill_slots, fill_steps
from codec.entropy.table_bits import MAX_PRECISION
from codec.stream.base import CorruptBitstreamError

_PRECISIONS = {"short": (8, 10, 12), "long": (12, 15)}
_LONG = 1 << 14

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
        n_bits = table_bits.write(self.freqs, self.precision, out)
        return out[: (n_bits + 7) // 8].tobytes()


def parse(data: bytes | memoryview, *, escape: bool = False) -> tuple[Table, int]:
    """The table at the start of `data` and the number of its bytes.

    Raises CorruptBitstreamError for anything that `Table.to_bytes` does not write.
    """
    freqs = np.zeros(MAX_SYMBOLS, dtype=np.uint32)
    size, precision, n_bits = table_bits.read(np.frombuffer(data, dtype=np.uint8), freqs)
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
    wanted = (precision,) if precision else _PRECISIONS["short" if total < _LONG else "long"]
    freqs = np.empty(seen.size, dtype=np.uint32)
    chosen, _ = table_bits.choose(
        seen, np.array(wanted), freqs, np.empty(_bound(seen.size), dtype=np.uint8)
    )
    return Table(freqs=freqs, precision=int(chosen), escape=escapes > 0)


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
    table_bits.normalised(weights, precision, freqs)
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
