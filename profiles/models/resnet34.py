"""ResNet-34 (He et al. 2016): 21.798 M parameters, 3.664 GMAC at 224 x 224."""

from torch import nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

STAGES = ("stem", "layer1", "layer2", "layer3.4", "layer3", "layer4")


def network(weights: str = "") -> Network:
    """Cuts behind the stem, the four layers, and the fifth block of the third."""
    return imagenet.network("resnet34", parts, STAGES, weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order, under torchvision's names."""
    model = checkpoint.load_or_draw(
        "ResNetForImageClassification", "ResNetConfig", weights,
        layer_type="basic", depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 256, 512],
    )  # fmt: skip
    layers = [stage.layers for stage in model.resnet.encoder.stages]
    return {
        "stem": model.resnet.embedder,
        **{f"layer{i}": layer for i, layer in enumerate(layers, 1)},
        "pool": imagenet.MeanPool(),
        "classifier": model.classifier[-1],
    }
