"""A medium for which stations contend, access by access (IEEE 802.11).

A station (`Radio`) is a transmit queue: the uplink of one device, or the access point's for all
answers. Whenever the medium falls free, one of the stations that have something to send wins it,
each with the same probability, and sends one access of its first transfer. Accesses are shared
equally, then, whatever their length, and are not cut short by who comes meanwhile.

With n stations contending, an access lasts 1 / `capacity(n, frames)` times its own airtime: idle
slots and collisions beyond those of a station alone. Approximation: its length is settled when it
begins; a collision of unlike accesses costs each of them what one among its likes would; winning
has no memory (backoff counters have some). Against backoff counters played slot by slot:
docs/validation.md.
"""

import math
from collections import deque
from collections.abc import Callable

from simpy import Environment, Event, Timeout

from sim.station import leave, need_s

_DIGITS = 1e-9


class _Transfer:
    """A transfer: accesses that it still needs, and the airtime it had so far (`alone_s`)."""

    __slots__ = (
        "accesses",
        "after_s",
        "alone_s",
        "event",
        "fixed_s",
        "frames",
        "left",
        "start_s",
        "work_s",
    )

    def __init__(
        self,
        event: Event,
        work_s: float,
        fixed_s: float,
        accesses: int,
        frames: float,
        after_s: float,
    ) -> None:
        self.event = event
        self.work_s = work_s
        self.fixed_s = fixed_s
        self.accesses = self.left = accesses
        self.frames = frames
        self.after_s = after_s
        self.start_s = math.nan
        self.alone_s = 0.0


class Radio:
    """One station: its transfers leave in order of arrival, and only the first one contends."""

    __slots__ = ("_medium", "place", "queue")

    def __init__(self, medium: "ContendedMedium") -> None:
        self._medium = medium
        self.queue: deque[_Transfer] = deque()
        self.place = -1

    def send(
        self, work_s: float, fixed_s: float, accesses: int, frames: float, after_s: float = 0.0
    ) -> Event:
        """Send `work_s` seconds of airtime, `fixed_s` of which take as long at any speed, in so
        many accesses of `frames` frames each; the event, with (start, end, seconds alone), fires
        `after_s` after the end. It starts when it is the first in the queue.
        """
        return self._medium.enter(self, work_s, fixed_s, accesses, frames, after_s)

    def cancel(self, event: Event) -> float:
        """Take a transfer out; its event never fires. Airtime that it had."""
        return self._medium.withdraw(self, event)


class ContendedMedium:
    """One channel and the stations that contend for it; `draw` gives a number in [0, 1) a contest.

    Winner k = floor(draw n) of the n contenders as they stand: who comes stands last, and where one
    leaves the last one takes its place. A station alone goes on until somebody comes, and then to
    the end of its access; who comes at the very instant of a contest takes part in it.
    """

    def __init__(self, env: Environment, capacity: Callable[[int, float], float]) -> None:
        self.draw: Callable[[], float] = float
        self._env = env
        self._capacity = capacity
        self._contenders: list[Radio] = []
        self._speed = 1.0
        self._silent = False
        self._busy_s = 0.0
        self._sender: Radio | None = None
        self._accesses = 0  # of the turn
        self._todo = 0.0  # of them, since `_since_s`
        self._access_s = 0.0  # airtime of one
        self._stretch = 1.0
        self._since_s = 0.0
        self._is_fresh = False
        self._timer: Timeout | None = None

    def radio(self) -> Radio:
        """A further station."""
        return Radio(self)

    def enter(
        self,
        radio: Radio,
        work_s: float,
        fixed_s: float,
        accesses: int,
        frames: float,
        after_s: float,
    ) -> Event:
        """Queue up at a station."""
        env = self._env
        event = Event(env)
        transfer = _Transfer(event, work_s, fixed_s, accesses, frames, after_s)
        radio.queue.append(transfer)
        if len(radio.queue) > 1:
            return event
        transfer.start_s = env.now
        radio.place = len(self._contenders)
        self._contenders.append(radio)
        if self._timer is None:
            if self._sender is None:
                self._contend()
        elif self._is_fresh and self._since_s == env.now:
            self._contend()
        elif self._accesses > 1:
            self._cut()
        return event

    def withdraw(self, radio: Radio, event: Event) -> float:
        """Take a transfer out of a station's queue, or off the air. Airtime that it had."""
        transfer = next((each for each in radio.queue if each.event is event), None)
        if transfer is None:
            return 0.0
        if transfer is not radio.queue[0]:
            radio.queue.remove(transfer)
            return 0.0
        on_air = radio is self._sender
        if on_air:
            self._pause()
            self._sender = None
        self._advance(radio)
        if on_air:
            self._contend()
        return transfer.alone_s

    def set_speed(self, speed: float) -> None:
        """Go on at another speed; 0 stops the access on the air where it is."""
        self._pause()
        if self._sender is not None and self._todo <= _DIGITS:  # done at this very instant
            self._end_turn()
            self._pause()
        self._silent = speed == 0.0
        if self._silent:
            return
        self._speed = speed
        if self._sender is None:
            self._contend()
        else:
            self._run()
            if self._accesses > 1 and len(self._contenders) > 1:
                self._cut()

    def busy_s(self) -> float:
        """Seconds so far in which a station had something to send and the medium was not silent."""
        return self._busy_s + (0.0 if self._timer is None else self._env.now - self._since_s)

    def _contend(self) -> None:
        """One of those that have something to send wins the next access."""
        self._pause()
        contenders = self._contenders
        n = len(contenders)
        if n == 0 or self._silent:
            self._sender = None
            return
        if n == 1:
            radio = contenders[0]
            transfer = radio.queue[0]
            self._accesses = transfer.left
            self._stretch = 1.0
        else:
            radio = contenders[int(self.draw() * n)]
            transfer = radio.queue[0]
            self._accesses = 1
            self._stretch = 1.0 / self._capacity(n, transfer.frames)
        self._sender = radio
        self._todo = float(self._accesses)
        self._run()
        self._is_fresh = True

    def _run(self) -> None:
        """Send what is left of the turn."""
        assert self._sender is not None
        env, transfer = self._env, self._sender.queue[0]
        self._access_s = need_s(transfer.work_s, transfer.fixed_s, self._speed) / transfer.accesses
        self._since_s = env.now
        self._is_fresh = False
        self._timer = Timeout(env, self._todo * self._access_s * self._stretch)
        self._timer.callbacks.append(self._finish)

    def _pause(self) -> None:
        """Stop the access on the air and note what is left of it."""
        if self._timer is None:
            return
        assert self._sender is not None
        elapsed_s = self._env.now - self._since_s
        self._timer = None
        self._busy_s += elapsed_s
        whole_s = self._access_s * self._stretch
        done = min(self._todo, elapsed_s / whole_s) if whole_s > 0.0 else self._todo
        self._todo -= done
        self._sender.queue[0].alone_s += done * self._access_s

    def _cut(self) -> None:
        """Somebody has come: the turn of a station alone ends with the access on the air."""
        self._pause()
        assert self._sender is not None
        rest = self._todo - math.floor(self._todo + _DIGITS)
        if rest > _DIGITS:
            self._accesses -= round(self._todo - rest)
            self._todo = rest
            self._run()
        else:
            self._accesses -= round(self._todo)
            self._end_turn()

    def _finish(self, timer: Event) -> None:
        """The turn is over."""
        if timer is not self._timer:
            return
        radio = self._sender
        assert radio is not None
        now = self._env.now
        self._timer = None
        self._busy_s += now - self._since_s
        radio.queue[0].alone_s += self._todo * self._access_s
        self._end_turn()

    def _end_turn(self) -> None:
        """The accesses of this turn are done, and with them perhaps the transfer."""
        radio = self._sender
        assert radio is not None
        transfer, now = radio.queue[0], self._env.now
        transfer.left -= self._accesses
        if transfer.left == 0:
            self._advance(radio)
            leave(
                self._env, transfer.event, transfer.start_s, now, transfer.alone_s, transfer.after_s
            )
        self._contend()

    def _advance(self, radio: Radio) -> None:
        """A station's first transfer has gone; the next one contends, or the station no longer."""
        radio.queue.popleft()
        if radio.queue:
            radio.queue[0].start_s = self._env.now
            return
        last = self._contenders.pop()
        if last is not radio:
            self._contenders[radio.place] = last
            last.place = radio.place
