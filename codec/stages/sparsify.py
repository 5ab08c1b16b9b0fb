"""Asymmetric top-K filtering (ATKF): which elements of a chunk are kept.

SLICER (arXiv 2511.11608) names the stage and its knobs, sparsity s and asymmetry lambda, not the
formula. Two readings, both keeping exactly K = min(round((1 - s) n), elements of positive score):

    weighted   score = x for x >= 0, lambda |x| for x < 0; the K largest scores stay
    budget     K+ = round(lambda K) largest positives and K - K+ largest negatives; what one side
               cannot fill goes to the other

lambda = 1 in the weighted form is plain top-K. Zeros have no score: keeping them would cost bits
and change nothing. Shapes: x (n,) float32, keep (n,) uint8 of 0 and 1.
"""

import numpy as np
import numpy.typing as npt

from codec.stages.ranks import cuts
from codec.stream.kernel import F32, I64, U8, U32, array, helper, kernel

Floats = npt.NDArray[np.float32]
Keep = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.uint32]


def budget(n: int, sparsity: float) -> int:
    """K = round((1 - s) n), half rounded up."""
    return int(np.floor((1.0 - sparsity) * n + 0.5))


def keep_weighted(
    x: Floats, count: int, *, asymmetry: float = 1.0, seed: int | None = None
) -> Keep:
    """The `count` largest scores; among equal ones the lowest indices, or random ones by seed."""
    return _largest(scores(x, asymmetry), count, seed)


def keep_budget(x: Floats, count: int, *, asymmetry: float, seed: int | None = None) -> Keep:
    """round(asymmetry * count) largest positives, the others from the largest negatives."""
    positives, negatives = scores(x, 0.0), scores(-x, 0.0)
    n_positive, n_negative = int(np.count_nonzero(positives)), int(np.count_nonzero(negatives))
    wanted = min(int(np.floor(asymmetry * count + 0.5)), n_positive)
    below = min(count - wanted, n_negative)
    above = min(count - below, n_positive)
    keep = _largest(positives, above, seed)
    keep |= _largest(negatives, below, seed)
    return keep


def scores(x: Floats, asymmetry: float) -> Keys:
    """x where it is positive, asymmetry * |x| elsewhere, as ordered integer keys."""
    out = np.empty(x.size, dtype=np.float32)
    _score(x, np.float32(asymmetry), out)
    return out.view(np.uint32)


def _largest(keys: Keys, count: int, seed: int | None) -> Keep:
    """Mark the `count` largest keys, fewer where fewer are positive."""
    count = min(count, int(np.count_nonzero(keys)))
    if count == 0:
        return np.zeros(keys.size, dtype=np.uint8)
    if count == keys.size:
        return np.ones(keys.size, dtype=np.uint8)
    thresholds, _ = cuts(keys, [keys.size - count])
    keep = np.empty(keys.size, dtype=np.uint8)
    if seed is None:
        _mark(keys, thresholds[0], count, keep)
        return keep
    above = _mark(keys, thresholds[0], 0, keep)
    ties = np.flatnonzero(keys == thresholds[0])
    order = np.argsort(_mix(ties.astype(np.uint64), seed), kind="stable")
    keep[ties[order[: count - above]]] = 1
    return keep


def _mix(index: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of index and seed: the same numbers on every machine and numpy version."""
    z = (index + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@helper
def score_into(x, asymmetry, out):  # type: ignore[no-untyped-def]
    """Adding 0 turns a negative zero into a positive one, whose bits are all zero."""
    for i in range(x.size):
        out[i] = (x[i] if x[i] >= np.float32(0) else -asymmetry * x[i]) + np.float32(0)


_score = kernel((array(F32), F32, array(F32, writable=True)))(score_into)


@helper
def mark_largest(keys, key, count, keep):  # type: ignore[no-untyped-def]
    """Mark keys above, then the first equal ones up to `count`; return how many lie above."""
    above = 0
    for i in range(keys.size):
        keep[i] = keys[i] > key
        above += keys[i] > key
    left, i = count - above, 0
    while left > 0:
        if keys[i] == key:
            keep[i] = 1
            left -= 1
        i += 1
    return above


_mark = kernel((array(U32), U32, I64, array(U8, writable=True)))(mark_largest)
