"""Pace: how long a run must be to say something, where its start-up ends, how long a device goes
once around.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil

from sim import LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.places import groups_of
from sim.planning.forecast.bounds import has_timetable
from sim.planning.forecast.demands import sent_share
from sim.planning.limits.budget import Refusal, Spent
from sim.planning.limits.goal import Goal
from sim.planning.runs.probe import Player, Tally
from sim.radio.contention import RATIO
from sim.replicate import settle
from sim.sources.draw import Draw
from sim.sources.source import Sources

_WARMUP_SHARE = 0.3
_SAFETY = 2.0
_TURNS = 8
_HALF = 0.5
_LIMITS = 5.0
_BLIND_LIMITS = 6.0


def without_faults(spec: SystemSpec) -> SystemSpec:
    """The system whose server never fails, whose devices stay and whose medium is never silent."""
    groups = {name: replace(group, churn=None) for name, group in spec.fleet.groups.items()}
    return replace(
        spec,
        fleet=replace(spec.fleet, groups=groups),
        server=replace(spec.server, fail_at_s=[], mean_up_s=None),
        link=replace(spec.link, outage_at_s=[]),
    )


def refuse_replay(loads: Iterable[WorkloadSpec]) -> None:
    """Refuse to ask how many devices replay recorded times: those do not grow with the devices."""
    if any(load.kind == "replay" for load in loads):
        raise Refusal(
            "workload.kind must not be replay where the number of devices is asked for: recorded"
            " times do not grow with it; simulate them, or plan.n_devices asks what they need"
        )


def set_length(
    spec: SystemSpec,
    requests: float,
    throughput_rps: float,
    n: int,
    goals: Sequence[Goal] = (),
    *,
    sent: float = 1.0,
) -> SystemSpec:
    """`spec` with a run of so many requests behind a warm-up of three tenths of that time.

    It lasts at least five times the limit in seconds of any goal, since no latency and no age
    outgrows the run. Where the loop is closed, or an age is limited, every one of the `n` devices
    makes at least eight requests; before an age is looked at six limits pass, so that next to no
    device is still without an answer. Where only a share `sent` of the requests leaves the devices,
    a queue settles by those alone, at a rate of `sent` a turn: the warm-up lasts 4.8 turns over
    that, so that less than 1 % of the start is left, and the rest at least 4.
    """
    if has_timetable(spec) or throughput_rps <= 0.0:
        return spec
    aged = [goal.limit for goal in goals if goal.column == "freshness_s"]
    loads = [group.workload or spec.workload for group in groups_of(spec).values()]
    if any(load.kind == "closed" for load in loads) or aged:
        requests = max(requests, _TURNS * n)
    limits_s = [goal.limit for goal in goals if goal.column.endswith("_s")]
    whole_s = requests / throughput_rps
    length_s = max(whole_s * max(1.0, _HALF / sent), _LIMITS * max(limits_s, default=0.0))
    settled_s = max(_WARMUP_SHARE * length_s, _settling(sent) * whole_s)
    warmup_s = max(settled_s, _BLIND_LIMITS * max(aged, default=0.0))
    return replace(spec, warmup="fixed", warmup_s=warmup_s, horizon_s=warmup_s + length_s)


def _settling(sent: float) -> float:
    """Warm-up over the length of a run in which all is sent."""
    return _WARMUP_SHARE if sent == 1.0 else _SAFETY * _WARMUP_SHARE / sent


def refuse_long(
    spec: SystemSpec, sources: Sources, n: int | None, n_runs: int, max_requests: float
) -> None:
    """Refuse, before anything is played, a search near `n` devices whose runs must be long because
    few of the requests are sent.

    Raises:
        Spent: `n_runs` of them hold more than `max_requests`.
    """
    sent = sent_share(sources)
    if sent == 1.0 or n is None or spec.workload.kind != "closed" or has_timetable(spec):
        return
    each = _TURNS * n * (max(1.0, _HALF / sent) + _settling(sent))
    if n_runs * each > max_requests:
        raise Spent(
            f"{100 * sent:.2g} % of the requests are sent, so that a run in which {n} devices send"
            f" enough to tell holds {each:.2g}; {n_runs} such runs exceed"
            f" plan.max_requests={max_requests:g}: let more be sent, ask for fewer plan.n_runs, or"
            " raise plan.max_requests"
        )


def warm_up(spec: SystemSpec, sources: Sources, *, play: Player) -> tuple[SystemSpec, int]:
    """`spec` behind a warm-up of twice what MSER-5 cuts off the mean of pilot runs, and their cost.

    A run is never warmed up for less than three tenths of its length, since the cut of a few
    pilots is itself an estimate (White, Cobb and Spratt 2000); its length stays.
    """
    if has_timetable(spec):
        return spec, 0
    tally = Tally(play)
    pilots = settle(spec, sources, play=tally)
    warmup_s = max(spec.warmup_s, _SAFETY * pilots.warmup_s)
    length_s = spec.horizon_s - spec.warmup_s
    return replace(spec, warmup_s=warmup_s, horizon_s=warmup_s + length_s), tally.requests


def cycle_s(spec: SystemSpec, mean: Draw, *, steps: int = 1) -> float:
    """Seconds in which a device goes once around, by the operational bound; a request of `mean`
    costs in all crosses the link `steps` times.

    A cell is shared by its own devices alone, decoding cores and GPUs by all of them.
    Approximation: nothing is batched, so that the bound is long where batches are.
    """
    if spec.workload.kind != "closed":
        return 1.0 / float(spec.workload.rate_rps)
    n = spec.fleet.n_devices
    in_cell = ceil(n / spec.link.n_cells)
    air_s = steps * airtime_s(spec.link, mean.payload_bytes / steps, in_cell)
    alone_s = spec.workload.think_s + mean.device_s + air_s + mean.decode_s + mean.server_s
    turns_s = [n * each for each in _visits_s(spec.server, mean)]
    if spec.link.sharing != "dedicated":
        turns_s.append(in_cell * air_s)
    return float(max(alone_s + steps * spec.link.rtt_s, *turns_s))


def _visits_s(server: ServerSpec, mean: Draw) -> list[float]:
    """Seconds that a request takes of the GPUs, and of the cores if they decode, all at once."""
    if server.decode_on == "gpu":
        return [(mean.decode_s + mean.server_s) / server.n_gpus]
    return [mean.server_s / server.n_gpus, mean.decode_s / server.cpu_workers]


def airtime_s(link: LinkSpec, payload_bytes: float, n_active: int = 1) -> float:
    """Seconds on the air of a payload while `n_active` devices contend."""
    frames = ceil(payload_bytes / link.mtu_bytes)
    accesses = ceil(frames / link.frames_per_access(link.rate_bps))
    bits = 8.0 * (payload_bytes + frames * link.header_bytes)
    alone_s = bits / link.rate_bps + accesses * link.frame_airtime_s
    if link.sharing != "wifi" or not accesses:
        return alone_s
    return alone_s / RATIO[link.contention](n_active, frames / accesses)
