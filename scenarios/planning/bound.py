"""Bound: no more devices than this can be served, by the demands on what they share alone.

A closed loop turns once in think + R >= n D (Denning and Buzen 1978), so R <= L needs
n <= (L + think) / D with D the largest demand on something shared; an open one needs n rate D < 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scenarios.planning.goal import Goal
from scenarios.planning.guess import demands
from sim import Source, SystemSpec


def bound(spec: SystemSpec, sources: Mapping[str, Source], goals: Sequence[Goal]) -> float:
    """Upper bound on N*: 0 where a request alone is too slow, infinite where nothing is shared.

    Unlike groups in closed loops have none here.
    Approximation: a quantile's limit is taken as one on the mean, which holds unless fewer than
    the quantile's share of requests carry most of the latency.
    """
    found = demands(spec, sources)
    limits_s = [g.limit for g in goals if g.column.endswith("_s") and g.column != "freshness_s"]
    limit_s = min(limits_s, default=math.inf)
    if found is None:
        return math.inf
    least_s = found.alone_s - found.server_s  # a batch of one may be slower than a full one's share
    if least_s > limit_s:
        return 0.0
    shared = [found.server_s / spec.server.n_gpus]
    if spec.link.sharing != "dedicated":
        shared.append(found.link_s / spec.link.n_cells)
    worst = max(shared)
    if worst <= 0.0:
        return math.inf
    open_loop = 1.0 / (found.rate_rps * worst)
    loads = [spec.workload, *(g.workload for g in spec.fleet.groups.values() if g.workload)]
    if any(load.kind != "closed" for load in loads):
        return open_loop
    if len(spec.fleet.groups) > 1:  # a busy group slows down, and its share of the load with it
        return math.inf
    think_s = 1.0 / found.rate_rps - found.alone_s
    return (limit_s + think_s) / worst
