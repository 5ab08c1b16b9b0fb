"""What figures without a simulated system share: the network, their sweep-free configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.sweep.columns import CHOICES
from scenarios.systems.scenario import Model
from sim.specs.check import one_of, option


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What every command needs that makes rows: where they go, and how they are made."""

    name: str = option("gallery", "folder of the results below outputs/")
    columns: str = option("all", "columns of results.csv: all, or varying")
    workers: int = option(1, "processes that make the rows")
    dry_run: bool = option(False, "print the points and how long they would take")

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise ValueError(f"name must be a plain folder name, got {self.name!r}")
        if self.workers < 1:
            raise ValueError(f"workers must be >= 1, got {self.workers}")
        one_of("columns", self.columns, CHOICES)


@dataclass(frozen=True, kw_only=True)
class Gallery(Rows):
    """A figure of measured tables alone."""

    model: Model = field(default_factory=Model)
    live: bool = option(False, "measure everything here, use no shipped table")


def elements_of(model: str) -> dict[str, int]:
    """Numbers that cross at every cut of a network, one sample."""
    from profiles import models
    from profiles.measuring import cuts

    return {cut.name: cut.elements for cut in cuts.split(models.create(model), batch=1).describe()}


def measured_origin(provenance: Mapping[str, Any], samples: int) -> str:
    """One sentence on what is measured where, and whether the weights are trained."""
    processor = provenance["machine"]["processor"]
    trained = provenance["weights"] == "trained"
    weights = "trained weights, real answers" if trained else "random weights: no accuracy"
    return (
        f"Bytes, errors and answers: measured on {samples} test samples, {weights}; "
        f"seconds, where shown: measured on one thread of {processor}."
    )
