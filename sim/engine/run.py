"""A run of the compiled engine, on the kernel that plays its system fastest.

Plain closed loops have one of their own (sim.engine.loops), all else is played event by event. Both
give the same numbers to the bit. Where plain loops come to an instant whose order only the list of
all events knows, the run begins again with that.
"""

import math

from sim.engine.loops.known import knows
from sim.engine.loops.loops import Loops, TiedError
from sim.engine.stepwise import Stepwise
from sim.engine.system import Arrays
from sim.measures.meters import Book, Snapshot
from sim.sources.source import Source, Sources
from sim.specs import SystemSpec


class Run:
    """One run, up to where it has been played."""

    def __init__(self, spec: SystemSpec, sources: Sources, replication: int = 0) -> None:
        self._given = spec, sources, replication
        self._ends_s: list[float] = []
        system = Arrays(*self._given)
        self.speeds = system.speeds
        self.sources: list[Source] = [each for n in system.present for each in system.choices[n]]
        """Those that devices may draw from."""
        self._playing: Loops | Stepwise = Loops(system) if knows(system) else Stepwise(system)

    def run_to(self, time_s: float) -> None:
        """Play everything before `time_s`, as `Clock.run_to` does."""
        now_s = self.now_s
        self._ends_s.append(now_s + (time_s - now_s))
        try:
            self._playing.run_to(self._ends_s[-1])
        except TiedError:
            self._playing = Stepwise(Arrays(*self._given))
            for end_s in self._ends_s:
                self._playing.run_to(end_s)

    def run_until(self, event: int) -> bool:
        """Play until device 0, or every device, has reached the target; False: it cannot."""
        return isinstance(self._playing, Stepwise) and self._playing.run_until(event)

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return self._playing.now_s

    @property
    def target_s(self) -> float:
        """When device 0 had its requests behind it; not a number without a target."""
        return self._playing.target_s if isinstance(self._playing, Stepwise) else math.nan

    @property
    def all_s(self) -> float:
        """When every device had."""
        return self._playing.all_s if isinstance(self._playing, Stepwise) else math.nan

    def snapshot(self) -> Snapshot:
        """All counters at this instant (System.snapshot)."""
        return self._playing.snapshot()

    def book(self, begin: Snapshot) -> Book:
        """What the run has left so far."""
        return self._playing.book(begin)
