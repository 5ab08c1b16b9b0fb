"""What the networks for 224 x 224 photographs share: their input, their random weights, their data.

Without a checkpoint the weights are drawn, and BatchNorm's statistics are measured on crops of the
two photographs, so that activations keep the scale and the sparsity that trained ones have; their
payloads are marked *random weights*, and no accuracy is reported. With `weights=FOLDER` a
transformers checkpoint is read instead, with the preparation of images and the names of classes
that it states. Shapes: images uint8 [batch, 224, 224, 3].
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from profiles.models.data.draws import uniforms
from profiles.models.data.folders import image_samples
from profiles.models.data.handwriting import Samples, check_split
from profiles.models.data.labels import labels_of, outputs_of
from profiles.models.data.photographs import crops
from profiles.models.data.preparation import SIZE as SIZE
from profiles.models.data.preparation import Preparation, preparation_of
from profiles.models.network import Network, content_digest
from profiles.models.residual import Normalise

N_CLASSES = 1000
N_CALIBRATION = 16
VERSION = 1
"""Raised whenever the drawing or the calibration of weights changes."""

Parts = Mapping[str, nn.Module]


def samples(split: str, n: int, seed: int = 0, *, data: str = "", weights: str = "") -> Samples:
    """Images [n, 224, 224, 3] and labels [n].

    Of the folder `data` where one is named (class folders of images, see `folders`), prepared and
    numbered as the checkpoint in the folder `weights` says; otherwise crops of the two photographs.
    Those have no label, and neither have images without a checkpoint: -1 stands in its place.
    """
    check_split(split)
    if data:
        outputs = partial(_outputs, Path(data), weights)
        return image_samples(
            Path(data), n, seed, outputs=outputs, preparation=preparation_of(weights)
        )
    unit = uniforms(f"photographs/{split}/{seed}", np.arange(n), 3)
    return Samples(crops(unit, SIZE), np.full(n, -1, np.int64))


def _outputs(data: Path, weights: str, names: Sequence[str]) -> Mapping[str, int]:
    """The outputs that stand for some classes; -1 for each where weights are random."""
    if not weights:
        return dict.fromkeys(names, -1)
    n_outputs, labels = labels_of(weights)
    return outputs_of(names, n_outputs, labels=labels, data=data)


def network(
    name: str, build: Callable[[str], Parts], stages: tuple[str, ...], *, weights: str = ""
) -> Network:
    """The network whose parts, in order, `build(weights)` gives, behind a normalisation.

    Raises ValueError in one line where the extra `models` or the checkpoint is missing.
    """
    asked = preparation_of(weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = build(weights)
        first = Normalise(asked.mean, asked.std, scale=asked.scale)
        module = nn.Sequential(OrderedDict(normalise=first, **parts))
    module.eval().requires_grad_(False)
    if not weights:
        calibrate(module)
    return Network(
        name=name,
        module=module,
        example_input=torch.from_numpy(samples("test", 1).inputs),
        stages=stages,
        weights="trained" if weights else "random",
        digest=_digest(module, asked) if weights else recipe_digest(name, module),
    )


def _digest(module: nn.Module, asked: Preparation) -> str:
    """Content hash of a checkpoint; of its normalisation as well where that is its own."""
    content = content_digest(module)
    usual, own = (str((one.mean, one.std, one.scale)) for one in (Preparation(), asked))
    return content if own == usual else hashlib.sha256(f"{content}|{own}".encode()).hexdigest()[:16]


def draw(module: nn.Module) -> None:
    """Weights by He et al. 2015, biases 0, gains 1, so that activations neither die nor grow."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()


@torch.no_grad()
def calibrate(module: nn.Module) -> None:
    """Set the running statistics of every BatchNorm to those of crops of the two photographs."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return
    images = torch.from_numpy(samples("calibration", N_CALIBRATION).inputs)
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the cumulative mean instead of an exponential one
        norm.train()
    module(images)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
        norm.eval()


def recipe_digest(name: str, module: nn.Module) -> str:
    """Hash of what random weights are made from (16 hex digits).

    Not of their values: another machine's sums differ in the last bit, and a shipped profile must
    still be known as this network's.
    """
    shapes = [(key, tuple(value.shape)) for key, value in module.state_dict().items()]
    text = f"{name}|random|{VERSION}|{N_CALIBRATION}|{shapes}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class MeanPool(nn.Module):
    """Mean over height and width: [batch, channel, height, width] to [batch, channel]."""

    def forward(self, x: Tensor) -> Tensor:
        """Features to their means."""
        return x.mean((2, 3))
