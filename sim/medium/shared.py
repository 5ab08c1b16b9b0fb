"""Processor sharing by a virtual clock: O(log n) per visit, for shared media."""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from simpy import Environment, Event

from sim.station import leave, need_s, timeout_at

_CLOCK_DIGITS = 1e-12
_LIGHT = 1e-3


def full_rate(n_active: int) -> float:
    """The capacity of an ideal shared medium: 1 for any number of transfers."""
    return 1.0


class _Job(NamedTuple):
    """A transfer: it leaves when the clock reads `tag`; `order` breaks ties."""

    tag: float
    order: int
    weight: float
    start_s: float
    alone_s: float
    after_s: float
    work_s: float
    fixed_s: float
    event: Event


class SharedStation:
    """Processor sharing: n jobs of weight w_i share `capacity(n)` in proportion to their weights.

    A virtual clock V advances by capacity(n) / sum(w) per second; a job that needs s seconds alone
    leaves when V has advanced by s / w. One heap of finish tags: O(log n) per visit. The clock is
    reset when the station runs empty, so that it keeps its digits (Parekh and Gallager 1993,
    equation 10; Kleinrock's PS for equal weights).

    A change of speed changes how long what is left of every job takes.
    """

    def __init__(
        self,
        env: Environment,
        capacity: Callable[[int], float] = full_rate,
    ) -> None:
        self._env = env
        self._capacity = capacity
        self._speed = 1.0
        self._silent = False
        self._clock = 0.0
        self._since_s = env.now
        self._pace = 0.0
        self._weight = 0.0
        self._jobs: list[_Job] = []
        self._order = 0
        self._due_s = math.inf
        self._busy_s = 0.0

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Transfer `work_s` seconds of work, `fixed_s` of which take as long at any speed; the
        event fires `after_s` after it has ended.
        """
        now = self._env.now
        self._advance(now)
        event = self._env.event()
        self._order += 1
        alone_s = self._need_s(work_s, fixed_s, self._speed)
        tag = self._clock + alone_s / weight
        job = _Job(tag, self._order, weight, now, alone_s, after_s, work_s, fixed_s, event)
        heappush(self._jobs, job)
        self._weight += weight
        self._plan(now)
        return event

    def cancel(self, event: Event) -> float:
        """Take a transfer out (O(n), for faults only)."""
        jobs = [job for job in self._jobs if job.event is event]
        if not jobs:
            return 0.0
        self._advance(self._env.now)
        job = jobs[0]
        self._jobs.remove(job)
        heapify(self._jobs)
        self._weigh()
        done_s = job.alone_s - (job.tag - self._clock) * job.weight
        self._restart()  # which sets the clock of an empty station back
        return max(0.0, done_s)

    def set_speed(self, speed: float) -> None:
        """Change the speed of everything from now on; 0 stops all transfers where they are."""
        self._advance(self._env.now)
        self._release(self._env.now)
        self._silent = speed == 0.0
        if not self._silent and speed != self._speed:
            self._jobs = [self._rescale(job, speed) for job in self._jobs]
            heapify(self._jobs)
            self._weigh()
            self._speed = speed
        self._restart()

    def _need_s(self, work_s: float, fixed_s: float, speed: float) -> float:
        """Seconds that a job takes alone."""
        return need_s(work_s, fixed_s, speed)

    def _rescale(self, job: _Job, speed: float) -> _Job:
        """The job at another speed, what is done of it being done."""
        before_s = self._need_s(job.work_s, job.fixed_s, self._speed)
        ratio = self._need_s(job.work_s, job.fixed_s, speed) / before_s if before_s > 0.0 else 1.0
        left_s = (job.tag - self._clock) * job.weight
        alone_s = job.alone_s + left_s * (ratio - 1.0)
        return job._replace(tag=self._clock + left_s * ratio / job.weight, alone_s=alone_s)

    def busy_s(self) -> float:
        """Seconds so far in which at least one job was present and the medium not silent."""
        running = self._jobs and not self._silent
        return self._busy_s + (self._env.now - self._since_s if running else 0.0)

    def _advance(self, now: float) -> None:
        """Move the virtual clock to the present."""
        elapsed_s = now - self._since_s
        self._since_s = now
        if self._jobs and not self._silent:
            self._busy_s += elapsed_s
            self._clock += elapsed_s * self._pace

    def _weigh(self) -> None:
        """Sum the weights anew: after a heavy job has gone the difference has lost its digits."""
        self._weight = math.fsum(job.weight for job in self._jobs)

    def _restart(self) -> None:
        """Plan afresh after something else than an arrival has changed."""
        self._due_s = math.inf
        if self._jobs:
            self._plan(self._env.now)
        else:
            self._clock = self._weight = 0.0

    def _plan(self, now: float) -> None:
        """Set the clock's pace, and a timer if the next departure is earlier than the one set."""
        if self._silent:
            return
        self._pace = self._capacity(len(self._jobs)) / self._weight
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
        self._release(now)
        self._restart()

    def _release(self, now: float) -> None:
        """Let the jobs go whose tag is reached."""
        jobs = self._jobs
        reach = self._clock + _CLOCK_DIGITS * (self._clock + self._pace * now)
        while jobs and jobs[0][0] <= reach:
            job = heappop(jobs)
            self._weight -= job.weight
            if self._weight < _LIGHT * job.weight:
                self._weigh()
            leave(self._env, job.event, job.start_s, now, job.alone_s, job.after_s)
