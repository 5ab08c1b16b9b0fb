"""Features as a picture: the layout and its way back, errors, and pictures of another size."""

import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chains import tiled
from codec.stream.frame import Patch

FORMATS = [name for name in tiled.FORMATS if tiled.has(name)]


def relative_l2(x, y):
    return float(np.linalg.norm(x - y) / np.linalg.norm(x))


def smooth_maps(channels=24, side=32):
    """Channels of few low frequencies each: what image codecs are made for."""
    draw, t = np.random.default_rng(4), np.linspace(0, np.pi, side)
    waves = np.cos(np.outer(np.arange(4), t))
    return np.einsum("cij,ih,jw->chw", draw.normal(size=(channels, 4, 4)), waves, waves).astype(
        np.float32
    )


@given(shape=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_the_layout_has_a_way_back(shape):
    size = math.prod(shape)
    patch = Patch(tuple(shape), 0, size)
    levels = np.random.default_rng(size).integers(0, 256, size).astype(np.uint8)
    picture = tiled._lay_out(levels, patch)
    assert np.array_equal(tiled._take_up(picture, patch), levels)


@pytest.mark.parametrize(
    "shape", [(64, 56, 56), (512, 7, 7), (200_704,), (2, 100_352), (7, 300, 40)]
)
def test_the_picture_is_nearly_square_and_hardly_larger(shape):
    down, across, rows, cols = tiled._grid(Patch(shape, 0, math.prod(shape)))
    height, width = down * rows, across * cols
    assert 0.4 < height / width < 2.5
    assert math.prod(shape) <= height * width < 1.3 * math.prod(shape)


def test_a_channel_stays_in_one_piece():
    x = np.arange(4 * 3 * 5, dtype=np.uint8)
    picture = tiled._lay_out(x, Patch((4, 3, 5), 0, 60))
    assert np.array_equal(picture[:3, :5], x[:15].reshape(3, 5))
    assert np.array_equal(picture[3:, 5:], x[45:].reshape(3, 5))


@pytest.mark.parametrize("name", FORMATS)
def test_quality_buys_a_smaller_error_for_more_bytes(name):
    x = smooth_maps()
    found = []
    for quality in (20, 60, 95):
        chain = codec.create("tiled", format=name, quality=quality)
        data = chain.encode(x)
        found.append((len(data), -relative_l2(x, chain.decode(data))))
    assert found == sorted(found)
    assert found[-1][1] > -0.05


@pytest.mark.parametrize("name", FORMATS)
def test_smooth_maps_need_fewer_bits_than_a_scalar_quantizer_takes(name):
    x = smooth_maps()
    picture = codec.create("tiled", format=name, quality=80)
    data = picture.encode(x)
    error = relative_l2(x, picture.decode(data))
    scalar = codec.calibrate("ecsq", [x], relative_l2=error)
    assert len(data) < len(scalar.encode(x))


def test_a_picture_of_another_size_is_refused_before_it_is_decoded():
    data = bytearray(codec.create("tiled").encode(smooth_maps()))
    assert data[6:9] == bytes([24, 32, 32])
    data[6:9] = bytes([32, 24, 32])
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "little")
    with pytest.raises(codec.CorruptBitstreamError, match=r"picture .*, not"):
        codec.decode(bytes(data))


def test_a_format_that_pillow_lacks_is_named(monkeypatch):
    monkeypatch.setattr(tiled, "has", lambda name: name != "avif")
    with pytest.raises(codec.CodecOptionError, match="format=avif is not in this Pillow; webp is"):
        codec.create("tiled", format="avif")


@pytest.mark.parametrize(
    ("bits", "why"),
    [(0x7F800001, "non-finite"), (0xFFC00000, "non-finite"), (0x7F7FFFFF, "must rise")],
)
def test_a_range_without_an_order_is_refused_without_a_warning(bits, why):
    """A signalling NaN, a quiet one, and a low end above the high one."""
    x = smooth_maps()
    data = bytearray(codec.create("tiled").encode(x))
    at = data.index(np.float32(x.min()).tobytes())
    data[at : at + 4] = bits.to_bytes(4, "little")
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "little")
    with pytest.raises(codec.CorruptBitstreamError, match=why):
        codec.decode(bytes(data))
