"""Measure the stored table of a search again: `splitfleet search ship=true`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiles.tables.theta import FOLDER, GRIDS
from profiles.tables.trace import TraceTable
from scenarios.systems.answers import trace_settings
from scenarios.systems.coders import coders
from scenarios.systems.generations import generate
from scenarios.systems.scenario import Model

_KEPT = ("payload_bytes", "encode_s", "decode_s", "correct", "agree", "relative_l2")
_PLAIN = ("answer_bytes", "kv_head_bytes", "kv_tail_bytes")


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
    network = model.network()
    made = {name: coders(chosen)["feature"] for name, chosen in settings.items()}
    return generate(network, model, made, network.stages, 64, 32)


def _lean(table: TraceTable) -> TraceTable:
    """The columns that a search and its simulation read."""
    kept = [name for name in (*_KEPT, *_PLAIN) if name in table.columns]
    return replace(
        table,
        columns={name: table.columns[name] for name in kept},
        schema={name: table.schema[name] for name in kept},
    )
