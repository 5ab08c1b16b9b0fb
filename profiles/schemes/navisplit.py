"""NaviSplit (arXiv 2406.13086): branches of several bottleneck widths, and a gate that picks one.

    task=cells   which digit stands in each quarter of a scene of 1, 2 or 4 digits; right: all four
    task=map     how much of each of 8 x 8 patches digits cover, the map to regress

Branches learn from the digits for training, the gate from digits that no branch has seen: there
quality - penalty x bytes is what it is paid for a branch. The paper's drone, its depth images and
its reinforcement learning are not here: navigation is not simulated. Written from the mechanism;
the authors' repository has no licence and announces a patent for commercial use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from profiles.models.data import mixed_scenes
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Loss, Recipe, load_or_train
from profiles.models.scores import Metric
from profiles.models.weights import load_weights
from profiles.schemes import branches as parts
from profiles.schemes.fixed_range import FixedRange
from profiles.schemes.gates import BranchGate, CellsGate
from profiles.schemes.scheme import Branch, Scheme
from profiles.schemes.shipped import SHIPPED, round_weights
from profiles.schemes.tracing import answers_of

MODELS = ("scenes16mixed",)
TASKS = ("cells", "map")
AUTO = "auto"
N_TEST, N_EPOCH, N_GATE = 3600, 4096, 8192
DATA = "scenes of 1, 2 or 4 of scikit-learn's digits, 16 x 16"
_ANSWER_BYTES = {"cells": 4, "map": 64}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Branches of these widths, gates of these penalties (unless told, the middle one)
    and the exit of one task, and how each is trained.
    """

    task: str
    widths: tuple[int, ...]
    penalties: tuple[float, float, float]
    epochs: int
    loss: Loss
    metric: Metric

    def recipe(self, which: str) -> Recipe:
        """That of a branch (its width), of a gate (`gate-PENALTY`) or of the exit (`exit`)."""
        of_gate = which.startswith("gate")
        return Recipe(
            name=f"navisplit-{self.task}-{which}", version=1, epochs=20 if of_gate else self.epochs,
            batch=64, peak_rate=1e-2 if of_gate else 4e-3, weight_decay=0.0 if of_gate else 0.02,
        )  # fmt: skip

    def build(self, which: str) -> nn.Module:
        """It, untrained."""
        if which.startswith("gate"):
            return parts.BranchScores(len(self.widths))
        return parts.EarlyCells() if which == "exit" else parts.BranchNet(int(which), self.task)

    def samples(self, split: str, n: int, *, start: int = 0) -> Samples:
        """Images, and cells [scene, 4] or maps [scene, 8, 8]."""
        made = mixed_scenes.samples(split, n, start=start)
        labels: Any = made.labels["cells"] if self.task == "cells" else made.coverage
        return Samples(made.inputs, labels)

    def epoch(self, number: int) -> Samples:
        """Scenes of their own for every epoch."""
        return self.samples("train", N_EPOCH, start=number * N_EPOCH)

    def quality(self, module: nn.Module, samples: Samples) -> np.ndarray:
        """Of a branch or the exit, a number in 0..1 for each scene."""
        return self.metric(answers_of(module, samples.inputs), samples.labels)

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """Quality over all test scenes and by their number of digits."""
        return self.figures(self.quality(module, self.samples("test", N_TEST)))

    def figures(self, quality: np.ndarray) -> dict[str, Any]:
        """Of qualities [test scene]: their mean, by number of digits, and what they are of."""
        kind = mixed_scenes.n_digits_of(len(quality))
        by_digits = {str(n): _round(quality[kind == n].mean()) for n in mixed_scenes.N_DIGITS}
        return {"accuracy": _round(quality.mean()), "accuracy_by_digits": by_digits,
                "n_test": len(quality), "trained_on": DATA}  # fmt: skip

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
                self.recipe(which), build, self.epoch, self.judge, folder=folder, loss=self.loss,
                finish=round_weights,
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

    def branch(self, width: int, *, named: bool) -> tuple[Branch, dict[str, Any]]:
        """A branch with its shipped weights; `named`: its payload says which it is."""
        module, provenance = self.load(str(width))
        network = self._network(module, f"{self.task}-{width}", parts.STAGE)
        which = (
            {"branch": self.widths.index(width), "n_branches": len(self.widths)} if named else {}
        )
        codec = FixedRange(size=width, low=parts.LOW, high=parts.HIGH, **which)
        return Branch(name=str(width), network=network, codec=codec), provenance

    def gate(self, penalty: float) -> tuple[BranchGate, dict[str, Any]]:
        """The gate of that penalty."""
        module, provenance = self.load(f"gate-{penalty:g}")
        network = self._network(module, f"gate-{self.task}", "pooled")
        spec = f"learned gate, penalty {penalty:g} per byte"
        return BranchGate(network=network, spec=spec), provenance

    def exit(self, threshold: float) -> CellsGate:
        """What ends on the device."""
        network = self._network(self.load("exit")[0], "exit", "body")
        return CellsGate(after="input", early=network, threshold=threshold)

    def width(self, branch: str | int) -> int:
        """That of a branch as the user names it; ValueError where there is none."""
        return int(_one_of("branch", str(branch), (AUTO, *map(str, self.widths))))

    def penalty(self, penalty: str | float) -> float:
        """That of a gate as the user names it; ValueError where there is none."""
        known = {AUTO: self.penalties[1], **{str(one): one for one in self.penalties}}
        return known[_one_of("penalty", str(penalty), tuple(known))]

    def _network(self, module: nn.Module, name: str, stage: str) -> Network:
        return Network(
            name=f"navisplit-{name}", module=module, stages=(stage,), weights="trained",
            example_input=torch.from_numpy(self.samples("test", 1).inputs),
            digest=content_digest(module), metric=self.metric,
            task="several" if self.task == "cells" else "regress",
            answer_bytes=_ANSWER_BYTES[self.task],
        )  # fmt: skip


SETUPS = {
    "cells": Setup(
        task="cells", widths=(2, 4, 6, 8), penalties=(0.02, 0.05, 0.1), epochs=30,
        loss=parts.cells_loss, metric=parts.all_cells,
    ),
    "map": Setup(
        task="map", widths=(2, 4, 8, 16), penalties=(0.003, 0.005, 0.007), epochs=30,
        loss=parts.map_loss, metric=parts.map_match,
    ),
}  # fmt: skip


def setup(model: str, task: str = "cells") -> Setup:
    """The networks for a data set and a task.

    Raises:
        ValueError: another data set, another task.
    """
    if model not in MODELS:
        raise ValueError(f"scheme navisplit is trained for model {MODELS[0]}, got {model!r}")
    return SETUPS[_one_of("task", task, TASKS)]


def train(
    model: str,
    *,
    task: str = "cells",
    branch: str | int = AUTO,
    penalty: str | float = AUTO,
    folder: Path,
) -> tuple[nn.Module, dict[str, Any]]:
    """One branch of a task by its recipe, or all of them with every gate and the exit; what lies
    in `folder` is read. Returns the branch, or the gate of `penalty`, and its provenance.

    About 2 CPU min for all of a task.
    """
    made = setup(model, task)
    if branch != AUTO:
        return made.train(str(made.width(branch)), folder)
    if task == "cells":
        made.train("exit", folder)
    each = {one: made.train(f"gate-{one:g}", folder) for one in made.penalties}
    return each[made.penalty(penalty)]


def scheme(
    model: str = "scenes16mixed",
    *,
    task: str = "cells",
    branch: str | int = AUTO,
    penalty: str | float = AUTO,
    exit_threshold: float = 1.0,
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        task: cells or map.
        branch: the width of one branch for all inputs, or auto: the gate picks.
        penalty: which gate, by what a byte costs it in quality; auto: the one in between.
        exit_threshold: a small network on the device answers by itself where it is surer; 1: never,
            and it is not computed.

    Raises:
        ValueError: another data set, an unknown option; an exit of a map, which is never sure.
    """
    made = setup(model, task)
    if task == "map" and exit_threshold != 1.0:
        raise ValueError(
            f"scheme.exit_threshold needs task=cells: a map says not how sure it is, got"
            f" {exit_threshold!r}"
        )
    gate: BranchGate | None = None
    widths = made.widths
    if branch != AUTO:
        widths = (made.width(branch),)
    else:
        gate, provenance = made.gate(made.penalty(penalty))
    every = [made.branch(width, named=gate is not None) for width in widths]
    return Scheme(
        name="navisplit",
        model=model,
        network=every[-1][0].network,
        branches=tuple(each for each, _ in every),
        chooser=gate,
        gate=None if exit_threshold == 1.0 else made.exit(exit_threshold),
        cut=parts.STAGE,
        first_cut=parts.STAGE,
        samples=made.samples,
        options={"task": task, "branch": branch, "penalty": penalty,
                 "exit_threshold": exit_threshold},
        provenance=provenance if gate is not None else every[0][1],
    )  # fmt: skip


def _one_of(name: str, got: Any, allowed: tuple[Any, ...]) -> Any:
    if got not in allowed:
        said = ", ".join(str(one) for one in allowed)
        raise ValueError(f"scheme.{name} must be one of {said}, got {got!r}")
    return got


def _round(value: Any) -> float:
    return round(float(value), 6)
