"""Ours: least server load of all devices at once, with the contention that they cause.

Bound, prune, then best first. Stored columns alone discard what cannot be part of an optimum:
options past a static limit, too slow even without any wait, or dominated (no less work for the
GPU, the link and the device than another). What is left is walked in the order of the objective,
so that the first feasible joint choice is the optimum.
"""

import heapq
import itertools
import math
from collections.abc import Iterator

import numpy as np

from sim.search.decision import Decision, decide
from sim.search.predict import Predictor
from sim.search.problem import Floats, Problem

_LEAST = 256
_PRICES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 1e3)


def search(problem: Problem, *, patience: float = 0.05) -> Decision:
    """The feasible joint choice of least server seconds.

    Where `patience` times the exhaustive evaluations (256 at least) do not reach one, the best of
    a sweep is taken: for each of some prices, every group's least of server seconds + price times
    seconds without waits.
    """
    predictor = Predictor(problem)
    fronts = [front(predictor, number) for number in range(len(problem.groups))]
    chosen = None
    if all(len(rows) for rows in fronts):
        budget = max(_LEAST, int(patience * problem.n_choices) - len(_PRICES))
        chosen, proven = _best_first(predictor, fronts, budget)
        if chosen is None and not proven:
            chosen = _sweep(predictor, fronts)
    return decide("fleet", predictor, chosen)


def front(predictor: Predictor, number: int) -> list[int]:
    """Options of a group that may be optimal, cheapest for the server first.

    Option a dominates b where a asks no more of the GPU (mean and second moment), of the link, of
    the device and of the latency without waits, and comes no more often to either queue: exchanging
    b for a then lengthens nobody's wait.
    Approximation: in a closed loop the faster a also asks more often, which may lengthen another
    group's waits; the regret against the exhaustive optimum says how often that matters.
    """
    group = predictor.problem.groups[number]
    options, limits, d = group.options, group.limits, predictor.demands[number]
    alone = predictor.alone(number)
    fits = (options.drop_pp <= limits.drop_pp) & (options.memory_bytes <= limits.memory_bytes)
    fits &= alone <= limits.latency_s
    rows = np.flatnonzero(fits)
    columns = [d.step_gpu_s, d.step_gpu_square_s2, d.step_air_s, d.air_s, alone, d.processor_s]
    if options.requests is not None:  # how often it comes to a queue does not follow from seconds
        columns += [d.on_gpu, d.transfers, d.accesses, d.processor_square_s2]
    asks = np.stack(columns, axis=1)
    order = rows[np.lexsort(asks[rows].T[::-1])]
    return _drop_dominated(asks, order)


def _drop_dominated(asks: Floats, order: np.ndarray) -> list[int]:
    kept: list[int] = []
    for row in order.tolist():
        if not (kept and np.any(np.all(asks[kept] <= asks[row], axis=1))):
            kept.append(row)
    return kept


def _best_first(
    predictor: Predictor, fronts: list[list[int]], budget: int
) -> tuple[tuple[int, ...] | None, bool]:
    """The first feasible joint choice in ascending order of server seconds; whether all were seen.

    Predicts in blocks that double; those behind the one found do not count.
    """
    order = _ascend(predictor, fronts)
    size = 1
    while predictor.evaluations < budget:
        block = list(itertools.islice(order, min(size, budget - predictor.evaluations)))
        if not block:
            return None, True
        at = predictor.first(np.array(block))
        if at is not None:
            return block[at], True
        size = min(2 * size, 64)
    return None, False


def _sweep(predictor: Predictor, fronts: list[list[int]]) -> tuple[int, ...] | None:
    """The cheapest feasible one of one joint choice per price."""
    asks = [
        (column[rows], (predictor.alone(g) + predictor.demands[g].step_air_s)[rows])
        for g, (column, rows) in enumerate(zip(predictor.objective, fronts, strict=True))
    ]
    choices = np.array(
        [[rows[int(np.argmin(cost + price * seconds))]
          for rows, (cost, seconds) in zip(fronts, asks, strict=True)] for price in _PRICES]
    )  # fmt: skip
    predicted = predictor.predict(choices)
    cost = np.where(predicted.feasible, predicted.server_s, np.inf)
    best = int(np.argmin(cost))
    return tuple(choices[best].tolist()) if np.isfinite(cost[best]) else None


def _ascend(predictor: Predictor, fronts: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """Joint choices by objective, from a heap of positions along the fronts."""
    costs = [
        [float(column[row]) for row in rows]
        for column, rows in zip(predictor.objective, fronts, strict=True)
    ]
    start = (0,) * len(fronts)
    heap = [(math.fsum(cost[0] for cost in costs), start)]
    seen = {start}
    while heap:
        _, at = heapq.heappop(heap)
        yield tuple(rows[i] for rows, i in zip(fronts, at, strict=True))
        for g in range(len(fronts)):
            further = (*at[:g], at[g] + 1, *at[g + 1 :])
            if further[g] < len(fronts[g]) and further not in seen:
                seen.add(further)
                cost = math.fsum(one[i] for one, i in zip(costs, further, strict=True))
                heapq.heappush(heap, (cost, further))
