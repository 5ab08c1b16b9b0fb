"""A U-Net that finds discs in noise: skips cross its cuts beside the feature, as one payload."""

import numpy as np
import torch
from torch import Tensor, nn


class Block(nn.Sequential):
    """Two convolutions."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.Conv2d(n_out, n_out, 3, padding=1),
            nn.ReLU(),
        )  # fmt: skip


class UNet(nn.Module):
    """Two levels down and two up; images [sample, 1, 32, 32] to scores [sample, 2, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = Block(1, 8), Block(8, 16), Block(16, 16)
        self.up2, self.up1 = Block(32, 8), Block(16, 8)
        self.classes = nn.Conv2d(8, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.down1(images)
        coarse = self.down2(nn.functional.max_pool2d(fine, 2))
        x = self.middle(nn.functional.max_pool2d(coarse, 2))
        x = self.up2(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), coarse], 1))
        x = self.up1(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), fine], 1))
        return self.classes(x)


def discs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images with a disc each, and where it is."""
    draw = np.random.default_rng(seed)
    row, column = np.mgrid[:32, :32]
    centre, radius = draw.uniform(8, 24, (2, n, 1, 1)), draw.uniform(4, 8, (n, 1, 1))
    labels = ((row - centre[0]) ** 2 + (column - centre[1]) ** 2 < radius**2).astype(np.int64)
    images = labels + draw.normal(0.0, 0.5, labels.shape)
    return images[:, None].astype(np.float32), labels


def make() -> dict[str, object]:
    """Trained for a few seconds, so that there are answers to lose."""
    module = UNet()
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    for step in range(60):
        images, labels = (torch.from_numpy(each) for each in discs(16, 1 + step))
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimiser.step()
    images, labels = discs(50, 0)
    return {
        "module": module, "inputs": images, "labels": labels, "task": "segment", "metric": "iou",
        "classes": ["noise", "disc"],
    }  # fmt: skip
