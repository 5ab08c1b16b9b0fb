"""Frequency tables as bits, and which frequencies are worth theirs.

On the wire: precision (4 bits), first symbol and number of symbols (Elias gamma), then for each
frequency its bit length as a signed difference from the one before (gamma) and its lower bits; a
zero frequency is followed by the length of its run (gamma). About 4 bits a symbol on activations.
"""

import math

import numpy as np

from codec.entropy.frequencies import normalise
from codec.stream.kernel import I64, U8, U32, array, helper, kernel

MAX_PRECISION = 15
_WORTHWHILE = 0.997


@helper
def _length(value):  # type: ignore[no-untyped-def]
    """Bits of an integer: 0 for 0, 1 for 1, 2 for 2 and 3."""
    n = 0
    while value > 0:
        value >>= 1
        n += 1
    return n


@helper
def put_bits(out, bit, value, width):  # type: ignore[no-untyped-def]
    """Set bits into zeros, the lowest first; where the next bit goes."""
    for k in range(width):
        out[(bit + k) >> 3] |= np.uint8(((value >> k) & 1) << ((bit + k) & 7))
    return bit + width


@helper
def _put_gamma(out, bit, value):  # type: ignore[no-untyped-def]
    """Elias gamma of value >= 1: length - 1 zeros, a one, then the bits below the highest."""
    n = _length(value) - 1
    bit = put_bits(out, bit + n, 1, 1)
    return put_bits(out, bit, value, n)


@helper
def get_bits(data, bit, width):  # type: ignore[no-untyped-def]
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
        one, bit = get_bits(data, bit, 1)
        if one:
            value, bit = get_bits(data, bit, n)
            return value | (1 << n), bit
        n += 1
    return 0, bit


@helper
def write_table(freqs, precision, out):  # type: ignore[no-untyped-def]
    """The table's bits into zeros; how many they are."""
    first = 0
    while freqs[first] == 0:
        first += 1
    bit = put_bits(out, 0, precision, 4)
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
            bit = put_bits(out, bit, freq, n - 1)
            s += 1
    return bit


@helper
def choose_table(counts, precisions, freqs, out):  # type: ignore[no-untyped-def]
    """Frequencies of the rising precision that takes the fewest bits, and the table in `out`.

    Returns that precision and the bytes of the table.
    """
    distinct = np.int64(0)
    for s in range(counts.size):
        distinct += counts[s] > 0
    floor = min(_length(distinct) + 1, MAX_PRECISION)
    best, chosen, last, size = math.inf, 0, 0, 0
    trial, room = np.empty_like(freqs), np.empty_like(out)
    for wanted in precisions:
        p = max(wanted, floor)
        if p == last:
            continue
        last = p
        room[:] = np.uint8(0)
        bits = normalise(counts, p, trial)
        n = write_table(trial, p, room)
        if bits + n < _WORTHWHILE * best:
            best, chosen, size = bits + n, p, (n + 7) >> 3
            freqs[:] = trial
            out[:size] = room[:size]
    return chosen, size


@helper
def read_table(data, freqs):  # type: ignore[no-untyped-def]
    """Fill freqs; return number of symbols (0 when damaged), precision, bits read."""
    precision, bit = get_bits(data, 0, 4)
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
            low, bit = get_bits(data, bit, n - 1)
            freqs[s] = low | (1 << (n - 1))
            total += np.int64(freqs[s])
            s += 1
        last = n
    tail, end = get_bits(data, bit, (8 - bit % 8) % 8)
    sound = total == 1 << precision and tail == 0 and end <= 8 * data.size and freqs[first - 1] > 0
    return size if sound else 0, precision, bit


write = kernel((array(U32), I64, array(U8, writable=True)))(write_table)


choose = kernel((array(U32), array(I64), array(U32, writable=True), array(U8, writable=True)))(
    choose_table
)


normalised = kernel((array(U32), I64, array(U32, writable=True)))(normalise)


read = kernel((array(U8), array(U32, writable=True)))(read_table)
