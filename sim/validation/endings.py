"""Systems in which nothing is answered for a part of the window: a rate is answers over all of it.

A link or a server that dies and stays dead, a fleet that leaves or that comes late. Nothing waits
for its answer at the last moment before, where all times are constant, so that the count is exact.
"""

import math
from dataclasses import replace

from sim import theory
from sim.sources.source import ConstantSource, RandomSource
from sim.specs import ChurnSpec, FleetSpec, GroupSpec, ServerSpec, SystemSpec
from sim.validation.case import Case, Metric
from sim.validation.loops import closed_system
from sim.validation.queues import one_medium

_BYTES = 1000.0
_N, _THINK_S, _LINK_S, _SERVER_S = 2, 0.1, 0.002, 0.005
_WARMUP_S, _CHANGE_S, _LATE_S, _END_S = 5.0, 10.0, 50.0, 60.0


def endings() -> list[Case]:
    """Two devices with constant times, and fifty with exponential ones before a link that dies."""
    link = one_medium("fifo", _LINK_S)
    dead = replace(link, outage_at_s=[_CHANGE_S], outage_length_s=_END_S)
    failed = ServerSpec(fail_at_s=[_CHANGE_S], repair_s=_END_S)
    before = answers_until(_CHANGE_S) - answers_until(_WARMUP_S)
    late = answers_until(_END_S - _LATE_S)
    length_s = _END_S - _WARMUP_S
    system = closed_system(_N, link, warmup_s=_WARMUP_S, length_s=length_s, think="constant")
    system = replace(system, workload=replace(system.workload, think_s=_THINK_S))
    return [
        _count("link dead to the end", replace(system, link=dead), before),
        _count("server dead to the end", replace(system, server=failed), before),
        _count("all leave", _coming(system, ChurnSpec(leave_s=_CHANGE_S)), before),
        _count("all come late", _coming(system, ChurnSpec(join_s=_LATE_S)), late),
        dying(),
    ]


def answers_until(time_s: float) -> int:
    """Answers of all devices within the first `time_s` of their loops.

    They ask together first, are served one after the other (S above L), and from then on never meet
    again: device d has its k-th answer at k (Z + L + S) + d S.
    """
    cycle_s = _THINK_S + _LINK_S + _SERVER_S
    return sum(math.floor((time_s - device * _SERVER_S) / cycle_s) for device in range(_N))


def _coming(system: SystemSpec, churn: ChurnSpec) -> SystemSpec:
    groups = {"default": GroupSpec(churn=churn)}
    return replace(system, fleet=FleetSpec(n_devices=_N, groups=groups))


def _count(name: str, system: SystemSpec, answers: int) -> Case:
    """So many answers in the window, and U = X S."""
    rate = answers / (_END_S - _WARMUP_S)
    metrics = (
        Metric("throughput_rps", rate, kind="equal"),
        Metric("server_utilization", rate * _SERVER_S, kind="equal"),
    )
    source = ConstantSource(payload_bytes=_BYTES, server_s=_SERVER_S)
    return Case(name, system, source, metrics, n_runs=2)


def dying() -> Case:
    """A closed network in its steady state whose link dies at 30 s of a window from 20 to 60 s.

    Before, X answers a second; what is at the server when the link dies, Q on average, still gets
    its answer, for the way down has a rate of its own: (10 X + Q) / 40 answers a second, each S
    seconds of work on average.
    """
    exact = theory.mva(50, 1.0, (0.02, 0.03))
    rate = (10.0 * exact.throughput_rps + exact.queues[1]) / 40.0
    metrics = (Metric("throughput_rps", rate), Metric("server_utilization", rate * 0.03))
    link = replace(
        one_medium("fifo", 0.02),
        outage_at_s=[30.0],
        outage_length_s=_END_S,
        downlink_rate_bps=1e9,  # else the answers would stand still as well
    )
    source = RandomSource(
        payload_bytes=lambda stream: stream.exponential(_BYTES),
        server_s=lambda stream: stream.exponential(0.03),
    )
    system = closed_system(50, link, warmup_s=20.0, length_s=40.0)
    return Case("closed network, link dead to the end", system, source, metrics, is_steady=False)
