"""Whole numbers under tables that both sides hold: exact, short, read by no other tables."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import codec
from codec.entropy.frequency_tables import Table
from codec.stages.scalar import SENT
from codec.stream import container

CENTRES = (0, -3, 7, 2)
FRAMING = 6 + 3 + 4 + 4
"""Head, three dimensions, checksum; of the chunk kind, two lengths, number of sections."""


def table(*freqs):
    return Table(freqs=np.array(freqs, np.uint32), precision=sum(freqs).bit_length() - 1,
                 escape=True)  # fmt: skip


TABLES = (table(200, 30, 20, 4, 1, 1), table(9, 4, 2, 1), table(4, 2, 1, 1), table(1000, 20, 4))


def calibration(axis=-3, centres=CENTRES):
    n = len(TABLES)
    return codec.Calibration(
        axis=axis, mean=np.array(centres, np.float32), step=1.0, tables=TABLES,
        classes=np.arange(n, dtype=np.uint8), offsets=np.zeros((n, SENT), np.int8),
    )  # fmt: skip


KNOWN = calibration()
CHAIN = codec.create("prior", calibration=KNOWN)


def drawn(seed, rows=3, cols=3):
    """Numbers that follow the tables, escapes too rare to come."""
    draw, out = np.random.default_rng(seed), np.empty((len(TABLES), rows, cols), np.float32)
    for channel, (one, centre) in enumerate(zip(TABLES, CENTRES, strict=True)):
        freqs = one.freqs[:-1]
        codes = draw.choice(freqs.size, size=(rows, cols), p=freqs / freqs.sum())
        out[channel] = centre + np.where(codes % 2, -(codes + 1) // 2, codes // 2)
    return out


def expected_bits(x):
    bits = 0.0
    for channel, (one, centre) in enumerate(zip(TABLES, CENTRES, strict=True)):
        away = (x[channel] - centre).astype(int).ravel()
        codes = np.where(away < 0, -2 * away - 1, 2 * away)
        bits += one.bits(np.bincount(codes, minlength=one.freqs.size))
    return bits


wide = st.integers(-3000, 3000) | st.sampled_from([0, -(1 << 23), 1 << 23])


@given(x=hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=wide),
       extra=st.sampled_from([(), (1,), (2,)]))  # fmt: skip
def test_any_whole_numbers_come_back_as_they_were(x, extra):
    x = np.broadcast_to(x.astype(np.float32), (*extra, len(TABLES), *x.shape)).copy()
    x[..., 0, 0, 0] += 1 - 2 * (x[..., 0, 0, 0] > 0)
    back = codec.decode(CHAIN.encode(x), calibration=KNOWN)
    np.testing.assert_array_equal(back, x)
    assert back.dtype == x.dtype


def test_the_last_axis_may_hold_the_features():
    known = calibration(axis=-1)
    x = drawn(3).transpose(1, 2, 0)
    chain = codec.create("prior", calibration=known)
    np.testing.assert_array_equal(chain.decode(chain.encode(x)), x)


def test_other_numbers_are_rounded_half_to_even():
    x = np.linspace(-2.5, 2.5, 4 * 11, dtype=np.float32).reshape(4, 11, 1)
    np.testing.assert_array_equal(CHAIN.decode(CHAIN.encode(x)), np.rint(x))


@pytest.mark.parametrize("seed", range(40))
def test_bytes_are_those_of_the_tables_and_at_most_three_more(seed):
    x = drawn(seed, rows=3 + seed % 5)
    data, bits = CHAIN.encode(x), expected_bits(x)
    parts = codec.ledger(data)
    assert parts["header"] == FRAMING + 5 + (parts["values"] >= 16)  # a longer length
    assert math.ceil(bits / 8) <= parts["values"] <= bits / 8 + 3.05
    assert sum(parts.values()) == len(data) == parts["header"] + parts["values"]


def test_a_byte_of_zero_is_left_out_every_other_time():
    short = [codec.ledger(CHAIN.encode(drawn(seed)))["values"] % 2 for seed in range(60)]
    assert 15 <= sum(short) <= 45


def test_what_is_all_zero_is_a_header():
    data = codec.create("prior", calibration=calibration(centres=(0, 0, 0, 0))).encode(
        np.zeros((4, 3, 3), np.float32)
    )
    assert len(data) == 6 + 3 + 1 + 4


def test_the_same_stream_for_good():
    """Pinned: a table that both sides hold must never be read another way."""
    assert KNOWN.id.hex() == "a8ebf73739e13fa2"
    assert CHAIN.encode(drawn(0)).hex() == (
        "53460110000304030300022841a8ebf737139719970b1be9d4b24f9dc18d"
    )


def test_only_its_own_tables_read_a_stream():
    data = CHAIN.encode(drawn(1))
    other = codec.create("prior", calibration=calibration(centres=(1, -3, 7, 2)))
    with pytest.raises(codec.MissingCalibrationError, match=r"needs calibration .{8}, got"):
        other.decode(data)
    for decode in (codec.decode, codec.create("prior").decode):
        with pytest.raises(codec.MissingCalibrationError, match="such as scheme=ladon"):
            decode(data)


def test_a_calibration_is_read_from_its_file(tmp_path):
    KNOWN.save(tmp_path / "tables.npz")
    chain = codec.create("prior", calibration=str(tmp_path / "tables.npz"))
    assert chain.encode(drawn(2)) == CHAIN.encode(drawn(2))


def test_a_byte_that_should_have_been_left_out_is_refused():
    """There is one spelling of every stream."""
    header, chunks = container.read(next(
        data for data in map(CHAIN.encode, map(drawn, range(60)))
        if codec.ledger(data)["values"] % 2
    ))  # fmt: skip
    head, values = (bytes(section.data) for section in chunks[0].sections)
    spelt_out = [
        container.Section("header", head[:-1] + bytes([head[-1] & 0x7F])),
        container.Section("values", values[:3] + b"\0" + values[3:]),
    ]
    data = container.write(header, [container.Chunk(container.CODED, tuple(spelt_out))])
    with pytest.raises(codec.CorruptBitstreamError, match="should have been left out"):
        CHAIN.decode(data)


@pytest.mark.parametrize(("x", "said"), [
    (np.arange(27.0).reshape(3, 3, 3), "has 4 channels along axis -3, got"),
    (np.arange(4.0), "has 4 channels along axis -3, got"),
    (np.linspace(0, 2**24, 36).reshape(4, 3, 3), "takes numbers up to 8388608, got"),
])  # fmt: skip
def test_what_it_cannot_encode_is_refused(x, said):
    with pytest.raises(codec.UnsupportedInputError, match=said):
        CHAIN.encode(x.astype(np.float32))


def test_without_tables_nothing_is_encoded():
    with pytest.raises(codec.MissingCalibrationError, match="prior needs a calibration"):
        codec.create("prior").encode(drawn(0))
