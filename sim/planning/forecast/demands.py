"""A first guess at N* from the mean demands of one request alone, without a simulation.

Closed loops: the knee (Z + D) / max D of the operational bounds (Denning and Buzen 1978); open
ones: the rate at which the slowest shared station is busy all the time.
"""

import math
from typing import NamedTuple

from sim import GroupSpec, Source, SystemSpec
from sim.medium.channel import rate_bps
from sim.places import groups_of
from sim.server import service
from sim.sources.draw import Draw
from sim.sources.sessions import mean_steps
from sim.sources.source import Sources
from sim.specs import ServerSpec


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
    weights = [rate / math.fsum(rates) for rate in rates]
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
    """`busy_n` as a number of devices, at least one."""
    n = busy_n(spec, sources)
    return None if n is None else max(1, math.floor(n))


def busy_n(spec: SystemSpec, sources: Sources) -> float | None:
    """N at which the slowest shared resource is busy all the time; None if nobody can tell."""
    load = demands(spec, sources)
    if load is None:
        return None
    shared = [load.server_s / spec.server.n_gpus, load.decoder_s / spec.server.cpu_workers]
    if spec.link.sharing != "dedicated":
        shared.append(load.link_s / spec.link.n_cells)
    return 1.0 / (load.rate_rps * max(shared)) if max(shared) > 0.0 else None


def sent_share(sources: Sources) -> float:
    """Of the source that sends most rarely the share of requests that leave the device; 1 where
    none does, or no means are known.
    """
    shares = []
    for source in sources.values():
        try:
            steps = mean_steps(source)
        except (ValueError, AttributeError):
            continue
        shares.append(min(1.0, math.fsum(number for step, number in steps if step.is_sent)))
    return min((share for share in shares if share > 0.0), default=1.0)


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
    for mean, number in mean_steps(source):
        step = mean if mean.is_served else mean._replace(decode_s=0.0)
        draws = [step] * server.max_batch
        tail_s = step.server_s if len(draws) == 1 else batch_s(source, draws) / len(draws)
        shared_s = _gpu_s(server, step, tail_s * len(draws), len(draws)) / len(draws)
        decoder_s = step.decode_s if server.decode_on == "cpu" else 0.0
        served_s = decoder_s + _gpu_s(server, step, step.server_s, 1)
        link_s = airtime_s(spec, group, step.payload_bytes) if step.is_sent else 0.0
        ways = step.is_sent + step.is_served  # an answer made there is there
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
