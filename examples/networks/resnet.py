"""A small ResNet of one's own on scikit-learn's digits: what `model=FILE:make` needs at least."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.short = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.short(x))


class ResNet(nn.Module):
    """Digits [sample, 1, 8, 8] to scores [sample, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, 1, 1)
        self.stage1, self.stage2 = Residual(8, 16, 1), Residual(16, 32, 2)
        self.stage3 = Residual(32, 32, 1)
        self.classes = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stage3(self.stage2(self.stage1(self.stem(images))))
        return self.classes(x.mean((2, 3)))


def make() -> tuple[nn.Module, Tensor, np.ndarray, np.ndarray]:
    """Trained for a few seconds: module, example input, samples and labels."""
    digits = load_digits()
    inputs, labels = digits.images[:, None].astype(np.float32) / 16.0, digits.target
    x, y = torch.from_numpy(inputs[:-200]), torch.from_numpy(labels[:-200])
    module = ResNet()
    optimiser = torch.optim.Adam(module.parameters(), 5e-3)
    for _ in range(3):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimiser.step()
    return module, x[:1], inputs[-200:], labels[-200:]
