"""`scenes`: a handwritten digit of random size, place and colour on a crop of a photograph.

The default task of figures and plans: the raw input has 12,288 bytes (a JPEG of it 0.9-1.9 KB),
so offloading, splitting and computing on the device all have a price. A scene is a pure function
of (split, index, seed); the digits of the three splits are disjoint, so are their streams.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples, check_split, handwriting, shuffle
from profiles.models.data.photographs import crops
from profiles.models.network import Network
from profiles.models.recipe import Recipe
from profiles.models.residual import STAGES, Normalise, ResidualNet
from profiles.models.weights import SHIPPED, load_weights

SIZE = 64
DIGIT_PIXELS = (20.0, 48.0)
MIN_CONTRAST = 64.0
N_TRAIN_DIGITS, N_CALIBRATION_DIGITS = 1347, 90
SCENES_PER_EPOCH = 8 * N_TRAIN_DIGITS
RECIPE = Recipe(name="scenes", version=1, epochs=16, batch=64, peak_rate=4e-3, weight_decay=0.05)
BLOCK = 64
LUMA = np.array([0.299, 0.587, 0.114])


class Placement(NamedTuple):
    """Where and how large each digit is, in pixels of the scene: [scene] each."""

    top: NDArray[np.float64]
    left: NDArray[np.float64]
    size: NDArray[np.float64]


def samples(split: str, n: int, seed: int = 0, *, start: int = 0) -> Samples:
    """Scenes `start` .. `start + n - 1` of a split: uint8 [n, 64, 64, 3] and labels [n].

    Raises ValueError for an unknown split.
    """
    numbers = digit_numbers(split)
    indices = np.arange(start, start + n)
    numbers = numbers[indices % len(numbers)]
    unit = uniforms(f"scenes/{split}/{seed}", indices, 9)
    images = np.empty((n, SIZE, SIZE, 3), np.uint8)
    for first in range(0, n, BLOCK):
        rows = slice(first, first + BLOCK)
        images[rows] = _compose(handwriting().inputs[numbers[rows]], unit[rows])
    return Samples(images, handwriting().labels[numbers])


def digit_numbers(split: str) -> NDArray[np.int64]:
    """Which handwritten digits a split may show: 1,347 / 90 / 360, disjoint."""
    check_split(split)
    first, second = N_TRAIN_DIGITS, N_TRAIN_DIGITS + N_CALIBRATION_DIGITS
    train, calibration, test = np.split(shuffle(), [first, second])
    return {"train": train, "calibration": calibration, "test": test}[split]


def training_epoch(number: int) -> Samples:
    """The 10,776 fresh scenes of one epoch: every digit for training eight times."""
    return samples("train", SCENES_PER_EPOCH, start=number * SCENES_PER_EPOCH)


def build() -> ResidualNet:
    """The untrained network: stage outputs 16,384 / 16,384 / 8,192 / 4,096 / 1,024 elements."""
    normalise = Normalise((0.45, 0.45, 0.45), (0.25, 0.25, 0.25))
    return ResidualNet(normalise, 3, channels=(16, 16, 32, 64, 64), strides=(2, 1, 2, 2, 2))


def network() -> Network:
    """The trained network with its shipped weights."""
    module = build()
    provenance = load_weights(module, SHIPPED / "scenes.npz")
    return Network(
        name="scenes",
        module=module.eval(),
        example_input=torch.from_numpy(samples("test", 1).inputs),
        stages=STAGES,
        weights="trained",
        digest=provenance["digest"],
    )


def _compose(digits: NDArray[np.uint8], unit: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scenes from digits [scene, 8, 8] and nine uniform draws each."""
    backgrounds = crops(unit[:, :3], SIZE).astype(np.float32)
    size = DIGIT_PIXELS[0] + unit[:, 3] * (DIGIT_PIXELS[1] - DIGIT_PIXELS[0])
    place = Placement(unit[:, 4] * (SIZE - size), unit[:, 5] * (SIZE - size), size)
    opacity = _draw(digits / 16.0, place)[..., None]
    colours = _add_contrast(unit[:, 6:9] * 255.0, backgrounds, opacity)
    backgrounds += opacity * (colours[:, None, None, :] - backgrounds)
    return np.rint(backgrounds).astype(np.uint8)


def _draw(digits: NDArray[np.float64], place: Placement) -> NDArray[np.float32]:
    """Digits [scene, 8, 8] bilinearly enlarged into place: opacity [scene, 64, 64] in [0, 1]."""
    rows, columns = _hats(place.top, place.size), _hats(place.left, place.size)
    opacity: NDArray[np.float32] = rows @ digits.astype(np.float32) @ columns.transpose(0, 2, 1)
    return opacity


def _hats(offset: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weight of each of a digit's 8 rows in each of the scene's 64: [scene, 64, 8]."""
    centre = (np.arange(SIZE) + 0.5 - offset[:, None]) * (8.0 / size[:, None]) - 0.5
    distance = np.abs(centre[:, :, None] - np.arange(8))
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


def _add_contrast(
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
