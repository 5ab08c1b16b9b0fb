"""Exact order statistics of non-negative floats, from a histogram of their leading bits.

The bits of a non-negative float32, read as an integer, are in the order of the numbers. Their top
11 bits (exponent and three of the fraction) sort (n,) keys into bins; only the bins that hold a
wanted rank are partitioned. Two passes over memory instead of a sort.
"""

import numpy as np
import numpy.typing as npt

from codec.stream.kernel import I64, U32, array, helper, kernel

_SHIFT = 20
_BINS = 1 << (31 - _SHIFT)
_FEW = 512

Keys = npt.NDArray[np.uint32]


def cuts(keys: Keys, ranks: npt.ArrayLike) -> tuple[Keys, npt.NDArray[np.int64]]:
    """For every rank r of 0 < r < n: the key at index r of the ascending order, and its ties.

    `ties` of the keys equal to it belong to the r smallest, so that exactly r keys are smaller or
    are the first `ties` of the equal ones. Keys (n,) are below 2**31.
    """
    wanted = np.ascontiguousarray(ranks, dtype=np.int64)
    chosen = np.empty(wanted.size, dtype=np.uint32)
    ties = np.empty(wanted.size, dtype=np.int64)
    _cuts(keys, wanted, chosen, ties)
    return chosen, ties


@helper
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
    for b in range(lanes.shape[1]):
        lanes[0, b] += lanes[1, b] + lanes[2, b] + lanes[3, b]


@helper
def _gather(keys, leading, out):  # type: ignore[no-untyped-def]
    """Write always, advance only on a hit: no branch to mispredict."""
    count = 0
    for i in range(keys.size):
        out[count] = keys[i]
        count += keys[i] >> np.uint32(_SHIFT) == leading
    return count


@helper
def find_cuts(keys, ranks, chosen, ties):  # type: ignore[no-untyped-def]
    """Bin all keys; for every rank sort out the members of its bin alone. Few are just sorted."""
    if keys.size <= _FEW:
        rising = np.sort(keys)
        for r in range(ranks.size):
            chosen[r] = rising[ranks[r]]
            first = ranks[r]
            while first > 0 and rising[first - 1] == chosen[r]:
                first -= 1
            ties[r] = ranks[r] - first
        return
    lanes, room = np.zeros((4, _BINS), dtype=np.uint32), np.empty_like(keys)
    _count(keys, lanes)
    for r in range(ranks.size):
        leading, below = 0, np.int64(0)
        while below + np.int64(lanes[0, leading]) <= ranks[r]:
            below += np.int64(lanes[0, leading])
            leading += 1
        members = room[: _gather(keys, np.uint32(leading), room)]
        key = np.partition(members, ranks[r] - below)[ranks[r] - below]
        smaller = np.int64(0)
        for other in members:
            smaller += other < key
        chosen[r] = key
        ties[r] = ranks[r] - below - smaller


_cuts = kernel((array(U32), array(I64), array(U32, writable=True), array(I64, writable=True)))(
    find_cuts
)
