"""Bit packing: closed-form sizes, an independent string-of-bits reference, damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.entropy.packing import (
    blocks_size,
    pack,
    pack_blocks,
    packed_size,
    unpack,
    unpack_blocks,
    unpack_bytes,
    width_for,
)
from codec.stream.base import CorruptBitstreamError


def reference(values, widths):
    """The bits as a decimal-free string, written value by value, least significant bit first."""
    bits = "".join(format(v, f"0{w}b")[::-1] for v, w in zip(values, widths, strict=True) if w)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))


@st.composite
def labelled(draw):
    widths = draw(st.lists(st.integers(0, 32), min_size=1, max_size=6))
    labels = draw(st.lists(st.integers(0, len(widths) - 1), max_size=60))
    values = [draw(st.integers(0, 2 ** widths[k] - 1)) for k in labels]
    return np.array(values, np.uint32), np.array(labels, np.uint8), widths


@given(labelled())
def test_blocks_match_the_reference_and_come_back(case):
    values, labels, widths = case
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=len(widths))
    data = pack_blocks(values[order], counts, widths)
    assert data == reference(values[order].tolist(), [widths[k] for k in labels[order]])
    assert len(data) == blocks_size(counts, widths)
    assert np.array_equal(unpack_blocks(data, counts, widths), values[order])


@given(st.integers(0, 8), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_bytes_of_few_bits_come_back_as_bytes(width, count, seed):
    values = np.random.default_rng(seed).integers(0, 2**width, count).astype(np.uint8)
    assert np.array_equal(unpack_bytes(pack(values, width), count, width), values)


@pytest.mark.parametrize("width", range(33))
def test_every_width_round_trips_its_extremes(width):
    values = np.array([0, 2**width - 1] * 37 + [2**width // 3], np.uint32)
    data = pack(values, width)
    assert len(data) == packed_size(values.size, width)
    assert np.array_equal(unpack(data, values.size, width), values)


def test_packing_accepts_views_and_read_only_input():
    values = np.arange(64, dtype=np.uint16)[::-2]
    values.setflags(write=False)
    assert np.array_equal(unpack(memoryview(pack(values, 6)), 32, 6), values)


@pytest.mark.parametrize(("maximum", "width"), [(0, 0), (1, 1), (2, 2), (255, 8), (256, 9)])
def test_width_for_holds_the_maximum(maximum, width):
    assert width_for(maximum) == width


def test_values_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"values\[2\] = 8 does not fit"):
        pack(np.array([7, 0, 8], np.uint32), 3)
    with pytest.raises(ValueError, match=r"values\[1\] = 4 does not fit"):
        pack_blocks(np.array([7, 4], np.uint32), [1, 1], [3, 2])


@pytest.mark.parametrize("width", [-1, 33])
def test_widths_out_of_range_are_refused(width):
    with pytest.raises(ValueError, match=r"widths must lie in 0\.\.32"):
        pack(np.zeros(3, np.uint32), width)


def test_counts_must_agree_with_values():
    with pytest.raises(ValueError, match="counts must add up to 3"):
        pack_blocks(np.zeros(3, np.uint32), [2], [1])


@given(st.integers(0, 40), st.integers(0, 17), st.binary(max_size=90))
def test_hostile_bytes_raise_or_are_the_only_encoding(count, width, data):
    try:
        values = unpack(data, count, width)
    except CorruptBitstreamError:
        return
    assert pack(values, width) == data
