"""Probe: what runs of one system say at several numbers of devices, each run played once."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import Estimate, Result, SystemSpec, run
from sim.planning.forecast.work import predict_work
from sim.planning.limits.budget import Refusal
from sim.planning.limits.goal import Goal, Sample
from sim.sources.source import Sources
from sim.statistics import replication_interval

Player = Callable[[Iterable[Callable[[], Any]]], list[Any]]
"""Plays tasks in order, here or in workers."""


def play_in_turn(tasks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Play tasks here, one after the other."""
    return [task() for task in tasks]


class Heard(NamedTuple):
    """What is kept of one run."""

    samples: tuple[Sample, ...]
    requests: int
    throughput_rps: float
    saturated: bool


class Probe:
    """The excess over the goals by number of devices and replication, at one length of run.

    Replication r has the same streams at every N (common random numbers), so that a row of
    `excess` is one smooth curve and its noise is shared by all of its points.
    """

    def __init__(
        self, spec: SystemSpec, sources: Sources, goals: Sequence[Goal], *, play: Player
    ) -> None:
        self.spec, self.goals = spec, tuple(goals)
        self.requests = 0
        self._sources, self._play = sources, play
        self._known: dict[tuple[int, int], Heard] = {}

    def listen(self, n_devices: Sequence[int], n_runs: int) -> None:
        """Play whatever of these runs has not been played yet.

        Raises:
            Refusal: more events are foreseen of one run than it may have.
        """
        wanted = [(n, r) for n in n_devices for r in range(n_runs) if (n, r) not in self._known]
        specs = {n: _sized(self.spec, n) for n, _ in wanted}
        for spec in specs.values():
            self._refuse_endless(spec)
        tasks = (partial(hear, specs[n], self._sources, self.goals, r) for n, r in wanted)
        for key, heard in zip(wanted, self._play(tasks), strict=True):
            self._known[key] = heard
            self.requests += heard.requests

    def _refuse_endless(self, spec: SystemSpec) -> None:
        """Before a run is built that its budget of events would end."""
        events, most = predict_work(spec, self._sources).events, spec.max_events
        if events > most:
            raise Refusal(
                f"{events:.2g} events are foreseen in a run at N = {spec.fleet.n_devices}, above"
                f" max_events={most}; ask for less, or raise max_events"
            )

    def excess(self, n_devices: Sequence[int], n_runs: int, goal: Goal) -> NDArray[np.float64]:
        """Excess over one goal [n_runs, len(n_devices)]; the mean of a column is the pooled one."""
        self.listen(n_devices, n_runs)
        number = self.goals.index(goal)
        columns = [
            goal.excess([self._known[n, r].samples[number] for r in range(n_runs)])
            for n in n_devices
        ]
        return np.stack(columns, axis=1)

    @property
    def confidence(self) -> float:
        """Of every interval."""
        return self.spec.confidence

    @property
    def played(self) -> tuple[int, ...]:
        """The numbers of devices that were played, ascending."""
        return tuple(sorted({n for n, _ in self._known}))

    def n_runs(self, n_devices: int) -> int:
        """Replications that were played at a number of devices."""
        return sum(n == n_devices for n, _ in self._known)

    def worst(self, n_devices: int, n_runs: int) -> tuple[float, Goal]:
        """The largest pooled excess over any goal, and that goal."""
        means = [
            (float(np.mean(self.excess((n_devices,), n_runs, goal))), number)
            for number, goal in enumerate(self.goals)
        ]
        value, number = max(means)
        return value, self.goals[number]

    def samples(self, n_devices: int, goal: Goal) -> list[Sample]:
        """What the runs at a number of devices say of a goal."""
        number = self.goals.index(goal)
        return [h.samples[number] for (n, _), h in self._known.items() if n == n_devices]

    def figure(self, n_devices: int, goal: Goal) -> float:
        """The figure itself, pooled over all runs that were played at a number of devices."""
        return goal.figure(self.samples(n_devices, goal))

    def count_apart(self, n_devices: int, goal: Goal) -> int:
        """Runs at a number of devices that fell into a far worse regime than the others."""
        return goal.count_apart(self.samples(n_devices, goal))

    def count_fallen(self, n_devices: int, goal: Goal, *, beside: "Probe") -> int:
        """Of the runs at a number of devices those that miss the goal and lie far from most of
        these and the ones `beside`: beyond a gap, or twice the median (runs that collapse for a
        while and recover fill the gap); and those that miss the goal by a factor of two.
        """
        own, others = (probe.samples(n_devices, goal) for probe in (self, beside))
        everyone = [*own, *others]
        slow_s = [each.slow_s for each in everyone if each.slow_s > 0.0]
        from_s = min(goal.find_gap_s(everyone), 2.0 * float(np.median(slow_s or [math.inf])))
        figures = [goal.figure([each]) for each in own]
        return sum(
            figure > 2.0 * goal.limit or (figure > goal.limit and each.slow_s > from_s)
            for figure, each in zip(figures, own, strict=True)
        )

    def curve(self, goal: Goal) -> tuple[Estimate, ...]:
        """The goal's figure at every point, pooled over its runs, with its interval."""
        estimates = []
        for n in self.played:
            column = self.excess((n,), self.n_runs(n), goal)[:, 0]
            ends = replication_interval(column, self.confidence)
            figure = self.figure(n, goal)
            lo, hi = (goal.move(figure, end - ends.mean) for end in (ends.lo, ends.hi))
            estimates.append(Estimate(mean=figure, lo=lo, hi=hi))
        return tuple(estimates)

    def is_saturated(self, n_devices: int) -> bool:
        """Whether the queue grew without end in most runs at this number of devices."""
        heard = [h.saturated for (n, _), h in self._known.items() if n == n_devices]
        return sum(heard) > 0.5 * len(heard)

    def throughput_rps(self, n_devices: int) -> float:
        """Mean throughput at a number of devices that was played."""
        heard = [h.throughput_rps for (n, _), h in self._known.items() if n == n_devices]
        return float(np.mean(heard))


class Tally:
    """A player that counts the requests of what it plays."""

    def __init__(self, play: Player) -> None:
        self._play = play
        self.requests = 0

    def __call__(self, tasks: Iterable[Callable[[], Any]]) -> list[Any]:
        """Play the tasks in order."""
        results = self._play(tasks)
        for result in results:
            whole = isinstance(result, Result)
            self.requests += len(result.records["done_s"]) if whole else result.requests
        return results


def hear(spec: SystemSpec, sources: Sources, goals: Sequence[Goal], replication: int) -> Heard:
    """Play one run and keep what the goals need of it.

    Raises:
        Refusal: a law that every run obeys does not hold, so that nothing can be believed.
    """
    result = run(spec, sources, replication=replication)
    if result.failed_checks:
        n = spec.fleet.n_devices
        raise Refusal(f"laws that do not hold at N = {n}: {result.failed_checks}")
    return Heard(
        samples=tuple(goal.sample(result) for goal in goals),
        requests=int(result.value("n_requests")),
        throughput_rps=result.value("throughput_rps"),
        saturated=result.saturated,
    )


def _sized(spec: SystemSpec, n_devices: int) -> SystemSpec:
    """The same system with so many devices."""
    return replace(spec, fleet=replace(spec.fleet, n_devices=n_devices))
