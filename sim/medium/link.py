"""The link: cells whose media are shared, a channel for every device, answers on their way down.

A payload of P bytes is cut into F = ceil(P / mtu_bytes) frames; its airtime is
`ceil(F / A) * frame_airtime_s + 8 * (P + F * header_bytes) / rate`, A frames at most in an access
(framing as in IEEE 802.11): a payload ten times smaller does not save ten times the airtime.
"""

import math
from collections.abc import Generator
from dataclasses import replace
from statistics import NormalDist

from simpy import Environment, Event

from sim.medium import sharing
from sim.medium.channel import Channel, passes, rate_bps
from sim.medium.contended import ContendedMedium, Radio
from sim.medium.fading import RadioChannel
from sim.medium.own import OwnQueue
from sim.medium.scheduled import ScheduledStation
from sim.medium.speeds import Speeds
from sim.places import even
from sim.specs import GroupSpec, LinkSpec
from sim.station import Station
from sim.streams import Streams

_STEP_DB = 0.25


class Link:
    """All cells of the medium.

    Approximation: half of the round-trip time passes before a payload enters the medium, half
    after the answer's transfer; a dedicated downlink is never contended for. Its speed follows the
    medium's unless it has a rate of its own.
    """

    def __init__(
        self,
        env: Environment,
        spec: LinkSpec,
        streams: Streams,
        *,
        explicit: bool = False,
        speeds: Speeds | None = None,
    ) -> None:
        self.spec = spec
        self.cells = [
            sharing.medium(env, spec, explicit or spec.varies) for _ in range(spec.n_cells)
        ]
        self.half_rtt_s = 0.5 * spec.rtt_s
        self.grant_s = spec.grant_s if spec.sharing == "cellular" else 0.0
        self.before_s = self.half_rtt_s + self.grant_s
        self.speeds = speeds
        self.shared_downlink = spec.downlink == "shared"
        self.varying_answers = (
            speeds is not None and not self.shared_downlink and spec.downlink_rate_bps is None
        )
        self.env = env
        self._plain: dict[tuple[int, float], Channel] = {}
        self._shadow = streams.stream("shadowing").random() if spec.snr_spread_db > 0.0 else 0.0
        self._ways_down: dict[int, tuple[float, int]] = {}
        self._downlinks: dict[int, Station | Radio] = {}
        self._access_points: list[Radio] = []
        for number, cell in enumerate(self.cells):
            if isinstance(cell, ContendedMedium):
                cell.draw = streams.stream("contention", number).random
                self._access_points.append(cell.radio())
        if speeds is not None:
            env.process(self._vary(speeds))

    def channel(self, index: int, group: GroupSpec, streams: Streams) -> Channel | RadioChannel:
        """The channel of device `index`; where devices have no queue of their own, plain ones are
        shared among those alike.
        """
        snr_db = self.mean_snr_db(index, group)
        medium, self._downlinks[index] = self._stations(index, snr_db)
        self._ways_down[index] = self.way_down(group, snr_db)
        if not self.spec.plain:
            spec = replace(self.spec, rate_bps=group.rate_bps or self.spec.rate_bps)
            stream = streams.stream("link", index)
            return RadioChannel(self.env, spec, medium, stream, snr_db, self.silence_s)
        rate = group.rate_bps or rate_bps(self.spec, snr_db)
        if self.spec.has_own_queues:
            return Channel(self.spec, medium, rate)
        key = (index % len(self.cells), rate)
        if key not in self._plain:
            self._plain[key] = Channel(self.spec, medium, rate)
        return self._plain[key]

    def mean_snr_db(self, index: int, group: GroupSpec) -> float:
        """The mean signal-to-noise ratio of a device: its group's, or one of its spread."""
        snr_db = self.spec.snr_db if group.snr_db is None else group.snr_db
        return self._shadowed_db(index, snr_db) if self.spec.snr_spread_db > 0.0 else snr_db

    def _shadowed_db(self, index: int, mean_db: float) -> float:
        """A device's mean ratio, by its place in the spread, drawn anew in every replication.

        Approximation: nobody stands where no frame gets through; who would, stands where the
        slowest scheme just works.
        """
        place = min(max((even(index, math.sqrt(7.0)) + self._shadow) % 1.0, 1e-12), 1.0 - 1e-12)
        snr_db = NormalDist(mean_db, self.spec.snr_spread_db).inv_cdf(place)
        while snr_db < mean_db and not passes(self.spec, snr_db):
            snr_db = min(mean_db, snr_db + _STEP_DB)
        return snr_db

    def way_down(self, group: GroupSpec, snr_db: float) -> tuple[float, int]:
        """Seconds per byte and frames per access of a device's answers: as on its way up, unless
        the link has a rate for answers.
        """
        spec = self.spec
        rate = spec.downlink_rate_bps or group.rate_bps or rate_bps(spec, snr_db)
        if rate <= 0.0:
            raise ValueError(f"link.snr_db must let a frame pass at its mean, got {snr_db:g}")
        return 8.0 / rate, spec.frames_per_access(rate)

    def _stations(self, index: int, snr_db: float) -> tuple[Station | Radio, Station | Radio]:
        """Where payloads of device `index` are handed over, and, on a shared downlink, its answers:
        at the device's own queue and at the access point's, or at a queue for each way of one user.
        """
        number = index % len(self.cells)
        cell = self.cells[number]
        if isinstance(cell, ContendedMedium):
            return cell.radio(), self._access_points[number]
        if isinstance(cell, ScheduledStation):
            user = cell.user(snr_db)
            return OwnQueue(self.env, user), OwnQueue(self.env, user)
        return cell, cell

    def downlink_s(self, index: int, answer_bytes: float) -> float:
        """Airtime of an answer for device `index`."""
        if answer_bytes <= 0.0:
            return 0.0
        byte_s, aggregation = self._ways_down[index]
        frames = self._frames(answer_bytes)
        sent_bytes = answer_bytes + frames * self.spec.header_bytes
        accesses = -(-frames // aggregation)
        return accesses * self.spec.frame_airtime_s + sent_bytes * byte_s

    def downlink_fixed_s(self, index: int, answer_bytes: float) -> float:
        """The part of that airtime which takes as long at any speed of the medium."""
        if self.spec.downlink_rate_bps is not None:
            return self.downlink_s(index, answer_bytes)
        accesses = -(-self._frames(answer_bytes) // self._ways_down[index][1])
        return accesses * self.spec.frame_airtime_s

    def _frames(self, answer_bytes: float) -> int:
        return int(-(-answer_bytes // self.spec.mtu_bytes))

    def send_answer(self, index: int, answer_bytes: float, weight: float) -> Event:
        """Put an answer for device `index` on the shared medium; half the round trip follows."""
        airtime_s = self.downlink_s(index, answer_bytes)
        fixed_s = self.downlink_fixed_s(index, answer_bytes)
        station = self._downlinks[index]
        if not isinstance(station, Radio):
            return station.serve(airtime_s, self.half_rtt_s, weight, fixed_s)
        frames, accesses = self.answer_accesses(index, answer_bytes)
        return station.send(airtime_s, fixed_s, accesses, frames, self.half_rtt_s)

    def answer_accesses(self, index: int, answer_bytes: float) -> tuple[float, int]:
        """Frames of every access that an answer for device `index` takes, and how many it takes."""
        frames = self._frames(answer_bytes)
        accesses = -(-frames // self._ways_down[index][1])
        return frames / accesses, accesses

    def withdraw_answer(self, index: int, visit: Event) -> None:
        """Take an answer off the shared medium."""
        self._downlinks[index].cancel(visit)

    def answer_s(self, index: int, answer_bytes: float) -> float:
        """Seconds that pass after the server without a wait: dedicated transfer, half the RTT; 0
        where they are not known beforehand.
        """
        if self.shared_downlink or self.varying_answers:
            return 0.0
        return self.downlink_s(index, answer_bytes) + self.half_rtt_s

    def silence_s(self, start_s: float, end_s: float) -> float:
        """Seconds between two instants in which the medium was silent."""
        return 0.0 if self.speeds is None else self.speeds.silence_s(start_s, end_s)

    def busy_s(self) -> float:
        """Seconds in which the medium was in use, averaged over the cells."""
        return math.fsum(cell.busy_s() for cell in self.cells) / len(self.cells)

    def _vary(self, speeds: Speeds) -> Generator[Event, object, None]:
        """Follow the plan of speeds."""
        for time_s, speed in speeds.changes():
            if time_s > self.env.now:
                yield self.env.timeout(time_s - self.env.now)
            for cell in self.cells:
                cell.set_speed(speed)
