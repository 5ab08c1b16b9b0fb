"""Columns of what a request costs at a split: means over the samples of stored tables."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from profiles.tables.cost import CostSurface
from profiles.tables.split import Split
from profiles.tables.trace import TraceTable

Row = dict[str, float]


class Sides(NamedTuple):
    """What one device and one server take: both parts of the network, and factors on the codec."""

    head: CostSurface
    tail: CostSurface
    encode: float = 1.0
    decode: float = 1.0


def single_costs(table: TraceTable, sides: Sides) -> Callable[[Split], Row]:
    """Columns of an option of a network that answers at once."""
    head, tail = sides.head, sides.tail

    def row(label: Split) -> Row:
        costs = dict.fromkeys(("payload_bytes", "encode_s", "decode_s", "answer_bytes"), 0.0)
        if label.cut != "output":
            cell = partial(table.cell, cut=label.cut, setting=label.setting)
            costs = {name: float(cell(name).mean()) for name in costs}
        costs["encode_s"] *= sides.encode
        costs["decode_s"] *= sides.decode
        device_s, server_s = head.seconds_at(label.cut), tail.seconds_at(label.cut)
        return {"device_s": device_s, "server_s": server_s, **costs}

    return row


def session_costs(table: TraceTable, sides: Sides) -> Callable[[Split], Row]:
    """Columns of an option of a network that generates: w steps, the prompt's first."""
    head, tail = sides.head, sides.tail
    prompt, n_steps = int(table.provenance["prompt_tokens"]), table.size("token")
    steps = [(prompt, 0), *((1, prompt + k) for k in range(n_steps - 1))]

    @cache
    def seconds(cut: str) -> list[np.ndarray]:
        """Head and tail seconds of every step of the longest session, shape [step]."""
        return [
            np.array([side.seconds_at(cut, new_tokens=new, kv_length=kv) for new, kv in steps])
            for side in (head, tail)
        ]

    def row(label: Split) -> Row:
        w, answer_bytes = label.tokens, 0.0
        cells = {name: np.zeros(w) for name in ("payload_bytes", "encode_s", "decode_s")}
        if label.cut != "output":
            cell = partial(table.cell, cut=label.cut, setting=label.setting)
            cells = {name: cell(name)[:, :w].mean(0) for name in cells}
            answer_bytes = float(cell("answer_bytes").mean())
        cells["encode_s"] = cells["encode_s"] * sides.encode
        cells["decode_s"] = cells["decode_s"] * sides.decode
        device_s, server_s = (each[:w] for each in seconds(label.cut))
        later = slice(1, w) if w > 1 else slice(0, 1)
        cells |= {"device_s": device_s, "server_s": server_s}
        return {
            **{name: float(each[later].mean()) for name, each in cells.items()},
            "answer_bytes": answer_bytes,
            "first_device_s": float(device_s[0] + cells["encode_s"][0]),
            **{f"first_{name}": float(cells[name][0])
               for name in ("payload_bytes", "decode_s", "server_s")},
        }  # fmt: skip

    return row
