"""Heads: the answers to several tasks from what the last stage gives, side by side on the server.

z -+-[ head of task 1 ]-+
   +-[ head of task 2 ]-+- scores [sample, class], those of a task beside those of the next
   +-[ head of task 3 ]-+
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor, nn

from profiles.models.network import Network, content_digest
from profiles.models.scores import Metric, accuracy

_ANSWER_BYTES = 4


class TaskHeads(nn.ModuleList):
    """A head for every task, each of which takes the whole feature [sample, ...].

    `classes`: how many scores each gives, by task.

    Raises:
        ValueError: not a head for every task.
    """

    def __init__(self, classes: Mapping[str, int], heads: Sequence[nn.Module]) -> None:
        super().__init__(heads)
        if len(heads) != len(classes):
            raise ValueError(f"heads must be {len(classes)}, one a task, got {len(heads)}")
        self.classes = dict(classes)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is answered, in order."""
        return tuple(self.classes)

    @property
    def metrics(self) -> dict[str, Metric]:
        """How good the answer to each task is."""
        return task_metrics(self.classes)

    def forward(self, z: Tensor) -> Tensor:
        """A feature [sample, number] to the answers to all tasks."""
        return torch.cat([head(z) for head in self], 1)

    def keep(self, tasks: Sequence[str]) -> "TaskHeads":
        """Those of these tasks alone, the same modules."""
        every = list(self.tasks)
        classes = {name: self.classes[name] for name in tasks}
        return type(self)(classes, [self[every.index(name)] for name in tasks])

    def weights(self) -> dict[str, int]:
        """Parameters by task."""
        each = zip(self.tasks, self, strict=True)
        return {task: sum(p.numel() for p in head.parameters()) for task, head in each}

    def multiply_adds(self) -> dict[str, int]:
        """Of a sample by task: those of their linear layers, one a weight."""
        each = zip(self.tasks, self, strict=True)
        return {
            task: sum(m.weight.numel() for m in head.modules() if isinstance(m, nn.Linear))
            for task, head in each
        }


class OwnFeatureHeads(TaskHeads):
    """The same where every head has a feature of its own: those of all, stacked along the channels
    [sample, channel, ...], are shared out.
    """

    def forward(self, z: Tensor) -> Tensor:
        """Features to the answers to all tasks."""
        parts = z.chunk(len(self), 1)
        return torch.cat([head(one.flatten(1)) for head, one in zip(self, parts, strict=True)], 1)


def answering(
    name: str, module: nn.Module, heads: TaskHeads, *, example: Tensor, stages: tuple[str, ...]
) -> Network:
    """A trained network whose last part is `heads`: what is right of an answer is the share of its
    tasks, and a task is 4 bytes on the way back.
    """
    metrics = heads.metrics
    return Network(
        name=name,
        module=module.eval(),
        example_input=example,
        stages=stages,
        weights="trained",
        digest=content_digest(module),
        task="several",
        metric=mean_metric(metrics),
        tasks=metrics,
        answer_bytes=_ANSWER_BYTES * len(metrics),
    )


def task_metrics(tasks: Mapping[str, int]) -> dict[str, Metric]:
    """Of answers to several tasks the metric of each."""
    ends = list(accumulate(tasks.values(), initial=0))
    return {
        name: partial(_right, slice(*between), number)
        for number, (name, between) in enumerate(zip(tasks, pairwise(ends), strict=True))
    }


def mean_metric(metrics: Mapping[str, Metric]) -> Metric:
    """The share of a sample's tasks that are answered rightly."""
    return lambda answers, labels: np.mean([m(answers, labels) for m in metrics.values()], axis=0)


def _right(classes: slice, number: int, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return accuracy(answers[:, classes], labels[:, number])
