"""The bitstream around every chain: what it holds, in which pieces, and whether it is whole.

    "SF" | version u8 | chain u8 | dtype and flags u8 | ndim u8 | dims varint...
         | [chunk elements varint]            only if the tensor takes more than one chunk
         | chunk...                           nothing for a tensor without elements
         | crc32 of everything before, u32

    chunk: kind u8     0 coded | 1 all zero | 2 constant
           coded:      n_sections u8, n_sections x varint (length << 3 | part), then their bytes
           constant:   one element in the dtype of the tensor

Hostile input ends here: the checksum comes first, every dimension and their product are bounded
before anything is allocated, every length is compared with the bytes that are there, and the last
chunk must end where the checksum begins. Chains read the sections with the same care, since a
checksum can be forged.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from codec.stream.base import FORMAT_VERSION, PARTS, CorruptBitstreamError
from codec.stream.fields import Reader, Writer

MAX_ELEMENTS = 1 << 28
"""Elements that a decoder allocates unless its caller allows more: 1 GiB of float32."""
CHUNK_ELEMENTS = 1 << 22
"""Elements per chunk; working memory grows with the chunk, never with the tensor."""

_MAGIC = b"SF"
_MAX_NDIM = 16
_MAX_SECTIONS = 64
_CHECKSUM_BYTES = 4
_DTYPE_MASK, _TORCH_FLAG, _CHUNKED_FLAG = 0x0F, 0x10, 0x20

CODED, ZERO, CONSTANT = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a stream holds: written by which chain, of which dtype and shape, in which chunks."""

    chain: int
    dtype: int
    shape: tuple[int, ...]
    torch: bool = False
    chunk_elements: int = CHUNK_ELEMENTS

    @property
    def elements(self) -> int:
        """Elements of the tensor: 1 for a scalar, 0 where a dimension is 0."""
        return math.prod(self.shape)

    @property
    def n_chunks(self) -> int:
        """Chunks of the stream, the last one possibly shorter than the others."""
        return -(-self.elements // self.chunk_elements)

    def spans(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of every chunk, in elements of the flattened tensor."""
        for start in range(0, self.elements, self.chunk_elements):
            yield start, min(start + self.chunk_elements, self.elements)


class Section(NamedTuple):
    """Bytes that the ledger books under one part, an entry of `PARTS`."""

    part: str
    data: bytes | memoryview


class Chunk(NamedTuple):
    """Sections of a coded chunk, or the kind that needs none; a constant's element is in `data`.

    A chain that frames its sections itself (`codec.stream.framing`) hands on the `framed` chunk.
    """

    kind: int
    sections: tuple[Section, ...] = ()
    data: bytes | memoryview = b""
    framed: bytes | memoryview = b""


def write(header: Header, chunks: Iterable[Chunk]) -> bytes:
    """The stream of a header and its chunks, checksum included."""
    shape = header.shape
    chunked = header.chunk_elements != CHUNK_ELEMENTS or header.n_chunks > 1
    flags = (_TORCH_FLAG if header.torch else 0) | (_CHUNKED_FLAG if chunked else 0)
    head = bytes((*_MAGIC, FORMAT_VERSION, header.chain, header.dtype | flags, len(shape)))
    out = Writer().raw(head)
    for dim in shape:
        out.varint(dim)
    if chunked:
        out.varint(header.chunk_elements)
    for chunk in chunks:
        _write_chunk(out, chunk)
    return out.raw(zlib.crc32(out.buffer).to_bytes(_CHECKSUM_BYTES, "little")).done()


def read(
    data: bytes | memoryview, *, max_elements: int = MAX_ELEMENTS
) -> tuple[Header, list[Chunk]]:
    """Header and chunks of a stream; sections are views into `data`.

    Raises CorruptBitstreamError for anything but a whole stream of this version whose tensor has
    at most `max_elements` elements.
    """
    header, body = open_stream(data, max_elements=max_elements)
    return header, read_chunks(header, body)


def open_stream(
    data: bytes | memoryview, *, max_elements: int = MAX_ELEMENTS
) -> tuple[Header, Reader]:
    """Header of a stream whose ends and checksum are right, and its chunks yet unread."""
    whole = memoryview(data)
    body = Reader(_check_ends(whole if whole.format == "B" else whole.cast("B")))
    return _read_header(body, max_elements), body


def read_chunks(header: Header, body: Reader) -> list[Chunk]:
    """All chunks, which must end where the stream does."""
    if header.n_chunks > body.remaining:
        raise CorruptBitstreamError(
            f"{header.n_chunks} chunks cannot lie in {body.remaining} bytes"
        )
    element_bytes = ELEMENT_BYTES[header.dtype]
    chunks = [_read_chunk(body, element_bytes) for _ in range(header.n_chunks)]
    body.end()
    return chunks


ELEMENT_BYTES = (4, 2, 2, 1)
"""Bytes per element of the dtypes 0 float32, 1 float16, 2 bfloat16, 3 uint8."""


def ledger(data: bytes | memoryview) -> dict[str, int]:
    """Bytes of a stream by part; they add up to its length. Framing is part of the header."""
    _, chunks = read(data, max_elements=1 << 62)
    sizes = dict.fromkeys(PARTS, 0)
    for chunk in chunks:
        sizes["scales"] += len(chunk.data)
        for section in chunk.sections:
            sizes[section.part] += len(section.data)
    sizes["header"] += len(data) - sum(sizes.values())
    return sizes


def _write_chunk(out: Writer, chunk: Chunk) -> None:
    if chunk.framed:
        out.raw(chunk.framed)
        return
    out.u8(chunk.kind)
    if chunk.kind == CONSTANT:
        out.raw(chunk.data)
    if chunk.kind != CODED:
        return
    out.u8(len(chunk.sections))
    for section in chunk.sections:
        out.varint(len(section.data) << 3 | PARTS.index(section.part))
    for section in chunk.sections:
        out.raw(section.data)


def _check_ends(data: memoryview) -> memoryview:
    """The bytes in front of the checksum, after comparing magic, version and checksum."""
    if len(data) < len(_MAGIC) + 1 + _CHECKSUM_BYTES or data[: len(_MAGIC)] != _MAGIC:
        raise CorruptBitstreamError("not a stream of this library: no magic number")
    body, stored = data[:-_CHECKSUM_BYTES], int.from_bytes(data[-_CHECKSUM_BYTES:], "little")
    if body[2] != FORMAT_VERSION:
        raise CorruptBitstreamError(f"version must be {FORMAT_VERSION}, got {body[2]}")
    if zlib.crc32(body) != stored:
        raise CorruptBitstreamError("checksum differs: the stream is damaged or truncated")
    return body


def _read_header(body: Reader, max_elements: int) -> Header:
    body.raw(len(_MAGIC) + 1)
    chain, flags, ndim = body.u8(), body.u8(), body.u8(_MAX_NDIM)
    dtype = flags & _DTYPE_MASK
    if dtype >= len(ELEMENT_BYTES) or flags & ~(_DTYPE_MASK | _TORCH_FLAG | _CHUNKED_FLAG):
        raise CorruptBitstreamError(f"unknown dtype or flags 0x{flags:02x}")
    shape = tuple([body.varint((1 << 62) - 1) for _ in range(ndim)])
    elements = math.prod(shape)
    if elements > max_elements or (not elements and math.prod(filter(None, shape)) >= 1 << 62):
        raise CorruptBitstreamError(
            f"shape {shape} holds more than {max_elements} elements; pass max_elements= for more"
        )
    chunked = bool(flags & _CHUNKED_FLAG)
    size = body.varint(CHUNK_ELEMENTS) if chunked else CHUNK_ELEMENTS
    if size < 1 or (not chunked and elements > size):
        raise CorruptBitstreamError(f"chunks of {size} elements do not make {shape}")
    return Header(
        chain=chain, dtype=dtype, shape=shape, torch=bool(flags & _TORCH_FLAG), chunk_elements=size
    )


def _read_chunk(body: Reader, element_bytes: int) -> Chunk:
    kind = body.u8(CONSTANT)
    if kind == ZERO:
        return Chunk(ZERO)
    if kind == CONSTANT:
        return Chunk(CONSTANT, data=body.raw(element_bytes))
    marks = [body.varint((1 << 62) - 1) for _ in range(body.u8(_MAX_SECTIONS))]
    if any(mark & 7 >= len(PARTS) for mark in marks):
        raise CorruptBitstreamError("a section of no known part")
    return Chunk(CODED, tuple(Section(PARTS[mark & 7], body.raw(mark >> 3)) for mark in marks))
