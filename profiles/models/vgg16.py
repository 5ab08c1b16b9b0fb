"""VGG16 (Simonyan and Zisserman 2015): 138.358 M parameters, 15.5 GMAC at 224 x 224."""

from pathlib import Path

from torch import nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
STAGES = tuple(f"stage{i}" for i in range(1, len(WIDTHS) + 1))


def network(weights: str = "") -> Network:
    """Cuts behind each of the five pooled groups of convolutions."""
    return imagenet.network("vgg16", parts, STAGES, weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order; weights of a checkpoint by torchvision's names."""
    stages: dict[str, nn.Module] = {}
    n_in = 3
    for name, widths in zip(STAGES, WIDTHS, strict=True):
        steps: list[nn.Module] = []
        for n_out in widths:
            steps += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
            n_in = n_out
        stages[name] = nn.Sequential(*steps, nn.MaxPool2d(2))
    stages["classifier"] = nn.Sequential(
        nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Linear(4096, imagenet.N_CLASSES),
    )  # fmt: skip
    imagenet.draw(nn.ModuleDict(stages))
    if weights:
        checkpoint.load_state_dict(nn.ModuleDict(stages), Path(weights), their_name)
    return stages


def their_name(name: str) -> str:
    """torchvision's name of a tensor: "stage2.2.bias" is "features.7.bias"."""
    stage, place, end = name.split(".")
    if stage == "classifier":
        return f"classifier.{ {1: 0, 3: 3, 5: 6}[int(place)] }.{end}"
    before = sum(2 * len(widths) + 1 for widths in WIDTHS[: STAGES.index(stage)])
    return f"features.{before + int(place)}.{end}"
