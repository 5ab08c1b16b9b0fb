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
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.models import digits, scenes
from profiles.models.data import digit_scenes
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Epoch, Recipe, accuracy, load_or_train
from profiles.models.weights import load_weights
from profiles.schemes import sparsity
from profiles.schemes.exits import EarlyPath, ExitMlp, ExitNet, ExitResidual, ExitSmall, joint_loss
from profiles.schemes.gates import ConfidenceGate
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import SHIPPED, round_weights

MODELS = ("digits", "scenes16", "scenes")
N_TEST_SCENES = 3600
N_EPOCH = 4096
DIGITS = {"layer1.0": 5, "layer2.0": 9}
SCENES16 = {"stage1.4": 8, "stage2.0": 24, "stage2.3": 12, "stage3.0": 16}
SCENES = {
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
    epoch: Epoch
    samples: Callable[[str, int], Samples]
    n_test: int
    data: str
    finish: Callable[[nn.Module], None] | None = None

    def masks(self) -> dict[str, torch.Tensor]:
        """Those of its recipe's seed."""
        return sparsity.masks_of(self.build(), self.out_degrees, self.recipe.seed)

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """Accuracy of both answers on the test split, the weights that are left, the data."""
        test, masks = self.samples("test", self.n_test), self.masks()
        assert isinstance(module, ExitNet)
        early = EarlyPath(module).eval()
        return {
            "accuracy": round(accuracy(module, test), 6),
            "accuracy_early": round(accuracy(early, test), 6),
            "n_test": len(test.labels),
            "weights_masked": sparsity.n_links(masks, module),
            "trained_on": self.data,
        }


def setup(model: str, fold: int = 0) -> Setup:
    """The variant for a data set; of `digits` one of five folds.

    Raises:
        ValueError: another data set.
    """
    if model == "digits":
        return Setup(
            recipe=Recipe(
                name=f"early_exit-digits-{fold}", version=1, epochs=60, batch=64, peak_rate=1e-2,
                weight_decay=0.01, seed=fold,
            ),
            build=ExitMlp,
            out_degrees=DIGITS,
            epoch=lambda number: digits.samples("train", seed=number, fold=fold),
            samples=partial(_digits, fold),
            n_test=len(digits.samples("test", fold=fold).labels),
            data="scikit-learn's digits, 8 x 8",
        )  # fmt: skip
    if model == "scenes16":
        return Setup(
            recipe=Recipe(
                name="early_exit-scenes16", version=1, epochs=24, batch=64, peak_rate=4e-3,
                weight_decay=0.02,
            ),
            build=ExitSmall,
            out_degrees=SCENES16,
            epoch=lambda number: _small("train", N_EPOCH, start=number * N_EPOCH),
            samples=_small,
            n_test=N_TEST_SCENES,
            data="scenes of one of scikit-learn's digits, 16 x 16",
            finish=round_weights,
        )  # fmt: skip
    if model == "scenes":
        return Setup(
            recipe=Recipe(
                name="early_exit-scenes", version=1, epochs=12, batch=64, peak_rate=4e-3,
                weight_decay=0.05,
            ),
            build=ExitResidual,
            out_degrees=SCENES,
            epoch=scenes.training_epoch,
            samples=scenes.samples,
            n_test=N_TEST_SCENES,
            data="scenes of scikit-learn's digits and photographs, 64 x 64",
        )  # fmt: skip
    allowed = ", ".join(MODELS)
    raise ValueError(f"scheme early_exit is trained for model {allowed}, got {model!r}")


def _digits(fold: int, split: str, n: int) -> Samples:
    most = len(digits.samples(split, fold=fold).labels)
    return digits.samples(split, min(n, most), fold=fold)


def _small(split: str, n: int, *, start: int = 0) -> Samples:
    """Scenes of 16 x 16 and the class of their digit."""
    made = digit_scenes.family("scenes16").samples(split, n, start=start)
    return Samples(made.inputs, made.labels["class"])


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
    provenance = load_weights(module, SHIPPED / f"{chosen.recipe.name}.npz")
    whole = Network(
        name=f"early_exit-{model}", module=module.eval(),
        example_input=torch.from_numpy(chosen.samples("test", 1).inputs),
        stages=module.stages, weights="trained", digest=provenance["digest"],
    )  # fmt: skip
    return Scheme(
        name="predefined_sparsity", model=model, network=whole, cut=module.exit_after,
        samples=chosen.samples, provenance=provenance,
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
