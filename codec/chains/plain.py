"""The plain baselines: floats as they are, and uniform integers between minimum and maximum.

raw16, raw32   x --> 16 or 32 bits per element ------------------------> values
int8, int4     x --> round((x - min) / step) --> 8 or 4 bits ----------> values
                 \\-> min, max of the chunk or of every channel -------> scales

All have a fixed length and no entropy code, so that their symbols may be damaged on the way.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.entropy import packing
from codec.stream import container, floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError
from codec.stream.container import Chunk, Section
from codec.stream.fields import Reader
from codec.stream.frame import Bytes, FloatCodec, Patch, sections_of
from codec.stream.tolerance import Fixed, elements_of
from codec.whole import integers

Floats = npt.NDArray[np.float32]

_MAX_NDIM = 16


@dataclass(frozen=True, kw_only=True)
class _Raw(FloatCodec):
    """Elements of a storage type, one after another."""

    stored: ClassVar[int]

    def encode_fixed(self, x: npt.NDArray[np.floating]) -> Fixed:
        """All elements, nothing beside them."""
        return Fixed(b"", floats.from_float32(_flat(self, x), self.stored).tobytes())

    def decode_fixed(
        self, payload: Fixed, like: npt.NDArray[np.floating], missing: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating]:
        """The numbers that arrived; 0 for one that is missing or no finite number any more."""
        storage = floats.STORAGE[self.stored]
        elements = np.frombuffer(payload.symbols, dtype=storage).copy()
        x = floats.to_float32(elements, self.stored)
        lost = elements_of(missing, like.size, 8 * storage.itemsize) | ~np.isfinite(x)
        return np.where(lost, np.float32(0), x).astype(like.dtype).reshape(like.shape)


@dataclass(frozen=True, kw_only=True)
class Raw16(_Raw):
    """float16, round to nearest even, saturating at 65504: exact for float16 input only.

    A bfloat16 tensor fits no float16; its numbers are rounded to float16 like any others.
    """

    name: ClassVar[str] = "raw16"
    chain_id: ClassVar[int] = 2
    stored: ClassVar[int] = floats.FLOAT16

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Two bytes per element."""
        return [Section("values", floats.from_float32(x, floats.FLOAT16).tobytes())]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The numbers that were sent."""
        return _floats(sections, patch.size, floats.FLOAT16)


@dataclass(frozen=True, kw_only=True)
class Raw32(_Raw):
    """float32: exact for every dtype."""

    name: ClassVar[str] = "raw32"
    chain_id: ClassVar[int] = 3
    stored: ClassVar[int] = floats.FLOAT32

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Four bytes per element."""
        return [Section("values", x.astype("<f4", copy=False).tobytes())]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The numbers that were sent."""
        return _floats(sections, patch.size, floats.FLOAT32)


@dataclass(frozen=True, kw_only=True)
class _Integer(FloatCodec):
    """Minimum to maximum in 2**bits levels; `axis` gives every index of that axis its own."""

    axis: int | None = None
    bits: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        valid = isinstance(self.axis, int) and not isinstance(self.axis, bool)
        if self.axis is not None and not (valid and -_MAX_NDIM <= self.axis < _MAX_NDIM):
            raise CodecOptionError(f"{self.name}.axis must be None or an axis, got {self.axis!r}")

    def make_chunk(self, x: Floats, patch: Patch) -> Chunk:
        """In one piece where one range serves all."""
        if self.axis is None:
            return Chunk(container.CODED, framed=integers.encode(x, self.bits).data)
        return super().make_chunk(x, patch)

    def decode_whole(self, data: Bytes, at: int, patch: Patch) -> Floats | None:
        """Where one range serves all."""
        return integers.decode(data, at, patch.size, self.bits)

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Levels of `bits` bits, a range of two float32 per channel."""
        axis = 0 if self.axis is None else self._find_axis(patch) + 1
        channels = _channels(patch, axis)
        low, high = integers.ranges(x, channels)
        return [
            Section("header", bytes([axis])),
            Section("scales", np.stack([low, high], axis=1).astype("<f4", copy=False).tobytes()),
            Section("values", integers.pack(x, low, high, channels, self.bits).tobytes()),
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """low + level * step of the element's channel."""
        head, scales, values = sections_of(sections, "header", "scales", "values")
        fields = Reader(head)
        channels = _channels(patch, fields.u8(len(patch.shape)))
        fields.end()
        if len(scales) != 8 * channels.size:
            raise CorruptBitstreamError(f"{channels.size} ranges do not take {len(scales)} bytes")
        ranges = np.frombuffer(scales, dtype="<f4").reshape(-1, 2)
        if not np.isfinite(ranges).all() or (ranges[:, 0] > ranges[:, 1]).any():
            raise CorruptBitstreamError("a range must rise and be finite")
        packing.check_length(values, patch.size * self.bits)
        out = np.empty(patch.size, dtype=np.float32)
        low, high = np.ascontiguousarray(ranges.T, dtype=np.float32)
        integers.unpack(np.frombuffer(values, dtype=np.uint8), low, high, channels, out)
        return out

    def encode_fixed(self, x: npt.NDArray[np.floating]) -> Fixed:
        """The levels; beside them the ranges, 8 bytes for each."""
        flat, channels = _flat(self, x), self._channels_of(x.shape)
        low, high = integers.ranges(flat, channels)
        side = np.stack([low, high], axis=1).astype("<f4", copy=False).tobytes()
        return Fixed(side, integers.pack(flat, low, high, channels, self.bits).tobytes())

    def decode_fixed(
        self, payload: Fixed, like: npt.NDArray[np.floating], missing: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating]:
        """low + level * step; 0 for a level that is missing."""
        ranges = np.frombuffer(payload.side, dtype="<f4").reshape(-1, 2)
        low, high = np.ascontiguousarray(ranges.T, dtype=np.float32)
        out = np.empty(like.size, dtype=np.float32)
        levels = np.frombuffer(payload.symbols, dtype=np.uint8)
        integers.unpack(levels, low, high, self._channels_of(like.shape), out)
        out[elements_of(missing, like.size, self.bits)] = 0
        return out.astype(like.dtype).reshape(like.shape)

    def _channels_of(self, shape: tuple[int, ...]) -> integers.Channels:
        patch = Patch(shape, 0, math.prod(shape))
        return _channels(patch, 0 if self.axis is None else self._find_axis(patch) + 1)

    def _find_axis(self, patch: Patch) -> int:
        axis, ndim = self.axis or 0, len(patch.shape)
        if not -ndim <= axis < ndim:
            raise CodecOptionError(f"{self.name}.axis must lie in a {ndim}-D tensor, got {axis}")
        return axis % ndim


@dataclass(frozen=True, kw_only=True)
class Int8(_Integer):
    """256 levels between minimum and maximum."""

    name: ClassVar[str] = "int8"
    chain_id: ClassVar[int] = 4
    bits: ClassVar[int] = 8


@dataclass(frozen=True, kw_only=True)
class Int4(_Integer):
    """16 levels between minimum and maximum."""

    name: ClassVar[str] = "int4"
    chain_id: ClassVar[int] = 5
    bits: ClassVar[int] = 4


def _flat(chain: FloatCodec, x: npt.NDArray[np.floating]) -> Floats:
    """In the order of the tensor, float32, finite."""
    flat = np.ascontiguousarray(x, dtype=np.float32).reshape(-1)
    return flat if np.isfinite(flat).all() else chain.clamp(flat, floats.FLOAT32)


def _floats(sections: tuple[Section, ...], size: int, dtype: int) -> Floats:
    (values,) = sections_of(sections, "values")
    storage = floats.STORAGE[dtype]
    if len(values) != size * storage.itemsize:
        raise CorruptBitstreamError(f"{size} elements do not take {len(values)} bytes")
    x = floats.to_float32(np.frombuffer(values, dtype=storage).copy(), dtype)
    if not floats.look(x).finite:
        raise CorruptBitstreamError("a tensor must be finite")
    return x


def _channels(patch: Patch, axis: int) -> integers.Channels:
    """Which channel every element belongs to; axis 0 means one channel for all."""
    if axis == 0:
        return integers.Channels(1, patch.size, 0)
    inner = math.prod(patch.shape[axis:])
    return integers.Channels(patch.shape[axis - 1], inner, patch.start)
