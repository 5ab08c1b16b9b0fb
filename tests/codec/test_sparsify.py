"""Asymmetric top-K against a full sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codec.stages import ranks, sparsify

finite = st.floats(-100, 100, width=32)
coarse = st.integers(-3, 3).map(float)  # many ties
arrays = hnp.arrays(np.float32, st.integers(1, 300), elements=finite | coarse)


def score(x, asymmetry):
    return np.where(x >= 0, x, -np.float32(asymmetry) * x) + np.float32(0)


@given(arrays, st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_weighted_keeps_the_largest_scores_and_the_lowest_indices(x, share, asymmetry):
    count = sparsify.budget(x.size, share)
    keep = sparsify.keep_weighted(x, count, asymmetry=asymmetry)
    s = score(x, asymmetry)
    best = np.argsort(-s, kind="stable")[: min(count, int((s > 0).sum()))]
    assert np.array_equal(np.flatnonzero(keep), np.sort(best))


@given(arrays, st.integers(0, 300), st.integers(0, 2**63 - 1))
def test_seeded_ties_change_only_which_equals_stay(x, count, seed):
    lowest = sparsify.keep_weighted(x, count).view(bool)
    seeded = sparsify.keep_weighted(x, count, seed=seed).view(bool)
    assert np.array_equal(np.sort(np.abs(x[lowest])), np.sort(np.abs(x[seeded])))
    again = sparsify.keep_weighted(x, count, seed=seed).view(bool)
    assert np.array_equal(seeded, again)


def test_seeded_ties_spread_over_the_tensor():
    keep = sparsify.keep_weighted(np.ones(10_000, dtype=np.float32), 5_000, seed=7)
    first_half = int(keep[:5_000].sum())
    assert abs(first_half - 2_500) < 4 * np.sqrt(10_000 / 16)  # hypergeometric, four sigma


@given(arrays, st.integers(0, 300), st.floats(0, 1))
def test_budget_splits_between_the_signs(x, count, asymmetry):
    keep = sparsify.keep_budget(x, count, asymmetry=asymmetry).view(bool)
    positive, negative = int((x > 0).sum()), int((x < 0).sum())
    assert int(keep.sum()) == min(count, positive + negative)
    above = int((x[keep] > 0).sum())
    wanted = min(int(np.floor(asymmetry * count + 0.5)), positive)
    assert above == min(positive, max(wanted, count - negative))
    dropped = x[~keep]
    assert above == 0 or np.all(dropped[dropped > 0] <= x[keep & (x > 0)].min())


@given(hnp.arrays(np.uint32, st.integers(2, 400), elements=st.integers(0, 2**31 - 1)), st.data())
def test_cuts_are_order_statistics(keys, data):
    wanted = data.draw(st.lists(st.integers(1, keys.size - 1), min_size=1, max_size=4))
    ordered = np.sort(keys)
    for rank, key, ties in zip(wanted, *ranks.cuts(keys, wanted), strict=True):
        assert key == ordered[rank]
        assert ties == rank - int((keys < key).sum())


@pytest.mark.parametrize(("n", "sparsity", "kept"), [(10, 0.5, 5), (10, 0.0, 10), (3, 0.5, 2)])
def test_budget_rounds_half_up(n, sparsity, kept):
    assert sparsify.budget(n, sparsity) == kept
