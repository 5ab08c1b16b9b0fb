"""Networks with an answer of their own on the device: an exit head behind one of the stages.

    input -[ stages up to `exit_after` ]- z -[ further stages ]- ... -[ classifier ]-> answer
                                          |
                                          +-[ exit head ]-> early answer, its confidence

`ExitMlp`, `ExitSmall` and `ExitResidual` compute the late answer; `EarlyPath` shares their weights
and computes the early one. Shapes: images uint8 [batch, height, width, channel], scores
[batch, class].
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from profiles.models.residual import Normalise, ResidualNet
from profiles.schemes.multitask import convolution


class ExitMlp(nn.Module):
    """64-40-40-10 on 8 x 8 digits, an exit behind the first hidden layer."""

    stages = ("layer1", "layer2")
    exit_after = "layer1"

    def __init__(self, widths: Sequence[int] = (40, 40)) -> None:
        super().__init__()
        first, second = widths
        self.layer1 = nn.Sequential(nn.Linear(64, first), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Linear(first, second), nn.ReLU())
        self.classifier = nn.Linear(second, 10)
        self.exit_head: nn.Module = nn.Linear(first, 10)

    def begin(self, images: Tensor) -> Tensor:
        """Images, values 0-16, to the feature at the exit."""
        feature: Tensor = self.layer1(images.flatten(1).to(torch.float32) / 16.0)
        return feature

    def finish(self, feature: Tensor) -> Tensor:
        """The feature at the exit to scores."""
        scores: Tensor = self.classifier(self.layer2(feature))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """Images to the scores of the late answer."""
        return self.finish(self.begin(images))


class ExitSmall(nn.Module):
    """Five convolutions on grey images of 16 x 16, an exit behind the second of them."""

    stages = ("stage1", "stage2", "stage3")
    exit_after = "stage1"

    def __init__(self) -> None:
        super().__init__()
        first = [Normalise([0.5], [0.25]), *convolution(1, 16, 1), *convolution(16, 16, 2)]
        self.stage1 = nn.Sequential(*first)
        self.stage2 = nn.Sequential(*convolution(16, 48, 2), *convolution(48, 48, 1))
        self.stage3 = nn.Sequential(*convolution(48, 64, 2))
        self.classifier = nn.Linear(64 * 2 * 2, 10)
        self.exit_head = nn.Sequential(*convolution(16, 16, 2), nn.Flatten(), nn.Linear(256, 10))

    def begin(self, images: Tensor) -> Tensor:
        """Images to the feature at the exit."""
        feature: Tensor = self.stage1(images)
        return feature

    def finish(self, feature: Tensor) -> Tensor:
        """The feature at the exit to scores."""
        scores: Tensor = self.classifier(self.stage3(self.stage2(feature)).flatten(1))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """Images to the scores of the late answer."""
        return self.finish(self.begin(images))


class ExitResidual(ResidualNet):
    """The residual network of `scenes` with an exit behind its third part."""

    stages = ("stem", "stage1", "stage2", "stage3", "stage4")
    exit_after = "stage2"

    def __init__(self) -> None:
        normalise = Normalise((0.45, 0.45, 0.45), (0.25, 0.25, 0.25))
        super().__init__(normalise, 3, channels=(16, 16, 32, 64, 64), strides=(2, 1, 2, 2, 2))
        self.exit_head = nn.Sequential(
            nn.Conv2d(32, 48, 3, 2, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Conv2d(48, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip

    def begin(self, images: Tensor) -> Tensor:
        """Images to the feature at the exit."""
        feature: Tensor = self.stage2(self.stage1(self.stem(self.normalise(images))))
        return feature

    def finish(self, feature: Tensor) -> Tensor:
        """The feature at the exit to scores."""
        scores: Tensor = self.classifier(self.stage4(self.stage3(feature)).mean((2, 3)))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """Images to the scores of the late answer."""
        return self.finish(self.begin(images))


ExitNet = ExitMlp | ExitSmall | ExitResidual


class EarlyPath(nn.Module):
    """Images to the scores of the early answer, by the weights of a network with an exit."""

    def __init__(self, whole: ExitNet) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores."""
        scores: Tensor = self.whole.exit_head(self.whole.begin(images))
        return scores


def joint_loss(module: ExitNet, inputs: Tensor, labels: Tensor) -> Tensor:
    """The sum of both answers' cross-entropies."""
    feature = module.begin(inputs)
    late = nn.functional.cross_entropy(module.finish(feature), labels)
    early = nn.functional.cross_entropy(module.exit_head(feature), labels)
    return late + early
