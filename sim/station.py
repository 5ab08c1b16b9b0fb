"""Stations: where requests wait and are served. `serve()` yields one event per visit.

The event's value is `(start_s, end_s)`: when service began and ended; None after a cancellation.
`FifoStation` and `PoolStation` compute departures by arithmetic; `QueueStation` holds an explicit
queue, so that visits can be cancelled and the speed can change. `speed` scales the service of
everything present, 0 stops it. Processor sharing has its own file, sim/medium/shared.py.
"""

import math
from heapq import heapreplace
from typing import Protocol

from simpy import Environment, Event, Timeout


class Station(Protocol):
    """What a device needs of a place where work is done."""

    def serve(self, work_s: float, after_s: float = 0.0, weight: float = 1.0) -> Event:
        """Do `work_s` seconds of work; the event fires `after_s` after the end."""

    def cancel(self, event: Event) -> None:
        """Take a visit out; its event never fires. Unknown events are ignored."""

    def set_speed(self, speed: float) -> None:
        """Change the speed of everything present and to come."""

    def busy_s(self) -> float:
        """Seconds so far in which work was done."""


def timeout_at(env: Environment, time_s: float, value: object = None) -> Event:
    """An event that fires at exactly `time_s`, to the last bit.

    Early in a run, while `time_s` > 2 now, no delay may reach it: `now + delay` falls halfway
    between two numbers. Then a hop to 3/4 of it comes first; from there on the difference is exact
    (Sterbenz's lemma).
    """
    now = env.now
    delay = time_s - now
    if now + delay == time_s:
        return Timeout(env, delay, value)
    event = env.event()

    def rest(hop: Event) -> None:
        Timeout(env, time_s - env.now, value).callbacks.append(event.trigger)

    Timeout(env, 0.75 * time_s - now).callbacks.append(rest)
    return event


def leave(env: Environment, event: Event, start_s: float, end_s: float, after_s: float) -> None:
    """Fire a visit's event now, or `after_s` later."""
    if after_s > 0.0:
        later = timeout_at(env, end_s + after_s, (start_s, end_s))
        later.callbacks.append(event.trigger)
    else:
        event.succeed((start_s, end_s))


class FifoStation:
    """One server, first come first served, without a queue object.

    Departures follow from arrivals: `free = max(now, free) + work_s` (Lindley's recursion).
    """

    __slots__ = ("_env", "_free_s", "_work_s")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._free_s = 0.0
        self._work_s = 0.0

    def serve(self, work_s: float, after_s: float = 0.0, weight: float = 1.0) -> Event:
        """Occupy the server for `work_s`; the event fires `after_s` after the departure."""
        env = self._env
        now = env.now
        free = self._free_s
        start = free if free > now else now
        self._free_s = end = start + work_s
        self._work_s += work_s
        out = end + after_s
        delay = out - now
        if now + delay == out:
            return Timeout(env, delay, (start, end))
        return timeout_at(env, out, (start, end))

    def cancel(self, event: Event) -> None:
        """The work was admitted and is done in vain; the caller no longer listens."""

    def set_speed(self, speed: float) -> None:
        """Departures are computed on arrival: only a `QueueStation` can change its speed."""
        raise TypeError("a FifoStation keeps its speed; use a QueueStation")

    def backlog_s(self) -> float:
        """Seconds until the work present is done."""
        return max(0.0, self._free_s - self._env.now)

    def busy_s(self) -> float:
        """Seconds of work done so far: admitted less backlog."""
        return self._work_s - self.backlog_s()

    def clear(self) -> None:
        """Forget all work that is not done yet."""
        self._work_s = self.busy_s()
        self._free_s = min(self._free_s, self._env.now)


class PoolStation:
    """c servers behind one first-come-first-served queue: a heap of the times they fall free."""

    def __init__(self, env: Environment, n_servers: int) -> None:
        self._env = env
        self._free_s = [0.0] * n_servers
        self._work_s = 0.0

    def serve(self, work_s: float, after_s: float = 0.0, weight: float = 1.0) -> Event:
        """Occupy the first server that falls free for `work_s`."""
        env = self._env
        start = max(self._free_s[0], env.now)
        end = start + work_s
        heapreplace(self._free_s, end)
        self._work_s += work_s
        return timeout_at(env, end + after_s, (start, end))

    def backlog_s(self) -> float:
        """Seconds until a server falls free."""
        return max(0.0, self._free_s[0] - self._env.now)

    def busy_s(self) -> float:
        """Seconds of work done so far, averaged over the servers."""
        now = self._env.now
        ahead = math.fsum(max(0.0, free - now) for free in self._free_s)
        return (self._work_s - ahead) / len(self._free_s)


class _Visit:
    """A visit that waits in, or is served by, a `QueueStation`."""

    __slots__ = ("after_s", "event", "left_s", "start_s")

    def __init__(self, work_s: float, after_s: float, event: Event) -> None:
        self.left_s = work_s
        self.after_s = after_s
        self.event = event
        self.start_s = math.nan


class QueueStation:
    """One server, first come first served, with an explicit queue.

    Equal to `FifoStation` to the bit while the speed stays 1 and nothing is cancelled.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._queue: list[_Visit] = []
        self._speed = 1.0
        self._since_s = 0.0
        self._timer: Timeout | None = None
        self._busy_s = 0.0

    def serve(self, work_s: float, after_s: float = 0.0, weight: float = 1.0) -> Event:
        """Queue up for `work_s` seconds of service."""
        visit = _Visit(work_s, after_s, self._env.event())
        self._queue.append(visit)
        if len(self._queue) == 1:
            self._begin()
        return visit.event

    def cancel(self, event: Event) -> None:
        """Take a visit out of the queue or out of service."""
        places = [i for i, visit in enumerate(self._queue) if visit.event is event]
        if not places:
            return
        if places[0] == 0:
            self._pause()
        del self._queue[places[0]]
        if places[0] == 0 and self._queue:
            self._begin()

    def set_speed(self, speed: float) -> None:
        """Continue the visit in service at another speed."""
        self._pause()
        self._speed = speed
        if self._queue:
            self._resume()

    def busy_s(self) -> float:
        """Seconds so far in which a visit was in service and the speed was above 0."""
        running = self._timer is not None
        return self._busy_s + (self._env.now - self._since_s if running else 0.0)

    def _begin(self) -> None:
        self._queue[0].start_s = self._env.now
        self._resume()

    def _resume(self) -> None:
        """Serve what is left of the first visit."""
        self._since_s = self._env.now
        if self._speed > 0.0:
            self._timer = self._env.timeout(self._queue[0].left_s / self._speed)
            self._timer.callbacks.append(self._finish)

    def _pause(self) -> None:
        """Stop the visit in service and note what is left of it."""
        if self._timer is not None:
            elapsed_s = self._env.now - self._since_s
            self._busy_s += elapsed_s
            visit = self._queue[0]
            visit.left_s = max(0.0, visit.left_s - elapsed_s * self._speed)
            self._timer = None

    def _finish(self, timer: Event) -> None:
        if timer is not self._timer:
            return
        now = self._env.now
        self._busy_s += now - self._since_s
        self._timer = None
        visit = self._queue.pop(0)
        leave(self._env, visit.event, visit.start_s, now, visit.after_s)
        if self._queue:
            self._begin()
