"""The link as numbers: what the compiled engine needs of it (sim/medium)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from sim.engine import layout as at
from sim.medium.channel import Channel, rate_bps, ratio_over_gap
from sim.medium.fading import refuse_hopeless, through
from sim.medium.link import Link
from sim.medium.scheduled import gain_of, near_db
from sim.radio.diversity import MOST
from sim.specs import GroupSpec, LinkSpec
from sim.station import FifoStation
from sim.streams import Streams

_KINDS = {
    "fifo": at.FIFO_LINK, "wifi": at.CONTENDED_LINK, "cellular": at.SCHEDULED_LINK,
}  # fmt: skip
_RATES = {
    "fixed": at.FIXED, "mcs": at.BY_SCHEME, "outage": at.OUTAGE, "shannon": at.SHANNON,
}  # fmt: skip


def kind(spec: LinkSpec, explicit: bool) -> int:
    """The kernel's name of a medium."""
    found = _KINDS.get(spec.sharing, at.SHARED_LINK)
    return at.QUEUE_LINK if found == at.FIFO_LINK and explicit else found


def set_system(link: Link, streams: Streams, sf: np.ndarray, sn: np.ndarray) -> None:
    """What holds for all devices."""
    spec = link.spec
    sf[at.BEFORE], sf[at.HALF_RTT] = link.before_s, link.half_rtt_s
    sf[at.GRANT], sf[at.RTT], sf[at.COHERENCE] = link.grant_s, spec.rtt_s, spec.coherence_s
    sf[at.FRAME_AIRTIME], sf[at.SLOT] = spec.frame_airtime_s, spec.slot_s
    sf[at.MTU_BYTES], sf[at.HEADER_BYTES] = spec.mtu_bytes, spec.header_bytes
    sf[at.THROUGH], sf[at.DEEP] = through(spec, spec.mtu_bytes), -math.log1p(-spec.outage)
    sf[at.BANDWIDTH] = spec.bandwidth_hz
    sf[at.ACCESS_LIMIT] = math.inf if spec.access_limit_s is None else spec.access_limit_s
    sn[at.SPREADS] = spec.snr_spread_db > 0.0
    sn[at.OWN], sn[at.N_CELLS] = spec.sharing == "dedicated", spec.n_cells
    sn[at.RADIO_CHANNEL], sn[at.OWN_QUEUES] = not spec.plain, spec.has_own_queues
    sn[at.EXACT], sn[at.MAX_RETRIES] = spec.transport == "exact", spec.max_retries
    sn[at.RATE], sn[at.RAYLEIGH] = _RATES[spec.rate], spec.fading == "rayleigh"
    sn[at.AGGREGATION], sn[at.SHARED_DOWN] = spec.aggregation, link.shared_downlink
    sn[at.VARIES], sn[at.VARYING_ANSWERS] = spec.varies, link.varying_answers
    sn[at.DOWN_FIXED] = spec.downlink_rate_bps is not None
    sn[[at.LINK_0, at.LINK_1]] = streams.key("link")
    sn[[at.CONTENTION_0, at.CONTENTION_1]] = streams.key("contention")


def set_ways(link: Link, groups: Sequence[GroupSpec], dn: np.ndarray) -> np.ndarray:
    """Rates of every group's devices, or of every device where they are spread (Link.channel).

    Raises:
        ValueError: a device whose frames do not get through.
    """
    spec = link.spec
    way_of = dn[:, at.GROUP]
    first = np.full(len(groups), -1)
    places, where = np.unique(dn[:, at.GROUP], return_index=True)
    first[places] = where
    chosen = [(number, int(first[number])) for number in places[np.argsort(where)]]
    if spec.snr_spread_db > 0.0:
        way_of = np.arange(len(dn))
        chosen = [(index, index) for index in range(len(dn))]
    ways = np.ones((max(len(groups), int(way_of.max()) + 1), at.N_WAY))
    for way, index in chosen:
        group = groups[dn[index, at.GROUP]]
        snr_db = link.mean_snr_db(index, group)
        ways[way, [at.DOWN_BYTE_S, at.DOWN_TOGETHER]] = link.way_down(group, snr_db)
        rate = group.rate_bps or rate_bps(spec, snr_db)
        if spec.plain:
            Channel(spec, FifoStation(link.env), rate)  # refuses what does not get through
        else:
            own = replace(spec, rate_bps=group.rate_bps or spec.rate_bps)
            refuse_hopeless(own, snr_db)
        ways[way, at.RATE_BPS], ways[way, at.BYTE_S] = rate, 8.0 / rate
        ways[way, at.TOGETHER] = spec.frames_per_access(rate)
        ways[way, at.RATIO] = ratio_over_gap(spec, snr_db) if spec.rate == "shannon" else snr_db
    return ways


def schemes(spec: LinkSpec) -> np.ndarray:
    """Of rate=mcs: the ratios from which rates on are sent, and the rates [scheme, 2]."""
    if spec.rate != "mcs":
        return np.zeros((1, 2))
    from sim.radio import mcs

    needs = [mcs.needed_snr_db(scheme.number) for scheme in mcs.SCHEMES]
    rates = [
        mcs.scheme_rate_bps(scheme.number, spec.bandwidth_hz) * spec.rate_factor
        for scheme in mcs.SCHEMES
    ]
    return np.array([needs, rates]).T.copy()


def set_rows(spec: LinkSpec, rows: np.ndarray) -> None:
    """Frames and bytes on the air of every row's payload and answer; of the payload's last frame
    its bytes, and how likely it gets through.
    """
    payload_bytes, answer_bytes = rows[:, at.R_PAYLOAD], rows[:, at.R_ANSWER]
    frames = -(-payload_bytes // spec.mtu_bytes)
    frames[frames == 0.0] = 1.0
    down = -(-answer_bytes // spec.mtu_bytes)
    last_bytes = payload_bytes - (frames - 1.0) * spec.mtu_bytes
    sizes, places = np.unique(last_bytes, return_inverse=True)
    rows[:, at.R_FRAMES], rows[:, at.R_AIR] = frames, payload_bytes + frames * spec.header_bytes
    rows[:, at.R_DOWN_FRAMES] = down
    rows[:, at.R_DOWN_AIR] = answer_bytes + down * spec.header_bytes
    rows[:, at.R_LAST] = last_bytes
    rows[:, at.R_THROUGH] = np.array([through(spec, size) for size in sizes.tolist()])[places]


def set_lanes(
    link: Link, groups: Sequence[GroupSpec], dn: np.ndarray, cn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The lanes of a scheduled link, cell by cell in the order of their first devices: the lane of
    every device, and the gain of every lane by number of users (ScheduledStation).
    """
    spec, ratios = link.spec, {}
    if spec.sharing != "cellular":
        return np.zeros(1, np.int64), np.ones((1, 2))
    near = np.zeros(len(dn))
    for index, number in enumerate(dn[:, at.GROUP].tolist()):
        way = index if spec.snr_spread_db > 0.0 else number
        if way not in ratios:
            ratios[way] = near_db(spec, link.mean_snr_db(index, groups[number]))
        near[index] = ratios[way]
    most = min(MOST, -(-len(dn) // spec.n_cells))
    gains: dict[float, list[float]] = {}
    found: list[list[float]] = []
    lane_of = np.zeros(len(dn), np.int64)
    for c in range(spec.n_cells):
        lanes = {
            ratio: len(found) + k for k, ratio in enumerate(dict.fromkeys(near[c :: spec.n_cells]))
        }
        lane_of[c :: spec.n_cells] = [lanes[ratio] for ratio in near[c :: spec.n_cells]]
        cn[c, at.LANE_0], cn[c, at.N_LANES] = len(found), len(lanes)
        for ratio in lanes:
            if ratio not in gains:
                gain = gain_of(spec, float(ratio))
                gains[ratio] = [1.0, *(gain(n) for n in range(1, most + 1))]
            found.append(gains[ratio])
    return lane_of, np.array(found)


def know(
    following: Iterator[tuple[float, float]], known: list[tuple[float, float]], number: int
) -> bool:
    """Append so many changes of the medium's speed; whether there will be no others."""
    found = list(islice(following, number))
    known += found
    return len(found) < number
