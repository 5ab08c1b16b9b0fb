"""MMPP/M/1: Poisson arrivals whose rate changes with a Markov chain, one exponential server.

A quasi-birth-death process: P(k present, phase j) = (pi_0 R^k)_j, R the least solution of
A_0 + R A_1 + R^2 A_2 = 0 (Neuts 1981, "Matrix-Geometric Solutions in Stochastic Models", chapter 3;
Latouche and Ramaswami 1999). Arrays are [phase] or [phase, phase].
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.theory.inverse import time_at_s
from sim.theory.queues import load

Floats = NDArray[np.float64]


class Bursts(NamedTuple):
    """An MMPP: arrivals per second in every phase, and the phases' generator."""

    rates: Floats
    generator: Floats

    @property
    def phases(self) -> Floats:
        """How much of the time each phase holds."""
        size = len(self.rates)
        system = np.vstack((self.generator.T[:-1], np.ones(size)))
        return np.asarray(np.linalg.solve(system, np.eye(size)[-1]), dtype=float)

    @property
    def rate(self) -> float:
        """Mean arrivals per second."""
        return float(self.phases @ self.rates)


class BurstQueue(NamedTuple):
    """Steady state of MMPP/M/1: pi_0 (`empty`, by phase), R (`growth`)."""

    bursts: Bursts
    service_s: float
    empty: Floats
    growth: Floats

    @property
    def utilization(self) -> float:
        """1 - P(nobody is present)."""
        return 1.0 - float(self.empty.sum())

    @property
    def response_s(self) -> float:
        """Mean number present, pi_0 R (I - R)^-2 1, over the rate (Little)."""
        rest = np.linalg.inv(np.eye(len(self.empty)) - self.growth)
        number = float((self.empty @ self.growth @ rest @ rest).sum())
        return number / self.bursts.rate

    @property
    def waiting_share(self) -> float:
        """Arrivals that find the server busy: more than `utilization`, for they come in bursts."""
        return 1.0 - float(self.empty @ self.bursts.rates) / self.bursts.rate

    def response_over(self, time_s: float) -> float:
        """P(T > t) = pi_0 e^{-(I - R) t / S} (I - R)^-1 rates / rate.

        k present are seen with probability (pi_0 R^k) rates / rate, and the response is then
        Erlang(k + 1): P(T > t) is a sum over P(Poisson(t / S) <= k).
        """
        from scipy.linalg import expm  # a tenth of a second, which few commands need

        left = np.eye(len(self.empty)) - self.growth
        seen = np.linalg.solve(left, self.bursts.rates) / self.bursts.rate
        return float(self.empty @ expm(-left * (time_s / self.service_s)) @ seen)

    def response_quantile_s(self, probability: float) -> float:
        """Where the response's law reaches `probability`."""
        return time_at_s(lambda t: 1.0 - self.response_over(t), probability, self.service_s)


def two_phases(rate: float, factor: float, share: float, burst_s: float) -> Bursts:
    """Calm, and bursts of mean length `burst_s` that hold `share` of the time.

    The rate in a burst is `factor` times the calm one, and `rate` is the mean.
    """
    calm_rps = rate / (1.0 - share + share * factor)
    begins, ends = share / (burst_s * (1.0 - share)), 1.0 / burst_s
    generator = np.array([[-begins, begins], [ends, -ends]])
    return Bursts(np.array([calm_rps, factor * calm_rps]), generator)


def mmpp_m1(rates: ArrayLike, generator: ArrayLike, service_s: float) -> BurstQueue:
    """The steady state, pi_0 from pi_0 (D_0 + R A_2) = 0 and pi_0 (I - R)^-1 1 = 1.

    Raises:
        ValueError: the mean load is not below 1.
    """
    bursts = Bursts(np.asarray(rates, dtype=float), np.asarray(generator, dtype=float))
    load(bursts.rate, service_s)
    size = len(bursts.rates)
    up, down = np.diag(bursts.rates), np.eye(size) / service_s
    growth = _growth(up, bursts.generator - up - down, down)
    balance = bursts.generator - up + growth @ down
    whole = np.linalg.inv(np.eye(size) - growth).sum(axis=1)
    system = np.vstack((balance.T[:-1], whole))
    empty = np.linalg.solve(system, np.eye(size)[-1])
    return BurstQueue(bursts, service_s, np.asarray(empty, dtype=float), growth)


def _growth(up: Floats, local: Floats, down: Floats) -> Floats:
    """R = A_0 (-A_1 - A_0 G)^-1, G by logarithmic reduction (Latouche and Ramaswami 1993)."""
    identity = np.eye(len(up))
    rise, fall = np.linalg.solve(-local, up), np.linalg.solve(-local, down)
    first_passage, reach = fall, rise
    while np.max(np.abs(1.0 - first_passage.sum(axis=1))) > 1e-14:
        middle = identity - rise @ fall - fall @ rise
        rise, fall = np.linalg.solve(middle, rise @ rise), np.linalg.solve(middle, fall @ fall)
        more = reach @ fall
        first_passage, reach = first_passage + more, reach @ rise
        if np.max(more) < 1e-16:
            break
    return np.asarray(up @ np.linalg.inv(-local - up @ first_passage), dtype=float)
