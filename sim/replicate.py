"""Independent replications and their intervals, with and without the table's sampling error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from sim.request import DONE
from sim.result import Estimate, Result
from sim.source import Source
from sim.spec import SystemSpec
from sim.streams import Streams
from sim.system import run

Task = Callable[[], Result]
Play = Callable[[Iterable[Task]], list[Result]]

_PILOTS = 5


def replicate(
    spec: SystemSpec,
    sources: Mapping[str, Source],
    *,
    table_error: bool = True,
    play: Play | None = None,
) -> Result:
    """`spec.replications` independent runs (more, if `spec.precision` asks), as many on bootstraps.

    The first set gives the mean and the conditional interval, mean -+ t s / sqrt(R). The second
    set, one bootstrap of the rows per run and the same streams, has variance s_b^2 = s^2 + the
    table's; the total half-width is sqrt((t s / sqrt(R))^2 + t^2 max(0, s_b^2 - s^2)).
    `play` may run the tasks elsewhere (workers); it returns their results in order.
    """
    play = play or (lambda tasks: [task() for task in tasks])
    if spec.warmup == "mser5":
        spec = settled(spec, sources, play=play)
    plain = _until_precise(spec, sources, play)
    boot: list[Result] = []
    if table_error and len(plain) > 1 and _has_rows(sources):
        boot = play(
            partial(run, spec, _bootstrapped(spec, sources, r), replication=r)
            for r in range(len(plain))
        )
    failed = next((result for result in plain if result.failed_checks), plain[-1])
    return Result(
        spec=spec,
        estimates={
            name: _estimate(
                [result.value(name) for result in plain],
                [result.value(name) for result in boot],
                spec.confidence,
            )
            for name in plain[0].estimates
        },
        checks=failed.checks,
        records=plain[-1].records,
        steps=plain[-1].steps,
        n_runs=len(plain),
        warnings=next((result.warnings for result in plain if result.warnings), ()),
    )


def settled(spec: SystemSpec, sources: Mapping[str, Source], *, play: Play) -> SystemSpec:
    """`spec` with a fixed warm-up at which MSER-5 cuts the mean of a few pilot runs.

    The k-th latencies of the pilots are averaged (Welch 1983) before MSER-5 looks at them; the
    cut is the mean time at which the first kept request was done. A terminating run has none.
    """
    from sim.statistics import mser5  # its special functions cost time that single runs save

    fixed = replace(spec, warmup="fixed", warmup_s=0.0)
    if spec.workload.requests is not None:
        return fixed
    pilots = play(
        partial(run, fixed, sources, replication=r) for r in range(min(_PILOTS, spec.replications))
    )
    done = [pilot.records["outcome"] == DONE for pilot in pilots]
    length = min(int(np.count_nonzero(mask)) for mask in done)
    if length == 0:
        return fixed
    times_s = [p.records["done_s"][m][:length] for p, m in zip(pilots, done, strict=True)]
    born_s = [p.records["created_s"][m][:length] for p, m in zip(pilots, done, strict=True)]
    cut = mser5(np.mean(np.subtract(times_s, born_s), axis=0))
    return replace(fixed, warmup_s=float(np.mean(times_s, axis=0)[cut - 1]) if cut else 0.0)


def _until_precise(spec: SystemSpec, sources: Mapping[str, Source], play: Play) -> list[Result]:
    """The plain runs; further ones until `precision_of` is known to `precision`, at most
    `max_replications`.
    """

    def runs(first: int, count: int) -> list[Result]:
        return play(partial(run, spec, sources, replication=r) for r in range(first, first + count))

    results = runs(0, spec.replications)
    if spec.precision is None:
        return results
    from sim.statistics import runs_still_needed

    if spec.precision_of not in results[0].estimates:
        raise ValueError(
            f"precision_of must be one of {', '.join(results[0].estimates)},"
            f" got {spec.precision_of!r}"
        )
    target = spec.precision / (1.0 + spec.precision)
    while len(results) < spec.max_replications:
        values = [result.value(spec.precision_of) for result in results]
        more = runs_still_needed(values, target, spec.confidence)
        if more == 0 or any(math.isnan(value) for value in values):
            break
        results += runs(len(results), min(more, spec.max_replications - len(results)))
    return results


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
    from sim.statistics import replication_interval, table_interval

    inner = replication_interval(plain, confidence)
    total = table_interval(plain, boot, confidence)
    return Estimate(mean=inner.mean, lo=inner.lo, hi=inner.hi, lo_total=total.lo, hi_total=total.hi)
