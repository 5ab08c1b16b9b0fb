"""Closed loops: the fixed cycle, exact MVA, the machine repairman, 802.11 as a station."""

import math
from dataclasses import replace

import numpy as np

from sim import theory
from sim.measures.result import Result
from sim.radio import RATIO
from sim.sources.source import ConstantSource, ExponentialSource, RandomSource
from sim.specs import FleetSpec, LinkSpec, SystemSpec, WorkloadSpec
from sim.validation.case import Case, Metric, quantiles
from sim.validation.queues import one_medium

_BYTES = 1000.0
_FRAMES = 10


def closed_system(
    n: int, link: LinkSpec, *, warmup_s: float, length_s: float, think: str = "exponential"
) -> SystemSpec:
    """N devices that pause for 1 s on average."""
    return SystemSpec(
        fleet=FleetSpec(n_devices=n),
        workload=WorkloadSpec(kind="closed", think_s=1.0, think=think),
        link=link,
        warmup_s=warmup_s,
        horizon_s=warmup_s + length_s,
    )


def cycle_rate_rps(result: Result) -> float:
    """Sum over devices of their completions per second, from each one's first to its last.

    The column throughput_rps is exact only over whole cycles of the fleet.
    """
    done_s, device = result.records["done_s"], result.records["device"]
    kept = done_s > result.spec.warmup_s
    times = [done_s[kept & (device == index)] for index in np.unique(device)]
    return math.fsum((t.size - 1) / float(t[-1] - t[0]) for t in times)


def busy_rate_rps(result: Result) -> float:
    """Answers per second from the first to the last: exact where they come at equal distances."""
    done_s = np.sort(result.records["done_s"][result.records["done_s"] > result.spec.warmup_s])
    return (done_s.size - 1) / float(done_s[-1] - done_s[0])


def cycles() -> list[Case]:
    """Constant times, below and above the knee N* = 35: exact to 1e-9."""
    cases = []
    for n in (10, 70):
        throughput, response_s = theory.cycle(n, 1.0, (0.02, 0.03))
        metrics = (
            Metric("throughput_rps", throughput, figure=cycle_rate_rps, kind="equal"),
            Metric("latency_mean_s", response_s, kind="equal"),
        )
        link = one_medium("fifo", 0.02)
        source = ConstantSource(payload_bytes=_BYTES, server_s=0.03)
        system = closed_system(n, link, warmup_s=20.0, length_s=21.0, think="constant")
        cases.append(Case(f"fixed cycle N={n}", system, source, metrics, n_runs=2))
    return cases


def networks() -> list[Case]:
    """Uplink and server as exponential FIFO stations, Z = 1 s, S = 0.02 and 0.03 s."""
    cases = []
    for n in (10, 30, 50):
        exact = theory.mva(n, 1.0, (0.02, 0.03))
        metrics = (
            Metric("throughput_rps", exact.throughput_rps),
            Metric("latency_mean_s", exact.response_s),
            Metric("link_utilization", exact.utilizations[0]),
            Metric("server_utilization", exact.utilizations[1]),
        )
        source = RandomSource(
            payload_bytes=lambda stream: stream.exponential(_BYTES),
            server_s=lambda stream: stream.exponential(0.03),
        )
        link = one_medium("fifo", 0.02)
        length_s = 20_000.0 / exact.throughput_rps  # a load near 1 is skewed in shorter runs
        system = closed_system(n, link, warmup_s=50.0, length_s=length_s)
        cases.append(Case(f"closed network N={n}", system, source, metrics))
    return cases


def repairmen() -> list[Case]:
    """The server alone: response quantiles by the arrival theorem."""
    cases = []
    for n, service_s in ((20, 0.04), (40, 0.03)):
        exact = theory.repairman(n, 1.0, service_s)

        def law(level: float, n: int = n, service_s: float = service_s) -> float:
            return theory.repairman_response_quantile_s(n, 1.0, service_s, level)

        metrics = (
            Metric("latency_mean_s", exact.response_s),
            Metric("throughput_rps", exact.throughput_rps),
            *quantiles(law, (0.5, 0.95, 0.99)),
        )
        length_s = 5_000.0 / exact.throughput_rps
        system = closed_system(n, LinkSpec(sharing="ps"), warmup_s=50.0, length_s=length_s)
        source = ExponentialSource(server_s=service_s)
        cases.append(Case(f"machine repairman N={n}", system, source, metrics))
    return cases


def contention() -> list[Case]:
    """802.11, a request an access: a chain embedded at the accesses; and stations that always send,
    whose throughput is exact, also where a request takes several accesses.
    """
    cases = []
    for name, n in (("bianchi", 10), ("bianchi", 40), ("ns3", 10), ("ns3", 40)):
        airtime_s = 0.7 / n

        def capacity(k: int, name: str = name) -> float:
            return RATIO[name](k, _FRAMES)

        exact = theory.contention(n, 1.0, airtime_s, capacity)
        link = LinkSpec(
            sharing="wifi",
            contention=name,
            rate_bps=8.0 * _BYTES / (0.8 * airtime_s),
            frame_airtime_s=0.2 * airtime_s,
            mtu_bytes=round(_BYTES / _FRAMES),
            header_bytes=0,
            aggregation=_FRAMES,
        )
        metrics = (
            Metric("throughput_rps", exact.throughput_rps),
            Metric("latency_mean_s", exact.response_s),
            Metric("link_utilization", exact.utilizations[0]),
        )
        system = closed_system(n, link, warmup_s=50.0, length_s=4_000.0 / exact.throughput_rps)
        source = ConstantSource(payload_bytes=_BYTES)
        cases.append(Case(f"Wi-Fi {name} N={n}", system, source, metrics))
        cases.append(_saturate(f"Wi-Fi {name} saturated N={n}", n, capacity(n) / airtime_s, link))
        several = replace(link, aggregation=2, frame_airtime_s=link.frame_airtime_s / 5.0)
        rate = RATIO[name](n, 2.0) / airtime_s
        title = f"Wi-Fi {name} saturated, 5 accesses N={n}"
        cases.append(_saturate(title, n, rate, several, slack=0.02))
    return cases


def _saturate(
    name: str, n: int, throughput_rps: float, link: LinkSpec, *, slack: float = 0.0
) -> Case:
    """n stations that always send share what n stations get: exact, but for the requests that are
    begun at both ends of the window.
    """
    system = SystemSpec(
        fleet=FleetSpec(n_devices=n),
        workload=WorkloadSpec(kind="closed"),
        link=link,
        warmup_s=1.0,
        horizon_s=60.0,
    )
    metric = Metric(
        "throughput_rps", throughput_rps, figure=busy_rate_rps, kind="equal", slack=slack
    )
    return Case(name, system, ConstantSource(payload_bytes=_BYTES), (metric,), n_runs=2)
