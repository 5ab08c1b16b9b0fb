"""Magnitude splitting (MS): which of M blocks every kept element belongs to.

SLICER (arXiv 2511.11608) groups the survivors into blocks of equal cardinality: the i-th smallest
of K lies in block floor(i M / K), equal magnitudes in the order of their positions. Two other
rules stand beside it for the ablation: intervals of equal width, and the intervals of a scalar
Lloyd-Max quantizer (k-means in one dimension). Shapes: magnitudes (K,), labels (K,) below M.
"""

import numpy as np
import numpy.typing as npt

from codec.stages.ranks import cuts
from codec.stream.kernel import F32, I64, U8, U32, array, helper, kernel

MAX_BLOCKS = 255
RULES = ("cardinality", "width", "lloyd")
_LLOYD_ROUNDS = 50
_COMPARED = 8

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


def split(magnitudes: Floats, n_blocks: int, rule: str = "cardinality") -> Labels:
    """A label per magnitude, rising with it; at most `n_blocks` different ones."""
    if n_blocks == 1 or magnitudes.size < 2:
        return np.zeros(magnitudes.size, dtype=np.uint8)
    if rule == "cardinality":
        return _by_rank(magnitudes, n_blocks)
    edges = _even_edges if rule == "width" else _lloyd_edges
    return _by_edges(magnitudes, edges(magnitudes, n_blocks))


def _by_rank(magnitudes: Floats, n_blocks: int) -> Labels:
    """Ranks m K / M, rounded up, begin the blocks: sizes differ by one at most."""
    count = magnitudes.size
    firsts = -(-np.arange(1, n_blocks, dtype=np.int64) * count // n_blocks)
    keys, ties = cuts(magnitudes.view(np.uint32), firsts[firsts < count])
    labels = np.zeros(count, dtype=np.uint8)
    _raise_above(magnitudes.view(np.uint32), keys, ties, labels)
    return labels


def _by_edges(magnitudes: Floats, edges: npt.NDArray[np.float64]) -> Labels:
    return np.searchsorted(edges, magnitudes, side="right").astype(np.uint8)


def _even_edges(magnitudes: Floats, n_blocks: int) -> npt.NDArray[np.float64]:
    return np.linspace(float(magnitudes.min()), float(magnitudes.max()), n_blocks + 1)[1:-1]


def _lloyd_edges(magnitudes: Floats, n_blocks: int) -> npt.NDArray[np.float64]:
    """Midpoints between the means of neighbouring blocks, from equal cardinality on.

    Sums over sorted magnitudes make a round cost O(M log K). An empty block keeps its mean.
    """
    ordered = np.sort(magnitudes).astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    ends = np.arange(1, n_blocks) * ordered.size // n_blocks
    means = np.quantile(ordered, (np.arange(n_blocks) + 0.5) / n_blocks)
    for _ in range(_LLOYD_ROUNDS):
        bounds = np.concatenate(([0], ends, [ordered.size]))
        sizes = np.diff(bounds)
        means = np.where(sizes, np.diff(sums[bounds]) / np.maximum(sizes, 1), means)
        edges = (means[1:] + means[:-1]) / 2
        moved = np.searchsorted(ordered, edges)
        if np.array_equal(moved, ends):
            break
        ends = moved
    return np.asarray(edges)


@helper
def raise_labels(keys, cuts_at, ties, labels):  # type: ignore[no-untyped-def]
    """Count the cuts below every key; of the equal ones the first `ties` stay below their cut."""
    for m in range(cuts_at.size):
        key = cuts_at[m]
        for i in range(keys.size):
            labels[i] += keys[i] > key
        seen = 0
        if ties[m] == 0:
            for i in range(keys.size):
                labels[i] += keys[i] == key
        else:
            for i in range(keys.size):
                if keys[i] == key:
                    labels[i] += seen >= ties[m]
                    seen += 1


_raise_above = kernel((array(U32), array(U32), array(I64), array(U8, writable=True)))(raise_labels)


@helper
def gather_kept(x, keep, magnitudes, signs):  # type: ignore[no-untyped-def]
    """Magnitude and sign of what is kept; the spare last place takes what is not."""
    k = 0
    for i in range(x.size):
        magnitudes[k] = abs(x[i])
        signs[k] = x[i] < np.float32(0)
        k += keep[i]


gather = kernel((array(F32), array(U8), array(F32, writable=True), array(U8, writable=True)))(
    gather_kept
)


@helper
def group_levels(levels, signs, labels, cursors, out):  # type: ignore[no-untyped-def]
    """Block after block, a sign below each level; without signs if there are none."""
    if signs.size == 0:
        for k in range(levels.size):
            out[cursors[labels[k]]] = levels[k]
            cursors[labels[k]] += 1
        return
    for k in range(levels.size):
        out[cursors[labels[k]]] = levels[k] << np.uint32(1) | signs[k]
        cursors[labels[k]] += 1


group = kernel(
    (array(U32), array(U8), array(U8), array(I64, writable=True), array(U32, writable=True))
)(group_levels)


@helper
def count_owners(keep, labels, row_length, counts):  # type: ignore[no-untyped-def]
    """How many elements every block of every row holds, (rows, blocks).

    Few blocks of a single row are counted one after the other: many comparisons go at once.
    """
    n_blocks = counts.shape[1]
    if row_length == keep.size and n_blocks <= _COMPARED:
        for m in range(1, n_blocks):
            total = np.uint32(0)
            for k in range(labels.size):
                total += np.uint32(labels[k] == m)
            counts[0, m] = np.int64(total)
        counts[0, 0] = labels.size - counts[0, 1:].sum()
        return
    if row_length == keep.size:
        for k in range(labels.size):
            counts[0, labels[k]] += 1
        return
    k = 0
    for i in range(keep.size):
        if keep[i]:
            counts[i // row_length, labels[k]] += 1
            k += 1


count = kernel((array(U8), array(U8), I64, array(I64, ndim=2, writable=True)))(count_owners)
