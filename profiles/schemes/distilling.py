"""What Ladon and the baselines of SC2 share: losses, figures, weights with their tables.

Shapes: images uint8 [batch, height, width, channel]; features [batch, channel, height, width];
answers [batch, class]; labels [batch, task].
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import codec
from profiles.models.recipe import After, Epoch, Judge, Loss, Recipe, load_or_train
from profiles.models.weights import WeightsError, load_weights
from profiles.schemes import mtl_split
from profiles.schemes.bottleneck import Bottlenecked
from profiles.schemes.datasets import N_TEST
from profiles.schemes.multitask import MultiTask
from profiles.schemes.priors import tables_of

_KD = 0.5
"""Weight of the teacher's answers against that of the labels."""
_BATCH = 500


def features_of(teacher: MultiTask, images: Tensor) -> tuple[Tensor, Tensor]:
    """Its last two features, without gradient."""
    with torch.no_grad():
        feature = teacher.stage2(teacher.stage1(images))
        return feature, teacher.stage3(feature)


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared, [batch]."""
    return (found - wanted).square().sum((1, 2, 3))


def answer_alike(teacher: MultiTask, classes: Sequence[int]) -> Loss:
    """Of every task half the cross-entropy, half KL(teacher || answer), at temperature 1."""
    entropy = nn.functional.cross_entropy

    def measure(module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = teacher(images).split(list(classes), 1)
        found = module(images).split(list(classes), 1)
        each = [
            (1.0 - _KD) * entropy(scores, labels[:, i]) + _KD * _divergence(scores, wanted[i])
            for i, scores in enumerate(found)
        ]
        return torch.stack(each).sum()

    return measure


def _divergence(scores: Tensor, wanted: Tensor) -> Tensor:
    found, aim = scores.log_softmax(1), wanted.log_softmax(1)
    return nn.functional.kl_div(found, aim, log_target=True, reduction="batchmean")


@torch.no_grad()
def round_weights(module: nn.Module, bits: int = 8) -> None:
    """To so many significant bits, at most 8, that float16 holds, so that the file shrinks; judged
    after that.
    """
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            mantissa, exponent = tensor.to(torch.bfloat16).float().frexp()
            few = (mantissa * 2**bits).round().ldexp(exponent - bits)
            tensor.copy_(few.to(torch.float16))


def judge(chosen: mtl_split.Setup, which: str, beta: float, module: nn.Module) -> dict[str, Any]:
    """Accuracy of the tasks of one of the networks (`mtl_split.JOINT`: all), and the bytes that the
    prior expects, mean over the test scenes.
    """
    assert isinstance(module, Bottlenecked)
    images = torch.from_numpy(chosen.samples("test", N_TEST).inputs)
    with torch.inference_mode():
        latents = [module.encoder(each) for each in torch.split(images, _BATCH)]
        bits = torch.cat([module.prior.bits(each).sum((1, 2, 3)) for each in latents])
    return {
        **chosen.judge(which, module.eval()),
        "beta": beta,
        "prior_bytes": round(float(bits.mean()) / 8, 4),
        "tables": tables_of(module.prior).id.hex(),
    }


def train_coded(
    recipe: Recipe,
    build: Callable[[], nn.Module],
    epoch: Epoch,
    figures: Judge,
    *,
    folder: Path,
    loss: Loss,
    finish: After,
) -> tuple[Bottlenecked, dict[str, Any]]:
    """A network with a prior by its recipe, or found in `folder`, where its tables are left."""
    module, provenance = load_or_train(
        recipe, build, epoch, figures, folder=folder, loss=loss, finish=finish
    )
    assert isinstance(module, Bottlenecked)
    tables_of(module.prior).save(folder / f"{recipe.name}-{recipe.digest}-prior.npz")
    return module, provenance


def load_coded(
    module: Bottlenecked, folder: Path, name: str
) -> tuple[codec.Calibration, dict[str, Any]]:
    """Fill a network with shipped weights; the tables of its prior, and its provenance.

    Raises:
        WeightsError: damaged files, or tables of another training.
    """
    provenance = load_weights(module, folder / f"{name}.npz")
    tables = codec.Calibration.load(folder / f"{name}-prior.npz")
    if tables.id.hex() != provenance["tables"]:
        raise WeightsError(
            f"tables of {name} are {tables.id.hex()}, {provenance['tables']} is stated"
        )
    return tables, provenance
