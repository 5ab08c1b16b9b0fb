"""The system as arrays: what the compiled engine is given before it plays.

What the model computes once per device, rate or row (airtimes, answers, seconds of a lone request)
is computed here by the model's own functions, so that both engines have the same bits.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from simpy import Environment

from sim.devices.factory import sources_of
from sim.devices.replay import say_replays
from sim.engine import layout as at
from sim.engine import links, loads, options, rows, talks
from sim.engine.choice import rows_known
from sim.medium.link import Link
from sim.medium.speeds import speeds_of
from sim.places import even, groups_of, groups_up_to, phase
from sim.server.service import ANY, passes_of
from sim.sources.draw import Draw, Draws
from sim.sources.source import ExponentialSource, Source, Sources, TraceSource, sessions_of
from sim.specs import GroupSpec, ServerSpec, SystemSpec
from sim.streams import REQUESTS, Streams

_SERVERS = {
    "fifo": at.SINGLE, "take_all": at.TAKE_ALL, "dynamic": at.DYNAMIC, "edf": at.URGENT,
    "continuous": at.CONTINUOUS,
}  # fmt: skip


_MANY = 4096
"""Devices of a system; those of larger ones are not kept twice."""


class _Left(NamedTuple):
    """A system with its groups, which of them talk in sessions, and what holds in every
    replication.
    """

    spec: SystemSpec
    groups: dict[str, GroupSpec]
    talks: tuple[bool, ...]
    made: dict[str, Any]


_left: list[_Left] = []
"""Of the last system, if any: runs of one system follow each other."""


class Arrays:
    """A system, its devices and what their requests cost, named as in `sim.engine.tables`."""

    def __init__(self, spec: SystemSpec, sources: Sources, replication: int = 0) -> None:
        self.spec = spec
        self.groups = groups_of(spec)
        self.choices = [sources_of(name, group, sources) for name, group in self.groups.items()]
        self._talks = tuple(hasattr(choices[0], "session") for choices in self.choices)
        self.has_sessions = any(self._talks)
        self.streams = Streams(spec.seed, replication)
        if not self._take_over():
            self._set_system()
            self._set_devices()
            self._leave_behind()
        self.sn[at.REPLICATION] = replication
        self._set_rows()

    def _take_over(self) -> bool:
        """What a replication before has left behind of the same system, if there is such."""
        for left in _left[:1]:
            is_same = left.spec is self.spec and left.groups == self.groups
            if is_same and left.talks == self._talks:
                vars(self).update(_copied(left.made))
                return True
        return False

    def _leave_behind(self) -> None:
        """What holds in other replications as well, for the next of them: not where the medium's
        speed or the devices' places are drawn, a file is played again or times are listed, which
        may be others by then, and where it is much.
        """
        link, loads = self.spec.link, [group.workload for group in self.groups.values()]
        replays = any(load and load.replay_csv for load in (*loads, self.spec.workload))
        if link.varies or link.snr_spread_db > 0.0 or replays or self.spec.server.fails:
            return
        if len(self.dn) > _MANY:
            return
        own = ("spec", "groups", "choices", "streams", "_talks", "has_sessions")
        made = {name: value for name, value in vars(self).items() if name not in own}
        _left[:] = [_Left(self.spec, dict(self.groups), self._talks, _copied(made))]

    @cached_property
    def present(self) -> list[int]:
        """The numbers of the groups that have devices."""
        return [int(n) for n in np.flatnonzero(np.bincount(self.dn[:, at.GROUP]))]

    @property
    def most_frames(self) -> int:
        """Frames of the longest payload or answer."""
        return int(self.rows[:, [at.R_FRAMES, at.R_DOWN_FRAMES]].max())

    def _set_system(self) -> None:
        """What holds for all of it."""
        spec, link, server = self.spec, self.spec.link, self.spec.server
        sf, sn = np.zeros(at.N_SYSTEM_FLOATS), np.zeros(at.N_SYSTEM_WHOLE, np.int64)
        self.speeds = speeds_of(spec, self.streams)
        self.link = Link(Environment(), link, self.streams, speeds=self.speeds)
        links.set_system(self.link, self.streams, sf, sn)
        sf[at.SPEED], sf[at.OVERHEAD] = server.speed, server.overhead_s
        sf[at.BATCH_OVERHEAD], sf[at.COPY_FIXED] = server.batch_overhead_s, server.copy_fixed_s
        sf[at.COPY_RATE], sf[at.MAX_WAIT] = server.copy_bytes_per_s or 0.0, server.max_wait_s
        sn[at.LINK] = links.kind(link, spec.interruptible)
        sn[at.CHURNS] = spec.fleet.churns
        sn[[at.PRESENCE_0, at.PRESENCE_1]] = self.streams.key("presence")
        self._is_plain = server.plain and not spec.fleet.churns
        sn[at.SERVER] = at.PLAIN if self._is_plain else _SERVERS[server.discipline]
        sn[at.FAILS], sn[at.RETRIES_LOST] = server.fails, server.on_failure == "retry"
        sf[at.MEAN_UP], sf[at.REPAIR] = server.mean_up_s or 0.0, server.repair_s
        self.failures = np.array(server.fail_at_s, float)
        sn[[at.FAILURES_0, at.FAILURES_1]] = self.streams.key("failures")
        sn[at.N_GPUS], sn[at.MAX_BATCH] = server.n_gpus, server.max_batch
        sn[at.MAX_TOKENS], sn[at.REJECTS] = server.max_batch_tokens, server.admission == "reject"
        memory = server.session_memory_bytes
        sf[at.MEMORY] = math.inf if memory is None else memory
        sn[at.LAW_BLOCK] = server.service_block
        sn[[at.SERVICE_0, at.SERVICE_1]] = self.streams.key("service")
        sn[at.ON_GPU] = server.decode_on == "gpu"
        sn[at.N_DECODERS] = 0 if sn[at.ON_GPU] else server.cpu_workers
        sn[at.QUEUE_LIMIT] = -1 if server.queue_limit is None else server.queue_limit
        sn[at.DROP_EXPIRED] = server.drop_expired
        more = self.link.shared_downlink or link.varies or not link.plain or server.fails
        more = more or link.sharing == "cellular"
        more = more or any(group.policy != "fixed" for group in self.groups.values())
        more = more or self.has_sessions
        self.n_columns = len(at.RECORDED) + len(at.RECORDED_TOO) * more
        self.n_columns += len(at.RECORDED_OF_SESSIONS) * self.has_sessions
        sn[at.BURST] = server.max_batch + server.n_gpus + server.cpu_workers + 4 * link.n_cells + 8
        sn[at.TARGET] = -1 if spec.workload.requests is None else spec.workload.requests
        sn[at.MAX_EVENTS] = spec.max_events
        sn[[at.REQUESTS_0, at.REQUESTS_1]] = self.streams.key(REQUESTS)
        self.sf, self.sn = sf, sn

    def _set_devices(self) -> None:
        """Every device's place, by its index alone (Factory.device)."""
        spec, groups = self.spec, tuple(self.groups.values())
        n = spec.fleet.n_devices
        df, dn = np.zeros((n, at.N_DEVICE_FLOATS)), np.zeros((n, at.N_DEVICE_WHOLE), np.int64)
        shares = tuple(group.share for group in groups)
        dn[:, at.GROUP] = groups_up_to(n, shares)
        self.gf = np.zeros((len(groups), at.N_GROUP_FLOATS))
        self.gn = np.zeros((len(groups), at.N_GROUP_WHOLE), np.int64)
        df[:, at.ROW_U] = df[:, at.NEXT_U] = -1.0
        self.loads = np.zeros((len(groups), at.N_LOAD))
        self.limits = np.zeros((len(groups), at.N_LIMIT))
        for number, group in enumerate(groups):
            mine = dn[:, at.GROUP] == number
            workload = group.workload or spec.workload
            closed = workload.kind == "closed"
            gf, gn = self.gf[number], self.gn[number]
            df[mine, at.SLOWDOWN], gf[at.WEIGHT] = group.slowdown, group.link_weight
            gf[at.MEAN] = workload.think_s if closed else 1.0 / workload.rate_rps
            self.loads[number] = loads.numbers(workload)
            gf[at.DEADLINE] = math.inf if workload.deadline_s is None else workload.deadline_s
            gn[at.KIND] = loads.kind(workload)
            gn[at.LIMIT] = -1 if workload.max_in_flight is None else workload.max_in_flight
            gn[at.TALKS] = self._talks[number]
            self.limits[number] = talks.limits(group, workload)
            if closed and workload.start_spread_s:
                df[mine, at.SPREAD] = phase(np.flatnonzero(mine)) * workload.start_spread_s
            if group.straggler_share > 0.0:
                own = np.flatnonzero(mine)
                own = own[even(own, math.sqrt(3.0)) < group.straggler_share]
                df[own, at.SLOWDOWN] = group.slowdown * group.straggler_slowdown
            if workload.kind == "periodic":
                apart = not workload.synchronised
                df[mine, at.OFFSET] = phase(np.flatnonzero(mine)) if apart else 0.0
        self.df, self.dn = df, dn
        say_replays(spec)  # refuses one without a time within the horizon
        self.ways = links.set_ways(self.link, groups, dn)
        self.times = loads.set_times(spec, dn)
        self.churns = np.array([loads.stays(group.churn) for group in groups])
        self.crew = loads.crew(dn, spec.fleet.churns)
        self.stays = np.zeros((len(self.crew), at.N_STAY))

    def _set_rows(self) -> None:
        """What requests cost, and what they take at the rate of their group."""
        spec, server = self.spec, self.spec.server
        self.sources = [source for choices in self.choices for source in choices]
        keys = {key: i for i, key in enumerate(dict.fromkeys(s.key for s in self.sources))}
        self.sn[at.ONE_KEY] = len(keys) == 1
        known, places = rows.Rows(), list[tuple[int, int]]()
        used: list[tuple[Source, rows.Whose]] = []
        sessions = talks.Talks(known)
        for number, choices in enumerate(self.choices):
            for choice, source in enumerate(choices):
                whose = rows.Whose(_mean_s(source), len(places), keys[source.key], choice)
                own, spoken = rows_known(source) or [], sessions_of(source) or []
                first = sessions.add(spoken, whose) if spoken else known.add(own, whose)
                places.append((first, len(spoken or own)))
                if choice == 0:
                    used.append((source, whose))
                    self.gn[number, [at.ROW_0, at.N_ROWS]] = places[-1]
        self.asked = talks.set_asked(spec, used, self.dn, len(self.times), sessions)
        self.sessions, self.draws = sessions.table(), known.draws()
        self.rows = known.table(self.draws, spec, plain=self._is_plain)
        self._set_policies(self.sources, places)
        self.sn[at.LAW], self.law = _law(server, self.draws)
        self.schemes = links.schemes(spec.link)
        resends = not spec.link.plain and spec.link.transport == "exact"
        self.sn[at.MOST_FRAMES] = self.most_frames if resends else 0
        self.iterations, self.knots, self.together = talks.batches(self.sources, server.max_batch)
        self.tails = np.zeros((len(self.sources), server.max_batch + 1))
        most = server.max_batch if server.discipline != "fifo" else 1  # who serves one by one
        for number, source in enumerate(self.sources):
            for one in (rows_known(source) or [])[:1]:
                self.tails[number, 2 : most + 1] = _tails_s(source, one, most)[1:]

    def _set_policies(self, sources: list[Source], places: list[tuple[int, int]]) -> None:
        """What devices choose among, and how; `places`: first row and rows of every source."""
        spec, n = self.spec, self.spec.fleet.n_devices
        groups = list(self.groups.values())
        self.sn[at.ADAPTS] = adapts = any(group.policy != "fixed" for group in groups)
        self.options = np.zeros((len(sources), at.N_OPTION))
        self.options[:, [at.O_ROW, at.O_ROWS]] = places
        self.policies = np.zeros((len(groups), at.N_POLICY))
        self.minds = options.minds(groups, self.dn[: n if adapts else 1, at.GROUP])
        first = 0
        for number, (group, choices) in enumerate(zip(groups, self.choices, strict=True)):
            if group.policy != "fixed" and np.any(self.dn[:, at.GROUP] == number):
                workload = group.workload or spec.workload
                costs = options.costs(choices, spec.server)
                self.policies[number] = options.rule(group, workload, costs)
                self.options[first : first + len(choices), : at.O_ROW] = options.table(costs)
            self.policies[number, at.OPTION_0] = first
            first += len(choices)

    def forget_devices(self) -> None:
        """Give back the memory of all devices: who plays has tables of its own."""
        self.df, self.dn = self.df[:0].copy(), self.dn[:0].copy()


def _copied(made: dict[str, Any]) -> dict[str, Any]:
    """The same with arrays of its own."""
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in made.items()
    }


def _mean_s(source: Source) -> float:
    """Of server seconds that are drawn; 0 where they are the row's own."""
    return source.server_s if isinstance(source, ExponentialSource) else 0.0


def _tails_s(source: Source, one: Draw, most: int) -> Sequence[float] | np.ndarray:
    """Seconds of batches of 1 to `most` requests; NaN where the source does not know: it says so
    itself when such a batch is to be served.
    """
    if type(source).batch_s is TraceSource.batch_s:
        return cast(TraceSource, source).batches_s(most)  # all in one
    seconds = [math.nan] * most
    for n in range(2, most + 1):
        with suppress(ValueError):
            seconds[n - 1] = source.batch_s([one] * n)
    return seconds


def _law(server: ServerSpec, draws: Draws) -> tuple[int, np.ndarray]:
    """How service times vary, and the factors [pass, row], or of a file without samples [row of
    the file, 0] (ServiceLaw).
    """
    if server.service_law == "constant":
        return at.CONSTANT, np.ones((1, 1))
    passes = passes_of(server)
    if len(passes[0]) == 1:
        return at.IN_FILE, np.array([[factor] for each in passes for factor in each.values()])
    samples = draws.column("sample").astype(int).tolist()
    return at.BY_SAMPLE, np.array(
        [[each.get(sample, each[ANY]) for sample in samples] for each in passes]
    )
