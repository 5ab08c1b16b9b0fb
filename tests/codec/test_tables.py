"""Frequency tables: sums, optimality against a brute force, the wire, damage."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.entropy import frequency_tables as tables
from codec.stream.base import CorruptBitstreamError

counts_of = st.lists(st.integers(0, 10**6), min_size=1, max_size=60).filter(any)


@given(counts=counts_of, precision=st.one_of(st.none(), st.integers(7, 15)))
def test_frequencies_fill_the_slots_and_name_every_symbol(counts, precision):
    table = tables.fit(np.array(counts, np.uint32), precision=precision)
    assert int(table.freqs.sum()) == 1 << table.precision
    assert np.array_equal(table.freqs > 0, np.array(counts) > 0)


@given(counts=st.lists(st.integers(1, 500), min_size=2, max_size=3))
def test_frequencies_are_within_a_slot_of_the_best_ones(counts):
    table = tables.fit(np.array(counts, np.uint32), precision=5)
    size = 1 << table.precision
    free = itertools.product(range(1, size), repeat=len(counts) - 1)
    every = ([*head, size - sum(head)] for head in free if sum(head) < size)
    best = min(float(np.array(counts) @ (table.precision - np.log2(f))) for f in every)
    assert table.bits(counts) <= best * 1.01 + 1.0


@given(counts=counts_of, escapes=st.integers(0, 50), tail=st.binary(max_size=4))
def test_tables_come_back_from_their_bytes(counts, escapes, tail):
    table = tables.fit(np.array(counts, np.uint32), escapes=escapes)
    data = table.to_bytes()
    back, used = tables.parse(data + tail, escape=table.escape)
    first = np.flatnonzero(table.freqs)[-1] + 1
    assert used == len(data)
    assert np.array_equal(back.freqs[:first], table.freqs[:first])
    assert back.precision == table.precision


@given(st.binary(max_size=80))
def test_hostile_tables_raise_or_are_sound(data):
    try:
        table, used = tables.parse(data)
    except CorruptBitstreamError:
        return
    assert used <= len(data)
    assert int(table.freqs.sum()) == 1 << table.precision


def test_a_static_table_codes_what_it_never_saw():
    table = tables.fit_static(np.array([900, 40, 0, 3], np.uint32), limit=9)
    assert table.escape
    assert table.limit == 9
    assert table.freqs.min() >= 1


@given(counts=counts_of, far=st.integers(100, 2**31 - 1))
def test_a_far_outlier_is_escaped_and_never_named(counts, far):
    seen = np.zeros(min(far + 1, tables.MAX_SYMBOLS), np.uint32)
    seen[: len(counts)] = counts
    seen[-1] += 1
    limit = tables.cut(seen, far)
    assert 1 <= limit <= tables.MAX_SYMBOLS
    if far >= tables.MAX_SYMBOLS:
        assert limit < tables.MAX_SYMBOLS


def test_entropy_bits_is_the_closed_form():
    assert tables.entropy_bits([8, 8, 0, 16]) == pytest.approx(32 * 1.5)


@pytest.mark.parametrize(
    ("freqs", "precision", "message"),
    [([8], 0, "precision must lie in"), ([8, 9], 4, "must add up to 16, got 17")],
)
def test_a_table_validates_itself(freqs, precision, message):
    with pytest.raises(ValueError, match=message):
        tables.Table(freqs=np.array(freqs, np.uint32), precision=precision)
