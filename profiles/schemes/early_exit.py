"""Predefined sparsity and early exit (arXiv 2407.11763), trained from nothing, for three data sets.

    digits     64-40-40-10, out-degrees 5, 9, 10: 1,080 of 4,560 weights; exit after layer1
    scenes16   five convolutions, a quarter to half of their links; exit after stage1
    scenes     the residual network, a quarter of the links of its larger convolutions; exit after
               stage2

The masks are fixed before training and applied after every step; both answers are trained jointly.
The device answers by itself where its answer is surer than `threshold`; `sparse` is the same
network without its exit. Written from the mechanism; the authors' repository has no licence, and no
exit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.models import digits, scenes
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Epoch, Recipe, accuracy, load_or_train
from profiles.schemes import sparsity
from profiles.schemes.datasets import DIGITS, SCENES, SCENES16, Dataset, check_model, dataset
from profiles.schemes.exits import EarlyPath, ExitMlp, ExitNet, ExitResidual, ExitSmall, joint_loss
from profiles.schemes.gates import ConfidenceGate
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import load_shipped, round_weights

MODELS = (DIGITS, SCENES16, SCENES)
N_EPOCH = 4096
OF_DIGITS = {"layer1.0": 5, "layer2.0": 9}
OF_SCENES16 = {"stage1.4": 8, "stage2.0": 24, "stage2.3": 12, "stage3.0": 16}
OF_SCENES = {
    "stage1.conv1": 8, "stage1.conv2": 8, "stage2.conv1": 8, "stage2.conv2": 8,
    "stage3.conv1": 16, "stage3.conv2": 16, "stage4.conv1": 16, "stage4.conv2": 16,
}  # fmt: skip
"""Out-degrees by layer; what is not named is dense."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One variant: how it is built, masked, trained and judged."""

    recipe: Recipe
    build: Callable[[], ExitNet]
    out_degrees: Mapping[str, int]
    data: Dataset
    epoch: Epoch
    finish: Callable[[nn.Module], None] | None = None

    def masks(self) -> dict[str, torch.Tensor]:
        """Those of its recipe's seed."""
        return sparsity.masks_of(self.build(), self.out_degrees, self.recipe.seed)

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """Accuracy of both answers on the test split, the weights that are left, the data."""
        test, masks = self.data.samples("test", self.data.n_test), self.masks()
        assert isinstance(module, ExitNet)
        early = EarlyPath(module).eval()
        return {
            "accuracy": round(accuracy(module, test), 6),
            "accuracy_early": round(accuracy(early, test), 6),
            "n_test": len(test.labels),
            "weights_masked": sparsity.n_links(masks, module),
            "trained_on": self.data.said,
        }


def setup(model: str, fold: int = 0) -> Setup:
    """The variant for a data set; of `digits` one of five folds.

    Raises:
        ValueError: another data set.
    """
    check_model("early_exit", model, MODELS)
    data = dataset(model, fold)
    if model == DIGITS:
        return Setup(
            recipe=Recipe(
                name=f"early_exit-digits-{fold}", version=1, epochs=60, batch=64, peak_rate=1e-2,
                weight_decay=0.01, seed=fold,
            ),
            build=ExitMlp, out_degrees=OF_DIGITS, data=data,
            epoch=lambda number: digits.samples("train", seed=number, fold=fold),
        )  # fmt: skip
    if model == SCENES16:
        return Setup(
            recipe=Recipe(
                name="early_exit-scenes16", version=1, epochs=24, batch=64, peak_rate=4e-3,
                weight_decay=0.02,
            ),
            build=ExitSmall, out_degrees=OF_SCENES16, data=data, epoch=data.epochs(N_EPOCH),
            finish=round_weights,
        )  # fmt: skip
    return Setup(
        recipe=Recipe(
            name="early_exit-scenes", version=1, epochs=12, batch=64, peak_rate=4e-3,
            weight_decay=0.05,
        ),
        build=ExitResidual, out_degrees=OF_SCENES, data=data, epoch=scenes.training_epoch,
    )  # fmt: skip


def train(model: str, *, fold: int = 0, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The variant trained by its recipe, or found in `folder`, and its provenance.

    About 1 CPU s for `digits`, 1 CPU min for `scenes16`, 5 to 10 CPU min for `scenes`.
    """
    chosen = setup(model, fold)
    masks = chosen.masks()
    return load_or_train(
        chosen.recipe, chosen.build, chosen.epoch, chosen.judge, folder=folder,
        loss=joint_loss, after=lambda module: sparsity.apply(module, masks),
        finish=chosen.finish,
    )  # fmt: skip


def sparse(model: str = "scenes", *, fold: int = 0) -> Scheme:
    """The masked network with its shipped weights: no exit, and any cut.

    Raises:
        ValueError: another data set.
    """
    chosen = setup(model, fold)
    module = chosen.build()
    provenance = load_shipped(module, chosen.recipe)
    whole = Network(
        name=f"early_exit-{model}", module=module.eval(),
        example_input=torch.from_numpy(chosen.data.samples("test", 1).inputs),
        stages=module.stages, weights="trained", digest=provenance["digest"],
    )  # fmt: skip
    return Scheme(
        name="predefined_sparsity", model=model, network=whole, cut=module.exit_after,
        samples=chosen.data.samples, provenance=provenance,
    )  # fmt: skip


def scheme(model: str = "scenes", *, threshold: float = 0.7, fold: int = 0) -> Scheme:
    """That network with its exit, on the device.

    Raises:
        ValueError: another data set, a threshold outside 0..1.
    """
    base = sparse(model, fold=fold)
    module, name = base.network.module, base.network.name
    assert isinstance(module, ExitNet)
    path = EarlyPath(module).eval()
    early = Network(
        name=f"{name}-early", module=path, example_input=base.network.example_input,
        stages=(f"whole.{module.exit_after}",), weights="trained", digest=content_digest(path),
    )  # fmt: skip
    return replace(
        base,
        name="early_exit",
        first_cut=module.exit_after,
        gate=ConfidenceGate(after=module.exit_after, early=early, threshold=threshold),
        options={"threshold": threshold},
    )
