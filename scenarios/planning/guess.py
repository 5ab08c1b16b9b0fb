"""A first guess at N*, and bounds on it, from the mean demands of one request alone.

Closed loops: the knee (Z + D) / max D of the operational bounds (Denning and Buzen 1978); open
ones: the rate at which the slowest shared station is busy all the time. No simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from sim import Source, SystemSpec
from sim.places import groups_of
from sim.radio.contention import EFFICIENCY
from sim.source import Draw


class Demands(NamedTuple):
    """Mean seconds that one request asks of each resource, alone on it, and its rate per device."""

    device_s: float
    link_s: float
    server_s: float
    network_s: float
    rate_rps: float

    @property
    def alone_s(self) -> float:
        """Least latency: every stage once, nobody else there."""
        return self.device_s + self.link_s + self.server_s + self.network_s


def demands(spec: SystemSpec, sources: Mapping[str, Source]) -> Demands | None:
    """Mean demands over the groups by their shares; None where a source knows no means.

    `server_s` is the share of one request in the fullest batch, `link_s` its airtime alone.
    """
    groups = groups_of(spec)
    shares = [group.share for group in groups.values()]
    each = []
    for name, group in groups.items():
        try:
            source = sources[group.source or name]
            each.append(_demands(spec, group.workload or spec.workload, source, group.slowdown))
        except (ValueError, KeyError, AttributeError):
            return None
    rates = [found.rate_rps * share for found, share in zip(each, shares, strict=True)]
    weights = [rate / sum(rates) for rate in rates]
    mixed = [
        math.fsum(weight * found[i] for weight, found in zip(weights, each, strict=True))
        for i in range(4)
    ]
    return Demands(*mixed, rate_rps=sum(rates) / sum(shares))


def guess(spec: SystemSpec, sources: Mapping[str, Source]) -> int | None:
    """N at which the slowest shared resource is busy all the time; None if nobody can tell."""
    found = demands(spec, sources)
    if found is None:
        return None
    shared = [found.server_s / spec.server.n_gpus]
    if spec.link.sharing != "dedicated":
        shared.append(found.link_s / spec.link.n_cells)
    return max(1, math.floor(1.0 / (found.rate_rps * max(shared)))) if max(shared) > 0.0 else None


def airtime_s(spec: SystemSpec, payload_bytes: float, n_active: int = 1) -> float:
    """Seconds on the air of a payload while `n_active` devices contend."""
    link = spec.link
    if payload_bytes <= 0.0:
        return 0.0
    frames = math.ceil(payload_bytes / link.mtu_bytes)
    bits = 8.0 * (payload_bytes + frames * link.header_bytes)
    seconds = bits / link.rate_bps + math.ceil(frames / link.aggregation) * link.frame_airtime_s
    if link.sharing != "wifi":
        return seconds
    efficiency = EFFICIENCY[link.contention]
    return float(seconds * efficiency(1) / efficiency(n_active))


def _demands(spec: SystemSpec, load: object, source: Source, slowdown: float) -> Demands:
    mean = source.mean()
    draws = [mean] * spec.server.max_batch
    tail_s = mean.server_s if len(draws) == 1 else _batch_s(source, draws) / len(draws)
    decode_s = mean.decode_s if spec.server.decode_on == "gpu" else 0.0
    server_s = (decode_s + tail_s) / spec.server.speed
    device_s = mean.device_s * slowdown
    link_s, network_s = airtime_s(spec, mean.payload_bytes), spec.link.rtt_s
    if load.kind != "closed":  # type: ignore[attr-defined]
        rate_rps = load.rate_rps  # type: ignore[attr-defined]
    else:
        cycle_s = load.think_s + device_s + link_s + network_s + server_s  # type: ignore[attr-defined]
        rate_rps = 1.0 / cycle_s if cycle_s > 0.0 else math.inf
    return Demands(device_s, link_s, server_s, network_s, rate_rps)


def _batch_s(source: Source, draws: list[Draw]) -> float:
    """Seconds of the fullest batch; of the largest one that was measured if that is smaller."""
    while len(draws) > 1:
        try:
            return source.batch_s(draws)
        except ValueError:
            draws = draws[: len(draws) // 2]
    return source.batch_s(draws)
