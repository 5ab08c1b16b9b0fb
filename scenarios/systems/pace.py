"""How long a point is played: long enough to be steady, and about the same work at every N.

A closed loop of N devices turns once in about max(Z + D, N S), where Z is the think time, D the
demands of a request and S the largest demand on something shared. The warm-up lasts three such
cycles, the measurement ten, and more where few devices make few requests.
"""

from dataclasses import replace
from math import ceil
from typing import Any

from profiles.tables.split import Split
from scenarios.systems.measured import Measured
from sim.radio.contention import EFFICIENCY
from sim.sources.sessions import mean_request
from sim.sources.source import Draw
from sim.specs import LinkSpec

_WARMUP_CYCLES = 3.0


def paced(config: Any, measured: Measured, split: Split) -> Any:
    """The figure's configuration with warm-up and horizon fit for its N, cut and codec."""
    if config.workload.requests is not None:
        return config
    try:
        mean = mean_request(measured.source(split, config.device, config.server))
    except ValueError:  # what cannot be played says so when it is
        return config
    cycle = cycle_s(config, mean, steps=split.steps)
    warmup_s = max(config.warmup_s, _WARMUP_CYCLES * cycle)
    played_s = max(config.span_s / config.fleet.n_devices, config.cycles * cycle)
    return replace(config, warmup_s=warmup_s, horizon_s=warmup_s + played_s)


def cycle_s(config: Any, mean: Draw, *, steps: int = 1) -> float:
    """Seconds in which a device goes once around, by the operational bound; a request of `mean`
    costs in all crosses the link `steps` times.
    """
    n = config.fleet.n_devices
    air_s = steps * airtime_s(config.link, mean.payload_bytes / steps, n)
    server_s = mean.decode_s + mean.server_s
    if config.workload.kind != "closed":
        return 1.0 / float(config.workload.rate_rps)
    network_s = steps * config.link.rtt_s
    alone_s = config.workload.think_s + mean.device_s + air_s + server_s + network_s
    shared_s = server_s if config.link.sharing == "dedicated" else max(server_s, air_s)
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
