"""How a photograph becomes the image that a network reads: resized, cut out, normalised.

A checkpoint says it in preprocessor_config.json, as transformers writes it; without one it is the
field's evaluation: the shorter side to 256, the centre of 224, ImageNet's mean and deviation.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILE = "preprocessor_config.json"
SIZE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LARGE = 384
"""From this size on ConvNext's rule resizes without cutting out."""
_LARGEST = 4096
_SQUARE = ("ViT", "DeiT", "Swin", "EfficientNet")
"""Processors for which a bare number is both sides, not the shorter one."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Resize to `resize`, cut out the centre of `size`, then (pixel / scale - mean) / std.

    `resize`: the length of the shorter side, (width, height) of the whole image, or None for as it
    is. `resample` is Pillow's number of an interpolation.
    """

    size: int = SIZE
    resize: int | tuple[int, int] | None = SIZE * 8 // 7
    resample: int = Image.Resampling.BILINEAR
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    scale: float = 255.0

    def __str__(self) -> str:
        return repr(astuple(self))

    def cut(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image that the network reads, uint8 [size, size, 3], not normalised yet.

        Raises ValueError for an image that is smaller than what is cut out of it.
        """
        if self.resize is not None:
            image = image.resize(self._sides(image), Image.Resampling(self.resample))
        width, height = image.size
        if min(width, height) < self.size:
            raise ValueError(f"{width} x {height} pixels are less than {self.size} x {self.size}")
        left, top = (width - self.size) // 2, (height - self.size) // 2
        return np.asarray(image.crop((left, top, left + self.size, top + self.size)))

    def _sides(self, image: Image.Image) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        assert self.resize is not None
        short = min(image.size)
        width, height = (self.resize * side // short for side in image.size)
        return width, height


def preparation_of(weights: str) -> Preparation:
    """What the checkpoint in the folder `weights` asks for; the field's own where it says nothing.

    Raises ValueError in one line for a file that cannot be read, or asks for what is not offered.
    """
    path = Path(weights) / FILE
    if not weights or not path.is_file():
        return Preparation()
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return _read(config)
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def _read(config: Mapping[str, Any]) -> Preparation:
    if not isinstance(config, dict):
        raise ValueError(f"must be an object, got {type(config).__name__}")
    resize, size = _geometry(config)
    if size != SIZE:
        raise ValueError(f"images must be {SIZE} x {SIZE}, got {size} x {size}")
    mean, std = _normal(config)
    scale = 1.0
    if config.get("do_rescale", True):
        scale = 1 / _positive(float(config.get("rescale_factor", 1 / 255)))
    resample = int(config.get("resample", Image.Resampling.BILINEAR))
    Image.Resampling(resample)
    return Preparation(size=size, resize=resize, resample=resample, mean=mean, std=std, scale=scale)


def _geometry(config: Mapping[str, Any]) -> tuple[int | tuple[int, int] | None, int]:
    """What the image is resized to, and the side of what is cut out of it."""
    resize = _sides(config, "size") if config.get("do_resize", True) else None
    if "crop_pct" in config or _kind(config).startswith("ConvNext"):
        return _convnext(config, resize)
    if config.get("do_center_crop", "crop_size" in config):
        crop = _sides(config, "crop_size", square=True)
        assert isinstance(crop, tuple)
        return resize, _one(crop)
    if not isinstance(resize, tuple):
        raise ValueError("images are neither cut out nor resized to a square")
    return resize, _one(resize)


def _convnext(config: Mapping[str, Any], resize: Any) -> tuple[int | tuple[int, int] | None, int]:
    """The shorter side to size / crop_pct, the centre of size; large sizes are not cut out."""
    if not isinstance(resize, int):
        raise ValueError(f"size must hold shortest_edge, got {config.get('size')}")
    if resize >= _LARGE:
        return (resize, resize), resize
    wide = int(resize / _positive(float(config.get("crop_pct") or 224 / 256)))
    return _side("size / crop_pct", wide), resize


def _sides(config: Mapping[str, Any], key: str, *, square: bool = False) -> int | tuple[int, int]:
    """A size: the shorter side, or (width, height)."""
    given = config[key]
    if isinstance(given, int):
        both = square or _kind(config).startswith(_SQUARE)
        return (_side(key, given), given) if both else _side(key, given)
    if isinstance(given, dict) and "shortest_edge" in given and not square:
        return _side(key, given["shortest_edge"])
    if isinstance(given, dict) and {"height", "width"} <= given.keys():
        return _side(key, given["width"]), _side(key, given["height"])
    raise ValueError(f"{key} must be a number, shortest_edge, or height and width, got {given}")


def _side(key: str, given: Any) -> int:
    side = int(given)
    if not 1 <= side <= _LARGEST:
        raise ValueError(f"{key} must lie in 1..{_LARGEST}, got {side}")
    return side


def _one(sides: tuple[int, int]) -> int:
    if sides[0] != sides[1]:
        raise ValueError(f"images must be square, got {sides[0]} x {sides[1]}")
    return sides[0]


def _normal(config: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation; EfficientNet's top (`include_top`) is divided by the latter twice."""
    if not config.get("do_normalize", True):
        return (0.0,) * 3, (1.0,) * 3
    mean, std = (tuple(map(float, config[key])) for key in ("image_mean", "image_std"))
    if len(mean) != 3 or len(std) != 3 or not np.isfinite(mean).all():
        raise ValueError(f"image_mean and image_std must have 3 numbers, got {mean}, {std}")
    twice = _kind(config).startswith("EfficientNet") and config.get("include_top", True)
    return mean, tuple(_positive(each) ** (2 if twice else 1) for each in std)


def _positive(value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"deviations and factors must be > 0, got {value}")
    return value


def _kind(config: Mapping[str, Any]) -> str:
    return str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
