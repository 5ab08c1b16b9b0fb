"""How a small classifier is trained: seeded, shown, and cached under a hash of the recipe."""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from profiles.models.data.handwriting import Samples
from profiles.models.weights import WeightsError, load_weights, read_provenance, save_weights

Epoch = Callable[[int], Samples]
Judge = Callable[[nn.Module], dict[str, Any]]
"""Figures of a trained network for its provenance, such as accuracy and n_test."""
CACHE_VARIABLE = "SPLITFLEET_CACHE"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW on a one-cycle schedule; two equal recipes on one machine give equal weights.

    `version` is raised whenever the task's generator or the network changes, since the hash of
    the recipe is what a cached result is found under. Raises ValueError for a field out of range.
    """

    name: str
    version: int
    epochs: int
    batch: int
    peak_rate: float
    weight_decay: float
    label_smoothing: float = 0.0
    warmup: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("version", "epochs", "batch"):
            if getattr(self, field) < 1:
                raise ValueError(f"recipe.{field} must be >= 1, got {getattr(self, field)}")
        if not 0 < self.peak_rate <= 1:
            raise ValueError(f"recipe.peak_rate must be in (0, 1], got {self.peak_rate}")

    @property
    def digest(self) -> str:
        """Content hash of the recipe (16 hex digits)."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where trained weights are kept: $SPLITFLEET_CACHE, or outputs/cache under the work folder."""
    return Path(os.environ.get(CACHE_VARIABLE, "outputs/cache"))


def load_or_train(
    recipe: Recipe, build: Callable[[], nn.Module], epoch: Epoch, judge: Judge, *, folder: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a recipe and its provenance, trained now or found in `folder`.

    A damaged file in the cache is trained anew.
    """
    path = folder / f"{recipe.name}-{recipe.digest}.npz"
    module = build()
    try:
        provenance = load_weights(module, path)
        return module.eval(), provenance
    except WeightsError:
        module = fit(recipe, build, epoch)
    save_weights(module, path, describe(recipe, judge(module)))
    return module, read_provenance(path)


def fit(recipe: Recipe, build: Callable[[], nn.Module], epoch: Epoch) -> nn.Module:
    """Train from scratch; `epoch(number)` gives the samples of one epoch. Shows a progress bar."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = build().train()
    n_steps = recipe.epochs * -(-len(epoch(0).labels) // recipe.batch)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=recipe.peak_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.peak_rate, n_steps, pct_start=recipe.warmup
    )
    loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    order = np.random.default_rng(recipe.seed)
    with progress_bar() as bar:
        task = bar.add_task(f"training {recipe.name}", total=n_steps)
        for number in range(recipe.epochs):
            inputs, labels = (torch.from_numpy(array) for array in epoch(number))
            shuffle = torch.from_numpy(order.permutation(len(labels)))
            for rows in torch.split(shuffle, recipe.batch):
                optimiser.zero_grad()
                scores = module(inputs[rows])
                loss(scores.flatten(0, -2), labels[rows].flatten()).backward()
                optimiser.step()
                schedule.step()
                bar.advance(task)
    return module.eval()


def accuracy(module: nn.Module, test: Samples, batch: int = 500) -> float:
    """Share of `test` that `module` classifies correctly."""
    inputs, labels = torch.from_numpy(test.inputs), torch.from_numpy(test.labels)
    with torch.inference_mode():
        parts = zip(torch.split(inputs, batch), torch.split(labels, batch), strict=True)
        right = sum(int((module(x).argmax(1) == y).sum()) for x, y in parts)
    return right / len(labels)


def accuracy_on(test: Samples) -> Judge:
    """Judge a classifier by the share of `test` that it gets right."""
    return lambda module: {"accuracy": round(accuracy(module, test), 6), "n_test": len(test.labels)}


def describe(recipe: Recipe, figures: dict[str, Any]) -> dict[str, Any]:
    """Provenance of freshly trained weights."""
    return {
        "recipe": asdict(recipe),
        "recipe_digest": recipe.digest,
        **figures,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def progress_bar() -> Progress:
    """One line with a bar and the time that remains."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns)
