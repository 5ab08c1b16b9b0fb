"""ECSQ against theory: its distance from R(D), its grid against brute force, its escapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.stages import scalar


def laplace(n, seed=0):
    return np.random.default_rng(seed).laplace(size=n).astype(np.float32)


def relative_l2(x, y):
    return float(np.linalg.norm(x - y) / np.linalg.norm(x))


def coded(x, **options):
    chain = codec.create("ecsq", **options)
    data = chain.encode(x)
    return data, chain.decode(data)


def test_a_gaussian_costs_a_quarter_bit_more_than_its_rate_distortion_function():
    """Entropy-coded uniform quantization: 0.2546 bit above R(D) at high rate (Gish 1968)."""
    x = np.random.default_rng(1).normal(size=400_000).astype(np.float32)
    data, back = coded(x, step=0.1, coder="order0")
    shannon = -np.log2(relative_l2(x, back))
    assert 8 * len(data) / x.size - shannon == pytest.approx(0.2546, abs=0.012)


def test_at_low_rate_thresholds_that_know_the_rate_beat_rounding():
    x = laplace(100_000) ** 3  # peaked, as trained features are
    data, back = coded(x, step=1.2, rdoq=0.16, coder="order0")
    low, high = 0.2, 3.0
    for _ in range(30):  # the step at which plain rounding has the same error
        middle = (low + high) / 2
        plain, other = coded(x, step=middle, rdoq=0.0, coder="order0")
        low, high = (
            (middle, high) if relative_l2(x, other) < relative_l2(x, back) else (low, middle)
        )
    assert len(data) < 0.985 * len(plain)


@pytest.mark.parametrize("rdoq", [0.0, 0.1155, 0.3])
def test_the_grid_is_what_an_exhaustive_choice_gives(rdoq):
    lengths = np.concatenate(([0.7], 1.9 + 0.8 * np.arange(scalar.LEVELS)))
    table = scalar.decide(lengths, rdoq)
    middle = (np.arange(scalar.BINS) + 0.5) / scalar.FINE
    levels = np.arange(40)
    costs = (middle[:300, None] - levels) ** 2 + rdoq * lengths[levels]
    assert np.array_equal(table[:300], np.argmin(costs, axis=1))


def test_centroids_are_the_means_of_their_cells():
    x = np.abs(laplace(50_000))
    step = 0.8 * scalar.scale_of(x)
    bins, counts, _ = scalar.bin_chunk(x, step)
    grid = scalar.fit(counts, 0.1155, 0.0)
    levels = scalar.levels(x, bins, grid.table)
    for k in (1, 2, 3):
        mean = float(x[levels == k].mean()) / step
        assert k + grid.offsets[k - 1] / 256 == pytest.approx(mean, abs=0.01)


def test_contexts_pay_where_large_values_cluster_and_auto_finds_out():
    generator = np.random.default_rng(2)
    envelope = np.kron(generator.exponential(size=(8, 8, 8)), np.ones((1, 8, 8)))
    x = (envelope * generator.normal(size=envelope.shape)).astype(np.float32)
    sizes = {coder: len(coded(x, coder=coder)[0]) for coder in ("order0", "context", "auto")}
    assert sizes["context"] < 0.95 * sizes["order0"]
    assert sizes["auto"] == sizes["context"]
    white = laplace(32_768).reshape(8, 64, 64)
    assert len(coded(white)[0]) == len(coded(white, coder="order0")[0])


@pytest.mark.parametrize("n", [1 << 16, 200_704])
def test_the_entropy_stage_is_within_1_percent_and_64_bytes_of_the_entropy(n):
    x = laplace(n)
    step = 0.35 * scalar.scale_of(x)
    bins, counts, _ = scalar.bin_chunk(x, step)
    levels = scalar.levels(x, bins, scalar.fit(counts, 0.1155, 1.0).table)
    shares = np.unique(levels, return_counts=True)[1] / n
    entropy_bytes = -n * float(shares @ np.log2(shares)) / 8
    data, _ = coded(x, step=0.35, coder="order0")
    assert len(data) <= 1.01 * entropy_bytes + 64


@pytest.mark.parametrize("wild", [1e30, -3e38, 5e9])
def test_a_wild_value_comes_back_and_leaves_the_others_alone(wild):
    x = laplace(5000)
    x[1234] = wild
    data, back = coded(x)
    assert back[1234] == pytest.approx(wild, rel=1e-6)
    rest = np.arange(x.size) != 1234
    assert relative_l2(x[rest], back[rest]) < 0.15
    assert codec.ledger(data)["positions"] > 0


def test_rectified_input_carries_no_signs():
    x = np.maximum(laplace(60_000), 0)
    both = laplace(60_000)
    both[np.random.default_rng(3).random(both.size) < 0.5] = 0
    assert len(coded(x)[0]) < len(coded(both)[0]) - 0.3 * 60_000 / 8


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=200))
def test_no_element_is_further_off_than_its_cell_allows(values):
    x = np.array(values, dtype=np.float32)
    _, back = coded(x, step=0.5, rdoq=0.0)
    if x.any() and np.ptp(x):
        step = 0.5 * scalar.scale_of(x)
        # half a cell of rounding, and at most half a cell between a level and its centroid
        assert np.abs(x - back).max() <= 1.001 * step + 1e-30


@pytest.mark.parametrize("bad", [{"step": 0}, {"rdoq": 2}, {"coder": "best"}])
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(codec.CodecOptionError, match=r"ecsq\."):
        codec.create("ecsq", **bad)
