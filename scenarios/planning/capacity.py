"""The largest number of devices within a goal, with an interval: bracket, then refine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scenarios.planning.crossing import Crossing, crossing
from scenarios.planning.goal import Goal
from scenarios.planning.probe import Probe
from scenarios.planning.refusal import Refusal
from sim import Source, SystemSpec
from sim.replicate import Play

_PILOTS = 3
_POINTS = 5
_DROP = 0.15


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When the search is content, and when it gives up; nothing here looks at a clock."""

    half_width: float = 0.01
    n_runs: int = 10
    max_runs: int = 200
    max_devices: int = 100_000
    max_requests: float = 2e7

    def __post_init__(self) -> None:
        if not 0.0 < self.half_width < 1.0:
            raise ValueError(f"half_width must be within (0, 1), got {self.half_width}")
        if not 3 <= self.n_runs <= self.max_runs:
            raise ValueError(
                f"n_runs must be within [3, max_runs={self.max_runs}], got {self.n_runs}"
            )

    def target(self, n_devices: float) -> float:
        """The half-width asked for, in devices: a share of N*, at least one device."""
        return max(1.0, self.half_width * n_devices)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """N* with its interval at the spec's confidence, conditional on the sources' rows.

    `root`: where the fitted mean curve meets the limit, before rounding down; `monotone`: the
    isotonic fit agrees; `requests`: simulated requests that the answer cost.
    """

    goal: Goal
    n_star: int
    n_star_lo: int
    n_star_hi: int
    root: Crossing
    points: tuple[int, ...]
    n_runs: int
    requests: int

    @property
    def monotone(self) -> bool:
        """Whether the isotonic fit crosses within the interval."""
        return self.root.monotone


def capacity(
    spec: SystemSpec,
    sources: Mapping[str, Source],
    goal: Goal,
    *,
    budget: Budget | None = None,
    play: Play | None = None,
) -> Capacity:
    """Largest `fleet.n_devices` whose mean excess over replications is not above the goal.

    Doubling from one device and bisection by a few pilot runs give a bracket; five points around
    it, all replications on common random numbers, give the crossing; runs are added until the
    half-width is `budget.half_width` of N* (at least one device). The same spec and seed give the
    same answer on any machine. Approximation: a quantile of a run is biased by O(1 / requests),
    so `spec.horizon_s` should hold some thousand requests near N*.

    Raises:
        Refusal: one device misses the goal, no number of devices does, or the budget ended.
    """
    budget = budget or Budget()
    probe = Probe(spec, sources, goal, play=play, max_requests=budget.max_requests)
    low, high = _bracket(probe, budget)
    return _refined(probe, low, high, budget, spec.confidence)


def _bracket(probe: Probe, budget: Budget) -> tuple[int, int]:
    """Neighbouring numbers of devices, about 4 % apart, within and beyond the goal."""
    first = probe.mean(1, _PILOTS)
    if first > 0.0:
        grows = "; its queue grows without end" if probe.saturated(1) else ""
        raise Refusal(f"even one device misses {probe.goal}: excess {first:+.3g} at N = 1{grows}")
    low, high = 1, 2
    while probe.mean(high, _PILOTS) <= 0.0:
        if high >= budget.max_devices:
            raise Refusal(f"{probe.goal} still holds at max_devices = {budget.max_devices}")
        low, high = high, min(2 * high, budget.max_devices)
    while high - low > max(1, 0.04 * low):
        middle = (low + high) // 2
        if probe.mean(middle, _PILOTS) <= 0.0:
            low = middle
        else:
            high = middle
    return low, high


def _refined(probe: Probe, low: int, high: int, budget: Budget, confidence: float) -> Capacity:
    """Runs are added until the crossing is known to the half-width asked for."""
    n_runs = budget.n_runs
    points, found = _bounded(probe, 0.5 * (low + high), max(2.0, high - low), n_runs, confidence)
    reach = max(2.0, _DROP / found.slope) if found.slope > 0.0 else math.inf
    if points[-1] - points[0] > 4.0 * reach:  # a parabola is too stiff for so wide a stretch
        points, found = _bounded(probe, found.root, reach, n_runs, confidence)
    while found.half_width > budget.target(found.root):
        if n_runs >= budget.max_runs:
            raise Refusal(
                f"max_runs = {budget.max_runs} ended the search: N* in [{found.lo:.1f},"
                f" {found.hi:.1f}], asked for +-{budget.target(found.root):.1f}"
            )
        more = n_runs * (found.half_width / budget.target(found.root)) ** 2
        n_runs = min(budget.max_runs, max(n_runs + 1, math.ceil(more)))
        centre, reach = 0.5 * (points[0] + points[-1]), 0.5 * (points[-1] - points[0])
        points, found = _bounded(probe, centre, reach, n_runs, confidence)
    return _capacity(probe, found, points, n_runs)


def _bounded(
    probe: Probe, centre: float, reach: float, n_runs: int, confidence: float
) -> tuple[tuple[int, ...], Crossing]:
    """Points around the centre, moved and spread until they bound the interval on both sides."""
    while True:
        points = _points(centre, reach)
        excess = probe.excess(points, n_runs)
        if not np.isfinite(excess).all():
            raise Refusal(
                f"{probe.goal} has no value between {points[0]} and {points[-1]} devices:"
                " some runs answered no request; a longer horizon_s may help"
            )
        found = crossing(np.array(points, float), excess, confidence)
        if math.isfinite(found.half_width):
            return points, found
        if reach > 2.0 * centre + 8.0:
            raise Refusal(
                f"{probe.goal} is crossed nowhere between {points[0]} and {points[-1]} devices,"
                f" by {n_runs} runs"
            )
        centre = min(max(1.0, found.root), float(points[-1]))
        reach *= 1.5


def _points(centre: float, reach: float) -> tuple[int, ...]:
    """Up to five numbers of devices around the centre, none below one."""
    spread = np.linspace(centre - reach, centre + reach, _POINTS)
    return tuple(sorted({max(1, round(value)) for value in spread.tolist()}))


def _capacity(probe: Probe, found: Crossing, points: tuple[int, ...], n_runs: int) -> Capacity:
    n_star = math.floor(found.root)
    within = [n for n in points if n <= n_star]
    if any(probe.saturated(n) for n in within):
        raise Refusal(
            f"{probe.goal} holds at {within[-1]} devices only because the run ends: the queue"
            " grows without end; raise horizon_s"
        )
    return Capacity(
        goal=probe.goal,
        n_star=n_star,
        n_star_lo=math.floor(found.lo),
        n_star_hi=math.floor(found.hi),
        root=found,
        points=points,
        n_runs=n_runs,
        requests=probe.requests,
    )
