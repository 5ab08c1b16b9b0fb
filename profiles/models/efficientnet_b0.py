"""EfficientNet-B0 (Tan and Le 2019): 5.289 M parameters, 0.39 GMAC at 224 x 224."""

from itertools import pairwise

from torch import nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

GROUPS = {"stem": 0, "stage1": 1, "stage2": 3, "stage3": 5, "stage4": 8, "stage5": 11}
"""Stages and how many of the 16 blocks lie before each one's end."""


def network(weights: str = "") -> Network:
    """Cuts behind the stem and each group of blocks of one width."""
    return imagenet.network("efficientnet_b0", parts, tuple(GROUPS), weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order."""
    model = checkpoint.load_or_draw(
        "EfficientNetForImageClassification", "EfficientNetConfig", weights,
        width_coefficient=1.0, depth_coefficient=1.0, image_size=imagenet.SIZE, hidden_dim=1280,
        pooling_type="mean",
    )  # fmt: skip
    if not weights:
        imagenet.draw(model)
    body, ends = model.efficientnet, list(GROUPS.values())
    groups = [body.encoder.blocks[a:b] for a, b in pairwise(ends)]
    top = (body.encoder.top_conv, body.encoder.top_bn, body.encoder.top_activation)
    return {
        "stem": body.embeddings,
        **{f"stage{i}": nn.Sequential(*group) for i, group in enumerate(groups, 1)},
        "last": nn.Sequential(*body.encoder.blocks[ends[-1] :], *top),
        "pool": imagenet.MeanPool(),
        "classifier": model.classifier,
    }
