"""A decision of a search played in the simulator, for the numbers beside the predicted ones."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sim.measures.result import Result
from sim.places import group_of
from sim.request import DONE
from sim.search import Predictor, Problem
from sim.sources.source import Source
from sim.specs import FleetSpec, GroupSpec, SystemSpec, WorkloadSpec
from sim.statistics import replication_interval
from sim.system import run

_WARM_SHARE = 0.1


class Played(NamedTuple):
    """What was simulated: latency per group with its 95 % interval, and the shared columns."""

    latency_s: tuple[float, ...]
    latency_lo_s: tuple[float, ...]
    latency_hi_s: tuple[float, ...]
    server_s: float
    link_load: float
    server_load: float


def counts(n_devices: int, shares: Sequence[float]) -> list[int]:
    """Devices of every group as the simulator deals them out."""
    dealt = Counter(group_of(index, tuple(shares)) for index in range(n_devices))
    return [dealt[number] for number in range(len(shares))]


def play(
    problem: Problem,
    rows: Sequence[int],
    sources: Sequence[Source],
    *,
    answers: int,
    replications: int = 1,
    seed: int = 0,
    shares: Sequence[float] | None = None,
    engine: str = "auto",
) -> Played:
    """Play one option per group until about `answers` answers (tokens) have come per run.

    `shares` are those that `counts` dealt the groups' numbers from; by default the numbers.
    """
    spec = replace(_spec(problem, rows, answers, seed, shares), engine=engine)
    names = tuple(group.name for group in problem.groups)
    results = [
        run(spec, dict(zip(names, sources, strict=True)), replication=r)
        for r in range(replications)
    ]
    latency = np.array([_latencies(result, problem) for result in results])
    spread = [replication_interval(column) for column in latency.T]
    weights = problem.weights
    server = [_server_s(result, problem) @ weights for result in results]
    return Played(
        latency_s=tuple(latency.mean(axis=0).tolist()),
        latency_lo_s=tuple(one.lo for one in spread),
        latency_hi_s=tuple(one.hi for one in spread),
        server_s=float(np.mean(server)),
        link_load=float(np.mean([r.value("link_utilization") for r in results])),
        server_load=float(np.mean([r.value("server_utilization") for r in results])),
    )


def _spec(
    problem: Problem, rows: Sequence[int], answers: int, seed: int, shares: Sequence[float] | None
) -> SystemSpec:
    rate = float(Predictor(problem).predict(np.array([rows])).throughput_rps.sum())
    span_s = answers / rate
    groups = {
        group.name: GroupSpec(
            share=float(shares[i]) if shares is not None else float(group.n_devices),
            rate_bps=group.rate_bps,
            workload=WorkloadSpec(kind="closed", think="exponential", think_s=group.think_s)
            if group.think_s is not None
            else WorkloadSpec(kind="poisson", rate_rps=group.rate_rps or 1.0),
        )
        for i, group in enumerate(problem.groups)
    }
    return SystemSpec(
        fleet=FleetSpec(n_devices=sum(g.n_devices for g in problem.groups), groups=groups),
        workload=next(iter(groups.values())).workload or WorkloadSpec(),
        link=problem.link,
        server=problem.server,
        warmup_s=_WARM_SHARE * span_s,
        horizon_s=(1.0 + _WARM_SHARE) * span_s,
        seed=seed,
    )


def _latencies(result: Result, problem: Problem) -> list[float]:
    """Mean latency of a request, or of a token after the first, per group."""
    return [_mean_of(result, problem, g, "latency") for g in range(len(problem.groups))]


def _server_s(result: Result, problem: Problem) -> np.ndarray:
    """GPU seconds per request or step, per group."""
    return np.array([_mean_of(result, problem, g, "server") for g in range(len(problem.groups))])


def _mean_of(result: Result, problem: Problem, number: int, what: str) -> float:
    speaks = problem.groups[number].options.first is not None
    rows = result.steps if speaks else result.records
    mine = (rows["done_s"] > result.spec.warmup_s) & (rows["group"] == number)
    mine &= rows["outcome"] == DONE
    if what == "server":
        chosen = rows["server_share_s"][mine]
    else:
        mine = mine & (rows["tokens"] > 0) if speaks else mine
        chosen = (rows["done_s"] - rows["created_s"])[mine]
    return float(chosen.mean()) if len(chosen) else math.nan
