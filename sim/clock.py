"""Clock: plays the events of a model in order, but no more of them than its budget allows."""

from itertools import repeat
from operator import length_hint

import numpy as np
from simpy import Environment, Event
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import URGENT

from sim.measures.meters import Meter
from sim.specs import SystemSpec


class EventBudgetError(ValueError):
    """A run had more events than `max_events` before it came to its end."""


class Clock:
    """Moves a system forward, to a time or to an event, as `Environment.run` does.

    `max_events` of the spec holds for all moves of one run together: a run that never reaches its
    end (an overloaded terminating one, a workload of a billion requests a second) ends with an
    error. The budget costs nothing per event; a loop that makes no events is not seen by it.
    """

    def __init__(self, env: Environment, spec: SystemSpec, meter: Meter) -> None:
        self._env = env
        self._spec = spec
        self._meter = meter
        self._left = spec.max_events

    @property
    def n_events(self) -> int:
        """Events played so far."""
        return self._spec.max_events - self._left

    def run_to(self, time_s: float) -> None:
        """Play everything before `time_s`; what is due at that instant stays, but for urgent events
        that stood there before.

        Raises:
            ValueError: a time that is not in the future.
            EventBudgetError: the budget ended before.
        """
        if time_s <= self._env.now:
            raise ValueError(f"time_s must be > {self._env.now:g}, the time it is, got {time_s:g}")
        end = self._env.event()
        end._ok, end._value = True, None
        self._env.schedule(end, URGENT, time_s - self._env.now)
        self.run_until(end)

    def run_until(self, event: Event) -> bool:
        """Play until `event` has happened; False where nothing is left that could bring it about.

        Raises:
            EventBudgetError: the budget ended before.
        """
        if event.processed:
            return True
        event.callbacks.append(StopSimulation.callback)
        step, turns = self._env.step, repeat(None, self._left)
        try:
            for _ in turns:
                step()
        except StopSimulation:
            return True
        except EmptySchedule:
            return False
        finally:
            self._left = length_hint(turns)
        raise EventBudgetError(self._say_where())

    def _say_where(self) -> str:
        """How far the run had come, in one line."""
        meter = self._meter
        devices = meter.records()["device"].astype(int)
        behind = np.bincount(devices, minlength=self._spec.fleet.n_devices)
        in_flight = meter.n_arrived - meter.n_left
        return say_budget(self._spec, self._env.now, in_flight, behind)


def say_budget(spec: SystemSpec, now_s: float, in_flight: int, behind: np.ndarray) -> str:
    """Where the events were used up, in one line; `behind`: requests that each device had done."""
    wanted = spec.workload.requests
    due = f" of {spec.horizon_s:g} s"
    if wanted is not None:
        due = f" (device 0 has completed {behind[0]} of {wanted} requests"
        if spec.workload.until_all:
            due += f", {np.count_nonzero(behind >= wanted)} of {len(behind)} devices all"
        due += ")"
    return (
        f"max_events={spec.max_events} events are used up at {now_s:g} s{due}, with {in_flight}"
        " requests in flight; raise max_events, or lower the load"
    )
