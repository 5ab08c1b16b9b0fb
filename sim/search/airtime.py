"""What the link is to a search: seconds on the air, and the rate that many transfers share."""

from collections.abc import Callable

import numpy as np

from sim.search.problem import Floats
from sim.specs import LinkSpec

STATES = 512


def airtime_s(
    link: LinkSpec, payload_bytes: Floats, rate_bps: float, *, slots: bool = True
) -> Floats:
    """Mean seconds on the air of payloads, as the simulator's link counts them.

    ceil(F / aggregation) accesses and the bytes, F = ceil(P / mtu) frames, and 1 / (1 - loss)
    sendings of each; whole slots on a scheduled uplink. Approximation: the mean payload stands
    for all.
    """
    frames = np.ceil(payload_bytes / link.mtu_bytes)
    air_bytes = payload_bytes + frames * link.header_bytes
    frame_bits = 8.0 * (np.minimum(payload_bytes, link.mtu_bytes) + link.header_bytes)
    passed = (1.0 - link.frame_error_rate) * (1.0 - link.bit_error_rate) ** frame_bits
    seconds = np.ceil(frames / link.aggregation) * link.frame_airtime_s + 8.0 * air_bytes / rate_bps
    if link.sharing == "cellular" and slots:
        seconds = np.ceil(seconds / link.slot_s - 1e-9) * link.slot_s
    return np.asarray(seconds / (passed if link.transport == "exact" else 1.0), dtype=float)


def capacity(link: LinkSpec, n_devices: int) -> Callable[[Floats], Floats]:
    """Rate of the medium with x transfers under way, in units of one alone; straight between."""
    if link.sharing == "dedicated":
        return lambda x: np.asarray(x, dtype=float)
    if link.sharing != "wifi":
        return lambda x: np.ones_like(np.asarray(x, dtype=float))
    from sim.medium.sharing.wifi import contention

    rule = contention(link)
    points = np.unique(np.geomspace(1, max(STATES, n_devices), 64).astype(int))
    values = np.array([rule(int(n)) for n in points])
    return lambda x: np.interp(x, points, values)
