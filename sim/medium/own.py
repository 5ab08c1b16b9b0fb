"""A transmit queue of one's own in front of a medium that is shared by transfers."""

from collections import deque
from typing import Any, NamedTuple

from simpy import Environment, Event

from sim.station import Station, leave


class _Waiting(NamedTuple):
    """A transfer that waits for those before it."""

    event: Event
    work_s: float
    after_s: float
    weight: float
    fixed_s: float


class OwnQueue:
    """Hands transfers to `medium` one at a time, in order of arrival."""

    def __init__(self, env: Environment, medium: Station) -> None:
        self._env = env
        self._medium = medium
        self._waiting: deque[_Waiting] = deque()
        self._event: Event | None = None  # of the transfer on the medium
        self._inner: Event | None = None  # the medium's own
        self._after_s = 0.0

    def serve(
        self, work_s: float, after_s: float = 0.0, weight: float = 1.0, fixed_s: float = 0.0
    ) -> Event:
        """Queue up for the medium; a transfer starts when the medium begins with it."""
        if self._inner is None and after_s == 0.0:
            self._event = self._inner = event = self._medium.serve(work_s, 0.0, weight, fixed_s)
            event.callbacks.append(self._finish)
            return event
        event = self._env.event()
        self._waiting.append(_Waiting(event, work_s, after_s, weight, fixed_s))
        if self._inner is None:
            self._next()
        return event

    def cancel(self, event: Event) -> float:
        """Take a transfer out of the queue or off the medium."""
        if event is not self._event:
            self._waiting = deque(each for each in self._waiting if each.event is not event)
            return 0.0
        assert self._inner is not None
        on_air_s = self._medium.cancel(self._inner)
        self._next()
        return on_air_s

    def set_speed(self, speed: float) -> None:
        """The medium's, for all of its queues."""
        self._medium.set_speed(speed)

    def busy_s(self) -> float:
        """The medium's."""
        return self._medium.busy_s()

    def _next(self) -> None:
        """The first of those that wait goes on the medium."""
        if not self._waiting:
            self._event = self._inner = None
            return
        event, work_s, after_s, weight, fixed_s = self._waiting.popleft()
        self._event, self._after_s = event, after_s
        self._inner = inner = self._medium.serve(work_s, 0.0, weight, fixed_s)
        inner.callbacks.append(self._finish)

    def _finish(self, inner: Event) -> None:
        """A transfer is through."""
        if inner is not self._inner:
            return
        event = self._event
        if event is not None and event is not inner:
            served: Any = inner.value
            start_s, end_s, alone_s = served
            leave(self._env, event, start_s, end_s, alone_s, self._after_s)
        self._next()
