"""A small residual network for images (He et al. 2016, basic blocks).

Shapes: images uint8 [batch, height, width, channel]; features [batch, channel, height, width].
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm and a shortcut, projected where the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            project = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Features to features; the stride divides height and width."""
        out = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class Normalise(nn.Module):
    """uint8 images, channel last, to features with mean 0 and deviation about 1."""

    gain: Tensor
    offset: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], scale: float = 255.0) -> None:
        super().__init__()
        gain = 1.0 / (scale * torch.tensor(std))
        self.register_buffer("gain", gain.view(1, -1, 1, 1), persistent=False)
        offset = torch.tensor(mean) / torch.tensor(std)
        self.register_buffer("offset", offset.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[batch, height, width, channel] uint8 to [batch, channel, height, width] float32."""
        x = images.permute(0, 3, 1, 2).to(torch.float32)
        return x * self.gain - self.offset


class ResidualNet(nn.Module):
    """Normalise, a stem, four stages of one block each, mean pooling and a linear classifier.

    `channels` holds the widths of the stem and the four stages, `strides` their strides.
    """

    def __init__(
        self, normalise: Normalise, n_in: int, channels: Sequence[int], strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.stem = nn.Sequential(
            nn.Conv2d(n_in, channels[0], 3, strides[0], 1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(),
        )
        blocks = [Block(a, b, s) for (a, b), s in zip(pairwise(channels), strides[1:], strict=True)]
        self.stage1, self.stage2, self.stage3, self.stage4 = blocks
        self.classifier = nn.Linear(channels[-1], 10)

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores [batch, 10]."""
        x = self.stem(self.normalise(images))
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        scores: Tensor = self.classifier(x.mean((2, 3)))
        return scores


STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")
