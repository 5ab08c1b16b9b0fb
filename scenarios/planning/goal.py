"""Goal: the figure of a run that must not exceed a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim import Result

SECONDS = (
    "freshness_s",
    "latency_mean_s",
    "latency_p50_s",
    "latency_p95_s",
    "latency_p99_s",
    "latency_p999_s",
)
COLUMNS = ("deadline_miss_share", *SECONDS)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """`column` of a run must stay at or below `limit` (seconds, or a share of the requests).

    Raises:
        ValueError: an unknown column, or a limit that is not above 0.
    """

    column: str
    limit: float

    def __post_init__(self) -> None:
        if self.column not in COLUMNS:
            raise ValueError(f"goal must be one of {', '.join(COLUMNS)}, got {self.column!r}")
        if not 0.0 < self.limit < math.inf:
            raise ValueError(f"limit of {self.column} must be above 0, got {self.limit}")

    def excess(self, result: Result) -> float:
        """How far the run lies above the limit: log(value / limit) of seconds, of a share the
        difference over the limit; infinite where nothing was answered.

        The logarithm makes a latency near saturation, about c / (N0 - N), close to a line in N.
        """
        value = result.value(self.column)
        if math.isnan(value):
            return math.inf
        if self.column in SECONDS:
            return math.log(value / self.limit) if value > 0.0 else -math.inf
        return value / self.limit - 1.0

    def __str__(self) -> str:
        return f"{self.column} <= {self.limit:g}"
