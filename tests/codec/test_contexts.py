"""Context rANS: neighbours against a plain reference, lanes and bands, gain, damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.entropy import activity
from codec.entropy import coder as entropy
from codec.stream.base import CorruptBitstreamError

SHAPES = [(1, 1, 1), (1, 1, 40), (3, 5, 7), (1, 40, 60), (5, 31, 17), (2, 67, 130), (8, 56, 56)]


def clustered(shape, step=1.0, seed=0):
    """Laplacian values whose scale changes from each patch of 8 x 8 to the next."""
    rng = np.random.default_rng(seed)
    planes, rows, cols = shape
    patches = np.exp(rng.normal(0, 1.8, (planes, rows // 8 + 1, cols // 8 + 1)))
    scale = patches.repeat(8, axis=1).repeat(8, axis=2)[:, :rows, :cols]
    return np.rint(rng.laplace(0, 1, shape) * scale / step).astype(np.int32)


def slow_activity(magnitudes, plane, row, col):
    def at(r, c):
        inside = r >= 0 and 0 <= c < magnitudes.shape[2]
        return min(15, int(magnitudes[plane, r, c])) if inside else 0

    corners = at(row - 1, col - 1) + at(row - 1, col + 1)
    return 2 * at(row, col - 1) + 2 * at(row - 1, col) + corners


@pytest.mark.parametrize("signed", [True, False])
def test_activities_are_the_formula(signed):
    symbols = clustered((2, 5, 6))
    codes = np.where(symbols < 0, -2 * symbols - 1, 2 * symbols).astype(np.uint16)
    magnitudes = np.abs(symbols) if signed else codes
    found = activity.activities(codes, signed)
    for place in np.ndindex(found.shape):
        assert found[place] == slow_activity(magnitudes, *place)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [0.01, 1.0, 20.0])
def test_maps_come_back(shape, step):
    symbols = clustered(shape, step)
    assert np.array_equal(entropy.decode_map(entropy.encode_map(symbols), *shape), symbols)


@given(
    shape=st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 30)),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1, 5, 300, 2**31 - 1]),
    low=st.booleans(),
)
def test_any_map_comes_back(shape, seed, spread, low):
    values = np.random.default_rng(seed).integers(-spread if low else 0, spread, shape)
    symbols = values.astype(np.int32)
    assert np.array_equal(entropy.decode_map(entropy.encode_map(symbols), *shape), symbols)


def test_clustered_maps_cost_less_than_their_order_0_entropy():
    symbols = clustered((8, 56, 56))
    coded = entropy.encode_map(symbols)
    assert len(coded) < 0.92 * len(entropy.encode(symbols, "order0"))
    assert 20 < entropy.table_size(coded) < 0.05 * len(coded)


@given(shape=st.sampled_from(SHAPES[:6]), data=st.data())
def test_mutations_raise_or_give_a_map(shape, data):
    stream = bytearray(entropy.encode_map(clustered(shape)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(stream) - 1, 60)))
        stream[at] ^= data.draw(st.integers(1, 255))
    stream = stream[: len(stream) - data.draw(st.sampled_from([0, 0, 1, 2, 9]))]
    try:
        back = entropy.decode_map(bytes(stream), *shape)
    except CorruptBitstreamError:
        return
    assert back.shape == shape


@given(st.binary(max_size=300))
def test_hostile_maps_raise_or_give_a_map(data):
    for kind in (b"\x04", b"\x14", b"\x34"):
        try:
            assert entropy.decode_map(kind + data, 2, 9, 8).shape == (2, 9, 8)
        except CorruptBitstreamError:
            continue
