"""A device: its processor and the way of its requests through the system."""

from collections.abc import Generator, Sequence
from math import inf, nan
from typing import Any

from simpy import Environment, Event, Interrupt, Process

from sim.devices.adaptive import weight
from sim.devices.policy import Policy, Seen, smooth
from sim.measures.meters import Meter
from sim.medium.channel import Channel
from sim.medium.fading import RadioChannel
from sim.medium.link import Link
from sim.request import BUSY, DONE, IN_FLIGHT, LEFT, LINK_LOST, SERVER_LOST, Request
from sim.server.server import Server
from sim.sources.draw import Draw
from sim.sources.sizes import Size
from sim.sources.source import Source
from sim.sources.training import Rounds
from sim.specs import GroupSpec, WorkloadSpec
from sim.station import FifoStation, PoolStation, QueuePool, timeout_at
from sim.streams import RequestStream

Steps = Generator[Event, Any, Any]


class Device:
    """One member of the fleet. Its index alone decides its group, phase and streams."""

    __slots__ = (
        "_observed_s",
        "_present_s",
        "_processes",
        "_since_s",
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
        "n_rounds",
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
        rows: RequestStream,
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
        self.n_rounds = 0
        self.adapt = spec.adapt
        self.rate_bps = nan
        self._observed_s = 0.0
        self.server_wait_s = 0.0
        self._present_s = 0.0
        self._since_s = 0.0 if spec.churn is None else inf
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

    def handle(self, size: Size | None = None) -> Steps:
        """One request from birth to record; dropped at once if too many are in flight. Only
        sessions have a `size`.
        """
        self.rows.advance()
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

    def learn(self, rounds: Rounds, n_rounds: int) -> Steps:
        """Train until so many rounds are over; what is lost on the way is done once more."""
        while self.n_rounds < n_rounds:
            step = Request(self.index, self.group, rounds.round, self.env.now)
            step.tokens = self.n_rounds
            self.meter.begin_round(step)
            try:
                outcome = yield from self.step(step, rounds)
                if outcome == DONE:
                    backward_s = rounds.backward_s * self.slowdown
                    yield self.processor.serve(backward_s)
                    step.backward_s = backward_s
            except Interrupt:
                self.withdraw(step)
                self.meter.count_round(step, LEFT)
                raise
            self.n_rounds += outcome == DONE
            self.meter.count_round(step, outcome)

    def step(self, request: Request, source: Source | None = None) -> Steps:
        """Head and encode, uplink, server, answer, each second booked where it passes; returns the
        outcome. `source`: whose request it is, the chosen one unless given.
        """
        draw, link, channel, server = request.draw, self.link, self.channel, self.server
        sent = draw.payload_bytes > 0.0 or draw.is_sent
        entered_s, work_s = self.env.now, draw.device_s * self.slowdown
        request.device_start_s = self.processor.start_s()  # known now, should it leave meanwhile
        request.device_end_s = request.device_start_s + work_s
        yield self.processor.serve(work_s, link.before_s if sent else 0.0)
        request.device_wait_s += request.device_start_s - entered_s
        if sent:
            request.network_s += link.half_rtt_s
            request.link_grant_s += link.grant_s
        while sent or draw.server_s > 0.0:
            entered_s = self.env.now
            if sent and isinstance(channel, RadioChannel):
                if not (yield from channel.send(request, self.weight)):
                    return LINK_LOST
            elif sent:
                visit: Any = channel.send(request, self.weight)
                request.link_start_s, request.link_end_s, alone_s = yield visit
                self._book_upload(request, entered_s, alone_s)
            if server.decoder is not None and draw.decode_s > 0.0:
                yield from self._decode(request, server.decoder)
            entered_s = self.env.now
            after_s = link.answer_s(self.index, draw.answer_bytes)
            whose = self.sources[request.choice] if source is None else source
            request.visit = server.serve(request, whose, after_s)
            served = yield request.visit
            if served is not None:
                request.server_wait_s += served[0] - entered_s
                request.server_service_s += served[1] - served[0]
                request.network_s += after_s
                break
            if request.outcome != SERVER_LOST or not self.retries:
                return request.outcome
            yield from self._wait_for_repair(request)
        if (link.shared_downlink or link.varying_answers) and (sent or draw.server_s > 0.0):
            receive = self._download if link.shared_downlink else self._receive
            yield from receive(request)
        if self.policy is not None and source is None:
            self._observe(request)
        return DONE

    def _book_upload(self, request: Request, entered_s: float, alone_s: float) -> None:
        """A payload's time on the medium: its own, that of a silence, and that of others."""
        request.airtime_s += alone_s
        wait_s = request.link_end_s - entered_s - alone_s
        if self.link.speeds is not None:
            silence_s = self.link.silence_s(entered_s, request.link_end_s)
            request.link_outage_s += silence_s
            wait_s -= silence_s
        request.link_wait_s += wait_s

    def _decode(self, request: Request, decoder: PoolStation | QueuePool) -> Steps:
        """One of the server's cores decodes."""
        entered_s = self.env.now
        request.visit = decoder.serve(request.draw.decode_s)
        start_s, end_s, _ = yield request.visit
        request.decoder_wait_s += start_s - entered_s
        request.decoder_service_s += end_s - start_s

    def _wait_for_repair(self, request: Request) -> Steps:
        """The request is lost and goes out again once the server is back."""
        request.outcome = IN_FLIGHT
        request.retries += 1
        request.server_start_s = request.server_end_s = nan
        entered_s = self.env.now
        yield self.server.wait_until_up()
        request.repair_wait_s += self.env.now - entered_s
        if self.link.grant_s > 0.0 and request.draw.is_sent:
            request.link_grant_s += self.link.grant_s
            yield self.env.timeout(self.link.grant_s)

    def _download(self, request: Request) -> Steps:
        """The answer on the shared medium."""
        link, answer_bytes = self.link, request.draw.answer_bytes
        request.network_s += link.half_rtt_s
        if answer_bytes > 0.0:
            entered_s = self.env.now
            request.visit = visit = link.send_answer(self.index, answer_bytes, self.weight)
            _, end_s, alone_s = yield visit
            silence_s = link.silence_s(entered_s, end_s)
            request.network_s += alone_s
            request.link_outage_s += silence_s
            request.answer_wait_s += end_s - entered_s - alone_s - silence_s
        elif link.half_rtt_s > 0.0:
            yield self.env.timeout(link.half_rtt_s)

    def _receive(self, request: Request) -> Steps:
        """The answer on a channel of its own whose speed changes."""
        link, answer_bytes = self.link, request.draw.answer_bytes
        speeds = link.speeds
        assert speeds is not None
        now = self.env.now
        fixed_s = link.downlink_fixed_s(self.index, answer_bytes)
        end_s = speeds.end_s(now, link.downlink_s(self.index, answer_bytes), fixed_s)
        silence_s = speeds.silence_s(now, end_s)
        request.link_outage_s += silence_s
        request.network_s += end_s - now - silence_s + link.half_rtt_s
        if end_s < inf:
            yield timeout_at(self.env, end_s + link.half_rtt_s)
        else:
            yield self.env.event()  # a silence that never ends

    def _observe(self, request: Request) -> None:
        """Learn the rate of this transfer and the server's hint, which came with the answer."""
        if request.payload_bytes > 0.0 and request.link_end_s > request.link_start_s:
            duration_s = request.link_end_s - request.link_start_s
            share = weight(self.adapt, self.env.now - self._observed_s)
            bit_s = duration_s / (8.0 * request.payload_bytes)
            self.rate_bps = 1.0 / smooth(1.0 / self.rate_bps, bit_s, share)
            self._observed_s = self.env.now
        self.server_wait_s = self.server.wait_hint_s()

    def withdraw(self, request: Request) -> None:
        """Take a request out of wherever it is; what it computed and sent so far is done."""
        request.device_start_s = min(request.device_start_s, self.env.now)
        request.device_end_s = min(request.device_end_s, self.env.now)
        if isinstance(request.visit, Event):
            on_air_s = self.channel.medium.cancel(request.visit)
            if not request.server_end_s <= self.env.now:  # else it was the answer's
                request.airtime_s += on_air_s
            elif self.link.shared_downlink:
                self.link.withdraw_answer(self.index, request.visit)
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
        self._present_s += self.env.now - self._since_s
        self._since_s = inf
        for process in list(self._processes or ()):
            if process.is_alive:
                process.interrupt("left")
        self.processor.clear()

    def join(self) -> None:
        """Be there from now on."""
        self._since_s = self.env.now

    def present_s(self) -> float:
        """Seconds so far in which it was there."""
        return self._present_s + max(0.0, self.env.now - self._since_s)


def _until_interrupted(steps: Steps) -> Steps:
    try:
        yield from steps
    except Interrupt:
        return
