"""A run of the event-by-event kernel: the system as arrays, and the book it leaves."""

import numpy as np

from sim.compiling import told
from sim.engine import kernel, readings
from sim.engine import layout as at
from sim.engine.state import State
from sim.engine.system import Arrays
from sim.measures.meters import Book, Snapshot


class Stepwise:
    """Any system that the compiled engine knows, up to where it has been played."""

    def __init__(self, system: Arrays) -> None:
        self._system = system
        self._state = State(system)

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return self._state.now_s

    @property
    def target_s(self) -> float:
        """When device 0 had its requests behind it."""
        return float(self._state.f[at.TARGET_AT])

    @property
    def all_s(self) -> float:
        """When every device had."""
        return float(self._state.f[at.ALL_AT])

    def run_to(self, end_s: float) -> None:
        """Play everything before `end_s`."""
        self._play(end_s, -1)
        self._state.f[at.NOW] = end_s

    def run_until(self, event: int) -> bool:
        """Play until device 0, or every device, has reached the target; False: it cannot."""
        if self._state.n[at.TARGET_PASSED if event == at.ON_TARGET else at.ALL_PASSED]:
            return True
        return self._play(np.inf, event) == at.STOPPED

    def snapshot(self) -> Snapshot:
        """All counters at this instant (System.snapshot)."""
        return readings.read_counters(self._system, self._state)

    def book(self, begin: Snapshot) -> Book:
        """What the run has left so far."""
        system, state = self._system, self._state
        return Book(
            records=readings.named([*state.full, state.records[: state.n[at.ROWS]]]),
            steps=readings.named([*state.full_steps, state.steps[: state.n[at.STEPS]]]),
            in_flight=readings.named([readings.in_flight(system, state)]),
            steps_in_flight=readings.named([readings.steps_in_flight(system, state)]),
            begin=begin,
            end=self.snapshot(),
            speeds=tuple(system.speeds.until(self.now_s)) if system.speeds else (),
            has_sessions=bool(system.gn[system.present, at.TALKS].any()),
        )

    def _play(self, until_s: float, stop: int) -> int:
        while True:
            with told(bool(kernel.play.overloads)):
                why = int(kernel.play(until_s, stop, self._state.p))
            if why in (at.REACHED, at.STOPPED, at.EMPTY):
                return why
            self._state.make_room(why)
