"""Tables of generations as the simulator reads sessions from them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from profiles.tables.trace import Column, TraceTable


def cut_sessions(table: TraceTable, n_tokens: int) -> TraceTable:
    """The table with the columns that sessions read: their lengths and whether they were right.

    A session counts as right where every one of its tokens is the one without a codec; in tables
    without free-running generations, where every one is, fed those of no codec.
    """
    n = len(table.sample_ids)
    prompt = float(table.provenance["prompt_tokens"])
    agree = table.columns["agree_free" if "agree_free" in table.columns else "agree"]
    extra: Mapping[str, Any] = {
        "prompt_tokens": (np.full(n, prompt), Column(unit="1", dims=("sample",))),
        "n_tokens": (np.full(n, float(n_tokens)), Column(unit="1", dims=("sample",))),
        "correct": (
            agree[..., :n_tokens].min(axis=-1),
            Column(unit="1", dims=("sample", "cut", "setting")),
        ),
    }
    return replace(
        table,
        columns={**table.columns, **{name: values for name, (values, _) in extra.items()}},
        schema={**table.schema, **{name: column for name, (_, column) in extra.items()}},
    )
