"""Does the system keep up? A mean over a queue that grows without end says nothing."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.measures.meters import Book, select, since
from sim.places import groups_of
from sim.request import DONE
from sim.specs import SystemSpec

_BUSY, _CLOSE = 0.995, 0.99
_TELLING = 0.95
_FEW = 2.0

GROWING = ("latency_", "ttft_s", "tpot_", "freshness_s", "deadline_miss_share")
GROWING_PARTS = ("_wait_s", "_queue_mean", "_slowest")


class Load(NamedTuple):
    """How much of what came to one run was left over, its busiest station, and its silence.

    `share` is NaN where no station's busy time tells whether it keeps up. `last_s` is the time of
    the last answer where nothing was answered for suspiciously long until `end_s`, else NaN;
    `waiting` requests were in flight then.
    """

    arrived: int
    grown: int
    busiest: str
    share: float
    last_s: float = math.nan
    end_s: float = math.nan
    waiting: int = 0


class Judgement(NamedTuple):
    """Whether the runs are saturated, and what is to be said of them ("": nothing)."""

    saturated: bool
    warning: str


def load(spec: SystemSpec, book: Book, dropped: bool) -> Load:
    """What one run says of its own load.

    A busy share near 1 tells of saturation only where every group keeps asking whatever happens
    (open workloads), nothing is dropped, and a station's work does not depend on how much waits:
    batches, contention-free channels and multiuser diversity get faster under load.
    """
    begin, end, length_s = book.begin, book.end, book.length_s
    shares = {"device_utilization": (end.device_busy_s - begin.device_busy_s) / length_s}
    if spec.server.max_batch == 1:
        shares["server_utilization"] = (end.server_busy_s - begin.server_busy_s) / length_s
    if spec.link.sharing in ("fifo", "ps", "weighted", "wifi"):
        shares["link_utilization"] = (end.link_busy_s - begin.link_busy_s) / length_s
    busiest = max(shares, key=shares.__getitem__)
    tells = _all_open(spec) and not dropped
    return Load(
        arrived=end.n_arrived - begin.n_arrived,
        grown=(end.n_arrived - end.n_left) - (begin.n_arrived - begin.n_left),
        busiest=busiest,
        share=shares[busiest] if tells else math.nan,
        last_s=last_answer_s(book) if _are_all_closed(spec) else math.nan,
        end_s=end.time_s,
        waiting=len(book.in_flight["done_s"]),
    )


def last_answer_s(book: Book) -> float:
    """When a loop that has stopped gave its last answer (a token's counts), else NaN.

    Stopped: nothing was answered until the end for ten mean gaps and three times as long as ever
    before in the window; or in the whole window nothing was, although something was asked.
    """
    begin_s, end_s = book.begin.time_s, book.end.time_s
    tables = [select(table, table["outcome"] == DONE) for table in (book.records, book.steps)]
    times_s = np.sort(np.concatenate([since(table, begin_s)["done_s"] for table in tables]))
    if not len(times_s):
        return begin_s if len(book.in_flight["done_s"]) else math.nan
    gaps_s = np.diff(times_s, prepend=begin_s)
    silent_s = end_s - times_s[-1]
    stopped = silent_s > max(10.0 * float(np.mean(gaps_s)), 3.0 * float(np.max(gaps_s)))
    return float(times_s[-1]) if stopped else math.nan


def judge(spec: SystemSpec, loads: Sequence[Load]) -> Judgement:
    """Judge independent runs of one system by what was left over and by how busy it was.

    Saturated: in half of the runs more than 4 sqrt(arrivals) were left over (a stable queue's
    growth does not rise with the run); or a station was busy for 99.5 % of the time and more than
    two requests were left over on average (a timetable may fill a station and leave nothing over);
    or it was busy for 95 % and the growth is above 0 by a one-sided t test at 1 %. Close to it: the
    upper end of the busy share's 95 % interval reaches 99 %. A closed loop cannot saturate, but its
    start-up can outlast the warm-up, and it can stop.
    """
    if spec.workload.requests is not None:
        return Judgement(False, "")
    stopped = [each for each in loads if not math.isnan(each.last_s)]
    if stopped:
        return Judgement(False, _say_stopped(stopped, len(loads)))
    grown = float(np.mean([each.grown for each in loads]))
    arrived = float(np.mean([each.arrived for each in loads]))
    left_over = sum(each.grown > _noise(spec, each.arrived) for each in loads) >= 0.5 * len(loads)
    said = f"{grown:.0f} of {arrived:.0f} requests that arrived were left over"
    if _are_all_closed(spec):
        return Judgement(False, f"not settled: {said}; warmup_s is too short" if left_over else "")
    share, upper = _share(loads)
    busy = f"{loads[0].busiest} is {share:.3f}"
    full = share >= _BUSY and grown > _FEW
    if left_over or full or (share > _TELLING and _rises(spec, loads)):
        return Judgement(
            True,
            f"saturated: {said}{'' if math.isnan(share) else f', and {busy}'}; waits, latencies"
            " and their quantiles grow with horizon_s",
        )
    if upper >= _CLOSE:
        return Judgement(
            False, f"close to saturation: {busy}; means and quantiles may depend on horizon_s"
        )
    return Judgement(False, "")


def _say_stopped(stopped: Sequence[Load], n_runs: int) -> str:
    """That closed loops give no more answers: since when, and how many requests wait for one."""
    first = min(stopped, key=lambda each: each.last_s)
    waiting = max(each.waiting for each in stopped)
    runs = f" in {len(stopped)} of {n_runs} runs" if len(stopped) < n_runs else ""
    if not waiting:
        return (
            f"ended: after {first.last_s:.4g} s nothing is asked{runs}, until {first.end_s:.4g} s;"
            " figures are averages over the whole window"
        )
    return (
        f"stopped: nothing is answered{runs} from {first.last_s:.4g} s to {first.end_s:.4g} s, and"
        f" {waiting} requests wait; figures are averages over the whole window"
    )


def grows(column: str) -> bool:
    """Whether a column of a saturated system depends on the length of the run."""
    return column.startswith(GROWING) or any(part in column for part in GROWING_PARTS)


def _all_open(spec: SystemSpec) -> bool:
    return all(kind != "closed" for kind in _kinds(spec))


def _are_all_closed(spec: SystemSpec) -> bool:
    return all(kind == "closed" for kind in _kinds(spec))


def _kinds(spec: SystemSpec) -> list[str]:
    return [(group.workload or spec.workload).kind for group in groups_of(spec).values()]


def _noise(spec: SystemSpec, arrived: float) -> float:
    """What may be left over by chance; cameras that fire together leave one frame each."""
    loads = [group.workload or spec.workload for group in groups_of(spec).values()]
    together = any(load.kind == "periodic" and load.synchronised for load in loads)
    return max(10.0, 4.0 * math.sqrt(arrived), spec.fleet.n_devices if together else 0.0)


def _share(loads: Sequence[Load]) -> tuple[float, float]:
    """Mean busy share over the runs and the upper end of its interval."""
    shares = [each.share for each in loads]
    if len(shares) == 1:
        return shares[0], shares[0]
    from sim.statistics import replication_interval  # special functions that one run does without

    interval = replication_interval(shares)
    return interval.mean, interval.hi


def _rises(spec: SystemSpec, loads: Sequence[Load]) -> bool:
    """Whether the runs together show growth beyond chance."""
    growth = [float(each.grown) for each in loads]
    if len(growth) < 2 or np.mean(growth) <= _noise(spec, 0.0) / 2.0:
        return False
    from sim.statistics import replication_interval

    return replication_interval(growth, confidence=0.98).lo > 0.0
