"""Digits painted on backgrounds: enlarged into place, in a colour that the eye can find."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_CONTRAST = 64.0
LUMA = np.array([0.299, 0.587, 0.114])


class Placement(NamedTuple):
    """Where and how large each digit is, in pixels of the scene: [scene] each."""

    top: NDArray[np.float64]
    left: NDArray[np.float64]
    size: NDArray[np.float64]


def draw(digits: NDArray[np.float64], place: Placement, scene: int) -> NDArray[np.float32]:
    """Digits [scene, 8, 8] bilinearly enlarged into place: opacity [scene, row, column] in [0, 1].

    `scene`: the side of the scenes in pixels.
    """
    rows, columns = _hats(place.top, place.size, scene), _hats(place.left, place.size, scene)
    opacity: NDArray[np.float32] = rows @ digits.astype(np.float32) @ columns.transpose(0, 2, 1)
    return opacity


def _hats(
    offset: NDArray[np.float64], size: NDArray[np.float64], scene: int
) -> NDArray[np.float32]:
    """Weight of each of a digit's 8 rows in each of the scene's: [scene, row, 8]."""
    centre = (np.arange(scene) + 0.5 - offset[:, None]) * (8.0 / size[:, None]) - 0.5
    distance = np.abs(centre[:, :, None] - np.arange(8))
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


def add_contrast(
    colours: NDArray[np.float64], backgrounds: NDArray[np.float32], opacity: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Move colours whose brightness is too near to what lies behind the digit away from it.

    A digit the eye cannot find would only put a ceiling on accuracy.
    """
    behind = (backgrounds * opacity).sum((1, 2)) / opacity.sum((1, 2))
    luma, level = colours @ LUMA, behind @ LUMA
    sign = np.where(level > 127.5, -1.0, 1.0)
    short = np.maximum(0.0, MIN_CONTRAST - np.abs(luma - level))
    wanted = np.where(short > 0, level + sign * MIN_CONTRAST, luma)
    moved = colours + (wanted - luma)[:, None]
    shown: NDArray[np.float32] = np.clip(moved, 0.0, 255.0).astype(np.float32)
    return shown


def paint(
    backgrounds: NDArray[np.float32], opacity: NDArray[np.float32], colours: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Images of backgrounds [scene, row, column, 3] on which digits of a colour each lie."""
    mixed = backgrounds + opacity * (colours[:, None, None, :] - backgrounds)
    return np.rint(mixed).astype(np.uint8)
