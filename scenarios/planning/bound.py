"""Bounds: no more devices than this can be served, by the demands on what they share alone.

A closed loop turns once in think + R >= n D (Denning and Buzen 1978), so R <= L needs
n <= (L + think) / D with D the largest demand on something shared; an open one needs n rate D < 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scenarios.planning.goal import Goal
from scenarios.planning.guess import demands, parts
from scenarios.planning.pace import timed
from sim import Source, SystemSpec, WorkloadSpec
from sim.places import groups_of


def bound(spec: SystemSpec, sources: Mapping[str, Source], goals: Sequence[Goal]) -> float:
    """Upper bound on N*: 0 where a request alone is too slow, infinite where nothing is shared.

    Unlike groups of which one is a closed loop have none: a busy group slows down, and its share
    of the load with it. Approximation: a quantile's limit is taken as one on the mean, which holds
    unless fewer than the quantile's share of requests carry most of the latency.
    """
    each = parts(spec, sources)
    found = demands(spec, sources)
    if each is None or found is None:
        return math.inf
    limits_s = [g.limit for g in goals if g.column.endswith("_s") and g.column != "freshness_s"]
    limit_s = min(limits_s, default=math.inf)
    if min(part.demands.alone_s for part in each) > limit_s:
        return 0.0
    shared = [found.server_s / spec.server.n_gpus]
    if spec.link.sharing != "dedicated":
        shared.append(found.link_s / spec.link.n_cells)
    worst = max(shared)
    if worst <= 0.0:
        return math.inf
    kinds = {(part.group.workload or spec.workload).kind for part in each}
    if "closed" not in kinds:
        return 1.0 / (found.rate_rps * worst)
    if len(each) > 1:
        return math.inf
    think_s = 1.0 / found.rate_rps - found.alone_s
    return (limit_s + think_s) / worst


def stability(spec: SystemSpec, sources: Mapping[str, Source]) -> float:
    """The N at which something shared is busy all the time, so that its queue grows without end.

    A run shows that the later the closer N is. Infinite where nothing can grow or nobody can tell:
    closed loops, requests that are given up, media whose capacity depends on who waits.
    """
    each, found = parts(spec, sources), demands(spec, sources)
    loads = [group.workload or spec.workload for group in groups_of(spec).values()]
    if each is None or found is None or timed(spec) or _gives_up(spec, loads):
        return math.inf
    shared = [found.server_s / spec.server.n_gpus]
    if spec.link.sharing in ("fifo", "ps"):
        shared.append(found.link_s / spec.link.n_cells)
    return 1.0 / (found.rate_rps * max(shared)) if max(shared) > 0.0 else math.inf


def _gives_up(spec: SystemSpec, loads: Sequence[WorkloadSpec]) -> bool:
    """Whether some load falls when much waits, so that no queue has to grow."""
    server = spec.server
    limited = server.queue_limit is not None or server.drop_expired or server.admission == "reject"
    patient = all(load.kind != "closed" and load.max_in_flight is None for load in loads)
    return limited or not patient or spec.link.damages
