"""The largest number of devices within the goals, with an interval: bracket, then refine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sim import Estimate, SystemSpec
from sim.planning.bound import stability
from sim.planning.budget import Budget
from sim.planning.crossing import Crossing
from sim.planning.goal import Goal
from sim.planning.guess import demands, guess
from sim.planning.pace import set_length, warm_up
from sim.planning.probe import Player, Probe
from sim.planning.refine import Refined, Refinement
from sim.planning.refusal import Missed, Refusal, say_missed
from sim.sources.sessions import steps_of
from sim.sources.source import Sources
from sim.statistics import replication_interval

_PILOTS = 3
_APART = 0.04


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """N* with its interval at the spec's confidence, conditional on the sources' rows.

    `goal`: the one that limits; `root`: where the fitted mean curve meets the limit, before
    rounding down; `points`: the numbers of devices that were played, `curve`: the goal's figure
    there by so many `runs`; `n_runs`: those of the points around N* (the scouts had fewer);
    `collapsed`: of them the most at one point that fell into a far worse regime than the others;
    `throughput_rps`: at the least point around N*; `stable`: the N beyond which a queue grows
    without end, at which N* is capped, infinite where none is known; `spec`: the system with the
    lengths of run that were played; `requests`: simulated requests that the answer cost.
    """

    goal: Goal
    n_star: int
    n_star_lo: int
    n_star_hi: int
    root: Crossing
    points: tuple[int, ...]
    runs: tuple[int, ...]
    n_runs: int
    collapsed: int
    requests: int
    throughput_rps: float
    curve: tuple[Estimate, ...]
    stable: float
    spec: SystemSpec = field(repr=False)

    @property
    def monotone(self) -> bool:
        """Whether the isotonic fit crosses within the interval."""
        return self.root.monotone


def play_in_turn(tasks: object) -> list[object]:
    """Play tasks here, one after the other."""
    return [task() for task in tasks]  # type: ignore[attr-defined]


def capacity(
    spec: SystemSpec,
    sources: Sources,
    goals: Goal | Sequence[Goal],
    *,
    budget: Budget | None = None,
    play: Player | None = None,
) -> Capacity:
    """Largest `fleet.n_devices` at which the pooled figure of no goal is above its limit.

    From a closed-form guess geometric steps and bisection by a few short pilot runs
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
    steps = max(steps_of(source) for source in sources.values())
    fitting = (budget or Budget()).for_sessions(steps)
    search = _Search(spec, sources, wanted, fitting, play or play_in_turn)
    return search.refine(*search.bracket())


class _Search:
    """One search: what was spent, and how far it has come."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Sources,
        goals: tuple[Goal, ...],
        budget: Budget,
        play: Player,
    ) -> None:
        self._spec, self._sources, self._goals = spec, sources, goals
        self._budget, self._play = budget, play
        self._requests = 0
        self._stable = stability(spec, sources)
        alone = demands(spec, sources)
        self._per_device_rps = alone.rate_rps if alone else 0.0
        self._grows = False

    def bracket(self) -> tuple[int, int]:
        """Numbers of devices about 4 % apart, within and beyond the goals."""
        first, goal = self._pilot(1)
        if first > 0.0:
            raise Missed(say_missed(goal, first, grows=self._grows))
        most = self._budget.max_devices
        low, high = 1, min(most, max(2, guess(self._spec, self._sources) or 2))
        value, _ = self._pilot(high)
        while value <= 0.0:
            if high >= most:
                raise Refusal(f"{_all(self._goals)} still holds at max_devices = {most}")
            low, high = high, min(most, 2 * high)
            value, _ = self._pilot(high)
        step = 1.1
        while high - low > max(1.0, _APART * low):
            middle = (low + high) // 2 if low > 1 else max(low + 1, round(high / step))
            step = min(2.0, step**2)
            value, _ = self._pilot(min(middle, high - 1))
            low, high = (middle, high) if value <= 0.0 else (low, middle)
        return low, high

    def refine(self, low: int, high: int) -> Capacity:
        """The crossing within the bracket, known to the half-width asked for."""
        budget = self._budget
        rate_rps = self._per_device_rps * low
        spec = set_length(self._spec, budget.requests_per_run, rate_rps, low, self._goals)
        fleet = replace(spec.fleet, n_devices=low)
        spec, cost = warm_up(replace(spec, fleet=fleet), self._sources, play=self._play)
        self._requests += cost
        probe = Probe(spec, self._sources, self._goals, play=self._play)
        refinement = Refinement(probe, self._goals, _Devices(), budget, self._spend)
        centre, reach = 0.5 * (low + high), max(2.0, high - low)
        return self._capacity(probe, refinement.cross(centre, reach, budget.target))

    def _pilot(self, n_devices: int) -> tuple[float, Goal]:
        """The worst excess of a few short runs; infinite where the queue grows without end, which
        a run may be too short to show.
        """
        if n_devices > self._stable:
            self._grows = True
            return math.inf, self._goals[0]
        requests, rate_rps = self._budget.pilot_requests, self._per_device_rps * n_devices
        spec = set_length(self._spec, requests, rate_rps, n_devices, self._goals)
        probe = Probe(spec, self._sources, self._goals, play=self._play)
        excess, goal = probe.worst(n_devices, _PILOTS)
        self._spend(probe.requests, n_devices)
        self._grows = probe.is_saturated(n_devices)
        if self._grows:
            return math.inf, goal
        if n_devices == 1 or excess <= 0.0:  # one that collapsed would ask for endless runs
            self._per_device_rps = probe.throughput_rps(n_devices) / n_devices
        return excess, goal

    def _spend(self, requests: int, n_devices: float) -> None:
        self._requests += requests
        if self._requests > self._budget.max_requests:
            raise Refusal(
                f"the budget of {self._budget.max_requests:g} requests ended the search after"
                f" {self._requests}, at N = {n_devices:.0f}"
            )

    def _capacity(self, probe: Probe, refined: Refined) -> Capacity:
        where, points, goal = refined.root.cap(self._stable), refined.points, refined.goal
        n_star = math.floor(where.root)
        within = [n for n in points if n <= n_star]
        if any(probe.is_saturated(n) for n in within):
            raise Refusal(
                f"{goal} holds at {within[-1]} devices only because the run ends: the queue"
                " grows without end; raise requests_per_run or horizon_s"
            )
        return Capacity(
            goal=goal,
            n_star=n_star,
            n_star_lo=math.floor(where.lo),
            n_star_hi=math.floor(where.hi),
            root=where,
            points=probe.played,
            runs=tuple(probe.n_runs(n) for n in probe.played),
            n_runs=refined.n_runs,
            collapsed=refined.collapsed,
            requests=self._requests,
            throughput_rps=probe.throughput_rps(points[0]),
            curve=_curve(probe, goal),
            stable=self._stable,
            spec=probe.spec,
        )


class _Devices:
    """Numbers of devices, as a refinement says them."""

    def between(self, low: int, high: int) -> str:
        return f"{low} and {high} devices"

    def say_reached(self, where: Crossing, target: float) -> str:
        return f"N* in [{where.lo:.1f}, {where.hi:.1f}], asked for +-{target:.1f}"


def _curve(probe: Probe, goal: Goal) -> tuple[Estimate, ...]:
    """The goal's figure at every point, pooled over its runs, with its interval."""
    estimates = []
    for n in probe.played:
        column = probe.excess((n,), probe.n_runs(n), goal)[:, 0]
        ends = replication_interval(column, probe.spec.confidence)
        mean, lo, hi = (goal.value(end) for end in ends)
        estimates.append(Estimate(mean=mean, lo=lo, hi=hi))
    return tuple(estimates)


def _all(goals: Sequence[Goal]) -> str:
    return " and ".join(map(str, goals))
