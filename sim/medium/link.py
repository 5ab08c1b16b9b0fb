"""The link: cells whose media are shared, a channel for every device, answers on their way down.

A payload of P bytes is cut into F = ceil(P / mtu_bytes) frames; its airtime is
`ceil(F / aggregation) * frame_airtime_s + 8 * (P + F * header_bytes) / rate` (framing as in IEEE
802.11): a payload ten times smaller does not save ten times the airtime.
"""

import math
from collections.abc import Generator
from dataclasses import replace
from statistics import NormalDist

from simpy import Environment, Event

from sim.medium import sharing
from sim.medium.channel import Channel, RadioChannel, rate_bps
from sim.medium.speeds import Speeds, speeds
from sim.places import even
from sim.specs import GroupSpec, LinkSpec
from sim.streams import Streams


class Link:
    """All cells of the medium.

    Approximation: half of the round-trip time passes before a payload enters the medium, half
    after the answer's transfer; a dedicated downlink is never contended for. Its speed follows the
    medium's unless it has a rate of its own.
    """

    def __init__(self, env: Environment, spec: LinkSpec, *, explicit: bool = False) -> None:
        self.spec = spec
        self.cells = [
            sharing.medium(env, spec, explicit or spec.varies) for _ in range(spec.n_cells)
        ]
        self.half_rtt_s = 0.5 * spec.rtt_s
        self.grant_s = spec.grant_s if spec.sharing == "cellular" else 0.0
        self.before_s = self.half_rtt_s + self.grant_s
        self.speeds: Speeds | None = speeds(spec) if spec.varies else None
        self.shared_downlink = spec.downlink == "shared"
        self.varying_answers = (
            spec.varies and not self.shared_downlink and spec.downlink_rate_bps is None
        )
        self._env = env
        self._plain: dict[tuple[int, float], Channel] = {}
        down_bps = spec.downlink_rate_bps or rate_bps(spec, spec.snr_db)
        if down_bps <= 0.0:
            raise ValueError(f"link.snr_db must let a frame pass at its mean, got {spec.snr_db:g}")
        self._down_byte_s = 8.0 / down_bps
        if spec.varies:
            env.process(self._vary())

    def channel(self, index: int, group: GroupSpec, streams: Streams) -> Channel | RadioChannel:
        """The channel of device `index`; plain ones are shared among devices alike."""
        medium = self.cells[index % len(self.cells)]
        snr_db = self.spec.snr_db if group.snr_db is None else group.snr_db
        if self.spec.snr_spread_db > 0.0:
            snr_db += NormalDist(0.0, self.spec.snr_spread_db).inv_cdf(even(index, math.sqrt(7.0)))
        if not self.spec.plain:
            spec = replace(self.spec, rate_bps=group.rate_bps or self.spec.rate_bps)
            stream = streams.stream("link", index)
            return RadioChannel(self._env, spec, medium, stream, snr_db, self.silence_s)
        rate = group.rate_bps or rate_bps(self.spec, snr_db)
        key = (index % len(self.cells), rate)
        if key not in self._plain:
            self._plain[key] = Channel(self.spec, medium, rate)
        return self._plain[key]

    def downlink_s(self, answer_bytes: float) -> float:
        """Airtime of an answer."""
        if answer_bytes <= 0.0:
            return 0.0
        frames = -(-answer_bytes // self.spec.mtu_bytes)
        sent_bytes = answer_bytes + frames * self.spec.header_bytes
        accesses = -(-frames // self.spec.aggregation)
        return accesses * self.spec.frame_airtime_s + sent_bytes * self._down_byte_s

    def downlink_fixed_s(self, answer_bytes: float) -> float:
        """The part of that airtime which takes as long at any speed of the medium."""
        if self.spec.downlink_rate_bps is not None:
            return self.downlink_s(answer_bytes)
        frames = -(-answer_bytes // self.spec.mtu_bytes)
        return -(-frames // self.spec.aggregation) * self.spec.frame_airtime_s

    def downlink_weight(self, answer_bytes: float, airtime_s: float, weight: float) -> float:
        """An answer's weight on the shared medium: as an uplink's, equal frame rates on Wi-Fi."""
        if self.spec.sharing != "wifi":
            return weight
        return airtime_s / -(-answer_bytes // self.spec.mtu_bytes)

    def answer_s(self, answer_bytes: float) -> float:
        """Seconds that pass after the server without a wait: dedicated transfer, half the RTT; 0
        where they are not known beforehand.
        """
        if self.shared_downlink or self.varying_answers:
            return 0.0
        return self.downlink_s(answer_bytes) + self.half_rtt_s

    def silence_s(self, start_s: float, end_s: float) -> float:
        """Seconds between two instants in which the medium was silent."""
        return 0.0 if self.speeds is None else self.speeds.silence_s(start_s, end_s)

    def busy_s(self) -> float:
        """Seconds in which the medium was in use, averaged over the cells."""
        return math.fsum(cell.busy_s() for cell in self.cells) / len(self.cells)

    def _vary(self) -> Generator[Event, object, None]:
        """Follow the plan of speeds."""
        assert self.speeds is not None
        for time_s, speed in self.speeds.changes:
            if time_s > self._env.now:
                yield self._env.timeout(time_s - self._env.now)
            for cell in self.cells:
                cell.set_speed(speed)
