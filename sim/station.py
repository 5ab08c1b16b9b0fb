"""Stations: where requests wait and are served. `serve()` yields one event per visit.

The event's value is `(start_s, end_s)`: when service began and ended. `FifoStation` computes
departures by arithmetic, `free = max(now, free) + service_s`; `SharedStation` keeps a virtual
clock (processor sharing).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

from simpy import Environment, Event, Timeout


def timeout_at(env: Environment, time_s: float, value: object = None) -> Timeout:
    """A timeout that fires at exactly `time_s`, to the last bit.

    `now + (time_s - now)` may miss `time_s` by one unit in the last place; the delay is nudged
    until it does not.
    """
    now = env.now
    delay = time_s - now
    while now + delay < time_s:
        delay = math.nextafter(delay, math.inf)
    while now + delay > time_s and delay > 0.0:
        delay = math.nextafter(delay, 0.0)
    return Timeout(env, delay, value)


class FifoStation:
    """One server, first come first served, without a queue object: departure-time arithmetic."""

    __slots__ = ("_env", "_free_s", "_work_s")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._free_s = 0.0
        self._work_s = 0.0

    def serve(self, service_s: float, after_s: float = 0.0) -> Timeout:
        """Occupy the server for `service_s`; the event fires `after_s` after the departure."""
        env = self._env
        now = env.now
        free = self._free_s
        start = free if free > now else now
        self._free_s = end = start + service_s
        self._work_s += service_s
        out = end + after_s
        delay = out - now
        if now + delay == out:
            return Timeout(env, delay, (start, end))
        return timeout_at(env, out, (start, end))

    def busy_s(self) -> float:
        """Seconds of work done so far: admitted less backlog."""
        backlog = self._free_s - self._env.now
        return self._work_s - backlog if backlog > 0.0 else self._work_s


def full_rate(n_active: int) -> float:
    """The capacity of an ideal shared medium: 1 for any number of transfers."""
    return 1.0


class SharedStation:
    """Processor sharing: n jobs of weight w_i share `capacity(n)` in proportion to their weights.

    A virtual clock V advances by capacity(n) / sum(w) per second; a job of `work_s` leaves when V
    has advanced by work_s / w. One heap of finish tags: O(log n) per visit. The clock is reset
    when the station runs empty, so that it never loses digits (Parekh and Gallager 1993).
    """

    __slots__ = (
        "_busy_s",
        "_capacity",
        "_clock",
        "_env",
        "_jobs",
        "_order",
        "_since_s",
        "_speed",
        "_timer_s",
        "_weight",
    )

    def __init__(self, env: Environment, capacity: Callable[[int], float] = full_rate) -> None:
        self._env = env
        self._capacity = capacity
        self._clock = 0.0
        self._since_s = env.now
        self._speed = 0.0
        self._weight = 0.0
        self._jobs: list[tuple[float, int, float, float, float, Event]] = []
        self._order = 0
        self._timer_s = math.inf
        self._busy_s = 0.0

    def serve(self, work_s: float, after_s: float = 0.0, weight: float = 1.0) -> Event:
        """Transfer `work_s` seconds of work; the event fires `after_s` after it has ended."""
        now = self._env.now
        self._advance(now)
        event = self._env.event()
        self._order += 1
        tag = self._clock + work_s / weight
        heappush(self._jobs, (tag, self._order, weight, now, after_s, event))
        self._weight += weight
        self._plan(now)
        return event

    def busy_s(self) -> float:
        """Seconds so far in which at least one job was present."""
        return self._busy_s + (self._env.now - self._since_s if self._jobs else 0.0)

    def _advance(self, now: float) -> None:
        """Move the virtual clock to the present."""
        elapsed = now - self._since_s
        self._since_s = now
        if self._jobs:
            self._busy_s += elapsed
            self._clock += elapsed * self._speed

    def _plan(self, now: float) -> None:
        """Set the clock's speed, and a timer if the next departure is earlier than the one set."""
        self._speed = self._capacity(len(self._jobs)) / self._weight
        due = now + max(0.0, self._jobs[0][0] - self._clock) / self._speed
        if due < self._timer_s:
            self._timer_s = due
            timeout_at(self._env, due, due).callbacks.append(self._fire)

    def _fire(self, timer: Event) -> None:
        """A timer has run out: let the jobs go whose tag is reached, and plan the next."""
        now = self._env.now
        if timer.value != self._timer_s:
            return
        self._timer_s = math.inf
        self._advance(now)
        jobs = self._jobs
        reach = self._clock + 1e-12 * (abs(self._clock) + self._speed * now)
        while jobs and jobs[0][0] <= reach:
            _, _, weight, start, after_s, event = heappop(jobs)
            self._weight -= weight
            _leave(self._env, event, start, now, after_s)
        if jobs:
            self._plan(now)
        else:
            self._clock = self._weight = 0.0


def _leave(env: Environment, event: Event, start_s: float, end_s: float, after_s: float) -> None:
    """Fire a job's event now, or `after_s` later."""
    if after_s > 0.0:
        later = timeout_at(env, end_s + after_s, (start_s, end_s))
        later.callbacks.append(event.trigger)
    else:
        event.succeed((start_s, end_s))
