"""Meters: they observe requests and stations; the model does not know what is computed.

Every figure is taken over the window from the end of the warm-up to the end of the run.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from math import nan
from struct import Struct
from typing import Any

import numpy as np
from simpy import Environment, Event

from sim.request import COLUMNS, COMPLETE, DONE, Request

_ROW = Struct(f"{len(COLUMNS)}d")

Records = Mapping[str, np.ndarray]


class Meter:
    """Knows the requests in flight (`open`) and keeps one record per request that left; of a
    session's steps and of rounds of training likewise.
    """

    def __init__(
        self,
        env: Environment,
        *,
        n_devices: int = 1,
        target: int | None = None,
        everyone: bool = False,
    ) -> None:
        self._env = env
        self.n_devices = n_devices
        self.target_reached: Event = env.event()
        self.target_s = nan
        self.n_arrived = 0
        self.arrival_sum_s = 0.0
        self.left_sum_s = 0.0
        self.n_left = 0
        self.open: dict[Request, None] = {}
        self.open_steps: dict[Request, None] = {}
        self.open_rounds: dict[Request, None] = {}
        self._flat = bytearray()
        self._steps = bytearray()
        self._rounds = bytearray()
        self._target = target if target is not None else -1
        self._everyone = everyone
        self._behind = array("q", bytes(8 * n_devices))
        self._unready = n_devices
        self.all_reached: Event = env.event()
        self.all_s = nan

    def count_arrival(self, request: Request) -> None:
        """A request has come into being."""
        self.n_arrived += 1
        self.arrival_sum_s += request.created_s
        self.open[request] = None

    def count_departure(self, request: Request, outcome: int) -> None:
        """A request is done or dropped; its device may have reached the target with it."""
        self.n_left += 1
        del self.open[request]
        self.left_sum_s += self._env.now
        request.outcome = outcome
        request.done_s = self._env.now
        self._flat += _ROW.pack(*request.row())
        if self._target >= 0:
            self._count(request)

    def _count(self, request: Request) -> None:
        """One more behind a device; the first time at the target, tell who waits for it."""
        self._behind[request.device] += 1
        if self._behind[request.device] != self._target:
            return
        if request.device == 0:
            self.target_s = request.done_s
            self.target_reached.succeed()
        self._unready -= 1
        if self._unready == 0:
            self.all_s = request.done_s
            self.all_reached.succeed()

    def waits_for(self, device: int) -> int:
        """How many requests of a device must be behind it before the run may end."""
        return self._target if device == 0 or self._everyone else 0

    def begin_step(self, step: Request) -> None:
        """A step of a session has begun; its `tokens` is its number, 0 the prefill."""
        self.open_steps[step] = None

    def count_step(self, step: Request, outcome: int) -> None:
        """A step of a session is done, or came to nothing."""
        del self.open_steps[step]
        step.done_s = self._env.now
        step.outcome = outcome
        self._steps += _ROW.pack(*step.row())

    def begin_round(self, step: Request) -> None:
        """A round of training has begun; its `tokens` is its number, from 0."""
        self.open_rounds[step] = None

    def count_round(self, step: Request, outcome: int) -> None:
        """A round of training is done, or came to nothing."""
        del self.open_rounds[step]
        step.done_s = self._env.now
        step.outcome = outcome
        self._rounds += _ROW.pack(*step.row())

    def records(self) -> Records:
        """Name to column, in the order in which requests left."""
        return _columns(self._flat)

    def steps(self) -> Records:
        """The steps of sessions, likewise, with those that came to nothing."""
        return _columns(self._steps)

    def rounds(self) -> Records:
        """The rounds of training, likewise."""
        return _columns(self._rounds)

    def in_flight(self) -> Records:
        """The requests that are still in flight; `done_s` is now, so far are they known."""
        return self._watch(self.open)

    def steps_in_flight(self) -> Records:
        """The steps that are still in flight, likewise."""
        return self._watch(self.open_steps)

    def rounds_in_flight(self) -> Records:
        """The rounds that are still in flight, likewise."""
        return self._watch(self.open_rounds)

    def _watch(self, requests: Iterable[Request]) -> Records:
        rows = bytearray()
        for request in requests:
            request.done_s = self._env.now
            rows += _ROW.pack(*request.row())
        return _columns(rows)


def _columns(rows: bytearray) -> Records:
    """The packed rows, as named columns."""
    return named(np.frombuffer(rows, dtype=np.float64).reshape(-1, len(COLUMNS)))


def named(table: np.ndarray) -> Records:
    """Rows [request, column] as named columns, a copy."""
    return dict(zip(COLUMNS, table.T.copy(), strict=True))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The counters at one instant; the window's figures are differences of two of them.

    `present_s`: seconds in which the devices of each group were there, summed over them.
    """

    time_s: float
    n_arrived: int
    n_left: int
    arrival_sum_s: float
    left_sum_s: float
    server_busy_s: float
    decoder_busy_s: float
    link_busy_s: float
    device_busy_s: float
    device0_busy_s: float
    present_s: tuple[float, ...] = ()
    n_changes: int = 0
    n_probes: int = 0


@dataclass(frozen=True, kw_only=True)
class Book:
    """What one run leaves: records of what left and of what is still in flight (`done_s` is the
    end of the run), of requests, of the steps of sessions and of rounds of training, the counters
    at both ends of the window, and the medium's (time, speed) wherever it changed.
    """

    records: Records
    steps: Records
    in_flight: Records
    steps_in_flight: Records
    begin: Snapshot
    end: Snapshot
    speeds: tuple[tuple[float, float], ...] = ()
    has_sessions: bool = False
    rounds: Records = field(default_factory=lambda: _columns(bytearray()))
    rounds_in_flight: Records = field(default_factory=lambda: _columns(bytearray()))

    @property
    def every(self) -> tuple[Records, ...]:
        """All tables of what goes through the system, whatever became of it."""
        return (
            self.records, self.in_flight, self.steps, self.steps_in_flight, self.rounds,
            self.rounds_in_flight,
        )  # fmt: skip

    @property
    def length_s(self) -> float:
        """Of the window."""
        return self.end.time_s - self.begin.time_s

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}  # not what follows

    @cached_property
    def gone(self) -> Records:
        """The requests that left in the window."""
        return since(self.records, self.begin.time_s)

    @cached_property
    def done(self) -> Records:
        """Those of them that have got their answer."""
        return select(self.gone, are_answered(self.gone))


class Derived(Mapping[str, np.ndarray]):
    """Columns that are made when they are asked for: few of them ever are."""

    def __init__(self, names: Iterable[str], make: Callable[[str], np.ndarray]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, np.ndarray] = {}

    def __reduce__(self) -> tuple[type, tuple[dict[str, np.ndarray]]]:
        return dict, (dict(self),)  # where it arrives, what they are made from is not known

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def nothing(n_rows: int) -> np.ndarray:
    """The column of what takes no time and no bytes; many may be the same one, not to write to."""
    zeros = np.zeros(n_rows)
    zeros.flags.writeable = False
    return zeros


def select(table: Records, chosen: np.ndarray) -> Records:
    """Some rows of a table."""
    if chosen.dtype == bool and chosen.all():
        return table
    return Derived(table, lambda name: table[name][chosen])


def since(table: Records, start_s: float) -> Records:
    """The rows that left after an instant; records stand in the order in which they left."""
    first = int(np.searchsorted(table["done_s"], start_s, side="right"))
    return Derived(table, lambda name: table[name][first:]) if first else table


def join(first: Records, second: Records) -> Records:
    """The rows of two tables."""
    if not len(second["done_s"]):
        return first
    return Derived(first, lambda name: np.concatenate((first[name], second[name])))


def are_answered(table: Records) -> np.ndarray:
    """Which requests have got their answer: a session that was cut short has not."""
    return np.asarray((table["outcome"] == DONE) & (table["ending"] == COMPLETE))


def ages_s(table: Records) -> np.ndarray:
    """Seconds since birth: until the answer, or the end of the run."""
    return np.asarray(table["done_s"] - table["created_s"])
