"""Stations: where requests wait and are served. `serve()` yields one event per visit.

The event's value is `(start_s, end_s, alone_s)`: when service began and ended, and how long the
work would have taken with nobody else there, at the speeds that it met. A visit that is cancelled
never fires. `FifoStation` and `PoolStation` compute departures by arithmetic; `QueueStation` and
`QueuePool` hold explicit queues, so that visits can be cancelled; the speed of a `QueueStation` can
change. Processor sharing has its own file, sim/medium/shared.py.
"""

import math
from collections import deque
from heapq import heapreplace
from typing import Protocol

from simpy import Environment, Event, Timeout


class Station(Protocol):
    """What a device needs of a place where work is done."""

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Do `work_s` seconds of work, `fixed_s` of which take as long at any speed; the event
        fires `after_s` after the end.
        """

    def cancel(self, event: Event) -> float:
        """Take a visit out; its event never fires. Seconds of its work that were done (0 where the
        event is not known here).
        """

    def set_speed(self, speed: float) -> None:
        """Change the speed of everything present and to come; 0 stops it."""

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


def leave(
    env: Environment, event: Event, start_s: float, end_s: float, alone_s: float, after_s: float
) -> None:
    """Fire a visit's event now, or `after_s` later."""
    if after_s > 0.0:
        later = timeout_at(env, end_s + after_s, (start_s, end_s, alone_s))
        later.callbacks.append(event.trigger)
    else:
        event.succeed((start_s, end_s, alone_s))


def need_s(work_s: float, fixed_s: float, speed: float) -> float:
    """Seconds that work takes alone at a speed: what is fixed takes as long at any."""
    return fixed_s + (work_s - fixed_s) / speed if speed != 1.0 else work_s


class FifoStation:
    """One server, first come first served, without a queue object.

    Departures follow from arrivals: `free = max(now, free) + work_s` (Lindley's recursion).
    """

    __slots__ = ("_env", "_free_s", "_work_s")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._free_s = 0.0
        self._work_s = 0.0

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
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
            return Timeout(env, delay, (start, end, work_s))
        return timeout_at(env, out, (start, end, work_s))

    def cancel(self, event: Event) -> float:
        """The work was admitted and is done in vain; the caller no longer listens."""
        return 0.0

    def set_speed(self, speed: float) -> None:
        """Departures are computed on arrival: only a `QueueStation` can change its speed."""
        raise TypeError("a FifoStation keeps its speed; use a QueueStation")

    def start_s(self) -> float:
        """When a visit that came now would be served."""
        return max(self._free_s, self._env.now)

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

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Occupy the first server that falls free for `work_s`."""
        start = self.start_s()
        end = start + work_s
        heapreplace(self._free_s, end)
        self._work_s += work_s
        return timeout_at(self._env, end + after_s, (start, end, work_s))

    def cancel(self, event: Event) -> float:
        """The work was admitted and is done in vain; the caller no longer listens."""
        return 0.0

    def start_s(self) -> float:
        """When a visit that came now would be served."""
        return max(self._free_s[0], self._env.now)

    def backlog_s(self) -> float:
        """Seconds until a server falls free."""
        return max(0.0, self._free_s[0] - self._env.now)

    def busy_s(self) -> float:
        """Seconds of work done so far, averaged over the servers."""
        now = self._env.now
        ahead = math.fsum(max(0.0, free - now) for free in self._free_s)
        return (self._work_s - ahead) / len(self._free_s)


class QueuePool:
    """c servers behind one first-come-first-served queue that can be left.

    Equal to `PoolStation` to the bit while nobody leaves; who leaves while served is served to the
    end, in vain.
    """

    def __init__(self, env: Environment, n_servers: int) -> None:
        self._env = env
        self._n_servers = n_servers
        self._waiting: deque[tuple[float, float, Event]] = deque()
        self._running: dict[Timeout, tuple[float, float, float, Event]] = {}
        self._busy_s = 0.0

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Queue up for `work_s` seconds of one server."""
        event = self._env.event()
        self._waiting.append((work_s, after_s, event))
        self._start()
        return event

    def cancel(self, event: Event) -> float:
        """Leave the queue."""
        self._waiting = deque(visit for visit in self._waiting if visit[2] is not event)
        return 0.0

    def busy_s(self) -> float:
        """Seconds of work done so far, averaged over the servers."""
        now = self._env.now
        running_s = math.fsum(now - start_s for start_s, *_ in self._running.values())
        return (self._busy_s + running_s) / self._n_servers

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._n_servers:
            work_s, after_s, event = self._waiting.popleft()
            timer = self._env.timeout(work_s)
            self._running[timer] = (self._env.now, work_s, after_s, event)
            timer.callbacks.append(self._finish)

    def _finish(self, timer: Event) -> None:
        assert isinstance(timer, Timeout)
        start_s, work_s, after_s, event = self._running.pop(timer)
        self._busy_s += self._env.now - start_s
        leave(self._env, event, start_s, self._env.now, work_s, after_s)
        self._start()


class _Visit:
    """A visit that waits in, or is served by, a `QueueStation`.

    `left_s`: seconds of service that it still needs at the present speed; `alone_s`: those and what
    it had so far.
    """

    __slots__ = ("after_s", "alone_s", "event", "fixed_s", "left_s", "start_s", "work_s")

    def __init__(
        self, work_s: float, fixed_s: float, after_s: float, event: Event, speed: float
    ) -> None:
        self.work_s = work_s
        self.fixed_s = fixed_s
        self.after_s = after_s
        self.event = event
        self.start_s = math.nan
        self.left_s = self.alone_s = need_s(work_s, fixed_s, speed)

    def rescale(self, before: float, after: float) -> None:
        """Go on at another speed."""
        whole_s = need_s(self.work_s, self.fixed_s, before)
        if whole_s > 0.0:
            done_s = self.alone_s - self.left_s
            self.left_s *= need_s(self.work_s, self.fixed_s, after) / whole_s
            self.alone_s = done_s + self.left_s


class QueueStation:
    """One server, first come first served, with an explicit queue.

    Equal to `FifoStation` to the bit while the speed stays 1 and nothing is cancelled.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._queue: deque[_Visit] = deque()
        self._speed = 1.0
        self._silent = False
        self._since_s = 0.0
        self._timer: Timeout | None = None
        self._busy_s = 0.0

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Queue up for `work_s` seconds of service."""
        visit = _Visit(work_s, fixed_s, after_s, self._env.event(), self._speed)
        self._queue.append(visit)
        if len(self._queue) == 1:
            self._begin()
        return visit.event

    def cancel(self, event: Event) -> float:
        """Take a visit out of the queue or out of service."""
        visit = next((each for each in self._queue if each.event is event), None)
        if visit is None:
            return 0.0
        first = visit is self._queue[0]
        if first:
            self._pause()
        self._queue.remove(visit)
        if first and self._queue:
            self._begin()
        return visit.alone_s - visit.left_s

    def set_speed(self, speed: float) -> None:
        """Continue the visit in service at another speed."""
        if self._timer is not None:
            self._pause()
            if self._queue[0].left_s == 0.0:  # done at this very instant
                self._depart()
                self._pause()
        self._silent = speed == 0.0
        if not self._silent:
            for visit in self._queue:
                visit.rescale(self._speed, speed)
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
        if not self._silent:
            self._timer = self._env.timeout(self._queue[0].left_s)
            self._timer.callbacks.append(self._finish)

    def _pause(self) -> None:
        """Stop the visit in service and note what is left of it."""
        if self._timer is not None:
            elapsed_s = self._env.now - self._since_s
            self._busy_s += elapsed_s
            visit = self._queue[0]
            visit.left_s = max(0.0, visit.left_s - elapsed_s)
            self._timer = None

    def _finish(self, timer: Event) -> None:
        if timer is not self._timer:
            return
        now = self._env.now
        self._busy_s += now - self._since_s
        self._timer = None
        self._depart()

    def _depart(self) -> None:
        """Let the first visit go, and begin the next."""
        now = self._env.now
        visit = self._queue.popleft()
        leave(self._env, visit.event, visit.start_s, now, visit.alone_s, visit.after_s)
        if self._queue:
            self._begin()
