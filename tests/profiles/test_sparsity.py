"""Masks of constant degrees: what they promise, for any layer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiles.schemes import kernels, sparsity

WIDTHS = st.sampled_from((4, 6, 8, 10, 12, 40))


@given(WIDTHS, WIDTHS, st.integers(1, 40), st.integers(0, 5))
def test_every_degree_is_the_same_or_the_out_degree_is_refused(n_in, n_out, degree, seed):
    feasible = degree <= n_out and (n_in * degree) % n_out == 0
    if not feasible:
        with pytest.raises(ValueError, match=f"must be one of .*got {degree}"):
            sparsity.mask(n_in, n_out, degree, seed)
        return
    made = sparsity.mask(n_in, n_out, degree, seed)
    assert set(made.sum(0)) == {degree}
    assert set(made.sum(1)) == {n_in * degree // n_out}
    density = made.mean() * math.gcd(n_in, n_out)
    assert density == pytest.approx(round(density))


def test_a_mask_is_that_of_its_seed_and_not_the_regular_one():
    one, again, other = (sparsity.mask(64, 40, 5, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    links = np.arange(64 * 5)
    regular = np.zeros((40, 64), bool)
    regular[links % 40, links // 5] = True
    assert (one != regular).mean() > 0.05


def test_multiply_adds_of_a_masked_layer_are_inputs_times_out_degree():
    module = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 40))
    masks = sparsity.masks_of(module, {"0": 5, "2": 9}, seed=0)
    assert sparsity.n_links(masks, module) == 64 * 5 + 40 * 9
    assert sparsity.off_mask(module, masks) > 0
    sparsity.apply(module, masks)
    assert sparsity.off_mask(module, masks) == 0
    assert int((module[0].weight != 0).sum()) == 64 * 5


def test_a_convolution_keeps_or_loses_whole_kernels():
    module = nn.Sequential(nn.Conv2d(16, 32, 3))
    masks = sparsity.masks_of(module, {"0": 8}, seed=3)
    sparsity.apply(module, masks)
    kernels = (module[0].weight != 0).flatten(2).sum(2)
    assert set(kernels.unique().tolist()) == {0, 9}
    assert sparsity.n_links(masks, module) == 16 * 8 * 9
    assert torch.equal(kernels > 0, masks["0"].flatten(1))


def test_the_sparse_kernel_computes_the_masked_product():
    layer = nn.Linear(64, 40)
    links = torch.from_numpy(sparsity.mask(64, 40, 5, 0))
    weight, x = layer.weight.detach() * links, torch.rand(7, 64)
    torch.testing.assert_close(kernels.product(weight, x), x @ weight.t())


def test_every_way_is_timed_at_every_batch():
    layer = nn.Linear(64, 40)
    links = torch.from_numpy(sparsity.mask(64, 40, 5, 0))
    found = kernels.layer_seconds(layer, links, (1, 8), rounds=20)
    assert {batch: tuple(ways) for batch, ways in found.items()} == dict.fromkeys(
        (1, 8), kernels.WAYS
    )
    assert all(seconds > 0.0 for ways in found.values() for seconds in ways.values())
