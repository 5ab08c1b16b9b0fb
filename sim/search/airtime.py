"""What the link is to a search: seconds on the air, and the rate that many transfers share."""

from collections.abc import Callable

import numpy as np

from sim.search.problem import Floats
from sim.specs import LinkSpec

STATES = 512
FRAMES = (1.0, 4.0, 12.0, 34.0)
"""Frames per access between which capacities are interpolated, as the grid of sim.radio."""


def airtime_s(
    link: LinkSpec, payload_bytes: Floats, rate_bps: float, *, slots: bool = True
) -> Floats:
    """Mean seconds on the air of payloads, as the simulator's link counts them.

    An access for every so many of F = ceil(P / mtu) frames, the bytes, and 1 / (1 - loss) sendings
    of each; whole slots on a scheduled uplink. Approximation: the mean payload stands for all.
    """
    frames, accesses = accesses_of(link, payload_bytes, rate_bps)
    air_bytes = payload_bytes + frames * link.header_bytes
    frame_bits = 8.0 * (np.minimum(payload_bytes, link.mtu_bytes) + link.header_bytes)
    passed = (1.0 - link.frame_error_rate) * (1.0 - link.wrong_bits) ** frame_bits
    seconds = accesses * link.frame_airtime_s + 8.0 * air_bytes / rate_bps
    if link.sharing == "cellular" and slots:
        seconds = np.ceil(seconds / link.slot_s - 1e-9) * link.slot_s
    return np.asarray(seconds / (passed if link.transport == "exact" else 1.0), dtype=float)


def accesses_of(link: LinkSpec, payload_bytes: Floats, rate_bps: float) -> tuple[Floats, Floats]:
    """Frames of payloads, and the accesses that they take."""
    frames = np.ceil(payload_bytes / link.mtu_bytes)
    return frames, np.ceil(frames / link.frames_per_access(rate_bps))


def capacity(link: LinkSpec, n_devices: int) -> Callable[[Floats, Floats], Floats]:
    """Rate of the medium, in units of one alone, with x stations (or transfers) on it and so many
    frames per access (the last axis is alone or broadcast); straight between.
    """
    if link.sharing == "dedicated":
        return lambda x, frames: np.asarray(x, dtype=float)
    if link.sharing != "wifi":
        return lambda x, frames: np.ones_like(np.asarray(x, dtype=float))
    from sim.medium.sharing.wifi import contention

    rule = contention(link)
    points = np.unique(np.geomspace(1, max(STATES, n_devices), 64).astype(int))
    values = np.array([[rule(int(n), f) for n in points] for f in FRAMES])

    def at(x: Floats, frames: Floats) -> Floats:
        curves = np.array([np.interp(x, points, each) for each in values])
        return mix(curves, frames)

    return at


def mix(curves: Floats, frames: Floats) -> Floats:
    """Between `curves` [FRAMES, ...], straight in log(frames per access)."""
    place = np.interp(np.log(np.maximum(frames, 1.0)), np.log(FRAMES), np.arange(len(FRAMES)))
    total = np.zeros(np.broadcast_shapes(curves.shape[1:], place.shape))
    for number, curve in enumerate(curves):
        share = np.maximum(0.0, 1.0 - np.abs(place - number))
        total += np.where(share > 0.0, share * np.where(share > 0.0, curve, 0.0), 0.0)
    return total
