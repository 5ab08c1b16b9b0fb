"""DenseNet121 (Huang et al. 2017): 7.979 M parameters, 2.8 GMAC at 224 x 224."""

from pathlib import Path

import torch
from torch import Tensor, nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

GROWTH, DEPTHS, BOTTLENECK = 32, (6, 12, 24, 16), 4
STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")


class DenseLayer(nn.Module):
    """What came before, and 32 new channels made of all of it."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        inner = BOTTLENECK * GROWTH
        self.make = nn.Sequential(
            nn.BatchNorm2d(n_in), nn.ReLU(), nn.Conv2d(n_in, inner, 1, bias=False),
            nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, GROWTH, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Features with 32 channels more."""
        return torch.cat((x, self.make(x)), 1)


def network(weights: str = "") -> Network:
    """Cuts behind the stem, and behind each dense block with its transition."""
    return imagenet.network("densenet121", parts, STAGES, weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order; weights of a checkpoint by torchvision's names."""
    width = 2 * GROWTH
    stages: dict[str, nn.Module] = {
        "stem": nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
    }  # fmt: skip
    for name, depth in zip(STAGES[1:], DEPTHS, strict=True):
        dense = [DenseLayer(width + i * GROWTH) for i in range(depth)]
        width += depth * GROWTH
        last = name == STAGES[-1]
        stages[name] = nn.Sequential(*dense, *([] if last else _transition(width)))
        width = width if last else width // 2
    stages["norm"] = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
    stages["pool"] = imagenet.MeanPool()
    stages["classifier"] = nn.Linear(width, imagenet.N_CLASSES)
    imagenet.draw(nn.ModuleDict(stages))
    if weights:
        checkpoint.load_state_dict(nn.ModuleDict(stages), Path(weights), their_name)
    return stages


def their_name(name: str) -> str:
    """torchvision's name of a tensor: "stage1.0.make.5.weight" is its first layer's conv2.weight.

    ("features.denseblock1.denselayer1.conv2.weight"; its checkpoints of before 2019 say conv.2.)
    """
    stage, *places, end = name.split(".")
    if stage == "classifier":
        return f"classifier.{end}"
    if stage in ("stem", "norm"):
        part = {"stem.0": "conv0", "stem.1": "norm0", "norm.0": "norm5"}[f"{stage}.{places[0]}"]
        return f"features.{part}.{end}"
    block, layer = STAGES.index(stage), int(places[0])
    depth = DEPTHS[block - 1]
    if layer >= depth:
        return f"features.transition{block}.{ {0: 'norm', 2: 'conv'}[layer - depth] }.{end}"
    part = {0: "norm1", 2: "conv1", 3: "norm2", 5: "conv2"}[int(places[-1])]
    return f"features.denseblock{block}.denselayer{layer + 1}.{part}.{end}"


def _transition(width: int) -> list[nn.Module]:
    """Half as many channels, half the height and the width."""
    narrow = nn.Conv2d(width, width // 2, 1, bias=False)
    return [nn.BatchNorm2d(width), nn.ReLU(), narrow, nn.AvgPool2d(2)]
