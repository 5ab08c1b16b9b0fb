"""Visits: the events, frames and seconds that one request makes on its way, on average."""

import math
from typing import NamedTuple

import numpy as np

from sim.medium.channel import rate_bps
from sim.planning.forecast.demands import airtime_s, batch_s
from sim.sources.draw import Draw
from sim.sources.sessions import mean_steps
from sim.sources.source import Source
from sim.specs import GroupSpec, LinkSpec, SystemSpec, WorkloadSpec
from sim.streams import Streams

_SAMPLES = 64
_GAINS = tuple(-math.log1p(-(i + 0.5) / 40) for i in range(40))
_SHARED_VISIT, _QUEUED_VISIT, _PLAIN_VISIT = 2.5, 2.0, 1.0


class Costs(NamedTuple):
    """What a request comes to in all: events behind its device, frames that may be lost, seconds
    on each resource, and the least seconds from its birth to its answer.
    """

    events: float
    frames: float
    device_s: float
    link_s: float
    decoder_s: float
    server_s: float
    alone_s: float


def request_costs(spec: SystemSpec, group: GroupSpec, load: WorkloadSpec, source: Source) -> Costs:
    """A mean request, all its steps together."""
    if not _is_admitted(spec, group, source):
        return Costs(*[0.0] * len(Costs._fields))
    each = []
    for place, (draw, number) in enumerate(_steps(source)):
        step = _step(spec, group, source, draw)
        if place > 0:
            step = step._replace(events=step.events + 1.0)
            number = min(number, _more_tokens(load, step.alone_s))
        each.append([number * cost for cost in step])
    return Costs(*map(math.fsum, zip(*each, strict=True)))


def gives_up(spec: SystemSpec) -> bool:
    """Whether a busy server turns requests away, so that it slows nobody down."""
    limit, server = spec.server.queue_limit, spec.server
    loads = [spec.workload, *(g.workload for g in spec.fleet.groups.values() if g.workload)]
    late = server.drop_expired and any(load.deadline_s is not None for load in loads)
    full = limit is not None and limit < spec.fleet.n_devices
    return full or late or (server.fails and server.on_failure == "lose")


def _is_admitted(spec: SystemSpec, group: GroupSpec, source: Source) -> bool:
    """Whether the prompt of a session fits into memory on both sides; what is no session does."""
    rows = getattr(source, "rows", None)
    if not rows or not hasattr(source, "session"):
        return True
    server, device = spec.server.session_memory_bytes, group.memory_bytes
    fits = server is None or rows[0].server_bytes[0] <= server
    return fits and (device is None or rows[0].device_bytes[0] <= device)


def _more_tokens(load: WorkloadSpec, token_s: float) -> float:
    """The most tokens after the first that a session has, by its limits in number and time."""
    most = math.inf if load.max_new_tokens is None else load.max_new_tokens - 1.0
    if load.session_deadline_s is not None and token_s > 0.0:
        most = min(most, math.ceil(load.session_deadline_s / token_s))
    late = load.token_deadline_s is not None and load.token_deadline_s < token_s
    return min(most, 1.0) if late else most


def _steps(source: Source) -> list[tuple[Draw, float]]:
    """Mean steps and how many of each; of a source that knows no means, those of some draws."""
    try:
        return mean_steps(source)
    except (ValueError, AttributeError):
        stream = Streams(0).stream("probe")
        draws = [source.draw(stream) for _ in range(_SAMPLES)]
        return [(Draw(0, *np.mean([draw[1:7] for draw in draws], axis=0).tolist()), 1.0)]


def _step(spec: SystemSpec, group: GroupSpec, source: Source, draw: Draw) -> Costs:
    """One way through the system."""
    server, sent = spec.server, draw.is_sent
    straggles = 1.0 + group.straggler_share * (group.straggler_slowdown - 1.0)
    device_s = draw.device_s * group.slowdown * straggles
    link_s = events = frames = decoder_s = 0.0
    if sent:
        events, frames, link_s = _link(spec, group, draw.payload_bytes)
    decode_s = draw.decode_s if draw.is_served else 0.0
    if server.decode_on == "cpu" and decode_s > 0.0:
        decoder_s, decode_s = decode_s, 0.0
        events += 1.0
    alone_s = 0.0 if gives_up(spec) else (decode_s + draw.server_s) / server.speed
    fullest = min(server.max_batch, max(1, spec.fleet.n_devices))
    tail_s = draw.server_s if fullest == 1 else batch_s(source, [draw] * fullest) / fullest
    if draw.is_served:
        events += 1.0 if server.plain else 3.0
    if server.discipline == "dynamic" and spec.fleet.n_devices < server.max_batch:
        alone_s += server.max_wait_s
    network_s = (1.0 if sent else 0.5) * spec.link.rtt_s
    if sent and spec.link.sharing == "cellular":
        network_s += spec.link.grant_s
    answer_s = 0.0 if gives_up(spec) else _answer_s(spec.link, group, draw.answer_bytes)
    if spec.link.downlink == "shared" and answer_s > 0.0:
        events += _SHARED_VISIT + 1.0
        link_s += answer_s
    else:
        network_s += answer_s
    alone_s += device_s + link_s + decoder_s + network_s
    server_s = (decode_s + tail_s) / server.speed
    return Costs(events, frames, device_s, link_s, decoder_s, server_s, alone_s)


def _answer_s(link: LinkSpec, group: GroupSpec, answer_bytes: float) -> float:
    """Seconds that an answer takes on its way down, alone, at the group's own rate."""
    snr_db = link.snr_db if group.snr_db is None else group.snr_db
    rate = link.downlink_rate_bps or group.rate_bps or rate_bps(link, snr_db)
    if answer_bytes <= 0.0 or rate <= 0.0:
        return 0.0
    frames = math.ceil(answer_bytes / link.mtu_bytes)
    bits = 8.0 * (answer_bytes + frames * link.header_bytes)
    accesses = math.ceil(frames / link.frames_per_access(rate))
    return bits / rate + accesses * link.frame_airtime_s


def _link(spec: SystemSpec, group: GroupSpec, payload_bytes: float) -> tuple[float, float, float]:
    """(events, frames, seconds) of a payload on the medium."""
    link = spec.link
    visit = _SHARED_VISIT + (link.sharing == "cellular")
    if link.sharing == "fifo":
        visit = _QUEUED_VISIT if spec.interruptible else _PLAIN_VISIT
    snr_db = link.snr_db if group.snr_db is None else group.snr_db
    if rate_bps(link, snr_db) <= 0.0:
        return visit, 0.0, 0.0  # the run refuses it
    if link.sharing == "wifi" and link.plain:
        frames = math.ceil(payload_bytes / link.mtu_bytes)
        rate = group.rate_bps or rate_bps(link, snr_db)
        visit = 1.0 + max(1, math.ceil(frames / link.frames_per_access(rate)))
    alone_s = airtime_s(spec, group, payload_bytes)
    if link.sharing == "cellular":
        alone_s = math.ceil(alone_s / link.slot_s) * link.slot_s
    if link.plain:
        return visit, 0.0, alone_s
    runs, waits, sent, longer = _runs(link, snr_db, payload_bytes)
    return runs * visit + waits, sent, longer * alone_s


def _runs(link: LinkSpec, snr_db: float, payload_bytes: float) -> tuple[float, float, float, float]:
    """(runs of frames, blocks waited out, frames sent, airtime over that at the mean gain).

    A block of the channel takes as many frames as its gain lets pass; what is lost goes again.
    """
    frames = max(1, math.ceil(payload_bytes / link.mtu_bytes))
    size = min(payload_bytes, link.mtu_bytes) + link.header_bytes
    lost = _loss(link, size)
    tries = link.max_retries + 1 if link.transport == "exact" else 1
    sent = frames * (1.0 - lost**tries) / (1.0 - lost)
    rounds = 1.0 + math.fsum(
        -math.expm1(frames * math.log1p(-(lost**k))) for k in range(1, min(tries, 100)) if lost
    )
    gains = _GAINS if link.fading != "none" and link.rate != "outage" else (1.0,)
    frame_s = [
        _frame_s(link, size, rate) if rate > 0.0 else math.inf
        for rate in (rate_bps(link, snr_db, gain) for gain in gains)
    ]
    limit_s = link.coherence_s if link.fading != "none" else math.inf
    fitting = [limit_s // each if limit_s < math.inf else frames for each in frame_s]
    passed = [each for each, fits in zip(frame_s, fitting, strict=True) if fits >= 1.0]
    if not passed:
        return rounds, 0.0, sent, 1.0  # the run refuses it
    open_share = len(passed) / len(fitting)
    blocks = max(rounds / open_share, sent / float(np.mean(fitting)))
    alone_s = _frame_s(link, size, rate_bps(link, snr_db))
    longer = sent / frames * float(np.mean(passed)) / alone_s
    return blocks * open_share, blocks * (1.0 - open_share), sent, longer


def _frame_s(link: LinkSpec, frame_bytes: float, rate: float) -> float:
    """Airtime of a frame with its part of a full access."""
    return link.frame_airtime_s / link.frames_per_access(rate) + 8.0 * frame_bytes / rate


def _loss(link: LinkSpec, frame_bytes: float) -> float:
    """The share of frames of so many bytes that are lost."""
    ber = 0.0 if link.transport == "bit_error" else link.wrong_bits
    through = (1.0 - link.frame_error_rate) * (1.0 - ber) ** (8.0 * frame_bytes)
    if link.rate == "outage":
        through *= 1.0 - link.outage
    return float(min(1.0 - through, 0.999))
