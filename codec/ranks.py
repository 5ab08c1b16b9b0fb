"""Exact order statistics of non-negative floats, from a histogram of their leading bits.

The bits of a non-negative float32, read as an integer, are in the order of the numbers. Their top
11 bits (exponent and three of the fraction) sort (n,) keys into bins; only the bins that hold a
wanted rank are partitioned. Two passes over memory instead of a sort.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from codec.kernel import array, kernel

_SHIFT = 20
_BINS = 1 << (31 - _SHIFT)
_U32, _I64 = types.uint32, types.int64

Keys = npt.NDArray[np.uint32]


class Cut(NamedTuple):
    """Where a rank lies: the key of that rank, and how many equal keys lie below the rank."""

    key: int
    ties_below: int


def cuts(keys: Keys, ranks: npt.ArrayLike) -> list[Cut]:
    """For every rank r of 0 < r < n: the key at index r of the ascending order.

    `ties_below` of the keys equal to it belong to the r smallest, so that exactly r keys are
    smaller or are the first `ties_below` of the equal ones. Keys (n,) are below 2**31.
    """
    wanted = np.asarray(ranks, dtype=np.int64)
    ends = np.cumsum(_histogram(keys))
    bins = np.searchsorted(ends, wanted, side="right")
    slots, starts = np.unique(bins, return_index=False), np.zeros(_BINS, dtype=np.int64)
    members = {int(b): _members(keys, int(b)) for b in slots}
    starts[1:] = ends[:-1]
    return [_within(members[int(b)], int(r - starts[b])) for b, r in zip(bins, wanted, strict=True)]


def _within(members: Keys, rank: int) -> Cut:
    ordered = np.partition(members, rank)
    key = ordered[rank]
    return Cut(int(key), rank - int(np.count_nonzero(members < key)))


def _histogram(keys: Keys) -> npt.NDArray[np.int64]:
    lanes = np.zeros((4, _BINS), dtype=np.uint32)
    _count(keys, lanes)
    return np.asarray(lanes.sum(axis=0), dtype=np.int64)


def _members(keys: Keys, leading: int) -> Keys:
    """The keys whose leading bits are these, in their order."""
    out = np.empty(keys.size, dtype=np.uint32)
    return out[: _gather(keys, np.uint32(leading), out)]


@kernel((array(_U32), array(_U32, ndim=2, writable=True)))
def _count(keys, lanes):  # type: ignore[no-untyped-def]
    """Four interleaved histograms, since equal neighbours in one would wait for each other."""
    whole = keys.size - keys.size % 4
    for i in range(0, whole, 4):
        lanes[0, keys[i] >> np.uint32(_SHIFT)] += np.uint32(1)
        lanes[1, keys[i + 1] >> np.uint32(_SHIFT)] += np.uint32(1)
        lanes[2, keys[i + 2] >> np.uint32(_SHIFT)] += np.uint32(1)
        lanes[3, keys[i + 3] >> np.uint32(_SHIFT)] += np.uint32(1)
    for i in range(whole, keys.size):
        lanes[0, keys[i] >> np.uint32(_SHIFT)] += np.uint32(1)


@kernel((array(_U32), _U32, array(_U32, writable=True)))
def _gather(keys, leading, out):  # type: ignore[no-untyped-def]
    """Write always, advance only on a hit: no branch to mispredict."""
    count = 0
    for i in range(keys.size):
        out[count] = keys[i]
        count += keys[i] >> np.uint32(_SHIFT) == leading
    return count
