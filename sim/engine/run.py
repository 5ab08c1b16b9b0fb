"""A run of the compiled engine: the system as arrays, the kernel, and the book it leaves.

What the model computes once per device, rate or row (airtimes, answers, seconds of a lone request)
is computed here by the model's own functions, so that both engines have the same bits.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from simpy import Environment

from sim.clock import EventBudgetError, say_budget
from sim.compiling import told
from sim.devices.factory import sources_of
from sim.engine import kernel, lists, loads
from sim.engine import layout as at
from sim.measures.meters import Book, Records, Snapshot
from sim.medium.channel import Channel
from sim.medium.link import Link
from sim.medium.sharing.wifi import contention
from sim.places import even, groups_of, groups_up_to, phase
from sim.request import COLUMNS, EXPIRED, REJECTED
from sim.server.service import ANY, batch_s, passes_of
from sim.sources.source import Draw, Source, Sources, rows_of
from sim.specs import ServerSpec, SystemSpec
from sim.streams import REQUESTS, Streams

_FEW = 64
SMALL = 32
"""Devices up to which one heap is the faster list."""
_PER_WINDOW = 8.0
"""Arrivals in a window of the event list: more make its heap higher, fewer leave it empty."""
_GROWING = ("_at", "_key", "_list", "_cored", "_hops", "_hop_code", "_waiting")
_LINKS = {"fifo": at.FIFO_LINK, "wifi": at.CONTENDED_LINK}
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
        )

    # ---- the system as arrays

    def _set_system(self, replication: int) -> None:
        spec, link, server = self.spec, self.spec.link, self.spec.server
        sf, sn = np.zeros(at.N_SYSTEM_FLOATS), np.zeros(at.N_SYSTEM_WHOLE, np.int64)
        self._env = Environment()
        self._link = Link(self._env, link, self._streams)
        sf[at.BEFORE], sf[at.HALF_RTT] = self._link.before_s, self._link.half_rtt_s
        sf[at.SPEED], sf[at.OVERHEAD] = server.speed, server.overhead_s
        sf[at.BATCH_OVERHEAD], sf[at.COPY_FIXED] = server.batch_overhead_s, server.copy_fixed_s
        sf[at.COPY_RATE], sf[at.MAX_WAIT] = server.copy_bytes_per_s or 0.0, server.max_wait_s
        sn[at.LINK] = _LINKS.get(link.sharing, at.SHARED_LINK)
        sn[at.OWN] = link.sharing == "dedicated"
        sn[at.SERVER] = at.PLAIN if server.plain else _SERVERS[server.discipline]
        sn[at.N_GPUS], sn[at.MAX_BATCH] = server.n_gpus, server.max_batch
        if server.discipline == "continuous":  # a token each
            sn[at.MAX_BATCH] = min(server.max_batch, server.max_batch_tokens)
        sn[at.LAW_BLOCK] = server.service_block
        sn[[at.SERVICE_0, at.SERVICE_1]] = self._streams.key("service")
        sn[at.ON_GPU] = server.decode_on == "gpu"
        sn[at.N_DECODERS] = 0 if sn[at.ON_GPU] else server.cpu_workers
        sn[at.QUEUE_LIMIT] = -1 if server.queue_limit is None else server.queue_limit
        sn[at.DROP_EXPIRED] = server.drop_expired
        sn[at.SHARED_DOWN] = self._link.shared_downlink
        self._n_columns = len(at.RECORDED) + len(at.RECORDED_TOO) * self._link.shared_downlink
        sn[at.TARGET] = -1 if spec.workload.requests is None else spec.workload.requests
        sn[at.REPLICATION], sn[at.MAX_EVENTS] = replication, spec.max_events
        sn[[at.REQUESTS_0, at.REQUESTS_1]] = self._streams.key(REQUESTS)
        sn[[at.CONTENTION_0, at.CONTENTION_1]] = self._streams.key("contention")
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
            dn[mine, at.SOURCE] = dn[mine, at.WAY] = number
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
        self._ways_of = np.zeros((len(self._groups), len(draws), at.N_WAY))
        frames: dict[float, int] = {}
        sent = [self._sent(group, draws, frames) for group in self._groups.values()]
        self._ways_of = np.array(sent)
        self._frames = list(frames)
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
        self._ratios = np.ones((max(1, len(frames)), 2))
        if spec.link.sharing == "wifi":
            self._widen()

    def _row(self, draw: Draw, bare: bool) -> list[float]:
        server = self.spec.server
        if bare:  # PlainServer.serve
            work_s = draw.server_s if server.decode_on == "cpu" else draw.decode_s + draw.server_s
            alone_s = work_s / server.speed
        else:
            alone_s = batch_s(server, [draw], draw.server_s)
        sent = draw.payload_bytes > 0.0 or draw.is_sent
        return [draw.device_s, draw.decode_s, draw.payload_bytes, draw.tensor_bytes, draw.correct,
                draw.sample, sent, draw.server_s, alone_s, draw.answer_bytes]  # fmt: skip

    def _sent(self, group: Any, draws: list[Draw], frames: dict[float, int]) -> list[list[float]]:
        """Airtime, bytes, answer, frames per access and accesses of every row (Channel.send)."""
        channel = self._link.channel(0, group, self._streams)
        assert isinstance(channel, Channel)
        found = []
        for draw in draws:
            cost = channel.cost(draw.payload_bytes)
            place = frames.setdefault(cost.frames / cost.accesses, len(frames))
            answer_s = self._link.answer_s(0, draw.answer_bytes)
            up = cost.airtime_s, cost.air_bytes, answer_s, place, cost.accesses
            found.append([*up, *self._answer(draw.answer_bytes, frames)])
        return found

    def _answer(self, answer_bytes: float, frames: dict[float, int]) -> tuple[float, ...]:
        """Airtime, frames per access and accesses of an answer on the shared medium
        (Link.send_answer).
        """
        if not self._link.shared_downlink or answer_bytes <= 0.0:
            return 0.0, 0.0, 0.0
        each, accesses = self._link.answer_accesses(0, answer_bytes)
        place = frames.setdefault(each, len(frames))
        return self._link.downlink_s(0, answer_bytes), place, accesses

    def _widen(self) -> None:
        """Capacities of more stations at once, for every number of frames per access."""
        capacity, wide = contention(self.spec.link), 2 * self._ratios.shape[1]
        known = self._ratios.shape[1]
        ratios = np.ones((max(1, len(self._frames)), wide))
        ratios[:, :known] = self._ratios
        for i, each in enumerate(self._frames):
            for n in range(known, wide):
                ratios[i, n] = capacity(n, each)
        self._ratios = ratios

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
        self._radios = np.full((n_devices + spec.link.n_cells, at.N_RADIO), -1)
        self._cf = np.zeros((spec.link.n_cells, at.N_CELL_FLOATS))
        self._cf[:, at.DUE] = math.inf
        self._cn = np.zeros((spec.link.n_cells, at.N_CELL_WHOLE), np.int64)
        self._cn[:, [at.SENDER, at.TIMER]] = -1
        self._set_lists(slots)
        self._members = np.zeros((spec.link.n_cells, _FEW), np.int64)
        gpus, batch = spec.server.n_gpus, spec.server.max_batch
        self._batches = np.zeros((gpus, batch), np.int64)
        self._batch_n, self._batch_at = np.zeros(gpus, np.int64), np.zeros(gpus)
        self._gpus, self._cores = np.zeros(gpus), np.zeros(max(1, spec.server.cpu_workers))
        self._parts = np.zeros(128)
        self._records = np.empty((4 * slots, self._n_columns))
        self._list[:n_devices, 0] = np.arange(n_devices)
        self._list[:n_devices, 1] = (at.ON_BIRTH << at.SHIFT) + np.arange(n_devices)
        self._n[[at.QUEUED, at.ORDER]] = n_devices

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
        self._list, self._cored = np.zeros((ring, 2), np.int64), np.zeros(ring, np.int64)
        self._hops = np.zeros(slots + 2 * burst + _FEW)
        self._hop_code = np.append(np.arange(1, len(self._hops)), -1)
        self._waiting = np.zeros(slots + _FEW, np.int64)
        self._work = np.zeros(slots + burst)

    def _play(self, until_s: float, stop: int) -> int:
        while True:
            with told(kernel.play):
                why = kernel.play(
                    until_s, stop, self._f, self._n, self._sf, self._sn, self._at, self._key,
                    self._list, self._hops, self._hop_code, self._df, self._dn, self._qf, self._qn,
                    self._rows, self._ways_of, self._tails, self._cf, self._cn, self._members,
                    self._ratios, self._waiting, self._batches, self._batch_n, self._batch_at,
                    self._gpus, self._cores, self._cored, self._work, self._parts, self._records,
                    self._loads, self._times, self._radios, self._law,
                )  # fmt: skip
            if why in (at.REACHED, at.STOPPED, at.EMPTY):
                return int(why)
            self._make_room(int(why))

    def _make_room(self, why: int) -> None:
        if why == at.GROW_ROWS:
            self._records = np.concatenate([self._records, np.empty_like(self._records)])
        elif why == at.GROW_CONTENTION:
            self._make_wide()
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
        most = int(self._cn[:, [at.ACTIVE, at.FLOWS]].max())
        if most + 1 >= self._members.shape[1]:
            self._members = np.pad(self._members, ((0, 0), (0, self._members.shape[1])))
        if most + 1 >= self._ratios.shape[1] and self._sn[at.LINK] == at.CONTENDED_LINK:
            self._widen()
        self._n[at.WIDE] = 0

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
            ("_list", at.FRONT, at.QUEUED), ("_cored", at.DECODER_FRONT, at.DECODER_QUEUED),
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
            shared = self._sn[at.LINK] == at.SHARED_LINK
            runs = cn[:, at.FLOWS] > 0 if shared else cn[:, at.TIMER] >= 0
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
        rows = np.empty((len(slots), self._n_columns))
        outcomes = self._turned_away()
        for i, s in enumerate(slots.tolist()):
            kernel._record(
                rows, i, self._qf, self._qn, self._dn, self._df, self._rows, s, outcomes.get(s, 0),
                self.now_s,
            )  # fmt: skip
        return rows

    def _turned_away(self) -> dict[int, int]:
        """Outcomes of requests refused in this very instant, which have still to leave."""
        order = (self._n[at.FRONT] + np.arange(self._n[at.QUEUED])) % len(self._list)
        codes = self._list[order, 1].tolist()
        kinds = {at.ON_REFUSED: REJECTED, at.ON_EXPIRED: EXPIRED}
        mask = (1 << at.SHIFT) - 1
        return {c & mask: kinds[c >> at.SHIFT] for c in codes if c >> at.SHIFT in kinds}

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
