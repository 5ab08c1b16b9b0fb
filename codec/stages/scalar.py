"""Entropy-coded scalar quantization: a uniform grid whose thresholds know the rate.

A magnitude v = |x| / step takes the level k that minimises (v - r_k)^2 + rdoq * bits(k), where
bits(k) = -log2 p(k), plus the sign's share for k > 0: entropy-constrained quantization (Chou,
Lookabaugh and Gray 1989) in one dimension. Because -log2 p(k) grows with k, the thresholds move up
and the cell around zero widens into a dead zone. r_k = k + offset is the centroid of what falls on
level k, sent for the first levels in 256ths of a step.

Everything is decided on a histogram of v in sixteenths of a step, so that a chunk costs two passes
over its elements whatever the number of rounds; levels from 128 on are rounded plainly.
Shapes: x (n,), bins (n,), counts (BINS,), table (BINS,), offsets (SENT,).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.stream.kernel import F32, F64, I8, I32, U16, U32, array, helper, kernel

SENT = 4
"""Centroids sent: of levels 1, 2, 3 and of all higher ones."""
FINE = 16
LEVELS = 128
BINS = FINE * LEVELS
_ROUNDS = 4
_MAX_TRIMS = 64
_SUMS = 64
TOP_LEVEL = 30_000
"""Largest level of the grid; what lies beyond travels as a float32 of its own."""

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.int32]
Bins = npt.NDArray[np.uint16]
Counts = npt.NDArray[np.uint32]


class Grid(NamedTuple):
    """Which level a fine bin takes, and where in its cell a level is reconstructed."""

    table: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int8]


def scale_of(x: Floats) -> float:
    """Root mean square of a chunk, without what one or a few elements alone would make of it.

    While the largest element holds more than half of the energy, elements above a sixteenth of it
    are left out: one wild value must not flatten all others. Positive for a chunk that is not zero.
    """
    return float(_scale(x))


def bin_chunk(x: Floats, step: float) -> tuple[Bins, Counts, int]:
    """Fine bin (n,) of every magnitude, their counts, and how many lie beyond the grid.

    A bin of BINS or more holds BINS + level, for levels of LEVELS and above.
    """
    bins = np.empty(x.size, dtype=np.uint16)
    counts = np.zeros(BINS, dtype=np.uint32)
    beyond = _bin(x, FINE / step, bins, counts)
    return bins, counts, int(beyond)


def fit(counts: Counts, rdoq: float, sign_bits: float) -> Grid:
    """The grid for a chunk whose magnitudes have these fine counts; rdoq = 0 rounds plainly."""
    table = np.empty(BINS, dtype=np.uint16)
    offsets = np.zeros(SENT, dtype=np.int8)
    _fit(counts, rdoq, sign_bits, table, offsets)
    return Grid(table, offsets)


def decide(lengths: npt.NDArray[np.float64], rdoq: float) -> npt.NDArray[np.uint16]:
    """The table (BINS,) under known bits of every level (LEVELS + 1,), signs included."""
    middle = (np.arange(BINS) + 0.5) / FINE
    nearest = (np.arange(BINS) + FINE // 2) // FINE
    choices = np.stack([np.zeros_like(nearest), np.maximum(nearest - 1, 0), nearest])
    costs = (middle - choices) ** 2 + rdoq * lengths[choices]
    best = np.take_along_axis(choices, np.argmin(costs, axis=0)[None], axis=0)[0]
    return np.maximum.accumulate(best).astype(np.uint16)


def levels(x: Floats, bins: Bins, table: npt.NDArray[np.uint16]) -> Levels:
    """Signed level of every element."""
    out = np.empty(x.size, dtype=np.int32)
    _levels(x.view(np.uint32), bins, table, out)
    return out


def reconstruct(levels: Levels, step: float, offsets: npt.NDArray[np.int8]) -> Floats:
    """sign(k) (|k| + offset) step of every level, kept inside float32."""
    out = np.empty(levels.size, dtype=np.float32)
    _reconstruct(levels, step, offsets, out)
    return out


@kernel((array(F32),))
def _scale(x):  # type: ignore[no-untyped-def]
    return trimmed_scale(x)[0]


@helper
def trimmed_scale(x):  # type: ignore[no-untyped-def]
    """`scale_of`, in compiled loops, and the largest magnitude."""
    energy, count, deviation = _sum_of_squares(x), x.size, 0.0
    highest = np.uint32(0)
    for bits in x.view(np.uint32):
        highest = max(highest, np.uint32(bits & np.uint32(0x7FFFFFFF)))
    largest = top = np.float64(np.array([highest]).view(np.float32)[0])
    for _ in range(_MAX_TRIMS):
        if top == 0.0:
            break
        deviation = np.sqrt(energy / count)
        if 2.0 * top * top <= energy:
            break
        energy, top, count = _energy_below(x, top / 16.0)
    return deviation, largest


@helper
def _sum_of_squares(x):  # type: ignore[no-untyped-def]
    """In one fixed order, of as many sums side by side as keep a processor busy."""
    sums = np.zeros(_SUMS)
    whole = x.size - x.size % _SUMS
    for start in range(0, whole, _SUMS):
        part = x[start : start + _SUMS]
        for k in range(_SUMS):
            sums[k] += np.float64(part[k]) * np.float64(part[k])
    for i in range(whole, x.size):
        sums[i - whole] += np.float64(x[i]) * np.float64(x[i])
    total = 0.0
    for k in range(min(x.size, _SUMS)):
        total += sums[k]
    return total


@helper
def _energy_below(x, limit):  # type: ignore[no-untyped-def]
    energy, top, count = 0.0, 0.0, 0
    for value in x:
        v = abs(np.float64(value))
        if v < limit and v > 0.0:
            energy += v * v
            top = max(top, v)
        count += v < limit
    return energy, top, count


@kernel((array(F32), F64, array(U16, writable=True), array(U32, writable=True)))
def _bin(x, scale, bins, counts):  # type: ignore[no-untyped-def]
    beyond = 0
    top = np.float64(FINE * TOP_LEVEL)
    for i in range(x.size):
        fine = abs(np.float64(x[i])) * scale
        beyond += fine >= top
        f = np.int64(min(fine, top))
        if f < BINS:
            bins[i] = f
            counts[f] += np.uint32(1)
        else:
            bins[i] = BINS + (f + FINE // 2) // FINE
    return beyond


@kernel((array(U32), F64, F64, array(U16, writable=True), array(I8, writable=True)))
def _fit(counts, rdoq, sign_bits, table, offsets):  # type: ignore[no-untyped-def]
    fit_grid(counts, rdoq, sign_bits, table, offsets)


@helper
def fit_grid(counts, rdoq, sign_bits, table, offsets):  # type: ignore[no-untyped-def]
    """Alternate thresholds, level counts and centroids, starting from plain rounding.

    `counts` and `table` may end with the last bin that holds anything.
    """
    for b in range(counts.size):
        table[b] = (b + FINE // 2) // FINE
    lengths = np.empty(np.int64(table[counts.size - 1]) + 1)
    for _ in range(_ROUNDS):
        _measure(counts, table, sign_bits, lengths, offsets)
        if rdoq == 0.0:
            return
        _choose(lengths, rdoq, offsets, table)
    _measure(counts, table, sign_bits, lengths, offsets)


@helper
def _measure(counts, table, sign_bits, lengths, offsets):  # type: ignore[no-untyped-def]
    """Bits of every level and centroids of the first ones, under the table."""
    share = np.zeros(lengths.size)
    mass = np.zeros(SENT + 1)
    moment = np.zeros(SENT + 1)
    total = 0.0
    for b in range(counts.size):
        weight = np.float64(counts[b])
        level = np.int64(table[b])
        group = level if level < SENT else SENT
        share[level] += weight
        total += weight
        mass[group] += weight
        moment[group] += weight * ((b + 0.5) / FINE - level)
    total += 1e-9
    for k in range(lengths.size):
        lengths[k] = -np.log2(max(share[k], 0.5) / total) + (sign_bits if k else 0.0)
    for k in range(SENT):
        mean = np.rint(256.0 * moment[k + 1] / max(mass[k + 1], 1.0))
        offsets[k] = np.int8(min(max(mean, -127.0), 127.0))


@helper
def _choose(lengths, rdoq, offsets, table):  # type: ignore[no-untyped-def]
    """The cheapest of zero, the nearest level and the one below it, for every bin."""
    least = 0
    for b in range(table.size):
        v = (b + 0.5) / FINE
        nearest = (b + FINE // 2) // FINE
        best, chosen = v * v + rdoq * lengths[0], 0
        for k in range(max(nearest - 1, 1), nearest + 1):
            r = k + offsets[min(k, SENT) - 1] / 256.0
            cost = (v - r) * (v - r) + rdoq * lengths[k]
            if cost < best:
                best, chosen = cost, k
        least = max(least, chosen)
        table[b] = least


@kernel((array(U32), array(U16), array(U16), array(I32, writable=True)))
def _levels(bits, bins, table, out):  # type: ignore[no-untyped-def]
    for i in range(bins.size):
        b = np.int64(bins[i])
        k = np.int32(table[b]) if b < BINS else np.int32(b - BINS)
        out[i] = -k if bits[i] >> np.uint32(31) else k


@kernel((array(I32), F64, array(I8), array(F32, writable=True)))
def _reconstruct(levels, step, offsets, out):  # type: ignore[no-untyped-def]
    top = 3.4028234663852886e38
    points = np.zeros(256, dtype=np.float32)
    for k in range(1, 128):
        point = min((k + offsets[min(k, SENT) - 1] / 256.0) * step, top)
        points[128 + k] = point
        points[128 - k] = -point
    rest = offsets[SENT - 1] / 256.0
    for i in range(levels.size):
        level = np.int64(levels[i])
        if -128 < level < 128:
            out[i] = points[128 + level]
        else:
            size = min((abs(np.float64(level)) + rest) * step, top)
            out[i] = size if level > 0 else -size
