"""A case of the ladder: a system whose steady state is known, and what is compared."""

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, astuple, dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.engine.choice import COMPILED, SIMPY, refusal
from sim.measures.result import Result
from sim.request import DONE
from sim.sources.source import Source
from sim.specs import SystemSpec
from sim.statistics import Interval, replication_interval, section_quantile, two_sided_t
from sim.system import run

CONFIDENCE = 0.95
EQUAL = 1e-9
_TWO = 2
_LONGER = 10.0
Figure = Callable[[Result], float]


@dataclass(frozen=True)
class Metric:
    """One figure of a run and its exact value.

    It is the column of that name, or what `figure` makes of the run, or a `quantile` of latencies.
    `kind`: the exact value lies in the interval; it is a bound that the interval may not exceed;
    or every run gives it to 1e-9. `slack` is a known relative error of the reference itself, or
    what equality allows instead of 1e-9.
    """

    name: str
    exact: float
    _: KW_ONLY
    figure: Figure | None = None
    quantile: float | None = None
    kind: str = "interval"
    slack: float = 0.0

    def value(self, result: Result) -> float:
        """The figure of one run."""
        return self.figure(result) if self.figure else result.value(self.name)


@dataclass(frozen=True)
class Case:
    """A system, its source and its metrics; `n_runs` replications make one comparison.

    `is_steady`: its exact values hold for a run of any length, so that a longer one tells more.
    """

    name: str
    system: SystemSpec
    source: Source
    metrics: tuple[Metric, ...]
    n_runs: int = 10
    is_steady: bool = True

    def play(self, seed: int) -> "list[Row]":
        """One row per metric. Where the compiled engine knows the system both play two runs, which
        must agree to the last bit (else there are rows of either), and then the compiled one plays
        all of them, ten times as long.
        """
        if refusal(self.system, {"default": self.source}):
            return self._rows(seed, SIMPY, self.system, self.n_runs)
        both = [self._rows(seed, engine, self.system, _TWO) for engine in (SIMPY, COMPILED)]
        one, other = ([astuple(replace(row, engine="")) for row in rows] for rows in both)
        if one != other:
            return [*both[0], *both[1]]
        spec = self.system
        if self.is_steady and all(metric.kind != "equal" for metric in self.metrics):
            length_s = _LONGER * (spec.horizon_s - spec.warmup_s)
            spec = replace(spec, horizon_s=spec.warmup_s + length_s)
        rows = self._rows(seed, COMPILED, spec, self.n_runs)
        return [replace(row, engine="both") for row in rows]

    def _rows(self, seed: int, engine: str, spec: SystemSpec, n_runs: int) -> "list[Row]":
        """One row per metric, by one engine."""
        spec = replace(spec, seed=own_seed(self.name, seed), engine=engine)
        results = [run(spec, {"default": self.source}, replication=r) for r in range(n_runs)]
        return [replace(self._row(each, results, seed), engine=engine) for each in self.metrics]

    def _row(self, metric: Metric, results: list[Result], seed: int) -> "Row":
        if metric.quantile is not None:
            sections = [latencies_s(result) for result in results]
            interval = section_quantile(sections, metric.quantile, CONFIDENCE)
        else:
            interval = replication_interval([metric.value(r) for r in results], CONFIDENCE)
        return row_of(self.name, metric, seed, interval, len(results))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison of exact and simulated; `lo`, `hi` at 95 %.

    `engine`: which one played it, "both" where two runs of both agree to the last bit, "auto" where
    it was left to the system.
    """

    case: str
    metric: str
    seed: int
    exact: float
    simulated: float
    lo: float
    hi: float
    kind: str
    freedom: int
    engine: str = "auto"

    @property
    def inside(self) -> bool:
        """Whether the exact value lies within the interval (a bound: not below it)."""
        return self.within(CONFIDENCE)

    def within(self, confidence: float) -> bool:
        """The same at another level, by Student's t."""
        if self.kind == "equal":
            return self.lo <= self.exact <= self.hi
        wider = two_sided_t(confidence, self.freedom) / two_sided_t(CONFIDENCE, self.freedom)
        below = self.simulated - wider * (self.simulated - self.lo) <= self.exact
        above = self.exact <= self.simulated + wider * (self.hi - self.simulated)
        return below and (above or self.kind == "at_most")

    def columns(self) -> dict[str, str | int | float | bool]:
        """The row of validate.csv."""
        names = ("case", "metric", "seed", "exact", "simulated", "lo", "hi", "inside", "engine")
        return {name: getattr(self, name) for name in names}


def own_seed(case: str, seed: int) -> int:
    """The seed of one case, so that none shares another's luck."""
    return zlib.crc32(f"{case} {seed}".encode())


def row_of(case: str, metric: Metric, seed: int, interval: Interval, n_runs: int) -> Row:
    """A row, its interval widened by the metric's slack or set to the digits of equality."""
    margin = max(metric.slack, EQUAL if metric.kind == "equal" else 0.0)
    lo, hi = interval.lo, interval.hi
    if metric.kind == "equal":
        lo = hi = interval.mean
    return Row(
        case=case,
        metric=metric.name,
        seed=seed,
        exact=metric.exact,
        simulated=interval.mean,
        lo=lo - margin * abs(metric.exact),
        hi=hi + margin * abs(metric.exact),
        kind=metric.kind,
        freedom=n_runs - 1,
    )


def row_of_two(case: str, metric: str, seed: int, values: ArrayLike, reference: ArrayLike) -> Row:
    """A row whose exact value is itself the mean of independent runs, `reference`.

    The interval is that of the difference of the means, t sqrt(s_1^2 / n_1 + s_2^2 / n_2), its
    degrees of freedom by Welch (1947) and Satterthwaite.
    """
    samples = [np.asarray(each, dtype=float) for each in (values, reference)]
    means = [float(np.mean(each)) for each in samples]
    errors = [float(np.var(each, ddof=1)) / each.size for each in samples]
    parts = math.fsum(
        error**2 / (each.size - 1) for error, each in zip(errors, samples, strict=True)
    )
    freedom = math.floor(math.fsum(errors) ** 2 / parts) if parts > 0.0 else samples[0].size - 1
    half = two_sided_t(CONFIDENCE, freedom) * math.sqrt(math.fsum(errors))
    return Row(
        case=case,
        metric=metric,
        seed=seed,
        exact=means[1],
        simulated=means[0],
        lo=means[0] - half,
        hi=means[0] + half,
        kind="interval",
        freedom=freedom,
    )


def latencies_s(result: Result) -> NDArray[np.float64]:
    """Latencies of what was done after the warm-up."""
    records = result.records
    kept = (records["outcome"] == DONE) & (records["done_s"] > result.spec.warmup_s)
    return np.asarray((records["done_s"] - records["created_s"])[kept])


def mean_of(column: str, scale: float = 1.0) -> Figure:
    """A record column's mean over all requests that left, whatever their outcome, over `scale`."""

    def figure(result: Result) -> float:
        values = result.records[column]
        return float(np.mean(values)) / scale if len(values) else math.nan

    return figure


def quantiles(law: Callable[[float], float], levels: Iterable[float]) -> tuple[Metric, ...]:
    """Metrics of latency quantiles whose exact value is `law(level)`."""
    return tuple(
        Metric(f"latency_p{100 * level:g}_s", law(level), quantile=level) for level in levels
    )
