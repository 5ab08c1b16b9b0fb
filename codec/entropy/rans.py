"""Range asymmetric numeral systems: symbols to bytes and back, given their tables.

J. Duda (2013), "Asymmetric numeral systems", arXiv 1311.2540; interleaving after F. Giesen (2014),
"Interleaved entropy coders", arXiv 1402.3392. A lane is a state x in [2**16, 2**32) that gives and
takes 16-bit words; with symbol s in slots start..start + f - 1 of 2**p,

    encode   push a word if x >= f * 2**(32 - p);  x <- (x // f) * 2**p + x % f + start
    decode   x <- f * (x >> p) + (x & (2**p - 1)) - start;  pull a word if x < 2**16

1, 2, 4 or 8 lanes, by the number of symbols, keep the processor busy and share one run of words;
symbol i belongs to lane i mod n_lanes. Division is by reciprocal, m = ceil(2**(32 + p) / f):
x // f = x m >> (32 + p) holds since x < f 2**(32 - p), so that the error x (m f - 2**(32 + p)) / f
stays below 2**(32 + p) / f, and x m below 2**64. (32-bit reciprocals fail where f is near 2**p.)

    bytes:  lane states, 4 each | words, 2 each, in the decoder's order

The decoder takes exactly these bytes, and every lane must end where the encoder began, at 2**16.
"""

import numpy as np
import numpy.typing as npt

from codec.entropy.frequency_tables import Table
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import U16, U32, U64, array, helper, kernel

START = 1 << 16
_SPARE = 16

Symbols = npt.NDArray[np.uint16]


def n_lanes(count: int) -> int:
    """Lanes for so many symbols; each costs four bytes."""
    return 1 if count <= 1 << 10 else 2 if count <= 1 << 12 else 4 if count <= 1 << 14 else 8


def encode(symbols: Symbols, table: Table) -> bytes:
    """Code (count,) symbols; each must have a frequency above zero in the table.

    Raises ValueError for a symbol that the table cannot code.
    """
    states = np.full(n_lanes(symbols.size), START, dtype=np.uint32)
    words = np.empty(symbols.size + _SPARE, dtype=np.uint16)
    first = _encode(np.ascontiguousarray(symbols), table.steps, table.precision, states, words)
    if first < 0:
        raise ValueError(f"symbol {_find_missing(symbols, table)} has no frequency in {table!r}")
    return join(states, words[first:])


def decode(data: bytes | memoryview, count: int, table: Table) -> Symbols:
    """The (count,) symbols that `encode` coded with the same table.

    Raises CorruptBitstreamError unless `data` ends exactly where the last symbol ends and every
    lane is back at its start.
    """
    states, words = split(data, n_lanes(count))
    out = np.empty(count, dtype=np.uint16)
    if not _decode(words, table.slots, table.precision, states, out):
        raise CorruptBitstreamError("rANS stream does not end where its symbols end")
    return out


def split(
    data: bytes | memoryview, lanes: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
    """Lane states and words of a stream; the words are followed by 16 spare zeros."""
    size = len(data) - 4 * lanes
    if size < 0 or size % 2:
        raise CorruptBitstreamError(f"rANS stream of {lanes} lanes cannot have {len(data)} bytes")
    words = np.zeros(size // 2 + _SPARE, dtype="<u2")
    words.view(np.uint8)[:size] = np.frombuffer(data, dtype=np.uint8, offset=4 * lanes)
    states = np.empty(lanes, dtype="<u4")
    states.view(np.uint8)[:] = np.frombuffer(data, dtype=np.uint8, count=4 * lanes)
    return states.astype(np.uint32, copy=False), words.astype(np.uint16, copy=False)


def join(states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint16]) -> bytes:
    """The stream of these lane states and words."""
    return states.astype("<u4", copy=False).tobytes() + words.astype("<u2", copy=False).tobytes()


def _find_missing(symbols: Symbols, table: Table) -> int:
    known = np.zeros(START, dtype=np.bool_)
    known[: table.freqs.size] = table.freqs > 0
    return int(symbols[~known[symbols]][0])


@helper
def lanes_for(count):  # type: ignore[no-untyped-def]
    """`n_lanes`, in compiled loops."""
    return 1 if count <= 1 << 10 else 2 if count <= 1 << 12 else 4 if count <= 1 << 14 else 8


@helper
def _push(x, at, s, steps, p, words):  # type: ignore[no-untyped-def]
    """Put symbol s on a lane; `at` is where the words written so far begin."""
    code = steps[s, 1]
    words[at - np.uint64(1)] = np.uint16(x & np.uint64(0xFFFF))
    if x >> (np.uint64(32) - p) >= code >> np.uint64(32):
        x >>= np.uint64(16)
        at -= np.uint64(1)
    quotient = x * steps[s, 0] >> (np.uint64(32) + p)
    complement = code >> np.uint64(16) & np.uint64(0xFFFF)
    return x + quotient * complement + (code & np.uint64(0xFFFF)), at


@helper
def _pull(x, at, slots, p, words):  # type: ignore[no-untyped-def]
    """Take a symbol off a lane; `at` is the next word to be read."""
    slot = slots[x & ((np.uint64(1) << p) - np.uint64(1))]
    x = (slot >> np.uint64(32)) * (x >> p) + (slot >> np.uint64(16) & np.uint64(0xFFFF))
    word = np.uint64(words[at])
    if x < np.uint64(65536):
        x = x << np.uint64(16) | word
        at += np.uint64(1)
    return x, at, np.uint16(slot & np.uint64(0xFFFF))


@kernel((array(U16), array(U64, ndim=2), U64, array(U32, writable=True), array(U16, writable=True)))
def _encode(symbols, steps, p, states, words):  # type: ignore[no-untyped-def]
    """Fill words from their end; return the first one, or -1 for a symbol without a frequency."""
    top = np.int64(0)
    for s in symbols:
        top = max(top, np.int64(s))
    if top >= steps.shape[0]:
        return np.int64(-1)
    fine = True
    for s in range(steps.shape[0]):
        fine &= steps[s, 1] != np.uint64(0)
    if not fine:  # The table has holes: does a symbol fall into one?
        fine = True
        for s in symbols:
            fine &= steps[s, 1] != np.uint64(0)
    if not fine:
        return np.int64(-1)
    return encode_lanes(symbols, steps, p, states, words)


@helper
def encode_lanes(symbols, steps, p, states, words):  # type: ignore[no-untyped-def]
    """Fill words from their end with symbols that all have a frequency; return the first one."""
    one, lanes, at = np.uint64(1), np.uint64(states.size), np.uint64(words.size)
    i = np.uint64(symbols.size)
    rest = i % lanes if lanes >= np.uint64(4) else i
    for _ in range(rest):
        i -= one
        j = i % lanes
        x, at = _push(np.uint64(states[j]), at, symbols[i], steps, p, words)
        states[j] = np.uint32(x)
    if i == np.uint64(0):
        return np.int64(at)
    x0, x1 = np.uint64(states[0]), np.uint64(states[1])
    x2, x3 = np.uint64(states[2]), np.uint64(states[3])
    if lanes == np.uint64(4):
        while i > np.uint64(0):
            i -= np.uint64(4)
            x3, at = _push(x3, at, symbols[i + np.uint64(3)], steps, p, words)
            x2, at = _push(x2, at, symbols[i + np.uint64(2)], steps, p, words)
            x1, at = _push(x1, at, symbols[i + np.uint64(1)], steps, p, words)
            x0, at = _push(x0, at, symbols[i], steps, p, words)
    else:
        x4, x5 = np.uint64(states[4]), np.uint64(states[5])
        x6, x7 = np.uint64(states[6]), np.uint64(states[7])
        while i > np.uint64(0):
            i -= np.uint64(8)
            x7, at = _push(x7, at, symbols[i + np.uint64(7)], steps, p, words)
            x6, at = _push(x6, at, symbols[i + np.uint64(6)], steps, p, words)
            x5, at = _push(x5, at, symbols[i + np.uint64(5)], steps, p, words)
            x4, at = _push(x4, at, symbols[i + np.uint64(4)], steps, p, words)
            x3, at = _push(x3, at, symbols[i + np.uint64(3)], steps, p, words)
            x2, at = _push(x2, at, symbols[i + np.uint64(2)], steps, p, words)
            x1, at = _push(x1, at, symbols[i + np.uint64(1)], steps, p, words)
            x0, at = _push(x0, at, symbols[i], steps, p, words)
        states[4], states[5] = np.uint32(x4), np.uint32(x5)
        states[6], states[7] = np.uint32(x6), np.uint32(x7)
    states[0], states[1] = np.uint32(x0), np.uint32(x1)
    states[2], states[3] = np.uint32(x2), np.uint32(x3)
    return np.int64(at)


@kernel((array(U16), array(U64), U64, array(U32, writable=True), array(U16, writable=True)))
def _decode(words, slots, p, states, out):  # type: ignore[no-untyped-def]
    return decode_lanes(words, slots, p, states, out)


@helper
def decode_lanes(words, slots, p, states, out):  # type: ignore[no-untyped-def]
    """Fill out; False where the words end too early or too late, or a lane ends elsewhere.

    Every lane checks for the end once per round, hence the spare words behind `end`.
    """
    lanes, one = np.uint64(states.size), np.uint64(1)
    end, count = np.uint64(words.size - 16), np.uint64(out.size)
    at, i = np.uint64(0), np.uint64(0)
    for x in states:
        if x < np.uint32(65536):
            return False
    if lanes >= np.uint64(4):
        whole = count - count % lanes
        x0, x1 = np.uint64(states[0]), np.uint64(states[1])
        x2, x3 = np.uint64(states[2]), np.uint64(states[3])
        if lanes == np.uint64(4):
            while i < whole and at <= end:
                x0, at, out[i] = _pull(x0, at, slots, p, words)
                x1, at, out[i + np.uint64(1)] = _pull(x1, at, slots, p, words)
                x2, at, out[i + np.uint64(2)] = _pull(x2, at, slots, p, words)
                x3, at, out[i + np.uint64(3)] = _pull(x3, at, slots, p, words)
                i += np.uint64(4)
        else:
            x4, x5 = np.uint64(states[4]), np.uint64(states[5])
            x6, x7 = np.uint64(states[6]), np.uint64(states[7])
            while i < whole and at <= end:
                x0, at, out[i] = _pull(x0, at, slots, p, words)
                x1, at, out[i + np.uint64(1)] = _pull(x1, at, slots, p, words)
                x2, at, out[i + np.uint64(2)] = _pull(x2, at, slots, p, words)
                x3, at, out[i + np.uint64(3)] = _pull(x3, at, slots, p, words)
                x4, at, out[i + np.uint64(4)] = _pull(x4, at, slots, p, words)
                x5, at, out[i + np.uint64(5)] = _pull(x5, at, slots, p, words)
                x6, at, out[i + np.uint64(6)] = _pull(x6, at, slots, p, words)
                x7, at, out[i + np.uint64(7)] = _pull(x7, at, slots, p, words)
                i += np.uint64(8)
            states[4], states[5] = np.uint32(x4), np.uint32(x5)
            states[6], states[7] = np.uint32(x6), np.uint32(x7)
        states[0], states[1] = np.uint32(x0), np.uint32(x1)
        states[2], states[3] = np.uint32(x2), np.uint32(x3)
    while i < count and at <= end:
        j = i % lanes
        x, at, out[i] = _pull(np.uint64(states[j]), at, slots, p, words)
        states[j] = np.uint32(x)
        i += one
    home = True
    for x in states:
        home &= x == np.uint32(65536)
    return home and i == count and at == end
