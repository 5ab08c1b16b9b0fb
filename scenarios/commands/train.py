"""Train a network by its recipe and compare it with the weights that the repository ships.

The recipe (epochs, rate, seed, data) is fixed in profiles/models; the result is kept in
outputs/cache under the recipe's hash, the shipped weights stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.systems.scenario import Model
from sim.specs.check import option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network."""

    name: str = "train"
    model: Model = option(Model, "digits (15 s), scenes or bytellama (minutes)")


def run(config: Config) -> int:
    """Train, and print both accuracies on the same test samples."""
    from profiles.models.training import train
    from profiles.models.weights import SHIPPED, read_provenance

    model = config.model.name
    _, fresh = train(model)
    stem = "digits-0" if model == "digits" else model
    shipped = read_provenance(SHIPPED / f"{stem}.npz")
    for what, found in (("trained here", fresh), ("shipped", shipped)):
        made = f"(torch {found['torch']}, weights {found['digest']})"
        text = f"{model}, {what}: {_quality(found)} on {found['n_test']} test samples {made}"
        print(text)
    return 0


def _quality(found: Mapping[str, Any]) -> str:
    if "bits_per_byte" in found:
        return f"{found['bits_per_byte']:.4f} bits per byte"
    return f"{100 * found['accuracy']:.2f} % right"
