"""The stored table of a search: one network at every cut under every theta of a grid.

Theta are the knobs of the SLICER chain: sparsity s, distortion threshold delta, block count M,
asymmetry lambda. Shipped tables lie in profiles/data/search; `splitfleet search ship=true` measures
them again.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiles.tables.trace import TraceTable
from scenarios.shell.progress import progress
from scenarios.systems.answers import trace_settings
from scenarios.systems.coders import coders
from scenarios.systems.scenario import Model
from scenarios.systems.shipped import DATA

FOLDER = DATA / "search"

_KEPT = ("payload_bytes", "encode_s", "decode_s", "correct", "agree", "relative_l2")
_PLAIN = ("answer_bytes", "kv_head_bytes", "kv_tail_bytes")


@dataclass(frozen=True, kw_only=True, order=True)
class Theta:
    """One setting of the SLICER chain; its order is from mild to aggressive, s before delta."""

    sparsity: float
    distortion: float
    n_blocks: int
    asymmetry: float

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"s{self.sparsity:g}-d{self.distortion:g}-m{self.n_blocks}-a{self.asymmetry:g}"

    def chain(self) -> dict[str, Any]:
        """The codec as configured."""
        knobs = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"name": self.name, "chain": "slicer", **knobs}


def _grid(*axes: tuple[float, ...]) -> tuple[Theta, ...]:
    return tuple(
        Theta(sparsity=s, distortion=delta, n_blocks=int(m), asymmetry=asymmetry)
        for s, delta, m, asymmetry in itertools.product(*axes)
    )


GRIDS: Mapping[str, tuple[Theta, ...]] = {
    "scenes": _grid((0.3, 0.5, 0.65, 0.8, 0.9), (0.005, 0.01, 0.03), (1, 4), (1.0, 0.5)),
    "bytellama": _grid((0.0, 0.3, 0.6), (0.005, 0.01, 0.03), (1, 4), (1.0, 0.5)),
}


def theta_of(setting: str) -> Theta | None:
    """The theta behind a setting's name; None for what is not the SLICER chain."""
    return {theta.name: theta for grid in GRIDS.values() for theta in grid}.get(setting)


def stored(model: str) -> TraceTable:
    """The shipped table of a network.

    Raises:
        ValueError: a network without one; the message lists those that have one.
    """
    path = FOLDER / f"{model}.npz"
    if not path.exists():
        known = sorted(found.stem for found in FOLDER.glob("*.npz"))
        raise ValueError(f"model must be one of {', '.join(known)} for a search, got {model!r}")
    return TraceTable.load(path)


def make(model: Model) -> Path:
    """Measure the table of a network on this machine and store it among the shipped ones."""
    if model.name not in GRIDS:
        raise ValueError(f"model must be one of {', '.join(GRIDS)} for a search, got {model.name}")
    settings = {theta.name: theta.chain() for theta in GRIDS[model.name]}
    table = (_generations if model.name == "bytellama" else _inferences)(model, settings)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{model.name}.npz"
    _lean(table).save(path)
    return path


def _inferences(model: Model, settings: Mapping[str, dict[str, Any]]) -> TraceTable:
    from profiles import models

    ends: dict[str, dict[str, Any]] = {
        "raw8": {"chain": "raw8"},
        "jpeg": {"chain": "jpeg", "quality": 95},
    }
    cuts = ("input", *models.create(model.name).stages)
    return trace_settings(model, {**ends, **settings}, cuts, repeats=model.repeats)


def _generations(model: Model, settings: Mapping[str, dict[str, Any]]) -> TraceTable:
    from profiles import models
    from profiles.measuring import generation
    from profiles.models.data import sources

    network = models.create(model.name)
    prompts = sources.windows("test", model.samples, length=64).inputs
    made = {name: coders(chosen)["feature"] for name, chosen in settings.items()}
    with progress(f"generating with {model.name}") as report:
        return generation.trace(
            network, made, prompts, cuts=network.stages, n_tokens=32,
            repeats=model.repeats, progress=report,
        )  # fmt: skip


def _lean(table: TraceTable) -> TraceTable:
    """The columns that a search and its simulation read."""
    kept = [name for name in (*_KEPT, *_PLAIN) if name in table.columns]
    return replace(
        table,
        columns={name: table.columns[name] for name in kept},
        schema={name: table.schema[name] for name in kept},
    )
