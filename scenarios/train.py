"""Train a network by its recipe and compare it with the weights that the repository ships.

The recipe (epochs, rate, seed, data) is fixed in profiles/models; the result is kept in
outputs/cache under the recipe's hash, the shipped weights stay as they are.
"""

from dataclasses import dataclass, field

from rich.console import Console

from scenarios._system import Model


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network."""

    name: str = "train"
    model: Model = field(
        default_factory=Model, metadata={"help": "digits (15 s), scenes or bytellama (minutes)"}
    )


def run(config: Config) -> int:
    """Train, and print both accuracies on the same test samples."""
    from profiles.models.training import train
    from profiles.models.weights import SHIPPED, read_provenance

    model = config.model.name
    _, fresh = train(model)
    stem = "digits-0" if model == "digits" else model
    shipped = read_provenance(SHIPPED / f"{stem}.npz")
    for what, found in (("trained here", fresh), ("shipped", shipped)):
        Console().print(
            f"{model}, {what}: {100 * found['accuracy']:.2f} % of {found['n_test']} test "
            f"samples right (torch {found['torch']}, weights {found['digest']})",
            highlight=False,
        )
    return 0
