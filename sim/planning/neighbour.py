"""Neighbour: the closed form nearest to a system, and the mean latency that it gives at N.

Poisson devices before a batch server of fixed times: the greedy server's chain, exactly (of
several GPUs, which share one queue, approximately: each with its part of the load). Poisson
devices otherwise: processor sharing on the link, M/D/1 at the server. Closed loops: exact MVA,
whose exponential service is slower than a constant one.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sim import SystemSpec
from sim.planning.guess import Demands, demands
from sim.sources.source import Sources
from sim.theory import greedy, md1_response_s, mmc_response_s, mva, ps_response_s


class Neighbour(NamedTuple):
    """A closed form's name, its mean latency, and the least one that the demands allow.

    `is_bound`: no latency lies above the form's, that of a longer-tailed service.
    """

    name: str
    latency_s: float
    least_s: float
    is_bound: bool


def neighbour(spec: SystemSpec, sources: Sources, n: int) -> Neighbour | None:
    """The closed form nearest to `spec` at `n` devices; None where there is none.

    Approximation: groups are mixed into one of mean demands; a medium's cells are alike, and
    contention on Wi-Fi is that of one station.
    """
    load = demands(spec, sources)
    if load is None or any(group.alternatives for group in spec.fleet.groups.values()):
        return None  # nobody knows beforehand what devices will choose
    kinds = {
        spec.workload.kind,
        *(g.workload.kind for g in spec.fleet.groups.values() if g.workload),
    }
    try:
        if kinds == {"closed"}:
            return _solve_closed(spec, load, n)
        if "closed" not in kinds:
            return _solve_open(spec, sources, load, n)
    except ValueError:  # beyond the closed form's own limit of stability
        return None
    return None


def _solve_closed(spec: SystemSpec, load: Demands, n: int) -> Neighbour:
    shared = [load.server_s / spec.server.n_gpus]
    alone_s = load.device_s + load.network_s
    if spec.link.sharing == "dedicated":
        alone_s += load.link_s
    else:
        shared.append(load.link_s / spec.link.n_cells)
    cycle_s = 1.0 / load.rate_rps
    think_s = max(0.0, cycle_s - load.alone_s)
    network = mva(n, think_s + alone_s, [s for s in shared if s > 0.0] or [1e-12])
    batches = ", fullest batches" if spec.server.max_batch > 1 else ""
    least_s = max(load.alone_s, n * max(shared) - think_s)
    return Neighbour(f"exact MVA{batches}", network.response_s + alone_s, least_s, True)


def _solve_open(spec: SystemSpec, sources: Sources, load: Demands, n: int) -> Neighbour:
    rate = n * load.rate_rps
    link_s = load.link_s
    if spec.link.sharing != "dedicated" and link_s > 0.0:
        link_s = ps_response_s(rate / spec.link.n_cells, link_s)
    rest_s = load.device_s + load.network_s + link_s
    name, response_s = _serve(spec, sources, load, rate)
    return Neighbour(name, rest_s + response_s, load.alone_s, False)


def _serve(spec: SystemSpec, sources: Sources, load: Demands, rate: float) -> tuple[str, float]:
    """The server's part under Poisson arrivals."""
    server = spec.server
    if server.discipline == "take_all":
        source = next(iter(sources.values()))
        mean = source.mean()

        def batch_s(size: int) -> float:
            tail_s = source.batch_s([mean] * size) if size > 1 else mean.server_s
            return (tail_s + size * mean.decode_s) / server.speed

        split = ", load split evenly" if server.n_gpus > 1 else ""
        chain = greedy(rate / server.n_gpus, server.max_batch, batch_s)
        return f"greedy batch server{split}", chain.response_s
    if server.n_gpus > 1:
        exponential_s = mmc_response_s(rate, load.server_s, server.n_gpus)
        wait_s = 0.5 * (exponential_s - load.server_s)  # Lee and Longton 1959, constant service
        return "M/D/c", load.server_s + wait_s
    response_s = md1_response_s(rate, load.server_s) if load.server_s > 0.0 else 0.0
    return "M/G/1-PS link, M/D/1 server", response_s


def count_senders(spec: SystemSpec, columns: Mapping[str, float]) -> float:
    """Mean number of stations that send at once, by Little's law."""
    on_air_s = sum(columns[f"link_{part}_s"] for part in ("wait", "service", "resend"))
    return columns["throughput_rps"] * on_air_s / spec.link.n_cells
