"""The state of a run: the arrays that the kernel writes, and room for more where they are full."""

import math

import numpy as np

from sim.clock import EventBudgetError, say_budget
from sim.engine import layout as at
from sim.engine import links, lists, needs, tables
from sim.engine.pointing import Listed
from sim.engine.system import Arrays
from sim.medium.sharing.wifi import contention

_FEW = 64
SMALL = 32
"""Devices up to which one heap is the faster list."""
_PER_WINDOW, _MANY, _PER_WIDE_WINDOW = 8.0, 100_000, 32.0
"""Arrivals in a window of the event list: more make its heap higher, fewer leave it empty. From so
many devices on a window's events lie far apart in memory and are best fetched together.
"""
_GROWING = ("at", "key", "ring", "cored", "hops", "hop_code", "waiting")
_ROWS = 8192
"""Rows of those who have left that are written in a piece."""
SLOTS = 4096
"""Requests in flight for which there is room at first."""
BELT = 1024
"""Events that a belt holds, a power of two."""
_FIRST_CHANGES = 64
"""Changes of the medium's speed that are made at once, at first."""


class State:
    """What is where in a system, named as in `sim.engine.tables`."""

    def __init__(self, system: Arrays) -> None:
        self._system = system
        self._set_all()
        self._listed = Listed(self._arrays(), needs.addresses(system))
        self.p = self._listed.address

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return float(self.f[at.NOW])

    def _set_all(self) -> None:
        """How it is before anything has happened."""
        system, spec = self._system, self._system.spec
        n_devices = spec.fleet.n_devices
        self._set_windows()
        self.f[at.AGAIN] = math.inf
        self.f[[at.TARGET_AT, at.ALL_AT]] = math.nan
        self.n[at.UNREADY] = n_devices
        slots = min(n_devices + _FEW, SLOTS)
        self.qf = np.zeros((slots, at.N_SLOT_FLOATS))
        self.qn = _vacant(slots)
        self.qn[:, at.NEXT] = np.append(np.arange(1, slots), -1)
        self.mates = np.zeros((slots if spec.fleet.churns else 1, at.N_MATE), np.int64)
        self._set_radios()
        self.cf = np.zeros((spec.link.n_cells, at.N_CELL_FLOATS))
        self.cf[:, at.DUE] = math.inf
        self.cn = np.zeros((spec.link.n_cells, at.N_CELL_WHOLE), np.int64)
        self.cf[:, at.C_SPEED] = 1.0
        self.cn[:, [at.SENDER, at.TIMER, at.Q_FIRST]] = -1
        groups = tuple(system.groups.values())
        self.lane_of, self.gains = links.set_lanes(system.link, groups, system.dn, self.cn)
        self.lanes = np.zeros((len(self.gains), at.N_LANE_FLOATS))
        self.lane_n = np.zeros(len(self.gains), np.int64)
        n_heaps = max(spec.link.n_cells, len(self.gains))
        self._set_lists(slots)
        self.members = np.zeros((n_heaps, _FEW), np.int64)
        gpus, batch = spec.server.n_gpus, spec.server.max_batch
        self.batches = np.zeros((gpus, batch), np.int64)
        self.batch_n, self.batch_at = np.zeros(gpus, np.int64), np.zeros(gpus)
        self.batch_turn, self.batch_share = np.zeros(gpus, np.int64), np.zeros(gpus)
        self.gpus, self.cores = np.zeros(gpus), np.zeros(max(1, spec.server.cpu_workers))
        self.belts = np.zeros((at.N_BELTS, at.N_BELT), np.int64)
        self.belt_at = np.zeros(at.N_BELTS * BELT)
        self.belt_key = np.zeros((len(self.belt_at), 2), np.int64)
        self.belt_head = np.full(at.N_BELTS, math.inf)
        self.parts = np.zeros(128)
        self.records, self.full = self._more_rows(), list[np.ndarray]()
        self.steps, self.full_steps = self._more_rows(), list[np.ndarray]()
        talks = slots if system.has_sessions else 1
        self.talk = np.zeros((talks, at.N_TALK_FLOATS))
        self.talk_n = np.zeros((talks, at.N_TALK_WHOLE), np.int64)
        self.f[at.MEMORY_FREE] = system.sf[at.MEMORY]
        first = [at.ON_WATCH] * spec.server.fails + [at.ON_CHANGE] * spec.link.varies
        codes = [kind << at.SHIFT for kind in first]
        codes += self._births().tolist()
        self.ring[: len(codes)] = np.array([np.arange(len(codes)), codes]).T
        self.n[[at.QUEUED, at.ORDER]] = len(codes)
        self.n[[at.REPAIR_FIRST, at.WAKING, at.MEMORY_FIRST]] = -1
        self._set_frames(2 * int(system.sn[at.MOST_FRAMES]) + _FEW)
        self._known: list[tuple[float, float]] = []
        self._following = system.speeds.changes() if system.speeds else iter(())
        self._know_more()

    def _births(self) -> np.ndarray:
        """What happens at 0 s, device by device (Factory.device): whose group has no churn begins
        its life; who is there from the start does so behind all of those (Device.spawn).
        """
        system = self._system
        devices, join_s = np.arange(len(system.dn)), system.churns[:, at.C_JOIN]
        join_s = join_s[system.dn[:, at.GROUP]]
        begins = np.where(np.isnan(join_s), at.ON_BIRTH, at.ON_PRESENCE)
        if system.spec.fleet.churns:
            system.stays[~np.isnan(join_s), at.THERE_SINCE] = math.inf
        later = devices[join_s == 0.0]
        return np.append((begins << at.SHIFT) + devices, (at.ON_BIRTH << at.SHIFT) + later)

    def _set_radios(self) -> None:
        """Stations that contend, queues of one's own, and what fades."""
        system, link = self._system, self._system.spec.link
        n_devices = system.spec.fleet.n_devices
        n_radios = {"wifi": n_devices + link.n_cells, "cellular": 2 * n_devices}
        self.radios = np.full((n_radios.get(link.sharing, 1), at.N_RADIO), -1)
        self.radios[:, at.IN_AIR] = 0
        together = link.aggregation
        contends = system.sn[at.LINK] == at.CONTENDED_LINK
        self.sizes = np.full((system.most_frames + 1, together + 1) if contends else (1, 1), -1)
        self.ratios = np.full((8, _FEW), math.nan)
        n_fading = 1 if link.plain else n_devices
        self.fades = np.ones((n_fading, at.N_FADE_FLOATS))
        self.fading = np.full((n_fading, at.N_FADE_WHOLE), -1)
        self.fading[:, at.LINK_DRAWN] = 0

    def _set_frames(self, number: int) -> None:
        """Room for as many more frames that are sent again."""
        old = getattr(self, "frames", np.zeros((0, at.N_FRAME), np.int64))
        more = np.zeros((number, at.N_FRAME), np.int64)
        free = int(self.n[at.FREE_FRAME]) if len(old) and self.n[at.SPARE_FRAMES] else -1
        more[:, at.NEXT_FRAME] = np.append(np.arange(1, number) + len(old), free)
        self.frames = np.concatenate([old, more])
        self.n[at.FREE_FRAME] = len(old)
        self.n[at.SPARE_FRAMES] += number

    def _know_more(self) -> None:
        """Twice as many changes of the medium's speed."""
        number, is_all = max(_FIRST_CHANGES, len(self._known)), True
        speeds = self._system.speeds
        if speeds is not None:
            is_all = links.know(self._following, self._known, number)
        self.changes = np.array(self._known or [(0.0, 1.0)])
        silences = speeds.silences() if speeds is not None else []
        self.silences = np.array(silences or [(0.0, 0.0, 0.0)])
        self.n[[at.CHANGES, at.SILENCES]] = len(self._known), len(silences)
        self.n[at.ALL_CHANGES] = is_all

    def _set_windows(self) -> None:
        """How time is cut for the event list: in small systems not at all."""
        means_s = self._system.gf[self._system.dn[:, at.GROUP], at.MEAN]
        rate_rps = float(np.sum(1.0 / means_s[means_s > 0.0]))
        n_chains = 1
        self._windows_per_s = 0.0
        if len(means_s) > SMALL and rate_rps > 0.0:
            n_chains = 1 << (len(means_s) // 4).bit_length()
            each = _PER_WINDOW if len(means_s) < _MANY else _PER_WIDE_WINDOW
            self._windows_per_s = max(2.0, 2.0 ** round(math.log2(rate_rps / each)))
        self.f, self.n = np.zeros(at.N_FLOATS), np.zeros(at.N_WHOLE + n_chains, np.int64)

    def _set_lists(self, slots: int) -> None:
        server = self._system.spec.server
        burst = server.max_batch + server.n_gpus + server.cpu_workers
        listed = len(self._system.dn) + 2 * slots + 2 * burst + _FEW
        self.at, self.key = lists.empty(self.n, listed, self._windows_per_s)
        ring = 1 << (len(self._system.dn) + 2 * slots + _FEW).bit_length()
        self.ring = np.zeros((ring, 2), np.int64)
        self.cored = np.zeros(1 << (slots + _FEW).bit_length(), np.int64)
        self.hops = np.zeros(slots + 2 * burst + _FEW)
        self.hop_code = np.append(np.arange(1, len(self.hops)), -1)
        self.waiting = np.zeros(slots + _FEW, np.int64)
        self.work = np.zeros(slots + burst)

    def _arrays(self) -> list[np.ndarray]:
        """All of them, the system's among them, as they are listed at the address `p`."""
        named = vars(self._system) | vars(self)
        return [named[name] for name in tables.NAMES]

    def make_room(self, why: int) -> None:
        """Room for more of what the kernel came back for.

        Raises:
            ValueError: it came back for what no room is made for.
        """
        if why == at.GROW_ROWS:
            self._begin_piece("records", self.full, at.ROWS)
        elif why == at.GROW_STEPS:
            self._begin_piece("steps", self.full_steps, at.STEPS)
        elif why == at.IS_SHORT:
            short, self.n[at.SHORT] = int(self.n[at.SHORT]), 0
            if short & at.OF_PLACES:
                self._make_wide()
            if short & at.OF_CHANGES:
                self._know_more()
            if short & at.OF_FRAMES:
                self._set_frames(len(self.frames))
        elif why == at.GROW:
            self._grow()
        elif why == at.NO_TAIL:
            self._refuse_batch()
        elif why == at.NO_TIME:
            raise ValueError("workload.think_s must be > 0 for a request that takes no time, got 0")
        else:
            in_flight = int(self.n[at.ARRIVED] - self.n[at.LEFT])
            behind = self._system.dn[:, at.BEHIND]
            raise EventBudgetError(say_budget(self._system.spec, self.now_s, in_flight, behind))
        self._listed.renew(self._arrays())

    def _begin_piece(self, name: str, full: list[np.ndarray], count: int) -> None:
        """Keep the rows of a table that is full, and write on in an empty one."""
        full.append(getattr(self, name)[: self.n[count]])
        setattr(self, name, self._more_rows())
        self.n[count] = 0

    def _more_rows(self) -> np.ndarray:
        """A piece for rows of those who leave, with room for all who may at once."""
        in_flight = int(self.n[at.ARRIVED] - self.n[at.LEFT])
        n_rows = max(_ROWS, 2 * in_flight * self._system.spec.fleet.churns + 2)
        return np.empty((n_rows, self._system.n_columns))

    def _refuse_batch(self) -> None:
        """Let the source say why it does not know the batch that is to be served."""
        system, g = self._system, int(self.n[at.ASKING])
        rows = self.qn[self.batches[g, : self.batch_n[g]], at.ROW]
        source = system.sources[int(system.rows[rows[0], at.R_SOURCE])]
        source.batch_s([system.draws[row] for row in rows])
        raise AssertionError("a batch that its source knows")

    def _make_wide(self) -> None:
        """Room for twice as many who are on the air in a cell at once."""
        most = int(max(self.cn[:, [at.ACTIVE, at.FLOWS]].max(), self.lane_n.max()))
        if most + 1 >= self.members.shape[1]:
            self.members = np.pad(self.members, ((0, 0), (0, self.members.shape[1])))
        high, wide = self.ratios.shape
        if self._system.sn[at.LINK] == at.CONTENDED_LINK:
            more = high * (self.n[at.SIZES] + 2 > high), wide * (most + 1 >= wide)
            if any(more):
                pad = ((0, int(more[0])), (0, int(more[1])))
                self.ratios = np.pad(self.ratios, pad, constant_values=math.nan)
            for c in np.flatnonzero(self.cn[:, at.ASKS]).tolist():
                self._begin_access(c)

    def _begin_access(self, c: int) -> None:
        """Say how far those who contend in a cell stretch the access that has begun, and when it is
        over; and learn the same for a few more and for a few less.
        """
        cf, cn = self.cf[c], self.cn[c]
        s = self.radios[cn[at.SENDER], at.FIRST]
        place, m = int(self.qn[s, at.SIZE]), int(cn[at.CONTENDERS])
        frames, together = np.argwhere(self.sizes == place)[0].tolist()
        each = frames / -(-frames // together)
        capacity = contention(self._system.spec.link)
        for n in range(max(2, m - m // 4), min(m + m // 4 + 2, self.ratios.shape[1])):
            self.ratios[place, n] = capacity(n, each)
        cf[at.STRETCH] = 1.0 / self.ratios[place, m]
        cn[at.ASKS] = 0
        time_s = cf[at.SINCE] + cf[at.UNSENT] * cf[at.ACCESS] * cf[at.STRETCH]
        code = (at.ON_AIR << at.SHIFT) | c
        lists.schedule(self.n, self.at, self.key, time_s, int(cn[at.TIMER]), code)

    def _grow(self) -> None:
        """Twice as many requests in flight."""
        slots = len(self.qf)
        old = {name: getattr(self, name) for name in _GROWING}
        self.qf = np.concatenate([self.qf, np.zeros_like(self.qf)])
        more = _vacant(slots)
        more[:, at.NEXT] = np.append(np.arange(slots + 1, 2 * slots), self.n[at.FREE])
        if self._system.spec.fleet.churns:
            self.mates = np.concatenate([self.mates, np.zeros_like(self.mates)])
        self.qn = np.concatenate([self.qn, more])
        if self._system.has_sessions:
            self.talk = np.concatenate([self.talk, np.zeros_like(self.talk)])
            self.talk_n = np.concatenate([self.talk_n, np.zeros_like(self.talk_n)])
        self.n[at.FREE] = slots
        self._set_lists(2 * slots)
        self.waiting[: len(old["waiting"])] = old["waiting"]
        lists.refill(self.n, self.at, self.key, old["at"], old["key"])
        held = len(old["hops"])
        self.hops[:held] = old["hops"]
        self.hop_code[:held] = old["hop_code"]
        self.hop_code[-1] = self.n[at.FREE_HOP]
        self.n[at.FREE_HOP] = held
        for name, front, queued in (
            ("ring", at.FRONT, at.QUEUED), ("cored", at.DECODER_FRONT, at.DECODER_QUEUED),
        ):  # fmt: skip
            order = (self.n[front] + np.arange(self.n[queued])) % len(old[name])
            getattr(self, name)[: len(order)] = old[name][order]
            self.n[front] = 0

    @property
    def decoding_s(self) -> np.ndarray:
        """Since when each core that is busy has been, where they are held one by one."""
        codes = lists.codes(self.n, self.key)
        slots = codes[codes >> at.SHIFT == at.ON_CORE] & ((1 << at.SHIFT) - 1)
        seconds: np.ndarray = self.qf[slots, at.T_START]
        return seconds


def _vacant(slots: int) -> np.ndarray:
    """The whole numbers of as many requests that are not there."""
    made = np.zeros((slots, at.N_SLOT_WHOLE), np.int64)
    made[:, at.PLACE_NOW] = at.GONE
    made[:, at.OLD_FRAMES], made[:, at.NEXT_IN_LINE] = -1, at.NOT_IN_LINE
    return made
