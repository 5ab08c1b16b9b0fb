"""The largest number of devices within the goals, with an interval: bracket, then refine."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim import SystemSpec
from sim.places import groups_of
from sim.planning.forecast.demands import guess, sent_share
from sim.planning.forecast.losses import refuse_lost
from sim.planning.limits.budget import Budget, Missed, Refusal, Spent
from sim.planning.limits.goal import Goal
from sim.planning.runs.pace import (
    refuse_long,
    refuse_replay,
    set_length,
    warm_up,
    without_faults,
)  # fmt: skip
from sim.planning.runs.probe import Player, Probe, play_in_turn
from sim.planning.search.answer import Capacity, Least
from sim.planning.search.bracket import Bracket, Pilots
from sim.planning.search.crossing import Crossing, around
from sim.planning.search.refine import Curve, Falling, Refinement
from sim.planning.search.regimes import Regimes, SafeSearch
from sim.sources.sessions import steps_of
from sim.sources.source import Sources

_SCOUTS, _WIDE, _POINTS = 4, 5, 3
_BELOW = 0.95


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
    outages, terminating runs) keeps its own `horizon_s` and `warmup_s`; its N* is never more than
    that of the same system without failures, churn and outages.

    Raises:
        Refusal: no number of devices meets the goals, every one does, the requests are a replay,
            whose times do not grow with the devices, or the budget ended.
    """
    refuse_replay(group.workload or spec.workload for group in groups_of(spec).values())
    wanted = (goals,) if isinstance(goals, Goal) else tuple(goals)
    refuse_lost(spec, sources, wanted)
    steps = max(steps_of(source) for source in sources.values())
    fitting = (budget or Budget()).for_sessions(steps)
    near = guess(spec, sources)
    refuse_long(spec, sources, near, _POINTS * fitting.n_runs, fitting.max_requests)
    found = _Search(spec, sources, wanted, fitting, play or play_in_turn).find()
    quiet = without_faults(spec)
    if quiet == spec:
        return found
    search = _Search(quiet, sources, wanted, fitting, play or play_in_turn)
    try:
        calm = search.find()
    except Missed:
        raise
    except Refusal:  # no answer there bounds nothing here
        return replace(found, requests=found.requests + search.requests)
    return found.cap(calm)


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
        self._pilots = Pilots(spec, sources, goals, budget, play=play, spend=self._spend)
        self.requests = 0

    def find(self) -> Capacity:
        """The whole answer."""
        least = self._pilots.find_least()
        most = self._pilots.find_most(1 if least is None else least.within)
        found = self._refine(most)
        if least is None:
            return found
        return replace(found, least=self._refine_least(least), requests=self.requests)

    def _refine(self, bracket: Bracket) -> Capacity:
        """The crossing within the bracket, known to the half-width asked for; of two regimes the
        safe number.
        """
        probe = self._settle(bracket.within)
        refinement = self._refinement(probe, probe, self._goals)
        centre, reach = _middle(bracket)
        regimes = self._scout(probe, around(centre, reach, _WIDE))
        if regimes is not None:
            goal = probe.worst(regimes.n_safe, 1)[1]
            return self._build(probe, goal, _at(regimes, probe, goal), 0, regimes)
        try:
            refined = refinement.cross(centre, reach, self._budget.target)
        except Refusal as refusal:
            regimes = self._find_safe(probe)
            if regimes is None:
                raise type(refusal)(f"{refusal}{self._pilots.say_choice()}") from None
            goal = probe.worst(regimes.n_safe, 1)[1]
            return self._build(probe, goal, _at(regimes, probe, goal), 0, regimes)
        regimes = self._find_safe(probe) if refined.collapsed else None
        if regimes is None:
            root = refined.root.cap(self._pilots.stable)
            return self._build(probe, refined.goal, root, refined.collapsed, None)
        at = _at(regimes, probe, refined.goal)
        return self._build(probe, refined.goal, at, refined.collapsed, regimes)

    def _scout(self, probe: Probe, points: Sequence[int]) -> Regimes | None:
        """Whether the first few runs of a refinement already tell of two regimes."""
        before = probe.requests
        probe.listen(points, _SCOUTS)
        self._spend(probe.requests - before, points[-1])
        return self._find_safe(probe)

    def _refine_least(self, bracket: Bracket) -> Least:
        """The number of devices from which the goals hold."""
        probe, goal = self._settle(bracket.within), bracket.goal
        refinement = self._refinement(Falling(probe), probe, (goal,))
        refined = refinement.cross(*_middle(bracket), self._budget.target)
        root = refined.root
        n, lo, hi = (max(1, math.ceil(each)) for each in (root.root, root.lo, root.hi))
        return Least(
            goal=goal,
            n=n,
            lo=lo,
            hi=hi,
            points=probe.played,
            runs=tuple(probe.n_runs(n) for n in probe.played),
            curve=probe.curve(goal),
        )

    def _refinement(self, curve: Curve, probe: Probe, goals: Sequence[Goal]) -> Refinement:
        return Refinement(curve, goals, _Devices(), self._budget, self._spend)

    def _settle(self, n: int) -> Probe:
        """Long runs behind a warm-up that fits the system with so many devices."""
        budget, rate_rps = self._budget, self._pilots.per_device_rps * n
        sent, requests = sent_share(self._sources), budget.requests_per_run
        spec = set_length(self._spec, requests, rate_rps, n, self._goals, sent=sent)
        fleet = replace(spec.fleet, n_devices=n)
        spec, cost = warm_up(replace(spec, fleet=fleet), self._sources, play=self._play)
        self.requests += cost
        return Probe(spec, self._sources, self._goals, play=self._play)

    def _find_safe(self, probe: Probe) -> Regimes | None:
        """What longer runs say where some runs have fallen into a far worse regime."""
        apart = [n for n in probe.played if any(probe.count_apart(n, g) for g in self._goals)]
        if not apart:
            return None
        search = SafeSearch(
            probe,
            self._sources,
            n_runs=self._budget.n_runs,
            play=self._play,
            spend=self._spend,
        )
        return search.find(max(apart), self._budget.target)

    def _spend(self, requests: int, n_devices: float) -> None:
        self.requests += requests
        if self.requests > self._budget.max_requests:
            raise Spent(
                f"the budget of {self._budget.max_requests:g} requests ended the search after"
                f" {self.requests}, at N = {n_devices:.0f}"
            )

    def _build(
        self, probe: Probe, goal: Goal, root: Crossing, collapsed: int, regimes: Regimes | None
    ) -> Capacity:
        n_star = math.floor(root.root)
        within = [n for n in probe.played if n <= n_star]
        if any(probe.is_saturated(n) for n in within):
            raise Refusal(
                f"{goal} holds at {within[-1]} devices only because the run ends: the queue"
                " grows without end; raise requests_per_run or horizon_s"
            )
        runs = tuple(probe.n_runs(n) for n in probe.played)
        near = [n for n in probe.played if probe.n_runs(n) == max(runs)]
        return Capacity(
            goal=goal,
            n_star=n_star,
            n_star_lo=math.floor(root.lo),
            n_star_hi=math.floor(root.hi),
            root=root,
            points=probe.played,
            runs=runs,
            n_runs=max(runs),
            collapsed=collapsed,
            requests=self.requests,
            throughput_rps=probe.throughput_rps(near[0]),
            curve=probe.curve(goal),
            stable=self._pilots.stable,
            spec=probe.spec,
            regimes=regimes,
        )


def _middle(bracket: Bracket) -> tuple[float, float]:
    """Centre and reach of the points that look at a bracket."""
    low, high = sorted((bracket.within, bracket.beyond))
    return 0.5 * (low + high), max(2.0, high - low)


def _at(regimes: Regimes, probe: Probe, goal: Goal) -> Crossing:
    """The safe number in the place of a crossing; the slope is that of the figure below it."""
    n = regimes.n_safe
    below = max(1, math.floor(_BELOW * n))
    excess = probe.excess((below, n), _SCOUTS, goal).mean(axis=0) if below < n else np.zeros(2)
    slope = float(excess[1] - excess[0]) / max(1, n - below)
    return Crossing(
        root=float(n), lo=float(regimes.lo), hi=float(regimes.hi), slope=slope, monotone=True
    )


class _Devices:
    """Numbers of devices, as a refinement says them."""

    def between(self, low: int, high: int) -> str:
        return f"{low} and {high} devices"

    def say_reached(self, where: Crossing, target: float) -> str:
        if not math.isfinite(where.half_width):
            return "no interval of N* is bounded by the runs that were played"
        return f"N* in [{where.lo:.1f}, {where.hi:.1f}], asked for +-{target:.1f}"
