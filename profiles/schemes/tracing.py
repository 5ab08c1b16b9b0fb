"""What a scheme adds to a trace table: the early answer of every sample, and how sure it was; which
branch it took, and what it would have been in every other; the answer before an adapter had
learned anything.

`exit_confidence` and `exit_correct` [sample] stand beside the columns of the cuts and settings, for
the same samples: whichever threshold is played, an input that is hard stays hard on both ways.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from profiles.models.data.handwriting import Samples
from profiles.models.scores import accuracy
from profiles.schemes.scheme import Adapter, Gate
from profiles.tables.trace import Column, TraceTable

CONFIDENCE, CORRECT = "exit_confidence", "exit_correct"
BEFORE = "before_correct"
BRANCH, BRANCH_BYTES, BRANCH_CORRECT = "branch", "branch_bytes", "branch_correct"
_OF_BRANCHES = {BRANCH_BYTES: "payload_bytes", BRANCH_CORRECT: "correct"}
_BATCH = 500


def answers_of(module: torch.nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Answers of a network to inputs [sample, ...], in batches."""
    with torch.inference_mode():
        parts = [module(x) for x in torch.split(torch.from_numpy(inputs), _BATCH)]
    return np.asarray(torch.cat(parts).numpy())


def with_exits(table: TraceTable, gate: Gate, samples: Samples) -> TraceTable:
    """The table with the early answers of the samples that it was traced with."""
    answers = answers_of(gate.early.module, samples.inputs)
    columns = {
        CONFIDENCE: gate.confidence(answers),
        CORRECT: gate.early.metric(answers, samples.labels).astype(np.float64),
    }
    column = Column(unit="1", dims=("sample",))
    return replace(
        table,
        columns={**table.columns, **columns},
        schema={**table.schema, **dict.fromkeys(columns, column)},
        provenance={**table.provenance, "early_digest": gate.early.digest},
    )


def with_branches(
    name: str, tables: Sequence[TraceTable], branches: Sequence[str], picks: np.ndarray
) -> TraceTable:
    """One table of a table for every branch: the rows of those that were picked [sample].

    `branch` [sample] says which; `branch_bytes` and `branch_correct` [sample, cut, setting, branch]
    hold what the others would have sent and answered.
    """
    first, rows = tables[0], np.arange(len(picks))
    columns = {
        column: np.stack([table.columns[column] for table in tables])[picks, rows]
        for column in first.columns
    }
    wide = {
        new: np.stack([table.columns[old] for table in tables], -1)
        for new, old in _OF_BRANCHES.items()
    }
    more = {new: Column(unit=first.schema[old].unit, dims=(*first.schema[old].dims, BRANCH))
            for new, old in _OF_BRANCHES.items()}  # fmt: skip
    digests = "+".join(str(table.provenance["model_digest"]) for table in tables)
    codecs = {f"{n}: {k}": spec for n, table in zip(branches, tables, strict=True)
              for k, spec in table.provenance["codecs"].items()}  # fmt: skip
    return replace(
        first,
        model=name,
        columns={**columns, BRANCH: picks.astype(np.float64), **wide},
        schema={**first.schema, BRANCH: Column(unit="1", dims=("sample",)), **more},
        axes={**first.axes, BRANCH: tuple(branches)},
        provenance={**first.provenance, "model_digest": digests, "codecs": codecs},
    )


def with_before(table: TraceTable, adapter: Adapter, samples: Samples) -> TraceTable:
    """The table with the answers of the untrained system, without codec, to its samples."""
    with torch.no_grad():
        parts = [adapter.before(x) for x in torch.split(torch.from_numpy(samples.inputs), _BATCH)]
    right = accuracy(torch.cat(parts).numpy(), samples.labels)
    return replace(
        table,
        columns={**table.columns, BEFORE: right.astype(np.float64)},
        schema={**table.schema, BEFORE: Column(unit="1", dims=("sample",))},
    )
