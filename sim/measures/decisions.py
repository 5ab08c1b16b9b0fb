"""How often devices change their minds, and how evenly that loads the server."""

from math import nan
from typing import Any

import numpy as np

from sim.measures.columns import passages
from sim.measures.meters import Book, Records
from sim.measures.overtime import load_over_time
from sim.places import groups_of
from sim.specs import SystemSpec

_BIN_S = 1.0
_MOST_BINS = 10_000


def decision_columns(spec: SystemSpec, book: Book) -> dict[str, float]:
    """Changes and probes of one device per minute, and the server's load by the second; of a run
    longer than 10,000 s, in so many equal parts.

    Nothing where no group has a policy that chooses. A change is one of mind: a probe goes out
    over another source and comes back without one.
    """
    if all(group.policy == "fixed" for group in groups_of(spec).values()):
        return {}
    begin, end = book.begin, book.end
    device_min = spec.fleet.n_devices * book.length_s / 60.0
    bin_s = max(_BIN_S, book.length_s / _MOST_BINS)
    load = server_load(passages(book.records, book.steps), begin.time_s, end.time_s, bin_s)
    mean = float(np.mean(load)) if len(load) else nan
    return {
        "decision_changes_per_minute": (end.n_changes - begin.n_changes) / device_min,
        "probes_per_minute": (end.n_probes - begin.n_probes) / device_min,
        "server_load_peak": float(np.max(load)) if len(load) else nan,
        "server_load_cv": float(np.std(load)) / mean if mean > 0.0 else nan,
    }


def server_load(
    records: Records, start_s: float, end_s: float, bin_s: float = _BIN_S
) -> np.ndarray:
    """GPU seconds per second in every whole bin between two instants, shape [bins]."""
    edges_s = start_s + bin_s * np.arange(int((end_s - start_s) / bin_s + 1e-9) + 1)
    return load_over_time(records, edges_s) if len(edges_s) > 1 else np.empty(0)


def decisions_over_time(spec: SystemSpec, book: Book, names: list[str]) -> list[dict[str, Any]]:
    """One row a second of a run; `decision` is device 0's last choice by then, `factor` the link's
    speed.
    """
    records, factors = book.records, np.array(book.speeds or [(0.0, 1.0)])
    seconds = np.arange(np.ceil(spec.warmup_s), np.floor(spec.horizon_s))
    load = server_load(records, float(seconds[0]), float(seconds[-1]) + 1.0)
    born = records["created_s"]
    late_s = records["done_s"] - born
    mine = np.flatnonzero(records["device"] == 0)
    mine = mine[np.argsort(born[mine])]
    rows = []
    for second, seconds_of_work in zip(seconds.tolist(), load.tolist(), strict=True):
        inside = (born >= second) & (born < second + 1.0)
        last = mine[born[mine] < second + 1.0][-1:]
        at = int(np.searchsorted(factors[:, 0], second, side="right")) - 1
        rows.append({
            "time_s": second,
            "factor": float(factors[max(at, 0), 1]),
            "decision": names[int(records["choice"][last[0]])] if len(last) else "",
            "latency_mean_s": float(late_s[inside].mean()) if inside.any() else None,
            "server_load": seconds_of_work,
        })  # fmt: skip
    return rows
