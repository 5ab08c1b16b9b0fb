"""Neighbour: the closed form nearest to a system, and the mean latency that it gives at N.

Poisson devices before a batch server of fixed times: the greedy server's chain, exactly (of
several GPUs, which share one queue, approximately: each with its part of the load); the order
within batches, earliest deadline first or of arrival, does not change a mean. Dynamic batches: the
time to fill one, exactly, and the wait of whole batches for a GPU. Poisson devices otherwise:
processor sharing on the link (M/D/1 on Wi-Fi, whose accesses are not cut short), M/D/1 at the
server. Cores that decode are a queue M/D/c before it.
Closed loops: MVA, whose exponential service is slower than a constant one; it is exact for one
request at a time, and only near for batches and for sessions, of which it knows whole ones.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sim import Source, SystemSpec
from sim.planning.forecast.demands import Demands, demands
from sim.server.service import ServiceLaw, batch_s
from sim.sources.sessions import steps_of
from sim.sources.source import Sources
from sim.theory import greedy, md1_response_s, mmc_response_s, mva, ps_response_s

_STEPS = 64


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
            return _solve_closed(spec, sources, load, n)
        if "closed" not in kinds:
            return _solve_open(spec, sources, load, n)
    except ValueError:  # beyond the closed form's own limit of stability
        return None
    return None


def _solve_closed(spec: SystemSpec, sources: Sources, load: Demands, n: int) -> Neighbour:
    server, link = spec.server, spec.link
    shared = [load.server_s / server.n_gpus, load.decoder_s / server.cpu_workers]
    alone_s = load.device_s + load.network_s
    if link.sharing == "dedicated":
        alone_s += load.link_s
    else:
        shared.append(load.link_s / link.n_cells)
    cycle_s = 1.0 / load.rate_rps
    think_s = max(0.0, cycle_s - load.alone_s)
    network = mva(n, think_s + alone_s, [s for s in shared if s > 0.0] or [1e-12])
    least_s = max(load.alone_s, n * max(shared) - think_s)
    return Neighbour(_name_closed(spec, sources), network.response_s + alone_s, least_s, True)


def _name_closed(spec: SystemSpec, sources: Sources) -> str:
    """MVA, and what it only comes near to."""
    server = spec.server
    near = ["fullest batches"] if server.max_batch > 1 else []
    if any(steps_of(source) > 1.0 for source in sources.values()):
        near.append("sessions as one visit each")
    if max(server.n_gpus, server.cpu_workers if server.decode_on == "cpu" else 1) > 1:
        near.append("several servers as a faster one")
    return f"MVA, {' and '.join(near)}" if near else "exact MVA"


def _solve_open(spec: SystemSpec, sources: Sources, load: Demands, n: int) -> Neighbour:
    rate = n * load.rate_rps
    link_s = load.link_s
    if spec.link.sharing == "wifi" and link_s > 0.0:
        link_s = md1_response_s(rate / spec.link.n_cells, link_s)
    elif spec.link.sharing != "dedicated" and link_s > 0.0:
        link_s = ps_response_s(rate / spec.link.n_cells, link_s)
    decoder_s = _wait_constant(rate, load.decoder_s, spec.server.cpu_workers)
    rest_s = load.device_s + load.network_s + link_s + decoder_s
    name, response_s = _serve(spec, sources, load, rate)
    if spec.link.sharing == "wifi":
        name = name.replace("M/G/1-PS link", "M/D/1 link")
    name += ", M/D/c decoders" if load.decoder_s > 0.0 else ""
    if any(steps_of(source) > 1.0 for source in sources.values()):
        name += ", sessions as one visit each"
    return Neighbour(name, rest_s + response_s, load.alone_s, False)


def _serve(spec: SystemSpec, sources: Sources, load: Demands, rate: float) -> tuple[str, float]:
    """The server's part under Poisson arrivals."""
    server = spec.server
    split = ", load split evenly" if server.n_gpus > 1 else ""
    seconds = _batch_seconds(spec, next(iter(sources.values())))
    if server.discipline == "dynamic" and server.max_wait_s > 0.0 and server.max_batch > 1:
        return f"timed batches{split}", _time_batches(spec, seconds, rate / server.n_gpus)
    if server.max_batch > 1 and server.discipline != "continuous":
        chain = greedy(rate / server.n_gpus, server.max_batch, seconds)
        return f"greedy batch server{split}", chain.response_s
    name = "M/D/c" if server.n_gpus > 1 else "M/G/1-PS link, M/D/1 server"
    return name, _wait_constant(rate, load.server_s, server.n_gpus)


def _wait_constant(rate: float, service_s: float, n_servers: int) -> float:
    """Response of M/D/c; of several servers by half the wait of M/M/c (Lee and Longton 1959)."""
    if service_s <= 0.0:
        return 0.0
    if n_servers == 1:
        return md1_response_s(rate, service_s)
    return 0.5 * (service_s + mmc_response_s(rate, service_s, n_servers))


def _batch_seconds(spec: SystemSpec, source: Source) -> Callable[[int], float]:
    """Mean seconds for which a batch of a size holds a GPU, with all that stands beside layers."""
    mean, factor = source.mean(), ServiceLaw.mean(spec.server)

    def seconds(size: int) -> float:
        draws = [mean] * size
        tail_s = source.batch_s(draws) if size > 1 else mean.server_s
        return batch_s(spec.server, draws, tail_s) * factor

    return seconds


def _time_batches(spec: SystemSpec, seconds: Callable[[int], float], rate: float) -> float:
    """Mean response where a batch starts when it is full or its oldest has waited `max_wait_s`.

    The first request opens a batch; K - 1 more fill it, or time W closes it. With A(t) Poisson the
    waits in it sum to int_0^W E[(1 + A) ; A < K - 1] dt, its mean size is 1 + E[min(A(W), K - 1)].
    Approximation: whole batches wait for a GPU half as long as in M/D/1, since they come evener
    than at random, and at most as long as a greedy server's, since what comes meanwhile joins them.
    """
    server = spec.server
    most, wait_s = server.max_batch, server.max_wait_s
    step_s = wait_s / _STEPS
    sizes = range(most - 1)
    filling_s = 0.0
    for k in range(_STEPS):
        offered = rate * (k + 0.5) * step_s
        filling_s += step_s * math.fsum((1 + a) * _poisson(offered, a) for a in sizes)
    closed = [_poisson(rate * wait_s, a) for a in sizes]
    size = most - math.fsum((most - 1 - a) * part for a, part in enumerate(closed))
    busy_s = math.fsum(part * seconds(1 + a) for a, part in enumerate(closed))
    busy_s += (1.0 - math.fsum(closed)) * seconds(most)
    greedy_s = greedy(rate, most, seconds).response_s
    served_s = greedy_s
    if rate / size * busy_s < 1.0:
        served_s = min(greedy_s, 0.5 * (busy_s + md1_response_s(rate / size, busy_s)))
    return max(greedy_s, filling_s / size + served_s)


def _poisson(mean: float, count: int) -> float:
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


def count_senders(spec: SystemSpec, columns: Mapping[str, float]) -> float:
    """Mean number of stations that have something to send, by Little's law; at most all of them.

    Approximation: who waits in a device's own queue counts as a station.
    """
    on_air_s = math.fsum(columns[f"link_{part}_s"] for part in ("wait", "service", "resend"))
    senders = columns["throughput_rps"] * on_air_s / spec.link.n_cells
    return min(senders, spec.fleet.n_devices / spec.link.n_cells)
