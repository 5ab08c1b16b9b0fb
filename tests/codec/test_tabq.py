"""TAB-Q: widths against their definition, token by token; large values kept apart."""

import numpy as np
import pytest

import codec
from codec.entropy import packing
from codec.stream.container import read


def tokens(seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(24, 96)) * np.logspace(-1, 1, 24)[:, None]
    return x.astype(np.float32)


def widths_of(data, rows):
    scales = next(s.data for s in read(data)[1][0].sections if s.part == "scales")
    return packing.unpack(scales[4 * rows :], rows, 4)


@pytest.mark.parametrize("distortion", [0.02, 0.1, 0.4])
def test_a_token_gets_the_smallest_width_within_the_distortion(distortion):
    x = tokens()
    chain = codec.create("tabq", distortion=distortion, threshold=1e6)
    data = chain.encode(x)
    back = chain.decode(data)
    rms = np.sqrt((x**2).mean(1))
    error = np.abs(x - back).mean(1) / rms
    widths = widths_of(data, len(x))
    assert np.all((error <= distortion * 1.001) | (widths == 8))
    for row in range(0, 24, 5):  # one bit less is not enough
        if widths[row] > 2:
            low, high = x[row].min(), x[row].max()
            step = (high - low) / (2 ** (widths[row] - 1) - 1)
            coarse = low + np.rint((x[row] - low) / step) * step
            assert np.abs(x[row] - coarse).mean() / rms[row] > distortion * 0.99


def test_a_large_value_does_not_stretch_its_token():
    x = tokens()
    x[7, 11] = 900.0
    split = codec.create("tabq", bits_max=3)
    whole = codec.create("tabq", bits_max=3, threshold=1e6)
    others = np.arange(96) != 11
    error = [
        np.abs(chain.decode(chain.encode(x))[7, others] - x[7, others]).mean()
        for chain in (split, whole)
    ]
    assert error[0] < error[1] / 10
    assert split.decode(split.encode(x))[7, 11] == 900


def test_every_element_stays_in_its_tokens_range():
    x = tokens(3)
    back = codec.decode(codec.create("tabq", threshold=1e6).encode(x))
    slack = 0.01 * np.abs(x).max(1)  # the range is stored in 16 bits, rounded outwards
    assert np.all(back.min(1) >= x.min(1) - slack)
    assert np.all(back.max(1) <= x.max(1) + slack)


@pytest.mark.parametrize(
    "bad", [{"threshold": 0}, {"bits_min": 9}, {"distortion": -1}, {"token": "map"}]
)
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(codec.CodecOptionError, match=r"tabq\."):
        codec.create("tabq", **bad)


def test_the_lines_of_a_map_share_a_token_and_hidden_states_do_not():
    """36 bits of range and width for 16 pixels are more than the pixels."""
    maps = np.maximum(np.random.default_rng(4).normal(size=(8, 16, 16)), 0).astype(np.float32)
    sizes = {t: len(codec.create("tabq", token=t).encode(maps)) for t in ("row", "plane", "auto")}
    assert sizes["auto"] == sizes["plane"] < 0.85 * sizes["row"]
    hidden = tokens().reshape(2, 12, 96)
    assert codec.create("tabq").encode(hidden) == codec.create("tabq", token="row").encode(hidden)


@pytest.mark.parametrize("shape", [(40,), (7, 20), (3, 5, 20), (2, 3, 4, 5)])
@pytest.mark.parametrize("token", ["row", "plane", "auto"])
def test_any_token_comes_back_within_its_range(shape, token):
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    x.reshape(-1)[3] = 300.0
    chain = codec.create("tabq", token=token, bits_min=8, threshold=3.0)
    back = codec.decode(chain.encode(x))
    assert back.reshape(-1)[3] == 300
    assert np.abs(back - x).max() < 0.03
