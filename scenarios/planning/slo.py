"""Slo: what the fleet must be served with, as the command line names it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from sim.planning.goal import Goal

_LEAST = 1e-6
_COLUMNS = {
    "mean_s": "latency_mean_s",
    "p50_s": "latency_p50_s",
    "p90_s": "latency_p90_s",
    "p95_s": "latency_p95_s",
    "p99_s": "latency_p99_s",
    "p999_s": "latency_p999_s",
    "freshness_s": "freshness_s",
    "deadline_miss_share": "deadline_miss_share",
}


def _limit(help: str, unit: str = "") -> Any:
    return field(default=None, metadata={"help": help, "unit": unit})


@dataclass(frozen=True, kw_only=True)
class Slo:
    """Limits that must all hold; None: no such limit.

    Raises:
        ValueError: no limit at all, a limit that is not above 0, half of a quantile, or a quantile
            that is limited twice.
    """

    mean_s: float | None = _limit("mean latency", "s")
    p50_s: float | None = _limit("median latency", "s")
    p90_s: float | None = _limit("90th percentile of the latency", "s")
    p95_s: float | None = _limit("95th percentile of the latency", "s")
    p99_s: float | None = _limit("99th percentile of the latency", "s")
    p999_s: float | None = _limit("99.9th percentile of the latency", "s")
    quantile: float | None = _limit("any other quantile, such as 0.975")
    quantile_s: float | None = _limit("latency at that quantile", "s")
    freshness_s: float | None = _limit("mean age of the newest answer at a device", "s")
    deadline_miss_share: float | None = _limit("share of requests later than workload.deadline_s")
    accuracy_drop_pp: float | None = _limit(
        "accuracy lost to the codec; the upper end of its interval counts", "percentage points"
    )

    def __post_init__(self) -> None:
        for name in (*_COLUMNS, "quantile_s", "accuracy_drop_pp"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"slo.{name} must be > 0, got {value}")
        if (self.quantile is None) != (self.quantile_s is None):
            raise ValueError("slo.quantile and slo.quantile_s go together, got one of them")
        if self.quantile is not None and not _LEAST <= self.quantile <= 1.0 - _LEAST:
            raise ValueError(
                f"slo.quantile must be within [{_LEAST:g}, {1.0 - _LEAST:g}], got {self.quantile}"
            )
        named = {column: name for name, column in _COLUMNS.items() if getattr(self, name)}
        if self.quantile is not None and self._column in named:
            raise ValueError(
                f"slo.quantile={self.quantile:g} is slo.{named[self._column]}; leave one of them"
            )
        if not self.goals:
            raise ValueError(
                "slo must limit the latency, its freshness or the deadline misses, such as"
                " slo.p95_s=0.1; got no such limit"
            )

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Every limit that a simulation must look at."""
        named = {column: getattr(self, name) for name, column in _COLUMNS.items()}
        if self.quantile is not None:
            named[self._column] = self.quantile_s
        return tuple(Goal(column=c, limit=limit) for c, limit in named.items() if limit is not None)

    @property
    def _column(self) -> str:
        """The column of `quantile`: its digits behind the point."""
        digits = f"{self.quantile:.12f}".split(".")[1].rstrip("0")
        return f"latency_p{digits}_s"
