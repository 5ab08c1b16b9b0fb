"""Judge: how far to believe a capacity, and a remedy."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sim.planning.runs.probe import Player
from sim.planning.search.answer import Capacity
from sim.planning.search.remedy import Held, Remedy
from sim.planning.trust.finding import GOOD, Finding, Trust, weigh
from sim.planning.trust.plan import judge_machines, plan_trust
from sim.planning.trust.run import run_trust
from sim.planning.trust.shift import scale
from sim.planning.trust.why import Why, means, read, tell_stop, worst_checks
from sim.sources.source import Sources
from sim.statistics import replication_interval

_BLIND = ("latency_mean_s", "freshness_s", "tpot_mean_s")
_LOOKS = 8
_TELLING = "latency_p95_s"


class Judged(NamedTuple):
    """How far to believe a remedy, the requests of the runs that told, and their mean columns."""

    trust: Trust
    requests: int
    columns: Mapping[str, float]


def judge_capacity(
    found: Capacity,
    reasons: Why,
    sources: Sources,
    *,
    target: float,
    largest_batch: int | None,
    kinds: Mapping[str, str],
    better: tuple[str, int] | None = None,
) -> Trust:
    """How far to believe N*, whose half-width was to be `target`; `kinds` of its numbers, `better`
    a split that serves so many devices, more than they choose for themselves.
    """
    fleet = replace(found.spec.fleet, n_devices=max(1, found.n_star))
    spec = replace(found.spec, fleet=fleet)
    base = run_trust(
        spec,
        sources,
        reasons.columns,
        reasons.checks,
        warnings=[reasons.stop] if reasons.stop else [],
        largest_batch=largest_batch,
    )
    return plan_trust(
        base,
        n_star=found.n_star,
        half_width=found.root.half_width,
        target=target,
        monotone=found.monotone,
        spread_devices=scale(found).devices(reasons.spread),
        collapsed=max(found.collapsed, reasons.collapsed),
        regimes=found.regimes,
        calm=found.calm,
        better=better,
        stable=found.stable,
        given_up=_given_up(reasons.columns) if found.goal.column in _BLIND else 0.0,
        table=reasons.table,
        gains=reasons.gains,
        kinds=kinds,
        machines=judge_machines(found.n_star, reasons.total_lo, reasons.total_hi, reasons.machines),
    )


def _given_up(columns: Mapping[str, float]) -> float:
    """Share of the requests that were dropped or cut short."""
    return columns["dropped_share"] + columns.get("truncated_share", 0.0)


def judge_remedy(
    remedy: Remedy,
    held: Held,
    target: float,
    kinds: Mapping[str, str],
    *,
    largest_batch: int | None,
    play: Player,
) -> Judged:
    """What a few runs of the system with a remedy, less its spare pieces, say of themselves and of
    the search.
    """
    looks = min(held.n_runs, _LOOKS)
    readings = play(partial(read, held.spec, held.sources, held.goal, r) for r in range(looks))
    columns = means([reading.columns for reading in readings])
    ends = replication_interval([r.columns[_TELLING] for r in readings], held.spec.confidence)
    columns |= {f"{_TELLING}_lo": ends.lo, f"{_TELLING}_hi": ends.hi}
    if remedy.name == "server_speed" and kinds["server"] in ("measured", "published"):
        kinds = {**kinds, "server": "scaled"}  # nobody has measured a server of that speed
    warnings = ["saturated: the limits hold only because a run ends"] if held.grows else []
    warnings += [word for word in (tell_stop(readings),) if word]
    trust = run_trust(
        held.spec,
        held.sources,
        columns,
        worst_checks(readings),
        warnings=warnings,
        largest_batch=largest_batch,
        kinds=dict(kinds),
    )
    findings = (*trust.findings, *_judge_search(remedy, held, target))
    requests = int(math.fsum(r.columns["n_requests"] for r in readings))
    return Judged(Trust(findings=findings), requests, columns)


def _judge_search(remedy: Remedy, held: Held, target: float) -> list[Finding]:
    """What only the search knows: how well the least is known, and whether it is one thing."""
    if remedy.unit != "x":
        return [
            weigh(
                "interval",
                remedy.sure,
                "the limits hold by more than the error of the runs; one piece less misses them",
                "the limits hold only within the error of the runs: one piece more is sure",
            )
        ]
    if remedy.lo is None:
        words = "the least that was looked at is enough"
        return [Finding(name="interval", verdict=GOOD, words=words)]
    return [
        weigh(
            "interval",
            held.half_width <= target,
            f"+-{100 * held.half_width:.2g} %, asked for +-{100 * target:.2g} %",
        ),
        weigh(
            "isotonic guard",
            held.monotone,
            "the monotone fit crosses within the interval",
            f"the monotone fit crosses elsewhere: the curve is not smooth in {remedy.words}",
        ),
        weigh(
            "one regime",
            not held.collapsed,
            "no run lies far from the others",
            f"{held.collapsed} runs took more than twice as long as the others: the system has two"
            " regimes, and longer runs ask for more",
        ),
    ]
