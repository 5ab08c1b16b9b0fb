"""The server: one GPU that decodes payloads and runs tails."""

from __future__ import annotations

from simpy import Environment, Event

from sim.source import Draw
from sim.spec import ServerSpec
from sim.station import FifoStation


class Server:
    """First come, first served; a visit takes decode and tail seconds, divided by the speed."""

    def __init__(self, env: Environment, spec: ServerSpec) -> None:
        self.gpu = FifoStation(env)
        self._slowness = 1.0 / spec.speed

    def serve(self, draw: Draw, after_s: float) -> Event:
        """Serve one request; the event fires when its answer has been down for `after_s`."""
        return self.gpu.serve((draw.decode_s + draw.server_s) * self._slowness, after_s)
