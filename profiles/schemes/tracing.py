"""What a scheme adds to a trace table: the early answer of every sample, and how sure it was; the
answer before an adapter had learned anything.

`exit_confidence` and `exit_correct` [sample] stand beside the columns of the cuts and settings, for
the same samples: whichever threshold is played, an input that is hard stays hard on both ways.
"""

from dataclasses import replace

import numpy as np
import torch

from profiles.models.data.handwriting import Samples
from profiles.models.scores import accuracy
from profiles.schemes.scheme import Adapter, Gate
from profiles.tables.trace import Column, TraceTable

CONFIDENCE, CORRECT = "exit_confidence", "exit_correct"
BEFORE = "before_correct"
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
        CORRECT: accuracy(answers, samples.labels).astype(np.float64),
    }
    column = Column(unit="1", dims=("sample",))
    return replace(
        table,
        columns={**table.columns, **columns},
        schema={**table.schema, **dict.fromkeys(columns, column)},
        provenance={**table.provenance, "early_digest": gate.early.digest},
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
