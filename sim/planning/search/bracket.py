"""Bracket: numbers of devices about 4 % apart, within and beyond the goals, by a few short runs.

A figure may fall before it rises: where a batch waits to be filled, few devices wait longest. Then
there is a second bracket, around the least number of devices from which the goals hold.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sim import Source, SystemSpec
from sim.planning.forecast.bounds import stability
from sim.planning.forecast.demands import demands, guess, sent_share
from sim.planning.limits.budget import Budget, Missed, Refusal, say_missed
from sim.planning.limits.goal import Goal
from sim.planning.runs.pace import set_length
from sim.planning.runs.probe import Player, Probe
from sim.sources.source import Sources

_PILOTS = 3
_APART = 0.04
_UNGUIDED = 1024
_WORSE = 0.7  # twice as slow as one device


Seen = dict[int, tuple[float, Goal]]
"""The worst excess by number of devices, and of which goal."""


class Bracket(NamedTuple):
    """Between `within` and `beyond` devices the goals cease to hold; `goal` is missed beyond."""

    within: int
    beyond: int
    goal: Goal


class Pilots:
    """Short runs of one system at any number of devices."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Sources,
        goals: Sequence[Goal],
        budget: Budget,
        *,
        play: Player,
        spend: Callable[[int, float], None],
    ) -> None:
        self._spec, self._sources, self._goals = spec, sources, tuple(goals)
        self._budget, self._play, self._spend = budget, play, spend
        self.stable = stability(spec, sources)
        self._alone = demands(spec, sources)
        self.per_device_rps = self._alone.rate_rps if self._alone else 0.0
        self._grows = False
        self._probe: Probe | None = None
        self._sent = sent_share(sources)

    def find_most(self, within: int) -> Bracket:
        """The bracket above a number of devices that is within the goals.

        Raises:
            Refusal: they hold at `max_devices`.
        """
        most = self._budget.max_devices
        low, high = within, min(most, max(2 * within, self._guess()))
        value, goal = self.excess(high)
        while value <= 0.0:
            if high >= most:
                raise Refusal(self._say_endless(most))
            low, high = high, min(most, 2 * high)
            value, goal = self.excess(high)
        return self._narrow(Bracket(low, high, goal))

    def find_least(self) -> Bracket | None:
        """The bracket below which too few devices miss a goal; None where one device meets all.

        Raises:
            Missed: no number of devices up to the saturation of something shared meets them all.
        """
        value, goal = self.excess(1)
        if value <= 0.0:
            return None
        missed = Missed(self._say_missed(goal))
        if self._grows or self._is_too_slow():
            raise missed
        seen = {1: (value, goal)}
        for n in self._steps():
            value, goal = self.excess(n)
            if value <= 0.0:
                return self._narrow(Bracket(n, *_below(n, seen)))
            if self._grows or value > seen[1][0] + _WORSE:
                break
            seen[n] = value, goal
        within = self._look_near(seen)
        if within is None:
            raise missed
        return self._narrow(Bracket(within, *_below(within, seen)))

    def excess(self, n_devices: int) -> tuple[float, Goal]:
        """The worst excess of a few short runs; infinite where the queue grows without end, which
        a run may be too short to show.
        """
        if n_devices > self.stable:
            self._grows, self._probe = True, None
            return math.inf, self._goals[0]
        requests, rate_rps = self._budget.pilot_requests, self.per_device_rps * n_devices
        spec = set_length(self._spec, requests, rate_rps, n_devices, self._goals, sent=self._sent)
        self._probe = probe = Probe(spec, self._sources, self._goals, play=self._play)
        excess, goal = probe.worst(n_devices, _PILOTS)
        self._spend(probe.requests, n_devices)
        self._grows = probe.is_saturated(n_devices)
        if self._grows:
            return math.inf, goal
        if n_devices == 1 or excess <= 0.0:  # one that collapsed would ask for endless runs
            self.per_device_rps = probe.throughput_rps(n_devices) / n_devices
        return excess, goal

    def _steps(self) -> list[int]:
        """Two, four, eight devices and so on, to where something is busy all the time."""
        top = min(self._budget.max_devices, guess(self._spec, self._sources) or _UNGUIDED)
        return [2**k for k in range(1, max(2, top).bit_length())]

    def _look_near(self, seen: Seen) -> int | None:
        """A number of devices within the goals next to where they were missed by least."""
        nearest = min(seen, key=lambda n: seen[n][0])
        for factor in (math.sqrt(2.0), math.sqrt(0.5), 2.0**0.25, 2.0**-0.25):
            n = round(nearest * factor)
            if n > 1 and n not in seen:
                value, goal = self.excess(n)
                if value <= 0.0:
                    return n
                seen[n] = value, goal
        return None

    def _narrow(self, bracket: Bracket) -> Bracket:
        """The same crossing, about 4 % or one device wide."""
        within, beyond, goal = bracket
        step = 1.1
        while abs(beyond - within) > max(1.0, _APART * min(within, beyond)):
            middle = (within + beyond) // 2
            if within == 1:  # the guess is more often near than half of it
                middle = min(max(2, round(beyond / step)), beyond - 1)
            step = min(2.0, step**2)
            value, goal_here = self.excess(middle)
            if value <= 0.0:
                within = middle
            else:
                beyond, goal = middle, goal_here
        return Bracket(within, beyond, goal)

    def _guess(self) -> int:
        return guess(self._spec, self._sources) or 2

    def _is_too_slow(self) -> bool:
        """Whether a request that meets nobody takes longer than a limit."""
        limits_s = [goal.limit for goal in self._goals if goal.column.startswith("latency_")]
        return self._alone is not None and self._alone.alone_s > min(limits_s, default=math.inf)

    def _say_missed(self, goal: Goal) -> str:
        figure = self._probe.figure(1, goal) if self._probe is not None else math.nan
        return say_missed(goal, figure, grows=self._grows)

    def say_choice(self) -> str:
        """That some devices can do without anything shared, so that no number is too large."""
        groups = self._spec.fleet.groups.values()
        names = {name for group in groups for name in group.alternatives}
        alone = sorted(name for name in names if _shares_nothing(self._sources[name]))
        if not alone:
            return ""
        return (
            f"; devices may choose {' or '.join(alone)}, which shares nothing: while that is within"
            " the limits no number of them is too large"
        )

    def _say_endless(self, most: int) -> str:
        goals = " and ".join(map(str, self._goals))
        return f"{goals} still holds at max_devices = {most}{self.say_choice()}"


def _shares_nothing(source: Source) -> bool:
    """Whether a request of it neither leaves the device nor asks the server."""
    mean = source.mean()
    return mean.payload_bytes <= 0.0 and mean.server_s <= 0.0


def _below(within: int, seen: Seen) -> tuple[int, Goal]:
    """The next number of devices below that misses a goal, and that goal."""
    n = max(n for n in seen if n < within)
    return n, seen[n][1]
