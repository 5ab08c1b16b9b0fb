"""The interval of a column over replications, and what runs are too short to have one for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.measures.quantiles import Observed
from sim.measures.saturation import grows
from sim.specs import SystemSpec
from sim.statistics import (
    Interval,
    batch_means,
    independent_beyond,
    independent_parts,
    log_interval,
    quantiles,
    replication_interval,
    skewed_mean,
    skewed_quantile,
    within_variance,
)

PARTS, FEWEST_PARTS, BEYOND = 6.0, 4.0, 8.0
_ALIKE = 0.02
_AGREE, _DIFFER = 60.0, 0.2
_SPREAD, _SOME = 0.5, 3.0
_RARE = "latency_p999_s"

Runs = Sequence[Mapping[str, Observed]]


@dataclass(frozen=True, kw_only=True)
class Length:
    """How much the runs hold: independent parts of a run, independent observations beyond every
    quantile in all runs together; infinite where nothing depends on it.
    """

    parts: float
    beyond: Mapping[str, float]

    def suffices(self, column: str) -> bool:
        """Whether the runs are long enough for an interval of a column.

        Latencies and what else a saturated system has no figure for need six parts, rates and
        shares four; a quantile also needs eight independent observations beyond it.
        """
        needed = PARTS if column in self.beyond or grows(column) else FEWEST_PARTS
        return self.parts >= needed and self.beyond.get(column, math.inf) >= BEYOND

    def warn(self, spec: SystemSpec, n_runs: int) -> str:
        """What to know of intervals that are missing; "" where none is missed.

        That of the 99.9 % quantile alone is not: few runs are long enough for it.
        """
        if self.parts < PARTS:
            return (
                f"too short for latencies: a run is worth about {self.parts:.1f} independent parts"
                f" of itself, {PARTS:g} are needed; {_longer(spec, (8.0 / self.parts) ** 2)}"
                " would do"
            )
        short = {name: n for name, n in self.beyond.items() if not self.suffices(name)}
        if not set(short) - {_RARE}:
            return ""
        fewest = min(n for name, n in short.items() if name != _RARE)
        factor = 2.0 * BEYOND / max(fewest, 0.1)
        more = f"replications={math.ceil(n_runs * factor)}"
        remedy = more if _terminates(spec) else f"{_longer(spec, factor)} or {more}"
        return (
            f"too short for {', '.join(short)}: the runs hold about {fewest:.1f} independent"
            f" requests beyond it, {BEYOND:g} are needed; {remedy} would do"
        )


def measure_length(
    spec: SystemSpec, seen: Runs, known: Mapping[str, float] | None = None
) -> Length:
    """How much the runs hold, from batches of their latencies in the order of completion;
    `known`: the quantiles of all runs together, where they have been found.

    A terminating run is no stretch of a longer one: its mean needs no parts.
    """
    latencies = [each["latency_p50_s"].values for each in seen]
    names = [name for name in seen[0] if all(name in each for each in seen)]
    return Length(
        parts=math.inf if _terminates(spec) else _parts(latencies),
        beyond={
            name: _beyond(
                [each[name].values for each in seen], seen[0][name].level, (known or {}).get(name)
            )
            for name in names
        },
    )


def estimate_interval(
    column: str, figures: Sequence[float], seen: Runs, confidence: float
) -> Interval:
    """The conditional interval of a column from its runs' figures and what stands behind them.

    A quantile: of all observations together. The mean of something observed: skewed like it.
    Anything else: of the logarithm, if it is never below 0; none where the standard error exceeds
    half the mean. No end is below 0 unless a figure is, and none of a share above 1.
    """
    if all(column in each for each in seen):
        observed = [each[column].values for each in seen]
        interval = skewed_quantile(observed, seen[0][column].level, confidence)
    elif (behind := _behind(column)) in seen[0]:
        interval = skewed_mean(figures, [each[behind].values for each in seen], confidence)
    elif min(figures) >= 0.0:
        interval = log_interval(figures, confidence, widest=_SPREAD)
    else:
        interval = replication_interval(figures, confidence)
    return bound(column, interval, min(figures, default=math.nan))


def bound(column: str, interval: Interval, least: float) -> Interval:
    """The interval within what the column can be: not below 0, a share not above 1."""
    lo, hi = interval.lo, interval.hi
    if least >= 0.0 and lo < 0.0:
        lo = 0.0
    if is_share(column) and interval.mean <= 1.0 and hi > 1.0:
        hi = 1.0
    return Interval(interval.mean, lo, hi)


def is_share(column: str) -> bool:
    """Whether a column lies between 0 and 1."""
    return "_share" in column or column.endswith("_utilization") or column == "accuracy"


def _behind(column: str) -> str:
    """The quantile column whose observations a mean column averages; "" if there is none."""
    if column == "latency_mean_s":
        return "latency_p50_s"
    if column.startswith("latency_mean_s_"):
        return column.replace("_mean_", "_p95_")
    return "tpot_p95_s" if column == "tpot_s" else ""


def _parts(runs: Sequence[np.ndarray]) -> float:
    """Independent parts of a run; infinite where batches are alike to 2 %, where the runs' means
    agree far better than their parts would have it (cycles do), or differ from each other by much
    more than time makes them differ (each run is a world of its own: only more runs help).
    """
    batches = batch_means(runs)
    if not batches.size:
        return math.inf
    middle, spread = float(np.mean(batches)), float(np.ptp(batches))
    if not spread > _ALIKE * abs(middle):
        return math.inf
    if len(runs) > 1:
        between = float(np.var(batches.mean(axis=1), ddof=1))
        observed = float(np.var(np.concatenate(runs)))
        if observed > _AGREE * between or within_variance(batches) < _DIFFER * between:
            return math.inf
    return independent_parts(batches)


def _beyond(runs: Sequence[np.ndarray], level: float, quantile: float | None) -> float:
    """Independent observations beyond a quantile; infinite where some lie beyond it, but none by
    more than 2 %.
    """
    n = sum(run.size for run in runs)
    if not n:
        return 0.0
    if quantile is None:
        (quantile,) = quantiles(np.concatenate(runs), [level])
    most = max(float(np.max(run)) for run in runs if run.size)
    if (1.0 - level) * n >= _SOME and not most > (1.0 + _ALIKE) * quantile:
        return math.inf
    return independent_beyond(runs, level, quantile)


def _terminates(spec: SystemSpec) -> bool:
    return spec.workload.requests is not None


def _longer(spec: SystemSpec, factor: float) -> str:
    """A horizon whose measured part is `factor` times as long, to two digits, rounded up."""
    horizon_s = spec.warmup_s + factor * (spec.horizon_s - spec.warmup_s)
    unit = 10.0 ** (math.floor(math.log10(horizon_s)) - 1)
    return f"horizon_s={math.ceil(horizon_s / unit) * unit:g}"
