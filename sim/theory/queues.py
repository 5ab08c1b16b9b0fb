"""Open queues in closed form: M/M/1, M/D/1, M/G/1, M/M/c, tandem and processor sharing.

Times in seconds, `rate` in arrivals per second, `load` = rate * mean service / servers < 1.
"Response" is waiting plus service. Kleinrock 1975 (K), Tijms 2003 (T), Harchol-Balter 2013 (H).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from sim.theory.inverse import time_at_s
from sim.theory.losses import erlang_b


def load(rate: float, service_s: float, n_servers: int = 1) -> float:
    """rate * service / servers.

    Raises:
        ValueError: outside [0, 1): the queue has no steady state.
    """
    value = rate * service_s / n_servers
    if not 0.0 <= value < 1.0:
        raise ValueError(f"load must be within [0, 1), got {value:g}")
    return value


def mm1_response_s(rate: float, service_s: float) -> float:
    """Mean response S / (1 - rho) (K 3.26)."""
    return service_s / (1.0 - load(rate, service_s))


def mm1_response_quantile_s(rate: float, service_s: float, probability: float) -> float:
    """The response is exponential with mean S / (1 - rho) (K 5.119)."""
    return -mm1_response_s(rate, service_s) * math.log1p(-probability)


def mg1_response_s(rate: float, service_s: float, service_cv: float) -> float:
    """Pollaczek-Khinchine: S + rho S (1 + c^2) / (2 (1 - rho)), c the service's CV (K 5.70)."""
    rho = load(rate, service_s)
    return service_s + 0.5 * rho * service_s * (1.0 + service_cv**2) / (1.0 - rho)


def md1_response_s(rate: float, service_s: float) -> float:
    """Mean response of constant service: S + rho S / (2 (1 - rho))."""
    return mg1_response_s(rate, service_s, 0.0)


def md1_states(load: float, n_states: int) -> NDArray[np.float64]:
    """P(k in system), k = 0 .. n_states - 1, by a recursion of positive terms only (T 9.2.15).

    p_j = a_{j-1} p_0 + sum_{k=1..j} a_{j-k} p_k with a_n = P(Poisson(rho) > n).
    """
    later = 1.0 - gammaincc(np.arange(1, n_states + 1), load)
    states = np.empty(n_states)
    states[0] = 1.0 - load
    for j in range(1, n_states):
        into = later[j - 1] * states[0] + states[1:j] @ later[j - 1 : 0 : -1]
        states[j] = into / (1.0 - later[0])
    return states


def md1_wait_cdf(rate: float, service_s: float, time_s: float) -> float:
    """P(W <= t) = e^{-u} sum_{j<k} Q_{k-1-j} u^j / j!, u = rate (k D - t), (k-1) D <= t < k D.

    Q_i = P(at most i customers wait) (Franx 2001, "A simple solution for the M/D/c waiting time
    distribution"); all terms are positive, so that the far tail keeps its digits.
    """
    if time_s < 0.0:
        return 0.0
    rho = load(rate, service_s)
    k = math.floor(time_s / service_s) + 1
    waiting = np.cumsum(md1_states(rho, k + 1))[1:]
    u = rate * (k * service_s - time_s)
    terms = (
        np.exp(-u + np.arange(k) * math.log(u) - _log_factorials(k)) if u > 0.0 else np.eye(1, k)[0]
    )
    return float(min(1.0, waiting[::-1] @ terms))


def _log_factorials(count: int) -> NDArray[np.float64]:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count)))))


def md1_response_quantile_s(rate: float, service_s: float, probability: float) -> float:
    """Where the waiting cdf reaches `probability`, plus the constant service."""
    if md1_wait_cdf(rate, service_s, 0.0) >= probability:
        return service_s
    return service_s + time_at_s(lambda t: md1_wait_cdf(rate, service_s, t), probability, service_s)


def erlang_c(rate: float, service_s: float, n_servers: int) -> float:
    """P(an arrival waits) in M/M/c, from Erlang's B by its stable recursion (T 5.4)."""
    rho = load(rate, service_s, n_servers)
    blocked = erlang_b(rate * service_s, n_servers)
    return blocked / (1.0 - rho * (1.0 - blocked))


def mmc_response_s(rate: float, service_s: float, n_servers: int) -> float:
    """S + C S / (c (1 - rho)) (K 3.40 with Little)."""
    slack = n_servers * (1.0 - load(rate, service_s, n_servers))
    return service_s * (1.0 + erlang_c(rate, service_s, n_servers) / slack)


def mmc_response_quantile_s(
    rate: float, service_s: float, n_servers: int, probability: float
) -> float:
    """P(T > t) = (1 - C) e^{-mu t} + C P(W' + S > t), W' exponential with rate c mu - rate."""
    wait_p, mu = erlang_c(rate, service_s, n_servers), 1.0 / service_s
    drain = n_servers * mu - rate

    def cdf(t: float) -> float:
        both = two_stages_over(mu, drain, t)
        return 1.0 - (1.0 - wait_p) * math.exp(-mu * t) - wait_p * both

    return time_at_s(cdf, probability, service_s)


def two_stages_over(first: float, second: float, time_s: float) -> float:
    """P(A + B > t) of independent exponential times with these rates, per second."""
    if math.isclose(first, second):
        return (1.0 + first * time_s) * math.exp(-first * time_s)
    late_first, late_second = math.exp(-first * time_s), math.exp(-second * time_s)
    return (second * late_first - first * late_second) / (second - first)


def tandem_response_s(rate: float, first_s: float, second_s: float) -> float:
    """Two M/M/1 queues in a row: by Burke's theorem each is one by itself (Jackson 1957)."""
    return mm1_response_s(rate, first_s) + mm1_response_s(rate, second_s)


def tandem_response_quantile_s(
    rate: float, first_s: float, second_s: float, probability: float
) -> float:
    """The sojourns at both are independent (Reich 1963) and exponential: `two_stages_over`."""
    ends = [1.0 / mm1_response_s(rate, service_s) for service_s in (first_s, second_s)]
    return time_at_s(
        lambda t: 1.0 - two_stages_over(ends[0], ends[1], t), probability, first_s + second_s
    )


def ps_response_s(rate: float, service_s: float) -> float:
    """M/G/1 processor sharing: S / (1 - rho), whatever the law of the sizes (K2 4.4, H 30)."""
    return mm1_response_s(rate, service_s)
