"""NaviSplit (arXiv 2406.13086): branches of several bottleneck widths, and a gate that picks one.

    task=cells, map   scenes of 1, 2 or 4 digits, model=scenes16mixed
    task=class        scenes of one digit, model=scenes16

What they answer is in `branch_tasks.py`, how they learn in `branch_training.py`. The paper's drone,
its depth images and its reinforcement learning are not here: navigation is not simulated. Written
from the mechanism; the authors' repository has no licence and announces a patent for commercial
use.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.models.network import Network, content_digest
from profiles.schemes import branches as parts
from profiles.schemes.branch_tasks import TASKS
from profiles.schemes.branch_training import AUTO, EXIT, TRAININGS, Training, one_of
from profiles.schemes.fixed_range import FixedRange
from profiles.schemes.gates import NEVER, BranchGate, CellsGate, ConfidenceGate
from profiles.schemes.scheme import Branch, Scheme

MODELS = tuple(dict.fromkeys(task.model for task in TASKS.values()))
Provenance = dict[str, Any]


def training(model: str, task: str = AUTO) -> Training:
    """The networks for a data set and a task; auto: the first one of these data.

    Raises:
        ValueError: another data set, another task.
    """
    if model not in MODELS:
        known = ", ".join(MODELS)
        raise ValueError(f"scheme navisplit is trained for model {known}, got {model!r}")
    asked = tuple(name for name, one in TASKS.items() if one.model == model)
    chosen = one_of(f"task (model={model})", task, (AUTO, *asked))
    return TRAININGS[asked[0] if chosen == AUTO else chosen]


def train(
    model: str,
    *,
    task: str = AUTO,
    branch: str | int = AUTO,
    penalty: str | float = AUTO,
    folder: Path,
) -> tuple[nn.Module, Provenance]:
    """One branch of a task by its recipe, or all of them with every gate and the exit; what lies
    in `folder` is read. Returns the branch, or the gate of `penalty`, and its provenance.

    About 2 CPU min for all of a task.
    """
    made = training(model, task)
    if branch != AUTO:
        return made.train(str(made.width(branch)), folder)
    if made.has_exit:
        made.train(EXIT, folder)
    each = {one: made.train(f"gate-{one:g}", folder) for one in made.penalties}
    return each[made.penalty(penalty)]


def scheme(
    model: str = MODELS[0],
    *,
    task: str = AUTO,
    branch: str | int = AUTO,
    penalty: str | float = AUTO,
    exit_threshold: float = NEVER,
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        task: cells or map of scenes16mixed, class of scenes16; auto: cells or class.
        branch: the width of one branch for all inputs, or auto: the gate picks.
        penalty: which gate, by what a byte costs it in quality; auto: the one in between.
        exit_threshold: a small network on the device answers by itself where it is surer; 1: never,
            and it is not computed.

    Raises:
        ValueError: another data set, an unknown option; an exit of a map, which is never sure.
    """
    made = training(model, task)
    if exit_threshold != NEVER and not made.has_exit:
        raise ValueError(
            f"scheme.exit_threshold needs task=cells or class: a map says not how sure it is, got"
            f" {exit_threshold!r}"
        )
    gate: BranchGate | None = None
    widths = made.widths
    if branch != AUTO:
        widths = (made.width(branch),)
    else:
        gate, provenance = _gate(made, made.penalty(penalty))
    every = [_branch(made, width, named=gate is not None) for width in widths]
    return Scheme(
        name="navisplit",
        model=model,
        network=every[-1][0].network,
        branches=tuple(each for each, _ in every),
        chooser=gate,
        gate=None if exit_threshold == NEVER else _exit(made, exit_threshold),
        cut=parts.STAGE,
        first_cut=parts.STAGE,
        samples=made.samples,
        task=made.task.name,
        options={"task": task, "branch": branch, "penalty": penalty,
                 "exit_threshold": exit_threshold},
        provenance=provenance if gate is not None else every[0][1],
    )  # fmt: skip


def _branch(made: Training, width: int, *, named: bool) -> tuple[Branch, Provenance]:
    """A branch with its shipped weights; `named`: its payload says which it is."""
    module, provenance = made.load(str(width))
    network = _network(made, module, f"{made.task.name}-{width}", parts.STAGE)
    which = {"branch": made.widths.index(width), "n_branches": len(made.widths)} if named else {}
    codec = FixedRange(size=width, low=parts.LOW, high=parts.HIGH, **which)
    return Branch(name=str(width), network=network, codec=codec), provenance


def _gate(made: Training, penalty: float) -> tuple[BranchGate, Provenance]:
    """The gate of that penalty."""
    module, provenance = made.load(f"gate-{penalty:g}")
    network = _network(made, module, f"gate-{made.task.name}", "pooled")
    spec = f"learned gate, penalty {penalty:g} per byte"
    return BranchGate(network=network, spec=spec), provenance


def _exit(made: Training, threshold: float) -> ConfidenceGate:
    """What ends on the device."""
    kind = CellsGate if made.task.name == "cells" else ConfidenceGate
    network = _network(made, made.load(EXIT)[0], EXIT, "body")
    return kind(after="input", early=network, threshold=threshold)


def _network(made: Training, module: nn.Module, name: str, stage: str) -> Network:
    return Network(
        name=f"navisplit-{name}", module=module, stages=(stage,), weights="trained",
        example_input=torch.from_numpy(made.samples("test", 1).inputs),
        digest=content_digest(module), metric=made.task.metric, task=made.task.kind,
        answer_bytes=made.task.answer_bytes,
    )  # fmt: skip
