"""From a tensor of anyone's to chunks of float32, and back: what all chains of floats share.

    tensor -> numpy, its dtype -> finite? -> chunks -> [chain] -> container -> bytes

numpy arrays of float32 and float16 are taken as they are, torch tensors of float32, float16 and
bfloat16 from any device; strides may be any. A chunk that is zero or constant never reaches the
chain. A chain is a frozen dataclass whose fields are its options.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.stream import container, floats
from codec.stream.arrays import Stored, flat_piece, from_numpy, to_numpy
from codec.stream.base import (
    CodecOptionError,
    CorruptBitstreamError,
    NonFiniteError,
)
from codec.stream.container import CHUNK_ELEMENTS, MAX_ELEMENTS, Chunk, Header, Section
from codec.stream.fields import Reader

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


class Patch(NamedTuple):
    """The place of a chunk in its tensor: elements start..stop of the flattened `shape`."""

    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Elements of the chunk, at least 1."""
        return self.stop - self.start

    @property
    def cols(self) -> int:
        """Length of the last axis if the chunk holds whole rows of it, else the chunk's size."""
        last = self.shape[-1] if self.shape else 1
        return self.size if self.start % last or self.size % last else last

    @property
    def rows(self) -> int:
        """Rows of `cols` elements."""
        return self.size // self.cols

    @property
    def planes(self) -> tuple[int, int, int]:
        """The chunk as maps (planes, rows, cols): the last two axes, where it holds whole ones."""
        if len(self.shape) >= 3:
            rows, cols = self.shape[-2:]
            if self.start % (rows * cols) == 0 and self.size % (rows * cols) == 0:
                return self.size // (rows * cols), rows, cols
        return 1, self.rows, self.cols


@dataclass(frozen=True, kw_only=True)
class FloatCodec(ABC):
    """A codec of float tensors; a chain adds its options, and the two ways of one chunk."""

    nonfinite: str = "error"

    name: ClassVar[str]
    chain_id: ClassVar[int]

    def __post_init__(self) -> None:
        require_choice(self.name, "nonfinite", self.nonfinite, ("error", "clamp"))

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its value."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def spec(self) -> str:
        """Name and options, sorted: `int8(axis=None,nonfinite='error')`."""
        inside = ",".join(f"{k}={v!r}" for k, v in sorted(self.options.items()))
        return f"{self.name}({inside})"

    @abstractmethod
    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Sections of one chunk x (patch.size,), finite and not constant."""

    @abstractmethod
    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The finite (patch.size,) values of `sections`, whatever this object's options are."""

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """In which order the axes of a tensor of this shape are chunked; None for its own order."""
        return None

    def make_chunk(self, x: Floats, patch: Patch) -> Chunk:
        """The chunk of what `encode_chunk` makes; a chain may write it in one piece."""
        return Chunk(container.CODED, tuple(self.encode_chunk(x, patch)))

    def decode_whole(self, data: Bytes, at: int, patch: Patch) -> Floats | None:
        """What `decode_chunk` makes of the last chunk, data[at:], framed; None where it must.

        Nothing is refused here: `decode_chunk` says what is wrong with a chunk.
        """
        return None

    def encode(self, x: Any) -> bytes:
        """A self-describing stream of a float tensor.

        Raises UnsupportedInputError for other dtypes, NonFiniteError for NaN or infinity unless
        `nonfinite="clamp"`.
        """
        array, dtype, torch = to_numpy(x)
        axes = self.axes(array.shape)
        laid = array if axes is None else array.transpose(axes)
        header = Header(
            chain=self.chain_id,
            dtype=dtype,
            shape=array.shape,
            torch=torch,
            chunk_elements=chunk_elements(laid.shape),
        )
        return container.write(header, self._chunks(laid, header))

    def decode(self, data: bytes, *, max_elements: int = MAX_ELEMENTS, device: str = "cpu") -> Any:
        """The tensor of a stream that this chain wrote, with any options.

        numpy for a stream of a numpy array, else a torch tensor on `device`. Raises
        CorruptBitstreamError for damaged streams, for those of another chain, and for tensors of
        more than `max_elements` elements.
        """
        header, body = container.open_stream(data, max_elements=max_elements)
        if header.chain != self.chain_id:
            raise CorruptBitstreamError(f"stream of chain {header.chain}, not of {self.name!r}")
        return self.decode_body(header, body, device=device)

    def decode_body(self, header: Header, body: Reader, *, device: str = "cpu") -> Any:
        """The tensor of a stream of which `container.open_stream` has read the header."""
        size = header.elements
        if 0 < size <= header.chunk_elements and header.dtype != floats.UINT8:
            data = np.frombuffer(body.data, dtype=np.uint8)
            whole = self.decode_whole(data, body.at, Patch(header.shape, 0, size))
            if whole is not None:
                stored = _stored(whole, header.dtype)
                return from_numpy(stored.reshape(header.shape), header, device)
        return self.decode_stream(header, container.read_chunks(header, body), device=device)

    def decode_stream(self, header: Header, chunks: list[Chunk], *, device: str = "cpu") -> Any:
        """The tensor of a stream that `container.read` has taken apart."""
        if header.dtype == floats.UINT8:
            raise CorruptBitstreamError(f"{self.name!r} holds no uint8 tensors")
        if len(chunks) == 1 and chunks[0].kind == container.CODED:
            whole = self._decode_one(chunks[0], Patch(header.shape, 0, header.elements), header)
            return from_numpy(whole.reshape(header.shape), header, device)
        axes = self.axes(header.shape)
        shape = header.shape if axes is None else tuple(header.shape[axis] for axis in axes)
        out = np.empty(header.elements, dtype=floats.STORAGE[header.dtype])
        for chunk, (start, stop) in zip(chunks, header.spans(), strict=True):
            out[start:stop] = self._decode_one(chunk, Patch(shape, start, stop), header)
        laid = out.reshape(shape)
        if axes is not None:
            laid = np.ascontiguousarray(laid.transpose(np.argsort(axes)))
        return from_numpy(laid, header, device)

    def _chunks(self, array: Stored, header: Header) -> Iterator[Chunk]:
        for start, stop in header.spans():
            piece = flat_piece(array, start, stop)
            x = floats.to_float32(piece, header.dtype)
            largest, constant = floats.look_briefly(x)
            if largest >= floats.INFINITY_BITS:
                x = self.clamp(x, header.dtype)
                largest, constant = floats.look_briefly(x)
            if largest == 0:
                yield Chunk(container.ZERO)
            elif constant and self.axes(header.shape) is None:  # else its order must be named
                element = floats.from_float32(x[:1], header.dtype)
                yield Chunk(container.CONSTANT, data=element.tobytes())
            else:
                yield self.make_chunk(x, Patch(array.shape, start, stop))

    def clamp(self, x: Floats, dtype: int) -> Floats:
        """Numbers of a dtype that are not all finite, as `nonfinite` says (NonFiniteError)."""
        if self.nonfinite == "error":
            bad = int(np.count_nonzero(~np.isfinite(x)))
            raise NonFiniteError(
                f"{self.name}: {bad} of {x.size} elements are NaN or infinite; "
                "pass nonfinite='clamp' to send them as 0 and the dtype's maximum"
            )
        return floats.clamp(x, dtype)

    def _decode_one(self, chunk: Chunk, patch: Patch, header: Header) -> Any:
        if chunk.kind == container.ZERO:
            return 0
        if chunk.kind == container.CONSTANT:
            element = np.frombuffer(chunk.data, dtype=floats.STORAGE[header.dtype])
            if not floats.look(floats.to_float32(element, header.dtype)).finite:
                raise CorruptBitstreamError("a constant chunk must be finite")
            return element[0]
        return _stored(self.decode_chunk(chunk.sections, patch), header.dtype)


def _stored(values: Floats, dtype: int) -> Stored:
    """Finite values in the dtype of their tensor."""
    if dtype == floats.FLOAT32:
        return values
    return floats.from_float32(values, dtype).view(floats.STORAGE[dtype])


def chunk_elements(shape: tuple[int, ...]) -> int:
    """Chunk size for a tensor: whole rows of the last axis where they fit."""
    cols = shape[-1] if shape else 1
    if math.prod(shape) <= CHUNK_ELEMENTS or not 0 < cols <= CHUNK_ELEMENTS:
        return CHUNK_ELEMENTS
    return CHUNK_ELEMENTS // cols * cols


def require_choice(owner: str, option: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise CodecOptionError unless `value` is one of the allowed names."""
    if value not in allowed:
        raise CodecOptionError(f"{owner}.{option} must be one of {', '.join(allowed)}, got {value}")


def require_int(owner: str, option: str, value: object, low: int, high: int) -> None:
    """Raise CodecOptionError unless `value` is an integer of low..high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CodecOptionError(f"{owner}.{option} must be an integer {low}..{high}, got {value!r}")


def require_number(
    owner: str, option: str, value: object, low: float, high: float = math.inf
) -> None:
    """Raise CodecOptionError unless `value` is a finite number of low..high."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not (good and math.isfinite(value) and low <= value <= high):  # type: ignore[operator,arg-type]
        raise CodecOptionError(f"{owner}.{option} must lie in {low:g}..{high:g}, got {value!r}")


def sections_of(sections: tuple[Section, ...], *parts: str) -> list[memoryview]:
    """The bytes of the sections, which must be exactly these parts in this order."""
    got = tuple(section.part for section in sections)
    if got != parts:
        raise CorruptBitstreamError(f"sections must be {', '.join(parts)}, got {got}")
    return [memoryview(section.data) for section in sections]
