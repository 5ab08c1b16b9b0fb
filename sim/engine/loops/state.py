"""The arrays of a run of plain loops, and room for more where they are full."""

import math

import numpy as np

from sim.engine import layout as at
from sim.engine.loops import layout as mine
from sim.engine.loops.costs import costs_of
from sim.engine.loops.kernel import begin
from sim.engine.loops.tables import NAMES
from sim.engine.pointing import Listed
from sim.engine.system import Arrays
from sim.medium.sharing.wifi import contention

SMALL = 64
"""Devices up to which all of time is one window, and several requests of each drawn at a time."""
_PER_WINDOW, _WIDEST_S, _NARROWEST_S = 48.0, 0.5, 2.0**-17
"""Arrivals in a window: more are slow to sort, fewer leave it empty. How long it may be: pauses of
nothing do not make windows of nothing.
"""
_TOGETHER = 16.0
"""Requests that come back together: more would leave the fastest cache."""
ROOM = 1024
"""Requests beyond their devices, and arrivals of a window, for which there is room at first."""
WIDE = 64
"""Transfers in a cell for which there is room at first."""
ROWS = 65_536
"""Rows of those who have left that are written in a piece: large enough for huge pages."""
_MANY = 256
"""Stations that contend: up to here those to come are looked up ahead, beyond each as it comes,
since a cell that collapses passes most numbers between two accesses.
"""
_LINE = 64  # bytes
_FEWEST = 16  # buckets in which a window is sorted


class State:
    """What is where, named as in `sim.engine.loops.tables`."""

    def __init__(self, system: Arrays) -> None:
        self._link = system.spec.link
        self.costs_of = costs = costs_of(system)
        self.costs, self.shared, self.kinds = costs.each, costs.shared, costs.kinds
        self.sf, self.sn, self.tails = system.sf, system.sn, system.tails
        start_s = np.maximum(system.df[:, at.SPREAD], 0.0)
        order = np.lexsort((system.df[:, at.SPREAD] >= 0.0, start_s))
        system.forget_devices()
        self._set_devices(len(start_s))
        self._set_places(system)
        self._listed = Listed(self._arrays())
        self.p = self._listed.address
        begin(self.p, costs.kind_of, start_s, order)

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return float(self.f[at.NOW])

    @property
    def decoding_s(self) -> np.ndarray:
        """Since when each core that is busy has been, where they are held one by one."""
        busy = self.mn[mine.CORE_FRONT] + np.arange(self.mn[mine.N_DECODING])
        seconds: np.ndarray = self.slots[self.core_who[busy % len(self.core_who)], mine.C_START]
        return seconds

    def _set_devices(self, n: int) -> None:
        """Every device's row, on lines of its own, and the list."""
        self.loops = _in_lines(n, mine.N_LOOP)
        self.loop_n = self.loops.view(np.int64)
        self.drawn = np.zeros((n if n <= SMALL else 0, 2 * mine.N_DRAWN))
        self.f, self.mf = np.zeros(at.N_FLOATS), np.full(mine.N_MARK, math.inf)
        self.mn = np.zeros(mine.N_MARK_WHOLE, np.int64)
        self.mf[[mine.WINDOW_END, mine.LAST_S, mine.DONE_S, mine.LAST_END]] = 0.0, -1.0, -1.0, -1.0
        self.mn[[mine.WINDOW_NOW, mine.CORE_QUEUE]] = -1
        self.f[at.AGAIN] = math.inf
        self._set_times(n)
        self.chains = np.full(1 << (n // 4).bit_length(), -1)
        self._set_list(ROOM)

    def _set_times(self, n: int) -> None:
        """The width of a window; how long those who are back may wait for others, and how far they
        may run ahead: not at all where requests stay on their devices, which leave from there.
        """
        least = self.costs[:, [mine.WORK_S, mine.AFTER_S]].min(axis=0)
        cycle_s = self.kinds[self.costs_of.kind_of, mine.MEAN] + least.sum()
        most_rps = float(np.sum(1.0 / cycle_s))
        if np.any(self.costs[:, mine.N_ACCESSES] < 0.0):
            least[:] = 0.0
        self.mf[[mine.NEXT_WORK, mine.NEXT_ANSWER]] = np.minimum(least, _TOGETHER / most_rps)
        self.mf[mine.WIDTH] = 2.0**60
        if n > SMALL:
            width_s = 2.0 ** round(math.log2(_PER_WINDOW / most_rps))
            self.mf[mine.WIDTH] = min(_WIDEST_S, max(_NARROWEST_S, width_s))
        self.mf[mine.PER_S] = 1.0 / self.mf[mine.WIDTH]  # both powers of two

    def _set_list(self, room: int) -> None:
        """Room for so many arrivals of a window, and for as many that come to it later."""
        old = getattr(self, "list_at", np.zeros(0)), getattr(self, "list_key", np.zeros(0, int))
        self.sort_at, self.sort_key = np.zeros(room), np.zeros(room, np.int64)
        self.sort_n = np.zeros(max(room, _FEWEST) + 2, np.int64)
        self.row_u = np.zeros(room)
        self.list_at, self.list_key = np.zeros(2 * room), np.zeros(2 * room, np.int64)
        for new, filled in zip((self.list_at, self.list_key), old, strict=True):
            new[: len(filled)] = filled

    def _set_places(self, system: Arrays) -> None:
        """Cells, cores, GPUs, and rows of those who leave."""
        link, server = system.spec.link, system.spec.server
        self.cf = np.zeros((link.n_cells, at.N_CELL_FLOATS))
        self.cn = np.zeros((link.n_cells, at.N_CELL_WHOLE), np.int64)
        self.cn[:, [at.SENDER, at.Q_FIRST, at.TIMER]] = -1
        self.due, self.lots = np.full(link.n_cells, math.inf), np.zeros((link.n_cells, mine.N_LOTS))
        self.tags, self.turns = np.zeros((0, 0)), np.zeros((0, 0), np.int64)
        self.members, self.stretches = np.zeros((0, 0), np.int64), np.zeros((0, 0))
        self._make_wide(WIDE, server.max_batch)
        self.slots, self.free = _in_lines(ROOM, mine.N_SLOT), np.arange(ROOM)
        self.slot_n = self.slots.view(np.int64)
        self.core_at, self.core_who = np.zeros(ROOM), np.zeros(ROOM, np.int64)
        self.back_at, self.back_who = np.zeros(ROOM), np.zeros(ROOM, np.int64)
        gpus = server.n_gpus
        self.batch_n, self.batch_at = np.zeros(gpus, np.int64), np.zeros(gpus)
        self.batch_end = np.full(gpus, math.inf)
        self.gpus, self.cores = np.zeros(gpus), np.zeros(max(1, server.cpu_workers))
        self.parts = np.zeros(128)
        self.full = list[np.ndarray]()
        self.records = np.empty((ROWS, mine.N_KEPT))

    def _make_wide(self, width: int, most: int = 0) -> None:
        """Room for as many transfers in a cell at once, of what the medium needs."""
        cells, kind = len(self.cf), self.sn[at.LINK]
        shared, contended = kind == at.SHARED_LINK, kind == at.CONTENDED_LINK
        n_sizes = len(self.costs_of.sizes)
        self.tags = _widened(self.tags, cells, width if shared else WIDE, 0.0)
        self.turns = _widened(self.turns, cells, width if shared else WIDE, 0)
        self.members = _widened(self.members, cells, width if contended else WIDE, 0)
        self.stretches = _widened(self.stretches, n_sizes, width if contended else WIDE, math.nan)
        self.work = np.zeros(max(width, most, len(getattr(self, "work", ()))))

    def _arrays(self) -> list[np.ndarray]:
        """All of them, as they are listed at the address `p`."""
        return [getattr(self, name) for name in NAMES]

    def make_room(self, why: int) -> None:
        """Room for more of what the kernel came back for."""
        if why == mine.GROW_ROWS:
            self.full.append(self.records[: self.mn[mine.ROWS]])
            self.records = np.empty((ROWS, mine.N_KEPT))
            self.mn[mine.ROWS] = 0
        elif why == mine.GROW_ROOM:
            self._add_slots()
            for name, front in (("core", mine.CORE_FRONT), ("back", mine.BACK_FRONT)):
                self._double(name, front)
        elif why == mine.GROW_WINDOW:
            self._set_list(2 * len(self.sort_at))
        elif why == mine.GROW_CELL:
            self._make_wide(2 * max(self.tags.shape[1], self.members.shape[1]))
        else:
            self.mn[mine.SHORT] = 0
            for c in np.flatnonzero(self.cn[:, at.ASKS]).tolist():
                self._begin_access(c)
        self._listed.renew(self._arrays())

    def _double(self, name: str, front: int) -> None:
        """A ring of twice the length."""
        for part in ("at", "who"):
            old = getattr(self, f"{name}_{part}")
            new = np.zeros(2 * len(old), old.dtype)
            new[: len(old)] = old[(self.mn[front] + np.arange(len(old))) % len(old)]
            setattr(self, f"{name}_{part}", new)
        self.mn[front] = 0

    def _add_slots(self) -> None:
        """Twice as many slots."""
        old, n = self.slots, len(self.slots)
        self.slots = _in_lines(2 * n, mine.N_SLOT)
        self.slots[:n] = old
        self.slot_n = self.slots.view(np.int64)
        self.free = np.concatenate([self.free, np.arange(n, 2 * n)])

    def _begin_access(self, c: int) -> None:
        """Say how far those who contend in a cell stretch the access that has begun, and when it is
        over; and learn the same for a few more and for a few less.
        """
        cf, cn = self.cf[c], self.cn[c]
        size = int(self.costs[self.slot_n[cn[at.SENDER], mine.COST], mine.SIZE])
        frames, together = self.costs_of.sizes[size]
        each, m = frames / -(-frames // together), int(cn[at.CONTENDERS])
        capacity = contention(self._link)
        near = m // 4 if m < _MANY else 0
        for n in range(max(2, m - near), min(m + near + 2, self.stretches.shape[1])):
            self.stretches[size, n] = 1.0 / capacity(n, each)
        cf[at.STRETCH] = self.stretches[size, m]
        cn[at.ASKS] = 0
        self.due[c] = cf[at.SINCE] + cf[at.UNSENT] * cf[at.ACCESS] * cf[at.STRETCH]


def _in_lines(n: int, width: int) -> np.ndarray:
    """n rows of zeros that begin with a cache line."""
    flat = np.zeros(n * width + _LINE // 8)
    skip = -flat.ctypes.data % _LINE // 8
    return flat[skip : skip + n * width].reshape(n, width)


def _widened(old: np.ndarray, rows: int, width: int, fill: float) -> np.ndarray:
    """A table of as many columns, with what stood in a narrower one."""
    new = np.full((rows, width), fill, old.dtype)
    new[: len(old), : old.shape[1]] = old
    return new
