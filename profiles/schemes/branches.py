"""Networks of which a device picks one: the same layers, bottlenecks of several widths.

    image -[ encoder: three convolutions, linear, range ]- z (width) -[ tail ]- answer
    image -[ pool to 4 x 4, 24 hidden ]- score of every branch          BranchScores, on the device
    image -[ convolutions ]- answer                                     EarlyAnswer, on the device

z lies in LOW..HIGH and is rounded to 8 bits in training, straight through, as its codec rounds it.
Shapes: images uint8 [batch, 16, 16, 1]; z [batch, width]; scores of classes [batch, 10], of cells
[batch, 4 x 11], quarter by quarter; maps [batch, 8, 8], clipped to 0..1 once trained: a sigmoid
would leave patches that are mostly empty at 0 for good, each branch some of its own.
"""

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from profiles.models.data.digit_scenes import EMPTY, PATCHES
from profiles.models.residual import Normalise
from profiles.schemes.fixed_range import LEVELS

LOW, HIGH = -2.0, 2.0
N_CELLS, N_CLASSES = 4, EMPTY + 1
N_OUT = {"class": EMPTY, "cells": N_CELLS * N_CLASSES, "map": PATCHES**2}
"""Numbers of an answer by task."""
STAGE = "encoder"
FULL = 20.0
"""What four digits cover, summed over the 64 patches, on average (19.6 in training scenes)."""
_POOLED = 4
_HIDDEN = 128


class Bottleneck(nn.Module):
    """A feature to `width` numbers in LOW..HIGH, normalised over the training scenes."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, width)
        self.norm = nn.BatchNorm1d(width, affine=False)

    def forward(self, feature: Tensor) -> Tensor:
        """The numbers; while it learns, as they arrive, with the gradient of those that left."""
        z: Tensor = self.norm(self.linear(feature.flatten(1))).clamp(LOW, HIGH)
        if not self.training:
            return z
        step = (HIGH - LOW) / LEVELS
        return z + (((z - LOW) / step).round() * step + LOW - z).detach()


class BranchNet(nn.Module):
    """One branch: its own encoder, `width` numbers, its own tail for one task."""

    def __init__(self, width: int, task: str) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *convolutions((1, 16, 16, 32, 32), (1, 2, 2, 2)), Bottleneck(128, width)
        )
        self.tail = nn.Sequential(
            nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(),
            nn.Linear(_HIDDEN, N_OUT[task]),
        )  # fmt: skip
        self._task = task

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores, or to the map."""
        answer: Tensor = self.tail(self.encoder(images))
        if self._task != "map":
            return answer
        covered = answer.view(-1, PATCHES, PATCHES)
        return covered if self.training else covered.clamp(0.0, 1.0)


class BranchScores(nn.Module):
    """Pooled pixels to a score of every branch; the largest one is taken."""

    def __init__(self, n_branches: int) -> None:
        super().__init__()
        self.pooled = nn.Sequential(_Pool(), nn.Flatten())
        self.classifier = nn.Sequential(
            nn.Linear(_POOLED**2, 24), nn.ReLU(), nn.Linear(24, n_branches)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores."""
        scores: Tensor = self.classifier(self.pooled(images))
        return scores


class EarlyAnswer(nn.Module):
    """The class or the cells answered on the device alone, by few weights."""

    def __init__(self, task: str) -> None:
        super().__init__()
        self.body = nn.Sequential(*convolutions((1, 8, 16, 16), (2, 2, 2)), nn.Flatten())
        self.classifier = nn.Linear(64, N_OUT[task])

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores."""
        scores: Tensor = self.classifier(self.body(images))
        return scores


class _Pool(nn.Module):
    """Images to 4 x 4 means, 0 to 1 about their mean."""

    def forward(self, images: Tensor) -> Tensor:
        """Images to means."""
        shade = images[..., 0].to(torch.float32) / 255.0
        return nn.functional.avg_pool2d(shade[:, None], 16 // _POOLED) - 0.2


def convolutions(widths: tuple[int, ...], strides: tuple[int, ...]) -> list[nn.Module]:
    """3 x 3 convolutions between these numbers of channels, normalised, with ReLU."""
    layers: list[nn.Module] = [Normalise([0.2], [0.35])]
    for n_in, n_out, stride in zip(widths[:-1], widths[1:], strides, strict=True):
        convolution = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]
    return layers


def cells_loss(module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the cells."""
    scores: Tensor = module(inputs)
    return nn.functional.cross_entropy(scores.view(-1, N_CLASSES), labels.flatten())


def map_loss(module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over scenes of the error of the map relative to it, L1."""
    found: Tensor = module(inputs)
    return ((found - labels).abs().sum((1, 2)) / labels.sum((1, 2))).mean()


def policy_loss(module: nn.Module, inputs: Tensor, gains: Tensor) -> Tensor:
    """Minus the gain [scene, branch] to be expected where branches are drawn by softmax scores."""
    scores: Tensor = module(inputs)
    return -(scores.softmax(1) * gains).sum(1).mean()


def all_cells(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 where all four cells are right, else 0."""
    right = answers.reshape(-1, N_CELLS, N_CLASSES).argmax(2) == labels
    return np.asarray(right.all(1), np.float64)


def map_match(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - (sum of absolute errors) / `FULL`, 0 where that is negative: 0 for a scene of four digits
    in which none is seen.
    """
    error = np.abs(answers.astype(np.float64) - labels).sum((1, 2))
    return np.asarray(np.maximum(0.0, 1.0 - error / FULL))


def cells_confidence(answers: np.ndarray) -> np.ndarray:
    """The product of the cells' largest softmax values [scene]."""
    scores = answers.reshape(-1, N_CELLS, N_CLASSES).astype(np.float64)
    return np.asarray(softmax(scores, axis=2).max(2).prod(1))
