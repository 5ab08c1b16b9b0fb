"""Meters: they observe requests and stations; the model does not know what is computed.

Every figure is taken over the window from the end of the warm-up to the end of the run.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from simpy import Environment, Event

from sim.request import COLUMNS, DONE, Request

Records = Mapping[str, np.ndarray]


class Meter:
    """Knows the requests in flight (`open`) and keeps one record per request that left."""

    def __init__(self, env: Environment, *, n_devices: int = 1, target: int | None = None) -> None:
        self._env = env
        self.n_devices = n_devices
        self.target_reached: Event = env.event()
        self.target_s = nan
        self.n_arrived = 0
        self.arrival_sum_s = 0.0
        self.left_sum_s = 0.0
        self.n_left = 0
        self.open: dict[Request, None] = {}
        self._flat = array("d")
        self._steps = array("d")
        self._countdown = target if target is not None else -1

    def arrived(self, request: Request) -> None:
        """A request has come into being."""
        self.n_arrived += 1
        self.arrival_sum_s += request.created_s
        self.open[request] = None

    def left(self, request: Request, outcome: int) -> None:
        """A request is done or dropped; device 0 may have reached the target with it."""
        self.n_left += 1
        del self.open[request]
        self.left_sum_s += self._env.now
        request.outcome = outcome
        request.done_s = self._env.now
        self._flat.extend(request.row())
        if request.device == 0 and self._countdown >= 0:
            self._countdown -= 1
            if self._countdown == 0:
                self.target_s = request.done_s
                self.target_reached.succeed()

    def stepped(self, step: Request) -> None:
        """A step of a session is done; its `tokens` is its number, 0 the prefill."""
        step.done_s = self._env.now
        step.outcome = DONE
        self._steps.extend(step.row())

    def records(self) -> Records:
        """Name to column, in the order in which requests left."""
        return _columns(self._flat)

    def steps(self) -> Records:
        """The steps of sessions, likewise."""
        return _columns(self._steps)


def _columns(rows: array[float]) -> Records:
    """The rows of an array, as named columns."""
    flat = np.frombuffer(rows, dtype=np.float64) if rows else np.empty(0)
    table = flat.reshape(-1, len(COLUMNS))
    return {name: table[:, i] for i, name in enumerate(COLUMNS)}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The counters at one instant; the window's figures are differences of two of them."""

    time_s: float
    n_arrived: int
    n_left: int
    arrival_sum_s: float
    left_sum_s: float
    server_busy_s: float
    decoder_busy_s: float
    link_busy_s: float
    device_busy_s: float
    device0_busy_s: float
