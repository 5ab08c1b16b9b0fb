"""Pieces of strided arrays against the same pieces of a contiguous copy."""

import math

import numpy as np
import pytest

from codec.stream.arrays import flat_piece


@pytest.mark.parametrize("shape", [(7,), (5, 6), (3, 4, 5), (2, 1, 3, 4)])
def test_any_piece_of_a_strided_array_is_that_of_its_copy(shape):
    x = np.arange(2 * math.prod(shape), dtype=np.float32).reshape(*shape[::-1], 2)[..., 1].T
    flat = x.reshape(-1)
    for start in range(flat.size):
        for stop in range(start + 1, flat.size + 1):
            assert np.array_equal(flat_piece(x, start, stop), flat[start:stop])
