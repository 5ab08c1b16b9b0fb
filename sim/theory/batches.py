"""Batch servers under Poisson arrivals: the greedy one exactly, take-all by a bound.

The greedy server M/G[1,b]/1: when it falls idle it takes everything that waits, at most `cap`; an
arrival at an idle server starts a batch of 1.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
BatchTime = Callable[[int], float]

_FOLDED = 1e-12
_MOST_STATES = 4096


class BatchState(NamedTuple):
    """Steady state of a batch server."""

    response_s: float
    utilization: float
    batch_mean: float


def greedy(
    rate: float, cap: int, batch_s: BatchTime, *, law: str = "constant", n_states: int = 128
) -> BatchState:
    """Exact means of the greedy server, from the chain of numbers left behind by a batch.

    `batch_s(k)` is the mean time of a batch of k, its law "constant" or "exponential". From n left
    behind, max(n, 1) - min(max(n, 1), b) + A remain after the next batch, A the arrivals during
    it (after Bailey 1954, Neuts 1967). Between two such epochs the integral of the number present
    is n' E[B] + rate E[B^2] / 2, n' = max(n, 1); Little's law gives the response.
    Approximation: states beyond the last of `n_states` are folded into it; their number is
    doubled until it holds less than 1e-12.

    Raises:
        ValueError: no steady state (rate >= cap / batch_s(cap)), or an unknown law.
    """
    if law not in ("constant", "exponential"):
        raise ValueError(f"law must be one of constant, exponential, got {law!r}")
    if rate * batch_s(cap) >= cap:
        raise ValueError(f"rate must be below {cap / batch_s(cap):g}, got {rate:g}")
    start = np.maximum(np.arange(n_states), 1)
    batch = np.minimum(start, cap)
    mean_s = np.array([0.0, *(batch_s(k) for k in range(1, int(batch.max()) + 1))])[batch]
    square_s2 = mean_s**2 * (2.0 if law == "exponential" else 1.0)
    left = _stationary(_transitions(rate, start - batch, mean_s, law))
    if left[-1] > _FOLDED:
        if n_states >= _MOST_STATES:
            raise ValueError(f"rate must be further below {cap / batch_s(cap):g}, got {rate:g}")
        return greedy(rate, cap, batch_s, law=law, n_states=2 * n_states)
    idle_s = np.where(np.arange(n_states) == 0, 1.0 / rate, 0.0)
    cycle_s = float(left @ (idle_s + mean_s))
    area = float(left @ (start * mean_s + 0.5 * rate * square_s2))
    return BatchState(area / cycle_s / rate, float(left @ mean_s) / cycle_s, float(left @ batch))


def _transitions(rate: float, staying: NDArray[np.int64], mean_s: Floats, law: str) -> Floats:
    """Row n: where the chain goes from n; arrivals during a batch are Poisson or geometric."""
    size = staying.size
    count = np.arange(size)
    matrix = np.zeros((size, size))
    for n in range(size):
        offered = rate * mean_s[n]
        if law == "constant":
            arrivals = np.exp(count * math.log(offered) - offered - gammaln(count + 1))
        else:
            arrivals = np.exp(count * math.log(offered / (1.0 + offered))) / (1.0 + offered)
        first = staying[n]
        matrix[n, first:] = arrivals[: size - first]
        matrix[n, -1] += max(0.0, 1.0 - matrix[n].sum())
    return matrix


def _stationary(matrix: Floats) -> Floats:
    """The row vector with pi P = pi and sum 1."""
    size = len(matrix)
    system = (matrix - np.eye(size)).T
    system[-1] = 1.0
    target = np.zeros(size)
    target[-1] = 1.0
    return np.asarray(np.linalg.solve(system, target), dtype=float)


def take_all_bound_s(rate: float, slope_s: float, fixed_s: float) -> float:
    """Upper bound of the mean response under take-all batching, batch time slope k + fixed.

    min(phi_0, phi_1) of Inoue, "Queueing analysis of GPU-based inference servers with dynamic
    batching", Performance Evaluation 147 (2021), arXiv 1912.06322, theorem 2.
    """
    a, t = slope_s, fixed_s
    la, lt = rate * a, rate * t
    if not 0.0 < la < 1.0:
        raise ValueError(f"rate * slope_s must be within (0, 1), got {la:g}")
    phi_0 = (a + t) / (2.0 * (1.0 - la)) * (1.0 + 2.0 * lt + (1.0 - lt) / (1.0 + la))
    phi_1 = 1.5 * t / (1.0 - la) + 0.5 * a * (la + 2.0) / (1.0 - la**2)
    return min(phi_0, phi_1)
