"""Half precision against numpy's and torch's own conversions."""

import numpy as np
import pytest

from codec.stream import floats


def all_halves():
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def spread(n=400_000):
    """float32 numbers around every half, between halves, and of random bits."""
    halves = all_halves()
    near = halves[np.isfinite(halves)].astype(np.float32)
    bits = np.random.default_rng(3).integers(0, 1 << 32, n, dtype=np.uint64).astype(np.uint32)
    wild = bits.view(np.float32)
    ulp = np.float32(2.0**-11)
    ties = near * (1 + ulp)
    up = np.nextafter(ties, np.float32(np.inf))
    every = np.concatenate([near, ties, up, wild[np.isfinite(wild)]])
    return every.astype(np.float32)


def test_half_to_single_is_exact():
    halves = all_halves()
    finite = ~np.isnan(halves)
    mine = floats.to_float32(halves, floats.FLOAT16)
    assert np.array_equal(mine[finite], halves[finite].astype(np.float32))
    assert np.isnan(mine[~finite]).all()


def test_single_to_half_rounds_as_numpy_and_saturates():
    x = spread()
    expected = np.clip(x, -65504, 65504).astype(np.float16)
    assert np.array_equal(
        floats.from_float32(x, floats.FLOAT16).view(np.uint16), expected.view(np.uint16)
    )


def test_brain_floats_agree_with_torch():
    torch = pytest.importorskip("torch")
    x = spread()
    x = x[np.abs(x) <= np.uint32(0x7F7F0000).view(np.float32)]
    expected = torch.from_numpy(x).bfloat16()
    stored = floats.from_float32(x, floats.BFLOAT16)
    assert np.array_equal(stored, expected.view(torch.int16).numpy().view(np.uint16))
    assert np.array_equal(floats.to_float32(stored, floats.BFLOAT16), expected.float().numpy())


@pytest.mark.parametrize("dtype", [floats.FLOAT32, floats.FLOAT16, floats.BFLOAT16])
def test_what_is_too_large_becomes_the_largest(dtype):
    x = np.array([3.4028235e38, -3.4028235e38, np.inf, -np.inf], dtype=np.float32)
    back = floats.to_float32(floats.from_float32(x, dtype), dtype)
    assert np.isfinite(back).all()
    assert np.array_equal(back[:2], back[2:])


def test_look_states_facts_of_the_bits():
    seen = floats.look(np.array([-2.0, 1.0, 0.0], dtype=np.float32))
    assert seen == (2.0, True, False, True)
    assert floats.look(np.full(5, 3, dtype=np.float32)) == (3.0, False, True, True)
    assert not floats.look(np.array([1, np.nan], dtype=np.float32)).finite
    assert not floats.look(np.array([1, -np.inf], dtype=np.float32)).finite
