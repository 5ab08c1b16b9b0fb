"""Train a shipped network anew by its recipe, from data that every installation has."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from profiles.models import bytellama, digits, scenes
from profiles.models.recipe import accuracy_on, cache_folder, load_or_train

N_TEST_SCENES = 3600
TRAINABLE = ("digits", "scenes", "bytellama")


def train(
    name: str, *, fold: int = 0, folder: Path | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Train `digits` (about 15 CPU s a fold), `scenes` (4 to 8 CPU min) or `bytellama` (4 CPU min).

    What an earlier call left in `folder` is read. Returns the network in eval mode and its
    provenance, with `accuracy` (`bits_per_byte` for language) on the test split;
    `folder` defaults to outputs/cache.

    Raises:
        ValueError: another name, or a fold that does not exist.
    """
    folder = cache_folder() if folder is None else folder
    if name == "scenes":
        judge = accuracy_on(scenes.samples("test", N_TEST_SCENES))
        return load_or_train(
            scenes.RECIPE, scenes.build, scenes.training_epoch, judge, folder=folder
        )
    if name == "bytellama":
        own = bytellama
        return load_or_train(own.RECIPE, own.build, own.training_epoch, own.judge, folder=folder)
    if name == "digits":
        judge = accuracy_on(digits.samples("test", fold=fold))
        epoch = partial(digits.training_epoch, fold=fold)
        return load_or_train(digits.recipe(fold), digits.build, epoch, judge, folder=folder)
    raise ValueError(f"model must be one of {', '.join(TRAINABLE)} to be trained, got {name!r}")
