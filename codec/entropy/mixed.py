"""rANS with a table per context: symbol i is coded with tables[contexts[i]].

The lanes of `entropy.rans` over symbols of several distributions in one stream, for contexts that
both sides know beforehand (variance classes of a transform, blocks of magnitudes, columns).
Symbols are split into rounds: round t codes element t * stride_t + j * stride_j on lane j, and what
is left over goes to the last lane. Interleaved elements have strides (n_lanes, 1); `contexts`
gives every lane a band of its own, strides (1, band), so that its neighbours are decoded in time.

Shapes: symbols (n,), contexts (n,), steps (sum of A, 2), slots (sum of 2**precision,); bases are
where the rows of a table begin.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from codec.entropy import rans
from codec.entropy.frequency_tables import Table
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import U8, U16, U32, U64, array, helper, kernel

_SPARE = 16
_KEPT = 4
"""Sets of tables of which the joined rows are kept: those of a calibration serve every token."""
Longs = npt.NDArray[np.uint64]
Symbols = npt.NDArray[np.uint16]
Contexts = npt.NDArray[np.uint8]


def encode(symbols: Symbols, contexts: Contexts, tables: Sequence[Table]) -> bytes:
    """Code (n,) symbols, each with the table of its context.

    Raises ValueError for a context without a table or a symbol that its table cannot code.
    """
    lanes = rans.n_lanes(symbols.size)
    return encode_strided(symbols, contexts, tables, lanes, (symbols.size // lanes, lanes, 1))


def decode(data: bytes | memoryview, contexts: Contexts, tables: Sequence[Table]) -> Symbols:
    """The (n,) symbols that `encode` coded under the same contexts and tables.

    Raises CorruptBitstreamError as `codec.entropy.rans.decode` does.
    """
    marks = _check_contexts(contexts, tables)
    states, words = rans.split(data, rans.n_lanes(marks.size))
    out = np.empty(marks.size, dtype=np.uint16)
    slots, bases, precisions = _slots_of(tuple(tables))
    if not _decode(words, marks, slots, bases, precisions, states, out):
        raise CorruptBitstreamError("rANS stream does not end where its symbols end")
    return out


def encode_strided(
    symbols: Symbols,
    contexts: Contexts,
    tables: Sequence[Table],
    lanes: int,
    rounds: tuple[int, int, int],
) -> bytes:
    """`encode` for lanes that advance by (number of rounds, stride_t, stride_j)."""
    marks = _check_contexts(contexts, tables)
    values = np.ascontiguousarray(symbols, dtype=np.uint16)
    if marks.shape != values.shape:
        raise ValueError(f"contexts must have the shape {values.shape}, got {marks.shape}")
    steps, bases, sizes, precisions = _steps_of(tuple(tables))
    bad = _first_missing(values, marks, steps, bases, sizes)
    if bad >= 0:
        raise ValueError(f"symbol {values[bad]} has no frequency in table {marks[bad]}")
    states = np.full(lanes, rans.START, dtype=np.uint32)
    words = np.empty(values.size + _SPARE, dtype=np.uint16)
    strides = np.array(rounds, dtype=np.uint64)
    first = _encode(values, marks, steps, bases, precisions, strides, states, words)
    return rans.join(states, words[first:])


@lru_cache(maxsize=_KEPT)
def _steps_of(tables: tuple[Table, ...]) -> tuple[Longs, Longs, Longs, Longs]:
    """Steps of all tables in one row, where each table begins, their sizes and precisions."""
    steps = np.concatenate([table.steps for table in tables])
    sizes = np.array([table.freqs.size for table in tables], dtype=np.uint64)
    precisions = np.array([table.precision for table in tables], dtype=np.uint64)
    return steps, np.cumsum(sizes, dtype=np.uint64) - sizes, sizes, precisions


@lru_cache(maxsize=_KEPT)
def _slots_of(tables: tuple[Table, ...]) -> tuple[Longs, Longs, Longs]:
    """Slots of all tables in one row, where each table begins, and the precisions."""
    slots = np.concatenate([table.slots for table in tables])
    sizes = np.array([table.slots.size for table in tables], dtype=np.uint64)
    precisions = np.array([table.precision for table in tables], dtype=np.uint64)
    return slots, np.cumsum(sizes, dtype=np.uint64) - sizes, precisions


def _check_contexts(contexts: Contexts, tables: Sequence[Table]) -> Contexts:
    if not 1 <= len(tables) <= 256:
        raise ValueError(f"tables must be 1..256 tables, got {len(tables)}")
    if contexts.size and int(contexts.max()) >= len(tables):
        raise ValueError(f"contexts must be below {len(tables)}, got {int(contexts.max())}")
    return np.ascontiguousarray(contexts, dtype=np.uint8)


@kernel((array(U16), array(U8), array(U64, ndim=2), array(U64), array(U64)))
def _first_missing(symbols, contexts, steps, bases, sizes):  # type: ignore[no-untyped-def]
    """Index of the first symbol that its table cannot code, or -1."""
    for i in range(symbols.size):
        s, c = np.uint64(symbols[i]), contexts[i]
        if s >= sizes[c] or steps[bases[c] + s, 1] == np.uint64(0):
            return i
    return -1


@helper
def _push(x, at, i, symbols, contexts, steps, bases, precisions, words):  # type: ignore[no-untyped-def]
    """`codec.entropy.rans._push` with the table of element i."""
    c = contexts[i]
    s, p = bases[c] + np.uint64(symbols[i]), precisions[c]
    code = steps[s, 1]
    words[at - np.uint64(1)] = np.uint16(x & np.uint64(0xFFFF))
    if x >> (np.uint64(32) - p) >= code >> np.uint64(32):
        x >>= np.uint64(16)
        at -= np.uint64(1)
    quotient = x * steps[s, 0] >> (np.uint64(32) + p)
    complement = code >> np.uint64(16) & np.uint64(0xFFFF)
    return x + quotient * complement + (code & np.uint64(0xFFFF)), at


@helper
def _pull(x, at, i, contexts, slots, bases, precisions, words, out):  # type: ignore[no-untyped-def]
    """`codec.entropy.rans._pull` with the table of element i."""
    c = contexts[i]
    p = precisions[c]
    slot = slots[bases[c] + (x & ((np.uint64(1) << p) - np.uint64(1)))]
    x = (slot >> np.uint64(32)) * (x >> p) + (slot >> np.uint64(16) & np.uint64(0xFFFF))
    word = np.uint64(words[at])
    if x < np.uint64(65536):
        x = x << np.uint64(16) | word
        at += np.uint64(1)
    out[i] = np.uint16(slot & np.uint64(0xFFFF))
    return x, at


@kernel(
    (array(U16), array(U8), array(U64, ndim=2), array(U64), array(U64), array(U64),
     array(U32, writable=True), array(U16, writable=True))
)  # fmt: skip
def _encode(symbols, contexts, steps, bases, ps, rounds, states, words):  # type: ignore[no-untyped-def]
    """Fill words from their end; return the first one."""
    one, lanes, at = np.uint64(1), np.uint64(states.size), np.uint64(words.size)
    n_rounds, dt, dj = rounds[0], rounds[1], rounds[2]
    i, last = np.uint64(symbols.size), lanes - one
    x = np.uint64(states[last])
    while i > n_rounds * lanes:
        i -= one
        x, at = _push(x, at, i, symbols, contexts, steps, bases, ps, words)
    states[last] = np.uint32(x)
    t = n_rounds
    if lanes != np.uint64(8):
        while t > np.uint64(0):
            t -= one
            j = lanes
            while j > np.uint64(0):
                j -= one
                i = t * dt + j * dj
                x = np.uint64(states[j])
                x, at = _push(x, at, i, symbols, contexts, steps, bases, ps, words)
                states[j] = np.uint32(x)
        return at
    x0, x1 = np.uint64(states[0]), np.uint64(states[1])
    x2, x3 = np.uint64(states[2]), np.uint64(states[3])
    x4, x5 = np.uint64(states[4]), np.uint64(states[5])
    x6, x7 = np.uint64(states[6]), np.uint64(states[7])
    while t > np.uint64(0):
        t -= one
        i = t * dt + np.uint64(7) * dj
        x7, at = _push(x7, at, i, symbols, contexts, steps, bases, ps, words)
        x6, at = _push(x6, at, i - dj, symbols, contexts, steps, bases, ps, words)
        i -= dj + dj
        x5, at = _push(x5, at, i, symbols, contexts, steps, bases, ps, words)
        x4, at = _push(x4, at, i - dj, symbols, contexts, steps, bases, ps, words)
        i -= dj + dj
        x3, at = _push(x3, at, i, symbols, contexts, steps, bases, ps, words)
        x2, at = _push(x2, at, i - dj, symbols, contexts, steps, bases, ps, words)
        i -= dj + dj
        x1, at = _push(x1, at, i, symbols, contexts, steps, bases, ps, words)
        x0, at = _push(x0, at, i - dj, symbols, contexts, steps, bases, ps, words)
    states[0], states[1] = np.uint32(x0), np.uint32(x1)
    states[2], states[3] = np.uint32(x2), np.uint32(x3)
    states[4], states[5] = np.uint32(x4), np.uint32(x5)
    states[6], states[7] = np.uint32(x6), np.uint32(x7)
    return at


@kernel(
    (array(U16), array(U8), array(U64), array(U64), array(U64), array(U32, writable=True),
     array(U16, writable=True))
)  # fmt: skip
def _decode(words, contexts, slots, bases, ps, states, out):  # type: ignore[no-untyped-def]
    """Interleaved lanes; False where words or lanes do not end together."""
    lanes, one = np.uint64(states.size), np.uint64(1)
    end, count = np.uint64(words.size - 16), np.uint64(out.size)
    at, i = np.uint64(0), np.uint64(0)
    whole = count - count % lanes
    home = True
    for x in states:
        home &= x >= np.uint32(65536)
    if not home:
        return False
    if lanes == np.uint64(8):
        x0, x1 = np.uint64(states[0]), np.uint64(states[1])
        x2, x3 = np.uint64(states[2]), np.uint64(states[3])
        x4, x5 = np.uint64(states[4]), np.uint64(states[5])
        x6, x7 = np.uint64(states[6]), np.uint64(states[7])
        while i < whole and at <= end:
            x0, at = _pull(x0, at, i, contexts, slots, bases, ps, words, out)
            x1, at = _pull(x1, at, i + one, contexts, slots, bases, ps, words, out)
            x2, at = _pull(x2, at, i + np.uint64(2), contexts, slots, bases, ps, words, out)
            x3, at = _pull(x3, at, i + np.uint64(3), contexts, slots, bases, ps, words, out)
            x4, at = _pull(x4, at, i + np.uint64(4), contexts, slots, bases, ps, words, out)
            x5, at = _pull(x5, at, i + np.uint64(5), contexts, slots, bases, ps, words, out)
            x6, at = _pull(x6, at, i + np.uint64(6), contexts, slots, bases, ps, words, out)
            x7, at = _pull(x7, at, i + np.uint64(7), contexts, slots, bases, ps, words, out)
            i += np.uint64(8)
        states[0], states[1] = np.uint32(x0), np.uint32(x1)
        states[2], states[3] = np.uint32(x2), np.uint32(x3)
        states[4], states[5] = np.uint32(x4), np.uint32(x5)
        states[6], states[7] = np.uint32(x6), np.uint32(x7)
    while i < count and at <= end:
        j = i % lanes if i < whole else lanes - one
        x, at = _pull(np.uint64(states[j]), at, i, contexts, slots, bases, ps, words, out)
        states[j] = np.uint32(x)
        i += one
    for x in states:
        home &= x == np.uint32(65536)
    return home and i == count and at == end
