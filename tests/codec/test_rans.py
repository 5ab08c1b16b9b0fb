"""rANS: rate against entropy, constriction as the judge of the model, damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.entropy import frequency_tables as tables
from codec.entropy import rans
from codec.stream.base import CorruptBitstreamError

SIZES = [1, 2, 3, 7, 128, 1024, 1025, 4096, 4097, 4099, 16385, 16391, 70_003]


def laplacian(n, scale, seed=0):
    """Folded integers as a quantizer leaves them: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    values = np.rint(np.random.default_rng(seed).laplace(0, scale, n)).astype(np.int64)
    return np.where(values < 0, -2 * values - 1, 2 * values).astype(np.uint16)


def fitted(symbols):
    return tables.fit(np.bincount(symbols).astype(np.uint32))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_symbols_come_back_at_the_price_of_their_table(n, scale):
    symbols = laplacian(n, scale)
    table = fitted(symbols)
    data = rans.encode(symbols, table)
    assert np.array_equal(rans.decode(data, n, table), symbols)
    ideal = table.bits(np.bincount(symbols)) / 8
    assert ideal - 4 * rans.n_lanes(n) <= len(data) <= ideal * 1.001 + 4 * rans.n_lanes(n) + 2


@given(
    freqs=st.lists(st.integers(0, 300), min_size=1, max_size=40).filter(any),
    precision=st.integers(7, 15),
    n=st.integers(0, 6000),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_table_codes_any_of_its_symbols(freqs, precision, n, seed):
    table = tables.fit(np.array(freqs, np.uint32), precision=precision)
    known = np.flatnonzero(table.freqs)
    symbols = np.random.default_rng(seed).choice(known, n).astype(np.uint16)
    data = rans.encode(symbols, table)
    assert np.array_equal(rans.decode(data, n, table), symbols)


@pytest.mark.parametrize("precision", [1, 8, 12, 15])
def test_extreme_frequencies_survive_every_state(precision):
    # One slot against all others: here a 32-bit reciprocal would divide wrongly.
    freqs = np.array([(1 << precision) - 1, 1], np.uint32)
    table = tables.Table(freqs=freqs, precision=precision)
    for share in (0.0, 0.001, 0.5, 1.0):
        symbols = (np.random.default_rng(1).random(50_000) < share).astype(np.uint16)
        data = rans.encode(symbols, table)
        assert np.array_equal(rans.decode(data, symbols.size, table), symbols)


def by_the_book(data, n, table):
    """Duda's decoder in integers without bound, from the module's equations alone."""
    lanes, precision = rans.n_lanes(n), table.precision
    states = [int.from_bytes(data[4 * j : 4 * j + 4], "little") for j in range(lanes)]
    words = [int.from_bytes(data[i : i + 2], "little") for i in range(4 * lanes, len(data), 2)]
    freqs = table.freqs.tolist()
    starts = np.cumsum([0, *freqs]).tolist()
    owner = np.repeat(np.arange(len(freqs)), freqs).tolist()
    found, at = [], 0
    for i in range(n):
        j = i % lanes
        s = owner[states[j] % 2**precision]
        x = freqs[s] * (states[j] >> precision) + states[j] % 2**precision - starts[s]
        if x < 2**16:
            x, at = x << 16 | words[at], at + 1
        states[j] = x
        found.append(s)
    assert at == len(words)
    assert states == [rans.START] * lanes
    return found


@pytest.mark.parametrize("n", [1, 700, 3000, 9000, 20_003])
@pytest.mark.parametrize("scale", [0.1, 2.0, 25.0])
def test_a_decoder_written_from_the_equations_reads_the_same_stream(n, scale):
    symbols = laplacian(n, scale)
    table = fitted(symbols)
    assert by_the_book(rans.encode(symbols, table), n, table) == symbols.tolist()


@pytest.mark.parametrize("scale", [0.3, 2.0, 25.0])
def test_constriction_agrees_on_symbols_and_on_what_they_cost(scale):
    """Its stream is another (64-bit states), its model the same: shares of 2^-p are exact there.

    Were a single frequency read differently, the sizes would part by the divergence of the models.
    """
    stream = pytest.importorskip("constriction").stream
    symbols = laplacian(70_000, scale)
    table = fitted(symbols)
    shares = np.append(table.freqs.astype(np.float64) / 2.0**table.precision, 0.0)
    model = stream.model.Categorical(shares, perfect=False)
    coder = stream.stack.AnsCoder()
    coder.encode_reverse(symbols.astype(np.int32), model)
    theirs = coder.get_compressed()
    ours = rans.encode(symbols, table)
    back = stream.stack.AnsCoder(theirs).decode(model, symbols.size)
    assert np.array_equal(rans.decode(ours, symbols.size, table), back)
    states = 4 * rans.n_lanes(symbols.size)
    assert len(ours) == pytest.approx(theirs.nbytes, rel=2e-4, abs=states + 8)


def test_128_symbols_cost_one_lane_above_their_entropy():
    symbols = laplacian(128, 1.5, seed=3)
    table = tables.fit_static(np.bincount(laplacian(100_000, 1.5)).astype(np.uint32))
    bits = table.bits(np.bincount(symbols))
    assert len(rans.encode(symbols, table)) <= bits / 8 + 4 + 2


def test_a_symbol_without_frequency_is_named():
    table = tables.Table(freqs=np.array([128, 0, 128], np.uint32), precision=8)
    with pytest.raises(ValueError, match="symbol 1 has no frequency"):
        rans.encode(np.array([0, 1, 2], np.uint16), table)
    with pytest.raises(ValueError, match="symbol 900 has no frequency"):
        rans.encode(np.array([0, 900], np.uint16), table)


@pytest.mark.parametrize("n", [5, 3000, 9000, 20_000])
def test_truncation_and_extension_are_noticed(n):
    symbols = laplacian(n, 2.0)
    table = fitted(symbols)
    data = rans.encode(symbols, table)
    for broken in (b"", data[:3], data[:-1], data[:-2], data + b"\0\0", data[: len(data) // 2]):
        with pytest.raises(CorruptBitstreamError):
            rans.decode(broken, n, table)
    with pytest.raises(CorruptBitstreamError):
        rans.decode(data, n - 1, table)


@given(n=st.sampled_from([3, 1500, 5000, 20_000]), data=st.data())
def test_mutations_raise_or_stay_within_the_alphabet(n, data):
    symbols = laplacian(n, 1.0)
    table = fitted(symbols)
    stream = bytearray(rans.encode(symbols, table))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] ^= data.draw(st.integers(1, 255))
    try:
        back = rans.decode(bytes(stream), n, table)
    except CorruptBitstreamError:
        return
    assert back.shape == (n,)
    assert (table.freqs[back] > 0).all()
