"""Codecs at many strengths: bits, error and lost answers of each, as rows of a table.

A ladder is a chain with at most one option that holds a list: `{chain: slicer, sparsity: [0.5,
0.8]}` is two settings of the same chain.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from profiles.tables import quality
from profiles.tables.trace import TraceTable
from scenarios.sweep.columns import mean_columns
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row


class Rung(NamedTuple):
    """One setting of a ladder: its name in the table, the ladder's, and what was varied."""

    setting: str
    ladder: str
    option: str
    value: Any
    codec: dict[str, Any]


def rungs(ladders: Mapping[str, Mapping[str, Any]]) -> list[Rung]:
    """Every setting of every ladder.

    Raises:
        ValueError: a ladder without chain, or with two options that hold lists.
    """
    found: list[Rung] = []
    for name, ladder in ladders.items():
        if "chain" not in ladder:
            raise ValueError(f"ladder {name} must name its chain, got {dict(ladder)}")
        varied = [key for key, value in ladder.items() if isinstance(value, list)]
        if len(varied) > 1:
            raise ValueError(f"ladder {name} must vary one option, got {', '.join(varied)}")
        if not varied:
            found.append(Rung(name, name, "", None, dict(ladder)))
        for value in ladder[varied[0]] if varied else ():
            chosen = {**ladder, varied[0]: value}
            found.append(Rung(f"{name}({varied[0]}={value})", name, varied[0], value, chosen))
    return found


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
