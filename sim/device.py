"""A device: its processor and the way of its requests through the system."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

from sim.link import Link
from sim.meters import Meter
from sim.request import DONE, Request
from sim.server import Server
from sim.source import Source
from sim.station import FifoStation
from sim.streams import Stream


class Device:
    """One member of the fleet. Its index alone decides its group, phase and streams."""

    __slots__ = (
        "env",
        "group",
        "index",
        "link",
        "meter",
        "processor",
        "rows",
        "server",
        "slowdown",
        "source",
    )

    def __init__(
        self,
        env: Environment,
        *,
        index: int,
        group: int,
        slowdown: float,
        source: Source,
        rows: Stream,
        link: Link,
        server: Server,
        meter: Meter,
    ) -> None:
        self.env = env
        self.index = index
        self.group = group
        self.slowdown = slowdown
        self.source = source
        self.rows = rows
        self.link = link
        self.server = server
        self.meter = meter
        self.processor = FifoStation(env)

    def handle(self) -> Generator[Event, Any, None]:
        """One request: head and encode, uplink, server, answer; recorded when it is done."""
        env, link = self.env, self.link
        draw = self.source.draw(self.rows)
        request = Request(self.index, self.group, draw, env.now)
        self.meter.arrived(request)
        payload_bytes = draw.payload_bytes
        request.device_start_s, request.device_end_s = yield self.processor.serve(
            draw.device_s * self.slowdown, link.half_rtt_s if payload_bytes > 0.0 else 0.0
        )
        if payload_bytes > 0.0:
            request.airtime_s, request.air_bytes = link.price(payload_bytes)
            request.link_start_s, request.link_end_s = yield link.medium.serve(request.airtime_s)
        if payload_bytes > 0.0 or draw.server_s > 0.0:
            request.server_start_s, request.server_end_s = yield self.server.serve(
                draw, link.answer_s(draw.answer_bytes)
            )
        request.done_s = env.now
        self.meter.left(request, DONE)
