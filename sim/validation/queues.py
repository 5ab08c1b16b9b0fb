"""Open queues: the server as M/M/1, M/D/1, M/G/1, M/M/c, MMPP/M/1 and greedy batch server, the link
as PS, both in a row, and the age of what one device knows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sim import theory
from sim.measures.result import Result
from sim.request import DONE
from sim.sources.draw import Draw
from sim.sources.source import ConstantSource, ExponentialSource, Randomness, RandomSource, Source
from sim.specs import LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.validation.case import Case, Metric, quantiles

_LEVELS = (0.5, 0.95, 0.99)
_BYTES = 1000.0


def open_system(
    rate: float, n_requests: float, server: ServerSpec | None = None, link: LinkSpec | None = None
) -> SystemSpec:
    """One Poisson stream; a tenth of the run, at least 1,000 mean gaps, is warm-up."""
    warmup_s = max(0.1 * n_requests, 1000.0) / rate
    return SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=rate),
        server=server or ServerSpec(),
        link=link or LinkSpec(sharing="ps"),
        warmup_s=warmup_s,
        horizon_s=warmup_s + n_requests / rate,
    )


def one_medium(sharing: str, service_s: float) -> LinkSpec:
    """A medium on which a payload of 1,000 B takes `service_s`, without frames or headers."""
    return LinkSpec(
        sharing=sharing, rate_bps=8.0 * _BYTES / service_s, mtu_bytes=10**9, header_bytes=0
    )


def erlang4(stream: Randomness) -> float:
    """Mean 1, CV 1/2."""
    return math.fsum(stream.exponential(0.25) for _ in range(4))


def hyperexponential(stream: Randomness) -> float:
    """Mean 1, CV sqrt(3): 90 % with mean 5/9, 10 % with mean 5."""
    return stream.exponential(5.0 / 9.0 if stream.random() < 0.9 else 5.0)


_HYPER_CV = math.sqrt(2.0 * (0.9 * (5.0 / 9.0) ** 2 + 0.1 * 25.0) - 1.0)


class ExponentialBatches:
    """A source whose batches of k take an exponential time with mean fixed_s + slope_s k."""

    key = "exponential batches"

    def __init__(self, fixed_s: float, slope_s: float) -> None:
        self._fixed_s, self._slope_s = fixed_s, slope_s

    def draw(self, stream: Randomness) -> Draw:
        """A request; `server_s` is its time if it is served alone."""
        return Draw(0, 0.0, 0.0, 0.0, stream.exponential(self.mean_s(1)), 0.0, math.nan)

    def mean_s(self, size: int) -> float:
        """Mean time of a batch."""
        return self._fixed_s + self._slope_s * size

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """The first request's exponential number, scaled to the batch's mean."""
        return draws[0].server_s * self.mean_s(len(draws)) / self.mean_s(1)

    def mean(self) -> Draw:
        """A request of mean time."""
        return Draw(0, 0.0, 0.0, 0.0, self.mean_s(1), 0.0, math.nan)

    def resample(self, generator: np.random.Generator) -> "ExponentialBatches":
        """Itself: the law is known."""
        return self


def single_queues() -> list[Case]:
    """M/M/1, M/D/1, M/E4/1, M/H2/1 at load 0.8 or 0.6, and M/M/4."""
    mm1 = (
        Metric("latency_mean_s", theory.mm1_response_s(0.8, 1.0)),
        Metric("server_utilization", 0.8),
        *quantiles(lambda p: theory.mm1_response_quantile_s(0.8, 1.0, p), _LEVELS),
    )
    md1 = (
        Metric("latency_mean_s", theory.md1_response_s(0.8, 1.0)),
        *quantiles(lambda p: theory.md1_response_quantile_s(0.8, 1.0, p), _LEVELS),
    )
    mm4 = (
        Metric("latency_mean_s", theory.mmc_response_s(3.2, 1.0, 4)),
        *quantiles(lambda p: theory.mmc_response_quantile_s(3.2, 1.0, 4, p), (0.95, 0.99)),
    )
    exponential = ExponentialSource(server_s=1.0)
    four = ServerSpec(n_gpus=4)
    return [
        Case("M/M/1 load 0.8", open_system(0.8, 7_000), exponential, mm1),
        Case("M/D/1 load 0.8", open_system(0.8, 7_000), ConstantSource(server_s=1.0), md1),
        _mg1("M/E4/1 load 0.8", 0.8, erlang4, 0.5),
        _mg1("M/H2/1 load 0.6", 0.6, hyperexponential, _HYPER_CV),
        Case("M/M/4 load 0.8", open_system(3.2, 7_000, four), exponential, mm4),
    ]


def _mg1(name: str, rate: float, law: Callable[[Randomness], float], cv: float) -> Case:
    exact = theory.mg1_response_s(rate, 1.0, cv)
    metric = Metric("latency_mean_s", exact)
    return Case(name, open_system(rate, 5_000), RandomSource(server_s=law), (metric,))


def tandem() -> list[Case]:
    """Uplink and server in a row, M/M/1 each (Burke, Jackson): loads 0.48 and 0.6."""
    rate, first_s, second_s = 0.6, 0.8, 1.0
    law = partial(theory.tandem_response_quantile_s, rate, first_s, second_s)
    metrics = (
        Metric("latency_mean_s", theory.tandem_response_s(rate, first_s, second_s)),
        Metric("link_utilization", rate * first_s),
        Metric("server_utilization", rate * second_s),
        *quantiles(law, _LEVELS),
    )
    source = RandomSource(
        payload_bytes=lambda stream: stream.exponential(_BYTES),
        server_s=lambda stream: stream.exponential(second_s),
    )
    system = open_system(rate, 6_000, link=one_medium("fifo", first_s))
    return [Case("tandem of two M/M/1", system, source, metrics)]


def bursts() -> list[Case]:
    """MMPP/M/1 at load 0.5; in bursts, a fifth of the time, it is 1.39."""
    queue = theory.mmpp_m1(*theory.two_phases(0.5, 5.0, 0.2, 5.0), service_s=1.0)
    metrics = (
        Metric("latency_mean_s", queue.response_s),
        Metric("server_utilization", queue.utilization),
        Metric("share of requests that wait", queue.waiting_share, figure=waiting_share),
        *quantiles(queue.response_quantile_s, (0.5, 0.95)),
    )
    system = open_system(0.5, 7_000)
    workload = replace(system.workload, kind="mmpp", burst_factor=5.0, burst_share=0.2, burst_s=5.0)
    source = ExponentialSource(server_s=1.0)
    return [Case("MMPP/M/1 load 0.5", replace(system, workload=workload), source, metrics)]


def waiting_share(result: Result) -> float:
    """Share of the served that were not served as soon as they came."""
    records = result.records
    served = (records["outcome"] == DONE) & (records["done_s"] > result.spec.warmup_s)
    return float(np.mean((records["server_start_s"] > records["created_s"])[served]))


def ages() -> list[Case]:
    """How old the newest answer of one device is: M/M/1, M/D/1 and D/M/1 at load 0.6."""
    poisson = open_system(0.6, 4_000)
    periodic = replace(poisson, workload=replace(poisson.workload, kind="periodic"))
    exponential, constant = ExponentialSource(server_s=1.0), ConstantSource(server_s=1.0)
    return [
        _age("M/M/1", poisson, exponential, theory.mm1_age_s(0.6, 1.0)),
        _age("M/D/1", poisson, constant, theory.md1_age_s(0.6, 1.0)),
        _age("D/M/1", periodic, exponential, theory.dm1_age_s(0.6, 1.0)),
    ]


def _age(queue: str, system: SystemSpec, source: Source, exact_s: float) -> Case:
    return Case(f"age of information {queue}", system, source, (Metric("freshness_s", exact_s),))


def sharing() -> list[Case]:
    """M/G/1 processor sharing on the link at load 0.7: one mean for three laws of the sizes."""
    laws: dict[str, Callable[[Randomness], float]] = {
        "constant": lambda stream: _BYTES,
        "exponential": lambda stream: stream.exponential(_BYTES),
        "hyperexponential": lambda stream: _BYTES * hyperexponential(stream),
    }
    exact = theory.ps_response_s(0.7, 1.0)
    metrics = (Metric("latency_mean_s", exact), Metric("link_utilization", 0.7))
    system = open_system(0.7, 5_000, link=one_medium("ps", 1.0))
    return [
        Case(f"M/G/1-PS {name} sizes", system, RandomSource(payload_bytes=law), metrics)
        for name, law in laws.items()
    ]


def batches() -> list[Case]:
    """The greedy batch server, and take-all batching against Inoue's bound."""
    fixed_s, slope_s = 0.03, 0.005
    constant = ConstantSource(server_s=fixed_s + slope_s, batch_slope_s=slope_s)
    cases = [
        _batch_case(f"greedy batches of 8, rate {rate:g}", rate, 8, constant, "constant")
        for rate in (40.0, 90.0)
    ]
    cases.append(
        _batch_case(
            "greedy batches of 8, exponential",
            80.0,
            8,
            ExponentialBatches(fixed_s, slope_s),
            "exponential",
        )
    )
    for load in (0.5, 0.8):
        rate = load / slope_s
        bound = theory.take_all_bound_s(rate, slope_s, fixed_s)
        case = _batch_case(f"take-all load {load:g}", rate, 1000, constant, "constant")
        limit = Metric(
            "Inoue's bound of the mean",
            bound,
            figure=lambda run: run.value("latency_mean_s"),
            kind="at_most",
        )
        cases.append(Case(case.name, case.system, constant, (*case.metrics, limit)))
    return cases


def _batch_case(name: str, rate: float, cap: int, source: Source, law: str) -> Case:
    """Mean response, utilisation and seconds per request of a batch server with affine times."""
    state = theory.greedy(rate, cap, lambda k: 0.03 + 0.005 * k, law=law)
    metrics = [
        Metric("latency_mean_s", state.response_s),
        Metric("server_s_per_request", state.utilization / rate),
    ]
    if state.utilization < 0.99:  # close to 1 nearly every run is busy throughout
        metrics.append(Metric("server_utilization", state.utilization))
    server = ServerSpec(discipline="take_all", max_batch=cap)
    return Case(name, open_system(rate, 5_000, server), source, tuple(metrics))
