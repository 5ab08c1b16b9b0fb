"""Features as a picture: channels side by side in 8 bits of grey, through an image codec.

    x (planes, rows, cols) --> grid of tiles --> round((x - low) / step) --> WebP or AVIF --> values
                                                    |
                                                    +--> low, high --------------------> scales

The usual baseline of collaborative intelligence (H. Choi, I. Bajic 2018, "Deep feature compression
for collaborative object detection", arXiv 1802.03931): a video or image codec knows of smooth
neighbours, not of the task. A chunk without maps is folded into one near-square tile; tiles that
the grid has too many are filled with the lowest level.
"""

import io
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.stages.scalar import Floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Reader
from codec.stream.frame import FloatCodec, Patch, require_choice, require_int, sections_of

FORMATS = ("webp", "avif")
_TOP = 255
_LONGEST = 8192
"""Pixels a side: both formats take them, and no chunk needs more."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Tiled(FloatCodec):
    """format: "webp" or "avif", the latter where Pillow was built with it. quality: 0..100."""

    format: str = "webp"
    quality: int = 80

    name: ClassVar[str] = "tiled"
    chain_id: ClassVar[int] = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("tiled", "format", self.format, FORMATS)
        require_int("tiled", "quality", self.quality, 0, 100)
        if not has(self.format):
            raise CodecOptionError(f"tiled.format={self.format} is not in this Pillow; webp is")

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """The range of the chunk, and the picture."""
        low, high = float(x.min()), float(x.max())
        levels = np.rint((x.astype(np.float64) - low) * (_TOP / (high - low))).astype(np.uint8)
        picture = _compress(_lay_out(levels, patch), self.format, self.quality)
        return [
            Section("header", bytes([FORMATS.index(self.format)])),
            Section("scales", np.array([low, high], dtype="<f4").tobytes()),
            Section("values", picture),
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """low + level * step of every pixel that is an element."""
        head, scales, values = sections_of(sections, "header", "scales", "values")
        if len(head) != 1 or head[0] >= len(FORMATS) or len(scales) != 8:
            raise CorruptBitstreamError("a picture needs a format and a range")
        fields = Reader(scales)
        low, high = fields.f32(), fields.f32()
        if low > high:
            raise CorruptBitstreamError(f"a range must rise, got {low:g} to {high:g}")
        shape = _grid(patch)
        pixels = _expand(values, FORMATS[head[0]], (shape[0] * shape[2], shape[1] * shape[3]))
        points = (low + np.arange(_TOP + 1) * ((high - low) / _TOP)).astype(np.float32)
        return np.asarray(points[_take_up(pixels, patch)], dtype=np.float32)


def has(name: str) -> bool:
    """Whether Pillow can write and read the format here."""
    from PIL import features

    return bool(features.check(name))


def _grid(patch: Patch) -> tuple[int, int, int, int]:
    """Tiles down and across, and rows and columns of a tile: a picture that is nearly square."""
    planes, rows, cols = patch.planes
    if max(rows, cols) > _LONGEST or planes == 1:
        side = math.isqrt(patch.size - 1) + 1
        planes, rows, cols = 1, -(-patch.size // side), side
    across = min(max(round(math.sqrt(planes * rows / cols)), 1), planes, _LONGEST // cols)
    return -(-planes // across), across, rows, cols


def _lay_out(levels: Pixels, patch: Patch) -> Pixels:
    """The picture (height, width) of (n,) levels."""
    down, across, rows, cols = _grid(patch)
    tiles = np.zeros((down, across, rows, cols), dtype=np.uint8)
    tiles.reshape(-1)[: levels.size] = levels
    return np.ascontiguousarray(tiles.swapaxes(1, 2)).reshape(down * rows, across * cols)


def _take_up(pixels: Pixels, patch: Patch) -> Pixels:
    """The way back of `_lay_out`."""
    down, across, rows, cols = _grid(patch)
    tiles = pixels.reshape(down, rows, across, cols).swapaxes(1, 2)
    return np.ascontiguousarray(tiles).reshape(-1)[: patch.size]


def _compress(pixels: Pixels, name: str, quality: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    options = {"method": 6} if name == "webp" else {"speed": 6, "max_threads": 1}
    Image.fromarray(pixels).save(out, format=name.upper(), quality=quality, **options)
    return out.getvalue()


def _expand(data: memoryview, name: str, shape: tuple[int, int]) -> Pixels:
    """The picture, whose size is compared before Pillow allocates it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[name.upper()]) as image:
            if (image.height, image.width) != shape:
                raise CorruptBitstreamError(f"picture {image.size}, not {shape[::-1]}")
            return np.asarray(image.convert("L"))
    except CorruptBitstreamError:
        raise
    except Exception as error:  # Pillow raises what its parsers happen to raise
        raise CorruptBitstreamError(f"no {name} picture: {error}") from error
