"""The bitstream's frame: what it says, and what it refuses."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.stream import container
from codec.stream.base import PARTS
from codec.stream.container import Chunk, Header, Section


def repaired(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


sections = st.lists(
    st.builds(Section, st.sampled_from(PARTS), st.binary(max_size=40)), max_size=6
).map(tuple)
shapes = st.lists(st.integers(0, 9), max_size=5).map(tuple)


@given(shapes, st.integers(0, 255), st.integers(0, 2), st.booleans(), sections)
def test_header_and_sections_come_back(shape, chain, dtype, torch, parts):
    header = Header(chain=chain, dtype=dtype, shape=shape, torch=torch)
    chunks = [Chunk(container.CODED, parts)] * header.n_chunks
    data = container.write(header, chunks)
    found, back = container.read(data)
    assert found == header
    for chunk in back:
        assert [(s.part, bytes(s.data)) for s in chunk.sections] == [
            (s.part, s.data) for s in parts
        ]
    assert sum(container.ledger(data).values()) == len(data)


def test_ledger_books_every_byte():
    parts = (Section("values", b"12345"), Section("labels", b"1"), Section("values", b"12"))
    header = Header(chain=1, dtype=0, shape=(2,))
    data = container.write(header, [Chunk(container.CODED, parts)])
    sizes = container.ledger(data)
    assert (sizes["values"], sizes["labels"], sizes["positions"]) == (7, 1, 0)
    assert sizes["header"] == len(data) - 8


def test_long_tensor_is_chunked():
    header = Header(chain=1, dtype=1, shape=(10, 4), chunk_elements=12)
    assert list(header.spans()) == [(0, 12), (12, 24), (24, 36), (36, 40)]
    chunks = [Chunk(container.ZERO)] * 3 + [Chunk(container.CONSTANT, data=b"\x00<")]
    found, back = container.read(container.write(header, chunks))
    assert found == header
    assert [chunk.kind for chunk in back] == [container.ZERO] * 3 + [container.CONSTANT]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"SF",
        b"XX\x01\x01\x00\x00",
        b"SF\x02\x01\x00\x00\x01",  # another version
        b"SF\x01\x01\x04\x00\x01",  # no such dtype
        b"SF\x01\x01\x40\x00\x01",  # no such flag
        b"SF\x01\x01\x00\x11" + b"\x01" * 17,  # 17 dimensions
        b"SF\x01\x01\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x01",  # 2**62 elements
        b"SF\x01\x01\x00\x02\x80\x80\x80\x80\x20\x80\x80\x80\x80\x20\x01",  # product 2**66
        b"SF\x01\x01\x00\x01\x82\x00\x01",  # a padded integer
        b"SF\x01\x01\x20\x01\x02\x00\x01\x01",  # chunks of no element
        b"SF\x01\x01\x20\x01\x80\x80\x40\x01\x01",  # a million chunks in one byte
        b"SF\x01\x01\x00\x01\x02",  # chunk missing
        b"SF\x01\x01\x00\x01\x02\x03",  # no such kind
        b"SF\x01\x01\x00\x01\x02\x01\x00",  # a byte too many
        b"SF\x01\x01\x00\x01\x02\x00\x41",  # 65 sections
        b"SF\x01\x01\x00\x01\x02\x00\x01\x06",  # a part that does not exist
        b"SF\x01\x01\x00\x01\x02\x00\x01\x09",  # section longer than the stream
        b"SF\x01\x01\x00\x01\x02\x02\x00\x00",  # constant of four bytes cut to two
    ],
)
def test_hostile_frames_are_refused(body):
    with pytest.raises(codec.CorruptBitstreamError):
        container.read(repaired(body))


def test_bound_is_the_callers():
    data = container.write(Header(chain=1, dtype=0, shape=(100,)), [Chunk(container.ZERO)])
    assert container.read(data, max_elements=100)[0].shape == (100,)
    with pytest.raises(codec.CorruptBitstreamError, match="more than 99"):
        container.read(data, max_elements=99)


def test_every_single_bit_flip_is_noticed():
    x = np.random.default_rng(1).normal(size=(3, 40)).astype(np.float32)
    data = codec.create("slicer").encode(x)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(codec.CorruptBitstreamError):
            codec.decode(bytes(damaged))


def test_every_truncation_is_noticed():
    data = codec.create("slicer").encode(np.arange(50, dtype=np.float16))
    for size in range(len(data)):
        with pytest.raises(codec.CorruptBitstreamError):
            codec.decode(data[:size])
