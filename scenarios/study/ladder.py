"""Codecs at many strengths: bits, error and lost answers of each, as rows of a table.

A ladder is a chain with at most one option that holds a list: `{chain: slicer, sparsity: [0.5,
0.8]}` is two settings of the same chain.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from codec.chains.expressions import Rung
from profiles.tables import quality
from profiles.tables.trace import TraceTable
from scenarios.sweep.columns import mean_columns
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row


def jobs(table: TraceTable, chosen: Sequence[Rung], elements: Mapping[str, int]) -> Iterator[Job]:
    """One row per cut and setting of the table; `elements` counts the numbers that cross."""
    for cut in table.cuts:
        for rung in chosen:
            if cut == "output" or not table.exists(cut, rung.setting):
                continue
            labels = {
                "method": rung.ladder,
                "model": table.model,
                "cut": cut,
                "codec": rung.setting,
                "option": rung.option,
                "value": rung.value,
                "samples": len(table.sample_ids),
            }
            yield Job(
                spec={"codec": rung.codec},
                digests={"trace": table.digest},
                labels=labels,
                evaluate=partial(_evaluate, table, cut, rung.setting, elements[cut]),
            )


def _evaluate(table: TraceTable, cut: str, setting: str, elements: int) -> Row:
    bits = 8.0 * table.cell("payload_bytes", cut, setting) / elements
    row: Row = {"elements": elements}
    row |= mean_columns("bits_per_element", bits)
    row |= mean_columns("relative_l2", table.cell("relative_l2", cut, setting))
    row |= mean_columns("logit_kl", table.cell("logit_kl", cut, setting))
    whole = table.cell("correct", "output", setting)
    right = table.cell("correct", cut, setting)
    if not np.isnan(right).any():
        row |= {"table_accuracy": float(right.mean())}
        row |= quality.paired_drop(whole, right).columns("accuracy_drop")
    return row
