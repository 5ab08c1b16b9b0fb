"""What figures without a simulated system share: the network, their sweep-free configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.sweep.rows import Rows
from scenarios.systems.scenario import Model
from sim.specs.check import option


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


def say_origin(provenance: Mapping[str, Any], samples: int) -> str:
    """One sentence on what is measured where, and whether the weights are trained."""
    processor = provenance["machine"]["processor"]
    trained = provenance["weights"] == "trained"
    weights = "trained weights, real answers" if trained else "random weights: no accuracy"
    ratios = provenance.get("seconds", {}).get("ratios", ())
    scaled = f", those of {', '.join(ratios)} scaled from there" if ratios else ""
    return (
        f"Bytes, errors and answers: measured on {samples} test samples, {weights}; "
        f"seconds, where shown: measured on one thread of {processor}{scaled}."
    )
