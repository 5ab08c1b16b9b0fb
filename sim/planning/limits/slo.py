"""Slo: what the fleet must be served with, as `plan` and `search` name it on the command line."""

from collections.abc import Collection
from dataclasses import dataclass, fields

from profiles.tables.quality import Interval
from sim.planning.limits.budget import Missed, Refusal
from sim.planning.limits.goal import Goal
from sim.specs.check import above, at_least, option, within

_LEAST = 1e-6
_COLUMNS = {
    "mean_s": "latency_mean_s",
    "p50_s": "latency_p50_s",
    "p90_s": "latency_p90_s",
    "p95_s": "latency_p95_s",
    "p99_s": "latency_p99_s",
    "p999_s": "latency_p999_s",
    "ttft_p95_s": "ttft_p95_s",
    "tpot_mean_s": "tpot_mean_s",
    "tpot_p95_s": "tpot_p95_s",
    "freshness_s": "freshness_s",
    "deadline_miss_share": "deadline_miss_share",
}
_OF_TOKENS = ("ttft_p95_s", "tpot_mean_s", "tpot_p95_s")


@dataclass(frozen=True, kw_only=True)
class Slo:
    """Limits that must all hold; None: no such limit.

    The latency of a network that generates tokens is that of a whole session.

    Raises:
        ValueError: a limit that is not above 0 (a drop of accuracy may be 0), half of a quantile,
            or a quantile that is limited twice.
    """

    mean_s: float | None = option(None, "mean latency of a request, or of a whole session", "s")
    p50_s: float | None = option(None, "median latency", "s")
    p90_s: float | None = option(None, "90th percentile of the latency", "s")
    p95_s: float | None = option(None, "95th percentile of the latency", "s")
    p99_s: float | None = option(None, "99th percentile of the latency", "s")
    p999_s: float | None = option(None, "99.9th percentile of the latency", "s")
    quantile: float | None = option(None, "any other quantile, such as 0.975")
    quantile_s: float | None = option(None, "latency at that quantile", "s")
    ttft_p95_s: float | None = option(None, "95th percentile of the time to the first token", "s")
    tpot_mean_s: float | None = option(None, "mean time per token after the first", "s")
    tpot_p95_s: float | None = option(
        None, "95th percentile of the time per token after the first", "s"
    )
    freshness_s: float | None = option(None, "mean age of the newest answer at a device", "s")
    deadline_miss_share: float | None = option(
        None, "share of requests later than workload.deadline_s"
    )
    accuracy_drop_pp: float | None = option(
        None,
        "accuracy lost to the codec; the upper end of its interval counts",
        "percentage points",
    )
    memory_bytes: float | None = option(None, "memory that the network takes on the device", "B")

    def __post_init__(self) -> None:
        for name in (*_COLUMNS, "quantile_s", "memory_bytes"):
            above(f"slo.{name}", getattr(self, name), 0.0)
        at_least("slo.accuracy_drop_pp", self.accuracy_drop_pp, 0.0)
        if (self.quantile is None) != (self.quantile_s is None):
            raise ValueError("slo.quantile and slo.quantile_s go together, got one of them")
        within("slo.quantile", self.quantile, _LEAST, 1.0 - _LEAST)
        named = {column: name for name, column in _COLUMNS.items() if getattr(self, name)}
        if self.quantile is not None and self._column in named:
            raise ValueError(
                f"slo.quantile={self.quantile:g} is slo.{named[self._column]}; leave one of them"
            )

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the limits that there are."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Every limit that a simulation must look at."""
        named = {column: getattr(self, name) for name, column in _COLUMNS.items()}
        if self.quantile is not None:
            named[self._column] = self.quantile_s
        return tuple(Goal(column=c, limit=limit) for c, limit in named.items() if limit is not None)

    def check_any(self) -> None:
        """Refuse to plan without a limit that a number of devices can exceed."""
        if not self.goals:
            raise ValueError(
                "slo must limit the latency, its freshness or the deadline misses, such as"
                " slo.p95_s=0.1; got no such limit"
            )

    def check_tokens(self, words: str, *, generates: bool) -> None:
        """Refuse the limits of tokens for what answers once; `words` says what that is."""
        if not generates:
            self.refuse(_OF_TOKENS, f"no tokens are generated ({words})")

    def refuse(self, names: Collection[str], why: str) -> None:
        """Raise ValueError if one of these limits is given."""
        for name in self.given:
            if name in names:
                raise ValueError(f"slo.{name} does not apply: {why}")

    @property
    def _column(self) -> str:
        """The column of `quantile`: its digits behind the point."""
        digits = f"{self.quantile:.12f}".split(".")[1].rstrip("0")
        return f"latency_p{digits}_s"


def check_memory(slo: Slo, need_bytes: float | None, words: str) -> None:
    """Refuse a system whose devices need more memory than allowed, or nobody knows how much.

    Args:
        slo: the limits.
        need_bytes: what the network takes on a device: weights, activations and, where tokens are
            generated, keys and values; None: unknown.
        words: the system, as a person says it.
    """
    limit = slo.memory_bytes
    if limit is None:
        return
    if need_bytes is None:
        raise Refusal(
            f"slo.memory_bytes cannot be checked for {words}: no table says how much memory it"
            " takes on the device"
        )
    if need_bytes > limit:
        raise Missed(
            f"even one device misses memory_bytes <= {limit:g}: {words} takes {need_bytes:g} bytes"
        )


def check_drop(slo: Slo, drop: Interval | None, words: str) -> None:
    """Refuse a codec that costs more answers than allowed, or nobody knows how many.

    `drop`: points of accuracy lost, with their interval; `words`: the system, as a person says it.
    """
    limit = slo.accuracy_drop_pp
    if limit is None:
        return
    if drop is None:
        raise Refusal(
            f"slo.accuracy_drop_pp cannot be judged for {words}: the table holds no answers"
            " (random weights), or none without a codec (mixed fleets)"
        )
    if drop.hi > limit:
        raise Missed(
            f"even one device misses accuracy_drop_pp <= {limit:g}: {words} loses"
            f" {drop.mean:.2f} [{drop.lo:.2f}, {drop.hi:.2f}] points"
        )
