"""Independent replications and their intervals, with and without the table's sampling error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.measures.cautions import cautions
from sim.measures.laws import Check
from sim.measures.meters import Book
from sim.measures.quantiles import Observed
from sim.measures.result import Estimate, Result
from sim.measures.saturation import Judgement, Load, grows, judge, stop_warning
from sim.request import DONE
from sim.sources.source import Errors, Source, Sources, log_errors, shift
from sim.specs import SystemSpec
from sim.streams import Streams
from sim.system import run

if TYPE_CHECKING:
    from sim.measures.intervals import Length
    from sim.statistics import Interval  # its special functions cost time that single runs save

Task = Callable[[], Any]
Play = Callable[[Iterable[Task]], list[Any]]

N_PILOTS = 5


class Kept(NamedTuple):
    """What is kept of one run of many: its book, which is large, only of the last."""

    figures: Mapping[str, float]
    seen: Mapping[str, Observed]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]
    load: Load | None
    book: Book | None

    @property
    def is_sound(self) -> bool:
        """Whether all laws hold."""
        return all(check.holds for check in self.checks)


def replicate(spec: SystemSpec, sources: Sources, *, play: Play | None = None) -> Result:
    """`spec.replications` independent runs (more, if `spec.precision` asks), as many on bootstraps.

    The first set gives the mean and the conditional interval (sim/measures/intervals.py). The
    second set, one bootstrap of the rows per run and the same streams, has variance
    s_b^2 = s^2 + the table's; either side of the total interval is
    sqrt(its conditional length^2 + t^2 max(0, s_b^2 - s^2)). A saturated system has no mean
    latency: columns that grow with the run are NaN, and a warning says so; so it does where runs
    are too short for an interval, whose ends are then NaN.
    `play` may run the tasks elsewhere (workers) and returns what they return, in order.
    """
    play = play or (lambda tasks: [task() for task in tasks])
    if spec.warmup == "mser5":
        spec = settle(spec, sources, play=play)
    plain = _until_precise(spec, sources, play)
    boot: list[Kept] = []
    if len(plain) > 1 and has_rows(sources):
        off = _machines(spec, len(plain))
        boot = play(
            partial(_play_resampled, spec, sources, errors, r) for r, errors in enumerate(off)
        )
    judgement = _judge(spec, plain)
    estimates = _estimate_all(plain, boot, judgement, spec.confidence)
    length = _measure_length(spec, plain, judgement, estimates)
    short = length.warn(spec, len(plain)) if length else ""
    book = plain[-1].book
    assert book is not None
    return Result(
        spec=spec,
        estimates={
            name: estimate if length is None or length.suffices(name) else _cut(estimate)
            for name, estimate in estimates.items()
        },
        checks=next((run for run in (*plain, *boot) if not run.is_sound), plain[-1]).checks,
        book=book,
        n_runs=len(plain),
        warnings=(*_warnings(spec, plain, judgement, estimates), *([short] if short else [])),
        saturated=judgement.saturated,
    )


def _play(spec: SystemSpec, sources: Sources, replication: int, *, is_last: bool = False) -> Kept:
    """One run."""
    result = run(spec, sources, replication=replication)
    figures = {name: each.mean for name, each in result.estimates.items()}
    book = result.book if is_last else None
    return Kept(figures, result.seen, result.checks, result.warnings, result.load, book)


def _play_resampled(spec: SystemSpec, sources: Sources, errors: Errors, replication: int) -> Kept:
    """One run on a bootstrap, of which nothing is asked but its figures."""
    resampled = _bootstrap(spec, sources, replication, errors)
    return _play(spec, resampled, replication)._replace(seen={})


def _warnings(
    spec: SystemSpec,
    plain: Sequence[Kept],
    judgement: Judgement,
    estimates: Mapping[str, Estimate],
) -> tuple[str, ...]:
    """What is to be said of all runs together, and what the first says that is no mean of runs."""
    first = plain[0]
    together = [judgement.warning, *cautions({n: each.mean for n, each in estimates.items()})]
    alone = {_judge(spec, plain[:1]).warning, *cautions({n: first.figures[n] for n in estimates})}
    others = [word for word in first.warnings if word not in alone]
    return tuple(word for word in (*together, *others) if word)


def settle(spec: SystemSpec, sources: Sources, *, play: Play) -> SystemSpec:
    """`spec` with a fixed warm-up at which MSER-5 cuts the mean of a few pilot runs.

    The k-th latencies of the pilots are averaged (Welch 1983) before MSER-5 looks at them; the
    cut is the mean time at which the first kept request was done. A terminating run has none.
    """
    from sim.statistics import mser5

    fixed = replace(spec, warmup="fixed", warmup_s=0.0)
    if spec.workload.requests is not None:
        return fixed
    pilots = play(
        partial(run, fixed, sources, replication=r) for r in range(min(N_PILOTS, spec.replications))
    )
    done = [pilot.records["outcome"] == DONE for pilot in pilots]
    length = min(int(np.count_nonzero(mask)) for mask in done)
    if length == 0:
        return fixed
    times_s = [p.records["done_s"][m][:length] for p, m in zip(pilots, done, strict=True)]
    born_s = [p.records["created_s"][m][:length] for p, m in zip(pilots, done, strict=True)]
    cut = mser5(np.mean(np.subtract(times_s, born_s), axis=0))
    return replace(fixed, warmup_s=float(np.mean(times_s, axis=0)[cut - 1]) if cut else 0.0)


def _until_precise(spec: SystemSpec, sources: Sources, play: Play) -> list[Kept]:
    """The plain runs; further ones until `precision_of` is known to `precision`, at most
    `max_replications`.
    """

    def more(known: list[Kept], count: int) -> list[Kept]:
        last = len(known) + count - 1
        played = play(
            partial(_play, spec, sources, r, is_last=r == last) for r in range(len(known), last + 1)
        )
        return [*(each._replace(book=None) for each in known), *played]

    kept = more([], spec.replications)
    if spec.precision is None:
        return kept
    from sim.statistics import runs_still_needed

    if spec.precision_of not in kept[0].figures:
        raise ValueError(
            f"precision_of must be one of {', '.join(kept[0].figures)}, got {spec.precision_of!r}"
        )
    target = spec.precision / (1.0 + spec.precision)
    while len(kept) < spec.max_replications:
        reached = _interval(spec.precision_of, kept, spec.confidence)
        needed = runs_still_needed(reached, len(kept), target)
        if needed == 0 or math.isnan(reached.mean) or _judge(spec, kept).saturated:
            break
        kept = more(kept, min(needed, spec.max_replications - len(kept)))
    return kept


def has_rows(sources: Sources) -> bool:
    """Whether any source changes when its rows are drawn again, or its machines are off."""
    generator = Streams(0).generator("probe")
    return any(
        source.resample(generator) is not source or any(log_errors(source))
        for source in sources.values()
    )


def _machines(spec: SystemSpec, n_runs: int) -> list[Errors]:
    """How far the machines are off in every run, in standard deviations.

    How wrong a way is, is known beforehand, so that few runs need not guess it from what they draw:
    every error takes the normal scores of `n_runs`, in an order of its own, as far apart as makes
    Student's interval of their mean's error the normal one.
    """
    from sim.statistics import normal_scores

    scores = normal_scores(n_runs, spec.confidence)
    generator = Streams(spec.seed).generator("machines")
    orders = [generator.permutation(scores).tolist() for _ in Errors._fields]
    return [Errors(*each) for each in zip(*orders, strict=True)]


def _bootstrap(
    spec: SystemSpec, sources: Sources, replication: int, errors: Errors
) -> dict[str, Source]:
    """All sources with resampled rows, on machines that are off by so many standard deviations;
    sources of one table share the picks, and all the machines.
    """
    streams = Streams(spec.seed, replication)
    return {
        name: shift(source.resample(streams.generator("bootstrap")), errors)
        for name, source in sources.items()
    }


def _judge(spec: SystemSpec, runs: Sequence[Kept]) -> Judgement:
    """Whether the runs keep up with what comes."""
    return judge(spec, [each.load for each in runs if each.load is not None])


def _measure_length(
    spec: SystemSpec,
    plain: Sequence[Kept],
    judgement: Judgement,
    estimates: Mapping[str, Estimate],
) -> Length | None:
    """How much the runs hold. Nothing is asked of a single one, of a saturated system and of loops
    that have stopped, which no length would settle.
    """
    loads = [each.load for each in plain if each.load is not None]
    if len(plain) < 2 or judgement.saturated or stop_warning(loads):
        return None
    from sim.measures.intervals import measure_length

    seen = [each.seen for each in plain]
    return measure_length(spec, seen, {name: each.mean for name, each in estimates.items()})


def _cut(estimate: Estimate) -> Estimate:
    """The same without its intervals."""
    return Estimate(mean=estimate.mean)


def _interval(name: str, runs: Sequence[Kept], confidence: float) -> Interval:
    """The conditional interval of one column."""
    from sim.measures.intervals import estimate_interval

    figures = [each.figures[name] for each in runs]
    return estimate_interval(name, figures, [each.seen for each in runs], confidence)


def _estimate_all(
    plain: Sequence[Kept], boot: Sequence[Kept], judgement: Judgement, confidence: float
) -> dict[str, Estimate]:
    """Every column: its mean and both intervals; nothing of what depends on the run's length."""
    seen = [each.seen for each in plain]
    found = {}
    for name in plain[0].figures:
        if judgement.saturated and grows(name):
            found[name] = Estimate(mean=math.nan)
            continue
        figures, resampled = ([each.figures[name] for each in runs] for runs in (plain, boot))
        found[name] = _estimate(name, figures, resampled, seen, confidence)
    return found


def _estimate(
    name: str,
    figures: Sequence[float],
    resampled: Sequence[float],
    seen: Sequence[Mapping[str, Observed]],
    confidence: float,
) -> Estimate:
    """Mean and both intervals of one column."""
    from sim.measures.intervals import bound, estimate_interval
    from sim.statistics import table_interval

    if len(figures) > 1 and not any(figures) and not any(resampled):  # as of most columns
        return Estimate(mean=0.0, lo=0.0, hi=0.0, lo_total=0.0, hi_total=0.0)
    inner = estimate_interval(name, figures, seen, confidence)
    wider = table_interval(figures, resampled, confidence, inner)
    total = bound(name, wider, min(figures))
    return Estimate(mean=inner.mean, lo=inner.lo, hi=inner.hi, lo_total=total.lo, hi_total=total.hi)
