"""A family of tasks: 1, 2 or 4 handwritten digits on 16 x 16 or 64 x 64, with several labels each.

    scenes16, scenes16x2, scenes16x4   grey, one of three brightnesses, 15 % salt and pepper
    scenes, scenes64x2, scenes64x4     on photographs, in any colour; `scenes` is the network's own

Tasks of one digit: `class` (10), `place` (which quarter, 4), `brightness` or `colour` (3); of
several: `cells`, the digit of each quarter, 10 where there is none. `coverage` is a map to regress:
how much of each of 8 x 8 patches a digit covers. A scene is a pure function of (family, split,
index); the digits of the four splits are disjoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from profiles.models import scenes
from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import handwriting
from profiles.models.data.painting import Placement, add_contrast, draw, paint
from profiles.models.data.photographs import crops
from profiles.tables.choices import unknown

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
SPLITS = ("train", "gate", "calibration", "test")
N_GATE_DIGITS = 180
EMPTY = 10
PATCHES = 8
NOISE = 0.15
LEVELS = (0.4, 0.7, 1.0)
_BLOCK = 256
_CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])


class Scenes(NamedTuple):
    """Images uint8 [scene, row, column, channel], labels of every task [scene] or [scene, cell],
    and the map [scene, 8, 8] of what digits cover, 0 to 1.
    """

    inputs: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int64]]
    coverage: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One member: so many digits on scenes of that side."""

    name: str
    size: int
    n_digits: int

    @property
    def tasks(self) -> dict[str, int]:
        """Classes of every task (of `cells`, of each of its four)."""
        if self.n_digits > 1:
            return {"cells": EMPTY + 1}
        return {"class": 10, "place": 4, "brightness" if self.size == 16 else "colour": 3}

    def samples(
        self, split: str, n: int, *, start: int = 0, change: Change | None = None
    ) -> Scenes:
        """Scenes `start` .. `start + n - 1` of a split.

        `change` is done to what a camera sees; the salt and pepper of 16 x 16 is its sensor's and
        comes after that. Labels and map are those of the scene itself.

        Raises:
            ValueError: an unknown split.
        """
        paint_block = _grey if self.size == 16 else _coloured
        indices = np.arange(start, start + n)
        blocks = [
            paint_block(self, split, indices[first : first + _BLOCK], change or _keep)
            for first in range(0, n, _BLOCK)
        ]
        return Scenes(
            np.concatenate([block.inputs for block in blocks]),
            {task: np.concatenate([b.labels[task] for b in blocks]) for task in self.tasks},
            np.concatenate([block.coverage for block in blocks]),
        )


FAMILIES = {
    one.name: one
    for one in (
        Family(name="scenes16", size=16, n_digits=1),
        Family(name="scenes16x2", size=16, n_digits=2),
        Family(name="scenes16x4", size=16, n_digits=4),
        Family(name="scenes", size=64, n_digits=1),
        Family(name="scenes64x2", size=64, n_digits=2),
        Family(name="scenes64x4", size=64, n_digits=4),
    )
}


def family(name: str) -> Family:
    """The member of that name; ValueError with the nearest names otherwise."""
    if name not in FAMILIES:
        raise ValueError(unknown("family of tasks", name, FAMILIES))
    return FAMILIES[name]


def digit_numbers(split: str) -> NDArray[np.int64]:
    """Which handwritten digits a split may show: 1,167 / 180 / 90 / 360, disjoint.

    The last ones of the digits that `scenes` trains on are for gates; raises ValueError for an
    unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if split in ("calibration", "test"):
        return scenes.digit_numbers(split)
    train = scenes.digit_numbers("train")
    return train[:-N_GATE_DIGITS] if split == "train" else train[-N_GATE_DIGITS:]


def _keep(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images


def _grey(family: Family, split: str, indices: NDArray[np.int64], change: Change) -> Scenes:
    """16 x 16: digits as they are in some of the four corners, then salt and pepper."""
    n, numbers = len(indices), digit_numbers(split)
    unit = uniforms(f"{family.name}/{split}", indices, 9 + 2 * 16 * 16)
    corners = np.argsort(unit[:, :4], axis=1)[:, : family.n_digits]
    chosen = numbers[(unit[:, 4:8] * len(numbers)).astype(np.int64)][:, : family.n_digits]
    chosen[:, 0] = numbers[indices % len(numbers)]
    level = (unit[:, 8] * len(LEVELS)).astype(np.int64)
    ink = np.zeros((n, 16, 16), np.float32)
    cells = np.full((n, 4), EMPTY)
    for place in range(family.n_digits):
        corner, digit = corners[:, place], chosen[:, place]
        cells[np.arange(n), corner] = handwriting().labels[digit]
        for row in range(n):
            top, left = 8 * _CORNERS[corner[row]]
            ink[row, top : top + 8, left : left + 8] = handwriting().inputs[digit[row]] / 16.0
    shade = 255.0 * ink * np.array(LEVELS, np.float32)[level][:, None, None]
    seen = change(np.rint(shade).astype(np.uint8)[..., None])
    hit, salt = (x.reshape(seen.shape) for x in np.split(unit[:, 9:], 2, axis=1))
    images = np.where(hit < NOISE, np.where(salt < 0.5, 255, 0), seen).astype(np.uint8)
    labels: dict[str, NDArray[np.int64]] = {"cells": cells}
    if family.n_digits == 1:
        labels = {
            "class": handwriting().labels[chosen[:, 0]],
            "place": corners[:, 0],
            "brightness": level,
        }
    return Scenes(images, labels, _cover(ink))


def _coloured(family: Family, split: str, indices: NDArray[np.int64], change: Change) -> Scenes:
    """64 x 64: digits of random size, place and colour on photographs."""
    numbers = digit_numbers(split)
    alone = family.n_digits == 1
    key = f"scenes/{split}/0" if alone else f"{family.name}/{split}"
    unit = uniforms(key, indices, 9 if alone else 7 + 7 * family.n_digits)
    first = numbers[indices % len(numbers)]
    images = crops(unit[:, :3], family.size)
    ink = np.zeros(images.shape[:3], np.float32)
    cells, strongest = np.full((len(indices), 4), EMPTY), np.zeros(len(indices), np.int64)
    corners = np.argsort(unit[:, 3:7], axis=1)
    for number in range(family.n_digits):
        if alone:
            digit, place, colour = first, scenes.placement(unit), unit[:, 6:9]
        else:
            mine = unit[:, 7 + 7 * number : 14 + 7 * number]
            drawn = numbers[(mine[:, 0] * len(numbers)).astype(np.int64)]
            digit = first if number == 0 else drawn
            place, colour = _in_quarter(mine[:, 1:4], corners[:, number]), mine[:, 4:7]
        opacity = draw(handwriting().inputs[digit] / 16.0, place, family.size)
        behind = images.astype(np.float32)
        shown = add_contrast(colour * 255.0, behind, opacity[..., None])
        images = paint(behind, opacity[..., None], shown)
        ink, strongest = np.maximum(ink, opacity), shown.argmax(1)
        cells[np.arange(len(indices)), _quarter(place)] = handwriting().labels[digit]
    labels: dict[str, NDArray[np.int64]] = {"cells": cells}
    if alone:
        labels = {"class": handwriting().labels[first], "place": _quarter(place),
                  "colour": strongest}  # fmt: skip
    return Scenes(change(images), labels, _cover(ink))


def _in_quarter(unit: NDArray[np.float64], corner: NDArray[np.int64]) -> Placement:
    """Digits of 16 to 28 pixels somewhere in a quarter of a 64 x 64 scene each."""
    size = 16.0 + 12.0 * unit[:, 0]
    top, left = (32.0 * _CORNERS[corner, i] + unit[:, 1 + i] * (32.0 - size) for i in range(2))
    return Placement(top, left, size)


def _quarter(place: Placement) -> NDArray[np.int64]:
    """In which quarter of a 64 x 64 scene the centre of a digit lies: 0 to 3, row by row."""
    below, right = (edge + place.size / 2 >= 32.0 for edge in (place.top, place.left))
    return np.asarray(2 * below + right, np.int64)


def _cover(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean opacity of every patch."""
    n, side = len(ink), ink.shape[1] // PATCHES
    return np.asarray(ink.reshape(n, PATCHES, side, PATCHES, side).mean((2, 4)))
