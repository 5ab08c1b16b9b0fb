"""Refine: where a curve crosses its limit, with points and runs added until that is known well."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.planning.limits.budget import Budget, Refusal
from sim.planning.limits.goal import Goal
from sim.planning.search.crossing import Crossing, around, crossing, extend, open_sides

_SCOUTS = 4
_WIDE, _NARROW = 5, 3
_DROP = 0.15
_EXTENSIONS = 5

Spend = Callable[[int, float], None]
"""Takes the requests that were simulated and the last point; refuses where the budget ends."""


class Curve(Protocol):
    """The excess over goals by point and replication; it rises, and each run is played once."""

    @property
    def requests(self) -> int:
        """Simulated so far."""

    @property
    def confidence(self) -> float:
        """Of the interval."""

    def excess(self, points: Sequence[int], n_runs: int, goal: Goal) -> NDArray[np.float64]:
        """Excess over one goal [n_runs, len(points)]."""

    def count_apart(self, point: int, goal: Goal) -> int:
        """Runs at a point that fell into a far worse regime than the others."""


class Falling:
    """A curve turned over: it rises through the limit where the other falls."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    @property
    def requests(self) -> int:
        """Simulated so far."""
        return self._curve.requests

    @property
    def confidence(self) -> float:
        """Of the interval."""
        return self._curve.confidence

    def excess(self, points: Sequence[int], n_runs: int, goal: Goal) -> NDArray[np.float64]:
        """By how much a goal is undercut [n_runs, len(points)]."""
        return -self._curve.excess(points, n_runs, goal)

    def count_apart(self, point: int, goal: Goal) -> int:
        """Runs at a point that fell into a far worse regime than the others."""
        return self._curve.count_apart(point, goal)


class Axis(Protocol):
    """What the points are, as a person says it."""

    def between(self, low: int, high: int) -> str:
        """Two points and their unit."""

    def say_reached(self, where: Crossing, target: float) -> str:
        """How far a search came, and how far it should have come."""


@dataclass(frozen=True, kw_only=True)
class Refined:
    """The goal that is missed first, where, and by which points and runs.

    `collapsed`: the most runs at one of the points that fell into a far worse regime.
    """

    goal: Goal
    root: Crossing
    points: tuple[int, ...]
    n_runs: int
    collapsed: int


class Refinement:
    """One curve, its goals, and what may be spent on it."""

    def __init__(
        self, curve: Curve, goals: Sequence[Goal], axis: Axis, budget: Budget, spend: Spend
    ) -> None:
        self._curve, self._goals, self._axis = curve, tuple(goals), axis
        self._budget, self._spend = budget, spend

    def cross(self, centre: float, reach: float, target: Callable[[float], float]) -> Refined:
        """A few scouts within `reach` of the centre say where three points are enough for a local
        parabola; there runs are added until the crossing is known to `target` of it.

        Raises:
            Refusal: nothing is crossed there, or the budget ended.
        """
        budget, bracket = self._budget, reach
        scouts = min(_SCOUTS, budget.n_runs)
        _, _, where = self._bound(around(centre, reach, _WIDE), scouts, whole=False)
        widest = max(2.0, _DROP / where.slope if where.slope > 0.0 else reach)
        reach = max(2.0, min(widest, 3.0 * target(_finite(where.root, centre))))
        centre = _finite(where.root, centre)
        points, n_runs = around(centre, reach, _NARROW), budget.n_runs
        goal, points, where = self._bound(points, n_runs)
        while not _is_known(where, target):
            collapsed = self._count_collapsed(points, goal)
            if math.isfinite(where.half_width) and collapsed:
                break  # which of two regimes a run is in is chance: no number of runs narrows that
            most = max(widest, bracket) if collapsed else widest
            if not math.isfinite(where.half_width) and reach < most and math.isfinite(where.root):
                reach = min(most, 3.0 * reach)  # so close together, points bound nothing
                goal, points, where = self._bound(around(where.root, reach, _NARROW), n_runs)
                continue
            if n_runs >= budget.max_runs or collapsed:
                raise Refusal(self._end(where, target(where.root), collapsed, n_runs))
            more = min(2.0, (where.half_width / target(where.root)) ** 2)
            n_runs = min(budget.max_runs, max(n_runs + 1, math.ceil(n_runs * _finite(more, 2.0))))
            goal, points, where = self._bound(points, n_runs)
        return Refined(
            goal=goal,
            root=where,
            points=points,
            n_runs=n_runs,
            collapsed=self._count_collapsed(points, goal),
        )

    def _bound(
        self, points: tuple[int, ...], n_runs: int, *, whole: bool = True
    ) -> tuple[Goal, tuple[int, ...], Crossing]:
        """The goal that is missed first and its crossing, by these points and further ones until
        they bound its whole interval (as far as a few more can: then more runs are needed), or at
        least itself.
        """
        for extension in range(_EXTENSIONS):
            goal, excess, where = self._find_limiting(points, n_runs)
            below, above = open_sides(points, excess, where, whole=whole)
            if not (below or above) or (whole and extension == _EXTENSIONS - 1):
                return goal, points, where
            points = extend(points, below, above, 1 + extension if whole else 2**extension)
        raise Refusal(
            f"{goal} is not crossed between {self._axis.between(points[0], points[-1])},"
            f" by {n_runs} runs"
        )

    def _find_limiting(
        self, points: tuple[int, ...], n_runs: int
    ) -> tuple[Goal, NDArray[np.float64], Crossing]:
        """The goal with the least crossing, its excess [runs, points] and that crossing."""
        before = self._curve.requests
        each = []
        for goal in self._goals:
            excess = self._curve.excess(points, n_runs, goal)
            if not np.isfinite(excess).all():
                raise Refusal(
                    f"{goal} has no value between {self._axis.between(points[0], points[-1])}:"
                    " some runs answered no request; a longer horizon_s may help"
                )
            where = crossing(np.array(points, float), excess, self._curve.confidence)
            each.append((goal, excess, where))
        self._spend(self._curve.requests - before, points[-1])
        return min(each, key=lambda one: one[2].root)

    def _end(self, where: Crossing, target: float, collapsed: int, n_runs: int) -> str:
        """Why the search ends without an answer, and how far it came."""
        reached = self._axis.say_reached(where, target)
        if collapsed:
            return f"two regimes, between which chance decides, ended the search: {reached}"
        return f"max_runs = {n_runs} ended the search: {reached}"

    def _count_collapsed(self, points: Sequence[int], goal: Goal) -> int:
        """The most runs at one of the points that lie far beyond the others."""
        return max(self._curve.count_apart(point, goal) for point in points)


def _is_known(where: Crossing, target: Callable[[float], float]) -> bool:
    """Whether the interval is bounded and narrow enough."""
    return math.isfinite(where.half_width) and where.half_width <= target(where.root)


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
