"""Answers over channels that damage payloads: further columns of a trace table.

A column `correct_over` [sample, cut, setting, channel] stands beside `correct`, which is what an
exact transport leaves; likewise `payload_bytes_over` and so on. A channel is named by what it does
and its rates. Every rate that is asked for has rows of its own: nothing is interpolated between
rates, and one that was not traced is refused.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from profiles.tables.trace import Column, TraceTable

OVER = "_over"
"""What such a column's name ends with."""
_KEPT = ("encode_s", "decode_s")
"""What a codec takes, damaged or not."""


def channel_column(name: str, schema: Mapping[str, Column]) -> Column:
    """That of `name` over channels."""
    column = schema[name]
    return Column(unit=column.unit, dims=(*column.dims, "channel"))


def over(table: TraceTable, channel: str) -> TraceTable:
    """The table as it is over one channel: its columns there take the place of the exact ones.

    What is not known there (where bits go, the divergence of answers) is left out.

    Raises:
        ValueError: a channel that was not traced, with those that were.
    """
    labels = table.axes.get("channel", ())
    if channel not in labels:
        known = ", ".join(labels) or "none"
        raise ValueError(f"channel must be one that the trace has ({known}), got {channel!r}")
    place = labels.index(channel)
    found = {n.removesuffix(OVER): n for n, c in table.schema.items() if "channel" in c.dims}
    alone = [n for n, c in table.schema.items() if "setting" not in c.dims or n in _KEPT]
    columns = {name: table.columns[name] for name in alone}
    schema = {name: table.schema[name] for name in alone}
    for name, stored in found.items():
        columns[name] = np.asarray(table.columns[stored][..., place])
        schema[name] = Column(unit=table.schema[stored].unit, dims=table.schema[stored].dims[:-1])
    known = ~np.isnan(columns["payload_bytes"])
    for name in set(_KEPT) & set(columns):
        columns[name] = np.where(known, columns[name], np.nan)
    axes = {name: labels for name, labels in table.axes.items() if name != "channel"}
    return replace(table, columns=columns, schema=schema, axes=axes)


def with_channel(table: TraceTable, damaged: TraceTable, channel: str) -> TraceTable:
    """A table with the columns over one channel of another, of the same samples.

    Cuts and settings that the other lacks hold NaN there.

    Raises:
        ValueError: other samples, or a channel that the other does not have.
    """
    labels = damaged.axes.get("channel", ())
    if channel not in labels:
        known = ", ".join(labels) or "none"
        raise ValueError(f"channel must be one that the trace has ({known}), got {channel!r}")
    if not np.array_equal(table.sample_ids, damaged.sample_ids):
        raise ValueError("answers over a channel must be those of the table's samples")
    columns, schema = dict(table.columns), dict(table.schema)
    for name, column in damaged.schema.items():
        if "channel" in column.dims:
            values = damaged.columns[name][..., [labels.index(channel)]]
            columns[name], schema[name] = _spread(values, damaged, table), column
    about = {**table.provenance, "channels": damaged.provenance}
    return replace(
        table, columns=columns, schema=schema, axes={**table.axes, "channel": (channel,)},
        provenance=about,
    )  # fmt: skip


def _spread(values: np.ndarray, source: TraceTable, target: TraceTable) -> np.ndarray:
    """Values [sample, cut, setting, ...] of one table at the cuts and settings of another."""
    shape = (values.shape[0], len(target.cuts), len(target.settings), *values.shape[3:])
    out = np.full(shape, np.nan)
    cuts = [cut for cut in target.cuts if cut in source.cuts]
    settings = [name for name in target.settings if name in source.settings]
    at, there = (
        np.ix_([t.cuts.index(cut) for cut in cuts], [t.settings.index(name) for name in settings])
        for t in (target, source)
    )
    out[:, at[0], at[1]] = values[:, there[0], there[1]]
    return out
