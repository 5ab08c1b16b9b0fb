"""Inverse: what is least needed for so many devices, one resource at a time.

Server speed and channel width are factors on what there is, found where the pooled excess over the
goals crosses zero; GPUs and cells are counted, and `spare` of them may fail at once (N + 1).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from sim import SystemSpec
from sim.planning.forecast.demands import demands, sent_share
from sim.planning.limits.budget import Budget, Refusal, Spent, say_missed
from sim.planning.limits.goal import Goal
from sim.planning.runs.levers import faster_server, more_cells, more_gpus, wider_channel
from sim.planning.runs.pace import refuse_long, set_length, warm_up
from sim.planning.runs.probe import Player, Probe
from sim.planning.search.along import UNIT, Along, Change
from sim.planning.search.refine import Refinement
from sim.planning.search.remedy import Held, Inverse, Remedy
from sim.sources.source import Sources
from sim.statistics import replication_interval

_PILOTS = 3
_MOST = 64
_NEAR = 1.05


def inverse(
    spec: SystemSpec,
    sources: Sources,
    goals: Sequence[Goal],
    n_devices: int,
    *,
    spare: int = 0,
    budget: Budget | None = None,
    play: Player,
) -> Inverse:
    """Least server speed, channel width, GPUs and cells at which `n_devices` meet the goals.

    A factor is bracketed by short runs and refined as N* is, until its half-width is
    `budget.half_width` of it; a count holds by `budget.n_runs` runs, and one piece less does not.

    Raises:
        Refusal: no resource by itself is enough, or the budget ended.
    """
    search = _Search(spec, sources, goals, n_devices, budget or Budget(), play)
    remedies = (
        search.factor("server_speed", "server speed", faster_server),
        search.factor("channel_width", "channel width", wider_channel),
        search.count("n_gpus", "GPUs", more_gpus, spare),
        search.count("n_cells", "cells", more_cells, spare),
    )
    if all(remedy.least is None for remedy in remedies):
        raise Refusal(
            f"{search.alone}no server speed, channel width, GPUs or cells up to {_MOST} times as"
            f" many let {n_devices} devices meet {' and '.join(map(str, goals))}, each by itself"
        )
    return Inverse(n_devices=n_devices, remedies=remedies, requests=search.requests)


class _Search:
    """One number of devices: what was spent on it, and how far the search has come."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Sources,
        goals: Sequence[Goal],
        n_devices: int,
        budget: Budget,
        play: Player,
    ) -> None:
        self._spec = replace(spec, fleet=replace(spec.fleet, n_devices=n_devices))
        self._sources, self._goals, self._n = sources, tuple(goals), n_devices
        self._budget, self._play = budget, play
        self.requests = 0
        self._sent = sent_share(sources)
        refuse_long(spec, sources, n_devices, budget.n_runs, budget.max_requests)
        self._far, self._before = "N = 1", list[str]()
        self.alone = ""
        rate_rps = self._one() * n_devices
        self._short = set_length(
            self._spec, budget.pilot_requests, rate_rps, n_devices, self._goals, sent=self._sent
        )

    def factor(self, name: str, words: str, change: Change) -> Remedy:
        """Least factor on a resource that comes in any size."""
        self._far = f"a first look at {words}"
        short = self._along(change, self._short, words)
        nothing, bracket = Remedy(name=name, words=words, unit="x"), self._bracket(short)
        if bracket is None:
            return nothing
        low, high = bracket
        long = self._settle(short, change, high, math.sqrt(low * high))
        if low == high:
            if not self._misses(long, low, self._budget.n_runs):
                return replace(nothing, least=low, sure=True, held=self._hold(long, low))
            high = _NEAR * low
        steady = long.size(long.steady(1.0 / _MOST, _MOST))
        if steady >= low and self._excess(long, steady, self._budget.n_runs) <= 0.0:
            held = replace(self._hold(long, steady), half_width=0.0)
            remedy = replace(nothing, least=steady, lo=steady, hi=steady, sure=True, held=held)
        else:
            remedy = self._refine(nothing, long, high / low - 1.0)
        self._before.append(f"{words} {remedy.least:.4g}")
        return remedy

    def count(self, name: str, words: str, change: Change, spare: int) -> Remedy:
        """Least number of pieces of a resource, with `spare` on top."""
        self._far = f"a first look at {words}"
        short = self._along(change, self._short, words)
        nothing, by_pilots = Remedy(name=name, words=words, unit=""), self._count_least(short)
        if by_pilots is None:
            return nothing
        n_runs, least = self._budget.n_runs, by_pilots
        long = self._settle(short, change, least)
        while self._misses(long, least, n_runs):  # the few pilot runs were lucky
            least += 1
            if least > _MOST:
                return nothing
        while least > 1 and not self._misses(long, least - 1, n_runs):  # or unlucky
            least -= 1
        self._before.append(f"{words} {least}")
        sure, held = self._surely(long, least), self._hold(long, least)
        return replace(nothing, least=least + spare, spare=spare, sure=sure, held=held)

    def _refine(self, nothing: Remedy, long: Along, reach: float) -> Remedy:
        """The crossing near the centre of `long`, as well as is asked for."""
        share = self._budget.half_width
        refinement = Refinement(long, self._goals, long, self._budget, self._spend)
        refined = refinement.cross(UNIT, UNIT * reach, lambda point: share * point)
        root = refined.root.cap(long.steady(1.0 / _MOST, _MOST))
        least, lo, hi = (long.size(point) for point in (root.root, root.hi, root.lo))
        spec, sources = long.change(least)
        within = [long.size(point) for point in refined.points if point <= root.root]
        held = Held(
            spec=spec,
            sources=sources,
            goal=refined.goal,
            n_runs=refined.n_runs,
            half_width=root.half_width / root.root,
            monotone=root.monotone,
            collapsed=refined.collapsed,
            grows=any(long.probe(size).is_saturated(self._n) for size in within),
        )
        return replace(nothing, least=least, lo=lo, hi=hi, sure=True, held=held)

    def _one(self) -> float:
        """Requests per second of one device; `alone` says so if even that misses a goal."""
        known = demands(self._spec, self._sources)
        rate_rps = known.rate_rps if known else 0.0
        spec = set_length(
            self._spec, self._budget.pilot_requests, rate_rps, 1, self._goals, sent=self._sent
        )
        probe = Probe(spec, self._sources, self._goals, play=self._play)
        excess, goal = probe.worst(1, _PILOTS)
        self._spend(probe.requests)
        grows = probe.is_saturated(1)
        if grows or excess > 0.0:
            self.alone = f"{say_missed(goal, probe.figure(1, goal), grows=grows)}, and "
        return rate_rps if grows and known else probe.throughput_rps(1)

    def _bracket(self, along: Along) -> tuple[float, float] | None:
        """Factors 5 % apart of which the lower misses and the upper meets the goals; twice the
        least that is looked at where even that meets them.
        """
        if self._misses(along, 1.0):
            if self._misses(along, _MOST):
                return None
            low, high = 1.0, 2.0
            while self._misses(along, high):
                low, high = high, 2.0 * high
        else:
            if not self._misses(along, 1.0 / _MOST):
                return 1.0 / _MOST, 1.0 / _MOST
            low, high = 0.5, 1.0
            while not self._misses(along, low):
                low, high = 0.5 * low, low
        while high / low > _NEAR:
            self._far = f"{along.words} between {low:.4g} and {high:.4g} times what there is"
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self._misses(along, middle) else (low, middle)
        return low, high

    def _count_least(self, along: Along) -> int | None:
        """Least count by the pilot runs."""
        if self._misses(along, _MOST):
            return None
        low, high = 0, 1
        while self._misses(along, high):
            low, high = high, min(_MOST, 2 * high)
        while high - low > 1:
            self._far = f"{along.words} between {low} and {high}"
            middle = (low + high) // 2
            low, high = (middle, high) if self._misses(along, middle) else (low, middle)
        return high

    def _misses(self, along: Along, size: float, n_runs: int = _PILOTS) -> bool:
        """Whether a goal is missed, or the queue grows without end, which a run may not show."""
        if along.grows(size) or self._excess(along, size, n_runs) > 0.0:
            return True
        return along.probe(size).is_saturated(self._n)

    def _excess(self, along: Along, size: float, n_runs: int) -> float:
        """That of the goal that is missed first."""
        probe = along.probe(size)
        before = probe.requests
        excess, _ = probe.worst(self._n, n_runs)
        self._spend(probe.requests - before)
        return excess

    def _surely(self, along: Along, size: float) -> bool:
        """Whether every goal holds by more than the error of the runs."""
        n_runs, probe = self._budget.n_runs, along.probe(size)
        each = (probe.excess((self._n,), n_runs, goal)[:, 0] for goal in self._goals)
        return all(replication_interval(e, along.confidence).hi <= 0.0 for e in each)

    def _hold(self, along: Along, size: float) -> Held:
        """The system at a size whose runs were played."""
        spec, sources = along.change(size)
        n_runs = self._budget.n_runs
        _, goal = along.probe(size).worst(self._n, n_runs)
        return Held(spec=spec, sources=sources, goal=goal, n_runs=n_runs)

    def _settle(self, short: Along, change: Change, size: float, centre: float = 1.0) -> Along:
        """Long runs behind a warm-up that fits the system at `size`."""
        self._far = f"{short.words} near {size:.4g}"
        rate_rps = short.probe(size).throughput_rps(self._n)
        requests = self._budget.requests_per_run
        spec = set_length(self._spec, requests, rate_rps, self._n, self._goals, sent=self._sent)
        changed, sources = change(spec, self._sources, size)
        warm, cost = warm_up(changed, sources, play=self._play)
        self._spend(cost)
        spec = replace(spec, warmup=warm.warmup, warmup_s=warm.warmup_s)
        return self._along(change, replace(spec, horizon_s=warm.horizon_s), short.words, centre)

    def _along(self, change: Change, spec: SystemSpec, words: str, centre: float = 1.0) -> Along:
        return Along(
            change, spec, self._sources, self._goals, words=words, centre=centre, play=self._play
        )

    def _spend(self, requests: int, point: float = 0.0) -> None:
        self.requests += requests
        if self.requests > self._budget.max_requests:
            before = f"; before that {', '.join(self._before)}" if self._before else ""
            raise Spent(
                f"the budget of {self._budget.max_requests:g} requests ended the search after"
                f" {self.requests}, at {self._far}{before}"
            )
