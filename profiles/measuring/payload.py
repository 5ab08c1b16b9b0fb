"""What a sample's parts become on the way: a stream, or one stream for every part.

    one part        its stream
    several         length (4 bytes, little-endian; its top bit: exact) and stream of each, in order

Floats go through the codec, float64 as float32. Whole numbers, booleans (as bits) and complex
numbers cross exactly, and so does one of several parts that holds NaN or infinities, such as a
mask; alone the codec refuses it.
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

import codec
from codec.chains.images import ByteCodec
from codec.stream.base import PARTS

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


def ledger(payload: bytes, n_parts: int) -> Mapping[str, int]:
    """Bytes by what they are for; the lengths of parts count to the header."""
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
