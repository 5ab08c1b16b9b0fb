"""From counts to integer frequencies, and to what the rANS kernels read of them.

Counts and frequencies are (A,) uint32; frequencies add up to 2**precision. All loops are serial
and free of library calls that differ between machines, except for logarithms in cost estimates.
"""

import math

import numpy as np

from codec.stream.kernel import I64, U32, U64, array, helper, kernel

MAX_SYMBOLS = 1 << 15


@helper
def _length(value):  # type: ignore[no-untyped-def]
    """Bits of an integer: 0 for 0, 1 for 1, 2 for 2 and 3."""
    n = 0
    while value > 0:
        value >>= 1
        n += 1
    return n


@helper
def normalise(counts, precision, freqs):  # type: ignore[no-untyped-def]
    """Integers >= 1 that sum to 2**precision, near the counts; returns the bits they cost."""
    mass, total = np.int64(1) << precision, np.int64(0)
    for s in range(counts.size):
        freqs[s] = 0
        total += np.int64(counts[s])
    changed = True
    while changed:  # Symbols whose share is below one slot get one; the others share the rest.
        changed = False
        ratio = mass / total if total > 0 else 0.0
        for s in range(counts.size):
            if counts[s] > 0 and freqs[s] == 0 and counts[s] * ratio < 1.0:
                freqs[s] = 1
                mass -= 1
                total -= np.int64(counts[s])
                changed = True
    left = mass
    for s in range(counts.size):
        if counts[s] > 0 and freqs[s] == 0:
            freqs[s] = max(np.int64(1), np.int64(counts[s] * ratio))
            left -= np.int64(freqs[s])
    low, high = 0.0, 0.0
    for s in range(counts.size):
        high = max(high, np.float64(counts[s]))
    for _ in range(60):  # The `left` largest gains counts / (freqs + 1/2) get one slot more.
        gain = 0.5 * (low + high)
        above = np.int64(0)
        for s in range(counts.size):
            above += counts[s] > gain * (freqs[s] + 0.5)
        if above > left:
            low = gain
        else:
            high = gain
        if above == left:
            break
    for cut_at in (high, low):
        for s in range(counts.size):
            if left > 0 and counts[s] > cut_at * (freqs[s] + 0.5) and counts[s] > 0:
                freqs[s] += np.uint32(1)
                left -= 1
    bits = 0.0
    for s in range(counts.size):
        if counts[s] > 0:
            bits += counts[s] * (precision - math.log2(freqs[s]))
    return bits


@helper
def best_cut(counts, largest):  # type: ignore[no-untyped-def]
    """Walk down from the largest value; weigh naming the tail against escaping it."""
    size = counts.size
    n, distinct = np.int64(0), np.int64(0)
    for s in range(size):
        n += np.int64(counts[s])
        distinct += counts[s] > 0
    forced = largest >= size or distinct > MAX_SYMBOLS // 2 - 1
    best, limit = -math.inf if forced else 0.0, size
    named, tail, gap = 0.0, np.int64(0), 0
    for s in range(size - 1, 0, -1):
        gap += 1
        if counts[s] == 0:
            continue
        count = np.int64(counts[s])
        tail += count
        distinct -= 1
        named += count * math.log2(n / count) + 3.0 + max(0.0, math.log2(4096.0 * count / n))
        named += 2.0 * math.log2(gap) + 1.0 if gap > 1 else 0.0
        gap = 0
        escaped = tail * (math.log2(n / tail) + _length(largest - s)) + 32.0
        if named - escaped > best and distinct < MAX_SYMBOLS // 2:
            best, limit = named - escaped, s
    return limit


@kernel((array(U32), I64))
def cut_at(counts, largest):  # type: ignore[no-untyped-def]
    """The value from which escaping is cheaper than naming, given the largest value."""
    return best_cut(counts, largest)


@helper
def make_steps(freqs, precision, out):  # type: ignore[no-untyped-def]
    """Reciprocal ceil(2**(32 + precision) / f), exact for every state (see `rans`)."""
    start, top = np.uint64(0), np.uint64(1) << np.uint64(precision)
    scale = np.uint64(1) << np.uint64(32 + precision)
    for s in range(freqs.size):
        freq = np.uint64(freqs[s])
        if freq == np.uint64(0):
            out[s, 0], out[s, 1] = np.uint64(0), np.uint64(0)
            continue
        out[s, 0] = (scale + freq - np.uint64(1)) // freq
        out[s, 1] = start | (top - freq) << np.uint64(16) | freq << np.uint64(32)
        start += freq


@kernel((array(U32), I64, array(U64, ndim=2, writable=True)))
def fill_steps(freqs, precision, out):  # type: ignore[no-untyped-def]
    """What the encoder reads of every symbol."""
    make_steps(freqs, precision, out)


@kernel((array(U32), array(U64, writable=True)))
def fill_slots(freqs, out):  # type: ignore[no-untyped-def]
    """What the decoder reads of every slot."""
    make_slots(freqs, out)


@helper
def make_slots(freqs, out):  # type: ignore[no-untyped-def]
    """Frequency, offset within the symbol's slots and the symbol itself, slot by slot."""
    slot = 0
    for s in range(freqs.size):
        freq = np.uint64(freqs[s])
        for offset in range(freqs[s]):
            out[slot] = freq << np.uint64(32) | np.uint64(offset) << np.uint64(16) | np.uint64(s)
            slot += 1
