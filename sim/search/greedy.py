"""Greedy: from the fastest option downhill in server seconds, one step on one axis at a time."""

import numpy as np

from sim.search.decision import Decision
from sim.search.lone import decide_groups
from sim.search.predict import Predictor
from sim.search.problem import Options, Problem


def search(problem: Problem) -> Decision:
    """Start at the least latency without waits among what accuracy and memory allow; then descend.

    Neighbours differ by one step in the cut, the setting or the length. It stops where no feasible
    neighbour costs the server less.
    """
    return decide_groups("greedy", problem, _descend)


def neighbours(options: Options, row: int) -> list[int]:
    """Rows whose cut, setting or length is the next one up or down, the other two equal.

    Cuts that know other settings (input, output) are reached from any setting.
    """
    axes = (options.depth, options.harshness, options.tokens)
    near: set[int] = set()
    for axis in axes:
        others = [other for other in axes if other is not axis]
        same = np.all([other == other[row] for other in others], axis=0)
        if axis is options.depth:
            same = options.tokens == options.tokens[row]
        for step in (axis > axis[row], axis < axis[row]):
            rows = np.flatnonzero(same & step)
            if not len(rows):
                continue
            nearest = rows[np.argmin(np.abs(axis[rows] - axis[row]))]
            level = rows[axis[rows] == axis[nearest]]
            gap = np.abs(options.harshness[level] - options.harshness[row])
            near.add(int(level[np.argmin(gap)]))
    return sorted(near)


def _descend(predictor: Predictor) -> int | None:
    group = predictor.problem.groups[0]
    options, limits = group.options, group.limits
    fits = (options.drop_pp <= limits.drop_pp) & (options.memory_bytes <= limits.memory_bytes)
    if not fits.any():
        return None
    here = int(np.argmin(np.where(fits, predictor.alone(0), np.inf)))
    if not predictor.predict(np.array([[here]])).feasible[0]:
        return None
    cost = predictor.objective[0]
    while True:
        near = [row for row in neighbours(options, here) if cost[row] < cost[here]]
        near.sort(key=lambda row: float(cost[row]))
        at = predictor.first(np.array(near)[:, None]) if near else None
        if at is None:
            return here
        here = near[at]
