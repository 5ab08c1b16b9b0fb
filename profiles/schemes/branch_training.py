"""How the branches of a task, the gates that pick among them and its exit are trained.

Branches learn from the digits for training, a gate from digits that no branch has seen: there
quality - penalty x bytes is what it is paid for a branch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from profiles.models.data.handwriting import Samples
from profiles.models.recipe import Recipe, load_or_train
from profiles.models.weights import load_weights
from profiles.schemes import branches as parts
from profiles.schemes.branch_tasks import TASKS, BranchTask
from profiles.schemes.shipped import SHIPPED, round_weights
from profiles.schemes.tracing import answers_of

AUTO = "auto"
EXIT = "exit"
N_TEST, N_EPOCH, N_GATE = 3600, 4096, 8192


@dataclass(frozen=True, kw_only=True)
class Training:
    """Branches of these widths, gates of these penalties (unless told, the middle one) and, where
    an answer says how sure it is, the exit of one task.
    """

    task: BranchTask
    widths: tuple[int, ...]
    penalties: tuple[float, float, float]
    epochs: int = 30

    @property
    def has_exit(self) -> bool:
        """Whether there is an exit: a map says not how sure it is."""
        return self.task.kind != "regress"

    def recipe(self, which: str) -> Recipe:
        """That of a branch (its width), of a gate (`gate-PENALTY`) or of the exit (`exit`)."""
        of_gate = which.startswith("gate")
        return Recipe(
            name=f"navisplit-{self.task.name}-{which}", version=1,
            epochs=20 if of_gate else self.epochs, batch=64, peak_rate=1e-2 if of_gate else 4e-3,
            weight_decay=0.0 if of_gate else 0.02,
        )  # fmt: skip

    def build(self, which: str) -> nn.Module:
        """It, untrained."""
        if which.startswith("gate"):
            return parts.BranchScores(len(self.widths))
        if which == EXIT:
            return parts.EarlyAnswer(self.task.name)
        return parts.BranchNet(int(which), self.task.name)

    def samples(self, split: str, n: int, *, start: int = 0) -> Samples:
        """Images and labels of the task."""
        return self.task.samples(split, n, start=start)

    def epoch(self, number: int) -> Samples:
        """Scenes of their own for every epoch."""
        return self.samples("train", N_EPOCH, start=number * N_EPOCH)

    def quality(self, module: nn.Module, samples: Samples) -> np.ndarray:
        """Of a branch or the exit, a number in 0..1 for each scene."""
        return self.task.metric(answers_of(module, samples.inputs), samples.labels)

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """Quality over all test scenes and by their groups."""
        return self.figures(self.quality(module, self.samples("test", N_TEST)))

    def figures(self, quality: np.ndarray) -> dict[str, Any]:
        """Of qualities [test scene]: their mean, by group, and what they are of."""
        groups = self.task.groups(len(quality))
        by_group = {name: _round(quality[shown].mean()) for name, shown in groups.items()}
        return {"accuracy": _round(quality.mean()), f"accuracy_by_{self.task.grouped_by}": by_group,
                "n_test": len(quality), "trained_on": self.task.data}  # fmt: skip

    def gains(self, each: Mapping[int, nn.Module], split: str, penalty: float) -> Samples:
        """Scenes of a split, and what a gate is paid for each branch [scene, branch]."""
        made = self.samples(split, N_GATE)
        quality = np.stack([self.quality(module, made) for module in each.values()], 1)
        cost = penalty * np.array(list(each))
        return Samples(made.inputs, (quality - cost).astype(np.float32))

    def judge_gate(self, each: Mapping[int, nn.Module], gate: nn.Module) -> dict[str, Any]:
        """Quality and payload bytes of what it picks."""
        test = self.samples("test", N_TEST)
        picks = answers_of(gate, test.inputs).argmax(1)
        quality = np.stack([self.quality(module, test) for module in each.values()], 1)
        sent = np.array(list(each))[picks]
        return {**self.figures(quality[np.arange(N_TEST), picks]), "bytes": _round(sent.mean())}

    def train(self, which: str, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """One of its networks by its recipe, or found in `folder`; a gate's branches, too."""
        build = partial(self.build, which)
        if not which.startswith("gate"):
            return load_or_train(
                self.recipe(which), build, self.epoch, self.judge, folder=folder,
                loss=self.task.loss, finish=round_weights,
            )  # fmt: skip
        each = {width: self.train(str(width), folder)[0] for width in self.widths}
        gains = cache(partial(self.gains, each, "gate", float(which.removeprefix("gate-"))))
        return load_or_train(
            self.recipe(which), build, lambda number: gains(), partial(self.judge_gate, each),
            folder=folder, loss=parts.policy_loss,
        )  # fmt: skip

    def load(self, which: str) -> tuple[nn.Module, dict[str, Any]]:
        """One of its networks with its shipped weights."""
        module = self.build(which)
        provenance = load_weights(module, SHIPPED / f"{self.recipe(which).name}.npz")
        return module.eval(), provenance

    def width(self, branch: str | int) -> int:
        """That of a branch as the user names it; ValueError where there is none."""
        return int(one_of("branch", str(branch), (AUTO, *map(str, self.widths))))

    def penalty(self, penalty: str | float) -> float:
        """That of a gate as the user names it; ValueError where there is none."""
        known = {AUTO: self.penalties[1], **{str(one): one for one in self.penalties}}
        return known[one_of("penalty", str(penalty), tuple(known))]


TRAININGS = {
    "cells": Training(task=TASKS["cells"], widths=(2, 4, 6, 8), penalties=(0.02, 0.05, 0.1)),
    "map": Training(task=TASKS["map"], widths=(2, 4, 8, 16), penalties=(0.003, 0.005, 0.007)),
    "class": Training(task=TASKS["class"], widths=(1, 2, 4, 8), penalties=(0.005, 0.01, 0.02)),
}


def one_of(name: str, got: Any, allowed: tuple[Any, ...]) -> Any:
    """`got`; ValueError where it is none of the allowed values of that option."""
    if got not in allowed:
        said = ", ".join(str(one) for one in allowed)
        raise ValueError(f"scheme.{name} must be one of {said}, got {got!r}")
    return got


def _round(value: Any) -> float:
    return round(float(value), 6)
