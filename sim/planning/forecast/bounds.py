"""Bounds on N from the mean demands of one request: what cannot be served, and what can not last.

A closed loop turns once in think + R >= n D (Denning and Buzen 1978), so R <= L needs
n <= (L + think) / D with D the largest demand on something shared; an open one needs n rate D < 1,
a fleet of unlike open groups that the sum of share * rate * D over them is less.
"""

import math
from collections.abc import Iterable, Sequence

from sim import SystemSpec, WorkloadSpec
from sim.places import group_of, groups_of
from sim.planning.forecast.demands import Demands, Part, parts
from sim.planning.limits.goal import Goal
from sim.sources.source import Sources

_SHARED = ("fifo", "ps", "weighted", "wifi")
_EXACT = ("fifo", "ps")
_ROUND = 1e-9
_COUNTED = 20_000


def bound(spec: SystemSpec, sources: Sources, goals: Sequence[Goal]) -> float:
    """Upper bound on N*: 0 where a request alone is too slow, infinite where nothing is shared.

    Infinite, too, where the load falls with what waits (requests are given up, unlike groups of
    which some do not ask on regardless, devices come and go) or the medium gets faster with it.
    Approximation: a quantile's limit is taken as one on the mean, which holds unless fewer than the
    quantile's share of requests carry most of the latency.
    """
    mix = parts(spec, sources)
    if mix is None or _bends(spec):
        return math.inf
    limits_s = [goal.limit for goal in goals if goal.column.startswith("latency_")]
    limit_s = min(limits_s, default=math.inf)
    if len(mix) == 1:
        load = mix[0].demands
        if load.alone_s > limit_s:
            return 0.0
        worst = max(_shared(spec, load, _SHARED))
        if worst > 0.0 and _load(spec, mix[0]).kind == "closed":
            return (limit_s + 1.0 / load.rate_rps - load.alone_s) / worst
    most = _most(spec, mix, _SHARED)
    return math.inf if most <= 0.0 else 1.0 / most


def stability(spec: SystemSpec, sources: Sources) -> float:
    """The most devices beside which no queue has to grow without end; a run shows that the later
    the closer N is. At a load of exactly 1 only what is periodic does not grow.

    In a fleet of unlike groups those that ask on regardless count, with as many members as they
    have at that N; loops and what gives up only add to them. Infinite where nothing can grow or
    nobody can tell: limits at the server, losses, timetables, Wi-Fi.
    """
    mix = parts(spec, sources)
    if mix is None or _bends(spec):
        return math.inf
    most = _most(spec, mix, _EXACT)
    if most <= 0.0:
        return math.inf
    periodic = all(_load(spec, part).kind == "periodic" for part in mix if _asks_on(spec, part))
    n = math.floor(1.0 / most)
    if n > _COUNTED:
        return n
    return _count(spec, mix, periodic=periodic, near=n)


def _count(spec: SystemSpec, mix: Sequence[Part], *, periodic: bool, near: int) -> int:
    """The largest N whose members, counted one by one, load nothing fully."""
    shares = tuple(part.group.share for part in mix)
    loads = [_load_by(spec, part, _EXACT) for part in mix]
    limit = 1.0 + _ROUND if periodic else 1.0 - _ROUND
    members = [0] * len(mix)
    for index in range(2 * near + 2 * len(mix)):
        members[group_of(index, shares)] += 1
        if max(map(math.fsum, _over_members(members, loads))) >= limit:
            return index
    return 2 * near + 2 * len(mix)


def _over_members(
    members: Sequence[int], loads: Sequence[Sequence[float]]
) -> Iterable[Sequence[float]]:
    """Per resource what every group's members ask of it."""
    each = ([n * load for load in group] for n, group in zip(members, loads, strict=True))
    return zip(*each, strict=True)


def _most(spec: SystemSpec, mix: Sequence[Part], media: Sequence[str]) -> float:
    """The largest share of a shared resource's time that one device more takes, on average."""
    whole = math.fsum(part.group.share for part in mix)
    shares = [part.group.share / whole for part in mix]
    loads = [_load_by(spec, part, media) for part in mix]
    return max(
        math.fsum(share * load for share, load in zip(shares, each, strict=True))
        for each in zip(*loads, strict=True)
    )


def _load_by(spec: SystemSpec, part: Part, media: Sequence[str]) -> list[float]:
    """Of every shared resource's time the share that a member takes who asks on regardless."""
    rate_rps = part.demands.rate_rps if _asks_on(spec, part) else 0.0
    return [rate_rps * demand_s for demand_s in _shared(spec, part.demands, media)]


def _shared(spec: SystemSpec, load: Demands, media: Sequence[str]) -> list[float]:
    """The demands on all that is shared."""
    server, link = spec.server, spec.link
    on_air = link.sharing in media and link.snr_spread_db == 0.0
    return [
        load.server_s / server.n_gpus,
        load.decoder_s / server.cpu_workers,
        load.link_s / link.n_cells if on_air else 0.0,
    ]


def _asks_on(spec: SystemSpec, part: Part) -> bool:
    """Whether a group's members ask at the same rate whatever waits."""
    load = _load(spec, part)
    return load.kind not in ("closed", "replay") and load.max_in_flight is None


def _bends(spec: SystemSpec) -> bool:
    """Whether the load depends on what waits, so that the demands do not say how it grows."""
    server = spec.server
    chooses = any(group.alternatives for group in groups_of(spec).values())
    limited = server.queue_limit is not None or server.drop_expired or server.admission == "reject"
    return chooses or limited or has_timetable(spec) or not spec.link.plain


def has_timetable(spec: SystemSpec) -> bool:
    """Whether the system has a timetable of its own, so that its horizon must stay as it is."""
    loads = [spec.workload, *(g.workload for g in spec.fleet.groups.values() if g.workload)]
    return (
        spec.server.fails
        or spec.interruptible
        or spec.workload.requests is not None
        or any(load.kind == "replay" for load in loads)
    )


def _load(spec: SystemSpec, part: Part) -> WorkloadSpec:
    """A group's workload."""
    return part.group.workload or spec.workload
