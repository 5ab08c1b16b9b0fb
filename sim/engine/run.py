"""A run of the compiled engine: the system as arrays, the kernel, and the book it leaves.

What the model computes once per device, rate or row (airtimes, answers, seconds of a lone request)
is computed here by the model's own functions, so that both engines have the same bits.
"""

import math
from collections.abc import Sequence

import numpy as np
from simpy import Environment

from sim.clock import EventBudgetError, say_budget
from sim.compiling import told
from sim.devices.factory import sources_of
from sim.devices.replay import say_replays
from sim.engine import devices, kernel, links, lists, loads, tables
from sim.engine import layout as at
from sim.measures.meters import Book, Records, Snapshot
from sim.medium.link import Link
from sim.medium.sharing.wifi import contention
from sim.medium.speeds import speeds_of
from sim.places import even, groups_of, groups_up_to, phase
from sim.request import COLUMNS
from sim.server.service import ANY, batch_s, passes_of
from sim.sources.source import Draw, Source, Sources, rows_of
from sim.specs import ServerSpec, SystemSpec
from sim.streams import REQUESTS, Streams

_FEW = 64
SMALL = 32
"""Devices up to which one heap is the faster list."""
_PER_WINDOW = 8.0
"""Arrivals in a window of the event list: more make its heap higher, fewer leave it empty."""
_GROWING = ("_at", "_key", "_ring", "_cored", "_hops", "_hop_code", "_waiting")
_FIRST_CHANGES = 64
"""Changes of the medium's speed that are made at once, at first."""
_SERVERS = {
    "fifo": at.SINGLE, "take_all": at.TAKE_ALL, "dynamic": at.DYNAMIC, "edf": at.URGENT,
    "continuous": at.TAKE_ALL,
}  # fmt: skip


class Run:
    """One run, up to where it has been played."""

    def __init__(self, spec: SystemSpec, sources: Sources, replication: int = 0) -> None:
        self.spec = spec
        self._groups = groups_of(spec)
        self._sources = [sources_of(name, g, sources)[0] for name, g in self._groups.items()]
        self._streams = Streams(spec.seed, replication)
        self._set_system(replication)
        self._set_devices()
        self._set_rows()
        self._set_state()
        self._point()

    def run_to(self, time_s: float) -> None:
        """Play everything before `time_s`, as `Clock.run_to` does."""
        end_s = self._f[at.NOW] + (time_s - self._f[at.NOW])
        self._play(end_s, -1)
        self._f[at.NOW] = end_s

    def run_until(self, event: int) -> bool:
        """Play until device 0, or every device, has reached the target; False: it cannot."""
        if self._n[at.TARGET_PASSED if event == at.ON_TARGET else at.ALL_PASSED]:
            return True
        return self._play(math.inf, event) == at.STOPPED

    @property
    def sources(self) -> list[Source]:
        """Those that devices draw from."""
        return [self._sources[g] for g in np.unique(self._dn[:, at.GROUP])]

    @property
    def now_s(self) -> float:
        """How far it has been played."""
        return float(self._f[at.NOW])

    def snapshot(self) -> Snapshot:
        """All counters at this instant (System.snapshot)."""
        f, n, now = self._f, self._n, self.now_s
        busy_s = self._df[:, at.P_WORK] - np.maximum(0.0, self._df[:, at.P_FREE] - now)
        return Snapshot(
            time_s=now,
            n_arrived=int(n[at.ARRIVED]),
            n_left=int(n[at.LEFT]),
            arrival_sum_s=float(f[at.ARRIVAL_SUM]),
            left_sum_s=float(f[at.LEFT_SUM]),
            server_busy_s=self._server_busy_s(),
            decoder_busy_s=self._decoder_busy_s(),
            link_busy_s=self._link_busy_s(),
            device_busy_s=math.fsum(busy_s) / len(busy_s),
            device0_busy_s=float(busy_s[0]),
            present_s=self._present_s(),
        )

    def book(self, begin: Snapshot) -> Book:
        """What the run has left so far."""
        nothing = _named(np.empty((0, self._n_columns)))
        return Book(
            records=_named(self._records[: self._n[at.ROWS]]),
            steps=nothing,
            in_flight=_named(self._in_flight()),
            steps_in_flight=nothing,
            begin=begin,
            end=self.snapshot(),
            speeds=tuple(self.speeds.until(self.now_s)) if self.speeds else (),
        )

    # ---- the system as arrays

    def _set_system(self, replication: int) -> None:
        spec, link, server = self.spec, self.spec.link, self.spec.server
        sf, sn = np.zeros(at.N_SYSTEM_FLOATS), np.zeros(at.N_SYSTEM_WHOLE, np.int64)
        self.speeds = speeds_of(spec, self._streams)
        self._link = Link(Environment(), link, self._streams, speeds=self.speeds)
        links.set_system(self._link, self._streams, sf, sn)
        sf[at.SPEED], sf[at.OVERHEAD] = server.speed, server.overhead_s
        sf[at.BATCH_OVERHEAD], sf[at.COPY_FIXED] = server.batch_overhead_s, server.copy_fixed_s
        sf[at.COPY_RATE], sf[at.MAX_WAIT] = server.copy_bytes_per_s or 0.0, server.max_wait_s
        sn[at.LINK] = links.kind(link, spec.interruptible)
        plain = server.plain and not spec.fleet.churns
        sn[at.SERVER] = at.PLAIN if plain else _SERVERS[server.discipline]
        sn[at.FAILS], sn[at.RETRIES_LOST] = server.fails, server.on_failure == "retry"
        sf[at.MEAN_UP], sf[at.REPAIR] = server.mean_up_s or 0.0, server.repair_s
        self._failures = np.array(server.fail_at_s, float)
        sn[[at.FAILURES_0, at.FAILURES_1]] = self._streams.key("failures")
        sn[at.N_GPUS], sn[at.MAX_BATCH] = server.n_gpus, server.max_batch
        if server.discipline == "continuous":  # a token each
            sn[at.MAX_BATCH] = min(server.max_batch, server.max_batch_tokens)
        sn[at.LAW_BLOCK] = server.service_block
        sn[[at.SERVICE_0, at.SERVICE_1]] = self._streams.key("service")
        sn[at.ON_GPU] = server.decode_on == "gpu"
        sn[at.N_DECODERS] = 0 if sn[at.ON_GPU] else server.cpu_workers
        sn[at.QUEUE_LIMIT] = -1 if server.queue_limit is None else server.queue_limit
        sn[at.DROP_EXPIRED] = server.drop_expired
        more = self._link.shared_downlink or link.varies or not link.plain or server.fails
        more = more or link.sharing == "cellular"
        self._n_columns = len(at.RECORDED) + len(at.RECORDED_TOO) * more
        sn[at.BURST] = server.max_batch + server.n_gpus + server.cpu_workers + 4 * link.n_cells + 8
        sn[at.TARGET] = -1 if spec.workload.requests is None else spec.workload.requests
        sn[at.REPLICATION], sn[at.MAX_EVENTS] = replication, spec.max_events
        sn[[at.REQUESTS_0, at.REQUESTS_1]] = self._streams.key(REQUESTS)
        self._sf, self._sn = sf, sn

    def _set_devices(self) -> None:
        """Every device's place, by its index alone (Factory.device)."""
        spec, groups = self.spec, tuple(self._groups.values())
        n = spec.fleet.n_devices
        df, dn = np.zeros((n, at.N_DEVICE_FLOATS)), np.zeros((n, at.N_DEVICE_WHOLE), np.int64)
        shares = tuple(group.share for group in groups)
        dn[:, at.GROUP] = groups_up_to(n, shares)
        dn[:, at.CELL] = np.arange(n) % spec.link.n_cells
        keys = {key: i for i, key in enumerate(dict.fromkeys(s.key for s in self._sources))}
        self._sn[at.ONE_KEY] = len(keys) == 1
        self._loads = np.zeros((len(groups), at.N_LOAD))
        for number, group in enumerate(groups):
            mine = dn[:, at.GROUP] == number
            workload = group.workload or spec.workload
            closed = workload.kind == "closed"
            df[mine, at.SLOWDOWN], df[mine, at.WEIGHT] = group.slowdown, group.link_weight
            df[mine, at.MEAN] = workload.think_s if closed else 1.0 / workload.rate_rps
            self._loads[number] = loads.numbers(workload)
            df[mine, at.DEADLINE] = math.inf if workload.deadline_s is None else workload.deadline_s
            df[mine, at.SPREAD] = -1.0
            dn[mine, at.KIND] = loads.kind(workload)
            dn[mine, at.LIMIT] = -1 if workload.max_in_flight is None else workload.max_in_flight
            dn[mine, at.KEY] = keys[self._sources[number].key]
            dn[mine, at.SOURCE] = number
            if closed and workload.start_spread_s:
                df[mine, at.SPREAD] = phase(np.flatnonzero(mine)) * workload.start_spread_s
            if group.straggler_share > 0.0:
                own = np.flatnonzero(mine)
                own = own[even(own, math.sqrt(3.0)) < group.straggler_share]
                df[own, at.SLOWDOWN] = group.slowdown * group.straggler_slowdown
            if workload.kind == "periodic":
                loads.set_frames(workload, df, dn, np.flatnonzero(mine).tolist())
        dn[:, at.BURSTING] = -1
        self._df, self._dn = df, dn
        say_replays(spec)  # refuses one without a time within the horizon
        self._ways = links.set_ways(self._link, groups, dn)
        self._times = loads.set_times(spec, dn)

    def _set_rows(self) -> None:
        """What requests cost, and what they take at the rate of their group."""
        spec, server = self.spec, self.spec.server
        draws: list[Draw] = []
        for number, source in enumerate(self._sources):
            own = rows_of(source) or []
            mine = self._dn[:, at.GROUP] == number
            self._dn[mine, at.ROW_0], self._dn[mine, at.N_ROWS] = len(draws), len(own)
            draws += own
        bare = server.plain and server.is_bare
        self._rows = np.array([self._row(draw, bare) for draw in draws])
        self._sn[at.LAW], self._law = _law(server, draws)
        self._schemes = links.schemes(spec.link)
        frames = self._rows[:, [at.R_FRAMES, at.R_DOWN_FRAMES]].max()
        together = self.spec.link.aggregation
        contends = self._sn[at.LINK] == at.CONTENDED_LINK
        self._sizes = np.full((int(frames) + 1, together + 1) if contends else (1, 1), -1)
        resends = not spec.link.plain and spec.link.transport == "exact"
        self._sn[at.MOST_FRAMES] = frames if resends else 0
        self._tails = np.zeros((len(self._sources), server.max_batch + 1))
        for number, source in enumerate(self._sources):
            one = (rows_of(source) or [])[0]
            for size in range(2, server.max_batch + 1):
                try:
                    self._tails[number, size] = source.batch_s([one] * size)
                except ValueError as error:  # raised when such a batch is to be served
                    self._tails[number, size:] = math.nan
                    self._unknown_batch = error
                    break
        self._ratios = np.full((8, 8), math.nan)

    def _row(self, draw: Draw, bare: bool) -> list[float]:
        server = self.spec.server
        if bare:  # PlainServer.serve
            work_s = draw.server_s if server.decode_on == "cpu" else draw.decode_s + draw.server_s
            alone_s = work_s / server.speed
        else:
            alone_s = batch_s(server, [draw], draw.server_s)
        sent = draw.payload_bytes > 0.0 or draw.is_sent
        return [draw.device_s, draw.decode_s, draw.payload_bytes, draw.tensor_bytes, draw.correct,
                draw.sample, sent, draw.server_s, alone_s, draw.answer_bytes,
                *links.row(self.spec.link, draw)]  # fmt: skip

    # ---- the state

    def _set_state(self) -> None:
        spec, n_devices = self.spec, self.spec.fleet.n_devices
        self._set_windows()
        self._f[at.AGAIN] = math.inf
        self._f[[at.TARGET_AT, at.ALL_AT]] = math.nan
        self._n[at.UNREADY] = n_devices
        slots = n_devices + _FEW
        self._qf = np.zeros((slots, at.N_SLOT_FLOATS))
        self._qn = np.zeros((slots, at.N_SLOT_WHOLE), np.int64)
        self._qn[:, at.NEXT] = np.append(np.arange(1, slots), -1)
        self._set_radios()
        self._cf = np.zeros((spec.link.n_cells, at.N_CELL_FLOATS))
        self._cf[:, at.DUE] = math.inf
        self._cn = np.zeros((spec.link.n_cells, at.N_CELL_WHOLE), np.int64)
        self._cf[:, at.C_SPEED] = 1.0
        self._cn[:, [at.SENDER, at.TIMER, at.Q_FIRST]] = -1
        groups = tuple(self._groups.values())
        self._lane_of, self._gains = links.set_lanes(self._link, groups, self._dn, self._cn)
        self._lanes = np.zeros((len(self._gains), at.N_LANE_FLOATS))
        self._lane_n = np.zeros(len(self._gains), np.int64)
        n_heaps = max(spec.link.n_cells, len(self._gains))
        self._set_lists(slots)
        self._members = np.zeros((n_heaps, _FEW), np.int64)
        gpus, batch = spec.server.n_gpus, spec.server.max_batch
        self._batches = np.zeros((gpus, batch), np.int64)
        self._batch_n, self._batch_at = np.zeros(gpus, np.int64), np.zeros(gpus)
        self._batch_turn, self._batch_share = np.zeros(gpus, np.int64), np.zeros(gpus)
        self._gpus, self._cores = np.zeros(gpus), np.zeros(max(1, spec.server.cpu_workers))
        self._parts = np.zeros(128)
        self._records = np.empty((4 * slots, self._n_columns))
        first = [at.ON_WATCH] * spec.server.fails + [at.ON_CHANGE] * spec.link.varies
        codes = [kind << at.SHIFT for kind in first]
        births = (at.ON_BIRTH << at.SHIFT) + np.arange(n_devices)
        self._ring[: len(codes) + n_devices, 1] = np.append(codes, births)
        self._ring[: len(codes) + n_devices, 0] = np.arange(len(codes) + n_devices)
        self._n[[at.QUEUED, at.ORDER]] = len(codes) + n_devices
        self._n[[at.REPAIR_FIRST, at.WAKING]] = -1
        self._set_frames(2 * int(self._sn[at.MOST_FRAMES]) + _FEW)
        self._known: list[tuple[float, float]] = []
        self._following = self.speeds.changes() if self.speeds else iter(())
        self._know_more()

    def _set_radios(self) -> None:
        """Stations that contend, queues of one's own, and what fades."""
        link, n_devices = self.spec.link, self.spec.fleet.n_devices
        n_radios = {"wifi": n_devices + link.n_cells, "cellular": 2 * n_devices}
        self._radios = np.full((n_radios.get(link.sharing, 1), at.N_RADIO), -1)
        self._radios[:, at.IN_AIR] = 0
        n_fading = 1 if link.plain else n_devices
        self._fades = np.ones((n_fading, at.N_FADE_FLOATS))
        self._fading = np.full((n_fading, at.N_FADE_WHOLE), -1)
        self._fading[:, at.LINK_DRAWN] = 0

    def _set_frames(self, number: int) -> None:
        """Room for as many more frames that are sent again."""
        old = getattr(self, "_frames", np.zeros((0, at.N_FRAME), np.int64))
        more = np.zeros((number, at.N_FRAME), np.int64)
        free = int(self._n[at.FREE_FRAME]) if len(old) and self._n[at.SPARE_FRAMES] else -1
        more[:, at.NEXT_FRAME] = np.append(np.arange(1, number) + len(old), free)
        self._frames = np.concatenate([old, more])
        self._n[at.FREE_FRAME] = len(old)
        self._n[at.SPARE_FRAMES] += number

    def _know_more(self) -> None:
        """Twice as many changes of the medium's speed."""
        number, is_all = max(_FIRST_CHANGES, len(self._known)), True
        if self.speeds is not None:
            is_all = links.know(self._following, self._known, number)
        self._changes = np.array(self._known or [(0.0, 1.0)])
        silences = self.speeds.silences() if self.speeds is not None else []
        self._silences = np.array(silences or [(0.0, 0.0, 0.0)])
        self._n[[at.CHANGES, at.SILENCES]] = len(self._known), len(silences)
        self._n[at.ALL_CHANGES] = is_all

    def _set_windows(self) -> None:
        """How time is cut for the event list: in small systems not at all."""
        means_s = self._df[:, at.MEAN]
        rate_rps = float(np.sum(1.0 / means_s[means_s > 0.0]))
        n_chains = 1
        self._windows_per_s = 0.0
        if len(means_s) > SMALL and rate_rps > 0.0:
            n_chains = 1 << (len(means_s) // 4).bit_length()
            self._windows_per_s = max(2.0, 2.0 ** round(math.log2(rate_rps / _PER_WINDOW)))
        self._f, self._n = np.zeros(at.N_FLOATS), np.zeros(at.N_WHOLE + n_chains, np.int64)

    def _set_lists(self, slots: int) -> None:
        burst = self.spec.server.max_batch + self.spec.server.n_gpus + self.spec.server.cpu_workers
        listed = 2 * slots + 2 * burst + _FEW
        self._at, self._key = lists.empty(self._n, listed, self._windows_per_s)
        ring = 1 << (2 * slots + _FEW).bit_length()
        self._ring, self._cored = np.zeros((ring, 2), np.int64), np.zeros(ring, np.int64)
        self._hops = np.zeros(slots + 2 * burst + _FEW)
        self._hop_code = np.append(np.arange(1, len(self._hops)), -1)
        self._waiting = np.zeros(slots + _FEW, np.int64)
        self._work = np.zeros(slots + burst)

    def _point(self) -> None:
        """Where all arrays are (sim.engine.tables)."""
        arrays = [getattr(self, f"_{name}") for name in tables.NAMES]
        words = [(a.ctypes.data, len(a), a.shape[1] if a.ndim > 1 else 0) for a in arrays]
        self._list = np.array(words, np.int64)
        self._p = self._list.ctypes.data

    def _play(self, until_s: float, stop: int) -> int:
        while True:
            with told(kernel.play):
                why = kernel.play(until_s, stop, self._p)
            if why in (at.REACHED, at.STOPPED, at.EMPTY):
                return int(why)
            self._make_room(int(why))
            self._point()

    def _make_room(self, why: int) -> None:
        if why == at.GROW_ROWS:
            self._records = np.concatenate([self._records, np.empty_like(self._records)])
        elif why == at.IS_SHORT:
            short, self._n[at.SHORT] = int(self._n[at.SHORT]), 0
            if short & at.OF_PLACES:
                self._make_wide()
            if short & at.OF_CHANGES:
                self._know_more()
            if short & at.OF_FRAMES:
                self._set_frames(len(self._frames))
        elif why == at.GROW:
            self._grow()
        elif why == at.NO_TAIL:
            raise self._unknown_batch
        elif why == at.NO_TIME:
            raise ValueError("workload.think_s must be > 0 for a request that takes no time, got 0")
        else:
            in_flight = int(self._n[at.ARRIVED] - self._n[at.LEFT])
            behind = self._dn[:, at.BEHIND]
            raise EventBudgetError(say_budget(self.spec, self.now_s, in_flight, behind))

    def _make_wide(self) -> None:
        """Room for twice as many who are on the air in a cell at once."""
        most = int(max(self._cn[:, [at.ACTIVE, at.FLOWS]].max(), self._lane_n.max()))
        if most + 1 >= self._members.shape[1]:
            self._members = np.pad(self._members, ((0, 0), (0, self._members.shape[1])))
        high, wide = self._ratios.shape
        if self._sn[at.LINK] == at.CONTENDED_LINK:
            more = high * (self._n[at.SIZES] + 2 > high), wide * (most + 1 >= wide)
            pad = ((0, int(more[0])), (0, int(more[1])))
            self._ratios = np.pad(self._ratios, pad, constant_values=math.nan)
            for c in np.flatnonzero(self._cn[:, at.ASKS]).tolist():
                self._begin_access(c)

    def _begin_access(self, c: int) -> None:
        """Say how far those who contend in a cell stretch the access that has begun, and when it is
        over; and learn the same for a few more and for a few less.
        """
        cf, cn = self._cf[c], self._cn[c]
        s = self._radios[cn[at.SENDER], at.FIRST]
        place, m = int(self._qn[s, at.SIZE]), int(cn[at.ACTIVE])
        frames, together = np.argwhere(self._sizes == place)[0].tolist()
        each = frames / -(-frames // together)
        capacity = contention(self.spec.link)
        for n in range(max(2, m - m // 4), min(m + m // 4 + 2, self._ratios.shape[1])):
            self._ratios[place, n] = capacity(n, each)
        cf[at.STRETCH] = 1.0 / self._ratios[place, m]
        cn[at.ASKS] = 0
        time_s = cf[at.SINCE] + cf[at.UNSENT] * cf[at.ACCESS] * cf[at.STRETCH]
        code = (at.ON_AIR << at.SHIFT) | c
        lists.schedule(self._n, self._at, self._key, time_s, int(cn[at.TIMER]), code)

    def _grow(self) -> None:
        """Twice as many requests in flight."""
        slots = len(self._qf)
        old = {name: getattr(self, name) for name in _GROWING}
        self._qf = np.concatenate([self._qf, np.zeros_like(self._qf)])
        more = np.zeros_like(self._qn)
        more[:, at.NEXT] = np.append(np.arange(slots + 1, 2 * slots), self._n[at.FREE])
        self._qn = np.concatenate([self._qn, more])
        self._n[at.FREE] = slots
        self._set_lists(2 * slots)
        self._waiting[: len(old["_waiting"])] = old["_waiting"]
        lists.refill(self._n, self._at, self._key, old["_at"], old["_key"])
        held = len(old["_hops"])
        self._hops[:held] = old["_hops"]
        self._hop_code[:held] = old["_hop_code"]
        self._hop_code[-1] = self._n[at.FREE_HOP]
        self._n[at.FREE_HOP] = held
        for name, front, queued in (
            ("_ring", at.FRONT, at.QUEUED), ("_cored", at.DECODER_FRONT, at.DECODER_QUEUED),
        ):  # fmt: skip
            order = (self._n[front] + np.arange(self._n[queued])) % len(old[name])
            getattr(self, name)[: len(order)] = old[name][order]
            self._n[front] = 0

    # ---- what is read off

    def _server_busy_s(self) -> float:
        f, now, n_gpus = self._f, self.now_s, self.spec.server.n_gpus
        if self._sn[at.SERVER] != at.PLAIN:
            running = math.fsum(
                now - start for start, n in zip(self._batch_at, self._batch_n, strict=True) if n
            )
            return float((f[at.GPU_BUSY] + running) / n_gpus)
        if n_gpus == 1:
            return float(f[at.GPU_WORK] - max(0.0, f[at.GPU_FREE] - now))
        ahead = math.fsum(max(0.0, free - now) for free in self._gpus)
        return float((f[at.GPU_WORK] - ahead) / n_gpus)

    def _decoder_busy_s(self) -> float:
        f, now, workers = self._f, self.now_s, int(self._sn[at.N_DECODERS])
        if workers == 0:
            return math.nan
        if self._sn[at.SERVER] == at.PLAIN:
            ahead = math.fsum(max(0.0, free - now) for free in self._cores)
            return float((f[at.DECODER_WORK] - ahead) / workers)
        codes = lists.codes(self._n, self._key)
        slots = codes[codes >> at.SHIFT == at.ON_CORE] & ((1 << at.SHIFT) - 1)
        running = math.fsum(now - start for start in self._qf[slots, at.T_START])
        return float((f[at.DECODER_BUSY] + running) / workers)

    def _link_busy_s(self) -> float:
        now, cf, cn = self.now_s, self._cf, self._cn
        if self._sn[at.LINK] == at.FIFO_LINK:
            busy = cf[:, at.C_WORK] - np.maximum(0.0, cf[:, at.C_FREE] - now)
        else:
            flowing = (cn[:, at.FLOWS] > 0) & (cn[:, at.SILENT] == 0)
            shared = self._sn[at.LINK] in (at.SHARED_LINK, at.SCHEDULED_LINK)
            runs = flowing if shared else cn[:, at.TIMER] >= 0
            busy = cf[:, at.C_BUSY] + np.where(runs, now - cf[:, at.SINCE], 0.0)
        return math.fsum(busy) / len(busy)

    def _present_s(self) -> tuple[float, ...]:
        counts = np.bincount(self._dn[:, at.GROUP], minlength=len(self._groups))
        return tuple(
            float(np.cumsum(np.full(count, self.now_s))[-1]) if count else 0.0 for count in counts
        )

    def _in_flight(self) -> np.ndarray:
        """A row for every request in flight, in the order in which they came."""
        free, slot = np.zeros(len(self._qf), bool), int(self._n[at.FREE])
        while slot >= 0:
            free[slot] = True
            slot = int(self._qn[slot, at.NEXT])
        slots = np.flatnonzero(~free)
        slots = slots[np.argsort(self._qn[slots, at.NUMBER], kind="stable")]
        left, self._records = self._records, np.empty((len(slots), self._n_columns))
        self._point()
        for i, s in enumerate(slots.tolist()):
            outcome = int(self._qn[s, at.OUTCOME])
            devices.record(self._p, i, s, outcome, self.now_s)
        rows, self._records = self._records, left
        self._point()
        return rows

    @property
    def target_s(self) -> float:
        """When device 0 had its requests behind it."""
        return float(self._f[at.TARGET_AT])

    @property
    def all_s(self) -> float:
        """When every device had."""
        return float(self._f[at.ALL_AT])


def _law(server: ServerSpec, draws: Sequence[Draw]) -> tuple[int, np.ndarray]:
    """How service times vary, and the factors [pass, row], or of a file without samples [row of
    the file, 0] (ServiceLaw).
    """
    if server.service_law == "constant":
        return at.CONSTANT, np.ones((1, 1))
    passes = passes_of(server)
    if len(passes[0]) == 1:
        return at.IN_FILE, np.array([[factor] for each in passes for factor in each.values()])
    samples = [draw.sample for draw in draws]
    return at.BY_SAMPLE, np.array(
        [[each.get(sample, each[ANY]) for sample in samples] for each in passes]
    )


def _named(table: np.ndarray) -> Records:
    """Rows [request, column] as all the columns of a book, a copy."""
    names = (*at.RECORDED, *at.RECORDED_TOO)[: table.shape[1]]
    kept = dict(zip(names, table.T.copy(), strict=True))
    return {name: kept[name] if name in kept else np.zeros(len(table)) for name in COLUMNS}
