"""How the baselines of SC2 (`sc2.py`) are trained: a recipe and a function for each.

Shapes: images uint8 [batch, height, width, channel]; labels [batch, task], the class first.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from profiles.models.recipe import Loss, Recipe, load_or_train
from profiles.schemes import ladon, mtl_split
from profiles.schemes.bottleneck import Bottlenecked
from profiles.schemes.channel_reduction import Ends, Reduced, imitate
from profiles.schemes.distilling import judge, round_weights, train_coded
from profiles.schemes.multitask import MultiTask

TASK = mtl_split.CLASS
_BITS = 6
"""Significant bits of the weights of end_to_end, whose files are the largest."""
_N_RANGE = 2048
"""Training scenes whose latents give the range of cr_bq."""


def reduced_recipe(model: str, width: int) -> Recipe:
    """That of cr_bq."""
    return _recipe(f"sc2-{model}-cr_bq-{width}", 24)


def end_to_end_recipe(model: str, beta: float) -> Recipe:
    """That of end_to_end: as many epochs as both stages of entropic_student have."""
    return _recipe(f"sc2-{model}-end_to_end-{beta:g}", 40)


def _recipe(name: str, epochs: int) -> Recipe:
    return Recipe(
        name=name, version=1, epochs=epochs, batch=64, peak_rate=4e-3, weight_decay=0.0
    )  # fmt: skip


def answer_briefly(beta: float) -> Loss:
    """Cross-entropy of the class plus beta times the bits, mean over the images."""
    entropy = nn.functional.cross_entropy

    def measure(module: Bottlenecked, images: Tensor, labels: Tensor) -> Tensor:
        latents = module.encoder(images)
        z = module.body(module.decoder(latents)).flatten(1)
        bits = module.prior.bits(latents).sum((1, 2, 3)).mean()
        return entropy(module.heads[0](z), labels[:, 0]) + beta * bits

    return measure


def train_reduced(
    chosen: mtl_split.Setup, width: int, folder: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """cr_bq: the teacher of the class alone, then encoder and decoder towards its features."""
    teacher, _ = chosen.train(TASK, folder)
    assert isinstance(teacher, MultiTask)
    teacher.requires_grad_(False)
    scenes = torch.from_numpy(chosen.samples("train", _N_RANGE).inputs)

    def finish(module: Ends) -> None:
        round_weights(module)
        module.fit_range(scenes)

    def figures(module: nn.Module) -> dict[str, Any]:
        assert isinstance(module, Ends)
        return {**chosen.judge(TASK, Reduced(module, teacher).eval()), "width": width}

    ends, provenance = load_or_train(
        reduced_recipe(chosen.family.name, width), partial(Ends, width), chosen.epoch, figures,
        folder=folder, loss=imitate(teacher), finish=finish,
    )  # fmt: skip
    assert isinstance(ends, Ends)
    return Reduced(ends, teacher), provenance


def train_end_to_end(
    chosen: mtl_split.Setup, beta: float, folder: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """end_to_end, from nothing; its tables are left in `folder`, too."""
    recipe = end_to_end_recipe(chosen.family.name, beta)
    return train_coded(
        recipe, lambda: ladon.build(chosen.build(TASK)), chosen.epoch,
        partial(judge, chosen, TASK, beta), folder=folder, loss=answer_briefly(beta),
        finish=partial(round_weights, bits=_BITS),
    )  # fmt: skip


def train_student(
    chosen: mtl_split.Setup, beta: float, folder: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """entropic_student: what Ladon trains, with the accuracy of the class."""
    teacher, _ = chosen.train(mtl_split.JOINT, folder)
    assert isinstance(teacher, MultiTask)
    module, provenance = ladon.train_one(chosen, teacher, beta, folder)
    return module, {**provenance, "accuracy": provenance["accuracy_by_task"][TASK]}
