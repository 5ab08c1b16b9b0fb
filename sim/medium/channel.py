"""A device's channel: what a payload costs on the air now; what fades or loses is in `fading.py`.

Equation. Shannon with a gap: R = W log2(1 + snr g / gap), g the fading gain, 1 without fading.
"""

import math
from typing import NamedTuple

from simpy import Event

from sim.medium.contended import Radio
from sim.request import Request
from sim.specs import LinkSpec
from sim.station import Station


def rate_bps(spec: LinkSpec, snr_db: float, gain: float = 1.0) -> float:
    """Physical rate at mean `snr_db` and fading gain `gain`; 0 where no scheme gets through."""
    if spec.rate == "fixed":
        return spec.rate_bps
    if spec.rate == "outage":
        return _capacity_bps(spec, -(10.0 ** (snr_db / 10.0)) * math.log1p(-spec.outage))
    if spec.rate == "shannon":
        return _capacity_bps(spec, ratio_over_gap(spec, snr_db) * gain)
    from sim.radio import mcs  # its tables are not needed at a fixed rate

    now_db = snr_db + 10.0 * math.log10(max(gain, 1e-30))
    return mcs.mcs_rate_bps(now_db, spec.bandwidth_hz) * spec.rate_factor


def ratio_over_gap(spec: LinkSpec, snr_db: float) -> float:
    """The mean signal-to-noise ratio over the gap, as a number."""
    return float(10.0 ** ((snr_db - spec.gap_db) / 10.0))


def _capacity_bps(spec: LinkSpec, ratio: float) -> float:
    """W log2(1 + ratio), by `math`: NumPy's last digits depend on the processor."""
    return spec.bandwidth_hz * math.log1p(ratio) / math.log(2.0)


def passes(spec: LinkSpec, snr_db: float) -> bool:
    """Whether a frame of full size gets through at a mean ratio, and within one fading block."""
    rate = rate_bps(spec, snr_db)
    if rate <= 0.0:
        return False
    frame_s = spec.frame_airtime_s + 8.0 * (spec.mtu_bytes + spec.header_bytes) / rate
    return spec.fading == "none" or frame_s < spec.coherence_s


class Cost(NamedTuple):
    """What a payload takes on the air, `fixed_s` of it at any speed."""

    airtime_s: float
    fixed_s: float
    air_bytes: float
    accesses: float
    frames: float


class Channel:
    """Frames, airtime and bytes of a payload at a fixed rate, nothing lost."""

    __slots__ = (
        "_aggregation",
        "_byte_s",
        "_fixed_s",
        "_header_bytes",
        "_mtu_bytes",
        "medium",
    )

    def __init__(self, spec: LinkSpec, medium: Station | Radio, rate: float) -> None:
        if rate <= 0.0:
            raise ValueError(f"link.snr_db must let a frame pass at its mean, got {spec.snr_db:g}")
        self.medium = medium
        self._mtu_bytes = spec.mtu_bytes
        self._header_bytes = spec.header_bytes
        self._fixed_s = spec.frame_airtime_s
        self._aggregation = spec.frames_per_access(rate)
        self._byte_s = 8.0 / rate

    def cost(self, payload_bytes: float) -> Cost:
        """What a payload takes: an access for every so many frames, then the bytes."""
        frames = -(-payload_bytes // self._mtu_bytes) or 1.0
        air_bytes = payload_bytes + frames * self._header_bytes
        accesses = frames if self._aggregation == 1 else -(-frames // self._aggregation)
        fixed_s = accesses * self._fixed_s
        return Cost(fixed_s + air_bytes * self._byte_s, fixed_s, air_bytes, accesses, frames)

    def send(self, request: Request, weight: float) -> Event:
        """Put a payload on the air."""
        airtime_s, fixed_s, air_bytes, accesses, frames = self.cost(request.payload_bytes)
        request.air_bytes += air_bytes
        medium = self.medium
        if isinstance(medium, Radio):
            visit = medium.send(airtime_s, fixed_s, int(accesses), frames / accesses)
        else:
            visit = medium.serve(airtime_s, 0.0, weight, fixed_s)
        request.visit = visit
        return visit
