"""Networks that answer several questions about one image: one body for all, or a body for each.

    one body       image -[ stage1 stage2 stage3 ]- z -+-[ head of task 1 ]-+
                                                       +-[ head of task 2 ]-+- answers
    a body each    image -[ stage1 ]--[ stage3 ]- z1 ----[ head of task 1 ]-+
                        \\-[ stage1 ]--[ stage3 ]- z2 ----[ head of task 2 ]-+- answers

Shapes: images uint8 [batch, height, width, channel]; features [batch, channel, height, width], of
several bodies stacked along the channels; answers [batch, class], the tasks' scores side by side;
labels [batch, task].
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from profiles.models.residual import Block, Normalise
from profiles.schemes.heads import OwnFeatureHeads, TaskHeads

STAGES = ("stage1", "stage2", "stage3")
_DROPOUT = 0.1


class MultiTask(nn.Module):
    """A body of three stages and a head for each task.

    `n_z`: numbers of the feature; `hidden`: of a head's inner layer; `tasks`: classes by name.
    """

    def __init__(
        self, body: Sequence[nn.Module], n_z: int, hidden: int, tasks: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.stage1, self.stage2, self.stage3 = body
        self.heads = TaskHeads(tasks, [_head(n_z, hidden, n) for n in tasks.values()])

    def forward(self, images: Tensor) -> Tensor:
        """Images to the answers to all tasks."""
        answers: Tensor = self.heads(self.stage3(self.stage2(self.stage1(images))).flatten(1))
        return answers

    def keep(self, tasks: Sequence[str]) -> "MultiTask":
        """Itself with the heads of these tasks alone."""
        self.heads = self.heads.keep(tasks)
        return self


class SideBySide(nn.Module):
    """Networks of one task each on one image: every one with its body, its feature, its head."""

    def __init__(self, networks: Sequence[MultiTask]) -> None:
        super().__init__()
        for number, stage in enumerate(STAGES):
            parts = [network.get_submodule(stage) for network in networks]
            self.add_module(stage, _Beside(parts, shared_input=number == 0))
        classes = {task: n for one in networks for task, n in one.heads.classes.items()}
        self.heads = OwnFeatureHeads(classes, [one.heads[0] for one in networks])

    def forward(self, images: Tensor) -> Tensor:
        """Images to the answers to all tasks."""
        z = images
        for stage in STAGES:
            z = self.get_submodule(stage)(z)
        answers: Tensor = self.heads(z)
        return answers


class _Beside(nn.Module):
    """The same stage of several networks, their features stacked along the channels."""

    def __init__(self, parts: Sequence[nn.Module], *, shared_input: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._shared = shared_input

    def forward(self, x: Tensor) -> Tensor:
        """Each network's input to its feature."""
        n = len(self.parts)
        inputs = [x] * n if self._shared else x.chunk(n, 1)
        return torch.cat([part(one) for part, one in zip(self.parts, inputs, strict=True)], 1)


def joint_loss(classes: Sequence[int], chosen: Sequence[int]) -> Callable[..., Tensor]:
    """The sum of the cross-entropies of the tasks whose numbers are `chosen`."""

    def measure(module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        scores = module(inputs).split([classes[i] for i in chosen], 1)
        each = [
            nn.functional.cross_entropy(one, labels[:, i])
            for one, i in zip(scores, chosen, strict=True)
        ]
        return torch.stack(each).sum()

    return measure


def small_body() -> list[nn.Module]:
    """Grey images of 16 x 16 to 32 x 2 x 2: four convolutions, all but the first halving."""
    first = [Normalise([0.5], [0.25]), *convolution(1, 16, 1), *convolution(16, 16, 2)]
    return [
        nn.Sequential(*part) for part in (first, convolution(16, 32, 2), convolution(32, 32, 2))
    ]


def scene_body() -> list[nn.Module]:
    """Coloured images of 64 x 64 to 24 x 4 x 4: a stem, three residual blocks, a convolution."""
    first = [Normalise([0.45] * 3, [0.25] * 3), *convolution(3, 16, 2), Block(16, 16, 1)]
    last = [Block(24, 24, 2), *convolution(24, 24, 2)]
    return [nn.Sequential(*part) for part in (first, [Block(16, 24, 2)], last)]


def convolution(n_in: int, n_out: int, stride: int) -> list[nn.Module]:
    """Three by three, normalised, rectified."""
    return [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]


def _head(n_z: int, hidden: int, n_classes: int) -> nn.Sequential:
    """Linear, dropout, ReLU, linear, as in the paper."""
    return nn.Sequential(
        nn.Linear(n_z, hidden), nn.Dropout(_DROPOUT), nn.ReLU(), nn.Linear(hidden, n_classes)
    )
