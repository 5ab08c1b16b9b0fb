"""MobileNetV2 (Sandler et al. 2018): 3.505 M parameters, 0.3 GMAC at 224 x 224."""

from itertools import pairwise

from torch import nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

GROUPS = {"stem": 0, "stage1": 2, "stage2": 5, "stage3": 9, "stage4": 12, "stage5": 15}
"""Stages and how many of the 16 inverted residuals lie before each one's end."""


def network(weights: str = "") -> Network:
    """Cuts behind the stem and each group of blocks of one width."""
    return imagenet.network("mobilenet_v2", parts, tuple(GROUPS), weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order."""
    model = checkpoint.load_or_draw(
        "MobileNetV2ForImageClassification", "MobileNetV2Config", weights
    )
    if not weights:
        imagenet.draw(model)
    body, ends = model.mobilenet_v2, list(GROUPS.values())
    groups = [body.layer[a:b] for a, b in pairwise(ends)]
    return {
        "stem": body.conv_stem,
        **{f"stage{i}": nn.Sequential(*group) for i, group in enumerate(groups, 1)},
        "last": nn.Sequential(*body.layer[ends[-1] :], body.conv_1x1),
        "pool": imagenet.MeanPool(),
        "classifier": model.classifier,
    }
