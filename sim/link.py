"""The link: payloads become frames, frames become airtime, airtime is shared.

A payload of P bytes is cut into F = ceil(P / mtu_bytes) frames; its airtime is
`F * frame_airtime_s + 8 * (P + F * header_bytes) / rate_bps` (framing as in IEEE 802.11; a
payload ten times smaller does not save ten times the airtime).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simpy import Environment, Event

from sim.spec import LinkSpec
from sim.station import FifoStation, SharedStation


class DedicatedStation:
    """A channel of its own for every transfer: nobody waits."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._work_s = 0.0

    def serve(self, work_s: float, after_s: float = 0.0) -> Event:
        """Transfer for `work_s` seconds."""
        now = self._env.now
        self._work_s += work_s
        return self._env.timeout(work_s + after_s, (now, now + work_s))

    def busy_s(self) -> float:
        """Airtime admitted so far, of all channels together."""
        return self._work_s


class Medium(Protocol):
    """How airtime is divided among transfers."""

    def serve(self, work_s: float, after_s: float = 0.0) -> Event:
        """Transfer `work_s` seconds of airtime; the event's value is `(start_s, end_s)`."""

    def busy_s(self) -> float:
        """Seconds so far in which the medium was in use."""


_SHARING: dict[str, Callable[[Environment], Medium]] = {
    "dedicated": DedicatedStation,
    "fifo": FifoStation,
    "ps": SharedStation,
}


class Link:
    """The shared uplink and every device's own downlink.

    Approximation: half of the round-trip time passes before a payload enters the medium, half
    after the answer's transfer; the downlink is never contended for.
    """

    def __init__(self, env: Environment, spec: LinkSpec) -> None:
        self.medium = _SHARING[spec.sharing](env)
        self.half_rtt_s = 0.5 * spec.rtt_s
        self._mtu_bytes = spec.mtu_bytes
        self._header_bytes = spec.header_bytes
        self._frame_airtime_s = spec.frame_airtime_s
        self._byte_s = 8.0 / spec.rate_bps
        self._down_byte_s = 8.0 / (spec.downlink_rate_bps or spec.rate_bps)

    def price(self, payload_bytes: float) -> tuple[float, float]:
        """Airtime in seconds of a payload that is alone on the uplink, and bytes on the air."""
        frames = -(-payload_bytes // self._mtu_bytes)
        air_bytes = payload_bytes + frames * self._header_bytes
        return frames * self._frame_airtime_s + air_bytes * self._byte_s, air_bytes

    def answer_s(self, answer_bytes: float) -> float:
        """Seconds from the server's last operation to the answer's arrival at the device."""
        if answer_bytes <= 0.0:
            return self.half_rtt_s
        frames = -(-answer_bytes // self._mtu_bytes)
        sent_bytes = answer_bytes + frames * self._header_bytes
        fixed_s = frames * self._frame_airtime_s + self.half_rtt_s
        return fixed_s + sent_bytes * self._down_byte_s
