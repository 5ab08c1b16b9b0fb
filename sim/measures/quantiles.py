"""Quantile columns: the observations behind each of them, and its level."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import NamedTuple

import numpy as np

from sim.measures.meters import Records
from sim.request import DONE

_LATENCY = {
    "latency_p50_s": 0.5, "latency_p95_s": 0.95, "latency_p99_s": 0.99, "latency_p999_s": 0.999,
}  # fmt: skip


class Observed(NamedTuple):
    """The observations of one run whose quantile at `level` is a column."""

    values: np.ndarray
    level: float

    @property
    def quantile(self) -> float:
        """The column; NaN of nothing."""
        return float(np.quantile(self.values, self.level)) if len(self.values) else nan


def observe_quantiles(
    records: Records, steps: Records, start_s: float, groups: Sequence[str]
) -> Mapping[str, Observed]:
    """Every quantile column of what was done after `start_s`.

    Latencies of requests, those of every group where there are several, and the times per output
    token where there are sessions.
    """
    done = (records["outcome"] == DONE) & (records["done_s"] > start_s)
    latency_s = records["done_s"] - records["created_s"]
    quantiles = {name: Observed(latency_s[done], level) for name, level in _LATENCY.items()}
    for number, name in enumerate(groups if len(groups) > 1 else ()):
        mine = done & (records["group"] == number)
        quantiles[f"latency_p95_s_{name}"] = Observed(latency_s[mine], 0.95)
    if len(steps["done_s"]):
        later = (steps["done_s"] > start_s) & (steps["tokens"] > 0)
        tpot_s = (steps["done_s"] - steps["created_s"])[later]
        quantiles["tpot_p95_s"] = Observed(tpot_s, 0.95)
    return quantiles
