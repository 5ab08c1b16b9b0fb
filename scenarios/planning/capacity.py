"""The largest number of devices within the goals, with an interval: bracket, then refine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scenarios.planning.budget import Budget
from scenarios.planning.crossing import Crossing, crossing
from scenarios.planning.goal import Goal
from scenarios.planning.guess import guess
from scenarios.planning.pace import lasting, warmed
from scenarios.planning.points import around, extended, open_sides
from scenarios.planning.probe import Player, Probe
from scenarios.planning.refusal import Refusal
from sim import Estimate, Source, SystemSpec
from sim.statistics import replication_interval

_PILOTS = 3
_SCOUTS = 4
_WIDE, _NARROW = 5, 3
_DROP = 0.15
_APART = 0.04
_EXTENSIONS = 5

Report = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """N* with its interval at the spec's confidence, conditional on the sources' rows.

    `goal`: the one that limits; `root`: where the fitted mean curve meets the limit, before
    rounding down; `points`: the numbers of devices that were played, `curve`: the goal's figure
    there; `n_runs`: replications of the points around N* (the scouts at the others had fewer);
    `collapsed`: of them the most at one point that fell into a far worse regime than the others;
    `throughput_rps`: at the least point around N*; `spec`: the system with the lengths of run that
    were played; `requests`: simulated requests that the answer cost.
    """

    goal: Goal
    n_star: int
    n_star_lo: int
    n_star_hi: int
    root: Crossing
    points: tuple[int, ...]
    n_runs: int
    collapsed: int
    requests: int
    throughput_rps: float
    curve: tuple[Estimate, ...]
    spec: SystemSpec = field(repr=False)

    @property
    def monotone(self) -> bool:
        """Whether the isotonic fit crosses within the interval."""
        return self.root.monotone


def alone(tasks: object) -> list[object]:
    """Play tasks here, one after the other."""
    return [task() for task in tasks]  # type: ignore[attr-defined]


def capacity(
    spec: SystemSpec,
    sources: Mapping[str, Source],
    goals: Goal | Sequence[Goal],
    *,
    budget: Budget | None = None,
    play: Player | None = None,
    start: int | None = None,
    report: Report | None = None,
) -> Capacity:
    """Largest `fleet.n_devices` at which the pooled figure of no goal is above its limit.

    From a closed-form guess (or `start`) geometric steps and bisection by a few short pilot runs
    give a bracket. In it a few scouts at five points, then `budget.n_runs` replications at three
    around what they found, all on common random numbers and each of `budget.requests_per_run`
    behind a warm-up found by MSER-5, give the crossing; runs are added until the half-width is
    `budget.half_width` of N* (at least one device). The same spec and
    seed give the same answer on any machine. Only a system with a timetable (failures, churn,
    outages, replay, terminating runs) keeps its own `horizon_s` and `warmup_s`.

    Raises:
        Refusal: one device misses a goal, no number of devices does, or the budget ended.
    """
    wanted = (goals,) if isinstance(goals, Goal) else tuple(goals)
    search = _Search(spec, sources, wanted, budget or Budget(), play or alone, report)
    return search.refined(*search.bracket(start))


class _Search:
    """One search: what was spent, and how far it has come."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Mapping[str, Source],
        goals: tuple[Goal, ...],
        budget: Budget,
        play: Player,
        report: Report | None,
    ) -> None:
        self._spec, self._sources, self._goals = spec, sources, goals
        self._budget, self._play = budget, play
        self._report = report or (lambda done, total: None)
        self._requests = 0
        self._per_device_rps = 0.0
        self._grows = False

    def bracket(self, start: int | None) -> tuple[int, int]:
        """Numbers of devices about 4 % apart, within and beyond the goals."""
        first, goal = self._pilot(1)
        if first > 0.0:
            raise Refusal(f"even one device misses {goal}: {self._why(first, goal)}")
        most = self._budget.max_devices
        low, high = 1, min(most, max(2, start or guess(self._spec, self._sources) or 2))
        value, _ = self._pilot(high)
        while value <= 0.0:
            if high >= most:
                raise Refusal(f"{_all(self._goals)} still holds at max_devices = {most}")
            low, high = (
                high,
                min(most, max(high + 1, math.ceil(1.25 * high)) if start else 2 * high),
            )
            value, _ = self._pilot(high)
        step = 1.1
        while high - low > max(1.0, _APART * low):
            middle = (low + high) // 2 if low > 1 else max(low + 1, round(high / step))
            step = min(2.0, step**2)
            value, _ = self._pilot(min(middle, high - 1))
            low, high = (middle, high) if value <= 0.0 else (low, middle)
        return low, high

    def refined(self, low: int, high: int) -> Capacity:
        """A few scouts over the bracket say where three points are enough for a local parabola;
        there runs are added until the crossing is known to the half-width asked for.
        """
        budget, target = self._budget, self._budget.target
        spec = lasting(self._spec, budget.requests_per_run, self._per_device_rps * low, low)
        fleet = replace(spec.fleet, n_devices=low)
        spec, cost = warmed(replace(spec, fleet=fleet), self._sources, play=self._play)
        self._requests += cost
        probe = Probe(spec, self._sources, self._goals, play=self._play)
        centre, reach = 0.5 * (low + high), max(2.0, high - low)
        scouts = min(_SCOUTS, budget.n_runs)
        points = around(centre, reach, _WIDE)
        _, _, found = self._bounded(probe, points, scouts, whole=False)
        reach = min(_DROP / found.slope if found.slope > 0.0 else reach, 3.0 * target(found.root))
        points, n_runs = around(found.root, max(2.0, reach), _NARROW), budget.n_runs
        goal, points, found = self._bounded(probe, points, n_runs)
        while not found.half_width <= target(found.root):
            if math.isfinite(found.half_width) and _collapsed(probe, points, goal):
                break  # which of two regimes a run is in is chance: no number of runs narrows that
            if n_runs >= budget.max_runs:
                raise Refusal(
                    f"max_runs = {budget.max_runs} ended the search: N* in [{found.lo:.1f},"
                    f" {found.hi:.1f}], asked for +-{target(found.root):.1f}"
                )
            more = n_runs * min(2.0, (found.half_width / target(found.root)) ** 2)
            n_runs = min(budget.max_runs, max(n_runs + 1, math.ceil(more)))
            self._report(0, n_runs)
            goal, points, found = self._bounded(probe, points, n_runs)
        return self._capacity(probe, found, points, n_runs, goal)

    def _pilot(self, n_devices: int) -> tuple[float, Goal]:
        """The worst excess of a few short runs."""
        spec = self._spec
        if n_devices > 1:
            rate_rps = self._per_device_rps * n_devices
            spec = lasting(spec, self._budget.pilot_requests, rate_rps, n_devices)
        probe = Probe(spec, self._sources, self._goals, play=self._play)
        found = probe.worst(n_devices, _PILOTS)
        self._spend(probe.requests, n_devices)
        if n_devices == 1 or found[0] <= 0.0:  # one that collapsed would ask for endless runs
            self._per_device_rps = probe.throughput_rps(n_devices) / n_devices
        self._grows = probe.saturated(n_devices)
        return found

    def _spend(self, requests: int, n_devices: float) -> None:
        self._requests += requests
        if self._requests > self._budget.max_requests:
            raise Refusal(
                f"the budget of {self._budget.max_requests:g} requests ended the search after"
                f" {self._requests}, at N = {n_devices:.0f}"
            )

    def _why(self, excess: float, goal: Goal) -> str:
        if self._grows:
            return "its queue grows without end at N = 1"
        return f"{goal.value(excess):.3g} at N = 1"

    def _bounded(
        self,
        probe: Probe,
        points: tuple[int, ...],
        n_runs: int,
        *,
        whole: bool = True,
    ) -> tuple[Goal, tuple[int, ...], Crossing]:
        """The goal that is missed first and its crossing, by these points and further ones until
        they bound its whole interval (as far as a few more can: then more runs are needed), or at
        least itself.
        """
        for extension in range(_EXTENSIONS):
            goal, excess, found = self._limiting(probe, points, n_runs)
            below, above = open_sides(points, excess, found, whole=whole)
            if not (below or above) or (whole and extension == _EXTENSIONS - 1):
                return goal, points, found
            points = extended(points, below, above, 1 + extension)
        raise Refusal(
            f"{goal} is crossed nowhere between {points[0]} and {points[-1]} devices,"
            f" by {n_runs} runs"
        )

    def _limiting(
        self, probe: Probe, points: tuple[int, ...], n_runs: int
    ) -> tuple[Goal, NDArray[np.float64], Crossing]:
        """The goal with the least crossing, its excess [runs, points] and that crossing."""
        before = probe.requests
        each = []
        for goal in self._goals:
            excess = probe.excess(points, n_runs, goal)
            if not np.isfinite(excess).all():
                raise Refusal(
                    f"{goal} has no value between {points[0]} and {points[-1]} devices:"
                    " some runs answered no request; a longer horizon_s may help"
                )
            found = crossing(np.array(points, float), excess, probe.spec.confidence)
            each.append((goal, excess, found))
        self._spend(probe.requests - before, points[-1])
        return min(each, key=lambda one: one[2].root)

    def _capacity(
        self, probe: Probe, found: Crossing, points: tuple[int, ...], n_runs: int, goal: Goal
    ) -> Capacity:
        n_star = math.floor(found.root)
        within = [n for n in points if n <= n_star]
        if any(probe.saturated(n) for n in within):
            raise Refusal(
                f"{goal} holds at {within[-1]} devices only because the run ends: the queue"
                " grows without end; raise requests_per_run or horizon_s"
            )
        return Capacity(
            goal=goal,
            n_star=n_star,
            n_star_lo=math.floor(found.lo),
            n_star_hi=math.floor(found.hi),
            root=found,
            points=probe.played,
            n_runs=n_runs,
            collapsed=_collapsed(probe, points, goal),
            requests=self._requests,
            throughput_rps=probe.throughput_rps(points[0]),
            curve=_curve(probe, goal),
            spec=probe.spec,
        )


def _collapsed(probe: Probe, points: Sequence[int], goal: Goal) -> int:
    """The most runs at one of the points that lie far beyond the others."""
    return max(probe.apart(n, goal) for n in points)


def _curve(probe: Probe, goal: Goal) -> tuple[Estimate, ...]:
    """The goal's figure at every point, pooled over its runs, with its interval."""
    found = []
    for n in probe.played:
        column = probe.excess((n,), probe.n_runs(n), goal)[:, 0]
        ends = replication_interval(column, probe.spec.confidence)
        mean, lo, hi = (goal.value(end) for end in ends)
        found.append(Estimate(mean=mean, lo=lo, hi=hi))
    return tuple(found)


def _all(goals: Sequence[Goal]) -> str:
    return " and ".join(map(str, goals))
