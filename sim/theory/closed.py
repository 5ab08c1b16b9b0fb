"""Closed loops: N devices think, ask, wait. Exact MVA, bounds, machine repairman, fixed cycle.

`n` devices, mean pause `think_s` (exponential unless said otherwise), `demands_s` the mean seconds
that one request spends in service at each station.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln, xlog1py, xlogy

from sim.specs import SystemSpec
from sim.theory.inverse import time_at_s

Floats = NDArray[np.float64]


class Network(NamedTuple):
    """Steady state of a closed network; per station: mean number present and utilisation."""

    throughput_rps: float
    response_s: float
    queues: tuple[float, ...]
    utilizations: tuple[float, ...]


def mva(n: int, think_s: float, demands_s: Sequence[float]) -> Network:
    """Exact mean value analysis of a delay and single-server stations.

    R_k(n) = D_k (1 + Q_k(n - 1)), X = n / (Z + sum R), Q_k = X R_k (Reiser and Lavenberg 1980).
    Exact for exponential FIFO stations and for processor sharing with any law of the sizes.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    demands = np.asarray(demands_s, dtype=float)
    queues = np.zeros_like(demands)
    throughput = 0.0
    residence = demands
    for population in range(1, n + 1):
        residence = demands * (1.0 + queues)
        throughput = population / (think_s + float(residence.sum()))
        queues = throughput * residence
    return Network(
        throughput,
        float(residence.sum()),
        tuple(queues.tolist()),
        tuple((throughput * demands).tolist()),
    )


def throughput_bound_rps(n: int, think_s: float, demands_s: Sequence[float]) -> float:
    """X(n) <= min(n / (Z + sum D), 1 / max D) (Denning and Buzen 1978)."""
    return min(n / (think_s + math.fsum(demands_s)), 1.0 / max(demands_s))


def bound_rps(spec: SystemSpec, row: Mapping[str, float]) -> float:
    """Return the operational bound min(N/(D+Z), k/S) on throughput (Denning and Buzen 1978).

    D sums the mean demands of one request, as simulated; S is the largest on what devices share, in
    k equals: the GPUs, the decoding cores, and the cells' media unless each transfer has a channel
    of its own or transfers gain from each other (scheduling on fading channels). With open
    workloads N times the rate replaces N/(D+Z); NaN where times are replayed or groups have
    workloads of their own.
    """
    unlike = any(group.workload is not None for group in spec.fleet.groups.values())
    if unlike or spec.workload.kind == "replay":
        return math.nan
    on_air_s = row["link_service_s"] + row["link_resend_s"]
    server_s, decoder_s = row["server_s_per_request"], row["decoder_service_s"]
    shared = [(server_s, spec.server.n_gpus), (decoder_s, spec.server.cpu_workers)]
    gains = spec.link.sharing == "cellular" and spec.link.fading != "none"
    if spec.link.sharing != "dedicated" and not gains:
        shared.append((on_air_s, spec.link.n_cells))
    limits = [number / demand_s for demand_s, number in shared if demand_s > 0.0]
    n = spec.fleet.n_devices
    if spec.workload.kind != "closed":
        return float(min([n * spec.workload.rate_rps, *limits]))
    alone_s = row["device_service_s"] + row["network_s"] + row["link_grant_s"]
    demands_s = math.fsum((spec.workload.think_s, alone_s, on_air_s, server_s, decoder_s))
    return float(min([n / demands_s if demands_s > 0.0 else math.inf, *limits]))


def response_bound_s(n: int, think_s: float, demands_s: Sequence[float]) -> float:
    """R(n) >= max(sum D, n max D - Z)."""
    return max(math.fsum(demands_s), n * max(demands_s) - think_s)


def cycle(n: int, think_s: float, demands_s: Sequence[float]) -> tuple[float, float]:
    """(throughput, response) when think and service times are constant: the bounds are met.

    After the first round the requests reach the slowest station no closer than its service time,
    and never wait again below N*; above it, it never idles.
    """
    return (throughput_bound_rps(n, think_s, demands_s), response_bound_s(n, think_s, demands_s))


def repairman_states(
    n: int, think_s: float, service_s: float, capacity: Callable[[int], float] | None = None
) -> Floats:
    """P(k of n at the station), k = 0 .. n: a birth-death chain.

    Births (n - k) / Z, deaths capacity(k) / S; capacity 1 is the machine repairman (one FIFO
    server, exponential), capacity(k) = efficiency(k) a shared medium whose total rate depends on
    the number of active stations (processor sharing: any law of the sizes).
    """
    capacities = np.array([1.0 if capacity is None else capacity(k) for k in range(1, n + 1)])
    births = np.arange(n, 0, -1) / think_s
    steps = np.log(births * service_s / capacities)
    weights = np.concatenate(([0.0], np.cumsum(steps)))
    states = np.exp(weights - weights.max())
    return np.asarray(states / states.sum(), dtype=float)


def repairman(
    n: int, think_s: float, service_s: float, capacity: Callable[[int], float] | None = None
) -> Network:
    """Throughput, response and the station's state from `repairman_states`."""
    states = repairman_states(n, think_s, service_s, capacity)
    present = float(np.arange(n + 1) @ states)
    throughput = (n - present) / think_s
    busy = 1.0 - float(states[0])
    return Network(throughput, present / throughput, (present,), (busy,))


def contention(
    n: int, think_s: float, access_s: float, capacity: Callable[[int], float]
) -> Network:
    """N devices of which those that have something to send win accesses, one for each request.

    Begun with k of them, an access lasts d_k = access_s / capacity(k), whoever wins; meanwhile each
    of the n - k others comes with 1 - exp(-d_k / Z): a chain embedded at the accesses' beginnings.
    X = 1 / (sum_k p_k d_k + p(none is left) Z / n), R = n / X - Z.
    """
    lengths_s = np.array([access_s / capacity(k) for k in range(1, n + 1)])
    steps = np.zeros((n, n))
    none_left = np.zeros(n)
    for k in range(1, n + 1):
        comers = np.arange(n - k + 1)
        law = _binomial(comers, n - k, -math.expm1(-lengths_s[k - 1] / think_s))
        left = k - 1 + comers
        none_left[k - 1] = law[left == 0].sum()
        np.add.at(steps[k - 1], np.maximum(left, 1) - 1, law)
    system = np.vstack([steps.T - np.eye(n), np.ones(n)])
    states = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    busy_s = float(states @ lengths_s)
    throughput = 1.0 / (busy_s + float(states @ none_left) * think_s / n)
    response_s = n / throughput - think_s
    return Network(throughput, response_s, (throughput * response_s,), (throughput * busy_s,))


def _binomial(hits: np.ndarray, n: int, p: float) -> np.ndarray:
    """The binomial law at `hits`; scipy.stats, which has it, takes half a second to import."""
    ways = gammaln(n + 1) - gammaln(hits + 1) - gammaln(n - hits + 1)
    return np.asarray(np.exp(ways + xlogy(hits, p) + xlog1py(n - hits, -p)))


def repairman_response_cdf(n: int, think_s: float, service_s: float, time_s: float) -> float:
    """P(T <= t) = sum_k q_k P(Erlang(k + 1, 1 / S) <= t) with q the states of n - 1 devices.

    Arrival theorem: a request sees the network without its own device (Sevcik and Mitrani 1981;
    Lavenberg and Reiser 1980).
    """
    seen = repairman_states(n - 1, think_s, service_s) if n > 1 else np.ones(1)
    return float(seen @ gammainc(np.arange(1, n + 1), time_s / service_s))


def repairman_response_quantile_s(
    n: int, think_s: float, service_s: float, probability: float
) -> float:
    """Where the response's cdf reaches `probability`."""
    return time_at_s(partial(repairman_response_cdf, n, think_s, service_s), probability, service_s)
