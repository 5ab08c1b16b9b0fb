"""Servers that turn requests away: finite buffers, and Erlang's loss system with two laws."""

from functools import partial

from sim import theory
from sim.sources.source import ConstantSource, ExponentialSource
from sim.specs import ServerSpec
from sim.validation.case import Case, Metric, quantiles
from sim.validation.queues import open_system

_N_REQUESTS = 5_000


def buffers() -> list[Case]:
    """M/M/1/5 at load 0.9 and M/M/2/6 at load 1.1: `queue_limit` places beside the servers'."""
    law = partial(theory.mm1k_response_quantile_s, 0.9, 1.0, 5)
    return [
        _buffer("M/M/1/5 load 0.9", 1, 0.9, quantiles(law, (0.5, 0.95))),
        _buffer("M/M/2/6 load 1.1", 2, 2.2, ()),
    ]


def _buffer(name: str, n_gpus: int, rate: float, further: tuple[Metric, ...]) -> Case:
    """Four may wait."""
    exact = theory.mmck(rate, 1.0, n_gpus, n_gpus + 4)
    metrics = (
        Metric("dropped_share", exact.blocked_share),
        Metric("latency_mean_s", exact.response_s),
        Metric("throughput_rps", exact.throughput_rps),
        Metric("server_utilization", exact.utilization),
        *further,
    )
    system = open_system(rate, _N_REQUESTS, ServerSpec(n_gpus=n_gpus, queue_limit=4))
    return Case(name, system, ExponentialSource(server_s=1.0), metrics)


def without_queue() -> list[Case]:
    """Erlang's loss system, 4 GPUs offered 3 erlangs: one share lost for two laws of service."""
    lost = theory.erlang_b(3.0, 4)
    metrics = (
        Metric("dropped_share", lost),
        Metric("throughput_rps", 3.0 * (1.0 - lost)),
        Metric("server_utilization", 0.75 * (1.0 - lost)),
    )
    system = open_system(3.0, _N_REQUESTS, ServerSpec(n_gpus=4, queue_limit=0))
    return [
        Case("Erlang loss, exponential service", system, ExponentialSource(server_s=1.0), metrics),
        Case("Erlang loss, constant service", system, ConstantSource(server_s=1.0), metrics),
    ]
