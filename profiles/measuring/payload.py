"""What a sample's parts become on the way: a stream, or one stream for every part.

    one part        its stream
    several         length (4 bytes, little-endian; its top bit: exact) and stream of each, in order

Floats go through the codec, float64 as float32. Whole numbers, booleans (as bits) and complex
numbers cross exactly, and so does one of several parts that holds NaN or infinities, such as a
mask; alone the codec refuses it.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import codec
from codec.chains.images import ByteCodec
from codec.stream.base import PARTS

Shapes = tuple[tuple[int, ...], ...]
"""Of every part of a row of numbers: its shape; none where a codec has but one to encode."""

_EXACT = codec.create("raw8")
_LENGTH = struct.Struct("<I")
_MARK = 1 << 31


def encode(chosen: codec.Codec, parts: Sequence[np.ndarray]) -> bytes:
    """The payload of one sample."""
    if len(parts) == 1:
        return _encode(chosen, parts[0], exact=_is_exact(chosen, parts[0]))
    pieces = []
    for part in parts:
        exact = _is_exact(chosen, part) or not np.isfinite(part).all()
        stream = _encode(chosen, part, exact=exact)
        pieces += [_LENGTH.pack(len(stream) | (_MARK if exact else 0)), stream]
    return b"".join(pieces)


def decode(
    chosen: codec.Codec, payload: bytes, like: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """The parts of a payload; `like` has their types and shapes, which the server knows."""
    if len(like) == 1:
        return (_decode(chosen, payload, like[0], exact=_is_exact(chosen, like[0])),)
    pieces = zip(_streams(payload), like, strict=True)
    return tuple(_decode(chosen, stream, part, exact=exact) for (stream, exact), part in pieces)


def ledger(payload: bytes, n_parts: int, chosen: Any = None) -> Mapping[str, int]:
    """Bytes by what they are for; the lengths of parts count to the header. A codec whose payload
    is no stream of ours has a `ledger` of its own.
    """
    own = getattr(chosen, "ledger", None)
    if own is not None:
        booked: Mapping[str, int] = own(payload)
        return booked
    if n_parts == 1:
        return codec.ledger(payload)
    each = [codec.ledger(stream) for stream, _ in _streams(payload)]
    total = {name: sum(one.get(name, 0) for one in each) for name in PARTS}
    return {**total, "header": total["header"] + n_parts * _LENGTH.size}


def _is_exact(chosen: codec.Codec, part: np.ndarray) -> bool:
    """Whether a part of this type crosses to the bit, whatever it holds."""
    return part.dtype.kind != "f" and not (part.dtype == np.uint8 and isinstance(chosen, ByteCodec))


def _streams(payload: bytes) -> list[tuple[bytes, bool]]:
    """Every stream of a payload of several, and whether it is exact."""
    streams, at = [], 0
    while at < len(payload):
        (word,) = _LENGTH.unpack_from(payload, at)
        start = at + _LENGTH.size
        at = start + (word & ~_MARK)
        streams.append((payload[start:at], bool(word & _MARK)))
    return streams


def _encode(chosen: codec.Codec, part: np.ndarray, *, exact: bool) -> bytes:
    if exact:
        return _EXACT.encode(_to_bytes(part))
    return chosen.encode(part.astype(np.float32) if part.dtype == np.float64 else part)


def _decode(chosen: codec.Codec, stream: bytes, like: np.ndarray, *, exact: bool) -> np.ndarray:
    if exact:
        return _from_bytes(np.asarray(_EXACT.decode(stream)), like)
    return np.asarray(chosen.decode(stream)).astype(like.dtype, copy=False)


def _to_bytes(part: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(part).reshape(-1)
    return np.packbits(flat) if flat.dtype == bool else flat.view(np.uint8)


def _from_bytes(data: np.ndarray, like: np.ndarray) -> np.ndarray:
    if like.dtype == bool:
        return np.unpackbits(data, count=like.size).astype(bool).reshape(like.shape)
    return data.view(like.dtype).reshape(like.shape)


def floats(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, Shapes]:
    """What a codec encodes of the parts [sample, ...]: one of them as it is, several as rows.

    Raises:
        ValueError: there is nothing but whole numbers.
    """
    coded = [part for part in parts if _is_coded(part)]
    if not coded:
        raise ValueError(f"only {parts[0].dtype} crosses here, exactly: there is nothing to encode")
    if len(coded) == 1:
        return coded[0], ()
    rows = np.concatenate([part.reshape(len(part), -1) for part in coded], 1)
    return rows, tuple(part.shape[1:] for part in coded)


def with_floats(parts: Sequence[np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """The parts, those of `floats` taken from what became of it."""
    left, whole = rows.reshape(len(rows), -1), list[np.ndarray]()
    for part in parts:
        if _is_coded(part):
            n = part[0].size
            whole.append(left[:, :n].reshape(part.shape).astype(part.dtype))
            left = left[:, n:]
        else:
            whole.append(part)
    return tuple(whole)


@dataclass(frozen=True, kw_only=True)
class InParts:
    """A codec of rows that are made of parts, each of which it encodes by itself."""

    chosen: Any
    shapes: Shapes

    def encode(self, row: np.ndarray) -> bytes:
        """The payload of the parts of a row."""
        return encode(self.chosen, self._parts(row))

    def decode(self, payload: bytes) -> np.ndarray:
        """The row of a payload."""
        like = [np.empty(shape, np.float32) for shape in self.shapes]
        return np.concatenate([part.ravel() for part in decode(self.chosen, payload, like)])

    def _parts(self, row: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        pieces = zip(np.split(row, ends), self.shapes, strict=True)
        return [piece.reshape(shape) for piece, shape in pieces]


def _is_coded(part: np.ndarray) -> bool:
    """Whether the numbers of a batch of a part go through a codec."""
    return part.dtype.kind == "f" and bool(np.isfinite(part).all())
