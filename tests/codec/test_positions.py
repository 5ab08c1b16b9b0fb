"""Positions: exact sizes, round trips, and decoders that accept canonical bytes only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.stages.positions import (
    bitmap_size,
    csr_size,
    decode_bitmap,
    decode_csr,
    decode_gaps,
    decode_map,
    encode_bitmap,
    encode_csr,
    encode_gaps,
    encode_map,
)
from codec.stream.base import CorruptBitstreamError

CODERS = {
    "csr": (encode_csr, decode_csr, lambda mask: csr_size(*mask.shape, mask.sum())),
    "bitmap": (encode_bitmap, decode_bitmap, lambda mask: bitmap_size(*mask.shape)),
    "gaps": (encode_gaps, decode_gaps, lambda mask: len(encode_gaps(mask))),
    "map": (encode_map, decode_map, lambda mask: len(encode_map(mask))),
}


@st.composite
def masks(draw):
    rows, cols = draw(st.integers(0, 9)), draw(st.integers(0, 40))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.floats(0, 1))
    return np.random.default_rng(seed).random((rows, cols)) < density


@pytest.mark.parametrize("name", CODERS)
@given(mask=masks())
def test_masks_come_back_at_the_stated_size(name, mask):
    encode, decode, size = CODERS[name]
    data = encode(mask)
    assert len(data) == size(mask)
    assert np.array_equal(decode(data, *mask.shape, int(mask.sum())), mask)


@pytest.mark.parametrize("name", CODERS)
@given(mask=masks(), data=st.data())
def test_mutations_raise_or_keep_the_count(name, mask, data):
    encode, decode, _ = CODERS[name]
    stream = bytearray(encode(mask))
    for _ in range(data.draw(st.integers(1, 3))):
        if stream:
            stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        back = decode(bytes(stream), *mask.shape, int(mask.sum()))
    except CorruptBitstreamError:
        return
    assert back.shape == mask.shape
    assert back.sum() == mask.sum()
    assert name not in ("csr", "bitmap") or encode(back) == stream


@pytest.mark.parametrize("name", CODERS)
def test_truncation_and_impossible_counts_are_refused(name):
    encode, decode, _ = CODERS[name]
    mask = np.eye(8, 24, dtype=bool)
    with pytest.raises(CorruptBitstreamError):
        decode(encode(mask)[:-1], 8, 24, 8)
    with pytest.raises(CorruptBitstreamError, match="keeps 193"):
        decode(encode(mask), 8, 24, 193)


def test_csr_size_is_the_formula_of_the_paper():
    # K ceil(log2 cols) + (rows + 1) ceil(log2(K + 1)): 100 x 12 bits and 65 x 7 bits.
    assert csr_size(64, 4096, 100) == 150 + (65 * 7 + 7) // 8


@pytest.mark.parametrize("density", [0.01, 0.1, 0.4])
def test_entropy_coded_positions_are_near_the_binary_entropy(density):
    mask = np.random.default_rng(2).random((400, 500)) < density
    share = mask.mean()
    ideal = mask.size * -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) / 8
    # Few gaps of many lengths pay for their table: 6 % at 2,000 of them.
    for encode, slack in ((encode_gaps, 1.08), (encode_map, 1.02)):
        assert 0.98 * ideal <= len(encode(mask)) <= slack * ideal + 64


def test_contexts_gain_where_positions_cluster():
    rng = np.random.default_rng(3)
    mask = np.repeat(np.repeat(rng.random((40, 50)) < 0.2, 8, axis=0), 8, axis=1)
    mask ^= rng.random(mask.shape) < 0.01
    assert len(encode_map(mask)) < 0.75 * len(encode_gaps(mask))
    back = decode_map(encode_map(mask, planes=4), *mask.shape, int(mask.sum()), planes=4)
    assert np.array_equal(back, mask)
