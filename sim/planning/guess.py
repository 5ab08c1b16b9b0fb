"""A first guess at N*, and bounds on it, from the mean demands of one request alone.

Closed loops: the knee (Z + D) / max D of the operational bounds (Denning and Buzen 1978); open
ones: the rate at which the slowest shared station is busy all the time. No simulation.

A closed loop turns once in think + R >= n D (Denning and Buzen 1978), so R <= L needs
n <= (L + think) / D with D the largest demand on something shared; an open one needs n rate D < 1,
a fleet of unlike open groups that the sum of share * rate * D over them is less.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sim import GroupSpec, Source, SystemSpec, WorkloadSpec
from sim.medium.channel import rate_bps
from sim.places import group_of, groups_of
from sim.planning.goal import Goal
from sim.server import service
from sim.sources.sessions import mean_steps
from sim.sources.source import Draw, Sources
from sim.specs import ServerSpec

_SHARED = ("fifo", "ps", "weighted", "wifi")
_EXACT = ("fifo", "ps")
_ROUND = 1e-9
_COUNTED = 20_000


class Demands(NamedTuple):
    """Mean seconds that one request asks of each resource, alone on it, and its rate per device.

    `server_s` is its share of the fullest batch, `link_s` its airtime alone, `decoder_s` what the
    cores decode; `network_s` holds the round trip and a scheduler's grant; `alone_s` the least
    latency: every stage once, a batch of one, nobody else there.
    """

    device_s: float
    link_s: float
    decoder_s: float
    server_s: float
    network_s: float
    alone_s: float
    rate_rps: float


class Part(NamedTuple):
    """A group's own demands, and its share of all requests while nobody waits."""

    group: GroupSpec
    demands: Demands
    weight: float


def parts(spec: SystemSpec, sources: Sources) -> tuple[Part, ...] | None:
    """Every group's demands; None where a source knows no means."""
    groups = groups_of(spec)
    each = []
    for name, group in groups.items():
        try:
            source = sources[group.source or name]
            each.append(_demands(spec, group, source))
        except (ValueError, KeyError, AttributeError, ZeroDivisionError):
            return None
    rates = [one.rate_rps * g.share for one, g in zip(each, groups.values(), strict=True)]
    weights = [rate / sum(rates) for rate in rates]
    return tuple(Part(*of) for of in zip(groups.values(), each, weights, strict=True))


def demands(spec: SystemSpec, sources: Sources) -> Demands | None:
    """Mean demands over the groups by their shares; None where a source knows no means."""
    mix = parts(spec, sources)
    if mix is None:
        return None
    mixed = Demands(
        *(
            math.fsum(part.weight * part.demands[i] for part in mix)
            for i in range(len(Demands._fields))
        )
    )
    whole = math.fsum(part.group.share for part in mix)
    rate_rps = math.fsum(part.group.share * part.demands.rate_rps for part in mix) / whole
    return mixed._replace(rate_rps=rate_rps)


def guess(spec: SystemSpec, sources: Sources) -> int | None:
    """N at which the slowest shared resource is busy all the time; None if nobody can tell."""
    load = demands(spec, sources)
    if load is None:
        return None
    shared = [load.server_s / spec.server.n_gpus, load.decoder_s / spec.server.cpu_workers]
    if spec.link.sharing != "dedicated":
        shared.append(load.link_s / spec.link.n_cells)
    return max(1, math.floor(1.0 / (load.rate_rps * max(shared)))) if max(shared) > 0.0 else None


def airtime_s(spec: SystemSpec, group: GroupSpec, payload_bytes: float) -> float:
    """Seconds on the air of a payload alone, at the group's mean signal-to-noise ratio; an empty
    one is a frame of its header.
    """
    link = spec.link
    snr_db = link.snr_db if group.snr_db is None else group.snr_db
    rate = group.rate_bps or rate_bps(link, snr_db)
    frames = max(1, math.ceil(payload_bytes / link.mtu_bytes))
    bits = 8.0 * (payload_bytes + frames * link.header_bytes)
    accesses = math.ceil(frames / link.frames_per_access(rate))
    return bits / rate + accesses * link.frame_airtime_s


def _demands(spec: SystemSpec, group: GroupSpec, source: Source) -> Demands:
    load, server, link = group.workload or spec.workload, spec.server, spec.link
    parts = []
    for step, number in mean_steps(source):
        draws = [step] * server.max_batch
        tail_s = step.server_s if len(draws) == 1 else batch_s(source, draws) / len(draws)
        shared_s = _gpu_s(server, step, tail_s * len(draws), len(draws)) / len(draws)
        decoder_s = step.decode_s if server.decode_on == "cpu" else 0.0
        served_s = decoder_s + _gpu_s(server, step, step.server_s, 1)
        link_s = airtime_s(spec, group, step.payload_bytes) if step.is_sent else 0.0
        ways = step.is_sent + (step.is_sent or step.server_s > 0.0)  # an answer made there is there
        grant_s = link.grant_s if step.is_sent and link.sharing == "cellular" else 0.0
        network_s = grant_s + 0.5 * link.rtt_s * ways
        own_s = step.device_s * group.slowdown
        costs = (own_s, link_s, decoder_s, shared_s, network_s, served_s)
        parts.append([number * cost for cost in costs])
    *each_s, served_s = map(math.fsum, zip(*parts, strict=True))
    device_s, link_s, decoder_s, server_s, network_s = each_s
    alone_s = device_s + link_s + network_s + served_s
    if load.kind != "closed":
        rate_rps = load.rate_rps
    else:
        cycle_s = load.think_s + alone_s
        rate_rps = 1.0 / cycle_s if cycle_s > 0.0 else math.inf
    return Demands(device_s, link_s, decoder_s, server_s, network_s, alone_s, rate_rps)


def _gpu_s(server: ServerSpec, step: Draw, tail_s: float, n: int) -> float:
    """Seconds for which a batch of `n` such steps holds a GPU, on average."""
    return service.batch_s(server, [step] * n, tail_s) * service.ServiceLaw.mean(server)


def batch_s(source: Source, draws: list[Draw]) -> float:
    """Seconds of the fullest batch; of the largest one that was measured if that is smaller."""
    while len(draws) > 1:
        try:
            return source.batch_s(draws)
        except ValueError:
            draws = draws[: len(draws) // 2]
    return source.batch_s(draws)


def bound(spec: SystemSpec, sources: Sources, goals: Sequence[Goal]) -> float:
    """Upper bound on N*: 0 where a request alone is too slow, infinite where nothing is shared.

    Infinite, too, where the load falls with what waits (requests are given up, unlike groups of
    which some do not ask on regardless, devices come and go) or the medium gets faster with it.
    Approximation: a quantile's limit is taken as one on the mean, which holds unless fewer than the
    quantile's share of requests carry most of the latency.
    """
    mix = parts(spec, sources)
    if mix is None or _bends(spec):
        return math.inf
    limits_s = [goal.limit for goal in goals if goal.column.startswith("latency_")]
    limit_s = min(limits_s, default=math.inf)
    if len(mix) == 1:
        load = mix[0].demands
        if load.alone_s > limit_s:
            return 0.0
        worst = max(_shared(spec, load, _SHARED))
        if worst > 0.0 and _load(spec, mix[0]).kind == "closed":
            return (limit_s + 1.0 / load.rate_rps - load.alone_s) / worst
    most = _most(spec, mix, _SHARED)
    return math.inf if most <= 0.0 else 1.0 / most


def stability(spec: SystemSpec, sources: Sources) -> float:
    """The most devices beside which no queue has to grow without end; a run shows that the later
    the closer N is. At a load of exactly 1 only what is periodic does not grow.

    In a fleet of unlike groups those that ask on regardless count, with as many members as they
    have at that N; loops and what gives up only add to them. Infinite where nothing can grow or
    nobody can tell: limits at the server, losses, timetables, Wi-Fi.
    """
    mix = parts(spec, sources)
    if mix is None or _bends(spec):
        return math.inf
    most = _most(spec, mix, _EXACT)
    if most <= 0.0:
        return math.inf
    periodic = all(_load(spec, part).kind == "periodic" for part in mix if _asks_on(spec, part))
    n = math.floor(1.0 / most)
    if n > _COUNTED:
        return n
    return _count(spec, mix, periodic=periodic, near=n)


def _count(spec: SystemSpec, mix: Sequence[Part], *, periodic: bool, near: int) -> int:
    """The largest N whose members, counted one by one, load nothing fully."""
    shares = tuple(part.group.share for part in mix)
    loads = [_load_by(spec, part, _EXACT) for part in mix]
    limit = 1.0 + _ROUND if periodic else 1.0 - _ROUND
    members = [0] * len(mix)
    for index in range(2 * near + 2 * len(mix)):
        members[group_of(index, shares)] += 1
        if max(map(math.fsum, _over_members(members, loads))) >= limit:
            return index
    return 2 * near + 2 * len(mix)


def _over_members(
    members: Sequence[int], loads: Sequence[Sequence[float]]
) -> Iterable[Sequence[float]]:
    """Per resource what every group's members ask of it."""
    each = ([n * load for load in group] for n, group in zip(members, loads, strict=True))
    return zip(*each, strict=True)


def _most(spec: SystemSpec, mix: Sequence[Part], media: Sequence[str]) -> float:
    """The largest share of a shared resource's time that one device more takes, on average."""
    whole = math.fsum(part.group.share for part in mix)
    shares = [part.group.share / whole for part in mix]
    loads = [_load_by(spec, part, media) for part in mix]
    return max(
        math.fsum(share * load for share, load in zip(shares, each, strict=True))
        for each in zip(*loads, strict=True)
    )


def _load_by(spec: SystemSpec, part: Part, media: Sequence[str]) -> list[float]:
    """Of every shared resource's time the share that a member takes who asks on regardless."""
    rate_rps = part.demands.rate_rps if _asks_on(spec, part) else 0.0
    return [rate_rps * demand_s for demand_s in _shared(spec, part.demands, media)]


def _shared(spec: SystemSpec, load: Demands, media: Sequence[str]) -> list[float]:
    """The demands on all that is shared."""
    server, link = spec.server, spec.link
    on_air = link.sharing in media and link.snr_spread_db == 0.0
    return [
        load.server_s / server.n_gpus,
        load.decoder_s / server.cpu_workers,
        load.link_s / link.n_cells if on_air else 0.0,
    ]


def _asks_on(spec: SystemSpec, part: Part) -> bool:
    """Whether a group's members ask at the same rate whatever waits."""
    load = _load(spec, part)
    return load.kind not in ("closed", "replay") and load.max_in_flight is None


def _bends(spec: SystemSpec) -> bool:
    """Whether the load depends on what waits, so that the demands do not say how it grows."""
    server = spec.server
    chooses = any(group.alternatives for group in groups_of(spec).values())
    limited = server.queue_limit is not None or server.drop_expired or server.admission == "reject"
    return chooses or limited or has_timetable(spec) or not spec.link.plain


def has_timetable(spec: SystemSpec) -> bool:
    """Whether the system has a timetable of its own, so that its horizon must stay as it is."""
    loads = [spec.workload, *(g.workload for g in spec.fleet.groups.values() if g.workload)]
    return (
        spec.server.fails
        or spec.interruptible
        or spec.workload.requests is not None
        or any(load.kind == "replay" for load in loads)
    )


def _load(spec: SystemSpec, part: Part) -> WorkloadSpec:
    """A group's workload."""
    return part.group.workload or spec.workload
