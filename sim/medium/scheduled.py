"""A scheduled uplink: request, grant, then proportional-fair slots with multiuser diversity.

In every slot the scheduler takes, of n users, the one whose channel is best by its own mean. Each
of n transfers then has an nth of the slots and in them the best of n channels: a transfer of a user
whose mean ratio is s progresses at gain(n, s) / n (`sim.radio.diversity`). What fading costs a user
alone is in the airtime of its transfers.
"""

import math
from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from simpy import Environment, Event

from sim.medium.channel import rate_bps
from sim.specs import LinkSpec
from sim.station import leave, need_s, timeout_at

_CLOCK_DIGITS = 1e-12
_STEP_DB = 0.25


def near_db(spec: LinkSpec, snr_db: float) -> float:
    """The rounded mean ratio that stands for a user's; who does not fade has none."""
    return round(snr_db / _STEP_DB) * _STEP_DB if spec.fading != "none" else 0.0


def gain_of(spec: LinkSpec, snr_db: float) -> Callable[[int], float]:
    """What multiuser diversity brings at a mean ratio, by number of users."""
    if spec.fading == "none":
        return lambda n_users: 1.0
    from sim.radio.diversity import Diversity  # what does not fade needs none of it

    return Diversity(lambda gain: rate_bps(spec, snr_db, gain)).gain


class _Job(NamedTuple):
    """A transfer: it leaves when its lane's clock reads `tag`; `order` breaks ties."""

    tag: float
    order: int
    user: "User"
    start_s: float
    alone_s: float
    after_s: float
    work_s: float
    fixed_s: float
    event: Event


class _Lane:
    """The transfers of users with the same mean ratio, and the clock by which they progress."""

    __slots__ = ("clock", "gain", "jobs", "pace")

    def __init__(self, gain: Callable[[int], float]) -> None:
        self.gain = gain
        self.clock = self.pace = 0.0
        self.jobs: list[_Job] = []


class ScheduledStation:
    """One cell: transfers in whole slots, each of n present with an nth of them.

    A clock a mean ratio (`_Lane`) advances by gain(users, ratio) / n per second, as in
    `sim.medium.shared`: O(log n) per visit and O(1) per ratio. A user whose payload and whose
    answer are both on the air is one user with two transfers.

    Approximation: a transfer occupies a whole number of slots; the gain stops growing at 64 users
    and is that of the mean ratio rounded to 0.25 dB; transfers get equal airtime.
    """

    def __init__(self, env: Environment, spec: LinkSpec) -> None:
        self._env, self._spec = env, spec
        self._lanes: dict[float, _Lane] = {}
        self._users: Counter[User] = Counter()
        self._n_jobs = self._order = 0
        self._speed = 1.0
        self._silent = False
        self._since_s = env.now
        self._due_s = math.inf
        self._busy_s = 0.0

    def user(self, snr_db: float) -> "User":
        """A further user, at its own mean signal-to-noise ratio."""
        near = near_db(self._spec, snr_db)
        if near not in self._lanes:
            self._lanes[near] = _Lane(gain_of(self._spec, near))
        return User(self, self._lanes[near])

    def enter(
        self, user: "User", work_s: float, after_s: float = 0.0, fixed_s: float = 0.0
    ) -> Event:
        """Begin a transfer of `work_s` seconds alone; its event fires `after_s` after the end."""
        now = self._env.now
        self._advance(now)
        event = self._env.event()
        self._order += 1
        alone_s = self._need_s(work_s, fixed_s, self._speed)
        tag = user.lane.clock + alone_s
        job = _Job(tag, self._order, user, now, alone_s, after_s, work_s, fixed_s, event)
        heappush(user.lane.jobs, job)
        self._n_jobs += 1
        self._users[user] += 1
        self._plan(now)
        return event

    def withdraw(self, user: "User", event: Event) -> float:
        """Take a transfer out (O(n), for faults only). Seconds of its work that were done."""
        job = next((job for job in user.lane.jobs if job.event is event), None)
        if job is None:
            return 0.0
        self._advance(self._env.now)
        user.lane.jobs.remove(job)
        heapify(user.lane.jobs)
        self._forget(job)
        done_s = job.alone_s - (job.tag - user.lane.clock)
        self._restart()
        return max(0.0, done_s)

    def set_speed(self, speed: float) -> None:
        """Change the speed of everything from now on; 0 stops all transfers where they are."""
        self._advance(self._env.now)
        self._release(self._env.now)
        self._silent = speed == 0.0
        if not self._silent and speed != self._speed:
            for lane in self._lanes.values():
                lane.jobs = [self._rescale(job, lane.clock, speed) for job in lane.jobs]
                heapify(lane.jobs)
            self._speed = speed
        self._restart()

    def busy_s(self) -> float:
        """Seconds so far in which a transfer was present and the medium not silent."""
        running = self._n_jobs and not self._silent
        return self._busy_s + (self._env.now - self._since_s if running else 0.0)

    def _need_s(self, work_s: float, fixed_s: float, speed: float) -> float:
        """Whole slots."""
        slots = math.ceil(need_s(work_s, fixed_s, speed) / self._spec.slot_s - 1e-9)
        return slots * self._spec.slot_s

    def _rescale(self, job: _Job, clock: float, speed: float) -> _Job:
        """The transfer at another speed, what is done of it being done."""
        before_s = self._need_s(job.work_s, job.fixed_s, self._speed)
        ratio = self._need_s(job.work_s, job.fixed_s, speed) / before_s if before_s > 0.0 else 1.0
        left_s = job.tag - clock
        alone_s = job.alone_s + left_s * (ratio - 1.0)
        return job._replace(tag=clock + left_s * ratio, alone_s=alone_s)

    def _forget(self, job: _Job) -> None:
        self._n_jobs -= 1
        self._users[job.user] -= 1
        if not self._users[job.user]:
            del self._users[job.user]

    def _advance(self, now: float) -> None:
        """Move all clocks to the present."""
        elapsed_s = now - self._since_s
        self._since_s = now
        if self._n_jobs and not self._silent:
            self._busy_s += elapsed_s
            for lane in self._lanes.values():
                if lane.jobs:
                    lane.clock += elapsed_s * lane.pace

    def _restart(self) -> None:
        """Plan afresh after something else than an arrival has changed."""
        self._due_s = math.inf
        for lane in self._lanes.values():
            if not lane.jobs:
                lane.clock = 0.0
        if self._n_jobs:
            self._plan(self._env.now)

    def _plan(self, now: float) -> None:
        """Set the clocks' paces, and a timer if the next departure is earlier than the one set."""
        if self._silent:
            return
        due_s, n_users = math.inf, len(self._users)
        for lane in self._lanes.values():
            if lane.jobs:
                lane.pace = lane.gain(n_users) / self._n_jobs
                due_s = min(due_s, now + max(0.0, lane.jobs[0].tag - lane.clock) / lane.pace)
        if due_s < self._due_s:
            self._due_s = due_s
            timeout_at(self._env, due_s, due_s).callbacks.append(self._fire)

    def _fire(self, timer: Event) -> None:
        """A timer has run out: let those go whose tag is reached, and plan the next."""
        if timer.value != self._due_s:
            return
        self._advance(self._env.now)
        self._release(self._env.now)
        self._restart()

    def _release(self, now: float) -> None:
        """Let those go whose tag is reached, within 1e-12 of the clock and of the time."""
        for lane in self._lanes.values():
            reach = lane.clock + _CLOCK_DIGITS * (lane.clock + lane.pace * now)
            while lane.jobs and lane.jobs[0].tag <= reach:
                job = heappop(lane.jobs)
                self._forget(job)
                leave(self._env, job.event, job.start_s, now, job.alone_s, job.after_s)


class User:
    """A device's place in the cell: a station whose transfers progress by its own ratio."""

    __slots__ = ("_cell", "lane")

    def __init__(self, cell: ScheduledStation, lane: _Lane) -> None:
        self._cell = cell
        self.lane = lane

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Begin a transfer of `work_s` seconds alone; weights are not known here."""
        return self._cell.enter(self, work_s, after_s, fixed_s)

    def cancel(self, event: Event) -> float:
        """Take a transfer out. Seconds of its work that were done."""
        return self._cell.withdraw(self, event)

    def set_speed(self, speed: float) -> None:
        """The cell's."""
        self._cell.set_speed(speed)

    def busy_s(self) -> float:
        """The cell's."""
        return self._cell.busy_s()
