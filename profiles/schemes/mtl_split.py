"""MTL-Split (arXiv 2407.05982): one body on the device, a head for each task on the server.

    scenes16   digits on 16 x 16, grey: class, place, brightness; 512 bytes of feature as floats
    scenes     digits on photographs, 64 x 64: class, place, colour; 1,536 bytes

The tasks are trained jointly, by the plain sum of their cross-entropies. `shared=false` is what
it is held against: a network for every task, trained alone by the same recipe, all on the device,
their features sent together. Written from the mechanism; the authors' repository has no licence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from profiles.models.data import digit_scenes
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network
from profiles.models.recipe import Recipe, load_or_train
from profiles.schemes.datasets import N_TEST, SAID, check_model
from profiles.schemes.heads import answering, task_metrics
from profiles.schemes.multitask import (
    STAGES,
    MultiTask,
    SideBySide,
    joint_loss,
    scene_body,
    small_body,
)
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import load_shipped, round_weights
from profiles.schemes.tracing import answers_of

MODELS = ("scenes16", "scenes")
JOINT, CLASS = "joint", "class"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The networks for one member of the family of tasks, and how each is trained."""

    family: digit_scenes.Family
    body: Callable[[], list[nn.Module]]
    n_z: int
    hidden: int
    epochs: int
    n_epoch: int
    data: str

    def recipe(self, which: str) -> Recipe:
        """That of the joint network or of one task's."""
        return Recipe(
            name=f"mtl_split-{self.family.name}-{which}", version=1, epochs=self.epochs, batch=64,
            peak_rate=4e-3, weight_decay=0.02,
        )  # fmt: skip

    def tasks(self, which: str) -> dict[str, int]:
        """Classes by task of that network."""
        every = self.family.tasks
        return every if which == JOINT else {which: every[which]}

    def build(self, which: str) -> MultiTask:
        """It, untrained."""
        return MultiTask(self.body(), self.n_z, self.hidden, self.tasks(which))

    def samples(self, split: str, n: int, *, start: int = 0) -> Samples:
        """Images, and labels [sample, task]."""
        made = self.family.samples(split, n, start=start)
        return Samples(made.inputs, np.stack([made.labels[t] for t in self.family.tasks], 1))

    def epoch(self, number: int) -> Samples:
        """Scenes of their own for every epoch."""
        return self.samples("train", self.n_epoch, start=number * self.n_epoch)

    def judge(self, which: str, module: nn.Module) -> dict[str, Any]:
        """Accuracy over all tasks and of each, the data."""
        test, tasks = self.samples("test", N_TEST), self.tasks(which)
        mine = [list(self.family.tasks).index(task) for task in tasks]
        answers, labels = answers_of(module, test.inputs), test.labels[:, mine]
        each = {
            task: round(float(metric(answers, labels).mean()), 6)
            for task, metric in task_metrics(tasks).items()
        }
        mean = round(sum(each.values()) / len(each), 6)
        return {"accuracy": mean, "accuracy_by_task": each, "n_test": N_TEST,
                "trained_on": self.data}  # fmt: skip

    def train(self, which: str, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """One of its networks by its recipe, or found in `folder`."""
        classes, tasks = list(self.family.tasks.values()), list(self.family.tasks)
        chosen = [tasks.index(task) for task in self.tasks(which)]
        return load_or_train(
            self.recipe(which), partial(self.build, which), self.epoch,
            partial(self.judge, which), folder=folder, loss=joint_loss(classes, chosen),
            finish=round_weights,
        )  # fmt: skip

    def load(self, which: str) -> tuple[MultiTask, dict[str, Any]]:
        """One of its networks with its shipped weights."""
        module = self.build(which)
        return module, load_shipped(module, self.recipe(which))


def setup(model: str) -> Setup:
    """The networks for a data set.

    Raises:
        ValueError: another data set.
    """
    check_model("mtl_split", model, MODELS)
    family = digit_scenes.family(model)
    if family.size == 16:
        return Setup(
            family=family, body=small_body, n_z=128, hidden=32, epochs=24, n_epoch=4096,
            data=SAID[model],
        )  # fmt: skip
    return Setup(
        family=family, body=scene_body, n_z=384, hidden=16, epochs=16, n_epoch=6144,
        data=SAID[model],
    )  # fmt: skip


def train(model: str, *, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """All networks of a data set by their recipes, or found in `folder`: the joint one and its
    provenance, with the accuracy of each task's own.

    About 3 CPU min for `scenes16`, 10 for `scenes`.
    """
    chosen = setup(model)
    module, provenance = chosen.train(JOINT, folder)
    alone = {task: chosen.train(task, folder)[1]["accuracy"] for task in chosen.family.tasks}
    return module, {**provenance, "accuracy_alone": alone}


def scheme(
    model: str = "scenes16", *, tasks: str | Sequence[str] = "all", shared: bool = True
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        tasks: which of its tasks are answered; "all", the name of one, or a list.
        shared: one body for all of them, or a network for each.

    Raises:
        ValueError: another data set, an unknown task, or none.
    """
    chosen = setup(model)
    names = choose_tasks(tasks, tuple(chosen.family.tasks))
    if shared:
        whole, provenance = chosen.load(JOINT)
        module: MultiTask | SideBySide = whole.keep(names)
        provenance["accuracy_by_task"] = figures_of(names, provenance["accuracy_by_task"])
    else:
        each = [chosen.load(name) for name in names]
        module = SideBySide([one for one, _ in each])
        by_task = {n: about["accuracy"] for n, (_, about) in zip(names, each, strict=True)}
        provenance = {**each[0][1], "accuracy_by_task": by_task,
                      "digests": [about["digest"] for _, about in each]}  # fmt: skip
    figures = provenance["accuracy_by_task"].values()
    provenance["accuracy"] = round(sum(figures) / len(figures), 6)
    example = torch.from_numpy(chosen.samples("test", 1).inputs)
    name = f"mtl_split-{model}" + ("" if shared else "-each")
    return Scheme(
        name="mtl_split",
        model=model,
        network=answering(name, module, module.heads, example=example, stages=STAGES),
        cut=STAGES[-1],
        samples=partial(labelled, chosen, names),
        heads=module.heads,
        options={"tasks": list(names), "shared": shared},
        provenance=provenance,
    )


def network_of_class(model: str) -> Network:
    """The network that was trained for the class alone, its labels [image]."""
    chosen = setup(model)
    module, provenance = chosen.load(CLASS)
    return Network(
        name=f"mtl_split-{model}-{CLASS}", module=module.eval(), stages=STAGES, weights="trained",
        example_input=torch.from_numpy(chosen.samples("test", 1).inputs),
        digest=provenance["digest"],
    )  # fmt: skip


def labelled(chosen: Setup, names: Sequence[str], split: str, n: int) -> Samples:
    """Samples with the labels of these tasks."""
    made = chosen.samples(split, n)
    every = list(chosen.family.tasks)
    return Samples(made.inputs, made.labels[:, [every.index(name) for name in names]])


def choose_tasks(tasks: str | Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """What `scheme.tasks` asks for, in the order of what is known (ValueError: none, unknown)."""
    wanted = known if tasks == "all" else (tasks,) if isinstance(tasks, str) else tuple(tasks)
    odd = [task for task in wanted if task not in known]
    if odd or not wanted:
        allowed = ", ".join(known)
        raise ValueError(f"scheme.tasks must be all or of {allowed}, got {odd[0] if odd else '[]'}")
    return tuple(name for name in known if name in wanted)


def figures_of(names: Sequence[str], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Those of these tasks, in their order."""
    return {name: figures[name] for name in names}
