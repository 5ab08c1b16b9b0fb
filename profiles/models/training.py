"""Train a shipped network anew by its recipe, from nothing but the data that scikit-learn ships."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from profiles.models import digits, scenes
from profiles.models.recipe import cache_folder, trained

__all__ = ["N_TEST_SCENES", "TRAINABLE", "train"]

N_TEST_SCENES = 3600
TRAINABLE = ("digits", "scenes")


def train(
    name: str, *, fold: int = 0, folder: Path | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Train `digits` (about 15 CPU s a fold) or `scenes` (4 to 8 CPU min), or find it in `folder`.

    Returns the network in eval mode and its provenance, `accuracy` on the test split among it;
    `folder` defaults to outputs/cache.

    Raises:
        ValueError: another name, or a fold that does not exist.
    """
    folder = cache_folder() if folder is None else folder
    if name == "scenes":
        test = scenes.samples("test", N_TEST_SCENES)
        return trained(scenes.RECIPE, scenes.build, scenes.training_epoch, test, folder=folder)
    if name == "digits":
        test, epoch = digits.samples("test", fold=fold), partial(digits.training_epoch, fold=fold)
        return trained(digits.recipe(fold), digits.build, epoch, test, folder=folder)
    raise ValueError(f"model must be one of {', '.join(TRAINABLE)} to be trained, got {name!r}")
