"""AIQ: its grid and its reshape search against brute force; what rows may not say."""

import numpy as np
import pytest

import codec
from codec.chains import aiq
from codec.entropy.frequency_tables import entropy_bits
from codec.stream import container


def sparse(shape, density, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.exponential(size=shape) * (generator.random(shape) < density)
    return x.astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_element_is_within_half_a_step(bits):
    x = np.random.default_rng(1).normal(size=(40, 50)).astype(np.float32)
    back = codec.decode(codec.create("aiq", bits=bits).encode(x))
    step = (x.max() - x.min()) / (2**bits - 1)
    assert np.abs(back - x).max() <= step * 1.001  # half by rounding, half by the zero point's
    assert len(np.unique(back)) <= 2**bits


def test_zeros_stay_zero():
    x = sparse((30, 64), 0.2)
    back = codec.decode(codec.create("aiq").encode(x))
    assert not back[x == 0].any()


def test_the_search_finds_the_divisor_of_fewest_bits_among_its_candidates():
    x = np.zeros((64, 60), np.float32)
    x[:, ::12] = sparse((64, 5), 0.9) + 0.1  # columns that are full and columns that are empty
    where = np.flatnonzero(x)
    candidates = aiq._candidates(x.size)
    bits = {n: aiq.position_bits(where, x.size, n) for n in candidates}
    for n, found in bits.items():
        columns, rows = where % n, np.bincount(where // n, minlength=x.size // n)
        expected = entropy_bits(np.bincount(columns)) + entropy_bits(np.bincount(rows))
        assert found == pytest.approx(expected)
    chosen = codec.create("aiq")._columns(where, x.size)
    assert bits[chosen] == min(bits.values())
    searched = len(codec.create("aiq").encode(x))
    assert searched <= min(len(codec.create("aiq", columns=n).encode(x)) for n in (1, 7, 60)) + 8


def test_sparser_features_take_fewer_bytes():
    sizes = [len(codec.create("aiq").encode(sparse((64, 256), d))) for d in (0.5, 0.2, 0.05)]
    assert sizes[0] > 1.8 * sizes[1] > 3 * sizes[2]


def test_rows_that_contradict_their_columns_are_refused():
    with pytest.raises(codec.CorruptBitstreamError, match="add up"):
        aiq._places(np.array([0, 1]), np.array([1, 0]), 4)
    with pytest.raises(codec.CorruptBitstreamError, match="rise"):
        aiq._places(np.array([2, 1]), np.array([2, 0]), 4)
    with pytest.raises(codec.CorruptBitstreamError, match=r"in 0\.\.3"):
        aiq._places(np.array([4]), np.array([1, 0]), 4)


def test_the_ledger_tells_tables_from_values():
    data = codec.create("aiq").encode(sparse((64, 64), 0.3))
    sizes = codec.ledger(data)
    assert sizes["tables"] > 10
    assert sizes["values"] > sizes["tables"]
    assert container.read(data)[0].chain == aiq.Aiq.chain_id
