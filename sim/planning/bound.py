"""Bounds: no more devices than this can be served, by the demands on what they share alone.

A closed loop turns once in think + R >= n D (Denning and Buzen 1978), so R <= L needs
n <= (L + think) / D with D the largest demand on something shared; an open one needs n rate D < 1.
"""

import math
from collections.abc import Sequence

from sim import SystemSpec, WorkloadSpec
from sim.places import groups_of
from sim.planning.goal import Goal
from sim.planning.guess import Demands, demands
from sim.planning.pace import has_timetable
from sim.sources.source import Sources

_SHARED = ("fifo", "ps", "weighted", "wifi")
_EXACT = ("fifo", "ps")
_ROUND = 1e-9


def bound(spec: SystemSpec, sources: Sources, goals: Sequence[Goal]) -> float:
    """Upper bound on N*: 0 where a request alone is too slow, infinite where nothing is shared.

    Infinite, too, where the load falls with what waits (requests are given up, groups are unlike,
    devices come and go) or the medium gets faster with it. Approximation: a quantile's limit is
    taken as one on the mean, which holds unless fewer than the quantile's share of requests carry
    most of the latency.
    """
    load = demands(spec, sources)
    if load is None or _bends(spec):
        return math.inf
    limits_s = [goal.limit for goal in goals if goal.column.startswith("latency_")]
    limit_s = min(limits_s, default=math.inf)
    if load.alone_s > limit_s:
        return 0.0
    worst = _most(spec, load, _SHARED)
    if worst <= 0.0:
        return math.inf
    if _load(spec).kind != "closed":
        return 1.0 / (load.rate_rps * worst)
    think_s = 1.0 / load.rate_rps - load.alone_s
    return (limit_s + think_s) / worst


def stability(spec: SystemSpec, sources: Sources) -> float:
    """The most devices beside which no queue has to grow without end; a run shows that the later
    the closer N is. At a load of exactly 1 only what is periodic does not grow.

    Infinite where nothing can grow or nobody can tell: as `bound`, closed loops, Wi-Fi.
    """
    load = demands(spec, sources)
    if load is None or _bends(spec) or _load(spec).kind == "closed":
        return math.inf
    worst = _most(spec, load, _EXACT)
    if worst <= 0.0:
        return math.inf
    most = 1.0 / (load.rate_rps * worst)
    if _load(spec).kind == "periodic":
        return math.floor(most * (1.0 + _ROUND))
    return math.ceil(most * (1.0 - _ROUND)) - 1


def _most(spec: SystemSpec, load: Demands, media: Sequence[str]) -> float:
    """The largest demand on anything shared."""
    shared = [load.server_s / spec.server.n_gpus]
    if spec.link.sharing in media and spec.link.snr_spread_db == 0.0:
        shared.append(load.link_s / spec.link.n_cells)
    return max(shared)


def _bends(spec: SystemSpec) -> bool:
    """Whether the load depends on what waits, so that the demands do not say how it grows."""
    server, groups = spec.server, groups_of(spec).values()
    unlike = len(groups) > 1 or any(group.alternatives for group in groups)
    limited = server.queue_limit is not None or server.drop_expired or server.admission == "reject"
    impatient = _load(spec).kind != "closed" and _load(spec).max_in_flight is not None
    return unlike or limited or impatient or has_timetable(spec) or not spec.link.plain


def _load(spec: SystemSpec) -> WorkloadSpec:
    """That of the only group."""
    return next(iter(groups_of(spec).values())).workload or spec.workload
