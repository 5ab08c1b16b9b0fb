"""Cycle: how long a device takes to go once around."""

from math import ceil

from sim import LinkSpec, SystemSpec
from sim.radio.contention import EFFICIENCY
from sim.sources.source import Draw


def cycle_s(spec: SystemSpec, mean: Draw, *, steps: int = 1) -> float:
    """Seconds in which a device goes once around, by the operational bound; a request of `mean`
    costs in all crosses the link `steps` times.
    """
    n = spec.fleet.n_devices
    air_s = steps * airtime_s(spec.link, mean.payload_bytes / steps, n)
    server_s = mean.decode_s + mean.server_s
    if spec.workload.kind != "closed":
        return 1.0 / float(spec.workload.rate_rps)
    network_s = steps * spec.link.rtt_s
    alone_s = spec.workload.think_s + mean.device_s + air_s + server_s + network_s
    shared_s = server_s if spec.link.sharing == "dedicated" else max(server_s, air_s)
    return float(max(alone_s, n * shared_s))


def airtime_s(link: LinkSpec, payload_bytes: float, n_active: int = 1) -> float:
    """Seconds on the air of a payload while `n_active` devices contend."""
    frames = ceil(payload_bytes / link.mtu_bytes)
    bits = 8.0 * (payload_bytes + frames * link.header_bytes)
    alone_s = bits / link.rate_bps + ceil(frames / link.aggregation) * link.frame_airtime_s
    if link.sharing != "wifi":
        return alone_s
    efficiency = EFFICIENCY[link.contention]
    return alone_s * efficiency(1) / efficiency(n_active)
