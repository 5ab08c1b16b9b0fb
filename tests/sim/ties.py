"""Ties that fall by who is concerned instead of by the order of scheduling.

At one instant, who was scheduled first comes first. That does not say when a departure is
scheduled: a station that computes it does so on arrival, an explicit queue only when the visit is
over. So two models that do the same may take what comes at the very same instant in another order,
and both keep to the rule.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any
from unittest import mock

from simpy import Environment, Event, Process

import sim.system


class ByWhom(Environment):
    """Of what is due at one instant with one priority, that comes first for which no process waits
    (timers of stations), then that for which the earliest process waits. When it was scheduled does
    not matter, so that a departure may be computed or take several events.
    """

    def __init__(self) -> None:
        super().__init__()
        self._number: dict[Process, int] = {}

    def process(self, generator: Generator[Event, Any, Any]) -> Process:
        process = super().process(generator)
        self._number[process] = len(self._number)
        return process

    def step(self) -> None:
        queue = self._queue
        due = [heappop(queue)] if queue else []
        while queue and queue[0][:2] == due[0][:2]:
            due.append(heappop(queue))
        due.sort(key=lambda entry: (self._rank(entry[3]), entry[2]))
        for entry in due[1:]:
            heappush(queue, entry)
        for time_s, priority, _, event in due[:1]:
            heappush(queue, (time_s, priority, -1, event))  # before all of them
        super().step()

    def _rank(self, event: Event) -> int:
        """The number of the process that waits for an event, -1 where none does."""
        waiting = (getattr(each, "__self__", None) for each in event.callbacks)
        numbers = [self._number[each] for each in waiting if isinstance(each, Process)]
        return min(numbers, default=-1)


@contextmanager
def by_whom() -> Iterator[None]:
    """Systems that are built meanwhile settle ties so."""
    with mock.patch.object(sim.system, "Environment", ByWhom):
        yield
