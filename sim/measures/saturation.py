"""Does the system keep up? A mean over a queue that grows without end says nothing."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.measures.meters import Book, select, since
from sim.places import groups_of
from sim.request import DONE, LEFT
from sim.specs import GroupSpec, SystemSpec

_BUSY, _CLOSE = 0.995, 0.99
_TELLING = 0.95
_FEW = 2.0
_ODDS = 7.0

GROWING = ("latency_", "ttft_s", "tpot_", "freshness_s", "deadline_miss_share")
GROWING_PARTS = ("_wait_s", "_queue_mean", "_slowest")


class Load(NamedTuple):
    """How much of what came to one run was left over, its busiest station, and its silence.

    `share` is NaN where no station's busy time tells whether it keeps up; `stop`: the group that
    gets no more answers, None where all do.
    """

    arrived: int
    grown: int
    busiest: str
    share: float
    stop: "Stop | None" = None


class Stop(NamedTuple):
    """A group ("": the whole fleet) the last of whose `answers` in the window came at `last_s` of a
    run that ended at `end_s`; its requests in flight at the end, and those given up since.
    """

    group: str
    answers: int
    last_s: float
    end_s: float
    waiting: int
    dropped: int


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
        stop=find_stop(spec, book),
    )


def find_stop(spec: SystemSpec, book: Book) -> Stop | None:
    """The first group that gets no more answers (a token's counts), if any.

    Stopped: what has been asked since the last answer goes unanswered until the end of the run for
    ten mean gaps (n (e^(7/n) - 1) where that is more: by chance one run in 1,000 of n exponential
    gaps is silent for so long) and three times as long as ever before in the window; where nothing
    was answered in it, for a tenth of it. A device that thinks has not stopped; one that has left
    for good has, which is said where nobody is left.
    """
    groups = groups_of(spec)
    stops = []
    for number, name in enumerate(groups):
        stop = _stop_of(book, number, name) if len(groups) > 1 else _stop_of(book)
        if stop is not None:
            stops.append(stop)
    asked = [stop for stop in stops if stop.waiting or stop.dropped]
    if asked and len(stops) == len(groups):
        return Stop(
            group="",
            answers=sum(stop.answers for stop in stops),
            last_s=max(stop.last_s for stop in stops),
            end_s=book.end.time_s,
            waiting=sum(stop.waiting for stop in stops),
            dropped=sum(stop.dropped for stop in stops),
        )
    if asked:
        return min(asked, key=lambda stop: stop.last_s)
    if len(stops) < len(groups) or not all(_leaves(group) for group in groups.values()):
        return None
    return max(stops, key=lambda stop: stop.last_s)._replace(group="")


def _stop_of(book: Book, number: int | None = None, name: str = "") -> Stop | None:
    """Whether one group has stopped, or the whole fleet."""
    begin_s, end_s = book.begin.time_s, book.end.time_s
    gone, steps, waiting = book.gone, since(book.steps, begin_s), book.in_flight
    if number is not None:
        gone, steps, waiting = (
            select(table, table["group"] == number) for table in (gone, steps, waiting)
        )
    times_s, tokens_s = (table["done_s"][table["outcome"] == DONE] for table in (gone, steps))
    if len(tokens_s):
        times_s = np.sort(np.concatenate((times_s, tokens_s)))
    last_s = float(times_s[-1]) if len(times_s) else begin_s
    refused = (gone["outcome"] != DONE) & (gone["outcome"] != LEFT)
    given_up = gone["created_s"][refused & (gone["done_s"] > last_s)]
    asked_s = np.append(waiting["created_s"], given_up)
    silent_s = end_s - max(last_s, float(np.min(asked_s)) if len(asked_s) else last_s)
    gaps_s = np.diff(times_s, prepend=begin_s)
    usual_s = 0.1 * (end_s - begin_s)
    n = len(times_s)
    if n:
        times = max(10.0, n * math.expm1(_ODDS / n))
        usual_s = max(times * float(np.mean(gaps_s)), 3.0 * float(np.max(gaps_s)))
    if silent_s <= usual_s or not (n or len(asked_s)):
        return None
    return Stop(name, n, last_s, end_s, len(waiting["done_s"]), len(given_up))


def _leaves(group: GroupSpec) -> bool:
    """Whether its devices leave for good."""
    churn = group.churn
    return churn is not None and churn.leave_s is not None and churn.back_s is None


def stop_warning(loads: Sequence[Load]) -> str:
    """That nothing is answered any more: since when, and what became of what was asked; ""
    where none has stopped. That a run has no answers at all says something if all runs have none.
    """
    stops = [each.stop for each in loads if each.stop is not None]
    if len(stops) < len(loads):
        stops = [stop for stop in stops if stop.answers]
    if not stops:
        return ""
    first = min(stops, key=lambda each: each.last_s)
    runs = f" in {len(stops)} of {len(loads)} runs" if len(stops) < len(loads) else ""
    rest = "figures are averages over the whole window"
    if not first.waiting and not first.dropped:
        until = f"until {first.end_s:.4g} s"
        return f"ended: after {first.last_s:.4g} s nothing is asked{runs}, {until}; {rest}"
    what = f"nothing of group {first.group!r}" if first.group else "nothing"
    lost = max(each.dropped for each in stops)
    waiting = max(each.waiting for each in stops)
    plural = waiting != 1
    fates = [f"{waiting} request{'s' * plural} wait{'s' * (not plural)}"] if waiting else []
    fates += [f"{lost} were given up"] if lost else []
    return (
        f"stopped: {what} is answered{runs} from {first.last_s:.4g} s to {first.end_s:.4g} s, and"
        f" {', '.join(fates)}; {rest}"
    )


def judge(spec: SystemSpec, loads: Sequence[Load]) -> Judgement:
    """Judge independent runs of one system by what was left over and by how busy it was.

    Saturated: in half of the runs more than 4 sqrt(arrivals) were left over (a stable queue's
    growth does not rise with the run); or a station was busy for 99.5 % of the time and more than
    two requests were left over on average (a timetable may fill a station and leave nothing over);
    or it was busy for 95 % and the growth is above 0 by a one-sided t test at 1 %. Close to it: the
    upper end of the busy share's 95 % interval reaches 99 %. A closed loop cannot saturate, but its
    start-up can outlast the warm-up; and what gets no answers any more has stopped.
    """
    if spec.workload.requests is not None:
        return Judgement(False, "")
    stopped = stop_warning(loads)
    if stopped and _are_all_closed(spec):
        return Judgement(False, stopped)
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
            f"saturated: {said}{f', and {busy}' if share > _TELLING else ''}; waits, latencies"
            " and their quantiles grow with horizon_s",
        )
    if stopped:
        return Judgement(False, stopped)
    if upper >= _CLOSE:
        return Judgement(
            False, f"close to saturation: {busy}; means and quantiles may depend on horizon_s"
        )
    return Judgement(False, "")


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
