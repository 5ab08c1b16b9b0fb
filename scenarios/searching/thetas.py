"""Tables of a search: the stored ones, measured again (`splitfleet search ship=true`) or of a
network of the user.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from profiles.tables.own import is_own
from profiles.tables.theta import FOLDER, GRIDS
from profiles.tables.trace import TraceTable
from scenarios.searching.options import Tables, tables
from scenarios.systems.answers import measure, trace_settings
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


def find_tables(model: Model) -> Tables:
    """The stored tables of a network; of one of the user's, tables measured here and kept.

    Raises:
        ValueError: no tables are stored, or nobody knows what the user's network should answer.
    """
    if not is_own(model.name):
        return tables(model.name)
    settings = {theta.name: theta.chain() for theta in GRIDS["scenes"] if theta.asymmetry == 1.0}
    known = measure(model, [{"name": "raw32", "chain": "raw32"}, *settings.values()], live=True)
    if np.isnan(known.table.columns["correct"]).all():
        raise ValueError(f"search compares answers with labels; {model.name} gives none")
    return Tables(model=model.name, known=known)


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
