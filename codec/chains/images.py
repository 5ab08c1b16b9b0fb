"""Raw input instead of features: uint8 images through JPEG or WebP, uint8 arrays as they are.

jpeg, webp   (H, W, 3) or grey (H, W, 1) uint8 --> Pillow --> values
raw8         any uint8 array -------------> values
"""

import dataclasses
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from codec.stream import container, floats
from codec.stream.arrays import flat_piece, strided
from codec.stream.base import CorruptBitstreamError, UnsupportedInputError
from codec.stream.container import MAX_ELEMENTS, Chunk, Header, Section
from codec.stream.fields import Reader
from codec.stream.frame import require_int, sections_of
from codec.stream.tolerance import Fixed

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ByteCodec(ABC):
    """A codec of uint8 arrays, numpy or torch; decoding gives uint8 of the same shape."""

    name: ClassVar[str]
    chain_id: ClassVar[int]

    @property
    def options(self) -> Mapping[str, Any]:
        """Every option with its value."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def spec(self) -> str:
        """Name and options, sorted."""
        return f"{self.name}({','.join(f'{k}={v!r}' for k, v in sorted(self.options.items()))})"

    @abstractmethod
    def _compress(self, x: Pixels) -> bytes:
        """The bytes of an array; UnsupportedInputError for a shape that it does not take."""

    @abstractmethod
    def _expand(self, data: memoryview, shape: tuple[int, ...]) -> Pixels:
        """The array back; CorruptBitstreamError unless it has this shape."""

    def encode(self, x: Any) -> bytes:
        """A self-describing stream of a uint8 array; UnsupportedInputError for anything else."""
        torch = type(x).__module__.partition(".")[0] == "torch"
        pixels = strided(x).numpy() if torch and str(x.dtype) == "torch.uint8" else x
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            kind = getattr(x, "dtype", type(x))
            raise UnsupportedInputError(f"{self.name} takes uint8 arrays, got {kind}")
        shape = tuple(pixels.shape)
        header = Header(chain=self.chain_id, dtype=floats.UINT8, shape=shape, torch=torch)
        if header.n_chunks > 1:
            raise UnsupportedInputError(
                f"{self.name} takes at most {header.chunk_elements} bytes, got {header.elements}"
            )
        sections = (Section("values", self._compress(pixels)),) if pixels.size else ()
        return container.write(header, [Chunk(container.CODED, sections)] * header.n_chunks)

    def decode(self, data: bytes, *, max_elements: int = MAX_ELEMENTS, device: str = "cpu") -> Any:
        """The uint8 array of a stream of this codec; CorruptBitstreamError for damaged ones."""
        header, body = container.open_stream(data, max_elements=max_elements)
        if header.chain != self.chain_id:
            raise CorruptBitstreamError(f"stream of chain {header.chain}, not of {self.name!r}")
        return self.decode_body(header, body, device=device)

    def decode_body(self, header: Header, body: Reader, *, device: str = "cpu") -> Any:
        """The array of a stream of which `container.open_stream` has read the header."""
        return self.decode_stream(header, container.read_chunks(header, body), device=device)

    def decode_stream(self, header: Header, chunks: list[Chunk], *, device: str = "cpu") -> Any:
        """The array of a stream that `container.read` has taken apart."""
        if header.dtype != floats.UINT8 or len(chunks) > 1:
            raise CorruptBitstreamError(f"{self.name!r} holds one chunk of uint8")
        out = np.empty(header.shape, dtype=np.uint8)
        if chunks:
            (values,) = sections_of(chunks[0].sections, "values")
            out = self._expand(values, header.shape)
        if not header.torch:
            return out
        import torch

        return torch.from_numpy(out).to(device)


@dataclass(frozen=True, kw_only=True)
class Raw8(ByteCodec):
    """One byte per element, exact."""

    name: ClassVar[str] = "raw8"
    chain_id: ClassVar[int] = 6

    def encode_fixed(self, x: Pixels) -> Fixed:
        """The bytes, nothing beside them."""
        return Fixed(b"", self._compress(x))

    def decode_fixed(self, payload: Fixed, like: Pixels, missing: npt.NDArray[np.bool_]) -> Pixels:
        """The bytes that arrived; 0 for one that is missing."""
        data = np.frombuffer(payload.symbols, dtype=np.uint8)
        return np.where(missing, np.uint8(0), data).reshape(like.shape)

    def _compress(self, x: Pixels) -> bytes:
        return flat_piece(x, 0, x.size).tobytes()

    def _expand(self, data: memoryview, shape: tuple[int, ...]) -> Pixels:
        if len(data) != int(np.prod(shape)):
            raise CorruptBitstreamError(f"shape {shape} does not take {len(data)} bytes")
        return np.frombuffer(data, dtype=np.uint8).reshape(shape).copy()


@dataclass(frozen=True, kw_only=True)
class _Photo(ByteCodec):
    """An (H, W, 3) or (H, W, 1) image at `quality` 1..100, lossy."""

    quality: int = 90
    format: ClassVar[str]
    grey: ClassVar[str]
    """What the format makes of an image of one channel."""

    def __post_init__(self) -> None:
        require_int(self.name, "quality", self.quality, 1, 100)

    def _compress(self, x: Pixels) -> bytes:
        from PIL import Image

        if x.ndim != 3 or x.shape[2] not in (1, 3) or max(x.shape) > 16383:
            raise UnsupportedInputError(
                f"{self.name} takes images (H, W, 3) or (H, W, 1) of at most 16383 pixels a side,"
                f" got {x.shape}"
            )

        out = io.BytesIO()
        pixels = x[:, :, 0] if x.shape[2] == 1 else x
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.save(out, format=self.format, quality=self.quality)
        return out.getvalue()

    def _expand(self, data: memoryview, shape: tuple[int, ...]) -> Pixels:
        """Size and mode are compared before Pillow allocates the pixels."""
        from PIL import Image

        try:
            with Image.open(io.BytesIO(data), formats=[self.format]) as image:
                is_grey = len(shape) == 3 and shape[2] == 1
                mode, n = (self.grey, 1) if is_grey else ("RGB", 3)
                if (image.height, image.width, n) != shape or image.mode != mode:
                    raise CorruptBitstreamError(f"image {image.size} {image.mode}, not {shape}")
                return np.array(image.convert("L"))[:, :, None] if is_grey else np.array(image)
        except CorruptBitstreamError:
            raise
        except Exception as error:  # Pillow raises what its parsers happen to raise
            raise CorruptBitstreamError(f"no {self.format} image: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Jpeg(_Photo):
    """Baseline JPEG with 4:2:0 chroma, as Pillow writes it."""

    name: ClassVar[str] = "jpeg"
    chain_id: ClassVar[int] = 7
    format: ClassVar[str] = "JPEG"
    grey: ClassVar[str] = "L"


@dataclass(frozen=True, kw_only=True)
class WebP(_Photo):
    """Lossy WebP."""

    name: ClassVar[str] = "webp"
    chain_id: ClassVar[int] = 8
    format: ClassVar[str] = "WEBP"
    grey: ClassVar[str] = "RGB"
