"""`scenes`: a handwritten digit of random size, place and colour on a crop of a photograph.

The default task of figures and plans: the raw input has 12,288 bytes (a JPEG of it 0.9-1.9 KB),
so offloading, splitting and computing on the device all have a price. A scene is a pure function
of (split, index, seed); the digits of the three splits are disjoint, so are their streams.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples, check_split, handwriting, shuffle
from profiles.models.data.painting import Placement, add_contrast, draw, paint
from profiles.models.data.photographs import crops
from profiles.models.network import Network
from profiles.models.recipe import Recipe
from profiles.models.residual import STAGES, Normalise, ResidualNet
from profiles.models.weights import SHIPPED, load_weights

SIZE = 64
DIGIT_PIXELS = (20.0, 48.0)
N_TRAIN_DIGITS, N_CALIBRATION_DIGITS = 1347, 90
SCENES_PER_EPOCH = 8 * N_TRAIN_DIGITS
RECIPE = Recipe(name="scenes", version=1, epochs=16, batch=64, peak_rate=4e-3, weight_decay=0.05)
BLOCK = 64


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


def placement(unit: NDArray[np.float64]) -> Placement:
    """Where the digits of scenes are, from their nine uniform draws each."""
    size = DIGIT_PIXELS[0] + unit[:, 3] * (DIGIT_PIXELS[1] - DIGIT_PIXELS[0])
    return Placement(unit[:, 4] * (SIZE - size), unit[:, 5] * (SIZE - size), size)


def _compose(digits: NDArray[np.uint8], unit: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scenes from digits [scene, 8, 8] and nine uniform draws each."""
    backgrounds = crops(unit[:, :3], SIZE).astype(np.float32)
    opacity = draw(digits / 16.0, placement(unit), SIZE)[..., None]
    colours = add_contrast(unit[:, 6:9] * 255.0, backgrounds, opacity)
    return paint(backgrounds, opacity, colours)
