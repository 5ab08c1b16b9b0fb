"""The entropy stage: rate against order-0 entropy, any int32, damage, determinism."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codec.entropy import coder as entropy
from codec.entropy import frequency_tables as tables
from codec.stream.base import CorruptBitstreamError

INT32 = st.integers(-(2**31), 2**31 - 1)
SYMBOLS = st.one_of(
    st.lists(INT32, max_size=50),
    st.lists(st.integers(-4, 4), max_size=300),
    st.lists(st.one_of(st.integers(0, 3), INT32), max_size=300),
)
STATIC = tables.fit_static(
    entropy.histogram(np.rint(np.random.default_rng(0).laplace(0, 2, 10_000)).astype(np.int32))
)


def laplacian(n, scale, seed=0):
    return np.rint(np.random.default_rng(seed).laplace(0, scale, n)).astype(np.int32)


@pytest.mark.parametrize("coder", ["auto", "order0", "packed", "static"])
@given(values=SYMBOLS)
@example(values=[])
@example(values=[-(2**31), 2**31 - 1])
@example(values=[2**31 - 1] * 3)
def test_any_int32_comes_back(coder, values):
    symbols = np.array(values, np.int32)
    data = entropy.encode(symbols, coder, STATIC)
    assert np.array_equal(entropy.decode(data, symbols.size, STATIC), symbols)
    assert data == entropy.encode(symbols.copy(), coder, STATIC)


@pytest.mark.parametrize("scale", [0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("n", [65_536, 262_144])
def test_rate_is_within_one_percent_and_64_bytes_of_the_entropy(n, scale):
    symbols = laplacian(n, scale)
    ideal = tables.entropy_bits(np.unique(symbols, return_counts=True)[1]) / 8
    data = entropy.encode(symbols)
    assert ideal <= len(data) <= 1.01 * ideal + 64
    assert np.array_equal(entropy.decode(data, n), symbols)


def test_128_symbols_with_a_static_table_cost_seven_bytes_above_their_information():
    symbols = laplacian(128, 2.0, seed=5)
    folded = np.where(symbols < 0, -2 * symbols - 1, 2 * symbols)
    data = entropy.encode(symbols, "static", STATIC)
    assert len(data) <= STATIC.bits(np.bincount(folded)) / 8 + 7


def test_structureless_input_is_packed():
    symbols = np.random.default_rng(0).integers(0, 2**16, 5000).astype(np.int32)
    assert len(entropy.encode(symbols)) == 2 + 2 * symbols.size


def test_one_far_outlier_hardly_costs():
    symbols = laplacian(10_000, 1.0)
    plain = len(entropy.encode(symbols))
    symbols[77] = 2**31 - 1
    data = entropy.encode(symbols)
    assert len(data) <= plain + 24
    assert np.array_equal(entropy.decode(data, symbols.size), symbols)


@given(n=st.sampled_from([0, 1, 9, 1500, 5000, 20_000]), seed=st.integers(0, 2**32 - 1))
def test_contexts_choose_the_tables(n, seed):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(0, 3, n).astype(np.uint8)
    symbols = np.rint(rng.laplace(0, 1, n) * np.array([0.1, 1, 40])[contexts]).astype(np.int32)
    kept = [tables.fit_static(entropy.histogram(laplacian(4000, s))) for s in (0.1, 1.0, 20.0)]
    data = entropy.encode_mixed(symbols, contexts, kept, signed=True)
    assert np.array_equal(entropy.decode_mixed(data, contexts, kept), symbols)


def test_contexts_gain_what_theory_says():
    contexts = np.arange(60_000).astype(np.uint8) % 2
    symbols = np.where(contexts == 1, laplacian(60_000, 9.0), laplacian(60_000, 0.2))
    kept = [tables.fit(entropy.histogram(symbols[contexts == c].astype(np.int32))) for c in (0, 1)]
    ideal = sum(
        tables.entropy_bits(np.unique(symbols[contexts == c], return_counts=True)[1])
        for c in (0, 1)
    )
    data = entropy.encode_mixed(symbols.astype(np.int32), contexts, kept, signed=True)
    assert ideal / 8 <= len(data) <= 1.01 * ideal / 8 + 64


@pytest.mark.parametrize("coder", ["order0", "packed", "static"])
@given(values=SYMBOLS, data=st.data())
def test_mutations_raise_or_give_int32(coder, values, data):
    symbols = np.array(values, np.int32)
    stream = bytearray(entropy.encode(symbols, coder, STATIC))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] ^= data.draw(st.integers(1, 255))
    stream = stream[: data.draw(st.integers(0, len(stream)))]
    try:
        back = entropy.decode(bytes(stream), symbols.size, STATIC)
    except CorruptBitstreamError:
        return
    assert back.shape == symbols.shape


@given(st.binary(max_size=200), st.integers(0, 500))
def test_hostile_bytes_raise_or_give_int32(data, count):
    for decode in (
        lambda: entropy.decode(data, count, STATIC),
        lambda: entropy.decode_mixed(data, np.zeros(count, np.uint8), [STATIC]),
    ):
        try:
            assert decode().shape == (count,)
        except CorruptBitstreamError:
            continue


def test_tables_are_told_from_values():
    data = entropy.encode(laplacian(5000, 2.0), "order0")
    assert 5 < entropy.table_size(data) < 40
    assert entropy.table_size(entropy.encode(laplacian(5000, 2.0), "static", STATIC)) == 0


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="coder must be one of auto, order0"):
        entropy.encode(laplacian(3, 1.0), "huffman")
    with pytest.raises(ValueError, match="needs a table"):
        entropy.encode(laplacian(3, 1.0), "static")
    with pytest.raises(ValueError, match="symbols must be integers"):
        entropy.encode(np.zeros(3, np.float32))


def test_negative_symbols_need_the_sign_stated():
    with pytest.raises(ValueError, match="symbols must be >= 0 unless signed, got -3"):
        entropy.encode_mixed(np.array([1, -3], np.int32), np.zeros(2, np.uint8), [STATIC])
