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
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from codec.stream import container, floats
from codec.stream.base import (
    CodecOptionError,
    CorruptBitstreamError,
    NonFiniteError,
    UnsupportedInputError,
)
from codec.stream.container import CHUNK_ELEMENTS, MAX_ELEMENTS, Chunk, Header, Section

Stored = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
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

    def encode(self, x: Any) -> bytes:
        """A self-describing stream of a float tensor.

        Raises UnsupportedInputError for other dtypes, NonFiniteError for NaN or infinity unless
        `nonfinite="clamp"`.
        """
        array, dtype, torch = to_numpy(x)
        header = Header(
            chain=self.chain_id,
            dtype=dtype,
            shape=tuple(array.shape),
            torch=torch,
            chunk_elements=chunk_elements(array.shape),
        )
        return container.write(header, self._chunks(array, header))

    def decode(self, data: bytes, *, max_elements: int = MAX_ELEMENTS, device: str = "cpu") -> Any:
        """The tensor of a stream that this chain wrote, with any options.

        numpy for a stream of a numpy array, else a torch tensor on `device`. Raises
        CorruptBitstreamError for damaged streams, for those of another chain, and for tensors of
        more than `max_elements` elements.
        """
        header, chunks = container.read(data, max_elements=max_elements)
        if header.chain != self.chain_id:
            raise CorruptBitstreamError(f"stream of chain {header.chain}, not of {self.name!r}")
        return self.decode_stream(header, chunks, device=device)

    def decode_stream(self, header: Header, chunks: list[Chunk], *, device: str = "cpu") -> Any:
        """The tensor of a stream that `container.read` has taken apart."""
        if header.dtype == floats.UINT8:
            raise CorruptBitstreamError(f"{self.name!r} holds no uint8 tensors")
        if len(chunks) == 1 and chunks[0].kind == container.CODED:
            whole = self._decode_one(chunks[0], Patch(header.shape, 0, header.elements), header)
            return from_numpy(whole.reshape(header.shape), header, device)
        out = np.empty(header.elements, dtype=floats.STORAGE[header.dtype])
        for chunk, (start, stop) in zip(chunks, header.spans(), strict=True):
            out[start:stop] = self._decode_one(chunk, Patch(header.shape, start, stop), header)
        return from_numpy(out.reshape(header.shape), header, device)

    def _chunks(self, array: Stored, header: Header) -> Iterator[Chunk]:
        for start, stop in header.spans():
            piece = flat_piece(array, start, stop)
            x = floats.to_float32(piece, header.dtype)
            facts = floats.look(x)
            if not facts.finite:
                x = self._clamp(x, header.dtype)
                facts = floats.look(x)
            if facts.maximum == 0:
                yield Chunk(container.ZERO)
            elif facts.constant:
                element = floats.from_float32(x[:1], header.dtype)
                yield Chunk(container.CONSTANT, data=element.tobytes())
            else:
                sections = self.encode_chunk(x, Patch(header.shape, start, stop))
                yield Chunk(container.CODED, tuple(sections))

    def _clamp(self, x: Floats, dtype: int) -> Floats:
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
        values = self.decode_chunk(chunk.sections, patch)
        if header.dtype == floats.FLOAT32:
            return values
        stored = floats.from_float32(values, header.dtype)
        return stored.view(floats.STORAGE[header.dtype])


def to_numpy(x: Any) -> tuple[Stored, int, bool]:
    """(array, dtype code, whether it came from torch); bfloat16 arrives as uint16."""
    if isinstance(x, np.ndarray | np.generic):
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float16):
            raise UnsupportedInputError(
                f"dtype must be float32, float16 or torch.bfloat16, got {x.dtype}"
            )
        return x, floats.FLOAT32 if x.dtype == np.float32 else floats.FLOAT16, False
    if type(x).__module__.partition(".")[0] != "torch":
        raise UnsupportedInputError(f"input must be a numpy array or a torch tensor, got {type(x)}")
    import torch

    tensor = x.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16), floats.BFLOAT16, True
    if tensor.dtype not in (torch.float32, torch.float16):
        raise UnsupportedInputError(
            f"dtype must be float32, float16 or bfloat16, got {tensor.dtype}"
        )
    code = floats.FLOAT32 if tensor.dtype == torch.float32 else floats.FLOAT16
    return tensor.numpy(), code, True


def from_numpy(array: Stored, header: Header, device: str) -> Any:
    """The array itself, or the torch tensor that the stream was made of, on `device`."""
    if not header.torch and header.dtype != floats.BFLOAT16:
        return array
    import torch

    if header.dtype == floats.BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(device)
    return torch.from_numpy(array).to(device)


def chunk_elements(shape: tuple[int, ...]) -> int:
    """Chunk size for a tensor: whole rows of the last axis where they fit."""
    cols = shape[-1] if shape else 1
    if math.prod(shape) <= CHUNK_ELEMENTS or not 0 < cols <= CHUNK_ELEMENTS:
        return CHUNK_ELEMENTS
    return CHUNK_ELEMENTS // cols * cols


def flat_piece(array: Stored, start: int, stop: int) -> Stored:
    """Elements start..stop of the flattened array; a view where the array is contiguous.

    Other arrays are copied by whole entries of their leading axis: numpy's flat iterator goes
    element by element. No more than the piece itself is ever copied twice.
    """
    if array.flags.c_contiguous:
        return array.reshape(-1)[start:stop]
    inner = math.prod(array.shape[1:])
    first, last = -(-start // inner), stop // inner
    if first > last:
        at = last * inner
        return flat_piece(array[last], start - at, stop - at)
    whole = np.ascontiguousarray(array[first:last]).reshape(-1)
    pieces = [whole]
    if start < first * inner:
        pieces.insert(0, flat_piece(array[first - 1], start - (first - 1) * inner, inner))
    if stop > last * inner:
        pieces.append(flat_piece(array[last], 0, stop - last * inner))
    return np.concatenate(pieces) if len(pieces) > 1 else whole


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
