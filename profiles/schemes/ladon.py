"""Ladon (arXiv 2501.01420): an entropy bottleneck in place of the stem, one body, three heads.

    device   encoder (conv, GDN), whole numbers, rANS under a learned prior
    server   decoder (conv, inverse GDN), the body once, a head for each task

Trained in two stages, as the authors do: first encoder, prior and decoder by the distance to a
teacher's features plus beta times the bits, with additive uniform noise for the rounding; then
encoder and prior are frozen, and decoder, body and heads learn the teacher's answers. The teacher
is the joint network of MTL-Split. Written from the mechanism.
"""

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import codec
from profiles.models.recipe import Loss, Recipe, load_or_train
from profiles.models.residual import Normalise
from profiles.schemes import mtl_split
from profiles.schemes.bottleneck import Bottlenecked
from profiles.schemes.datasets import check_model
from profiles.schemes.distilling import (
    answer_alike,
    distance,
    features_of,
    judge,
    load_coded,
    round_weights,
    train_coded,
)
from profiles.schemes.heads import answering
from profiles.schemes.multitask import MultiTask
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import SHIPPED

MODELS = ("scenes16",)
BETAS = (0.02, 0.32, 1.28, 5.12, 20.48)
"""Squared distance to the teacher's features that a bit is worth; the last four as the authors'."""
DEFAULT_BETA = 0.32
CODEC = "prior"
_SIZES = {"channels": 6, "middle": 32, "n_in": 1, "n_out": 32}
_EPOCHS = (24, 16)


def recipe(model: str, beta: float, stage: int) -> Recipe:
    """That of stage 1 (encoder, prior, decoder) or 2 (decoder, body, heads)."""
    part = "-encoder" if stage == 1 else ""
    return Recipe(
        name=f"ladon-{model}-{beta:g}{part}", version=1, epochs=_EPOCHS[stage - 1], batch=64,
        peak_rate=4e-3 if stage == 1 else 2e-3, weight_decay=0.0 if stage == 1 else 0.02,
    )  # fmt: skip


def build(teacher: MultiTask) -> Bottlenecked:
    """The network, its body and heads those of the teacher."""
    return Bottlenecked(teacher, Normalise([0.5], [0.25]), **_SIZES)


def distil(teacher: MultiTask, beta: float) -> Loss:
    """Squared distance to the teacher's last two features, plus beta times the bits, per image."""

    def measure(module: Bottlenecked, images: Tensor, labels: Tensor) -> Tensor:
        wanted, deeper = features_of(teacher, images)
        latents = module.encoder(images)
        found = module.decoder(latents)
        far = distance(found, wanted) + distance(module.body(found), deeper)
        return (far + beta * module.prior.bits(latents).sum((1, 2, 3))).mean()

    return measure


def train_one(
    chosen: mtl_split.Setup, teacher: MultiTask, beta: float, folder: Path
) -> tuple[Bottlenecked, dict[str, Any]]:
    """Both stages for one beta, or what is found of them in `folder`; its tables are left there."""
    first, second = (recipe(chosen.family.name, beta, stage) for stage in (1, 2))
    seen, classes = first.epochs, list(chosen.family.tasks.values())
    figures = partial(judge, chosen, mtl_split.JOINT, beta)
    base, _ = load_or_train(
        first, partial(build, teacher), chosen.epoch, figures, folder=folder,
        loss=distil(teacher, beta), finish=round_weights,
    )  # fmt: skip
    assert isinstance(base, Bottlenecked)
    return train_coded(
        second, lambda: copy.deepcopy(base).freeze_encoder(),
        lambda number: chosen.epoch(seen + number), figures, folder=folder,
        loss=answer_alike(teacher, classes), finish=round_weights,
    )  # fmt: skip


def train(
    model: str, *, beta: float = DEFAULT_BETA, folder: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """The teacher and all betas by their recipes, or found in `folder`; the network of `beta` and
    its provenance. About 3 CPU min.
    """
    chosen = _setup(model)
    _check_beta(beta)
    teacher, _ = chosen.train(mtl_split.JOINT, folder)
    assert isinstance(teacher, MultiTask)
    made = {each: train_one(chosen, teacher, each, folder) for each in BETAS}
    return made[float(beta)]


def scheme(
    model: str = "scenes16", *, beta: float = DEFAULT_BETA, tasks: str | Sequence[str] = "all"
) -> Scheme:
    """The scheme with its shipped weights and tables.

    Args:
        model: the data set.
        beta: what a bit was worth in training, one of `BETAS`.
        tasks: which of its tasks are answered; "all", the name of one, or a list.

    Raises:
        ValueError: another data set, another beta, an unknown task, or none.
    """
    chosen = _setup(model)
    _check_beta(beta)
    names = mtl_split.choose_tasks(tasks, tuple(chosen.family.tasks))
    module, tables, provenance = load(chosen, beta)
    of_tasks = mtl_split.figures_of(names, provenance["accuracy_by_task"])
    provenance |= {"accuracy_by_task": of_tasks,
                   "accuracy": round(sum(of_tasks.values()) / len(names), 6)}  # fmt: skip
    module.heads = module.heads.keep(names)
    example = torch.from_numpy(chosen.samples("test", 1).inputs)
    return Scheme(
        name="ladon",
        model=model,
        network=answering(
            f"ladon-{model}-{beta:g}", module, module.heads, example=example, stages=module.stages
        ),
        cut="encoder",
        first_cut="encoder",
        samples=partial(mtl_split.labelled, chosen, names),
        heads=module.heads,
        brings={CODEC: {"calibration": tables}},
        options={"beta": float(beta), "tasks": list(names)},
        provenance=provenance,
    )


def load(
    chosen: mtl_split.Setup, beta: float
) -> tuple[Bottlenecked, codec.Calibration, dict[str, Any]]:
    """Shipped weights and tables of one beta, and their provenance.

    Raises:
        WeightsError: damaged files, or tables of another training.
    """
    name = recipe(chosen.family.name, beta, 2).name
    module = build(chosen.build(mtl_split.JOINT))
    tables, provenance = load_coded(module, SHIPPED, name)
    return module, tables, provenance


def _setup(model: str) -> mtl_split.Setup:
    check_model("ladon", model, MODELS)
    return mtl_split.setup(model)


def _check_beta(beta: float) -> None:
    if beta not in BETAS:
        allowed = ", ".join(f"{each:g}" for each in BETAS)
        raise ValueError(f"scheme.beta must be one of {allowed}, got {beta!r}")
