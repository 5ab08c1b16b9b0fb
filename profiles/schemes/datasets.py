"""Data of one answer, the class of a digit, on which schemes are trained and judged.

    digits     scikit-learn's, 8 x 8, values 0-16; five folds
    scenes16   one of them on 16 x 16, grey, with salt and pepper
    scenes     one of them on a photograph, 64 x 64

Images uint8 [image, row, column, channel], labels [image].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from profiles.models import digits, scenes
from profiles.models.data import digit_scenes
from profiles.models.data.digit_scenes import Change
from profiles.models.data.handwriting import Samples
from profiles.models.recipe import Epoch
from profiles.tables.choices import unknown

DIGITS, SCENES16, SCENES = "digits", "scenes16", "scenes"
SAID = {
    DIGITS: "scikit-learn's digits, 8 x 8",
    SCENES16: "scenes of one of scikit-learn's digits, 16 x 16",
    SCENES: "scenes of scikit-learn's digits and photographs, 64 x 64",
}
"""What provenance calls them."""
N_TEST = 3600
"""Test scenes by which a scheme is judged; of `digits` there are 359 or 360."""


def keep(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images as they are."""
    return images


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One of them. `n_test`: samples of its test split that judge; `white`: the brightest value."""

    name: str
    n_test: int
    white: int
    draw: Callable[[str, int, int, Change], Samples] = field(repr=False)

    @property
    def said(self) -> str:
        """What provenance calls it."""
        return SAID[self.name]

    def samples(self, split: str, n: int, change: Change = keep) -> Samples:
        """The first n samples of a split, or all where there are fewer; `change` is done to what
        the camera sees, before any noise of its own.
        """
        return self.draw(split, n, 0, change)

    def epochs(self, n: int) -> Epoch:
        """Scenes for training, n others for every epoch."""
        return lambda number: self.draw("train", n, number * n, keep)


def dataset(model: str, fold: int = 0) -> Dataset:
    """The data of that name; of `digits` those of one of five folds.

    Raises:
        ValueError: an unknown name.
    """
    if model == DIGITS:
        n_test = len(digits.samples("test", fold=fold).labels)
        return Dataset(name=model, n_test=n_test, white=16, draw=partial(_draw_digits, fold))
    draws = {SCENES16: _draw_small, SCENES: _draw_scenes}
    if model not in draws:
        raise ValueError(unknown("data", model, SAID))
    return Dataset(name=model, n_test=N_TEST, white=255, draw=draws[model])


def check_model(scheme: str, model: str, models: Sequence[str]) -> None:
    """Refuse data that a scheme is not trained for.

    Raises:
        ValueError: the scheme, what it is trained for, what was asked.
    """
    if model not in models:
        *others, last = models
        allowed = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"scheme {scheme} is trained for model {allowed}, got {model!r}")


def _draw_digits(fold: int, split: str, n: int, start: int, change: Change) -> Samples:
    most = len(digits.samples(split, fold=fold).labels)
    made = digits.samples(split, min(n, most), fold=fold)
    return Samples(change(made.inputs), made.labels)


def _draw_small(split: str, n: int, start: int, change: Change) -> Samples:
    made = digit_scenes.family(SCENES16).samples(split, n, start=start, change=change)
    return Samples(made.inputs, made.labels["class"])


def _draw_scenes(split: str, n: int, start: int, change: Change) -> Samples:
    made = scenes.samples(split, n, start=start)
    return Samples(change(made.inputs), made.labels)
