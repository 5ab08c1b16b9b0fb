"""The way of one request and the time stamps it collects.

Event-bearing stages, fixed for every engine: think or arrive; device (head + encode, then half
the round trip); uplink; server (queue, decode + tail, then the answer's way down).
"""

from __future__ import annotations

from math import nan

from sim.source import Draw

DONE, DROPPED = 1.0, 2.0

COLUMNS = (
    "device",
    "group",
    "status",
    "sample",
    "created_s",
    "device_start_s",
    "device_end_s",
    "link_start_s",
    "link_end_s",
    "server_start_s",
    "server_end_s",
    "done_s",
    "payload_bytes",
    "air_bytes",
    "airtime_s",
    "correct",
)


class Request:
    """One request: what it costs (`draw`) and when it passed each stage (seconds, NaN: never)."""

    __slots__ = (
        "air_bytes",
        "airtime_s",
        "created_s",
        "device",
        "device_end_s",
        "device_start_s",
        "done_s",
        "draw",
        "group",
        "link_end_s",
        "link_start_s",
        "server_end_s",
        "server_start_s",
    )

    def __init__(self, device: int, group: int, draw: Draw, created_s: float) -> None:
        self.device = device
        self.group = group
        self.draw = draw
        self.created_s = created_s
        self.device_start_s = self.device_end_s = nan
        self.link_start_s = self.link_end_s = nan
        self.server_start_s = self.server_end_s = nan
        self.done_s = nan
        self.air_bytes = self.airtime_s = 0.0

    def row(self, status: float) -> tuple[float, ...]:
        """Its record, in the order of `COLUMNS`."""
        draw = self.draw
        return (
            self.device,
            self.group,
            status,
            draw.sample,
            self.created_s,
            self.device_start_s,
            self.device_end_s,
            self.link_start_s,
            self.link_end_s,
            self.server_start_s,
            self.server_end_s,
            self.done_s,
            draw.payload_bytes,
            self.air_bytes,
            self.airtime_s,
            draw.correct,
        )
