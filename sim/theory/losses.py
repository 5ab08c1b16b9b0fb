"""Queues that turn requests away: M/M/c/K and Erlang's loss system M/G/c/c.

`rate` arrivals per second, mean service `service_s`, `n_servers` servers, `n_places` requests that
may be present, those in service included. What finds all places taken is lost. The load may exceed
1: a finite queue always has a steady state (Kleinrock 1975, sections 3.6 and 3.7).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from sim.theory.inverse import time_at_s

Floats = NDArray[np.float64]


class Losses(NamedTuple):
    """Steady state; `response_s` is the mean of what is served, `utilization` per server."""

    blocked_share: float
    throughput_rps: float
    response_s: float
    utilization: float


def erlang_b(offered: float, n_servers: int) -> float:
    """Share of Poisson arrivals that find all servers of M/G/c/c busy, whatever the law of service.

    `offered` = rate * service. B_0 = 1, B_n = offered B_{n-1} / (n + offered B_{n-1}), which is
    stable for any size (Erlang 1917; whatever the law: Sevastyanov 1957).
    """
    blocked = 1.0
    for n in range(1, n_servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def mmck_states(rate: float, service_s: float, n_servers: int, n_places: int) -> Floats:
    """P(k present), k = 0 .. n_places: births `rate`, deaths min(k, c) / S.

    Raises:
        ValueError: fewer places than servers.
    """
    if n_places < n_servers:
        raise ValueError(f"n_places must be >= {n_servers} servers, got {n_places}")
    busy = np.minimum(np.arange(1, n_places + 1), n_servers)
    steps = np.concatenate(([0.0], np.cumsum(np.log(rate * service_s / busy))))
    states = np.exp(steps - steps.max())
    return np.asarray(states / states.sum(), dtype=float)


def mmck(rate: float, service_s: float, n_servers: int, n_places: int) -> Losses:
    """What `mmck_states` means: arrivals see them (PASTA), Little's law gives the response."""
    states = mmck_states(rate, service_s, n_servers, n_places)
    blocked = float(states[-1])
    served = rate * (1.0 - blocked)
    present = float(np.arange(n_places + 1) @ states)
    return Losses(blocked, served, present / served, served * service_s / n_servers)


def mm1k_response_quantile_s(
    rate: float, service_s: float, n_places: int, probability: float
) -> float:
    """Quantile of the response of what is served by one server.

    P(T <= t) = sum_k a_k P(Erlang(k + 1, 1 / S) <= t), a_k the states without the full one.
    """
    states = mmck_states(rate, service_s, 1, n_places)
    seen = states[:-1] / (1.0 - states[-1])
    stages = np.arange(1, n_places + 1)
    return time_at_s(
        lambda t: float(seen @ gammainc(stages, t / service_s)), probability, service_s
    )
