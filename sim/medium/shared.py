"""Processor sharing by a virtual clock: O(log n) per visit, for shared media."""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from simpy import Environment, Event

from sim.station import leave, timeout_at

_CLOCK_DIGITS = 1e-12


def full_rate(n_active: int) -> float:
    """The capacity of an ideal shared medium: 1 for any number of transfers."""
    return 1.0


class SharedStation:
    """Processor sharing: n jobs of weight w_i share `capacity(n)` in proportion to their weights.

    A virtual clock V advances by speed * capacity(n) / sum(w) per second; a job of `work_s`
    leaves when V has advanced by work_s / w. One heap of finish tags: O(log n) per visit. The
    clock is reset when the station runs empty, so that it keeps its digits (Parekh and Gallager
    1993, equation 10; Kleinrock's PS for equal weights).
    """

    def __init__(self, env: Environment, capacity: Callable[[int], float] = full_rate) -> None:
        self._env = env
        self._capacity = capacity
        self._medium_speed = 1.0
        self._clock = 0.0
        self._since_s = env.now
        self._pace = 0.0
        self._weight = 0.0
        self._jobs: list[tuple[float, int, float, float, float, Event]] = []
        self._order = 0
        self._due_s = math.inf
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

    def cancel(self, event: Event) -> None:
        """Take a transfer out (O(n), for faults only)."""
        jobs = [job for job in self._jobs if job[5] is event]
        if not jobs:
            return
        self._advance(self._env.now)
        self._jobs.remove(jobs[0])
        heapify(self._jobs)
        self._weight -= jobs[0][2]
        self._restart()

    def set_speed(self, speed: float) -> None:
        """Scale the capacity from now on; 0 stops all transfers where they are."""
        self._advance(self._env.now)
        self._medium_speed = speed
        self._restart()

    def busy_s(self) -> float:
        """Seconds so far in which at least one job was present and the medium not silent."""
        running = self._jobs and self._medium_speed > 0.0
        return self._busy_s + (self._env.now - self._since_s if running else 0.0)

    def _advance(self, now: float) -> None:
        """Move the virtual clock to the present."""
        elapsed_s = now - self._since_s
        self._since_s = now
        if self._jobs and self._medium_speed > 0.0:
            self._busy_s += elapsed_s
            self._clock += elapsed_s * self._pace

    def _restart(self) -> None:
        """Plan afresh after something else than an arrival has changed."""
        self._due_s = math.inf
        if self._jobs:
            self._plan(self._env.now)
        else:
            self._clock = self._weight = 0.0

    def _plan(self, now: float) -> None:
        """Set the clock's pace, and a timer if the next departure is earlier than the one set."""
        self._pace = self._medium_speed * self._capacity(len(self._jobs)) / self._weight
        if self._pace <= 0.0:
            return
        due = now + max(0.0, self._jobs[0][0] - self._clock) / self._pace
        if due < self._due_s:
            self._due_s = due
            timeout_at(self._env, due, due).callbacks.append(self._fire)

    def _fire(self, timer: Event) -> None:
        """A timer has run out: let the jobs go whose tag is reached, and plan the next.

        Approximation: tags within 1e-12 of the clock, relative, count as reached.
        """
        now = self._env.now
        if timer.value != self._due_s:
            return
        self._advance(now)
        jobs = self._jobs
        reach = self._clock + _CLOCK_DIGITS * (self._clock + self._pace * now)
        while jobs and jobs[0][0] <= reach:
            _, _, weight, start, after_s, event = heappop(jobs)
            self._weight -= weight
            leave(self._env, event, start, now, after_s)
        self._restart()
