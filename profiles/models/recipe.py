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
Loss = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
"""Of a module on a batch of inputs and their labels."""
After = Callable[[Any], None]
"""What is done to a module after every step, such as applying a mask."""
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
    recipe: Recipe,
    build: Callable[[], nn.Module],
    epoch: Epoch,
    judge: Judge,
    *,
    folder: Path,
    loss: Loss | None = None,
    after: After | None = None,
    finish: After | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a recipe and its provenance, trained now or found in `folder`.

    `finish`: what is done to it once it is trained, before it is judged. A damaged file in the
    cache is trained anew.
    """
    path = folder / f"{recipe.name}-{recipe.digest}.npz"
    module = build()
    try:
        provenance = load_weights(module, path)
        return module.eval(), provenance
    except WeightsError:
        module = fit(recipe, build, epoch, loss=loss, after=after)
        if finish is not None:
            finish(module)
    save_weights(module, path, describe(recipe, judge(module)))
    return module, read_provenance(path)


def fit(
    recipe: Recipe,
    build: Callable[[], nn.Module],
    epoch: Epoch,
    *,
    loss: Loss | None = None,
    after: After | None = None,
) -> nn.Module:
    """Train from scratch; `epoch(number)` gives the samples of one epoch. Shows a progress bar.

    `loss`: cross-entropy unless given; `after`: what is done to the module after every step, and
    before the first one.
    """
    with torch.random.fork_rng(devices=[]):  # for what draws while it learns, too, as dropout does
        torch.manual_seed(recipe.seed)
        return _fit(recipe, build().train(), epoch, loss or _cross_entropy(recipe), after)


def _fit(
    recipe: Recipe, module: nn.Module, epoch: Epoch, measure: Loss, after: After | None
) -> nn.Module:
    mend = after or (lambda module: None)
    mend(module)
    n_steps = recipe.epochs * -(-len(epoch(0).labels) // recipe.batch)
    learning = [weight for weight in module.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=recipe.peak_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.peak_rate, n_steps, pct_start=recipe.warmup
    )
    order = np.random.default_rng(recipe.seed)
    with progress_bar() as bar:
        task = bar.add_task(f"training {recipe.name}", total=n_steps)
        for number in range(recipe.epochs):
            inputs, labels = (torch.from_numpy(array) for array in epoch(number))
            shuffle = torch.from_numpy(order.permutation(len(labels)))
            for rows in torch.split(shuffle, recipe.batch):
                optimiser.zero_grad()
                torch.autograd.backward(measure(module, inputs[rows], labels[rows]))
                optimiser.step()
                mend(module)
                schedule.step()
                bar.advance(task)
    return module.eval()


def _cross_entropy(recipe: Recipe) -> Loss:
    entropy = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def measure(module: Any, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scores = module(inputs)
        loss: torch.Tensor = entropy(scores.flatten(0, -2), labels.flatten())
        return loss

    return measure


def accuracy(
    module: Callable[[torch.Tensor], torch.Tensor], test: Samples, batch: int = 500
) -> float:
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
