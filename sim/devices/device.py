"""A device: its processor and the way of its requests through the system."""

from collections.abc import Generator, Sequence
from math import nan
from typing import Any

from simpy import Environment, Event, Interrupt, Process

from sim.devices.adaptive import weight
from sim.devices.policy import Policy, Seen, smooth
from sim.measures.meters import Meter
from sim.medium.channel import Channel, RadioChannel
from sim.medium.link import Link
from sim.request import BUSY, DONE, IN_FLIGHT, LEFT, LINK_LOST, SERVER_LOST, Request
from sim.server.server import Server
from sim.sources.source import Draw, Source
from sim.specs import GroupSpec, WorkloadSpec
from sim.station import FifoStation
from sim.streams import Stream

Steps = Generator[Event, Any, Any]


class Device:
    """One member of the fleet. Its index alone decides its group, phase and streams."""

    __slots__ = (
        "_observed_s",
        "_processes",
        "adapt",
        "channel",
        "deadline_s",
        "env",
        "group",
        "in_flight",
        "index",
        "link",
        "max_in_flight",
        "meter",
        "policy",
        "processor",
        "rate_bps",
        "retries",
        "rows",
        "server",
        "server_wait_s",
        "slowdown",
        "sources",
        "weight",
    )

    def __init__(
        self,
        env: Environment,
        *,
        index: int,
        group: int,
        spec: GroupSpec,
        workload: WorkloadSpec,
        slowdown: float,
        sources: Sequence[Source],
        policy: Policy | None,
        rows: Stream,
        link: Link,
        channel: Channel | RadioChannel,
        server: Server,
        retries: bool,
        meter: Meter,
    ) -> None:
        self.env = env
        self.index = index
        self.group = group
        self.slowdown = slowdown
        self.sources = sources
        self.policy = policy
        self.rows = rows
        self.link = link
        self.channel = channel
        self.server = server
        self.retries = retries
        self.meter = meter
        self.processor = FifoStation(env)
        self.weight = spec.link_weight
        self.deadline_s = workload.deadline_s
        self.max_in_flight = workload.max_in_flight
        self.in_flight = 0
        self.adapt = spec.adapt
        self.rate_bps = nan
        self._observed_s = 0.0
        self.server_wait_s = 0.0
        self._processes: dict[Process, None] | None = {} if spec.churn is not None else None

    def choose(self, usable: tuple[int, ...] | None = None) -> int:
        """Which source the next request comes from, out of those that it may come from."""
        if self.policy is None:
            return 0
        rtt_s = 2.0 * self.link.half_rtt_s
        return self.policy.choose(
            Seen(self.env.now, self.rate_bps, self.server_wait_s, self.in_flight, rtt_s, usable)
        )

    def create(self, draw: Draw, choice: int) -> Request:
        """A new request, known to the meter."""
        now = self.env.now
        request = Request(self.index, self.group, draw, now, choice)
        if self.deadline_s is not None:
            request.deadline_s = now + self.deadline_s
        self.meter.count_arrival(request)
        return request

    def handle(self) -> Steps:
        """One request from birth to record; dropped at once if too many are in flight."""
        choice = 0 if self.policy is None else self.choose()
        request = self.create(self.sources[choice].draw(self.rows), choice)
        if self.max_in_flight is not None and self.in_flight >= self.max_in_flight:
            self.meter.count_departure(request, BUSY)
            return
        self.in_flight += 1
        try:
            outcome = yield from self.step(request)
        except Interrupt:
            self.withdraw(request)
            self.meter.count_departure(request, LEFT)
            raise
        finally:
            self.in_flight -= 1
        self.meter.count_departure(request, outcome)

    def step(self, request: Request) -> Steps:
        """Head and encode, uplink, server, answer; returns the outcome."""
        draw, link, server = request.draw, self.link, self.server
        sent = draw.payload_bytes > 0.0
        request.device_start_s, request.device_end_s = yield self.processor.serve(
            draw.device_s * self.slowdown, link.half_rtt_s if sent else 0.0
        )
        while sent or draw.server_s > 0.0:
            if sent:
                channel = self.channel
                if isinstance(channel, RadioChannel):
                    if not (yield from channel.send(request, self.weight)):
                        return LINK_LOST
                else:
                    visit = channel.send(request, self.weight)
                    request.link_start_s, request.link_end_s = yield visit
            if server.decoder is not None and draw.decode_s > 0.0:
                yield server.decoder.serve(draw.decode_s)
            request.visit = server.serve(
                request, self.sources[request.choice], link.answer_s(draw.answer_bytes)
            )
            served = yield request.visit
            if served is not None:
                request.server_start_s, request.server_end_s = served
                break
            if request.outcome != SERVER_LOST or not self.retries:
                return request.outcome
            request.outcome = IN_FLIGHT
            request.retries += 1
            yield server.wait_until_up()
        if link.shared_downlink:
            yield from self._download(request)
        if self.policy is not None:
            self._observe(request)
        return DONE

    def _download(self, request: Request) -> Steps:
        """The answer on the shared medium."""
        link, answer_bytes = self.link, request.draw.answer_bytes
        airtime_s = link.downlink_s(answer_bytes)
        if airtime_s > 0.0:
            weight = link.downlink_weight(answer_bytes, airtime_s, self.weight)
            request.visit = self.channel.medium.serve(airtime_s, link.half_rtt_s, weight)
            yield request.visit
        elif link.half_rtt_s > 0.0:
            yield self.env.timeout(link.half_rtt_s)

    def _observe(self, request: Request) -> None:
        """Learn the rate of this transfer and the server's hint, which came with the answer."""
        if request.link_end_s > request.link_start_s:
            duration_s = request.link_end_s - request.link_start_s
            share = weight(self.adapt, self.env.now - self._observed_s)
            bit_s = duration_s / (8.0 * request.payload_bytes)
            self.rate_bps = 1.0 / smooth(1.0 / self.rate_bps, bit_s, share)
            self._observed_s = self.env.now
        self.server_wait_s = self.server.wait_hint_s()

    def withdraw(self, request: Request) -> None:
        """Take a request out of wherever it is."""
        if isinstance(request.visit, Event):
            self.channel.medium.cancel(request.visit)
            self.server.cancel(request.visit)

    def spawn(self, steps: Steps) -> None:
        """Start a process of this device; it ends when the device leaves."""
        if self._processes is None:
            self.env.process(steps)
            return
        process = self.env.process(_until_interrupted(steps))
        self._processes[process] = None
        process.callbacks.append(self._forget)

    def _forget(self, process: Event) -> None:
        assert self._processes is not None
        assert isinstance(process, Process)
        del self._processes[process]

    def leave(self) -> None:
        """Stop everything at once; what is in flight is recorded as left."""
        for process in list(self._processes or ()):
            if process.is_alive:
                process.interrupt("left")
        self.processor.clear()


def _until_interrupted(steps: Steps) -> Steps:
    try:
        yield from steps
    except Interrupt:
        return
