"""The codec `centres`: against the nearest entry by definition, its length, what one bit may do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.stream.tolerance import Fixed

TABLE = (-1.5, 0.25, -0.5, 2.0, 3.0, -4.0, 0.75, 1.25)
NOTHING_MISSING = np.zeros(12, bool)


def numbers(size=32, seed=0):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def test_every_number_becomes_the_nearest_of_the_table():
    x = numbers(500)
    chain = codec.create("centres", table=TABLE)
    wanted = [min(TABLE, key=lambda c: abs(float(v) - c)) for v in x]
    np.testing.assert_array_equal(chain.decode(chain.encode(x)), np.float32(wanted))
    fixed = chain.encode_fixed(x)
    back = chain.decode_fixed(fixed, x, np.zeros(len(fixed.symbols), bool))
    np.testing.assert_array_equal(back, np.float32(wanted))


@given(size=st.integers(1, 70), bits=st.integers(1, 8))
def test_its_length_is_that_of_its_symbols_whatever_they_are(size, bits):
    chain = codec.create("centres", table=tuple(range(2**bits)))
    for x in (numbers(size), np.zeros(size, np.float32)):
        side, symbols = chain.encode_fixed(x)
        assert side == b""
        assert len(symbols) == math.ceil(size * bits / 8)


def test_a_flipped_bit_changes_one_element_to_another_of_the_table():
    chain, x = codec.create("centres", table=TABLE), numbers()
    sent = chain.encode_fixed(x)
    right = chain.decode_fixed(sent, x, NOTHING_MISSING)
    changed = []
    for bit in range(96):
        symbols = bytearray(sent.symbols)
        symbols[bit // 8] ^= 1 << bit % 8
        back = chain.decode_fixed(Fixed(b"", bytes(symbols)), x, NOTHING_MISSING)
        (where,) = np.flatnonzero(back != right)
        assert float(back[where]) in TABLE
        changed.append(where)
    np.testing.assert_array_equal(np.bincount(changed), np.full(32, 3))


def test_padding_that_was_hit_changes_nothing_and_what_is_missing_is_0():
    chain, x = codec.create("centres", table=TABLE), numbers(3)
    sent = chain.encode_fixed(x)
    right = chain.decode_fixed(sent, x, np.zeros(2, bool))
    hit = Fixed(b"", sent.symbols[:1] + bytes([sent.symbols[1] ^ 0b11111110]))
    np.testing.assert_array_equal(chain.decode_fixed(hit, x, np.zeros(2, bool)), right)
    lost = chain.decode_fixed(sent, x, np.array([False, True]))
    np.testing.assert_array_equal(lost, [right[0], right[1], 0.0])  # the third lies in both bytes


def test_the_default_levels_leave_the_error_that_theory_says():
    """Max 1960: 0.03454 of the power of normal numbers at eight levels."""
    x = numbers(200_000)
    chain = codec.create("centres")
    error = np.mean((chain.decode(chain.encode(x)) - x) ** 2)
    assert error == pytest.approx(0.03454, rel=0.02)


def test_a_stream_names_its_table_and_no_other_decodes_it():
    data = codec.create("centres", table=TABLE).encode(numbers())
    for decode in (codec.decode, codec.create("centres").decode):
        with pytest.raises(codec.MissingCalibrationError, match=r"create\('centres', table=\.\.\."):
            decode(data)
    assert len(data) == len(codec.create("centres").encode(numbers()))


@pytest.mark.parametrize(("table", "said"), [
    ((1.0,), "must hold 2, 4, 8 .. 256 numbers, got 1"),
    ((1.0, 2.0, 3.0), "got 3"),
    ((1.0, math.nan), "must be finite"),
])  # fmt: skip
def test_what_is_no_table_is_refused(table, said):
    with pytest.raises(codec.CodecOptionError, match=said):
        codec.create("centres", table=table)
