"""A run of plain loops: the system as arrays, their kernel, and the book it leaves."""

import numpy as np

from sim.compiling import told
from sim.engine import layout as at
from sim.engine import readings
from sim.engine.loops import kernel
from sim.engine.loops import layout as mine
from sim.engine.loops.readings import Reader
from sim.engine.loops.state import State
from sim.engine.system import Arrays
from sim.measures.meters import Book, Records, Snapshot, nothing
from sim.request import COLUMNS


class TiedError(Exception):
    """What happens first at an instant depends on an order that is not known here, or the
    budget of events ended: for the event-by-event kernel to say.
    """


class Loops:
    """A system of plain loops, up to where it has been played."""

    def __init__(self, system: Arrays) -> None:
        self._groups = np.bincount(system.dn[:, at.GROUP], minlength=len(system.groups)).tolist()
        self._state = State(system)
        self._reader = Reader(system, self._state.costs_of)
        self._work_s = np.zeros(len(self._state.loops))
        self._arrival_sum_s = self._read_s = 0.0
        self._n_read = 0

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return self._state.now_s

    def run_to(self, end_s: float) -> None:
        """Play everything before `end_s`.

        Raises:
            TiedError: it cannot.
        """
        state = self._state
        while True:
            with told(bool(kernel.play.overloads)):
                why = int(kernel.play(end_s, state.p))
            if why == mine.REACHED:
                break
            if why in (mine.TIED, mine.BUDGET):
                raise TiedError
            state.make_room(why)
        state.f[at.NOW] = end_s

    def snapshot(self) -> Snapshot:
        """All counters at this instant (System.snapshot)."""
        state, now = self._state, self._state.now_s
        state.cn[:, at.TIMER] = np.where(state.due < np.inf, 0, -1)
        own, costs = state.loops, state.costs
        flying = own[:, mine.D_CREATED] < now
        self._read()
        n_left = self._n_read
        ahead_s = costs[state.loop_n[:, mine.D_COST], mine.WORK_S]
        busy_s = self._work_s + np.where(flying, ahead_s, 0.0)
        busy_s -= np.where(flying, np.maximum(0.0, own[:, mine.D_CREATED] + ahead_s - now), 0.0)
        return Snapshot(
            time_s=now,
            n_arrived=n_left + int(np.count_nonzero(flying)),
            n_left=n_left,
            arrival_sum_s=self._arrival_sum_s,
            left_sum_s=float(state.f[at.LEFT_SUM]),
            **readings.busy(state.sn, state, busy_s)._asdict(),
            present_s=tuple(readings.added(np.full(n, now)) for n in self._groups),
        )

    def _read(self) -> None:
        """Add up, as the meter does, what has come and gone since the last time."""
        state, now = self._state, self._state.now_s
        before_s, self._read_s = self._read_s, now
        created = [state.loops[:, mine.D_CREATED]]
        passed = 0
        for piece in self._pieces():
            new = piece[max(0, self._n_read - passed) :]
            passed += len(piece)
            created.append(new[:, mine.CREATED])
            whole = new.view(np.int64)
            spent_s = state.costs[whole[:, mine.COST], mine.WORK_S]
            np.add.at(self._work_s, whole[:, mine.DEVICE], spent_s)
        self._n_read = passed
        came_s = np.concatenate(created)
        came_s = np.sort(came_s[(came_s >= before_s) & (came_s < now)])
        self._arrival_sum_s = readings.added(came_s, self._arrival_sum_s)

    def _pieces(self) -> list[np.ndarray]:
        """What is kept of those that have left."""
        state = self._state
        return [*state.full, state.records[: state.mn[mine.ROWS]]]

    def book(self, begin: Snapshot) -> Book:
        """What the run has left so far."""
        none = dict.fromkeys(COLUMNS, nothing(0))
        return Book(
            records=self._reader.left(self._pieces()),
            steps=none,
            in_flight=self._in_flight(),
            steps_in_flight=none,
            begin=begin,
            end=self.snapshot(),
        )

    def _in_flight(self) -> Records:
        """Those on their way, in the order in which they came."""
        state = self._state
        devices = np.flatnonzero(state.loops[:, mine.D_CREATED] < state.now_s)
        created_s, born = state.loops[devices, mine.D_CREATED], state.loop_n[devices, mine.D_BORN]
        devices = devices[np.lexsort((born, created_s))]
        return self._reader.in_flight(state, devices)
