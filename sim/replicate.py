"""Independent replications and their intervals, with and without the table's sampling error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from statistics import fmean, stdev

from sim.result import Estimate, Result
from sim.source import Source
from sim.spec import SystemSpec
from sim.streams import Streams
from sim.system import run

Task = Callable[[], Result]


def replicate(
    spec: SystemSpec,
    sources: Mapping[str, Source],
    *,
    table_error: bool = True,
    play: Callable[[Iterable[Task]], list[Result]] | None = None,
) -> Result:
    """`spec.replications` independent runs, and as many again on bootstrapped rows.

    The first set gives the mean and the conditional interval, mean -+ t s / sqrt(R). The second
    set, one bootstrap of the rows per run and the same streams, has variance s_b^2 = s^2 + the
    table's; the total half-width is sqrt((t s / sqrt(R))^2 + t^2 max(0, s_b^2 - s^2)).
    `play` may run the tasks elsewhere (workers); it returns their results in order.
    """
    numbers = range(spec.replications)
    tasks: list[Task] = [partial(run, spec, sources, replication=r) for r in numbers]
    resample = table_error and spec.replications > 1 and _has_rows(sources)
    if resample:
        tasks += [
            partial(run, spec, _bootstrapped(spec, sources, r), replication=r) for r in numbers
        ]
    results = play(tasks) if play is not None else [task() for task in tasks]
    plain, boot = results[: spec.replications], results[spec.replications :]
    estimates = {
        name: _estimate(
            [result.value(name) for result in plain],
            [result.value(name) for result in boot],
            spec.confidence,
        )
        for name in plain[0].estimates
    }
    failed = next((result for result in plain if result.failed_checks), plain[-1])
    return Result(
        spec=spec,
        estimates=estimates,
        checks=failed.checks,
        records=plain[-1].records,
        n_runs=len(plain),
        warnings=next((result.warnings for result in plain if result.warnings), ()),
    )


def _has_rows(sources: Mapping[str, Source]) -> bool:
    """Whether any source changes when its rows are drawn again."""
    generator = Streams(0).generator("probe")
    return any(source.resampled(generator) is not source for source in sources.values())


def _bootstrapped(
    spec: SystemSpec, sources: Mapping[str, Source], replication: int
) -> dict[str, Source]:
    """All sources with resampled rows; sources of one table share the picks."""
    return {
        name: source.resampled(Streams(spec.seed, replication).generator("bootstrap"))
        for name, source in sources.items()
    }


def _estimate(plain: list[float], boot: list[float], confidence: float) -> Estimate:
    """Mean and both intervals of one column."""
    mean = fmean(plain)
    if len(plain) < 2 or math.isnan(mean):
        return Estimate(mean=mean)
    from scipy.stats import t as student  # costs half a second; single runs do without

    quantile = float(student.ppf(0.5 + 0.5 * confidence, len(plain) - 1))
    spread = stdev(plain)
    half = quantile * spread / math.sqrt(len(plain))
    table = math.sqrt(max(0.0, stdev(boot) ** 2 - spread**2)) if boot else 0.0
    total = math.hypot(half, quantile * table)
    return Estimate(
        mean=mean, lo=mean - half, hi=mean + half, lo_total=mean - total, hi_total=mean + total
    )
